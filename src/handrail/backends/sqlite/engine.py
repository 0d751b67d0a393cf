"""The writer's side of SQLite: one connection, batches as multi-row statements.

Several rows go in by one statement (at most `CHUNK`): each step of a statement gives up the interpreter lock and takes
it back, which costs more than the insert when the event loop is busy.
"""

from collections.abc import Callable, Sequence
from itertools import chain, count
from typing import Any

import apsw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.actions import ActionsOf
from handrail.backends.keyring import Keyring
from handrail.backends.rows import ERASED_LATELY, LATE_MS, ConversationRow, EntryRows, SubjectRow, entry_rows
from handrail.backends.sqlite.database import first, lost_on_error, rows
from handrail.backends.sqlite.register import RegisterOf
from handrail.backends.writer import StorageError, gone, lost, taken
from handrail.ledger.entry import Entry
from handrail.ledger.seal import Sealer
from handrail.ledger.store import Transaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

CHUNK = 32
_COUNTS = (*range(1, 9), 10, 12, 16, 20, 24, 28, CHUNK)
_FIT = tuple([max([count for count in _COUNTS if count <= most], default=0) for most in range(CHUNK + 1)])
"""How many rows go first when there are so many. Any number goes in by two statements of a few kinds, so that the cache
of statements, which is looked through from end to end each time, can be small."""
LOSING = (
    apsw.FullError, apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.CorruptError, apsw.NotADBError,
    apsw.CantOpenError, apsw.ReadOnlyError, apsw.NoMemError, apsw.InterruptError, apsw.ProtocolError,
)  # fmt: skip
"""Errors that say the file or the disk failed, not the command: the whole batch is lost."""
MAX_LIVE = 8_192
CIPHERS = 256
"""Ready to seal with: the entries of a turn, and of the next turns of a conversation, share one. A kilobyte each."""

_COLUMNS = {"entry": 6, "payload": 3, "interaction": 12, "subject": 5, "conversation": 11}
_CONVERSATIONS = (
    "SELECT * FROM ({}) WHERE EXISTS (SELECT 1 FROM subject s WHERE s.id = column4 AND s.wrapped IS NOT NULL) "
    "ON CONFLICT (id) DO UPDATE SET given = coalesce(excluded.given, given), tail = excluded.tail, "
    "seen = excluded.seen, turns = max(turns, excluded.turns), release = coalesce(release, excluded.release), "
    "drawn = coalesce(drawn, excluded.drawn) "
    "WHERE key_id = excluded.key_id"
)
"""Around the rows. A turn that ends after its subject (their fourth column) or its conversation (which then has no key)
was erased must not write back what leads to it: such a row is left out."""


def _sql(table: str, count: int) -> str:
    rows = "VALUES " + ",".join([f"({','.join('?' * _COLUMNS[table])})"] * count)
    return f"INSERT INTO {table} " + (_CONVERSATIONS.format(rows) if table == "conversation" else rows)


_SQL = {(table, count): _sql(table, count) for table in _COLUMNS for count in _COUNTS}
_BEGIN = (
    "SELECT epoch, intermediate, CAST(unixepoch('subsec') * 1000 AS INTEGER), "
    "(SELECT coalesce(max(seq), 0) FROM entry) FROM control"
)


