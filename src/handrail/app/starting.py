"""A rollout's start, with the past that its percentiles are of: read beside the writer, then kept by the command that
starts it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from handrail.policy.ramp import Ramp
from handrail.releases import desk, past
from handrail.releases.lifecycle import Rollout
from handrail.releases.store import ReleaseTransaction
from handrail.terms.ids import Digest, UseCaseId

if TYPE_CHECKING:
    from handrail.app.wire import Store


async def start(store: "Store", command: desk.Start) -> Rollout:
    """As the command, which refuses what was measured of a release that is not live any more."""

    def asked(tx: ReleaseTransaction) -> tuple[UseCaseId, Ramp, Digest | None, int]:
        use_case = UseCaseId(tx.rollouts.named(command.release).use_case)
        return use_case, desk.ramp_in_force(tx, use_case), tx.releases.live().get(use_case), tx.now_ms

    use_case, ramp, live, now_ms = await store.journal.run(asked)
    if live is not None and past.metrics_of(ramp):
        reported = await store.units.outcomes_of(use_case, live, limit=past.NEWEST)
        command = replace(command, past=past.before(ramp, live, reported, now_ms))
    return await store.journal.run(command)
