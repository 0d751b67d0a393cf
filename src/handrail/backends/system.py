"""The real clock and the real source of randomness; the only file that reads them."""

import os
import time

from handrail.terms.ids import ALPHABET

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Ten bits at a time."""


class SystemClock:
    """`terms.clock.Clock` over the operating system."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251  the one place that reads the wall clock

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """`terms.ids.Ids` over the operating system's cryptographic source. Same values as `terms.ids.ulid`, ten bits
    at a time, since the request path makes several. Safe across fork: nothing is buffered."""

    def new(self, prefix: str) -> str:
        now_ms = time.time_ns() // 1_000_000  # noqa: TID251  the one place that reads the wall clock
        value = now_ms << 80 | int.from_bytes(os.urandom(10), "big")
        pairs = _PAIRS
        return (
            f"{prefix}_{pairs[value >> 120]}{pairs[value >> 110 & 1023]}{pairs[value >> 100 & 1023]}"
            f"{pairs[value >> 90 & 1023]}{pairs[value >> 80 & 1023]}{pairs[value >> 70 & 1023]}"
            f"{pairs[value >> 60 & 1023]}{pairs[value >> 50 & 1023]}{pairs[value >> 40 & 1023]}"
            f"{pairs[value >> 30 & 1023]}{pairs[value >> 20 & 1023]}{pairs[value >> 10 & 1023]}{pairs[value & 1023]}"
        )

    def token(self, size: int) -> bytes:
        return os.urandom(size)
