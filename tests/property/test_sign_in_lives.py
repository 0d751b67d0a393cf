"""A session in any order of events, and waiting in any order of tries."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.people.lockout import FORGOTTEN_MS, FREE, MOST_MS, Failures, failed, is_told, wait_ms
from handrail.people.role import Role
from handrail.people.session import (
    GRACE_MS,
    Lengths,
    Session,
    Standing,
    confirmed,
    is_fresh,
    opened,
    seen,
    standing,
    turned,
)
from handrail.terms.ids import PersonId


def spread(number: int, size: int) -> bytes:
    """Bytes that differ for each number."""
    return hashlib.shake_256(str(number).encode()).digest(size)


LENGTHS = Lengths(idle_ms=600_000, most_ms=3_600_000, fresh_ms=300_000)
ROLES = (frozenset({Role.STAFF}), frozenset({Role.STAFF, Role.APPROVER}))
GAPS = st.sampled_from(
    [0, 1, 1_000, GRACE_MS - 1, GRACE_MS, 59_999, 60_000, 299_999, 300_000, 599_999, 600_000, 3_599_999]
)
STEPS = st.lists(st.tuples(st.sampled_from(["ask", "roles", "confirm", "old", "stranger"]), GAPS), max_size=25)


@pytest.mark.promise("SGN-1")
@pytest.mark.promise("SGN-2")
@given(STEPS)
def test_in_any_order_of_events_a_session_serves_only_its_latest_secret_and_only_in_its_time(
    steps: list[tuple[str, int]],
) -> None:
    now, made = 1_000_000, 0
    session, text = opened(PersonId("pe_a"), ROLES[0], ("password",), spread(0, 74), now_ms=now, lengths=LENGTHS)
    begun, last_asked, authenticated, roles, past = now, now, now, ROLES[0], [("", -1)]
    over = False
    for what, gap in steps:
        now += gap
        over = over or now >= begun + LENGTHS.most_ms or now >= session.seen_at + LENGTHS.idle_ms
        if what == "roles":
            roles = ROLES[1] if roles == ROLES[0] else ROLES[0]
        elif what == "stranger":
            assert (
                standing(session, text[:-5] + ("AAAAA" if text[-5:] != "AAAAA" else "BBBBB"), roles, now_ms=now)
                is Standing.GONE
            )
        elif what == "old":
            old, until = past[-1]
            good = standing(session, old, roles, now_ms=now)
            assert (good is Standing.GOOD) == (bool(old) and not over and now < until)
            for older, _ in past[:-1]:
                assert standing(session, older, roles, now_ms=now) is Standing.GONE
        else:
            stands = standing(session, text, roles, now_ms=now)
            assert (stands is Standing.GONE) == over
            if over:
                continue
            assert (stands is Standing.TURN) == (frozenset(session.roles) != roles)
            if what == "confirm":
                session, authenticated = confirmed(session, ("password",), now_ms=now), now
            if stands is Standing.TURN or what == "confirm":
                made += 1
                past.append((text, now + GRACE_MS))
                session, text = turned(session, roles, spread(made, 32), now_ms=now)
            session = seen(session, now_ms=now)
            last_asked = now
        assert session.ends_at == begun + LENGTHS.most_ms
        assert session.seen_at <= last_asked
        assert is_fresh(session.authenticated_at, now_ms=now, lengths=LENGTHS) == (now - authenticated < 300_000)


@given(st.integers(0, 10**9))
def test_what_is_stored_does_not_hold_the_secret(number: int) -> None:
    randomness, later = spread(number, 74), spread(number + 1, 32)
    session, text = opened(PersonId("pe_a"), ROLES[0], (), randomness, now_ms=1, lengths=LENGTHS)
    again, other = turned(session, ROLES[0], later, now_ms=2)
    for kept in (session, again):
        assert text.split("_", 2)[2] not in repr(kept)
        assert other.split("_", 2)[2] not in repr(kept)
    assert isinstance(again, Session)


TRIES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 1, 999, 1_000, 30_000, MOST_MS, FORGOTTEN_MS])), max_size=80
)


@pytest.mark.promise("SGN-4")
@given(TRIES)
def test_in_any_order_of_tries_a_wait_is_a_minute_at_most_and_guesses_are_few(tries: list[tuple[bool, int]]) -> None:
    now, kept = 1_000_000, None
    looked_at: list[int] = []
    told = 0
    for right, gap in tries:
        now += gap
        wait = wait_ms(kept, now_ms=now)
        assert 0 <= wait <= MOST_MS
        if wait:
            assert wait_ms(kept, now_ms=now + wait) == 0  # after it the next one is looked at
            continue
        if right:
            kept = None
            looked_at = []
            continue
        kept = failed(kept, "mail:x", now_ms=now)
        looked_at.append(now)
        told += is_told(kept.count)
        assert kept.count <= len(looked_at)
        hour = [at for at in looked_at if at > now - FORGOTTEN_MS]
        assert len(hour) <= FREE + 6 + 60 + 1  # five, the doubling, then one a minute
    assert told <= 8 * (1 + sum(gap == FORGOTTEN_MS or right for right, gap in tries))


def test_a_clock_that_went_back_makes_nobody_wait_longer_than_a_minute_and_nothing_fresh() -> None:
    kept = Failures(id="x", count=50, last_at=10_000_000, ends_at=20_000_000)
    assert wait_ms(kept, now_ms=1) == MOST_MS
    assert not is_fresh(10_000, now_ms=9_999, lengths=LENGTHS)


@pytest.mark.promise("SGN-4")
@given(st.integers(1, 400))
def test_after_however_many_wrong_tries_the_next_is_looked_at_within_a_minute(many: int) -> None:
    kept = None
    for _ in range(many):
        kept = failed(kept, "mail:x", now_ms=1_000)
    wait = wait_ms(kept, now_ms=1_000)
    assert (wait > 0) == (many >= FREE)
    assert wait <= MOST_MS
    assert wait_ms(kept, now_ms=1_000 + wait) == 0
