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
    falls: dict[ActionType, list[int]] = {}
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
            falls = {}  # another rule, another cool-down
            continue
        after, moves = apply(state, case, what, given_, now)
        assert after.version == state.version + (after is not state)
        for move in moves:
            assert move.before is before[move.type]
            assert move.type is not ActionType.ASSERT
            if what == "promote":
                falls.pop(move.type, None)
            else:
                assert is_below(move.after, move.before)
                if what == "trigger":
                    assert case.demote is not None
                    assert not is_below(move.after, case.demote.floor)
                    falls.setdefault(move.type, []).append(now)
                else:
                    falls[move.type] = [now]
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
        if case.demote is not None and case.demote.cool_down_minutes:
            most = 2 if case.demote.again is Again.ONE_LEVEL else 1
            for times in falls.values():
                for at, first in enumerate(times):
                    within = [one for one in times[at:] if one - first < 180 * 60_000]
                    assert len(within) <= most + 1  # the end of one cool-down and the begin of the next
                    assert len([one for one in times if times[0] <= one < times[0] + 180 * 60_000]) <= most
