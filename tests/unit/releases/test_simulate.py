"""What a ramp would do to customers, before anybody tries it."""

import math

import msgspec
import pytest

from handrail.releases.simulate import Asked, simulate

ASKED = Asked(
    rates={"complaint": 0.05, "transfer": 0.15}, worse={"complaint": 3.0}, stages=((0.1, 1),), units=4_000, runs=30,
)  # fmt: skip


def test_a_bad_release_goes_back_and_a_good_one_hardly_ever() -> None:
    told = simulate(ASKED)
    assert told.rolled_back > 0.9
    assert told.good_rolled_back <= 0.1
    assert 1 < told.harmed[0] < 60


def test_the_metrics_weigh_what_they_weigh_in_the_ramp() -> None:
    light = simulate(msgspec.structs.replace(ASKED, weights={"complaint": 0.01, "transfer": 1.0}))
    heavy = simulate(msgspec.structs.replace(ASKED, weights={"complaint": 1.0, "transfer": 0.01}))
    assert heavy.units[0] < simulate(ASKED).units[0] < light.units[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rates": {"complaint": 0.0}}, "rate of complaint is 0"),
        ({"rates": {"complaint": 1.0}}, "rate of complaint is 1"),
        ({"rates": {"complaint": math.nan}}, "rate of complaint is nan"),
        ({"worse": {"complaint": math.nan}}, "complaint is to be nan times as often"),
        ({"worse": {"complaint": -1.0}}, "complaint is to be -1 times as often"),
        ({"worse": {"complaint": math.inf}}, "complaint is to be inf times as often"),
        ({"worse": {"csat": 2.0}}, "csat has no rate"),
        ({"stages": ()}, "each stage needs a share"),
        ({"stages": ((1.0, 1),)}, "each stage needs a share"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulate(msgspec.structs.replace(ASKED, **changes))
