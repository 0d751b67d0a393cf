"""Reads of conversations and subjects over the pool."""

from handrail.backends.rows import ConversationRow, Reading

_COLUMNS = "id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms, drawn"


class PostgresLookups:
    """`backends.threads.Lookups`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def conversation(self, conversation: str) -> ConversationRow | None:
        found = await self._conversations("id = $1", conversation)
        return found[0] if found else None

    async def given(self, given: bytes) -> list[ConversationRow]:
        return await self._conversations("given = $1", given)

    async def tail(self, tail: bytes) -> list[ConversationRow]:
        return await self._conversations("tail = $1 LIMIT 2", tail)

    async def customer(self, customer: bytes) -> str | None:
        found = await self._rows("SELECT subject FROM customer WHERE hash = $1", (customer,))
        return str(found[0][0]) if found else None

    async def unit(self, of: str, run: int, unit: str) -> tuple[str, float, int] | None:
        found = await self._rows(
            "SELECT arm, share, stage FROM unit WHERE release = $1 AND run = $2 AND unit = $3", (of, run, unit)
        )
        return (found[0][0], found[0][1], found[0][2]) if found else None

    async def key(self, subject: str) -> tuple[bytes, str] | None:
        found = await self._rows(
            "SELECT wrapped, wrapped_by FROM subject WHERE id = $1 AND wrapped IS NOT NULL", (subject,)
        )
        return (found[0][0], found[0][1]) if found else None

    async def _conversations(self, where: str, value: str | bytes) -> list[ConversationRow]:
        found = await self._rows(
            f"SELECT {_COLUMNS} FROM conversation WHERE {where}",  # noqa: S608  the conditions above, no input
            (value,),
        )
        return [ConversationRow(*each) for each in found]
