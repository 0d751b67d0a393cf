"""What the units so far say about one metric: counts per segment, and the evidence they add up to.

A segment never mixes shares, stages, bets or restarts, so counts of several processes add up by segment, in any order,
to the same evidence to the last bit (scores too: their logarithms are whole numbers). Half of the money is on the whole
life of a release, the rest on later starts, so that a model that turns bad half way is found soon.
"""

import math

import msgspec

from handrail.releases.bets import (
    BELOW,
    MONEY,
    SCALE,
    Cells,
    Kind,
    Reference,
    binary,
    cells,
    lean,
    mixed,
    score,
)

FIRST = 8
"""Units before a reference that nobody declared is first learnt; then again whenever as many more have come."""
LEVELS = 128
"""Bins of a score, for its interval."""
_PRIOR_MEAN, _PRIOR_UNITS = 0.2, 2.0


class Segment(msgspec.Struct, frozen=True, order=True):
    """`window`: later starts before it. `epoch`: how often the reference had been learnt anew; 0 where it is
    declared. `stage` as the caller calls it."""

    epoch: int
    window: int
    stage: str
    share: float


class Counts(msgspec.Struct):
    """Of one segment, units with an outcome. For a score `*_bad` are empty, `leans` the summed logarithms per bet and
    `levels` its histogram, canary's first."""

    canary_bad: int = 0
    control_bad: int = 0
    canary: int = 0
    control: int = 0
    leans: tuple[int, ...] = (0,) * len(MONEY)
    canary_sum: int = 0
    control_sum: int = 0
    squares: int = 0
    levels: list[int] = []


