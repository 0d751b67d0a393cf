"""What a figure is held to, and when it counts as outside."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.terms.ids import UseCaseId
from handrail.watch.drift import HOURS, at_least
from handrail.watch.measure import HOUR_MS, SIZES, Counts, band, top
from handrail.watch.series import Series
from handrail.watch.usual import Place, Rate, held_at, held_to, place, rate_of

MONDAY = 1_790_035_200_000 // HOUR_MS // 168 * 168 + 96
"""An hour since 1970 that begins a week in UTC: 1970 began on a Thursday."""


def past(bounds: tuple[float, ...], learnt: bool = True) -> Series:
    return Series(use_case=UseCaseId("orders"), metric="blocked", learnt_ms=1 if learnt else None, bounds=bounds)


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0.01, 0.9))
def test_the_tail_of_the_binomial_is_what_counting_gives(bad: int, cases: int, rate: float) -> None:
    bad = min(bad, cases)
    counted = sum(math.comb(cases, k) * rate**k * (1 - rate) ** (cases - k) for k in range(bad, cases + 1))
    assert at_least(bad, cases, rate) == pytest.approx(counted, rel=1e-6, abs=1e-9)


@pytest.mark.promise("CWA-1")
def test_an_hour_weighs_by_its_cases() -> None:
    bounds = (0.1,) * 24 + (0.5,) * (HOURS - 24)  # mondays are better
    assert held_to(past(bounds), {MONDAY: 90, MONDAY + 24: 10}) == pytest.approx(0.14)
    assert held_at(past(bounds), [MONDAY, MONDAY + 24]) == pytest.approx(0.3)
    assert held_to(past(bounds), {}) == pytest.approx((24 * 0.1 + 144 * 0.5) / 168)


@pytest.mark.promise("CWA-1")
def test_nothing_is_held_to_a_past_that_is_not_learnt() -> None:
    assert held_to(None, {1: 1}) is None
    assert held_to(past((), learnt=False), {1: 1}) is None
    assert place(Rate(9, 10), None) is Place.UNKNOWN
    assert place(Rate(0, 0), 0.1) is Place.UNKNOWN


@pytest.mark.promise("CWA-1")
def test_one_bad_case_of_four_is_chance_and_a_hundred_of_four_hundred_are_not() -> None:
    assert place(Rate(1, 4), 0.1) is Place.CHANCE
    assert place(Rate(100, 400), 0.1) is Place.ABOVE
    assert place(Rate(40, 400), 0.1) is Place.WITHIN


@pytest.mark.promise("CWA-1")
@given(st.integers(1, 500), st.floats(0.01, 0.5))
def test_where_nothing_changed_a_figure_is_outside_less_than_once_in_twenty(cases: int, rate: float) -> None:
    outside = [bad for bad in range(cases + 1) if place(Rate(bad, cases), rate) is Place.ABOVE]
    assert sum(math.comb(cases, bad) * rate**bad * (1 - rate) ** (cases - bad) for bad in outside) < 0.05
    assert outside == list(range(cases + 1 - len(outside), cases + 1))  # more is never less outside


@given(st.sampled_from(SIZES), st.lists(st.integers(0, 5_000), max_size=60), st.integers(1, 80))
def test_an_amount_is_bad_above_its_limit_and_nowhere_else(metric: str, amounts: list[int], number: int) -> None:
    limit = top(number)
    counts = Counts([f"{metric}/{band(one)}" for one in amounts])
    assert rate_of(metric, counts, limit) == (sum(one > limit for one in amounts), len(amounts))
    assert rate_of(metric, counts).bad == 0


def test_a_share_is_of_what_its_definition_says() -> None:
    counts = Counts({"low_csat": 2, "csat_answered": 8, "action.hold": 3, "actions": 9, "conversations": 40})
    assert rate_of("low_csat", counts) == (2, 8)
    assert rate_of("held", counts) == (3, 9)
    assert rate_of("refund_reversed", counts) == (0, 40)
