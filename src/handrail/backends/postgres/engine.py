"""The writer's side of PostgreSQL: one connection on the writer thread's own event loop, commands run synchronously.

Entries of a batch go in by one statement over arrays: one round trip for all tables. Every batch locks the control row:
shared when it only adds entries, exclusively when it holds a command. So an erasure or a publish waits for batches that
began before it, and batches that begin after it see its epoch.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.actions import ActionsOf
from handrail.backends.keyring import Keyring
from handrail.backends.postgres.database import LOSING, connect
from handrail.backends.postgres.register import RegisterOf
from handrail.backends.rows import ERASED_LATELY, LATE_MS, ConversationRow, EntryRows, SubjectRow, entry_rows
from handrail.backends.writer import StorageError, gone, lost, taken
from handrail.ledger.entry import Entry
from handrail.ledger.seal import Sealer
from handrail.ledger.store import Transaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

T = TypeVar("T")
MAX_LIVE = 8_192
BLOCK = 1_024
"""Row numbers that a writer takes at once."""

_BEGIN = """
WITH locked AS MATERIALIZED (SELECT epoch, intermediate FROM control FOR %s)
SELECT epoch, intermediate, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM locked
"""
"""The clock is read once the row is ours: a plain select would read it before it waits."""
_ENTRIES = """
WITH e AS (
  INSERT INTO entry (seq, id, kind, at_ms, commitment, facts)
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[])
  ON CONFLICT (id) DO NOTHING RETURNING seq
), u AS (
  INSERT INTO unsequenced (seq) SELECT seq FROM e
), p AS (
  INSERT INTO payload (seq, subject, sealed)
  SELECT x.* FROM unnest($7::bigint[], $8::text[], $9::bytea[]) AS x (seq, subject, sealed) JOIN e USING (seq)
), i AS (
  INSERT INTO interaction
    (seq, interaction, at_ms, use_case, conversation, release, verdict, outcome, language, kinds, channel, arm)
  SELECT x.* FROM unnest($10::bigint[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::bytea[],
    $16::text[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::text[])
    AS x (seq, interaction, at_ms, use_case, conversation, release, verdict, outcome, language, kinds, channel, arm)
  JOIN e USING (seq)
)
SELECT seq FROM e
"""
_SUBJECTS = (
    "INSERT INTO subject (id, wrapped, wrapped_by, person, at_ms) "
    "SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::integer[], $5::bigint[])"
)
_CONVERSATIONS = (
    "INSERT INTO conversation AS c (id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms, drawn) "
    "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[], "
    "$8::integer[], $9::text[], $10::bigint[], $11::text[]) "
    "AS x (id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms, drawn) "
    "WHERE EXISTS (SELECT 1 FROM subject s WHERE s.id = x.subject AND s.wrapped IS NOT NULL) "
    "ON CONFLICT (id) DO UPDATE SET given = coalesce(excluded.given, c.given), tail = excluded.tail, "
    "seen = excluded.seen, turns = greatest(c.turns, excluded.turns), release = coalesce(c.release, excluded.release), "
    "drawn = coalesce(c.drawn, excluded.drawn) "
    "WHERE c.key_id = excluded.key_id"
)
"""A turn that ends after its subject or its conversation (which then has no key) was erased must not write back what
leads to it: such a row is left out."""


class PostgresTransaction(RegisterOf, ActionsOf):
    """`ledger.store.Transaction`, with raw access for the repositories of this folder: `fetch(sql, values)` runs one
    statement with values for `$1`, `$2`, ... synchronously, inside the command's savepoint, and returns its rows."""

    def __init__(self, engine: "PostgresEngine") -> None:
        self._engine = engine
        self.now_ms = 0
        self.epoch = 0
        self.intermediate = ""

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._engine.fetch(sql, values)

    def append(self, entry: Entry) -> None:
        self._engine.append(entry)

    def add_subject(self, row: SubjectRow) -> None:
        """A new subject, its key wrapped by the current intermediate key."""
        self._engine.subjects([row])

    def customer(self, customer: bytes, subject: SubjectRow) -> str:
        """The subject of this customer (keyed hash); `subject` when it has none yet."""
        found = self.fetch("SELECT subject FROM customer WHERE hash = $1", (customer,))
        if found:
            return str(found[0][0])
        self.add_subject(subject)
        self.fetch("INSERT INTO customer (hash, subject) VALUES ($1, $2)", (customer, subject.id))
        return subject.id

    def party(self, conversation: str, subject: str) -> bool:
        """Note that the conversation also names this subject. False: known already. Raises HandrailError NOT_FOUND when
        one of them was erased."""
        self._engine.require_live(subject)
        self._engine.require_open(conversation)
        sql = (
            "INSERT INTO party (conversation, subject, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING "
            "RETURNING subject"
        )
        return bool(self.fetch(sql, (conversation, subject, self.now_ms)))

    def sequence(self, first_index: int, refs: list[int]) -> None:
        """For `backends.sequencing`."""
        sql = (
            "WITH d AS (DELETE FROM unsequenced WHERE seq = ANY($1::bigint[]) RETURNING seq) "
            "INSERT INTO sequenced (idx, seq) SELECT $2 + x.at - 1, x.seq "
            "FROM unnest($1::bigint[]) WITH ORDINALITY AS x (seq, at) JOIN d USING (seq) RETURNING idx"
        )
        try:
            done = len(self.fetch(sql, (refs, first_index)))
        except asyncpg.UniqueViolationError:
            done = -1
        if done != len(refs):
            raise HandrailError(Code.LOST_RACE, "an entry has an index already, or does not exist")

    def lender(self) -> "PostgresEngine":
        return self._engine

    def bump_epoch(self) -> int:
        """Tell every process to read what is in force again and to drop cached keys; the new epoch."""
        self.epoch = int(self.fetch("UPDATE control SET epoch = epoch + 1 RETURNING epoch")[0][0])
        self._engine.forget()
        return self.epoch


class PostgresEngine:
    """`backends.writer.Engine`."""

    lends = False  # it runs an event loop of its own on the writer's thread

    def __init__(self, dsn: str, keys: Keyring, ids: Ids) -> None:
        self._dsn = dsn
        self._keys = keys
        self.ids = ids
        self.sealer = Sealer(contended=True)
        self._loop = asyncio.new_event_loop()
        self._tx = PostgresTransaction(self)
        self._live: set[str] = set()
        self._erased: set[str] | None = None
        self._epoch = -1
        self._seq = self._end = 0
        self._db: Any = self._loop.run_until_complete(connect(dsn))

    def begin(self, *, exclusive: bool) -> Transaction:
        if self._db.is_closed():
            self._db = self._wait(connect(self._dsn))
        self._wait(self._db.execute("BEGIN"))
        found = self._wait(self._db.fetchrow(_BEGIN % ("UPDATE" if exclusive else "SHARE")))
        epoch, self._tx.intermediate, self._tx.now_ms = found
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

    def fetch(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """For the transaction."""
        return [tuple(row) for row in self._loop.run_until_complete(self._db.fetch(sql, *values))]

    def subjects(self, rows: list[SubjectRow]) -> None:
        by = self._tx.intermediate
        wrapped = [self._keys.wrap(row.id, row.key, by) for row in rows]
        self._wait(
            self._db.execute(
                _SUBJECTS,
                [row.id for row in rows],
                wrapped,
                [by] * len(rows),
                [int(row.person) for row in rows],
                [row.at_ms for row in rows],
            )
        )
        self._live.update(row.id for row in rows)

    def conversations(self, rows: list[ConversationRow]) -> None:
        """Those whose subject was erased are left out."""
        latest = list({row.id: row for row in rows}.values())
        self._wait(self._db.execute(_CONVERSATIONS, *map(list, zip(*latest, strict=True))))

    def entries(self, entries: list[Entry]) -> list[Exception | None]:
        numbers = self._numbers(len(entries))
        made, errors = entry_rows(entries, self, iter(numbers), sealer=self.sealer, ids=self.ids)
        inserted = iter(self._append(made))
        return [
            error or (None if next(inserted) else taken(entry.id)) for entry, error in zip(entries, errors, strict=True)
        ]

    def append(self, entry: Entry) -> None:
        """For a command's transaction."""
        (error,) = self.entries([entry])
        if error is not None:
            raise error

    def command(self, command: Callable[[Transaction], Any]) -> Any:
        self._wait(self._db.execute("SAVEPOINT command"))
        try:
            result = command(self._tx)
        except Exception as error:
            if isinstance(error, LOSING) or self._db.is_closed():
                raise StorageError(type(error).__name__) from None
            self._unsee()
            self._wait(self._db.execute("ROLLBACK TO command"))
            raise
        self._wait(self._db.execute("RELEASE command"))
        return result

    def commit(self) -> None:
        self._wait(self._db.execute("COMMIT"))

    def rollback(self) -> None:
        self._unsee()
        try:
            self._wait(self._db.execute("ROLLBACK"))
        except StorageError:
            self._db.terminate()  # the next batch connects anew

    def probe(self) -> None:
        if self._db.is_closed():
            self._db = self._wait(connect(self._dsn))
        self._wait(
            self._db.execute("UPDATE control SET probed = (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        )

    def close(self) -> None:
        try:
            self._wait(self._db.close(timeout=5))
        except StorageError:
            self._db.terminate()
        self._loop.close()

    def _append(self, made: EntryRows) -> list[bool]:
        """Whether each went in; False: its id is taken."""
        if not made.entries:
            return []
        got = self._wait(
            self._db.fetch(
                _ENTRIES,
                *_columns(made.entries, 6),
                *_columns(made.payloads, 3),
                *_columns(made.interactions, 12),
            )
        )
        if len(got) == len(made.entries):
            return [True] * len(got)
        inserted = {seq for (seq,) in got}
        return [row[0] in inserted for row in made.entries]

    def _numbers(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            if self._seq == self._end:
                block = self._wait(self._db.fetchval("SELECT nextval('entry_block')"))
                self._seq, self._end = (block - 1) * BLOCK + 1, block * BLOCK + 1
            part = min(count - len(found), self._end - self._seq)
            found.extend(range(self._seq, self._seq + part))
            self._seq += part
        return found

    def _unsee(self) -> None:
        """What was known of erasures may be so no more."""
        self._live.clear()
        self._erased = None

    def require_live(self, subject: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased, JOURNAL_UNAVAILABLE when its row was lost."""
        if subject not in self._live:
            self._stored_key(subject)

    def require_open(self, conversation: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased by itself."""
        if self._erased is None:
            found = self._wait(self._db.fetch(ERASED_LATELY, self._tx.now_ms - LATE_MS))
            self._erased = {name for (name,) in found}
        if conversation in self._erased:
            raise gone()

    def cipher(self, subject: str) -> AESGCM:
        """Of its key. Raises HandrailError NOT_FOUND when it was erased."""
        return AESGCM(self.key(subject))

    def key(self, subject: str) -> bytes:
        """Raises HandrailError NOT_FOUND when it was erased."""
        key = self._keys.cached(subject)
        return self._stored_key(subject) if key is None or subject not in self._live else key

    def _stored_key(self, subject: str) -> bytes:
        found = self._wait(self._db.fetchrow("SELECT wrapped, wrapped_by FROM subject WHERE id = $1", subject))
        if found is None:
            raise lost()
        if found[0] is None:
            raise gone()
        self._live.add(subject)
        key = self._keys.cached(subject)
        if key is None:
            key = self._keys.unwrap(subject, found[0], found[1])
            self._keys.remember(subject, key)
        return key

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the writer's own loop. Raises StorageError: the transaction is lost."""
        try:
            return self._loop.run_until_complete(work)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise StorageError(type(error).__name__) from None


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    """Rows as arrays, one for each column."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]
