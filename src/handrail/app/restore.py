"""`handrail restore`: a backup becomes the data folder of a home, whole or not at all.

With D the data folder: everything is made in `D.restoring`, and renamed to `D.restored` when it is complete; in there
erasures are made again, the entry `backup.restored` is written, the log published and verified; then an old D is moved
aside and `D.restored` becomes D. What a crash leaves: before the first rename nothing counts (the next attempt starts
over); after it the next `restore` of the same backup goes on from there. Until the last rename D has no keys of the
backup, so that no server can serve a database in which erased subjects are still readable.

Who may: with `--replace` a person of the folder that is set aside, whose roles and tokens are the present ones; where
there is no such folder, it knows nobody, or its database cannot be read, a person of the backup.

It refuses, and changes nothing, when it cannot know: a backup that is damaged or sealed by another key, a log older
than one known here, a data folder whose erasures cannot be read.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from handrail.app import wire
from handrail.app.settings import LOG_KEY_FILE, Settings, key_encryption_key
from handrail.app.wire import copies
from handrail.approvals.restored import doubt_approved
from handrail.ledger.backup import (
    KEK,
    LOG_KEY,
    EngineKind,
    Erasure,
    RestoredFacts,
    read_erasures,
    require_continues,
)
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.erase import reference
from handrail.ledger.note import BadNote, Checkpoint, Trust, parse_checkpoint, parse_note
from handrail.ledger.paths import CHECKPOINT, WITNESSED
from handrail.ledger.read import columns
from handrail.ledger.verify import BadLog, verify
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.releases.desk import end_restored
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId

if TYPE_CHECKING:
    from handrail.app.wire import LogFolder, Store
    from handrail.app.wire.copies import Bundle
    from handrail.approvals.store import ActionTransaction
    from handrail.releases.store import ReleaseTransaction

    class _Transaction(wire.RestoringTransaction, ActionTransaction, ReleaseTransaction, Protocol):
        """Of the restore's one command."""


PLAN = "restore.json"


class Plan(msgspec.Struct, frozen=True):
    """What is left to do in `D.restored`; a file there until it is done. `entry`: id of the entry to be written. `by`:
    who was allowed in the folder that is set aside; None: asked in the restored database."""

    manifest: str
    entry: str
    erasures: list[Erasure]
    known_size: int
    accepted: str
    by: Actor | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`known`: files with checkpoints that are trusted from elsewhere; `erasures`: lists; `replace`: move an existing
    data folder aside; `accept_older`: a reference, empty to refuse a log older than one known."""

    token: str | None = None
    known: tuple[Path, ...] = ()
    erasures: tuple[Path, ...] = ()
    replace: bool = False
    accept_older: str = ""


class Restored(msgspec.Struct, frozen=True):
    """`erased`: subjects erased again. `aside`: where the data folder that was there is now. `new_log_key`: the log
    goes on under a key that whoever checks it must be given."""

    id: str
    made_at_ms: int
    entries: int
    erased: int
    aside: Path | None
    new_log_key: bool


async def restore(given: Settings, env: Mapping[str, str], source: Path, asked: Asked) -> Restored:
    """Raises HandrailError that says what to mend; then nothing was changed, unless the message says so."""
    accepted = reference(asked.accept_older) if asked.accept_older else ""
    staging, ready = _beside(given, "restoring"), _beside(given, "restored")
    with copies.Bundle(source) as bundle:
        _require_engine(given, bundle)
        key = _key(given, env, bundle)
        bundle.authentic(wire.kek(key))
        holder = wire.LogFolder(given.log_dir)
        present = _holds_data(given)
        if present:
            _require_stopped(holder)
        try:
            if ready.exists():
                plan = _unfinished(ready, bundle)
                plan = msgspec.structs.replace(plan, by=_allowed(given, asked) or plan.by)
                if given.database_url is None:
                    await copies.put_database(_at(given, ready), bundle)
                elif not await _filled(given):
                    await copies.put_database(given, bundle)
            else:
                if present and not asked.replace:
                    raise HandrailError(
                        Code.ALREADY,
                        f"{given.data_dir.name} holds data already; --replace moves it aside, nothing is deleted",
                    )
                await copies.require_room(given)
                by = _allowed(given, asked)
                plan = msgspec.structs.replace(_plan(given, bundle, asked, accepted), by=by)
                _stage(given, bundle, staging, plan, key)
                if given.database_url is None:
                    await copies.put_database(_at(given, staging), bundle)
                staging.rename(ready)
                copies.flush_folder(ready.parent)
                if given.database_url is not None:
                    await _fill(given, bundle, ready)
            return await _finish(given, env, bundle, plan, asked)
        finally:
            holder.unlock()


def _allowed(given: Settings, asked: Asked) -> Actor | None:
    """Who asks, as the database says that is there now; None when nobody is registered there, it is gone or it cannot
    be read. Raises HandrailError TOKEN_INVALID or NOT_ALLOWED."""
    if given.database_url is not None:
        return None  # it must be empty
    try:
        with copies.sqlite_backup.registered(given.data_dir, now_ms=wire.CLOCK.now_ms()) as register:
            known = register is not None and register.persons.all()
            return acting(register, asked.token, Act.BACKUP) if register is not None and known else None
    except HandrailError as error:
        if error.code is Code.JOURNAL_UNAVAILABLE:
            return None
        raise


async def _fill(given: Settings, bundle: "Bundle", ready: Path) -> None:
    try:
        await copies.put_database(given, bundle)
    except HandrailError:
        shutil.rmtree(ready)  # the transaction left nothing, so nothing is left here
        raise


async def _filled(given: Settings) -> bool:
    try:
        await copies.require_room(given)
    except HandrailError as error:
        if error.code is Code.ALREADY:
            return True
        raise
    return False


def _beside(given: Settings, what: str) -> Path:
    return given.data_dir.with_name(f"{given.data_dir.name}.{what}")


def _at(given: Settings, folder: Path) -> Settings:
    return msgspec.structs.replace(given, data_dir=folder)


def _require_engine(given: Settings, bundle: "Bundle") -> None:
    engine = EngineKind.SQLITE if given.database_url is None else EngineKind.POSTGRES
    if bundle.manifest.engine is not engine:
        raise HandrailError(
            Code.HOME_INVALID,
            f"the backup is of {bundle.manifest.engine.value} and handrail.yaml names {engine.value}: "
            "change `database` to restore it",
        )


def _key(given: Settings, env: Mapping[str, str], bundle: "Bundle") -> bytes:
    """The one inside the backup, else this home's. Raises HandrailError HOME_INVALID."""
    if bundle.manifest.kek and not given.boot.kek_env:
        return bundle.data(KEK)
    ready = _beside(given, "restored")  # of an attempt that had moved the old folder aside already
    there = given if given.data_dir.exists() or not ready.exists() else _at(given, ready)
    return key_encryption_key(there, env)


