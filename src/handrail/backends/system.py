"""The real clock and the real source of randomness; the only file that reads them."""

import os
import time

from handrail.terms.ids import ALPHABET

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Ten bits at a time."""
_LETTERS = (ALPHABET * 8).encode()
"""A letter for each byte: each of them for eight bytes, so that random bytes make letters that are as random."""
_RANDOM = 16  # letters of an id that are random
_AT_ONCE = 64
"""Ids whose random letters are drawn together. Each draw gives up the interpreter lock, and takes far longer when
another thread waits for that than to draw."""

_drawn: list[str] = []
"""Random letters that no id has yet; each is taken out once. A child begins with none, or it would make its parent's
ids."""
os.register_at_fork(after_in_child=_drawn.clear)


def _letters() -> str:
    """Sixteen random letters, 80 bits, that were never given before. From any thread: taking out is one step."""
    try:
        return _drawn.pop()
    except IndexError:
        fresh = os.urandom(_AT_ONCE * _RANDOM).translate(_LETTERS).decode("ascii")
        _drawn.extend([fresh[at : at + _RANDOM] for at in range(_RANDOM, len(fresh), _RANDOM)])
        return fresh[:_RANDOM]


class SystemClock:
    """`terms.clock.Clock` over the operating system."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251  the one place that reads the wall clock

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """`terms.ids.Ids` over the operating system's cryptographic source: ids of the form of `terms.ids.ulid`. Safe
    across fork and threads."""

    def __init__(self) -> None:
        self._second = (-1, "")  # 1,024 ms, and how they are written

    def new(self, prefix: str) -> str:
        now_ms = time.time_ns() // 1_000_000  # noqa: TID251  the one place that reads the wall clock
        at, written = self._second
        if now_ms >> 10 != at:
            at = now_ms >> 10
            written = f"{_PAIRS[at >> 30]}{_PAIRS[at >> 20 & 1023]}{_PAIRS[at >> 10 & 1023]}{_PAIRS[at & 1023]}"
            self._second = (at, written)
        return f"{prefix}_{written}{_PAIRS[now_ms & 1023]}{_letters()}"

    def token(self, size: int) -> bytes:
        return os.urandom(size)
