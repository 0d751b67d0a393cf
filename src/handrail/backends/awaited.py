"""Which process waits for which action, in its table: statements that both engines understand."""

from collections.abc import Sequence
from typing import Any, Protocol

from handrail.terms.action import ActionId


class AwaitedRows(Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Awaited:
    """`approvals.awaited.AwaitedStore`."""

    def __init__(self, tx: AwaitedRows) -> None:
        self._tx = tx

    def keep(self, action: ActionId, runner: str, *, until_ms: int) -> None:
        self._tx.fetch(
            "INSERT INTO awaited (action, runner, until) VALUES ($1, $2, $3) ON CONFLICT (action) "
            "DO UPDATE SET runner = excluded.runner, until = excluded.until",
            (action, runner, until_ms),
        )

    def silent(self, *, limit: int) -> list[ActionId]:
        rows = self._tx.fetch(
            "SELECT action FROM awaited WHERE until < $1 ORDER BY until LIMIT $2", (self._tx.now_ms, limit)
        )
        return [ActionId(row[0]) for row in rows]

    def forget(self, action: ActionId) -> None:
        self._tx.fetch("DELETE FROM awaited WHERE action = $1", (action,))
