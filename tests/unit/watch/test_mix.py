"""The mix of intents beside its own past: quiet where nothing changes, and the intent that grew is named."""

import random

import pytest

from handrail.terms.ids import UseCaseId
from handrail.watch.clock import hour_of_week
from handrail.watch.mix import LEAST_MS, Mix, after, answered, begun, bounds

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = 4 * DAY  # 1970-01-05
NAMES = ("delivery", "invoice", "refund", "other")
SHARES = (0.6, 0.25, 0.05, 0.1)


def learnt(draw: random.Random, cases: int = 4_000, zone: str = "UTC") -> Mix:
    one = begun(UseCaseId("orders"), NAMES, zone)
    for at in range(cases):
        one, alarm = after(one, MONDAY + at * (LEAST_MS + HOUR) // cases, draw.choices(NAMES, SHARES)[0], "in_1")
        assert alarm is None
    assert one.past.learnt_ms is not None
    return one


@pytest.mark.promise("WAT-21")
def test_it_learns_a_week_and_two_thousand_conversations_first() -> None:
    one = begun(UseCaseId("orders"), NAMES, "UTC")
    for at in range(3_000):
        one, alarm = after(one, MONDAY + at * 1_000, "delivery", "")
        assert alarm is None
    assert one.past.learnt_ms is None


@pytest.mark.promise("WAT-21")
def test_the_intent_that_grew_is_named_with_by_how_much() -> None:
    draw = random.Random(3)
    one = learnt(draw)
    grown = (0.5, 0.2, 0.2, 0.1)
    for at in range(2_000):
        one, alarm = after(one, MONDAY + 8 * DAY + at * 60_000, draw.choices(NAMES, grown)[0], "in_7")
        if alarm is not None:
            break
    assert alarm is not None
    assert "more customers come with the intent refund" in alarm.sentence
    assert alarm.example == "in_7"
    assert at < 500
    assert after(one, MONDAY + 9 * DAY, "refund", "")[1] is None  # until somebody answers
    assert answered(one).value == 0


@pytest.mark.promise("WAT-21")
def test_a_mix_that_stays_alarms_no_more_often_than_promised() -> None:
    """At a promise of 500 so that alarms can be counted at all: at least so many cases apart, over 8 pasts."""
    alarms = cases = 0
    for seed in range(8):
        draw = random.Random(seed)
        one = learnt(draw, 2_500)
        for at in range(1_500):
            one, _ = after(one, MONDAY + 8 * DAY + at * 60_000, draw.choices(NAMES, SHARES)[0], "")
            cases += 1
            if one.value >= 500:
                alarms += 1
                one = answered(one)
    assert alarms <= cases / 500


def test_an_hour_with_enough_of_its_own_past_has_its_own_shares() -> None:
    one = begun(UseCaseId("orders"), NAMES, "UTC")
    for at in range(8_000):
        night = at % 4 == 0
        hour = 2 if night else 12
        day = at * 8 // 8_000
        one, _ = after(one, MONDAY + day * DAY + hour * HOUR + at, "refund" if night else "delivery", "")
    place = NAMES.index("refund")
    assert bounds(one.past, 2)[place] > 0.9
    assert bounds(one.past, 12)[place] < 0.05
    assert 0.2 < bounds(one.past, 40)[place] < 0.4  # an hour without a past of its own has that of all


@pytest.mark.promise("WAT-25")
def test_hours_of_the_week_are_those_of_the_organisation() -> None:
    summer = 1_782_000_000_000  # 2026-06-21 00:00 UTC, a Sunday
    assert hour_of_week(summer) == hour_of_week(summer, "UTC") == 6 * 24
    assert hour_of_week(summer, "Europe/Berlin") == 6 * 24 + 2
    assert hour_of_week(summer, "America/New_York") == 5 * 24 + 20
    assert hour_of_week(summer, "no/where") == 6 * 24
