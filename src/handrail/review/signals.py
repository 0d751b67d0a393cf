"""What an outcome event says about the unit that its conversation belongs to; pure."""

from handrail.policy.ramp import Outcome
from handrail.review.outcome import OutcomeFacts, OutcomeType

SCALE_MAX = 5.0
"""Of a score that names no scale."""
_ONCE = {
    OutcomeType.COMPLAINT: Outcome.COMPLAINT,
    OutcomeType.TRANSFER: Outcome.TRANSFER,
    OutcomeType.REPEAT_CONTACT: Outcome.REPEAT_CONTACT,
    OutcomeType.REFUND_REVERSED: Outcome.REFUND_REVERSED,
    OutcomeType.FLAG: Outcome.FLAG,
}


def signal_of(facts: OutcomeFacts) -> tuple[str, float] | None:
    """Name and value, larger is worse; None: no metric is made of it. Seconds stay seconds."""
    match facts.type:
        case OutcomeType.OVERRIDE:
            return None if facts.same is True else (Outcome.OVERRIDE.value, 1.0)
        case OutcomeType.CSAT if facts.score is not None:
            return Outcome.CSAT.value, 1.0 - facts.score / (facts.scale_max or SCALE_MAX)
        case OutcomeType.RESOLUTION if facts.resolved is not None:
            return Outcome.UNRESOLVED.value, float(not facts.resolved)
        case OutcomeType.HANDLE_TIME if facts.seconds is not None:
            return Outcome.HANDLE_TIME.value, facts.seconds
        case _:
            named = _ONCE.get(facts.type)
            return None if named is None else (named.value, 1.0)
