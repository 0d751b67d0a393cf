"""The judge of releases: what must hold of it whatever comes."""

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.policy.ramp import Bets
from handrail.releases.bets import MONEY_FOR, Kind, binary, score
from handrail.releases.brought import Brought
from handrail.releases.evidence import Evidence, Segment
from handrail.releases.judge import Conclusion, Judge, Metric, Plan, Unit, Verdict, with_missing
from handrail.releases.judged import judged, one_by_one
from handrail.releases.pairs import MONEY_FOR as PAIRS_MONEY_FOR
from handrail.releases.share_check import ShareCheck

rates = st.sampled_from([0.01, 0.05, 0.3, 0.7])
shares = st.sampled_from([0.01, 0.1, 0.5, 0.9])


def expectation(
    rate_canary: float, rate_control: float, share: float, mean: float, units: int, bets: Bets = Bets.ANY
) -> float:
    """Of the evidence over every label and outcome of a few units."""
    total = 0.0
    for what in itertools.product(((True, 1.0), (True, 0.0), (False, 1.0), (False, 0.0)), repeat=units):
        evidence = Evidence(Kind.BINARY, binary(mean), money=MONEY_FOR[bets])
        probability = 1.0
        for canary, outcome in what:
            evidence.fold(Segment(0, 0, "1", share), canary=canary, outcome=outcome)
            rate = rate_canary if canary else rate_control
            probability *= (share if canary else 1 - share) * (rate if outcome else 1 - rate)
        total += probability * math.exp(evidence.log_e())
    return total


@pytest.mark.promise("REL-2")
@settings(max_examples=25, deadline=None)
@given(rate=rates, better=st.floats(0.1, 1.0), share=shares, mean=rates, bets=st.sampled_from(Bets))
def test_a_release_that_is_not_worse_has_evidence_of_mean_one_at_most(
    rate: float, better: float, share: float, mean: float, bets: Bets
) -> None:
    assert expectation(rate, rate, share, mean, 4, bets) == pytest.approx(1.0, abs=1e-9)
    assert expectation(rate * better, rate, share, mean, 4, bets) <= 1.0 + 1e-9


def test_a_worse_release_has_evidence_that_grows() -> None:
    """Otherwise the property above could be had by never betting."""
    assert expectation(0.3, 0.05, 0.5, 0.05, 4) > 1.1


_unit = st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, None]), st.floats(0, 1), st.sampled_from(["1", "2"]))


def units_of(drawn: list[tuple[bool, float | None, float, str]]) -> list[Unit]:
    return [
        Unit(canary=canary, share=0.1 if stage == "1" else 0.5, stage=stage, metrics={"bad": bad, "slow": slow})
        for canary, bad, slow, stage in sorted(drawn, key=lambda one: one[3])
    ]


def counted(units: list[Unit]) -> dict[str, Evidence]:
    found = {"bad": Evidence(Kind.BINARY, binary(0.05)), "slow": Evidence(Kind.SCORE, score(0.5, 0.29))}
    for unit in units:
        for name, evidence in found.items():
            outcome = unit.metrics[name]
            if outcome is not None:
                evidence.fold(Segment(0, 0, unit.stage, unit.share), canary=unit.canary, outcome=outcome)
    return found


@pytest.mark.promise("REL-3")
@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(_unit, max_size=60), shards=st.sampled_from([1, 2, 16]), seed=st.randoms(use_true_random=False))
def test_shards_add_up_to_the_last_bit_in_any_order(drawn: list, shards: int, seed: object) -> None:
    units = units_of(drawn)
    whole = counted(units)
    parts: list[list[Unit]] = [[] for _ in range(shards)]
    for unit in units:
        parts[seed.randrange(shards)].append(unit)  # type: ignore[attr-defined]  # hypothesis' Random
    seed.shuffle(parts)  # type: ignore[attr-defined]
    merged = counted([])
    for part in parts:
        for name, evidence in counted(part).items():
            merged[name].add(evidence)
    for name in whole:
        assert merged[name].log_e() == whole[name].log_e()
        assert merged[name].arms() == whole[name].arms()


def test_scores_with_bets_of_their_own_are_not_added_up() -> None:
    with pytest.raises(ValueError, match="declare the reference"):
        Evidence(Kind.SCORE).add(Evidence(Kind.SCORE))


