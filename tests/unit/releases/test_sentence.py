"""The sentence says what the evidence says, also where counts that are pooled over stages would say the opposite."""

import random
import re

import pytest

from handrail.releases.bets import Kind, binary
from handrail.releases.judge import Conclusion, Judge, Metric, Plan, Unit, Verdict
from handrail.releases.sentence import sentence


def over_the_day(canary: float, control: float) -> Conclusion:
    """A first stage of 1 % by night, when 20 of 100 complain whatever answers, then half of the units by day."""
    draw = random.Random(4)
    judge = Judge(Plan(metrics=(Metric(name="complaint", kind=Kind.BINARY, reference=binary(0.05)),)))
    for stage, share, units, rates in (("1", 0.01, 8_000, (0.2, 0.2)), ("2", 0.5, 6_000, (canary, control))):
        for _ in range(units):
            drawn = draw.random() < share
            bad = float(draw.random() < (rates[0] if drawn else rates[1]))
            judge.fold(Unit(canary=drawn, share=share, stage=stage, metrics={"complaint": bad}))
    return judge.conclude()


def rates(said: str) -> tuple[float, float]:
    found = re.search(r"complaint in ([\d.]+) % of [\d,]+ with it, against ([\d.]+) % of [\d,]+ without it", said)
    assert found, said
    return float(found[1]), float(found[2])


@pytest.mark.promise("ROL-17")
def test_a_worse_canary_is_never_said_to_fail_less_often_than_its_control() -> None:
    told = over_the_day(0.06, 0.02)
    assert told.verdict is Verdict.WORSE
    canary, control = rates(sentence(told))
    assert canary > 1.5 * control


def test_what_was_done_stands_before_how_sure_it_is() -> None:
    said = sentence(over_the_day(0.06, 0.02), unit="conversation", done="It was rolled back.")
    assert 0 < said.index("without it") < said.index("It was rolled back.") < said.index("less than once in")
    assert "canary" not in said
    assert "control" not in said


@pytest.mark.promise("ROL-17")
def test_a_better_canary_is_never_said_to_fail_more_often_than_its_control() -> None:
    told = over_the_day(0.01, 0.05)
    assert told.verdict is Verdict.BETTER
    canary, control = rates(sentence(told))
    assert canary < control
    _, high = told.metrics["complaint"].interval or (0.0, 0.0)
    assert high is not None
    assert high < 1


def test_where_a_share_has_no_control_the_others_are_compared_and_where_none_has_each_arm_stands_for_itself() -> None:
    judge = Judge(Plan(metrics=(Metric(name="complaint", kind=Kind.BINARY, reference=binary(0.05)),)))
    judge.fold(Unit(canary=True, share=0.5, metrics={"complaint": 1.0}))
    judge.fold(Unit(canary=False, share=0.1, stage="2", metrics={"complaint": 0.0}))
    one = judge.conclude().metrics["complaint"]
    assert (one.canary_mean, one.control_mean) == (1.0, 0.0)
    judge.fold(Unit(canary=True, share=0.1, stage="2", metrics={"complaint": 0.0}))
    one = judge.conclude().metrics["complaint"]
    assert (one.canary_units, one.control_units, one.canary_mean, one.control_mean) == (2, 1, 0.0, 0.0)
