"""The end of keeping of unit rows: some time after their rollout is over, never before. What was judged stays checkable
from the totals in its entry (`judge.again`); who was in which arm stays in the facts of interactions.

The rows name conversations or subjects by our ids, nobody by a customer's. A verdict without totals, as of earlier
versions, keeps its units: without them it could not be checked.
"""

from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.releases import lifecycle
from handrail.releases.lifecycle import Rollout
from handrail.releases.record import entry_of
from handrail.releases.store import ReleaseTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, Ids

DAY_MS = 86_400_000
AT_ONCE = 5_000
"""Rows of one transaction, which others wait for."""
BY = Actor(ActorKind.SYSTEM, "retention")


def over(rollout: Rollout, now_ms: int, *, minimum_days: int = 0) -> bool:
    """Whether its units need not be kept any more. `minimum_days`: of what its use case must keep."""
    if rollout.state not in lifecycle.OVER or rollout.ended_at is None or rollout.ramp is None:
        return False
    if rollout.reached is not None and not _has_totals(rollout.reached.numbers):
        return False
    return now_ms >= rollout.ended_at + max(rollout.ramp.keep_units_days, minimum_days) * DAY_MS


class _Metric(msgspec.Struct):
    counts: list[msgspec.Raw] = []


class _Numbers(msgspec.Struct):
    metrics: dict[str, _Metric] = {}


def _has_totals(numbers: bytes) -> bool:
    return any(one.counts for one in msgspec.json.decode(numbers, type=_Numbers).metrics.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetUnits:
    """One portion of the units of a rollout, once their time is over; gives how many. Its entry says so too."""

    ids: Ids
    release: Digest
    minimum_days: int = 0

    def __call__(self, tx: ReleaseTransaction) -> int:
        rollout = tx.rollouts.get(self.release)
        if not over(rollout, tx.now_ms, minimum_days=self.minimum_days):
            return 0
        gone = tx.units.forget(self.release, limit=AT_ONCE)
        if gone:
            entry = entry_of(self.ids, EntryKind.RELEASE_UNITS_FORGOTTEN, rollout, BY, tx.now_ms, units=gone)
            tx.append(entry)
        return gone
