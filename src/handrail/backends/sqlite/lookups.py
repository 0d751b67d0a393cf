"""Reads of conversations and subjects on the event loop's own connection: a point look-up is quicker than a thread."""

import apsw

from handrail.backends.rows import ConversationRow
from handrail.backends.sqlite.database import first, unanswered, unavailable_on_error

_CONVERSATION = (
    "SELECT id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms, drawn FROM conversation WHERE "
)
_BY_ID, _BY_GIVEN, _BY_TAIL = f"{_CONVERSATION}id = ?", f"{_CONVERSATION}given = ?", f"{_CONVERSATION}tail = ? LIMIT 2"


class SqliteLookups:
    """`backends.threads.Lookups`, on a read-only connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    async def conversation(self, conversation: str) -> ConversationRow | None:
        found = self._conversations(_BY_ID, conversation)
        return found[0] if found else None

    async def given(self, given: bytes) -> list[ConversationRow]:
        return self._conversations(_BY_GIVEN, given)

    async def tail(self, tail: bytes) -> list[ConversationRow]:
        return self._conversations(_BY_TAIL, tail)

    async def customer(self, customer: bytes) -> str | None:
        with unavailable_on_error():
            found = first(self._db, "SELECT subject FROM customer WHERE hash = ?", (customer,))
        return None if found is None else str(found[0])

    async def unit(self, of: str, run: int, unit: str) -> tuple[str, float, int] | None:
        with unavailable_on_error():
            found = first(
                self._db,
                "SELECT arm, share, stage FROM unit WHERE release = ? AND run = ? AND unit = ?",
                (of, run, unit),
            )
        return None if found is None else (found[0], found[1], found[2])

    async def key(self, subject: str) -> tuple[bytes, str] | None:
        with unavailable_on_error():
            found = first(
                self._db, "SELECT wrapped, wrapped_by FROM subject WHERE id = ? AND wrapped IS NOT NULL", (subject,)
            )
        return None if found is None else (found[0], found[1])

    def _conversations(self, sql: str, value: str | bytes) -> list[ConversationRow]:
        """One of them for most requests, so it goes without the context of the others."""
        try:
            return [ConversationRow(*each) for each in self._db.execute(sql, (value,))]
        except apsw.Error as error:
            raise unanswered(error) from None
