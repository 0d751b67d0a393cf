"""Once an hour: units of rollouts that have been over for as long as their ramps keep them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.policy.ruleset import UseCase
from handrail.releases.keeping import AT_ONCE, ForgetUnits, over
from handrail.terms.ids import UseCaseId

if TYPE_CHECKING:
    from handrail.app.wire import Store


async def forget_units(store: "Store", use_cases: Mapping[UseCaseId, UseCase], now_ms: int) -> int:
    """How many were deleted. Those of a use case that is gone are kept for the time of their ramp alone."""
    gone = 0
    for rollout in await store.units.rollouts():
        case = use_cases.get(rollout.use_case)
        minimum = 0 if case is None else case.retention.minimum_days
        if not over(rollout, now_ms, minimum_days=minimum):
            continue
        command = ForgetUnits(ids=wire.IDS, release=rollout.release, minimum_days=minimum)
        while portion := await store.journal.run(command):
            gone += portion
            if portion < AT_ONCE:
                break
    return gone
