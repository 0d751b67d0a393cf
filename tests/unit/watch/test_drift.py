"""Drift against the own past: reference values, bounds, and what a season does."""

import pytest

from handrail.watch.drift import HOURS, Baseline, Drift, after, after_minute, upper_bound


@pytest.mark.promise("DRI-1")
def test_the_statistic_is_the_published_one() -> None:
    drift = Drift()
    for bad in (0, 0, 1, 0, 1, 1, 0, 0, 1, 1):
        drift = after(drift, bool(bad), 0.05)
    assert drift.value == pytest.approx(5197.8957183, abs=1e-6)


@pytest.mark.parametrize(
    ("bad", "cases", "bound"),
    [(0, 10, 0.2588655508930523), (5, 100, 0.10225337), (50, 1000, 0.0629364), (900, 1000, 0.9154)],
)
def test_the_upper_bound_is_that_of_clopper_and_pearson(bad: int, cases: int, bound: float) -> None:
    assert upper_bound(bad, cases) == pytest.approx(bound, abs=2e-4)


def test_without_a_past_nothing_is_bounded() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(7, 7) == 1.0


def test_a_minute_is_its_cases_with_the_failures_last() -> None:
    drift = Drift()
    for bad in (False, False, False, True):
        drift = after(drift, bad, 0.1)
    assert after_minute(Drift(), 1, 4, 0.1) == drift


def test_a_rate_at_its_baseline_grows_the_statistic_by_one_a_case_on_average() -> None:
    """What makes false alarms as rare as promised: E[M after] = M + 1 at the baseline, whatever M is."""
    before = Drift((3.0, 0.0, 10.0, 1.0, 2.0, 5.0, 7.0))
    bad, good = after(before, True, 0.05), after(before, False, 0.05)
    assert 0.05 * bad.value + 0.95 * good.value == pytest.approx(before.value + 1)


def test_an_hour_with_a_past_of_its_own_has_its_own_baseline() -> None:
    bad, cases = [1] * HOURS, [100] * HOURS
    bad[9], cases[9] = 400, 1000
    baseline = Baseline(tuple(bad), tuple(cases))
    assert baseline.at(9) > 0.4
    assert baseline.at(10) == baseline.at(11)
    assert baseline.at(10) < 0.05
