"""Whether the failures that an owner accepts stayed within their limits: one row per metric of the use case. Pure.

Metrics of outcome events count conversations; metrics of what the net did count interactions. Zero of nothing is not
"held": a metric that nobody reports, or that has no case, is not measurable and says why. For a use case that observes,
blocks and hand-overs are those that enforcing would have given.
"""

from enum import StrEnum

import msgspec

from handrail.policy.ruleset import AcceptedFailure
from handrail.review.outcome import OutcomeType
from handrail.terms.decision import Outcome
from handrail.watch.report import UseCaseReport


class State(StrEnum):
    HELD = "held"
    EXCEEDED = "exceeded"
    NOT_MEASURABLE = "not measurable"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`failures` of `cases`; `why`: empty, or why it is not measurable."""

    metric: str
    limit: float
    state: State
    failures: int = 0
    cases: int = 0
    why: str = ""


class _Count(msgspec.Struct, frozen=True):
    failures: int
    cases: int
    needs: OutcomeType | None = None


_REPORTED = {
    "complaint_rate": OutcomeType.COMPLAINT,
    "transfer_rate": OutcomeType.TRANSFER,
    "repeat_contact_rate": OutcomeType.REPEAT_CONTACT,
    "refund_reversed_rate": OutcomeType.REFUND_REVERSED,
}
_LOST = (Outcome.FAILED, Outcome.REFUSED, Outcome.INTERRUPTED)


def judge(row: UseCaseReport, accepted: tuple[AcceptedFailure, ...]) -> list[Judged]:
    """One for each accepted failure, in the order of the home."""
    return [_judged(row, one) for one in accepted]


def _judged(row: UseCaseReport, accepted: AcceptedFailure) -> Judged:
    count = _count(row, accepted.metric)
    why = ""
    if count is None:
        why = "this handrail does not know the metric"
    elif count.needs is not None and count.needs not in row.reported.ever:
        why = f"no `{count.needs.value}` event was ever reported for this use case"
    elif not count.cases:
        why = "no case in this period"
    if count is None or why:
        return Judged(metric=accepted.metric, limit=accepted.limit, state=State.NOT_MEASURABLE, why=why)
    held = count.failures <= accepted.limit * count.cases
    return Judged(
        metric=accepted.metric,
        limit=accepted.limit,
        state=State.HELD if held else State.EXCEEDED,
        failures=count.failures,
        cases=count.cases,
    )


def _count(row: UseCaseReport, metric: str) -> _Count | None:
    """None for a metric that is not known here."""
    reported, conversations, interactions = row.reported, len(row.conversation_ids), row.interactions
    if metric in _REPORTED:
        needed = _REPORTED[metric]
        return _Count(reported.conversations(needed), conversations, needed)
    match metric:
        case "override_rate":
            return _Count(len(reported.edited), conversations, OutcomeType.OVERRIDE)
        case "low_csat_rate":
            return _Count(sum(low for _, low in reported.low.values()), len(reported.low), OutcomeType.CSAT)
        case "unresolved_rate":
            unresolved = reported.unresolved
            return _Count(sum(bad for _, bad in unresolved.values()), len(unresolved), OutcomeType.RESOLUTION)
        case "ungrounded_rate":
            return _Count(row.ungrounded, interactions)
        case "blocked_rate":
            return _Count(row.blocked, interactions)
        case "handover_rate":
            return _Count(row.handed_over, interactions)
        case "failed_rate":
            return _Count(sum(row.outcomes[one.value] for one in _LOST), interactions)
    return None
