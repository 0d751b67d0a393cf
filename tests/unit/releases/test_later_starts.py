"""Half of the money is bet on later starts, so that a model that turns bad half way is found soon (part 3)."""

import math
import random

import pytest

from handrail.releases.bets import Kind, binary, cells, mixed
from handrail.releases.judge import Judge, Metric, Plan, Unit

SHARE, REFERENCE = 0.3, binary(0.2)
FACTORS = cells(REFERENCE, SHARE)


def alone(units: list[tuple[bool, bool]]) -> float:
    """Evidence of one start, straight from formula (1)."""
    logs = [0.0] * 5
    for canary, bad in units:
        of = {
            (True, True): FACTORS.canary_bad, (True, False): FACTORS.canary_good,
            (False, True): FACTORS.control_bad, (False, False): FACTORS.control_good,
        }[canary, bad]  # fmt: skip
        logs = [one + step for one, step in zip(logs, of, strict=True)]
    return math.exp(mixed(logs))


@pytest.mark.promise("ROL-5")
@pytest.mark.parametrize("seen", [5, 10, 11, 37, 60])
def test_a_later_start_knows_nothing_of_what_came_before_it_and_is_one_until_it_begins(seen: int) -> None:
    draw = random.Random(seen)
    units = [(draw.random() < SHARE, draw.random() < 0.3) for _ in range(seen)]
    plan = Plan(metrics=(Metric(name="bad", kind=Kind.BINARY, reference=REFERENCE),), planned=90, starts=8, alpha=1e-9)
    judge = Judge(plan)
    for canary, bad in units:
        judge.fold(Unit(canary=canary, share=SHARE, metrics={"bad": float(bad)}))
    later = [alone(units[10 * start :]) for start in range(1, 9)]  # of 90 planned units, one begins after each ten
    assert math.exp(judge.log_e()) == pytest.approx(0.5 * alone(units) + 0.5 * sum(later) / 8, rel=1e-9)
