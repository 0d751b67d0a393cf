"""How the ledger grows: kinds and row numbers only, for signals; statements that both engines understand."""

from handrail.backends.rows import Reading


class StoredTail:
    """`console.ports.Tail`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def newest(self) -> int:
        found = await self._rows("SELECT max(seq) FROM entry")
        return int(found[0][0] or 0)

    async def kinds_after(self, row: int) -> dict[str, int]:
        """From the rows above `row`, which are few: it is asked twice a second."""
        found = await self._rows("SELECT kind, max(seq) FROM entry WHERE seq > $1 GROUP BY kind", (row,))
        return {str(kind): int(last) for kind, last in found}
