"""Did the draw give canaries as often as it says? Bets on the label alone, on both sides; pure but for its counts.

A wrong share makes every comparison wrong, so it stops the ramp and calls a person; it never rolls back.
"""

import math

LIMIT = math.log(1000)
"""One false alarm in 1,000 releases, however often one looks."""
BETS = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)
"""Factors are `1 + bet (A - share)`."""


class ShareCheck:
    """`wrong_at`: ordinal from 1 of the unit that showed it; None: not shown. It stays."""

    __slots__ = ("_logs", "_steps", "units", "wrong_at")

    def __init__(self) -> None:
        self._logs = [0.0] * len(BETS)
        self._steps: dict[tuple[float, bool], list[float]] = {}
        self.units = 0
        self.wrong_at: int | None = None

    def fold(self, share: float, *, canary: bool) -> None:
        steps = self._steps.get((share, canary))
        if steps is None:
            moved = (1.0 if canary else 0.0) - share
            steps = [math.log1p(bet * moved) for bet in BETS]
            self._steps[(share, canary)] = steps
        self.units += 1
        self._logs = list(map(float.__add__, self._logs, steps))
        if self.wrong_at is None and max(self._logs) >= LIMIT and self.log_e() >= LIMIT:
            self.wrong_at = self.units

    def log_e(self) -> float:
        most = max(self._logs)
        return most + math.log(sum(math.exp(one - most) for one in self._logs) / len(BETS))
