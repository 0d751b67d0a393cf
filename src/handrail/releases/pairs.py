"""Pairs: the same task, once with the canary and once with the control. Bets on the difference within a pair, so what
makes tasks hard cancels, and verdicts come with fewer of them.

Under "not worse" the difference Y(canary) - Y(control) has mean at most 0 whatever the task, and each factor
`1 + bet (Y(canary) - Y(control))` mean at most 1.
"""

import math
from collections.abc import Mapping

from handrail.policy.ramp import Bets
from handrail.releases.bets import mixed

BETS = (0.1, 0.3, 0.5, 0.7, 0.9)
MONEY_FOR = {Bets.ANY: (0.2,) * len(BETS), Bets.LARGE: (0.03, 0.05, 0.30, 0.40, 0.22)}
"""On each, for what was declared before the first pair; any weights are valid, as those of single units are."""
_EVEN = (1 / len(BETS),) * len(BETS)
_LIMIT = math.log(2 / 0.05)
LEVELS = 256
"""Steps of a difference, for its interval."""
_HALF = 0.5 / LEVELS


class Pairs:
    """Evidence of one metric. `logs`: per bet, that the canary is worse; `gains`: that it is better. `money`: on each
    bet. Mutable."""

    __slots__ = ("_levels", "canary", "control", "gains", "logs", "money", "pairs")

    def __init__(self, money: tuple[float, ...] = _EVEN) -> None:
        self.money = money
        self.logs, self.gains = [0.0] * len(BETS), [0.0] * len(BETS)
        self.pairs = 0
        self._levels: dict[float, int] = {}
        self.canary = self.control = 0.0

    def fold(self, canary: float, control: float) -> None:
        """Outcomes in [0, 1], larger is worse."""
        difference = canary - control
        self.pairs += 1
        self.canary += canary
        self.control += control
        level = round(difference * LEVELS) / LEVELS
        self._levels[level] = self._levels.get(level, 0) + 1
        for at, bet in enumerate(BETS):
            self.logs[at] += math.log1p(bet * difference)
            self.gains[at] += math.log1p(-bet * difference)

    def log_e(self) -> float:
        """Logarithm of the evidence that the canary is worse."""
        return mixed(self.logs, self.money)

    def log_gain(self) -> float:
        """Of the evidence that it is better."""
        return mixed(self.gains, self.money)

    def interval(self) -> tuple[float, float] | None:
        """Of the mean difference, valid at any time of looking, at 95 %. None: no pair."""
        if not self.pairs:
            return None
        mean = (self.canary - self.control) / self.pairs
        return max(self._limit(1.0, mean, -1.0) - _HALF, -1.0), min(self._limit(-1.0, mean, 1.0) + _HALF, 1.0)

    def _limit(self, side: float, inside: float, outside: float) -> float:
        """The last mean towards `outside` that the bets do not speak against."""
        if self._against(side, outside) < _LIMIT:
            return outside
        for _ in range(40):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if self._against(side, middle) >= _LIMIT else (middle, outside)
        return outside

    def _against(self, side: float, mean: float) -> float:
        logs = [
            sum(
                times * math.log1p(side * bet / (1 + abs(mean)) * (level - mean))
                for level, times in self._levels.items()
            )
            for bet in BETS
        ]
        return mixed(logs, _EVEN)


def combined(metrics: Mapping[str, Pairs], weights: tuple[float, ...]) -> float:
    """Logarithm of the weighted mean of the metrics' evidence."""
    return mixed([one.log_e() for one in metrics.values()], weights)
