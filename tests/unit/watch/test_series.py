"""A metric beside its own past: when it has learnt, when it alarms, and how often it may without a reason."""

import math
import random

import msgspec
import pytest

from handrail.terms.ids import UseCaseId
from handrail.watch.drift import HOURS
from handrail.watch.measure import HOUR_MS, Cases
from handrail.watch.series import (
    LEAST_CASES,
    LEAST_MS,
    Series,
    after,
    anew,
    answered,
    false_alarms_a_year,
    hour_of_week,
)

SHOP = UseCaseId("shop")
DAY = 86_400_000
MONDAY = 4 * 86_400_000
"""1970-01-05."""


def learnt(rate: float = 0.05, **changes: object) -> Series:
    one = Series(use_case=SHOP, metric="blocked", **changes)  # type: ignore[arg-type] # the fields of a Series
    for hour in range(HOURS + 1):
        one, _ = after(one, MONDAY + hour * HOUR_MS, Cases(round(rate * 1_000), 1_000))
    assert one.learnt_ms is not None
    return one


def test_the_week_begins_on_monday() -> None:
    assert hour_of_week(MONDAY) == 0
    assert hour_of_week(MONDAY - HOUR_MS) == HOURS - 1
    assert hour_of_week(MONDAY + 25 * HOUR_MS) == 25


@pytest.mark.promise("WAT-7")
def test_it_learns_for_a_week_and_enough_cases_before_it_may_alarm() -> None:
    one = Series(use_case=SHOP, metric="blocked")
    one, alarm = after(one, 0, Cases(LEAST_CASES, LEAST_CASES))
    assert (one.learnt_ms, alarm) == (None, None)
    one, alarm = after(one, LEAST_MS - 1, Cases(0, 1))
    assert one.learnt_ms is None
    one, _ = after(one, LEAST_MS, Cases(0, 1))
    assert one.learnt_ms == LEAST_MS


def test_what_must_be_reported_is_not_learnt_from_silence() -> None:
    """Zeros of a month in which nobody reported would make the first honest week an alarm."""
    one = Series(use_case=SHOP, metric="transfer")
    for day in range(30):
        one, _ = after(one, day * DAY, Cases(0, 1_000))
    assert (one.first_ms, sum(one.cases)) == (None, 0)
    for day in range(31, 38):
        one, _ = after(one, day * DAY, Cases(20, 1_000))
    assert one.learnt_ms is None
    one, _ = after(one, 38 * DAY, Cases(20, 1_000))
    assert (one.learnt_ms, sum(one.cases)) == (38 * DAY, 8_000)
    for day in range(39, 60):
        one, alarm = after(one, day * DAY, Cases(20, 1_000))
        assert alarm is None


def test_good_surveys_are_learnt_from_the_first_on() -> None:
    one, _ = after(Series(use_case=SHOP, metric="low_csat"), 0, Cases(0, 10))
    assert sum(one.cases) == 10


@pytest.mark.promise("DRI-3")
def test_a_series_survives_an_outage_of_any_size() -> None:
    one, alarm = after(learnt(rate=0.01), MONDAY + 200 * HOUR_MS, Cases(5_000, 5_000))
    assert alarm is not None
    assert msgspec.json.decode(msgspec.json.encode(one), type=Series) == one


@pytest.mark.promise("WAT-7")
def test_a_doubled_rate_alarms_soon_and_says_since_when_and_its_promise() -> None:
    one, draw = learnt(), random.Random(7)
    begun = MONDAY + 200 * HOUR_MS
    for minute in range(1_000):
        bad = sum(draw.random() < 0.10 for _ in range(10))
        one, alarm = after(one, begun + minute * 60_000, Cases(bad, 10))
        if alarm is not None:
            break
    assert alarm is not None
    assert one.watched <= 1_500
    assert "blocked of shop is worse than its own past" in alarm.sentence
    assert "at most once in 100,000 interactions" in alarm.promise
    assert one.run_since is not None
    assert f"since 1970-01-13 {one.run_since // HOUR_MS % 24:02}:" in alarm.sentence
    stands, none = after(one, begun, Cases(10, 10))
    assert (stands, none) == (one, None)
    assert answered(one).drift.value == 0
    assert answered(one).bounds == one.bounds
    assert anew(one) == Series(use_case=SHOP, metric="blocked", generation=1)


