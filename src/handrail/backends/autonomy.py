"""Lowered levels in their tables: statements that both engines understand. Nothing personal stands in them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.governance.demote import Demotion, at_most
from handrail.policy.autonomy import Autonomy
from handrail.terms.action import ActionType
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

_DEMOTION = msgspec.json.Decoder(Demotion)
_COUNTS = msgspec.json.Decoder(dict[str, int])
_ALL = "SELECT body FROM autonomy ORDER BY use_case"


class _Transaction(Protocol):
    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class StoredAutonomyStore:
    """`governance.store.AutonomyStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def get(self, use_case: UseCaseId) -> Demotion:
        found = self._tx.fetch("SELECT body FROM autonomy WHERE use_case = $1", (use_case,))
        return _DEMOTION.decode(bytes(found[0][0])) if found else Demotion(use_case=use_case)

    def all(self) -> list[Demotion]:
        return [one for one in (_DEMOTION.decode(bytes(row[0])) for row in self._tx.fetch(_ALL)) if one.levels]

    def swap(self, before: Demotion, after: Demotion) -> None:
        body = msgspec.json.encode(after)
        values: tuple[Any, ...]
        if before.version == 0:
            sql = (
                "INSERT INTO autonomy (use_case, version, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING "
                "RETURNING use_case"
            )
            values = (after.use_case, after.version, body)
        else:
            sql = "UPDATE autonomy SET version = $1, body = $2 WHERE use_case = $3 AND version = $4 RETURNING use_case"
            values = (after.version, body, after.use_case, before.version)
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "its levels were moved meanwhile; look again")

    def spend(self, use_case: UseCaseId, key: str) -> bool:
        return bool(
            self._tx.fetch(
                "INSERT INTO autonomy_trigger (use_case, name, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING "
                "RETURNING name",
                (use_case, key, self._tx.now_ms),
            )
        )

    def counts(self, use_case: UseCaseId, since_hour: int) -> Counter[str]:
        total: Counter[str] = Counter()
        for (counts,) in self._tx.fetch(
            "SELECT counts FROM measure WHERE use_case = $1 AND hour >= $2", (use_case, since_hour)
        ):
            total.update(_COUNTS.decode(bytes(counts)))
        return total


class StoredAutonomy:
    """`governance.store.AutonomyReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def all(self) -> list[Demotion]:
        return [_DEMOTION.decode(bytes(row[0])) for row in await self._rows(_ALL)]

    async def counts(self, use_case: UseCaseId, since_hour: int) -> Counter[str]:
        sql = "SELECT counts FROM measure WHERE use_case = $1 AND hour >= $2"
        total: Counter[str] = Counter()
        for (counts,) in await self._rows(sql, (use_case, since_hour)):
            total.update(_COUNTS.decode(bytes(counts)))
        return total

    async def spent(self, use_case: UseCaseId, keys: list[str]) -> set[str]:
        if not keys:
            return set()
        places = ", ".join(f"${at}" for at in range(2, len(keys) + 2))
        sql = f"SELECT name FROM autonomy_trigger WHERE use_case = $1 AND name IN ({places})"  # noqa: S608  places alone
        return {str(row[0]) for row in await self._rows(sql, (use_case, *keys))}


def lowered_levels(
    fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]],
) -> dict[UseCaseId, dict[ActionType, Autonomy]]:
    """What the snapshot carries. A row that cannot be read raises, so that the snapshot is not taken."""
    found = [_DEMOTION.decode(bytes(row[0])) for row in fetch(_ALL, ())]
    return {one.use_case: at_most(one) for one in found if one.levels}
