"""What the judge of a running rollout does with its units, and what follows."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.entry import EntryKind
from handrail.policy.ramp import Advance, Bets, Outcome, Ramp, RampMetric, Stage
from handrail.releases.canary import LATE_MS, Canary
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.unit import Signals, UnitRow, merged
from handrail.releases.units import judge_options, measured
from handrail.terms.ids import Digest, UseCaseId

RAMP = Ramp(
    stages=(Stage(share=0.5, least_units=100), Stage(share=0.5, least_units=100)), maturity_minutes=1,
    planned_units=4000, metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.2, margin=2.0),),
)  # fmt: skip
RUN = Rollout(
    release=Digest("a" * 64), use_case=UseCaseId("orders"), author="x", created_at=0, state=State.CANARY, ramp=RAMP,
    salt=b"s" * 16, run=1, control=Digest("b" * 64), stage=0, step=1,
)  # fmt: skip
COMPLAINED: Signals = {"complaint": (1, 1.0)}
DUE = 60_000 + LATE_MS


def unit(number: int, *, canary: bool, bad: bool, stage: int = 1, share: float = 0.5, at: int = 0) -> UnitRow:
    return UnitRow(
        use_case="orders", of=RUN.release, run=1, unit=f"cv_{number}", arm="canary" if canary else "control",
        share=share, stage=stage, ordinal=number, assigned_at=at, conversations=(f"cv_{number}",),
        signals=COMPLAINED if bad else {},
    )  # fmt: skip


def crowd(many: int, canary: float, control: float, *, share: float = 0.5, seed: int = 1) -> list[UnitRow]:
    draw = random.Random(seed)
    found = []
    for number in range(1, many + 1):
        drawn = draw.random() < share
        found.append(unit(number, canary=drawn, bad=draw.random() < (canary if drawn else control), share=share))
    return found


def judged(units: list[UnitRow], rollout: Rollout = RUN) -> tuple[Canary, list[UnitRow]]:
    canary = Canary(rollout)
    return canary, canary.mature(units, DUE)


def test_a_unit_that_has_not_matured_ends_the_round_and_nothing_overtakes_it() -> None:
    units = crowd(10, 0.2, 0.2)
    units[4] = msgspec.structs.replace(units[4], assigned_at=1)
    _, folded = judged(units)
    assert [each.folded for each in folded] == [1, 2, 3, 4]


@pytest.mark.promise("REL-7")
def test_the_bets_of_the_ramp_judge_its_units_and_stand_in_the_verdict_and_in_what_reproduces_it() -> None:
    large = msgspec.structs.replace(RAMP, bets=Bets.LARGE)
    assert "--bets=large" in judge_options(large)
    assert not any(word.startswith("--bets") for word in judge_options(RAMP))
    assert "--alpha=0.0123456789" in judge_options(msgspec.structs.replace(RAMP, alpha=0.0123456789)), (
        "to the last digit"
    )
    units = crowd(400, 0.7, 0.2)
    usual, _ = judged(units)
    sooner, _ = judged(units, msgspec.structs.replace(RUN, ramp=large))
    step = sooner.next(msgspec.structs.replace(RUN, ramp=large), DUE)
    assert step is not None
    assert step.reached is not None
    assert msgspec.json.decode(step.reached.numbers)["bets"] == "large"
    assert sooner.folded < usual.folded


@pytest.mark.promise("ROL-5")
def test_a_bad_release_is_rolled_back_with_the_unit_that_shows_it_and_the_sentence_says_why() -> None:
    canary, folded = judged(crowd(2000, 0.6, 0.2))
    step = canary.next(RUN, DUE)
    assert step is not None
    assert step.kind is EntryKind.RELEASE_ROLLED_BACK
    assert step.reached is not None
    assert step.reached.sentence.startswith("Worse: complaint in ")
    assert ". It was rolled back. " in step.reached.sentence
    assert len(folded) < 200, "the rest is not judged"
    again = Canary(RUN)
    again.restore(folded)
    assert msgspec.json.encode(again.judge.conclude()) == step.reached.numbers


@pytest.mark.promise("ROL-10")
def test_a_safe_release_goes_on_when_its_units_and_time_are_full_and_its_owner_is_asked_at_the_end() -> None:
    canary, _ = judged(crowd(3000, 0.15, 0.2))
    step = canary.next(RUN, DUE)
    assert step is not None
    assert step.kind is EntryKind.RELEASE_ADVANCED
    slow = msgspec.structs.replace(RAMP, stages=(Stage(share=0.5, least_minutes=10), Stage(share=0.5)))
    assert canary_of(slow).next(msgspec.structs.replace(RUN, ramp=slow), DUE) is None
    last = msgspec.structs.replace(RUN, stage=1)
    asked = canary.next(last, DUE)
    assert asked is not None
    assert asked.kind is EntryKind.RELEASE_ASKED
    assert canary.next(msgspec.structs.replace(last, asked=asked.why), DUE) is None
    canary.ramp = msgspec.structs.replace(RAMP, promote=True)
    promoted = canary.next(last, DUE)
    assert promoted is not None
    assert promoted.kind is EntryKind.RELEASE_PROMOTED


def canary_of(ramp: Ramp) -> Canary:
    canary = Canary(msgspec.structs.replace(RUN, ramp=ramp))
    canary.mature(crowd(3000, 0.15, 0.2), DUE)
    return canary


@pytest.mark.promise("ROL-10")
def test_an_undecided_release_stays_where_it_is_and_is_held_at_the_end_of_its_planned_life() -> None:
    ramp = msgspec.structs.replace(
        RAMP, metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.2, margin=1.01),), planned_units=1500
    )  # fmt: skip
    run = msgspec.structs.replace(RUN, ramp=ramp)
    canary = Canary(run)
    units = crowd(1500, 0.2, 0.2, seed=3)
    canary.mature(units[:1000], DUE)
    assert canary.next(run, DUE) is None
    canary.mature(units[1000:], DUE)
    held = canary.next(run, DUE)
    assert held is not None
    assert held.kind is EntryKind.RELEASE_FROZEN
    assert "undecided" in held.why


def test_not_worse_is_enough_for_a_stage_where_the_ramp_says_so() -> None:
    ramp = msgspec.structs.replace(RAMP, advance=Advance.NOT_WORSE)
    run = msgspec.structs.replace(RUN, ramp=ramp)
    canary = Canary(run)
    canary.mature(crowd(120, 0.2, 0.2, seed=4), DUE)
    step = canary.next(run, DUE)
    assert step is not None
    assert step.kind is EntryKind.RELEASE_ADVANCED


@pytest.mark.promise("REL-6")
def test_a_wrong_draw_freezes_and_rolls_nothing_back() -> None:
    units = [msgspec.structs.replace(each, share=0.2) for each in crowd(300, 0.2, 0.2)]
    canary, _ = judged(units)
    step = canary.next(RUN, DUE)
    assert step is not None
    assert step.kind is EntryKind.RELEASE_FROZEN
    assert "the draw" in step.why


@pytest.mark.promise("ROL-11")
def test_failures_that_are_reported_before_maturity_only_freeze() -> None:
    canary = Canary(RUN)
    units = crowd(400, 0.6, 0.2)
    arrived = canary.arrived([each for each in units if each.signals])
    assert canary.mature(units, 10) == []
    step = canary.next(RUN, 10, arrived)
    assert step is not None
    assert step.kind is EntryKind.RELEASE_FROZEN
    assert canary.arrived([]) == pytest.approx(0.0), "they are counted anew at each look"
    assert canary.next(msgspec.structs.replace(RUN, asked="it was let go on"), 10, arrived) is None


def test_a_unit_of_an_earlier_stage_that_comes_too_late_is_never_judged() -> None:
    canary, _ = judged([unit(1, canary=True, bad=False, stage=2)])
    (late,) = canary.mature([unit(2, canary=False, bad=True, stage=1)], DUE)
    assert late.folded == 0
    assert canary.judge.units == 1


SIGNALS = st.lists(
    st.tuples(
        st.sampled_from(["complaint", "csat", "handle_time"]), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])
    ),
    max_size=8,
)


@pytest.mark.promise("ROL-4")
@given(SIGNALS, st.randoms(use_true_random=False), st.integers(0, 8))
def test_signals_in_any_order_and_twice_make_the_same_unit(
    signals: list[tuple[str, int, float]], shuffle: random.Random, twice: int
) -> None:
    def unit_of(given: list[tuple[str, int, float]]) -> Signals:
        found: Signals = {}
        for name, at, value in given:
            found = merged(found, name, at, value)
        return found

    other = [*signals, *signals[:twice]]
    shuffle.shuffle(other)
    metrics = (RampMetric(name=Outcome.COMPLAINT), RampMetric(name=Outcome.CSAT), RampMetric(name=Outcome.HANDLE_TIME))
    assert measured(metrics, unit_of(signals)) == measured(metrics, unit_of(other))


def test_no_answer_is_no_outcome_and_no_complaint_is_a_good_one() -> None:
    metrics = (
        RampMetric(name=Outcome.COMPLAINT),
        RampMetric(name=Outcome.CSAT_LOW),
        RampMetric(name=Outcome.UNRESOLVED),
    )
    assert measured(metrics, {}) == {"complaint": 0.0, "csat_low": None, "unresolved": None}
    assert measured(metrics, {"csat": (1, 0.8), "unresolved": (1, 0.0)})["csat_low"] == 1.0
