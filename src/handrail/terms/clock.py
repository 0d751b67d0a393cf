"""Time as an argument. State moves read `now` inside their own transaction; everything else asks a Clock."""

from typing import Protocol


class Clock(Protocol):
    """`backends.system` in production, hand-set in tests."""

    def now_ms(self) -> int:
        """Unix time in milliseconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back. For durations and deadlines."""
        ...
