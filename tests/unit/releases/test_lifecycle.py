"""How far a release may come, and who may move it."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.policy.ramp import Ramp, Stage, UnitKind
from handrail.releases import lifecycle
from handrail.releases.assign import Arm, drawn, held_out, point, quarter_salt, unit_of
from handrail.releases.lifecycle import Reached, Rollout, State
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId, UseCaseId

RAMP = Ramp(stages=(Stage(share=0.05, least_minutes=10), Stage(share=0.5)), sign_offs=("owner", "compliance"))
NEW = Rollout(release=Digest("a" * 64), use_case=UseCaseId("orders"), author="pe_author", created_at=0)
LIVE = Digest("b" * 64)
GREEN = lifecycle.Tested(digest=Digest("c" * 64), passed=3, failed=0, at_ms=1)
MINUTE = 60_000


def signed() -> Rollout:
    once = lifecycle.signed(lifecycle.tested(NEW, GREEN), PersonId("pe_o"), "owner", needs=RAMP.sign_offs, now=2)
    return lifecycle.signed(once, PersonId("pe_c"), "compliance", needs=RAMP.sign_offs, now=3)


def canary(salt: bytes = b"s" * 16) -> Rollout:
    return lifecycle.started(signed(), RAMP, salt=salt, control=LIVE, used=frozenset(), now=10)


@pytest.mark.promise("ROL-8")
def test_the_author_signs_nothing_of_it_off_and_nobody_signs_twice() -> None:
    tested = lifecycle.tested(NEW, GREEN)
    with pytest.raises(HandrailError, match=r"person\.not_allowed: .*another person"):
        lifecycle.signed(tested, PersonId("pe_author"), "owner", needs=RAMP.sign_offs, now=2)
    once = lifecycle.signed(tested, PersonId("pe_o"), "owner", needs=RAMP.sign_offs, now=2)
    with pytest.raises(HandrailError, match="already"):
        lifecycle.signed(once, PersonId("pe_o"), "compliance", needs=RAMP.sign_offs, now=3)
    with pytest.raises(HandrailError, match="lacks the sign-off of compliance"):
        lifecycle.started(once, RAMP, salt=b"s" * 16, control=LIVE, used=frozenset(), now=4)
    assert signed().state is State.SIGNED_OFF


@pytest.mark.promise("ROL-2")
def test_what_a_draft_lacks_is_said_at_once_and_in_the_order_in_which_it_is_got() -> None:
    with pytest.raises(
        HandrailError, match=r"green tests .*trial run --release aaaaaaaaaaaa.* and the sign-off of compl"
    ):
        lifecycle.started(NEW, RAMP, salt=b"s" * 16, control=LIVE, used=frozenset(), now=4)
    assert not lifecycle.lacking(signed(), RAMP)


@pytest.mark.promise("ROL-8")
def test_new_results_ask_for_new_sign_offs() -> None:
    again = lifecycle.tested(signed(), msgspec.structs.replace(GREEN, failed=1))
    assert (again.state, again.sign_offs) == (State.DRAFT, ())


@pytest.mark.promise("ROL-2")
def test_no_test_at_all_is_not_green() -> None:
    none = lifecycle.tested(NEW, msgspec.structs.replace(GREEN, passed=0, failed=0))
    assert none.state is State.DRAFT
    with pytest.raises(HandrailError, match="cannot start"):
        lifecycle.started(
            none, msgspec.structs.replace(RAMP, sign_offs=()), salt=b"s" * 16, control=LIVE, used=frozenset(), now=4
        )


@pytest.mark.promise("ROL-8")
def test_a_role_that_the_ramp_asks_for_since_it_was_signed_off_is_still_missing_and_can_be_given() -> None:
    more = msgspec.structs.replace(RAMP, sign_offs=(*RAMP.sign_offs, "engineer"))
    with pytest.raises(HandrailError, match="the sign-off of engineer"):
        lifecycle.started(signed(), more, salt=b"s" * 16, control=LIVE, used=frozenset(), now=10)
    given = lifecycle.signed(signed(), PersonId("pe_e"), "engineer", needs=more.sign_offs, now=5)
    assert lifecycle.started(given, more, salt=b"s" * 16, control=LIVE, used=frozenset(), now=10).state is State.CANARY


@pytest.mark.promise("ROL-9")
def test_a_salt_that_was_used_a_share_of_everybody_and_falling_shares_are_refused() -> None:
    with pytest.raises(HandrailError, match="salt of its own"):
        lifecycle.started(signed(), RAMP, salt=b"s" * 16, control=LIVE, used=frozenset({b"s" * 16}), now=10)
    for stages, why in (((0.5, 0.1), "only grow"), ((0.1, 1.0), "nobody is left"), ((0.0,), "write 0.05")):
        wrong = msgspec.structs.replace(RAMP, stages=tuple(Stage(share=share) for share in stages))
        with pytest.raises(HandrailError, match=why):
            lifecycle.started(signed(), wrong, salt=b"s" * 16, control=LIVE, used=frozenset(), now=10)
    with pytest.raises(HandrailError, match="live already"):
        lifecycle.started(signed(), RAMP, salt=b"s" * 16, control=NEW.release, used=frozenset(), now=10)


@pytest.mark.promise("ROL-9")
def test_each_change_of_the_share_is_a_step_of_its_own_so_that_no_two_are_pooled() -> None:
    one = canary()
    with pytest.raises(HandrailError, match="least time"):
        lifecycle.advanced(one, now=10 + 10 * MINUTE - 1)
    two = lifecycle.advanced(one, now=10 + 10 * MINUTE)
    frozen = lifecycle.froze(two, "why", now=10 + 11 * MINUTE)
    assert [each.step for each in (one, two, frozen)] == [1, 2, 3]
    assert [each.share for each in (one, two, frozen)] == [0.05, 0.5, 0.05]
    with pytest.raises(HandrailError, match="stands still"):
        lifecycle.advanced(frozen, now=10 + 60 * MINUTE)
    assert lifecycle.thawed(frozen, now=0).frozen == ""
    with pytest.raises(HandrailError, match=r"release\.state: .*already: why"):
        lifecycle.froze(frozen, "frozen by a person", now=0)  # why it stands still is not written over


@pytest.mark.promise("REL-5")
def test_a_verdict_of_worse_stays_and_bars_a_promotion() -> None:
    worse = Reached(verdict="worse", sentence="Worse: complaint.", at_ms=5, numbers=b"{}")
    marked = msgspec.structs.replace(canary(), reached=worse)
    with pytest.raises(HandrailError, match="shown to be worse"):
        lifecycle.promoted(marked, now=9)
    other = msgspec.structs.replace(worse, sentence="later")
    assert lifecycle.rolled_back(marked, now=9, safety=True, reached=other).reached == worse


def test_a_release_that_is_over_becomes_a_draft_anew_without_tests_or_sign_offs() -> None:
    back = lifecycle.rolled_back(canary(), now=9, safety=True)
    again = lifecycle.drafted_again(back, "pe_other", now=10)
    assert (again.state, again.tested, again.sign_offs, again.run) == (State.DRAFT, None, (), 1)
    assert again.version > back.version
    with pytest.raises(HandrailError):
        lifecycle.drafted_again(canary(), "pe_other", now=10)


MOVES: dict[str, Callable[[Rollout], Rollout]] = {
    "test": lambda one: lifecycle.tested(one, GREEN),
    "owner": lambda one: lifecycle.signed(one, PersonId("pe_o"), "owner", needs=RAMP.sign_offs, now=1),
    "compliance": lambda one: lifecycle.signed(one, PersonId("pe_c"), "compliance", needs=RAMP.sign_offs, now=1),
    "start": lambda one: lifecycle.started(one, RAMP, salt=b"s" * 16, control=LIVE, used=frozenset(), now=1),
    "advance": lambda one: lifecycle.advanced(one, now=10**9),
    "freeze": lambda one: lifecycle.froze(one, "why", now=1),
    "thaw": lambda one: lifecycle.thawed(one, now=1),
    "promote": lambda one: lifecycle.promoted(one, now=1),
    "roll back": lambda one: lifecycle.rolled_back(one, now=1, safety=False),
    "retire": lambda one: lifecycle.retired(one, now=1),
}


@pytest.mark.promise("ROL-2")
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=12))
@pytest.mark.promise("CON-REL-21")
def test_in_any_order_of_moves_no_canary_without_green_tests_and_every_sign_off(moves: list[str]) -> None:
    one, done = NEW, []
    for name in moves:
        try:
            after = MOVES[name](one)
        except HandrailError as refused:
            assert refused.code is Code.RELEASE_STATE  # noqa: PT017  most moves are taken; nobody's rights are asked
            continue
        assert after.version == one.version + 1
        one = after
        done.append(name)
        if one.state in (State.CANARY, State.LIVE):
            assert {"test", "owner", "compliance", "start"} <= set(done)
            assert one.tested is not None
            assert one.tested.failed == 0
    if one.state in lifecycle.OVER:
        assert all(_refused(move, one) for move in MOVES.values())


def _refused(move: Callable[[Rollout], Rollout], one: Rollout) -> bool:
    try:
        move(one)
    except HandrailError:
        return True
    return False


@pytest.mark.promise("ROL-3")
def test_the_draw_gives_the_share_keeps_a_unit_and_no_canary_leaves_when_the_share_grows() -> None:
    units = [f"cv_{number}" for number in range(20_000)]
    small = canary()
    large = lifecycle.advanced(small, now=10**9)
    first = {unit: drawn(small, unit, {}) for unit in units}
    canaries = {unit for unit, each in first.items() if each is not None and each.arm is Arm.CANARY}
    assert 0.045 < len(canaries) / len(units) < 0.055
    assert all(drawn(small, unit, {}) == each for unit, each in first.items())
    later = {unit for unit in units if point(large.salt, unit) < 0.5}
    assert canaries <= later


@pytest.mark.promise("ROL-9")
def test_a_new_salt_draws_others() -> None:
    units = [f"cv_{number}" for number in range(20_000)]
    one, other = [
        {unit for unit in units if point(salt, unit) < 0.1} for salt in (b"a" * 16, b"b" * 16)
    ]  # fmt: skip
    assert 0.005 < len(one & other) / len(units) < 0.015


def test_a_pilot_is_seen_by_its_own_and_compared_with_nobody() -> None:
    ramp = Ramp(stages=(Stage(share=1.0, pilot={"agent": "staff"}), Stage(share=0.1)))
    one = lifecycle.started(lifecycle.tested(NEW, GREEN), ramp, salt=b"s" * 16, control=LIVE, used=frozenset(), now=1)
    inside = drawn(one, "cv_1", {"agent": "staff"})
    assert inside is not None
    assert inside.arm is Arm.PILOT
    assert drawn(one, "cv_1", {"agent": "web"}) is None


def test_a_customer_is_drawn_anew_each_week_and_the_hold_out_each_quarter_apart_from_any_rollout() -> None:
    week = 7 * 86_400_000
    names = {unit_of(UnitKind.CUSTOMER_WEEK, "cv_1", "su_1", at) for at in (0, week - 1, week)}
    assert names == {"su_1/0", "su_1/1"}
    assert unit_of(UnitKind.CUSTOMER_WEEK, "cv_1", None, 0) == "cv_1"
    assert (
        quarter_salt("orders", 0) == quarter_salt("orders", 89 * 86_400_000) != quarter_salt("orders", 91 * 86_400_000)
    )
    salt = quarter_salt("orders", 0)
    units = [f"cv_{number}" for number in range(20_000)]
    out = {unit for unit in units if held_out(salt, unit, 0.1)}
    canaries = {unit for unit in units if point(salt, unit) < 0.1}
    assert 0.08 < len(out & canaries) / len(out) < 0.12
