"""What the console's page of the watch needs from above: what a promotion of lowered levels needs now, and the command
that `handrail autonomy promote` runs.

Nothing here decides: `governance.demote.bars` says what is met, the command checks it again in its own transaction.
"""

from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.demoting import AT_MOST, standing, standing_in
from handrail.governance import demote
from handrail.governance.autonomy_desk import Promote, Promoted
from handrail.governance.demote import HOUR_MS, Bar, Demotion, Figures
from handrail.governance.store import AutonomyTransaction
from handrail.policy.ruleset import UseCase
from handrail.terms.action import ActionType
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertState

if TYPE_CHECKING:
    from handrail.app.wire import Store


class StoredLevels:
    """`console.ports.Levels`."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def bars(self, case: UseCase, before: Demotion) -> tuple[Bar, ...]:
        """Read beside the writer, so that a page that many look at holds up no request."""
        if not before.levels:
            return ()
        clean = max(one.clean_ms for one in before.levels.values())
        figures = Figures(
            counts=await self._store.autonomy.counts(case.id, clean // HOUR_MS + 1),
            standing=standing_in(
                case, await self._store.incidents.listed(all_states=False, limit=AT_MOST),
                await self._store.watch.alerts(states=frozenset({AlertState.RAISED}), limit=AT_MOST),
            ),
        )  # fmt: skip
        return demote.bars(case, clean, figures, self._clock.now_ms())

    async def promote(
        self, use_case: UseCaseId, *, types: tuple[ActionType, ...], reason: str, override: bool, token: str, seen: int
    ) -> Promoted:
        command = Promote(
            ids=wire.IDS, use_case=use_case, types=types, reason=reason, token=token, standing=standing,
            override=override,
        )  # fmt: skip

        def as_seen(tx: AutonomyTransaction) -> Promoted:
            """Two who look at the same page raise one level and not two."""
            if tx.autonomy.get(use_case).version != seen:
                raise HandrailError(Code.LOST_RACE, "its levels were moved meanwhile; look again")
            return command(tx)

        return await self._store.journal.run(as_seen)


def levels(store: "Store") -> StoredLevels:
    return StoredLevels(store, wire.CLOCK)