PLAN = Plan(
    metrics=with_missing(
        (Metric(name="bad", kind=Kind.BINARY), Metric(name="slow", kind=Kind.SCORE)), frozenset({"bad"})
    ),
    planned=150,
    alpha=0.2,
)


def brought(units: list[Unit]) -> Brought:
    found = Brought({})
    found.read(
        b'{"arm": "%s", "share": %r, "stage": "%s", "metrics": {"bad": %s, "slow": %r}}'.replace(b"%r", b"%s")
        % (
            b"canary" if unit.canary else b"control",
            repr(unit.share).encode(),
            unit.stage.encode(),
            b"null" if unit.metrics["bad"] is None else repr(unit.metrics["bad"]).encode(),
            repr(unit.metrics["slow"]).encode(),
        )
        for unit in units
    )
    return found


def told(conclusion: Conclusion) -> tuple[object, ...]:
    metrics = {
        name: (one.named, one.canary_units, one.canary_mean, one.control_mean, one.interval)
        for name, one in conclusion.metrics.items()
    }
    return conclusion.verdict, conclusion.decided_at, conclusion.units, metrics, conclusion.share_wrong_at


@pytest.mark.promise("REL-4")
@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(_unit, min_size=1, max_size=150), bets=st.sampled_from(Bets))
def test_all_at_once_says_what_one_by_one_says(drawn: list, bets: Bets) -> None:
    units, plan = units_of(drawn), msgspec.structs.replace(PLAN, bets=bets)
    columns, singly = judged(plan, brought(units)), one_by_one(plan, brought(units))
    assert columns.bets is singly.bets is bets
    assert told(columns) == told(singly)
    assert columns.log_e == pytest.approx(singly.log_e, abs=1e-9)


@pytest.mark.promise("REL-7")
def test_all_at_once_decides_at_the_same_unit_as_one_by_one_under_either_choice_of_bets() -> None:
    units = [
        Unit(canary=at % 2 == 0, share=0.5, stage="2", metrics={"bad": float(at % 2 == 0 or at % 6 == 1), "slow": 0.5})
        for at in range(150)
    ]
    decided = []
    for bets in Bets:
        plan = msgspec.structs.replace(PLAN, bets=bets, alpha=1e-4)
        columns, singly = judged(plan, brought(units)), one_by_one(plan, brought(units))
        assert told(columns) == told(singly)
        decided.append(singly.decided_at)
    assert None not in decided
    assert decided[0] != decided[1]


@pytest.mark.promise("REL-5")
@settings(max_examples=30, deadline=None)
@given(after=st.lists(_unit, max_size=80))
def test_what_was_shown_stays_shown(after: list) -> None:
    judge = Judge(PLAN)
    for at in range(70):
        canary = at % 2 == 0
        judge.fold(Unit(canary=canary, share=0.5, metrics={"bad": float(canary), "slow": 0.5}))
    first = judge.conclude()
    assert first.verdict is Verdict.WORSE
    for unit in units_of(after):
        judge.fold(unit)
    assert told(judge.conclude()) == told(first)


@pytest.mark.promise("REL-2")
def test_money_on_the_bets_is_all_of_it_and_evidence_under_other_bets_is_not_added_up() -> None:
    for money in (*MONEY_FOR.values(), *PAIRS_MONEY_FOR.values()):
        assert math.fsum(money) == pytest.approx(1.0, abs=1e-12)
    one, other = (Evidence(Kind.BINARY, binary(0.1), money=MONEY_FOR[bets]) for bets in Bets)
    with pytest.raises(ValueError, match="same metric and plan"):
        one.add(other)


def test_ten_million_units_overflow_nothing() -> None:
    evidence = Evidence(Kind.BINARY, binary(0.05), starts=8)
    for window in range(9):
        counts = evidence.segments.setdefault(Segment(0, window, "1", 0.1), _million())
        assert counts.canary
    assert math.isfinite(evidence.log_e(8))
    assert evidence.log_e(8) > 100


def _million() -> "object":
    from handrail.releases.evidence import Counts

    return Counts(canary_bad=11_000, control_bad=50_000, canary=111_000, control=1_000_000)


@pytest.mark.promise("REL-6")
def test_a_wrong_share_is_noticed_and_a_right_one_is_not() -> None:
    wrong, right = ShareCheck(), ShareCheck()
    for at in range(4000):
        wrong.fold(0.1, canary=at % 5 == 0)
        right.fold(0.1, canary=at % 10 == 0)
    assert wrong.wrong_at is not None
    assert right.wrong_at is None
