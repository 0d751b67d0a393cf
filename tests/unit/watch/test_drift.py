"""Drift against the own past: reference values, bounds, and what a season does."""

import math

import msgspec
import pytest

from handrail.watch.drift import (
    HOURS,
    Baseline,
    Drift,
    after,
    after_minute,
    after_one_of,
    mixed,
    upper_bound,
)


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


def test_a_minute_of_one_case_is_that_case() -> None:
    before = Drift((3.0, 0.0, 10.0, 1.0, 2.0, 5.0, 7.0))
    for bad in (0, 1):
        assert after_minute(before, bad, 1, 0.1).amounts == pytest.approx(after(before, bool(bad), 0.1).amounts)


@pytest.mark.promise("DRI-2")
@pytest.mark.parametrize("cases", [1, 7, 60])
def test_a_minute_at_the_baseline_grows_the_statistic_by_its_cases_on_average(cases: int) -> None:
    before = Drift((3.0, 0.0, 10.0, 1.0, 2.0, 5.0, 7.0))
    mean = sum(
        math.comb(cases, bad) * 0.05**bad * 0.95 ** (cases - bad) * after_minute(before, bad, cases, 0.05).value
        for bad in range(cases + 1)
    )
    assert mean == pytest.approx(before.value + cases)


@pytest.mark.promise("DRI-2")
def test_an_ordinary_busy_minute_is_no_alarm() -> None:
    """Failures taken to have come last made of 10 in 200, at 5 %, an alarm at once."""
    assert after_minute(Drift(), 10, 200, 0.05).value < 1_000


@pytest.mark.promise("DRI-3")
def test_an_outage_of_any_size_leaves_a_statistic_that_can_be_stored() -> None:
    worst = Drift()
    for _ in range(50):
        worst = after_minute(worst, 100_000, 100_000, 0.001)
    assert msgspec.json.decode(msgspec.json.encode(worst), type=Drift) == worst
    assert worst.value >= 100_000
    for _ in range(2_000):
        worst = after(worst, True, 0.001)
    assert msgspec.json.decode(msgspec.json.encode(worst), type=Drift) == worst
    assert after_minute(worst, 0, 10_000_000, 0.9).value < 1e9


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


def test_hours_without_a_past_share_that_of_like_hours_and_not_of_all() -> None:
    def bad(hour: int) -> int:
        day, of_day = divmod(hour, 24)
        return 30 if day >= 5 else 10 if of_day < 6 else 2

    baseline = Baseline(tuple(bad(hour) for hour in range(HOURS)), (100,) * HOURS)
    assert baseline.bounds() == tuple(baseline.at(hour) for hour in range(HOURS))
    assert 0.02 < baseline.at(24 + 12) < 0.03
    assert 0.10 < baseline.at(24 + 3) < 0.12
    assert 0.30 < baseline.at(5 * 24 + 12) < 0.33


def test_kinds_that_keep_their_shares_grow_the_mixed_statistic_by_one_a_case_on_average() -> None:
    shares = (0.7, 0.2, 0.1)
    before = (Drift((3.0, 0.0, 10.0, 1.0, 2.0, 5.0, 7.0)), Drift(), Drift((1.0,) * 7))
    mean = sum(share * mixed(after_one_of(before, at, shares)) for at, share in enumerate(shares))
    assert mean == pytest.approx(mixed(before) + 1)
