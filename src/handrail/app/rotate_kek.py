"""Replacing the key-encryption key: every key in the keys folder is wrapped anew, and the entry says so.

1. every key opens with the old key or the new one, else nothing is begun;
2. `kek.next` in the data folder: the id of the entry to be written, and the new key where a file holds it;
3. the entry `key_encryption_key.rotated`, in one command that also asks who may;
4. each key wrapped anew by an atomic rename, the lookup key first: from here on nothing opens with the old key;
5. the new key in place of the old one, which is overwritten; `kek.next` goes.

What a crash leaves: `kek.next`, and then the same command goes on; which key opens what shows how far it came. Between
4 and 5 no process starts, because neither key opens everything. Nobody else may have the storage open, here or on
another machine (`app.running`): it would wrap its next intermediate key by the key it was started with.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from handrail.app import wire
from handrail.app.running import alone
from handrail.app.settings import Settings, key_encryption_key, key_in
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.seal import KEY_SIZE
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId

NEXT = "kek.next"
FIRST = "lookup"


class RotatedKekFacts(msgspec.Struct, frozen=True):
    """Facts of `key_encryption_key.rotated`. `before`, `now`: which key, as 16 hex digits of a digest of it. `keys`:
    how many were wrapped by it."""

    before: str
    now: str
    keys: int


class Next(msgspec.Struct, frozen=True):
    """`key`: empty when the environment holds it. `now`: which one that is, as in the facts."""

    entry: str
    key: bytes = b""
    now: str = ""


async def rotate_kek(given: Settings, env: Mapping[str, str], *, token: str | None, new_env: str | None) -> int:
    """How many keys are wrapped by the new key now. `new_env`: the variable that holds it where `keys.kek_env` names
    the old one; else a new one is made. Raises HandrailError that says what to mend; the same call goes on then."""
    if bool(given.boot.kek_env) != bool(new_env):
        raise HandrailError(
            Code.HOME_INVALID,
            "keys.kek_env names the key: put a new one in another variable and name it with --new-env NAME"
            if given.boot.kek_env
            else "the key stands in a file, so a new one is made: leave --new-env out",
        )
    with alone(given):
        old, left = key_encryption_key(given, env), _left(given)
        if new_env:
            new = key_in(env, new_env)
        else:
            new = left.key if left is not None and left.key else wire.IDS.token(KEY_SIZE)
        before, now = wire.key_folder(given, old), wire.key_folder(given, new)
        await _require_open(given, {old: before, new: now})
        if new == old and not new_env:  # stopped after the last step but one
            _end(given)
            return len(now.names())
        if new == old:
            _end(given)
            raise HandrailError(Code.ALREADY, "the new key-encryption key is the present one; give another")
        if not before.names() or before.opens(FIRST):
            await _record(given, old, new, left, token)
        names = sorted(now.names(), key=lambda name: (name != FIRST, name))
        for name in names:
            if not now.opens(name):
                before.rewrap(name, wire.kek(new))
        if not new_env:
            _replace(given.data_dir / (given.boot.kek_file or "kek"), new)
        _end(given)
        return len(names)


def _left(given: Settings) -> Next | None:
    """Of an attempt that did not end."""
    path = given.data_dir / NEXT
    data = path.read_bytes().strip(b"\0") if path.exists() else b""  # overwritten: it ended, but for removing the file
    return msgspec.json.decode(data, type=Next) if data else None


async def _require_open(given: Settings, folders: Mapping[bytes, wire.KeyFolder]) -> None:
    """`folders`: the keys folder by key-encryption key. Raises HandrailError HOME_INVALID that names a file which none
    of them opens, and says whether it is needed."""
    names = next(iter(folders.values())).names()
    closed = [name for name in names if not any(folder.opens(name) for folder in folders.values())]
    if not closed:
        return
    if len(closed) == len(names):
        message = "the key-encryption key opens nothing in the keys folder; give the key that made it"
        raise HandrailError(Code.HOME_INVALID, f"{message}; nothing was changed")
    name = closed[0]
    if FIRST in closed:
        name, needed = FIRST, True
    else:
        key = next(key for key, folder in folders.items() if folder.opens(FIRST))
        needed = await _is_needed(given, key, name)
    mend = (
        "what is recorded needs it: put this file back from a backup, or, when a rotation was interrupted, give the "
        "same new key as then"
        if needed
        else "nothing that is recorded needs it: remove this file"
    )
    raise HandrailError(
        Code.HOME_INVALID,
        f"neither the present key-encryption key nor the new one opens {name}.key in the keys folder; {mend}, then "
        "call again; nothing was changed",
    )


async def _is_needed(given: Settings, key: bytes, name: str) -> bool:
    """Whether something recorded is wrapped by this intermediate key, or will be next."""

    def asked(tx: wire.RestoringTransaction) -> bool:
        found = tx.fetch("SELECT 1 FROM subject WHERE wrapped_by = $1 AND wrapped IS NOT NULL LIMIT 1", (name,))
        return bool(found) or tx.intermediate == name

    async with wire.opened_by(given, key) as store:
        return await store.journal.run(asked)


async def _record(given: Settings, old: bytes, new: bytes, left: Next | None, token: str | None) -> None:
    """The entry, once: of an attempt that did not end, or a new one under a plan that is durable before it."""
    now = _name(new)
    plan = left if left is not None and (left.key == new or left.now == now) else _planned(given, new, now)

    def record(tx: wire.RestoringTransaction) -> None:
        by = acting(tx, token, Act.ROTATE_KEYS)
        if tx.fetch("SELECT 1 FROM entry WHERE id = $1", (plan.entry,)):
            return
        kind = EntryKind.KEY_ENCRYPTION_KEY_ROTATED
        facts = RotatedKekFacts(_name(old), now, len(wire.key_folder(given, old).names()))
        tx.append(Entry(id=EntryId(plan.entry), kind=kind, at_ms=tx.now_ms, actor=by, facts=facts, about=now))

    try:
        async with wire.opened_by(given, old) as store:
            await store.journal.run(record)
    except HandrailError as error:
        if plan is not left and error.code in (Code.NOT_ALLOWED, Code.TOKEN_INVALID):
            _end(given)  # nothing was begun
        raise


def _planned(given: Settings, new: bytes, now: str) -> Next:
    """Durable on return."""
    plan = Next(entry=wire.IDS.new("en"), key=b"" if given.boot.kek_env else new, now=now)
    _write(given.data_dir / NEXT, msgspec.json.encode(plan))
    return plan


def _name(key: bytes) -> str:
    return hashlib.sha256(b"handrail key-encryption key 1\0" + key).hexdigest()[:16]


def _end(given: Settings) -> None:
    path = given.data_dir / NEXT
    if path.exists():
        _overwrite(path)
        path.unlink()


def _replace(path: Path, key: bytes) -> None:
    fresh = path.with_name(f"{path.name}.fresh")
    _write(fresh, key)
    with path.open("r+b") as old:
        fresh.replace(path)
        _zero(old.fileno())
    _sync(path.parent)


def _write(path: Path, data: bytes) -> None:
    """Durable, whole or not there."""
    part = path.with_name(f"{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync(path.parent)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        _zero(file.fileno())


def _zero(descriptor: int) -> None:
    os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
    os.fsync(descriptor)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
