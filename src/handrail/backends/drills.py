"""Drills in their table: statements that both engines understand, on a command's transaction."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.approvals.drill import Drill, DrillState, Made, Plan
from handrail.approvals.lifecycle import State
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

_COLUMNS = (
    "d.id, d.due_at, d.plan, d.state, d.action, d.drill, d.made_at, d.decided_at, d.person, d.caught, a.state "
    "FROM drill d LEFT JOIN action a ON a.id = d.action"
)


class DrillsTransaction(Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Drills:
    """`approvals.store.DrillStore`."""

    def __init__(self, tx: DrillsTransaction) -> None:
        self._tx = tx

    def plan(self, drill: Drill) -> bool:
        return bool(
            self._tx.fetch(
                "INSERT INTO drill (id, due_at, plan, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING "
                "RETURNING id",
                (drill.id, drill.due_at, msgspec.json.encode(drill.plan), DrillState.PLANNED.value),
            )
        )

    def due(self, *, limit: int) -> list[Drill]:
        sql = f"SELECT {_COLUMNS} WHERE d.state = 'planned' AND d.due_at <= $1 ORDER BY d.due_at, d.id LIMIT $2"
        return [_drill(row) for row in self._tx.fetch(sql, (self._tx.now_ms, limit))]

    def made(self, drill: Drill) -> None:
        sql = (
            "UPDATE drill SET state = $1, action = $2, drill = $3, made_at = $4 WHERE id = $5 AND state = $6 "
            "RETURNING id"
        )
        values = (
            DrillState.MADE.value, drill.action, msgspec.json.encode(drill.made), drill.made_at, drill.id,
            DrillState.PLANNED.value,
        )  # fmt: skip
        _require(self._tx.fetch(sql, values))

    def skipped(self, drill: Drill) -> None:
        sql = "UPDATE drill SET state = $1, drill = $2 WHERE id = $3 AND state = $4 RETURNING id"
        values = (DrillState.SKIPPED.value, msgspec.json.encode(drill.made), drill.id, DrillState.PLANNED.value)
        _require(self._tx.fetch(sql, values))

    def of(self, action: ActionId) -> Drill:
        found = self._tx.fetch(f"SELECT {_COLUMNS} WHERE d.action = $1", (action,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "this action is no drill")
        return _drill(found[0])

    def decided(self, drill: Drill) -> None:
        sql = (
            "UPDATE drill SET decided_at = $1, person = $2, caught = $3 WHERE id = $4 AND decided_at IS NULL "
            "RETURNING id"
        )
        _require(self._tx.fetch(sql, (drill.decided_at, drill.person, int(bool(drill.caught)), drill.id)))

    def since(self, since_ms: int, until_ms: int) -> list[Drill]:
        sql = f"SELECT {_COLUMNS} WHERE d.made_at >= $1 AND d.made_at < $2 ORDER BY d.made_at, d.id"
        return [_drill(row) for row in self._tx.fetch(sql, (since_ms, until_ms))]

    def forget(self, person: PersonId) -> int:
        return len(self._tx.fetch("UPDATE drill SET person = '' WHERE person = $1 RETURNING id", (person,)))

    def knows_customer(self, hashed: bytes) -> bool:
        return bool(self._tx.fetch("SELECT 1 FROM customer WHERE hash = $1", (hashed,)))


def _require(found: list[tuple[Any, ...]]) -> None:
    if not found:
        raise HandrailError(Code.LOST_RACE, "this drill was moved meanwhile")


def _drill(row: Sequence[Any]) -> Drill:
    name, due_at, plan, state, action, made, made_at, decided_at, person, caught, standing = row
    return Drill(
        id=name, due_at=due_at, plan=msgspec.json.decode(bytes(plan), type=Plan), state=DrillState(state),
        action=None if action is None else ActionId(action),
        made=None if made is None else msgspec.json.decode(bytes(made), type=Made), made_at=made_at,
        decided_at=decided_at, person=person, caught=None if caught is None else bool(caught),
        open=standing == State.HELD.value,
    )  # fmt: skip