def epoch_of(unit: int) -> int:
    """Epoch of the unit with this ordinal, from 0."""
    return max(0, (unit // FIRST).bit_length())


class Evidence:
    """Of one metric. `declared`: its reference; None: learnt from both arms together, from earlier epochs only, so it
    stays a bet made before the outcome is seen. `starts`: later starts (0: none). `money`: on each bet. Mutable; one
    owner."""

    __slots__ = ("_closed", "_kind", "_known", "declared", "money", "segments", "starts")

    def __init__(
        self, kind: Kind, declared: Reference | None = None, *, starts: int = 0, money: tuple[float, ...] = MONEY
    ) -> None:
        self.declared, self.starts, self.money, self._kind = declared, starts, money, kind
        self.segments: dict[Segment, Counts] = {}
        self._known: dict[tuple[int, float], tuple[Reference, Cells]] = {}
        self._closed: _Closed | None = None

    @property
    def kind(self) -> Kind:
        return self._kind

    def fold(self, segment: Segment, *, canary: bool, outcome: float) -> None:
        """One matured unit with an outcome in [0, 1], larger is worse; exactly 0 or 1 for a binary metric."""
        counts = self.segments.get(segment)
        if counts is None:
            counts = self.segments[segment] = Counts()
        if self._closed is not None and self._closed.open != segment:
            self._closed = None
        if canary:
            counts.canary += 1
        else:
            counts.control += 1
        if self._kind is Kind.BINARY:
            if outcome:
                if canary:
                    counts.canary_bad += 1
                else:
                    counts.control_bad += 1
            return
        self._fold_score(counts, segment, canary, outcome)

    def _fold_score(self, counts: Counts, segment: Segment, canary: bool, outcome: float) -> None:
        reference, _ = self.known(segment.epoch, segment.share)
        leant = lean(reference, segment.share, canary, outcome)
        counts.leans = tuple(map(int.__add__, counts.leans, leant))
        whole = round(outcome * SCALE)
        if canary:
            counts.canary_sum += whole
        else:
            counts.control_sum += whole
        counts.squares += round(outcome * outcome * SCALE)
        if not counts.levels:
            counts.levels = [0] * (2 * LEVELS)
        counts.levels[min(int(outcome * LEVELS), LEVELS - 1) + (0 if canary else LEVELS)] += 1

    def put(self, segment: Segment, counts: Counts) -> None:
        """A segment counted elsewhere, whole."""
        self.segments[segment] = counts
        self._closed = None

    def known(self, epoch: int, share: float) -> tuple[Reference, Cells]:
        """The reference of an epoch, and its factors at a share."""
        found = self._known.get((epoch, share))
        if found is None:
            reference = self.declared or self._learnt(epoch)
            found = self._known[(epoch, share)] = (reference, cells(reference, share))
        return found

    def clear(self) -> None:
        """Nothing is counted any more; what was learnt stays."""
        self.segments.clear()
        self._closed = None

    def _learnt(self, epoch: int) -> Reference:
        earlier = [counts for segment, counts in self.segments.items() if segment.epoch < epoch]
        units = sum(one.canary + one.control for one in earlier)
        if self._kind is Kind.BINARY:
            bad = sum(one.canary_bad + one.control_bad for one in earlier)
            return binary((bad + _PRIOR_MEAN * _PRIOR_UNITS) / (units + _PRIOR_UNITS))
        if units < FIRST // 2:
            return score(0.5, math.sqrt(1 / 12))  # of a percentile: the widest that is usual
        mean = sum(one.canary_sum + one.control_sum for one in earlier) / SCALE / units
        return score(mean, math.sqrt(max(sum(one.squares for one in earlier) / SCALE / units - mean * mean, 0.0)))

    def add(self, other: "Evidence") -> None:
        """Take in what another process counted. Raises ValueError for a score whose reference was not declared: its
        bets would depend on what each of them had seen."""
        if self._kind is not other._kind or (self.declared, self.starts, self.money) != (
            other.declared, other.starts, other.money,
        ):  # fmt: skip
            raise ValueError("only evidence of the same metric and plan can be added up")
        if self._kind is Kind.SCORE and self.declared is None:
            raise ValueError("declare the reference of a score that several processes count")
        for segment, theirs in other.segments.items():
            mine = self.segments.setdefault(segment, Counts())
            self.segments[segment] = _added(mine, theirs)
        self._known.clear()
        self._closed = None

    def log_e(self, window: int = 0) -> float:
        """Logarithm of the evidence that the canary is worse. `window`: how many later starts have begun by now."""
        closed = self._closed
        if closed is None or closed.window != window:
            closed = self._closed = self._close(min(window, self.starts))
        logs = closed.logs
        if closed.open is not None:
            logs = list(map(float.__add__, logs, self._logs_of(closed.open, self.segments[closed.open])))
        return mixed([*logs, 0.0], closed.money) if closed.rest else mixed(logs, closed.money)

    def _close(self, window: int) -> "_Closed":
        """Everything but the newest segment, once for all: what later starts keep is a constant for each bet."""
        newest = max(self.segments, default=None)
        total = [0.0] * len(MONEY)
        until = [[0.0] * len(MONEY) for _ in range(window)]
        for segment in sorted(self.segments):
            logs = self._logs_of(segment, self.segments[segment])
            if segment != newest:
                total = list(map(float.__add__, total, logs))
            for start in range(segment.window, window):  # start number `start + 1` begins after this window
                until[start] = list(map(float.__add__, until[start], logs))
        if not self.starts:
            return _Closed(newest, total, self.money, 0.0, window)
        later = 0.5 / self.starts
        begun = [math.log(0.5)] * len(MONEY)
        for before in until:
            begun = [_either(one, math.log(later) - there) for one, there in zip(begun, before, strict=True)]
        rest = later * (self.starts - window)
        logs = list(map(float.__add__, total, begun))
        return _Closed(newest, logs, (*self.money, rest) if rest else self.money, rest, window)

    def _logs_of(self, segment: Segment, counts: Counts) -> list[float]:
        if self._kind is Kind.SCORE:
            return [leant / SCALE for leant in counts.leans]
        _, of = self.known(segment.epoch, segment.share)
        canary_bad, control_bad = counts.canary_bad, counts.control_bad
        canary_good, control_good = counts.canary - canary_bad, counts.control - control_bad
        return [
            canary_bad * a + control_bad * b + canary_good * c + control_good * d
            for a, b, c, d in zip(of.canary_bad, of.control_bad, of.canary_good, of.control_good, strict=True)
        ]

    def stages(self) -> tuple[tuple[float, int, int], ...]:
        """Share, canary's failures, failures of both, for each share."""
        found: dict[float, list[int]] = {}
        for segment, counts in self.segments.items():
            sums = found.setdefault(segment.share, [0, 0])
            sums[0] += counts.canary_bad
            sums[1] += counts.canary_bad + counts.control_bad
        return tuple((share, canary, both) for share, (canary, both) in sorted(found.items()))

    def arms(self) -> tuple[int, float, int, float]:
        """Units and mean outcome of the canary, then of the control, to be shown. The control's mean is that of its
        shares, weighted as the canary's units are: pooled plainly, rates that change between stages would make a worse
        canary look better. A share that lacks an arm is left out of both means, unless every share does."""
        sums: dict[float, list[float]] = {}
        for segment, one in self.segments.items():
            kept = sums.setdefault(segment.share, [0.0, 0.0, 0.0, 0.0])
            if self._kind is Kind.BINARY:
                bad: tuple[float, float] = one.canary_bad, one.control_bad
            else:
                bad = one.canary_sum / SCALE, one.control_sum / SCALE
            for at, value in enumerate((one.canary, bad[0], one.control, bad[1])):
                kept[at] += value
        if not sums:
            return 0, 0.0, 0, 0.0
        canary, canary_bad, control, control_bad = (sum(column) for column in zip(*sums.values(), strict=True))
        both = [one for _, one in sorted(sums.items()) if one[0] and one[2]]
        if len(both) == len(sums) == 1 or not both:
            means = canary_bad / canary if canary else 0.0, control_bad / control if control else 0.0
        else:
            compared = sum(one[0] for one in both)
            means = (
                sum(one[1] for one in both) / compared,
                sum(one[0] * one[3] / one[2] for one in both) / compared,
            )
        return int(canary), means[0], int(control), means[1]


class _Closed(msgspec.Struct, frozen=True):
    """What does not change while units fall into `open`. `rest`: money on starts still to come; 0: none."""

    open: Segment | None
    logs: list[float]
    money: tuple[float, ...]
    rest: float
    window: int


def _either(a: float, b: float) -> float:
    """Logarithm of the sum of two that are given as logarithms."""
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))


