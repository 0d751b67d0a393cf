"""Reads of conversations and subjects on the event loop's own connection: a point look-up is quicker than a thread."""

from collections.abc import Sequence
from typing import Any

import apsw

from handrail.backends.rows import ConversationRow
from handrail.backends.sqlite.database import first, rows, unavailable_on_error

_COLUMNS = "id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms, drawn"


class SqliteLookups:
    """`backends.threads.Lookups`, on a read-only connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    async def conversation(self, conversation: str) -> ConversationRow | None:
        found = self._conversations("id = ?", conversation)
        return found[0] if found else None

    async def given(self, given: bytes) -> list[ConversationRow]:
        return self._conversations("given = ?", given)

    async def tail(self, tail: bytes) -> list[ConversationRow]:
        return self._conversations("tail = ? LIMIT 2", tail)

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

    def _conversations(self, where: str, value: str | bytes) -> list[ConversationRow]:
        with unavailable_on_error():
            found: Sequence[tuple[Any, ...]] = rows(
                self._db,
                f"SELECT {_COLUMNS} FROM conversation WHERE {where}",  # noqa: S608  the conditions above, no input
                (value,),
            )
        return [ConversationRow(*each) for each in found]
