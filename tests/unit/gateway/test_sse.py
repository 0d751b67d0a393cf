"""Events of a stream that comes in very small pieces."""

import time

import pytest

from handrail.gateway.sse import MAX_EVENT, Events
from handrail.terms.errors import Code, HandrailError


def fed(data: bytes, size: int) -> list[bytes]:
    events = Events()
    return [event for at in range(0, len(data), size) for event in events.feed(data[at : at + size])]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 4_000])
def test_an_end_is_seen_wherever_it_is_cut(end: bytes, size: int) -> None:
    data = b"data: " + b"a\n" * 1_500 + b"b" + end + b"data: c" + end
    assert b"".join(fed(data, size)) == data
    assert len(fed(data, size)) == 2


def test_a_large_event_in_small_pieces_costs_no_square() -> None:
    data = b"data: " + b"x" * (MAX_EVENT - 100) + b"\n\n"
    began = time.process_time()
    assert fed(data, 512) == [data]
    assert time.process_time() - began < 2.0  # put together anew for each piece it takes fifteen seconds


def test_an_event_that_grows_too_large_in_small_pieces_is_refused() -> None:
    with pytest.raises(HandrailError) as error:
        fed((b"x" * 999 + b"\n") * (MAX_EVENT // 1_000 + 2), 1_000)
    assert error.value.code is Code.UPSTREAM_INVALID
