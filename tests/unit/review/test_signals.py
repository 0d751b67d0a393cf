"""What an outcome event says about its unit."""

import pytest

from handrail.policy.ramp import Outcome
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.review.signals import signal_of


def facts(kind: OutcomeType, **more: object) -> OutcomeFacts:
    return OutcomeFacts(outcome="oc", type=kind, key="k", named="conversation", occurred_at_ms=1, **more)  # type: ignore[arg-type]  # fields


@pytest.mark.promise("ROL-4")
@pytest.mark.parametrize(
    ("event", "said"),
    [
        (facts(OutcomeType.COMPLAINT), ("complaint", 1.0)),
        (facts(OutcomeType.TRANSFER), ("transfer", 1.0)),
        (facts(OutcomeType.CSAT, score=1.0), ("csat", 0.8)),
        (facts(OutcomeType.CSAT, score=10.0, scale_max=10.0), ("csat", 0.0)),
        (facts(OutcomeType.RESOLUTION, resolved=False), ("unresolved", 1.0)),
        (facts(OutcomeType.HANDLE_TIME, seconds=90.0), ("handle_time", 90.0)),
        (facts(OutcomeType.OVERRIDE, same=False), ("override", 1.0)),
        (facts(OutcomeType.OVERRIDE, same=True), None),
        (facts(OutcomeType.ANSWERED_BY_AI), None),
    ],
)
def test_each_type_says_its_metric(event: OutcomeFacts, said: tuple[str, float] | None) -> None:
    assert signal_of(event) == said


def test_every_signal_is_a_metric() -> None:
    for kind in OutcomeType:
        found = signal_of(facts(kind, score=1.0, seconds=1.0, resolved=True))
        assert found is None or found[0] in set(Outcome)
