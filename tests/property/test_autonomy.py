"""Any order of triggers, hands, promotions and publishes: never above the home, never two falls within a cool-down
beyond what is declared, raised by persons alone, and the moves of the entries give the state again."""

from typing import Any

import msgspec
import pytest
from fakes.actions import use_case
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.governance.demote import (
    Demotion,
    Happened,
    Move,
    at_most,
    effective,
    fallen,
    lowered_by_hand,
    promoted,
    replayed,
)
from handrail.policy.autonomy import Again, Autonomy, Cause, Demote, Trigger, is_below
from handrail.policy.ruleset import Level, Risk, UseCase
from handrail.terms.action import ActionType

HOUR = 3_600_000
TYPES = (ActionType.MONEY, ActionType.WRITE_FINAL, ActionType.ASSERT)
levels = st.sampled_from(list(Autonomy))
kinds = st.lists(st.sampled_from(TYPES), max_size=2, unique=True).map(tuple)
triggers = st.builds(
    Trigger, cause=st.sampled_from([Cause.INCIDENT, Cause.ROLLBACK]), what=st.just("S2"), levels=st.integers(1, 4),
    types=kinds,
)  # fmt: skip
rules = st.builds(
    Demote, triggers=st.lists(triggers, max_size=3).map(tuple), floor=levels,
    cool_down_minutes=st.sampled_from([0, 180]), again=st.sampled_from(list(Again)),
)  # fmt: skip
cases = st.builds(
    lambda rule, money, write: msgspec.structs.replace(
        use_case(), demote=rule,
        levels={kind: Level(risk=Risk.R1, autonomy=level)
                for kind, level in zip(TYPES, (money, write, Autonomy.A4), strict=True)},
    ),
    st.one_of(st.none(), rules), levels, levels,
)  # fmt: skip
steps = st.one_of(
    st.tuples(st.just("trigger"), st.sampled_from([Cause.INCIDENT, Cause.ROLLBACK])),
    st.tuples(st.just("hand"), kinds),
    st.tuples(st.just("promote"), kinds),
    st.tuples(st.just("publish"), cases),
    st.tuples(st.just("wait"), st.integers(0, 5)),
)


def apply(state: Demotion, case: UseCase, what: str, given_: Any, now: int) -> tuple[Demotion, tuple[Move, ...]]:
    if what == "trigger":
        found = fallen(state, case, Happened(cause=given_, key=str(now), sentence="s", what="S1"), now)
        return (state, ()) if found is None else (found.after, found.moves)
    if what == "hand":
        after, moves = lowered_by_hand(state, case, given_, 1, now)
        return (after, moves) if moves else (state, ())
    lowered = tuple(kind for kind in given_ or tuple(state.levels) if kind in state.levels)
    return promoted(state, case, lowered, now) if lowered else (state, ())


@pytest.mark.promise("AUT-5")
@given(cases, st.lists(steps, max_size=25))
@settings(max_examples=400, deadline=None)
def test_whatever_happens_in_whatever_order(case: UseCase, played: list[Any]) -> None:
    state, now, told = Demotion(use_case=case.id), 1_000 * HOUR, []
    for what, given_ in played:
        now += 1
        before = {kind: effective(case.levels[kind].autonomy, state, kind) for kind in TYPES}
        if what == "wait":
            now += given_ * HOUR
            continue
        if what == "publish":
            lowered = at_most(state)
            case = given_
            assert at_most(state) == lowered
            continue
        after, moves = apply(state, case, what, given_, now)
        assert after.version == state.version + (after is not state)
        for move in moves:
            assert move.before is before[move.type]
            assert move.type is not ActionType.ASSERT
            if what != "promote":
                assert is_below(move.after, move.before)
            if what == "trigger":
                assert case.demote is not None
                assert not is_below(move.after, case.demote.floor)
        told += moves
        state = after
        for kind in TYPES:
            home = case.levels[kind].autonomy
            holds = effective(home, state, kind)
            assert not is_below(home, holds)
            if what == "trigger":
                assert not is_below(before[kind], holds)
            if what == "promote":
                assert not is_below(holds, before[kind])
        assert replayed(told) == at_most(state)


@pytest.mark.promise("AUT-5")
@given(st.sampled_from(list(Again)), st.lists(st.tuples(st.integers(0, 90), st.integers(1, 3)), max_size=30))
@settings(max_examples=300, deadline=None)
def test_within_each_cool_down_one_fall_or_one_more_by_one_level(again: Again, played: list[tuple[int, int]]) -> None:
    """`played`: minutes until a trigger, and by how many levels it lowers. The cool-down is 180 minutes."""
    state, now, begun = Demotion(use_case=use_case().id), 1_000 * HOUR, -HOUR * 9
    more = 0
    for minutes, by in played:
        now += minutes * 60_000
        trigger = Trigger(cause=Cause.ROLLBACK, what="", levels=by, types=(ActionType.MONEY,))
        rule = Demote(triggers=(trigger,), floor=Autonomy.A0, cool_down_minutes=180, again=again)
        case = msgspec.structs.replace(use_case(Autonomy.A4), demote=rule)
        held = effective(Autonomy.A4, state, ActionType.MONEY)
        found = fallen(state, case, Happened(cause=Cause.ROLLBACK, key="k", sentence="s"), now)
        state = state if found is None else found.after
        fell = ORDER.index(held) - ORDER.index(effective(Autonomy.A4, state, ActionType.MONEY))
        if now - begun < 180 * 60_000:
            wanted = 1 if again is Again.ONE_LEVEL and not more and held is not Autonomy.A0 else 0
            assert fell == wanted
            more += wanted
        else:
            assert fell == min(by, ORDER.index(held))
            if fell:
                begun, more = now, 0


ORDER = tuple(Autonomy)
