"""The reference values of the design's statistics, to 1e-9 (intervals to what is printed there)."""

import math

import pytest

from handrail.releases.bets import SCALE, binary, cells, failures_only, interval, lean, mixed, risks, score
from handrail.releases.evidence import Counts, Evidence, Kind, Segment, promoted

NEAR = 1e-9


@pytest.mark.promise("REL-1")
@pytest.mark.parametrize(
    ("canary", "failures", "share", "margin", "log_e"),
    [
        (1, 1, 0.01, 1, 0.7272058798),
        (1, 1, 0.1, 1, 0.6093423167),
        (2, 2, 0.01, 1, 1.6291996291),
        (14, 60, 0.1, 1, 3.5979402161),
        (5, 60, 0.1, 1, -1.2873665839),
        (30, 200, 0.1, 1, 1.7484226335),
        (30, 200, 0.1, 1.25, -0.2524615643),
        (60, 100, 0.5, 1, 1.3288418452),
    ],
)
def test_evidence_from_failures_alone(canary: int, failures: int, share: float, margin: float, log_e: float) -> None:
    found = mixed(failures_only(canary, ((share, failures),), risks(0.05), margin))
    assert found == pytest.approx(log_e, abs=NEAR)


@pytest.mark.promise("REL-1")
def test_failures_of_several_stages_are_never_pooled() -> None:
    stages = ((0.01, 20), (0.05, 40), (0.25, 50))
    assert mixed(failures_only(18, stages, risks(0.05), 1)) == pytest.approx(-0.2312032861, abs=NEAR)


@pytest.mark.promise("REL-1")
@pytest.mark.parametrize(
    ("bad", "good", "share", "mean", "log_e"),
    [
        ((14, 46), (86, 854), 0.1, 0.05, 3.9103781416),
        ((36, 270), (64, 630), 0.1, 0.3, 0.2707245014),
        ((180, 150), (320, 350), 0.5, 0.3, 1.3523345276),
        ((5, 55), (95, 845), 0.1, 0.05, -1.3338716845),
        ((0, 0), (0, 0), 0.1, 0.05, 0.0),
    ],
)
def test_evidence_from_all_four_cells(
    bad: tuple[int, int], good: tuple[int, int], share: float, mean: float, log_e: float
) -> None:
    evidence = Evidence(Kind.BINARY, binary(mean))
    counts = Counts(canary_bad=bad[0], control_bad=bad[1], canary=bad[0] + good[0], control=bad[1] + good[1])
    evidence.put(Segment(0, 0, "1", share), counts)
    assert evidence.log_e() == pytest.approx(log_e, abs=NEAR)


@pytest.mark.promise("REL-1")
def test_evidence_of_a_score() -> None:
    units = [(1, 0.8), (0, 0.2), (1, 0.5), (0, 0.9), (0, 0.1), (1, 1.0)]
    leant = [lean(score(0.4, 0.25), 0.1, bool(canary), outcome) for canary, outcome in units]
    logs = [sum(column) / SCALE for column in zip(*leant, strict=True)]
    expected = [0.1898463262, 0.3651588535, 0.6804566401, 1.2071462447, 1.6867894915]
    assert logs == pytest.approx(expected, abs=NEAR)
    assert mixed(logs) == pytest.approx(0.8514217686, abs=NEAR)


@pytest.mark.promise("REL-1")
@pytest.mark.parametrize(
    ("canary", "failures", "share", "low", "high"),
    [
        (14, 60, 0.1, 0.93966, 6.74221),
        (30, 200, 0.1, 0.76337, 2.97061),
        (60, 100, 0.5, 0.78819, 2.93757),
        (0, 20, 0.1, 0.0, 3.17321),
    ],
)
def test_the_relative_risks_that_failures_do_not_contradict(
    canary: int, failures: int, share: float, low: float, high: float
) -> None:
    assert interval(((share, canary, failures),), 0.05) == pytest.approx((low, high), abs=1e-5)


def test_without_failures_no_relative_risk_is_excluded() -> None:
    assert interval((), 0.05) == (0.0, math.inf)


def test_no_factor_takes_everything() -> None:
    for mean in (0.001, 0.05, 0.5, 0.9):
        for share in (0.01, 0.5, 0.99):
            found = cells(binary(mean), share)
            least = min(*found.canary_bad, *found.control_bad, *found.canary_good, *found.control_good)
            assert least > -math.inf
            assert math.exp(min(found.canary_good)) >= 0.1 - 1e-12


def test_a_release_as_bad_as_its_margin_is_not_promoted_by_its_expected_counts() -> None:
    """At exactly the margin the evidence falls on average; well below it, it grows."""
    share, rate, margin, units = 0.1, 0.05, 1.5, 100_000
    at_margin = round(units * share * rate * margin), round(units * rate * (share * margin + 1 - share))
    equal = round(units * share * rate), round(units * rate)
    assert promoted(((share, *at_margin),), margin) < 0
    assert promoted(((share, *equal),), margin) > math.log(20)
