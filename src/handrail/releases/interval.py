"""How much the mean of a score differs between canary and control, valid at any time of looking; pure.

Each difference that the bets `1 + lambda ((A - share)(Y - mean) - share (1 - share) difference)` do not speak against
is kept. Scores are read from a histogram, so the limits are moved outwards by half a bin.
"""

import math
from collections.abc import Iterator

from handrail.releases.bets import MONEY, SHIFTS, mixed
from handrail.releases.evidence import LEVELS, Evidence

_STEPS = 40


def score_interval(evidence: Evidence, alpha: float) -> tuple[float, float] | None:
    """Lower and upper limit of mean(canary) - mean(control), at level 1 - alpha. None: an arm has no unit."""
    canary, canary_mean, control, control_mean = evidence.arms()
    if not canary or not control:
        return None
    groups = [one for one in _groups(evidence) if one[3]]
    limit = math.log(2 / alpha)
    seen = min(max(canary_mean - control_mean, -1.0), 1.0)
    half = 0.5 / LEVELS
    low = _limit(groups, 1.0, limit, seen, -1.0)
    high = _limit(groups, -1.0, limit, seen, 1.0)
    return max(low - half, -1.0), min(high + half, 1.0)


_Group = tuple[float, tuple[float, ...], list[tuple[float, int]], int]
"""Share, sizes of the bets, what (A - share)(Y - mean) was how often, units."""


def _groups(evidence: Evidence) -> Iterator[_Group]:
    for segment, counts in evidence.segments.items():
        reference, _ = evidence.known(segment.epoch, segment.share)
        share, mean = segment.share, reference.mean
        most = 0.9 / (max(share, 1 - share) * max(mean, 1 - mean) + share * (1 - share))
        bets = tuple(min(shift / reference.sd, most) for shift in SHIFTS)
        seen = [
            ((1 - share if at < LEVELS else -share) * ((at % LEVELS + 0.5) / LEVELS - mean), times)
            for at, times in enumerate(counts.levels)
            if times
        ]
        yield share, bets, seen, counts.canary + counts.control


def _limit(groups: list[_Group], side: float, limit: float, inside: float, outside: float) -> float:
    """The last difference towards `outside` that is kept. The evidence grows in that direction."""
    if _against(groups, side, outside) < limit:
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if _against(groups, side, middle) >= limit:
            outside = middle
        else:
            inside = middle
    return outside


def _against(groups: list[_Group], side: float, difference: float) -> float:
    logs = [0.0] * len(MONEY)
    for share, bets, seen, _ in groups:
        owed = share * (1 - share) * difference
        for at, bet in enumerate(bets):
            logs[at] += sum(times * math.log1p(side * bet * (one - owed)) for one, times in seen)
    return mixed(logs)
