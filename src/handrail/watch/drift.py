"""Has a rate become worse than its own past? The e-Shiryaev-Roberts statistic; pure.

No control arm is needed, so it answers for what already runs: it pages and stops ramps, and rolls nothing back by
itself. With a baseline that the past rate does not exceed, false alarms are at least `wanted` cases apart on average.
Source: the statistics of rollback of the design, formula (5).
"""

import math

import msgspec

RISKS = (1.15, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Times the baseline that are looked for, with equal money."""
HIGHEST = 0.95
MOST = 1e150
"""An amount stands here: far above every alarm, and a number that can be stored (infinity cannot)."""
_MOST_LOG = 300.0
HOURS = 168
"""Of a week: a rate that follows the hour has a baseline for each."""


class Drift(msgspec.Struct, frozen=True):
    """`amounts`: of the statistic, one per risk."""

    amounts: tuple[float, ...] = (0.0,) * len(RISKS)

    @property
    def value(self) -> float:
        """The mean; an alarm when it reaches the wanted number of cases between false alarms."""
        return sum(self.amounts) / len(RISKS)


def after(before: Drift, bad: bool, baseline: float) -> Drift:
    """After one more case. `baseline`: upper bound of the past rate at this hour, in (0, 1)."""
    factors = _factors(baseline)[bad]
    grown = [min((1.0 + amount) * factor, MOST) for amount, factor in zip(before.amounts, factors, strict=True)]
    return Drift(tuple(grown))


def after_minute(before: Drift, bad: int, cases: int, baseline: float) -> Drift:
    """After a minute's counts: one bet on the minute as a whole. The order of cases within it is not known, and no
    order may be made up: failures taken last let an ordinary minute of 100 cases alarm. With n cases at the baseline
    the amounts grow by n on average, whatever they are, so that cases between false alarms stay as many as promised."""
    good, poor = _factors(baseline)
    grown = []
    for amount, held, failed in zip(before.amounts, good, poor, strict=True):
        log = bad * math.log(failed) + (cases - bad) * math.log(held)
        grown.append(min((amount + cases) * math.exp(min(log, _MOST_LOG)), MOST))
    return Drift(tuple(grown))


def after_one_of(before: tuple[Drift, ...], which: int, baselines: tuple[float, ...]) -> tuple[Drift, ...]:
    """After one more case that is of one kind of several, such as an intent: the share of each kind is compared with
    its own baseline. An alarm when `mixed` reaches the wanted number of cases."""
    return tuple([after(one, at == which, baselines[at]) for at, one in enumerate(before)])


def mixed(kinds: tuple[Drift, ...]) -> float:
    """The mean over all kinds, so that their number is paid for."""
    return sum(one.value for one in kinds) / len(kinds)


def upper_bound(bad: int, cases: int, level: float = 0.95) -> float:
    """Upper limit of a past rate: the quantile of Beta(bad + 1, cases - bad) (Clopper and Pearson 1934). 1.0 without
    cases, so nothing alarms."""
    if bad >= cases:
        return 1.0
    low, high = bad / cases, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _beta_cdf(bad + 1, cases - bad, middle) < level:
            low = middle
        else:
            high = middle
    return high


def at_least(bad: int, cases: int, rate: float) -> float:
    """How likely so many or more of `cases` are bad where each is with this chance, independently: the upper tail of
    the binomial distribution, by the beta function (DLMF 8.17.5)."""
    return 1.0 if bad <= 0 else _beta_cdf(bad, cases - bad + 1, rate)


POOLED = 1_000
"""Cases of like hours before they make a baseline together."""


class Baseline(msgspec.Struct, frozen=True):
    """Past counts per hour of the week, `HOURS` of each. `floor`: cases of an hour before its own rate is used. The
    others share that of the hours most like them that have `POOLED` cases between them: the same hour on days of work
    or of the weekend, the same quarter of their days, of all days, all hours. A rate that follows the day keeps its
    promise so also where a week is no more than some thousand cases."""

    bad: tuple[int, ...]
    cases: tuple[int, ...]
    floor: int = 200

    def at(self, hour: int) -> float:
        """The bound at an hour of the week, 0 to 167, Monday first."""
        if self.cases[hour] >= self.floor:
            return _open(upper_bound(self.bad[hour], self.cases[hour]))
        for like in _like(hour):
            bad, cases = self._of([one for one in like if self.cases[one] < self.floor])
            if cases >= POOLED:
                return _open(upper_bound(bad, cases))
        return _open(upper_bound(bad, cases))

    def bounds(self) -> tuple[float, ...]:
        """Of all hours."""
        return tuple([self.at(hour) for hour in range(HOURS)])

    def _of(self, hours: list[int]) -> tuple[int, int]:
        return sum([self.bad[one] for one in hours]), sum([self.cases[one] for one in hours])


def _like(hour: int) -> list[list[int]]:
    """Hours of the week that are like one, the most alike first, all hours last."""
    day, of_day = divmod(hour, 24)
    days = range(5) if day < 5 else range(5, 7)

    def block(of: range, wide: int) -> list[int]:
        first = of_day // wide * wide
        return [24 * one + each for one in of for each in range(first, first + wide)]

    return [block(days, 1), block(days, 3), block(days, 6), block(range(7), 6), list(range(HOURS))]


def _open(bound: float) -> float:
    """Kept off the ends, where nothing could be bet."""
    return min(max(bound, 1e-6), 0.94)


_KNOWN: dict[float, tuple[tuple[float, ...], tuple[float, ...]]] = {}
"""Factors by baseline, good cases first; at most one per hour and metric, emptied when it grows past `_MOST`."""
_MOST = 4096


def _factors(baseline: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    found = _KNOWN.get(baseline)
    if found is None:
        rates = [min(risk * baseline, HIGHEST) for risk in RISKS]
        found = (
            tuple((1 - rate) / (1 - baseline) for rate in rates),
            tuple(rate / baseline for rate in rates),
        )
        if len(_KNOWN) >= _MOST:
            _KNOWN.clear()
        _KNOWN[baseline] = found
    return found


def _beta_cdf(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function, by its continued fraction (DLMF 8.17.22), evaluated by Lentz's method."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_cdf(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 + term * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + term / c
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return front * value
