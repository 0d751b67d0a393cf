"""Which moves of the judge are told to the owner."""

import msgspec
import pytest

from handrail.policy.ramp import Ramp, Stage
from handrail.releases import lifecycle
from handrail.releases.lifecycle import Reached, Rollout, State
from handrail.terms.ids import Digest, UseCaseId
from handrail.watch.alert import Severity
from handrail.watch.rollouts import raised_by

RUN = Rollout(
    release=Digest("a" * 64), use_case=UseCaseId("orders"), author="x", created_at=0, state=State.CANARY,
    ramp=Ramp(stages=(Stage(share=0.1),)), run=1, stage=0, step=1,
)  # fmt: skip
WORSE = Reached(verdict="worse", sentence="Worse: complaint.", at_ms=1, numbers=b"{}")


@pytest.mark.promise("ROL-10")
def test_the_owner_is_told_of_a_rollback_a_freeze_and_a_question_once_each_and_of_nothing_else() -> None:
    back = lifecycle.rolled_back(RUN, now=2, safety=True, reached=WORSE)
    found = [
        raised_by(one, 5)
        for one in (back, lifecycle.froze(RUN, "the draw is off", now=2), lifecycle.asked(RUN, "safe"))
    ]  # fmt: skip
    assert [one and one.severity for one in found] == [Severity.CRITICAL, Severity.WARNING, Severity.INFO]
    assert len({one.cause for one in found if one}) == 3
    assert found[0] is not None
    assert found[0].sentence == "Worse: complaint."
    assert "less than once in 100" in found[0].promise
    assert raised_by(RUN, 5) is None
    assert raised_by(lifecycle.promoted(RUN, now=2), 5) is None
    assert raised_by(lifecycle.rolled_back(RUN, now=2, safety=False), 5) is None


@pytest.mark.promise("ROL-15")
def test_a_release_that_still_answers_is_another_alarm_than_its_rollback() -> None:
    back = lifecycle.rolled_back(RUN, now=2, safety=True, reached=WORSE)
    still = raised_by(msgspec.structs.replace(back, asked="still answering"), 5)
    first = raised_by(back, 5)
    assert still is not None
    assert first is not None
    assert still.cause != first.cause
