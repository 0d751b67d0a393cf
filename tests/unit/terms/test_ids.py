"""Ids sort by time and never collide for different randomness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.terms.ids import made_at_ms, ulid

MS = st.integers(0, 2**48 - 1)
TEN = st.binary(min_size=10, max_size=10)


@pytest.mark.promise("FRM-2")
@given(MS, MS, TEN, TEN)
def test_ids_made_later_sort_later(a: int, b: int, x: bytes, y: bytes) -> None:
    if a < b:
        assert ulid(a, x) < ulid(b, y)


@given(MS, TEN, TEN)
def test_ids_differ_exactly_when_their_randomness_differs(now: int, x: bytes, y: bytes) -> None:
    assert (ulid(now, x) == ulid(now, y)) == (x == y)


@given(MS, TEN)
def test_an_id_tells_when_it_was_made(now: int, x: bytes) -> None:
    assert made_at_ms(f"en_{ulid(now, x)}") == now
