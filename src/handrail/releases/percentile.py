"""Where a value stands among those of the past: a table of quantiles, and the percentile it gives; pure.

What is judged by its percentile is compared as a distribution ("slower"), not as a mean, so a few endless calls neither
hide a shift nor make one. The table is fixed before the first unit; it is the same for both arms, and a past that no
longer fits costs speed, never validity. Source: rollback statistics, rule 7.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

STEPS = 128
"""Of the table, which has one value more; as many as a score's interval is read in."""
SPREAD = math.sqrt(1 / 12)
"""Standard deviation of a percentile of the same distribution; its mean is one half."""


def quantiles(values: Sequence[float]) -> tuple[float, ...]:
    """The table of a past, ascending: the smallest value, the largest, and `STEPS - 1` between. The table of a table is
    the table itself. Raises ValueError without a value, or for one that is no number."""
    ordered = sorted(values)
    if not ordered or not all(map(math.isfinite, ordered)):
        raise ValueError("a past needs values, each a finite number")
    last = len(ordered) - 1
    return tuple(_between(ordered, at * last, STEPS) for at in range(STEPS + 1))


def _between(ordered: Sequence[float], at: int, of: int) -> float:
    """The value at the place `at / of`, whole places exactly."""
    place, rest = divmod(at, of)
    if not rest:
        return ordered[place]
    low, high = ordered[place], ordered[place + 1]
    return low + (high - low) * (rest / of)


def percentile(table: Sequence[float], value: float) -> float:
    """Share of the past below a value, in [0, 1]; of values that were usual exactly so, the middle of theirs."""
    below, upto = bisect_left(table, value), bisect_right(table, value)
    last = len(table) - 1
    if below < upto:
        return (below + upto - 1) / 2 / last if last else 0.5
    if below == 0:
        return 0.0
    if below > last:
        return 1.0
    low, high = table[below - 1], table[below]
    return (below - 1 + (value - low) / (high - low)) / last
