"""The one place that builds backends and hands them to those who need them as ports."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handrail.app.settings import LOG_KEY_FILE, Secrets, Settings, key_encryption_key
from handrail.backends.bundle import Bundle, Copied, Making, flush, flush_folder, put
from handrail.backends.egress import Egress, Origin, provider_origins, system_resolve
from handrail.backends.erasing import ErasingTransaction
from handrail.backends.log.export import Damaged, Export, Exported, export
from handrail.backends.log.files import LogFolder
from handrail.backends.log.http import HttpLog
from handrail.backends.log.records import StoredRecords
from handrail.backends.log.sequencer import Sequencer
from handrail.backends.log.sequencer import run as run_sequencer
from handrail.backends.sqlite import backup as sqlite_backup
from handrail.backends.sqlite.database import FILE as DATABASE_FILE
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.backends.upstream.clients import own_http
from handrail.backends.upstream.model import UpstreamModel
from handrail.detectors.run import Runner
from handrail.guard.budgets import Budgets
from handrail.guard.chat import Net
from handrail.guard.screen import Memo
from handrail.in_force.snapshot import InForce
from handrail.ledger.note import KeyType, SigningKey, parse_signing_key
from handrail.ledger.seal import LocalKek
from handrail.people.store import PeopleTransaction
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    from handrail.backends.postgres.open import PostgresStore

    Store = SqliteStore | PostgresStore

__all__ = [
    "DATABASE_FILE",
    "Bundle",
    "Copied",
    "Damaged",
    "Export",
    "Exported",
    "HttpLog",
    "LogFolder",
    "Making",
    "Sequencer",
    "StoredRecords",
    "export",
    "flush",
    "flush_folder",
    "put",
    "run_sequencer",
    "sqlite_backup",
]


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


def runner() -> Runner:
    """Every built-in detector."""
    from handrail.detectors.catalogue import built_in  # deferred: most commands look at no text, and it takes 0.3 s

    return Runner(built_in(), CLOCK.monotonic)


def ranking_runner() -> Runner:
    """Every built-in detector; claims of an answer are reported at any score, so that answers can be ranked."""
    from handrail.detectors.catalogue import built_in  # deferred, as above

    return Runner(built_in(grounding_floor=0.0), CLOCK.monotonic)


def net(given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce, screener: Runner) -> Net:
    """What an interaction needs, on the real world."""
    egress = Egress(resolve=system_resolve, published=_published(in_force), monotonic=CLOCK.monotonic)
    model = UpstreamModel(connect=own_http(egress=egress, secret=Secrets(given.home, env)), clock=CLOCK, jitter=_jitter)
    return Net(
        model=model,
        threads=store.threads,
        journal=store.journal,
        references=store.references,
        screener=screener,
        budgets=Budgets(CLOCK),
        memo=Memo(IDS.token(32)),
        clock=CLOCK,
        ids=IDS,
    )


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


async def copy_database(given: Settings, folder: Path) -> Copied:
    """A consistent copy of the database into `folder`, while others write. Raises HandrailError JOURNAL_UNAVAILABLE."""
    if given.database_url is None:
        return await asyncio.to_thread(sqlite_backup.copy_out, given.data_dir, folder)
    from handrail.backends.postgres import backup  # deferred: SQLite homes never load asyncpg

    return await backup.copy_out(given.database_url, folder)


async def require_room(given: Settings) -> None:
    """The database that a backup would be put into is empty. Raises HandrailError ALREADY or JOURNAL_UNAVAILABLE."""
    if given.database_url is not None:
        from handrail.backends.postgres import backup  # deferred, as above

        await backup.require_empty(given.database_url)


async def put_database(given: Settings, bundle: Bundle) -> None:
    """The database of a backup. SQLite: its file was extracted into the data folder, and is checked; PostgreSQL: filled
    in one transaction, unless an earlier attempt did. Raises HandrailError."""
    if given.database_url is None:
        await asyncio.to_thread(sqlite_backup.put_back, given.data_dir)
        return
    from handrail.backends.postgres import backup  # deferred, as above

    names = [name.removesuffix(".copy") for name in bundle.names("database")]
    await backup.copy_in(
        given.database_url, bundle.manifest.migrations, names, lambda table: bundle.chunks(f"database/{table}.copy")
    )


def kek(key: bytes) -> LocalKek:
    """What wraps keys, over 32 bytes."""
    return LocalKek(key, nonce=IDS.token)


def records(store: "Store", *, payloads: bool = False) -> StoredRecords:
    """The journal's side of verification; blocks, so it is used from a thread."""
    return StoredRecords(store.reading, asyncio.get_running_loop(), payloads=payloads)


def _published(in_force: InForce) -> Callable[[], frozenset[Origin]]:
    """Origins of the ruleset in force, worked out once per ruleset."""
    known: dict[str, frozenset[Origin]] = {}

    def published() -> frozenset[Origin]:
        snapshot = in_force.current
        if snapshot is None:
            return frozenset()
        origins = known.get(snapshot.ruleset_digest)
        if origins is None:
            known.clear()
            origins = known[snapshot.ruleset_digest] = provider_origins(snapshot.ruleset)
        return origins

    return published


def _jitter() -> float:
    """Uniform in 0..1."""
    return int.from_bytes(IDS.token(4), "big") / 2**32


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
