"""Opening the one SQLite file: settings that durability and erasure rest on, and its migrations.

WAL with synchronous=FULL: a commit is on disk before it is acknowledged. secure_delete: freed bytes are overwritten. No
mmap: an I/O error stays an error. One process checkpoints, the others only as a safety net against a huge WAL.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from handrail.backends.keyring import Keyring
from handrail.backends.migrations import load, missing
from handrail.backends.writer import StorageError
from handrail.ledger.tree import EMPTY_ROOT
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError

LEAST = 3_051_003
"""SQLite 3.51.3 mends the WAL-reset corruption that several processes on one file could meet (sqlite.org/wal.html)."""

FILE = "handrail.db"
BUSY_MS = 5_000
CHECKPOINT_PAGES = 4_000
NET_PAGES = 200_000
CACHE_KIB = 1_024
"""Pages that each connection keeps. Each commit of another process empties it, so that a larger one gains nothing: the
system's own cache is the one that lasts (measured with 32 MB: the same CPU for each record)."""
SPILL_PAGES = 2_048
"""Changed pages that a transaction keeps in memory (8 MB) before the first goes to the WAL. A batch of 512 records
changes 300, more than the cache holds: written early they change again, and the commit must then read back and write
again what came after them. Freed once the transaction ends."""
READ_CACHE_KIB = 512
FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX
"""No lock for each value bound, 21 for each record: a connection is used by one thread, or by two strictly in turn."""
STATEMENTS = 128
"""Prepared statements that each connection keeps: apsw looks through all of its places whenever one runs."""
MIGRATIONS = Path(__file__).parent / "migrations"


def _uncounted() -> None:
    """SQLite keeps no count of the memory it uses: counting takes a lock at each allocation, 27 for each record. This
    can only be said before its first connection of a process; where there is one, it counts."""
    if not apsw.connections():
        apsw.shutdown()
        apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
        apsw.initialize()


_uncounted()


def require_version(number: int) -> None:
    """Raises HandrailError HOME_INVALID for a SQLite older than `LEAST`."""
    if number < LEAST:
        raise HandrailError(
            Code.HOME_INVALID,
            f"SQLite {number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000} is too old: 3.51.3 or later is "
            "needed, and the apsw wheel carries it; install the locked requirements again",
        )


def prepare(data_dir: Path) -> Path:
    """The data folder (mode 0700) and an empty database file (mode 0600), made when missing; the file's path."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    path = data_dir / FILE
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return path


def connect(path: Path, *, checkpoints: bool = False, read_only: bool = False) -> apsw.Connection:
    """One connection with our settings. Raises HandrailError HOME_INVALID for an old SQLite, JOURNAL_UNAVAILABLE when
    the file cannot be opened."""
    require_version(apsw.SQLITE_VERSION_NUMBER)
    with unavailable_on_error():
        # a reader must be able to make the WAL's shared memory, so it is opened for writing and told not to
        db = apsw.Connection(str(path), flags=FLAGS, statementcachesize=STATEMENTS)
        db.set_busy_timeout(BUSY_MS)
        pages = CHECKPOINT_PAGES if checkpoints else NET_PAGES
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "secure_delete=ON",
            "mmap_size=0",
            "trusted_schema=OFF",
            f"cache_size=-{READ_CACHE_KIB if read_only else CACHE_KIB}",
            f"cache_spill={SPILL_PAGES}",
            f"wal_autocheckpoint={pages}",
            f"query_only={'ON' if read_only else 'OFF'}",
        ):
            db.execute(f"PRAGMA {pragma}").fetchall()
    return db


def migrate(db: apsw.Connection, keys: Keyring, clock: Clock, folder: Path = MIGRATIONS) -> None:
    """Apply what is missing, all in one transaction; then check that the keys folder belongs to the database."""
    with unavailable_on_error(), immediate(db):
        db.execute(
            "CREATE TABLE IF NOT EXISTS migration "
            "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT"
        )
        applied: dict[int, str] = dict(rows(db, "SELECT number, digest FROM migration"))
        for each in missing(load(folder), applied):
            db.execute(each.sql).fetchall()
            db.execute(
                "INSERT INTO migration VALUES (?, ?, ?, ?)", (each.number, each.name, each.digest, clock.now_ms())
            )
        check = first(db, "SELECT lookup_check FROM control")
        if check is None:
            db.execute("INSERT INTO control VALUES (1, 1, ?, ?, 0, 0)", (keys.new_intermediate(), keys.lookup.check()))
            db.execute("INSERT INTO log_head VALUES (1, 0, ?, x'', '', 0)", (EMPTY_ROOT,))
        else:
            keys.belongs(check[0])


def checkpoint(db: apsw.Connection, *, truncate: bool) -> bool:
    """Move the WAL into the database file. `truncate`: wait for readers and cut the WAL to nothing, so that bytes
    overwritten by secure_delete are on disk nowhere in clear. False: someone was reading, try again."""
    with unavailable_on_error():
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            left, done = db.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        return bool(left == done)


@contextlib.contextmanager
def immediate(db: apsw.Connection) -> Iterator[None]:
    """A write transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextlib.contextmanager
def unavailable_on_error() -> Iterator[None]:
    """Any failure of SQLite becomes HandrailError JOURNAL_UNAVAILABLE."""
    try:
        yield
    except apsw.Error as error:
        raise unanswered(error) from None


def unanswered(error: apsw.Error) -> HandrailError:
    """What a failure of SQLite is to whoever asked."""
    return HandrailError(Code.JOURNAL_UNAVAILABLE, f"the database does not answer: {reason(error)}")


class _LostOnError:
    """A class, since the writer enters it several times for each batch: a generator costs four times as much."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.Error):
            raise StorageError(reason(error)) from None


_LOST_ON_ERROR = _LostOnError()


def lost_on_error() -> _LostOnError:
    """On the writer: any failure of SQLite loses the transaction."""
    return _LOST_ON_ERROR


def reason(error: apsw.Error) -> str:
    """The kind of failure without values: SQLite's own messages may quote content."""
    return type(error).__name__


def rows(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All rows."""
    return list(db.execute(sql, values))


def first(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """The first row or None."""
    found: tuple[Any, ...] | None = db.execute(sql, values).fetchone()
    return found
