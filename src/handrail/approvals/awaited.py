"""Actions that only one process can carry out: the one of `handrail mcp` that owns the child behind their tool.

While they wait, that process says again and again that it lives. When it was silent for `SILENT_MS`, nobody is left who
could execute them: what waits becomes `unreachable`, which gives back what it had reserved. What is claimed already is
not touched: its report is awaited (`approvals.redeem`). Promise: MCP-9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from handrail.approvals import lifecycle
from handrail.approvals.desk import BY, moved
from handrail.approvals.lifecycle import State
from handrail.approvals.store import ActionTransaction
from handrail.ledger.entry import EntryKind
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, UseCaseId

SILENT_MS = 8_000
WAITS = frozenset({State.HELD, State.APPROVED})
AT_ONCE = 200


class AwaitedStore(Protocol):
    """Which process waits for which action."""

    def keep(self, action: ActionId, runner: str, *, until_ms: int) -> None:
        """The process lives until then at least."""
        ...

    def silent(self, *, limit: int) -> list[ActionId]:
        """Whose process was not heard of in time, by the transaction's clock."""
        ...

    def forget(self, action: ActionId) -> None: ...


class AwaitedTransaction(ActionTransaction, Protocol):
    @property
    def awaited(self) -> AwaitedStore: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The process `runner` still waits for these actions of its use case. No entry: nothing happened."""

    runner: str
    use_case: UseCaseId
    actions: Sequence[ActionId]

    def __call__(self, tx: AwaitedTransaction) -> dict[ActionId, State]:
        """Where each stands; those that are not there, or of another use case, are left out."""
        states: dict[ActionId, State] = {}
        for action in self.actions:
            try:
                stored = tx.actions.get(action)
            except HandrailError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                continue
            if stored.about.use_case != self.use_case or not stored.progress.report_within_ms:
                continue
            states[action] = stored.progress.state
            if stored.progress.state in WAITS:
                tx.awaited.keep(action, self.runner, until_ms=tx.now_ms + SILENT_MS)
            else:
                tx.awaited.forget(action)
        return states


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreach:
    """What waits for a process that went silent cannot be executed any more. Returns how many it ended."""

    ids: Ids

    def __call__(self, tx: AwaitedTransaction) -> int:
        ended = 0
        for action in tx.awaited.silent(limit=AT_ONCE):
            tx.awaited.forget(action)
            stored = tx.actions.get(action)
            if stored.progress.state in WAITS:
                after = lifecycle.unreachable(stored.progress)
                moved(tx, self.ids, stored, after, EntryKind.ACTION_UNREACHABLE, BY)
                ended += 1
        return ended