class SqliteTransaction(RegisterOf, ActionsOf):
    """`ledger.store.Transaction`, with raw access for the repositories of this folder: `db.execute(sql, values)`
    returns a cursor (apsw), runs inside the command's savepoint, and must not begin, commit or roll back."""

    def __init__(self, engine: "SqliteEngine", db: apsw.Connection) -> None:
        self._engine = engine
        self.db = db
        self.now_ms = 0
        self.epoch = 0
        self.intermediate = ""

    def append(self, entry: Entry) -> None:
        self._engine.append(entry)

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with values for `$1`, `$2`, ... in order of their first use; its rows."""
        return rows(self.db, sql, tuple(values))

    def sequence(self, first_index: int, refs: list[int]) -> None:
        """For `backends.sequencing`."""
        before = self.db.total_changes()
        try:
            self.db.executemany(
                "INSERT INTO sequenced SELECT ?, seq FROM entry WHERE seq = ?",
                [(first_index + at, ref) for at, ref in enumerate(refs)],
            )
        except apsw.ConstraintError:
            raise HandrailError(Code.LOST_RACE, "an entry has an index already") from None
        if self.db.total_changes() - before != len(refs):
            raise HandrailError(Code.LOST_RACE, "an entry to be sequenced does not exist")

    def add_subject(self, row: SubjectRow) -> None:
        """A new subject, its key wrapped by the current intermediate key."""
        self._engine.subjects([row])

    def customer(self, customer: bytes, subject: SubjectRow) -> str:
        """The subject of this customer (keyed hash); `subject` when it has none yet."""
        found = first(self.db, "SELECT subject FROM customer WHERE hash = ?", (customer,))
        if found is not None:
            return str(found[0])
        self.add_subject(subject)
        self.db.execute("INSERT INTO customer VALUES (?, ?)", (customer, subject.id))
        return subject.id

    def party(self, conversation: str, subject: str) -> bool:
        """Note that the conversation also names this subject. False: known already. Raises HandrailError NOT_FOUND when
        one of them was erased."""
        self._engine.require_live(subject)
        self._engine.require_open(conversation)
        self.db.execute("INSERT OR IGNORE INTO party VALUES (?, ?, ?)", (conversation, subject, self.now_ms))
        return bool(self.db.changes())

    def lender(self) -> "SqliteEngine":
        return self._engine

    def bump_epoch(self) -> int:
        """Tell every process to read what is in force again and to drop cached keys; the new epoch."""
        found = first(self.db, "UPDATE control SET epoch = epoch + 1 RETURNING epoch")
        assert found is not None
        self._engine.forget()
        self.epoch = int(found[0])
        return self.epoch


class SqliteEngine:
    """`backends.writer.Engine`. Two threads may use the connection of SQLite in turn, never at once: `Writer._lend`."""

    lends = True

    def __init__(self, db: apsw.Connection, keys: Keyring, ids: Ids) -> None:
        self._db = db
        self._keys = keys
        self.ids = ids
        self.sealer = Sealer()
        self._tx = SqliteTransaction(self, db)
        self._live: set[str] = set()  # subjects known not to be erased, as of `self._epoch`
        self._ciphers: dict[str, AESGCM] = {}  # of subjects in `_live`
        self._erased: set[str] | None = None  # conversations erased by themselves lately; None: not read yet
        self._epoch = -1
        self._seq = 0

    def begin(self, *, exclusive: bool) -> Transaction:  # every write transaction of SQLite is exclusive
        with lost_on_error():
            self._db.execute("BEGIN IMMEDIATE")
            found = first(self._db, _BEGIN)
        assert found is not None
        epoch, self._tx.intermediate, self._tx.now_ms, self._seq = found
        self._tx.epoch = epoch
        if epoch != self._epoch or len(self._live) > MAX_LIVE:
            if self._epoch >= 0 and epoch != self._epoch:
                self._keys.forget()
            self._unsee()
            self._epoch = epoch
        return self._tx

    def forget(self) -> None:
        """The epoch grew in this transaction."""
        self._unsee()
        self._keys.forget()

    def subjects(self, rows: list[SubjectRow]) -> None:
        by = self._tx.intermediate
        wrap = self._keys.wrap
        with lost_on_error():
            self._insert("subject", [(row.id, wrap(row.id, row.key, by), by, row.person, row.at_ms) for row in rows])
        self._live.update(row.id for row in rows)

    def conversations(self, rows: list[ConversationRow]) -> None:
        """Those whose subject was erased are left out."""
        latest = {row.id: row for row in rows} if len(rows) > 1 else None
        with lost_on_error():
            self._insert("conversation", rows if latest is None else list(latest.values()))

    def entries(self, entries: list[Entry]) -> list[Exception | None]:
        answers: list[Exception | None] = []
        for at in range(0, len(entries), CHUNK):  # sealed and inserted by portions, so that their memory is used again
            answers += self._portion(entries[at : at + CHUNK])
        return answers

    def _portion(self, entries: list[Entry]) -> list[Exception | None]:
        with lost_on_error():
            made, errors = self._rows(entries)
            start = self._seq
            try:
                self._append(made)
            except apsw.ConstraintError as error:
                _require_taken(error)
                # only an id that is taken can conflict, and it does so in the first table: find out which
                self._db.execute("DELETE FROM entry WHERE seq > ?", (start,))
                self._seq = start
                errors = [error or self._one(entry) for error, entry in zip(errors, entries, strict=True)]
        return errors

    def command(self, command: Callable[[Transaction], Any]) -> Any:
        db = self._db
        seq = self._seq
        with lost_on_error():
            db.execute("SAVEPOINT command")
        try:
            result = command(self._tx)
        except Exception as error:
            if isinstance(error, LOSING) or not db.in_transaction:
                raise StorageError(type(error).__name__) from None
            self._unsee()
            self._seq = seq
            with lost_on_error():
                db.execute("ROLLBACK TO command")
                db.execute("RELEASE command")
            raise
        with lost_on_error():
            db.execute("RELEASE command")
        return result

    def append(self, entry: Entry) -> None:
        """For a command's transaction."""
        made, (error,) = self._rows([entry])
        if error is not None:
            raise error
        try:
            self._append(made)
        except apsw.ConstraintError as conflict:
            _require_taken(conflict)
            raise taken(entry.id) from None

    def commit(self) -> None:
        with lost_on_error():
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        self._unsee()
        if self._db.in_transaction:
            try:
                self._db.execute("ROLLBACK")
            except apsw.Error:  # the transaction is gone already; the next BEGIN says whether the file answers
                return

    def probe(self) -> None:
        with lost_on_error():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE control SET probed = CAST(unixepoch('subsec') * 1000 AS INTEGER)")
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

    def _rows(self, entries: list[Entry]) -> tuple[EntryRows, list[Exception | None]]:
        return entry_rows(entries, self, count(self._seq + 1), sealer=self.sealer, ids=self.ids)

    def _append(self, made: EntryRows) -> None:
        if made.entries:
            self._insert("entry", made.entries)
            self._insert("payload", made.payloads)
            self._insert("interaction", made.interactions)
            self._seq = made.entries[-1][0]

    def _one(self, entry: Entry) -> HandrailError | None:
        try:
            self.append(entry)
        except HandrailError as error:
            return error
        return None

    def _insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        at, end = 0, len(rows)
        while at < end:
            size = _FIT[min(end - at, CHUNK)]
            part = rows if size == end else rows[at : at + size]
            self._db.execute(_SQL[table, size], tuple(chain.from_iterable(part)))
            at += size

    def _unsee(self) -> None:
        """What was known of erasures may be so no more."""
        self._live.clear()
        self._ciphers.clear()
        self._erased = None

    def require_live(self, subject: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased, JOURNAL_UNAVAILABLE when its row was lost."""
        if subject in self._live:
            return
        found = first(self._db, "SELECT wrapped IS NOT NULL FROM subject WHERE id = ?", (subject,))
        if found is None:
            raise lost()
        if not found[0]:
            raise gone()
        self._live.add(subject)

    def require_open(self, conversation: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased by itself."""
        if self._erased is None:
            since = (self._tx.now_ms - LATE_MS,)
            self._erased = {name for (name,) in rows(self._db, ERASED_LATELY, since)}
        if conversation in self._erased:
            raise gone()

    def cipher(self, subject: str) -> AESGCM:
        """Of its key. Raises HandrailError NOT_FOUND when it was erased."""
        cipher = self._ciphers.get(subject)
        if cipher is None:
            cipher = AESGCM(self.key(subject))
            if len(self._ciphers) >= CIPHERS:
                self._ciphers.clear()
            self._ciphers[subject] = cipher
        return cipher

    def key(self, subject: str) -> bytes:
        """Raises HandrailError NOT_FOUND when it was erased."""
        self.require_live(subject)
        key = self._keys.cached(subject)
        if key is None:
            found = first(self._db, "SELECT wrapped, wrapped_by FROM subject WHERE id = ?", (subject,))
            assert found is not None  # `require_live` has seen it
            key = self._keys.unwrap(subject, found[0], found[1])
            self._keys.remember(subject, key)
        return key


def _require_taken(error: apsw.ConstraintError) -> None:
    """Raises the error again unless it says that an id is not unique."""
    if getattr(error, "extendedresult", 0) != apsw.SQLITE_CONSTRAINT_UNIQUE:
        raise error
