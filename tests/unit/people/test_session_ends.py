"""When a session is over, to the millisecond."""

import pytest

from handrail.people.session import Lengths, Standing, opened, seen, standing
from handrail.terms.ids import PersonId

LENGTHS = Lengths(idle_ms=600_000, most_ms=3_600_000)


@pytest.mark.promise("SGN-1")
def test_who_is_busy_all_the_time_is_out_at_the_last_hour_and_not_before() -> None:
    session, text = opened(PersonId("pe_1"), frozenset(), ("password",), bytes(74), now_ms=0, lengths=LENGTHS)
    for now_ms in range(0, 3_600_000, 60_000):
        session = seen(session, now_ms=now_ms)
        assert standing(session, text, frozenset(), now_ms=now_ms) is Standing.GOOD
    assert standing(session, text, frozenset(), now_ms=3_599_999) is Standing.GOOD
    assert standing(session, text, frozenset(), now_ms=3_600_000) is Standing.GONE


@pytest.mark.promise("SGN-1")
def test_who_did_nothing_is_out_after_the_idle_time_and_not_before() -> None:
    session, text = opened(PersonId("pe_1"), frozenset(), ("password",), bytes(74), now_ms=0, lengths=LENGTHS)
    assert standing(session, text, frozenset(), now_ms=599_999) is Standing.GOOD
    assert standing(session, text, frozenset(), now_ms=600_000) is Standing.GONE