def promoted(stages: tuple[tuple[float, int, int], ...], margin: float) -> float:
    """Logarithm of the evidence that the canary fails less than `margin` times as often. `stages` as in
    `Evidence.stages`."""
    logs = [0.0] * len(BELOW)
    for share, canary, failures in stages:
        for bet, risk in enumerate(BELOW):
            logs[bet] += canary * math.log(risk) - failures * math.log(
                (1 + share * (margin * risk - 1)) / (1 + share * (margin - 1))
            )
    return mixed(logs, (1 / len(BELOW),) * len(BELOW))


def _added(mine: Counts, theirs: Counts) -> Counts:
    levels = [a + b for a, b in zip(mine.levels, theirs.levels, strict=True)] if mine.levels and theirs.levels else []
    return Counts(
        canary_bad=mine.canary_bad + theirs.canary_bad,
        control_bad=mine.control_bad + theirs.control_bad,
        canary=mine.canary + theirs.canary,
        control=mine.control + theirs.control,
        leans=tuple(map(int.__add__, mine.leans, theirs.leans)),
        canary_sum=mine.canary_sum + theirs.canary_sum,
        control_sum=mine.control_sum + theirs.control_sum,
        squares=mine.squares + theirs.squares,
        levels=levels or mine.levels or theirs.levels,
    )