def _holds_data(given: Settings) -> bool:
    """More than what `handrail init` puts there."""
    if not given.data_dir.exists():
        return False
    return (
        (given.data_dir / wire.DATABASE_FILE).exists()
        or (given.log_dir / CHECKPOINT).exists()
        or any(given.keys_dir.glob("*.key"))
    )


def _require_stopped(folder: "LogFolder") -> None:
    try:
        folder.lock()
    except HandrailError:
        raise HandrailError(
            Code.LOG_CONFLICT, "handrail serve runs on this data folder; stop it, then restore"
        ) from None


def _unfinished(ready: Path, bundle: "Bundle") -> Plan:
    plan = msgspec.json.decode((ready / PLAN).read_bytes(), type=Plan)
    if plan.manifest != bundle.digest.hexdigest():
        raise HandrailError(
            Code.ALREADY,
            f"{ready.name} is left from restoring another backup; finish that one, or delete the folder",
        )
    return plan


def _plan(given: Settings, bundle: "Bundle", asked: Asked, accepted: str) -> Plan:
    """Reads what may not be undone. Raises HandrailError LOG_CONFLICT, REQUEST_INVALID or JOURNAL_UNAVAILABLE."""
    erasures = [each for path in asked.erasures for each in read_erasures(_read(path), path.name)]
    known = [_checkpoint(_read(path), path.name) for path in asked.known]
    for name in (CHECKPOINT, WITNESSED):
        data = wire.LogFolder(given.log_dir).read(name)
        if data is not None:
            known.append(_checkpoint(data, f"{name} in {given.data_dir.name}"))
    if given.database_url is None:
        erasures += _present_erasures(given, asked)
    older = None
    for each in known:
        try:
            require_continues(bundle.read_log, bundle.manifest.log_size, bytes.fromhex(bundle.manifest.log_root), each)
        except HandrailError as error:
            if not accepted or each.size <= bundle.manifest.log_size:
                raise
            older = error
    return Plan(
        manifest=bundle.digest.hexdigest(),
        entry=wire.IDS.new("en"),
        erasures=erasures,
        known_size=max((each.size for each in known), default=0),
        accepted=accepted if older is not None else "",
    )


def _present_erasures(given: Settings, asked: Asked) -> list[Erasure]:
    try:
        present = copies.sqlite_backup.present(given.data_dir)
    except HandrailError:
        if asked.erasures:
            return []  # the operator says which there were
        raise HandrailError(
            Code.JOURNAL_UNAVAILABLE,
            "the database that is there cannot be read, so its erasures are not known: give the newest list with "
            "--erasures FILE (handrail backup writes one; an empty file says that there were none)",
        ) from None
    return [] if present is None else present.erasures


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HandrailError(Code.NOT_FOUND, f"{path.name} cannot be read ({error.strerror})") from None


def _checkpoint(data: bytes, name: str) -> Checkpoint:
    try:
        return parse_checkpoint(parse_note(data).text)
    except BadNote as error:
        raise HandrailError(Code.REQUEST_INVALID, f"{name} is no checkpoint of a log: {error}") from None


