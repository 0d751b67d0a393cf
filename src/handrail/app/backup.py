"""`handrail backup`: keys, database and log in an order that fits together while the server runs.

1. who asks, allowed in the journal;   2. keys and the witnessed checkpoint;   3. the database, one snapshot;
4. keys once more: one made in between is needed, one destroyed in between is not;   5. the log, cut to the snapshot;
6. manifest, seal, and the entry `backup.made`;   7. the rename that makes it a backup.

A key that the snapshot needs and that neither reading found means that keys were rotated twice meanwhile: it starts
over. What a crash leaves is a folder with a dot before its name, which is no backup and may be deleted.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from handrail.app import wire
from handrail.app.settings import LOG_KEY_FILE, Settings, key_encryption_key
from handrail.app.wire import copies
from handrail.app.wire.keys import is_for_actions
from handrail.ledger.backup import (
    ERASURES,
    FORMAT,
    KEK,
    LOG_KEY,
    BackupFacts,
    EngineKind,
    Manifest,
    encode_erasures,
)
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.note import BadNote, parse_checkpoint, parse_note
from handrail.ledger.paths import WITNESSED
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import PeopleTransaction
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.app.wire.copies import Copied, Making

ROUNDS = 3
LOOKUP = "lookup"


class Made(msgspec.Struct, frozen=True):
    """`size`: bytes of all pieces, before a zip packs them. `erasures`: how many the list has."""

    id: str
    manifest: str
    log_size: int
    size: int
    erasures: int
    kek: bool


async def backup(
    given: Settings, env: Mapping[str, str], target: Path, *, token: str | None, with_kek: bool = False
) -> Made:
    """Write `target`, a new folder, or a zip file when its name ends so; whole or not at all. `with_kek`: whoever has
    the backup can then read everything. Raises HandrailError NOT_ALLOWED, ALREADY, NOT_FOUND, REQUEST_INVALID,
    JOURNAL_UNAVAILABLE or LOG_CONFLICT."""
    require_outside(given, target)
    async with wire.opened(given, env, checkpoints=False) as store:
        key = key_encryption_key(given, env)
        by = await store.journal.run(lambda tx: acting(tx, token, Act.BACKUP))
        with copies.Making(target, wire.IDS.new("bk")) as making:
            copied, keys = await _database_with_keys(given, making)
            for name, wrapped in keys.items():
                making.put(f"keys/{name}.key", wrapped)
            making.put_log(wire.LogFolder(given.log_dir).read, copied.log_size, copied.checkpoint)
            making.put(ERASURES, encode_erasures(copied.erasures))
            if with_kek:
                making.put(KEK, key)
            log_key = _log_key(given)
            if log_key is not None:
                making.put(LOG_KEY, wire.kek(key).wrap(log_key, name="log key"))
            manifest = _manifest(given, copied, with_kek=with_kek)
            digest, size = making.seal(manifest, wire.kek(key))
            making.pack()
            facts = BackupFacts(manifest.id, digest, manifest.engine, manifest.log_size, size, with_kek)
            await _record(store, by, facts)
            making.finish()
    return Made(manifest.id, digest, copied.log_size, size, len(copied.erasures), with_kek)


async def only_erasures(given: Settings, env: Mapping[str, str], target: Path, *, token: str | None) -> int:
    """Write the list of erased subjects alone: small, so it can be kept beside older backups each hour; how many.
    Raises HandrailError as `backup`."""
    require_outside(given, target)
    if target.exists():
        raise HandrailError(Code.ALREADY, f"{target.name} exists; a backup never overwrites anything")
    async with wire.opened(given, env, checkpoints=False) as store:
        await store.journal.run(lambda tx: acting(tx, token, Act.BACKUP))
        erasures = await store.erasing.erased()
    copies.put(target, encode_erasures(erasures))
    return len(erasures)


def require_outside(given: Settings, target: Path) -> None:
    """Raises HandrailError REQUEST_INVALID for a target in the data folder: it would be lost together with it."""
    if target.resolve().is_relative_to(given.data_dir):
        raise HandrailError(Code.REQUEST_INVALID, "a backup inside the data folder is lost with it; choose another")


async def _database_with_keys(given: Settings, making: "Making") -> tuple["Copied", dict[str, bytes]]:
    for _ in range(ROUNDS):
        before = _keys(given)
        witnessed = wire.LogFolder(given.log_dir).read(WITNESSED)
        copied = await copies.copy_database(given, making.root / "database")
        keys = before | _keys(given)
        needed = {LOOKUP, *copied.wraps}
        if needed <= keys.keys():
            needed |= {name for name in keys if is_for_actions(name)}
            if witnessed is not None and _size(witnessed) <= copied.log_size:
                making.put(f"log/{WITNESSED}", witnessed)
            return copied, {name: keys[name] for name in sorted(needed)}
    raise HandrailError(Code.LOST_RACE, "keys were rotated again and again meanwhile; try once more")


def _keys(given: Settings) -> dict[str, bytes]:
    """The wrapped keys by name; one that is destroyed while it is read is left out."""
    found = {}
    for path in given.keys_dir.glob("*.key"):
        try:
            found[path.stem] = path.read_bytes()
        except FileNotFoundError:
            continue
    return found


def _size(checkpoint: bytes) -> int:
    try:
        return parse_checkpoint(parse_note(checkpoint).text).size
    except BadNote:
        return 1 << 62


def _log_key(given: Settings) -> bytes | None:
    """The log's signing key, when it is a file that handrail keeps."""
    if given.boot.log_key_env:
        return None
    path = given.data_dir / (given.boot.log_key_file or LOG_KEY_FILE)
    return path.read_bytes() if path.exists() else None


def _manifest(given: Settings, copied: "Copied", *, with_kek: bool) -> Manifest:
    return Manifest(
        format=FORMAT,
        id=wire.IDS.new("bk"),
        handrail=version("handrail"),
        engine=EngineKind.SQLITE if given.database_url is None else EngineKind.POSTGRES,
        migrations=copied.migrations,
        made_at_ms=wire.CLOCK.now_ms(),
        log_size=copied.log_size,
        log_root=copied.log_root.hex(),
        kek=with_kek,
        pieces=(),
    )


async def _record(store: "Store", by: Actor, facts: BackupFacts) -> None:
    def record(tx: PeopleTransaction) -> None:
        entry = EntryId(wire.IDS.new("en"))
        tx.append(
            Entry(id=entry, kind=EntryKind.BACKUP_MADE, at_ms=tx.now_ms, actor=by, facts=facts, about=facts.backup)
        )

    await store.journal.run(record)