@pytest.mark.promise("WAT-9")
def test_a_rate_that_stays_as_it_was_does_not_alarm_more_often_than_promised() -> None:
    """40 streams of 5,000 cases with an alarm at 1,000: less than one in 1,000 cases is 200 of them."""
    draw, alarms = random.Random(11), 0
    for _ in range(40):
        one = learnt(wanted=1_000)
        for minute in range(500):
            bad = sum(draw.random() < 0.05 for _ in range(10))
            one, alarm = after(one, MONDAY + 200 * HOUR_MS + minute * 60_000, Cases(bad, 10))
            if alarm is not None:
                alarms += 1
                one = answered(one)
    assert alarms <= 200
    assert alarms > 0  # the test can fail


@pytest.mark.promise("WAT-7")
def test_since_when_it_is_worse_begins_anew_after_a_good_stretch() -> None:
    one, begun = learnt(), MONDAY + 200 * HOUR_MS
    for minute, bad in enumerate([2] * 3 + [0] * 60 + [5] * 20):
        one, alarm = after(one, begun + minute * 60_000, Cases(bad, 10))
        if alarm is not None:
            break
    assert alarm is not None
    assert one.run_since == begun + 63 * 60_000


@pytest.mark.promise("WAT-16")
def test_what_all_metrics_of_a_use_case_may_alarm_without_a_reason_in_a_year_is_said() -> None:
    one = Series(use_case=SHOP, metric="blocked", cases=(1_000,) * HOURS, first_ms=0, learnt_ms=7 * DAY, wanted=100_000)
    assert false_alarms_a_year([one] * 20) == pytest.approx(20 * 168_000 * 365 / 7 / 100_000)
    assert false_alarms_a_year([Series(use_case=SHOP, metric="failed")]) == 0


@pytest.mark.promise("WAT-9")
@pytest.mark.parametrize("weekend", [1.0, 1.5])
def test_a_quiet_use_case_whose_rate_follows_the_day_alarms_no_more_often_than_promised(weekend: float) -> None:
    """42 cases an hour, 40 % up and down with the day: a baseline for all hours would alarm once in 10,000 to 20,000
    cases."""
    draw = random.Random(3)

    def minute(hour: int) -> Cases:
        rate = 0.05 * (1 + 0.4 * math.sin(2 * math.pi * (hour % 24) / 24)) * (weekend if hour % HOURS >= 120 else 1)
        return Cases(sum(draw.random() < rate for _ in range(42)), 42)

    one, alarms, cases = Series(use_case=SHOP, metric="blocked"), 0, 0
    for hour in range(26 * HOURS):
        one, alarm = after(one, MONDAY + hour * HOUR_MS, minute(hour))
        cases += 42 * (one.learnt_ms is not None)
        if alarm is not None:
            alarms += 1
            one = answered(one)
    assert cases > 170_000
    assert alarms <= 4  # 1.7 are promised at most on average


@pytest.mark.promise("WAT-9")
def test_a_rate_that_follows_the_hour_is_compared_with_that_hour() -> None:
    one = Series(use_case=SHOP, metric="blocked")
    draw = random.Random(5)

    def bad(hour: int, cases: int) -> int:
        return sum(draw.random() < (0.2 if hour % 24 == 9 else 0.02) for _ in range(cases))

    for hour in range(HOURS + 1):
        one, _ = after(one, MONDAY + hour * HOUR_MS, Cases(bad(hour, 500), 500))
    assert one.bounds[9] > 0.15 > 0.05 > one.bounds[10]
    for hour in range(HOURS, 3 * HOURS):
        one, alarm = after(one, MONDAY + hour * HOUR_MS, Cases(bad(hour, 20), 20))
        assert alarm is None