def _stage(given: Settings, bundle: "Bundle", staging: Path, plan: Plan, key: bytes) -> None:
    """Everything but a PostgreSQL database into `D.restoring`. Raises HandrailError; then it is gone again."""
    shutil.rmtree(staging, ignore_errors=True)  # of an attempt that did not end
    staging.mkdir(mode=0o700, parents=True)
    try:
        for name in bundle.names("keys"):
            bundle.extract(f"keys/{name}", staging / "keys" / name)
        (staging / "log").mkdir(mode=0o700)
        for name in bundle.names("log"):
            if not plan.accepted:
                bundle.extract(f"log/{name}", staging / "log" / name)
        if given.database_url is None:
            name = wire.DATABASE_FILE
            bundle.extract(f"database/{name}", staging / name)
        _put_keys(given, bundle, staging, plan, key)
        copies.put(staging / PLAN, msgspec.json.encode(plan))
        copies.flush(staging)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _put_keys(given: Settings, bundle: "Bundle", staging: Path, plan: Plan, key: bytes) -> None:
    """The two keys that stand as files in the data folder. An accepted older log gets no key: the next one is made new,
    so that one key never signs two histories."""
    boot = given.boot
    if boot.kek_file and not Path(boot.kek_file).is_absolute():
        copies.put(staging / boot.kek_file, key)
    outside = boot.log_key_env or (boot.log_key_file and Path(boot.log_key_file).is_absolute())
    if plan.accepted and (outside or boot.log_key_file):
        raise HandrailError(
            Code.HOME_INVALID,
            "an older log needs a new key, and handrail.yaml names the log's key: remove keys.log_key_file or "
            "keys.log_key_env, or put a new key there and remove it afterwards",
        )
    if bundle.has(LOG_KEY) and not outside and not plan.accepted:
        clear = wire.kek(key).unwrap(bundle.data(LOG_KEY), name="log key")
        copies.put(staging / (boot.log_key_file or LOG_KEY_FILE), clear)


async def _finish(given: Settings, env: Mapping[str, str], bundle: "Bundle", plan: Plan, asked: Asked) -> Restored:
    ready = _beside(given, "restored")
    staged = _at(given, ready)
    try:
        async with wire.opened(staged, env) as store:
            erased = await store.journal.run(lambda tx: _record(tx, store, bundle, plan, asked))
            entries = await _publish(staged, env, store)
            await store.erasing.clean()
    except (HandrailError, BadLog) as error:
        left = given.database_url is not None
        if not left:
            shutil.rmtree(ready)
        why = error.message if isinstance(error, HandrailError) else f"the restored log does not verify: {error}"
        code = error.code if isinstance(error, HandrailError) else Code.LOG_CONFLICT
        end = "; the database is filled: mend this and restore again to go on" if left else "; nothing was changed"
        raise HandrailError(code, why + end) from None
    aside = None
    if given.data_dir.exists():
        aside = _beside(given, f"replaced-{wire.IDS.new('bk')}")
        given.data_dir.rename(aside)
        if not _holds_data(_at(given, aside)):
            shutil.rmtree(aside)  # only what init had put there
            aside = None
    ready.rename(given.data_dir)
    copies.flush_folder(ready.parent)
    (given.data_dir / PLAN).unlink()  # last: until the rename it says how to go on
    manifest = bundle.manifest
    return Restored(manifest.id, manifest.made_at_ms, entries, erased, aside, bool(plan.accepted))


def _record(tx: "_Transaction", store: "Store", bundle: "Bundle", plan: Plan, asked: Asked) -> int:
    """Erase again, doubt what was approved, end canaries, and say so, once: with the entry there, an earlier attempt
    did all that."""
    by = plan.by or acting(tx, asked.token, Act.BACKUP)
    if tx.fetch("SELECT 1 FROM entry WHERE id = $1", (plan.entry,)):
        return 0
    manifest = bundle.manifest
    erased = store.erasing.again(tx, plan.erasures, reason=f"backup {manifest.id}", by=by)
    doubt_approved(tx, wire.IDS)
    end_restored(tx, wire.IDS)
    facts = RestoredFacts(
        manifest.id,
        plan.manifest,
        manifest.made_at_ms,
        manifest.log_size,
        plan.known_size,
        erased,
        plan.accepted,
    )
    entry = Entry(
        id=EntryId(plan.entry),
        kind=EntryKind.BACKUP_RESTORED,
        at_ms=tx.now_ms,
        actor=by,
        facts=facts,
        about=manifest.id,
    )
    tx.append(entry)
    tx.bump_epoch()
    return erased


async def _publish(staged: Settings, env: Mapping[str, str], store: "Store") -> int:
    """Everything journaled under a checkpoint, then the whole log checked against the database; how many entries.
    Raises HandrailError or BadLog."""
    sequencer = wire.sequencer(staged, env, store)
    while await sequencer.step(wire.CLOCK.now_ms()) is not None:
        pass
    await sequencer.close()
    keys = tuple(key.verifier for key in wire.log_keys(staged, env, make=False))
    trust = Trust(keys, origin=staged.boot.log_origin or "")
    log = wire.LogFolder(staged.log_dir)
    report = await asyncio.to_thread(verify, log.read, trust, records=wire.records(store), project=columns)
    return report.entries
