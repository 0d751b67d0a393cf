"""The one place that builds backends and hands them to those who need them as ports.

Here is what every process needs: storage, keys, the log. `wire.request` builds what an interaction needs beside them,
`wire.copies` what backups and exports need; a process that needs neither keeps neither in memory.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handrail.app.settings import LOG_KEY_FILE, Settings, key_encryption_key
from handrail.backends.erasing import ErasingTransaction
from handrail.backends.keyring import KeyFolder
from handrail.backends.log.files import LogFolder
from handrail.backends.log.sequencer import Sequencer
from handrail.backends.log.sequencer import run as run_sequencer
from handrail.backends.sqlite.database import FILE as DATABASE_FILE
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.note import KeyType, SigningKey, parse_signing_key
from handrail.ledger.seal import LocalKek
from handrail.people.store import PeopleTransaction
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    from handrail.backends.log.records import StoredRecords
    from handrail.backends.postgres.open import PostgresStore

    Store = SqliteStore | PostgresStore

__all__ = ["DATABASE_FILE", "LogFolder", "Sequencer", "run_sequencer"]


class RestoringTransaction(PeopleTransaction, ErasingTransaction, Protocol):
    """What a restore does in one command: who asks, erase again, record."""


CLOCK = SystemClock()
IDS = SystemIds()


@asynccontextmanager
async def opened(given: Settings, env: Mapping[str, str], *, checkpoints: bool = True) -> "AsyncIterator[Store]":
    """Storage for one process, closed at the end. `checkpoints`: this process moves SQLite's WAL; exactly one of
    several should. Raises HandrailError HOME_INVALID or JOURNAL_UNAVAILABLE."""
    kek = LocalKek(key_encryption_key(given, env), nonce=IDS.token)
    store: Store
    if given.database_url is None:
        store = SqliteStore(given.data_dir, kek, ids=IDS, clock=CLOCK, keys_dir=given.keys_dir, checkpoints=checkpoints)
    else:
        from handrail.backends.postgres.open import PostgresStore  # deferred: SQLite homes never load asyncpg

        store = await PostgresStore.open(given.database_url, kek, keys_dir=given.keys_dir, ids=IDS, clock=CLOCK)
    try:
        yield store
    finally:
        await store.close()


def log_keys(given: Settings, env: Mapping[str, str], *, make: bool) -> tuple[SigningKey, ...]:
    """The log's signing key, from `keys.log_key_env`, `keys.log_key_file` or `log.key` in the data folder. `make`: the
    process that may choose one when there is none. Raises HandrailError HOME_INVALID."""
    boot = given.boot
    if boot.log_key_env:
        text = env.get(boot.log_key_env, "")
    else:
        path = given.data_dir / (boot.log_key_file or LOG_KEY_FILE)
        if make and not boot.log_key_file:
            _make_log_key(path, boot.log_origin)
        try:
            text = path.read_text()
        except OSError as error:
            raise HandrailError(
                Code.HOME_INVALID,
                f"the log's signing key cannot be read from {path.name} ({error.strerror}); "
                "it is made when the server first starts",
            ) from None
    try:
        return tuple(parse_signing_key(line) for line in text.splitlines() if line.strip())
    except ValueError as error:
        raise HandrailError(Code.HOME_INVALID, f"the log's signing key cannot be used: {error}") from None


def sequencer(given: Settings, env: Mapping[str, str], store: "Store") -> Sequencer:
    """The writer of the transparency log. The key is made at the first start."""
    keys = log_keys(given, env, make=True)
    return Sequencer(store.sequencing, LogFolder(given.log_dir), keys, origin=given.boot.log_origin or "")


def kek(key: bytes) -> LocalKek:
    """What wraps keys, over 32 bytes."""
    return LocalKek(key, nonce=IDS.token)


def key_folder(given: Settings, key: bytes) -> KeyFolder:
    """The keys folder, as this key-encryption key opens it."""
    return KeyFolder(given.keys_dir, kek(key))


def records(store: "Store", *, payloads: bool = False) -> "StoredRecords":
    """The journal's side of verification; blocks, so it is used from a thread."""
    from handrail.backends.log.records import StoredRecords  # deferred: a server verifies nothing

    return StoredRecords(store.reading, asyncio.get_running_loop(), payloads=payloads)


def _make_log_key(path: Path, origin: str | None) -> None:
    """A new key under the given origin, or one of its own; nothing when there is one. Two processes at once agree."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        name = origin or f"handrail/{IDS.token(6).hex()}"
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(SigningKey(name, KeyType.ED25519, IDS.token(32)).encode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
