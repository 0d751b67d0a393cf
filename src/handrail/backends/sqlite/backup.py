"""A consistent copy of the database while the server runs, and a copy put back.

SQLite's online backup in one step reads one snapshot of the WAL: writers go on meanwhile, and nobody is locked out. In
smaller steps every commit of another process would start it over.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from handrail.backends.bundle import ERASED_SQL, FREE_LEASE_SQL, HEAD_SQL, MIGRATIONS_SQL, WRAPS_SQL, Copied
from handrail.backends.sqlite.database import FILE, connect, first, rows, unavailable_on_error
from handrail.backends.sqlite.register import RegisterOf
from handrail.ledger.backup import Erasure
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import SubjectId


def copy_out(data_dir: Path, folder: Path) -> Copied:
    """Write `folder/handrail.db`, one file without a WAL. Blocks: run it on a thread. Raises HandrailError
    JOURNAL_UNAVAILABLE."""
    target = folder / FILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    source = connect(data_dir / FILE, read_only=True)
    try:
        with unavailable_on_error():
            copy = apsw.Connection(str(target))
            try:
                with copy.backup("main", source, "main") as running:
                    while not running.done:
                        running.step(-1)
                copy.execute("PRAGMA journal_mode=DELETE").fetchall()
                return _said(copy)
            finally:
                copy.close()
    finally:
        source.close()


def put_back(data_dir: Path) -> None:
    """Check the file that was put into `data_dir`, and free the lease of the process that published its log. Raises
    HandrailError REQUEST_INVALID when it is damaged."""
    try:
        db = apsw.Connection(str(data_dir / FILE), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            if rows(db, "PRAGMA quick_check(1)") != [("ok",)]:
                raise HandrailError(Code.REQUEST_INVALID, "the database in the backup is damaged; take another")
            db.execute(FREE_LEASE_SQL).fetchall()
        finally:
            db.close()
    except apsw.Error as error:
        raise HandrailError(
            Code.REQUEST_INVALID, f"the database in the backup cannot be opened ({type(error).__name__})"
        ) from None


def present(data_dir: Path) -> Copied | None:
    """What a database that is there says; None when there is none. Raises HandrailError JOURNAL_UNAVAILABLE when it
    cannot be read."""
    path = data_dir / FILE
    if not path.exists() or path.stat().st_size == 0:
        return None
    db = connect(path, read_only=True)
    try:
        with unavailable_on_error():
            return _said(db)
    finally:
        db.close()


class Registered(RegisterOf):
    """`people.store.Register` of a database that nobody serves. Read-only: its repositories must not be written to."""

    def __init__(self, db: apsw.Connection, now_ms: int) -> None:
        self.db = db
        self.now_ms = now_ms


@contextmanager
def registered(data_dir: Path, *, now_ms: int) -> Iterator[Registered | None]:
    """The persons and tokens of a database that is there; None when there is none. Raises HandrailError
    JOURNAL_UNAVAILABLE when it cannot be read."""
    if not (data_dir / FILE).exists():
        yield None
        return
    db = connect(data_dir / FILE, read_only=True)
    try:
        with unavailable_on_error():
            yield Registered(db, now_ms)
    finally:
        db.close()


def _said(db: apsw.Connection) -> Copied:
    head = first(db, HEAD_SQL)
    assert head is not None
    return Copied(
        migrations=tuple((number, digest) for number, digest in rows(db, MIGRATIONS_SQL)),
        wraps=frozenset(name for (name,) in rows(db, WRAPS_SQL)),
        log_size=head[0],
        log_root=head[1],
        checkpoint=head[2],
        erasures=[Erasure(SubjectId(subject), entry, at) for subject, entry, at in rows(db, ERASED_SQL)],
    )
