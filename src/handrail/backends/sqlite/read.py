"""Searches over SQLite, on a thread and a connection of their own: a long one never stops the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from handrail.backends.keyring import Keyring
from handrail.backends.search import Lookup, conditions, page, shown
from handrail.backends.sqlite.database import connect, first, rows, unavailable_on_error
from handrail.ledger.read import Page, Query, Shown
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, EntryId, InteractionId, SubjectId

T = TypeVar("T")

_FOUND = (
    "SELECT i.seq, i.interaction, i.at_ms, i.use_case, i.conversation, i.release, i.verdict, i.outcome, i.language, "
    "i.kinds"
)
_SHOWN = (
    "SELECT e.seq, e.id, e.commitment, e.facts, p.subject, p.sealed, s.wrapped, s.wrapped_by, q.idx "
    "FROM entry e LEFT JOIN payload p ON p.seq = e.seq LEFT JOIN subject s ON s.id = p.subject "
    "LEFT JOIN sequenced q ON q.seq = e.seq "
)


class ReadThread:
    """A thread with its own read-only connection, opened at the first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="handrail-reader")
        self._db: apsw.Connection | None = None

    async def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Raises HandrailError JOURNAL_UNAVAILABLE when SQLite fails."""

        def on_thread() -> T:
            if self._db is None:
                self._db = connect(self._path, read_only=True)
            with unavailable_on_error():
                return work(self._db)

        return await asyncio.get_running_loop().run_in_executor(self._thread, on_thread)

    async def close(self) -> None:
        """Waits for what runs."""

        def close() -> None:
            if self._db is not None:
                self._db.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()


class SqliteReader:
    """`ledger.read.Reader`."""

    def __init__(self, reading: "ReadThread", keys: Keyring) -> None:
        self._keys = keys
        self._on_thread = reading.run

    async def find(self, query: Query) -> Page:
        where = conditions(query)

        def search(db: apsw.Connection) -> Page:
            lookup = self._who(db, query)
            if lookup is None:
                return Page(())
            source, more, values = lookup
            sql = f"{_FOUND} FROM {source} WHERE {' AND '.join([*where.sql, *more])} ORDER BY i.seq DESC LIMIT ?"
            return page(rows(db, sql, (*where.values, *values, query.limit + 1)), query.limit)

        return await self._on_thread(search)

    async def show(self, interaction: InteractionId) -> Shown:
        sql = _SHOWN + "JOIN interaction i ON i.seq = e.seq WHERE i.interaction = ? ORDER BY e.seq LIMIT 1"
        return await self._on_thread(lambda db: self._shown(first(db, sql, (interaction,)), interaction))

    async def entry(self, entry: EntryId) -> Shown:
        sql = _SHOWN + "WHERE e.id = ?"
        return await self._on_thread(lambda db: self._shown(first(db, sql, (entry,)), entry))

    async def entries(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        sql = "SELECT seq, facts FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
        found = await self._on_thread(lambda db: rows(db, sql, (after, limit)))
        return [(seq, facts) for seq, facts in found]

    async def subject_of(self, customer: CustomerId) -> SubjectId | None:
        found = await self._on_thread(lambda db: self._customer(db, customer))
        return None if found is None else SubjectId(found)

    def _customer(self, db: apsw.Connection, customer: CustomerId) -> str | None:
        found = first(db, "SELECT subject FROM customer WHERE hash = ?", (self._keys.lookup.customer(customer),))
        return None if found is None else str(found[0])

    def _who(self, db: apsw.Connection, query: Query) -> Lookup | None:
        """Where to look. None: nobody of that name, so nothing can be found."""
        if query.conversation is not None:
            own = rows(
                db,
                "SELECT id, subject FROM conversation WHERE id = ? "
                "UNION SELECT id, subject FROM conversation WHERE given = ?",
                (query.conversation, self._keys.lookup.given(query.conversation)),
            )
            if not own:
                return None
            marks = ",".join("?" * len(own))
            subjects = tuple(subject for _, subject in own)
            more = [f"p.subject IN ({marks})", f"i.conversation IN ({marks})"]
            values: tuple[Any, ...] = (*subjects, *(each for each, _ in own))
            if query.customer is not None:
                customer = self._customer(db, query.customer)
                if customer is None:
                    return None
                more.append("(p.subject = ? OR i.conversation IN (SELECT conversation FROM party WHERE subject = ?))")
                values += (customer, customer)
            return "payload p CROSS JOIN interaction i ON i.seq = p.seq", more, values
        if query.customer is not None:
            customer = self._customer(db, query.customer)
            if customer is None:
                return None
            linked = (
                "p.subject IN (SELECT ? UNION SELECT c.subject FROM party y "
                "JOIN conversation c ON c.id = y.conversation WHERE y.subject = ?)"
            )
            mine = "(p.subject = ? OR i.conversation IN (SELECT conversation FROM party WHERE subject = ?))"
            return (
                "payload p CROSS JOIN interaction i ON i.seq = p.seq",
                [linked, mine],
                (customer, customer, customer, customer),
            )
        return "interaction i", [], ()

    def _shown(self, row: tuple[Any, ...] | None, name: str) -> Shown:
        if row is None:
            raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {name}")
        return shown(row, self._keys)
