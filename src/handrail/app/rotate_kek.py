"""Replacing the key-encryption key: every key in the keys folder is wrapped anew, and the entry says so.

1. `kek.next` in the data folder: the id of the entry to be written, and the new key where a file holds it;
2. the entry `key_encryption_key.rotated`, in one command that also asks who may;
3. each key wrapped anew by an atomic rename, the lookup key first: from here on nothing opens with the old key;
4. the new key in place of the old one, which is overwritten; `kek.next` goes.

What a crash leaves: `kek.next`, and then the same command goes on; which key opens what shows how far it came. Between
3 and 4 no process starts, because neither key opens everything. No server may run: it would wrap its next intermediate
key by the key it was started with.
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
    """`key`: empty when the environment holds it."""

    entry: str
    key: bytes = b""


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
        old = key_encryption_key(given, env)
        plan = _plan(given)
        new = key_in(env, new_env) if new_env else plan.key
        if new == old and not new_env:  # stopped after the last step but one
            _end(given)
            return len(wire.key_folder(given, new).names())
        if new == old:
            _end(given)
            raise HandrailError(Code.ALREADY, "the new key-encryption key is the present one; give another")
        before, now = wire.key_folder(given, old), wire.key_folder(given, new)
        if before.opens(FIRST):
            await _record(given, env, plan, token, RotatedKekFacts(_name(old), _name(new), len(before.names())))
        names = sorted(now.names(), key=lambda name: (name != FIRST, name))
        for name in names:
            if not now.opens(name):
                before.rewrap(name, wire.kek(new), wire.IDS)
        if not new_env:
            _replace(given.data_dir / (given.boot.kek_file or "kek"), new)
        _end(given)
        return len(names)


def _plan(given: Settings) -> Next:
    """Of an attempt that did not end, else a new one, durable on return."""
    path = given.data_dir / NEXT
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Next)
    made = b"" if given.boot.kek_env else wire.IDS.token(KEY_SIZE)
    plan = Next(entry=wire.IDS.new("en"), key=made)
    _write(path, msgspec.json.encode(plan))
    return plan


async def _record(
    given: Settings, env: Mapping[str, str], plan: Next, token: str | None, facts: RotatedKekFacts
) -> None:
    def record(tx: wire.RestoringTransaction) -> None:
        by = acting(tx, token, Act.ROTATE_KEYS)
        if tx.fetch("SELECT 1 FROM entry WHERE id = $1", (plan.entry,)):
            return
        kind = EntryKind.KEY_ENCRYPTION_KEY_ROTATED
        tx.append(Entry(id=EntryId(plan.entry), kind=kind, at_ms=tx.now_ms, actor=by, facts=facts, about=facts.now))

    try:
        async with wire.opened(given, env) as store:
            await store.journal.run(record)
    except HandrailError:
        _end(given)  # nothing was wrapped anew: the next attempt begins afresh
        raise


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
