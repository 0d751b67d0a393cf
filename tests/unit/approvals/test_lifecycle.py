"""The first and the last millisecond of what may happen to an action."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from handrail.approvals import lifecycle
from handrail.approvals.lifecycle import Otherwise, Progress, State
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId

DIGEST = Digest("ab" * 32)
ANN = PersonId("pe_a")


def held() -> Progress:
    return lifecycle.held(
        ActionId("ac_1"), DIGEST, now=1_000, needs=1, route="leads", decide_by=5_000, otherwise=Otherwise.DENY,
        excluded=frozenset(), escalate_at=3_000, execute_within_ms=2_000, cool_off_ms=500,
    )  # fmt: skip


def approved() -> Progress:
    return lifecycle.approve(held(), ANN, DIGEST, now=2_000)


def claimed() -> Progress:
    return lifecycle.claim(approved(), "p1", DIGEST, now=2_500, lease_ms=300)


def approve(before: Progress, now: int) -> Progress:
    return lifecycle.approve(before, ANN, DIGEST, now=now)


def deny(before: Progress, now: int) -> Progress:
    return lifecycle.deny(before, ANN, now=now)


def edit(before: Progress, now: int) -> Progress:
    return lifecycle.edit(before, Digest("cd" * 32), now=now)


def expire(before: Progress, now: int) -> Progress:
    return lifecycle.expire(before, now=now)


def escalate(before: Progress, now: int) -> Progress:
    return lifecycle.escalate(before, now=now, next_at=None)


def claim(before: Progress, now: int) -> Progress:
    return lifecycle.claim(before, "p1", DIGEST, now=now, lease_ms=300)


def take_over(before: Progress, now: int) -> Progress:
    return lifecycle.take_over(before, "p2", now=now, lease_ms=300)


Move = Callable[[Progress, int], Progress]


@pytest.mark.promise("ACT-2")
@pytest.mark.parametrize(
    ("before", "move", "may", "may_not"),
    [
        (held, approve, 4_999, 5_000), (held, deny, 4_999, 5_000), (held, edit, 4_999, 5_000),
        (held, expire, 5_000, 4_999), (held, escalate, 3_000, 2_999),
        (approved, claim, 2_500, 2_499), (approved, claim, 4_499, 4_500), (approved, expire, 4_500, 4_499),
        (claimed, take_over, 2_800, 2_799),
    ],
)  # fmt: skip
def test_each_time_has_a_first_and_a_last_millisecond(
    before: Callable[[], Progress], move: Move, may: int, may_not: int
) -> None:
    moved = move(before(), may)
    assert moved.version == before().version + 1
    with pytest.raises(HandrailError) as refused:
        move(before(), may_not)
    assert refused.value.code in (Code.LOST_RACE, Code.ALREADY_DECIDED)


@pytest.mark.promise("ACT-2")
def test_a_drill_is_never_claimed() -> None:
    with pytest.raises(HandrailError) as refused:
        claim(msgspec.structs.replace(approved(), drill=True), 2_500)
    assert refused.value.code is Code.NOT_ALLOWED


def test_a_person_settles_only_what_nobody_could_tell() -> None:
    with pytest.raises(HandrailError) as refused:
        lifecycle.settle(claimed(), State.DONE, ANN, now=3_000)
    assert refused.value.code is Code.ALREADY_DECIDED


@pytest.mark.parametrize("state", [State.HELD, State.DENIED, State.REVOKED])
def test_only_what_was_claimed_has_an_outcome(state: State) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        lifecycle.finish(claimed(), "p1", state)
    with pytest.raises(ValueError, match="no outcome"):
        lifecycle.settle(claimed(), state, ANN, now=3_000)


@pytest.mark.parametrize("changes", [{"needs": 0}, {"decide_by": 1_000}])
def test_a_hold_that_nobody_could_decide_is_a_mistake_of_its_caller(changes: dict[str, Any]) -> None:
    given = {"needs": 1, "decide_by": 5_000, **changes}
    with pytest.raises(ValueError, match="at least one person"):
        lifecycle.held(
            ActionId("ac_1"), DIGEST, now=1_000, route="leads", otherwise=Otherwise.DENY, excluded=frozenset(), **given
        )
