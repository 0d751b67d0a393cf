"""What a figure is held to: the rates that the same hours of its own past allow, and whether it is above them; pure.

One rule for every place that shows a figure beside its usual range. It raises nothing and stops nothing: the promise of
rare false alarms is the drift detector's (`watch.series`), which weighs each minute since its past was learnt.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from handrail.watch.clock import hour_of_week
from handrail.watch.drift import at_least
from handrail.watch.measure import HOUR_MS, SIZES, Counts, band
from handrail.watch.metrics import SHARES
from handrail.watch.series import Series

RARE = 0.05
"""How rarely chance alone may give so many cases at the top of the range before a figure counts as outside."""


class Place(StrEnum):
    """Where a figure stands beside its own past."""

    UNKNOWN = "unknown"  # the past is not learnt yet, or nothing was counted
    WITHIN = "within"
    CHANCE = "chance"  # higher, and chance explains it
    ABOVE = "above"


class Rate(NamedTuple):
    """`bad` of `cases`."""

    bad: int
    cases: int

    @property
    def share(self) -> float:
        """0 without cases."""
        return self.bad / self.cases if self.cases else 0.0


def rate_of(metric: str, counts: Counts, limit: int | None = None) -> Rate:
    """What the detector counts of a metric. `limit`: of an amount, what counts as too much; without it nothing is
    bad, since nobody knows yet. An amount is counted in bands, and the limit is the top of one."""
    if metric == "held":
        return Rate(counts["action.hold"], counts["actions"])
    if metric not in SIZES:
        return Rate(counts[metric], counts[SHARES.get(metric, "conversations")])
    sign = f"{metric}/"
    bands = [(int(name[len(sign) :]), count) for name, count in counts.items() if name.startswith(sign)]
    over = 0 if limit is None else sum(count for number, count in bands if number > band(limit))
    return Rate(over, sum(count for _, count in bands))


def held_to(past: Series | None, cases: Mapping[int, int]) -> float | None:
    """The highest usual rate of these hours together. `cases`: by hour since 1970; an hour weighs by its cases, so that
    a busy morning is held to what mornings are. None: nothing is learnt."""
    if past is None or past.learnt_ms is None or not past.bounds:
        return None
    whole = sum(cases.values())
    if not whole:
        return sum(past.bounds) / len(past.bounds)
    held = sum(past.bounds[hour_of_week(hour * HOUR_MS, past.zone)] * count for hour, count in cases.items())
    return held / whole


def held_at(past: Series | None, hours: Iterable[int]) -> float | None:
    """The mean of these hours (since 1970), whatever was counted in them: for a band behind a line."""
    return held_to(past, dict.fromkeys(hours, 1))


def place(rate: Rate, usual: float | None) -> Place:
    """Beside the top of its usual range."""
    if usual is None or not rate.cases:
        return Place.UNKNOWN
    if rate.share <= usual:
        return Place.WITHIN
    return Place.ABOVE if at_least(rate.bad, rate.cases, usual) < RARE else Place.CHANCE
