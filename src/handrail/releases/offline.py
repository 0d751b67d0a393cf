"""The judge over units that are all there already: the same verdict as `releases.judge` gives unit by unit, computed in
columns. Needs numpy (the extra `judge`)."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from handrail.releases.bets import MONEY, SCALE, Kind, sizes
from handrail.releases.evidence import FIRST, LEVELS, Counts, Evidence, Segment
from handrail.releases.judge import MISSING, Conclusion, Judge, Plan, Verdict, standing, weights
from handrail.releases.share_check import BETS, LIMIT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]


class Columns(msgspec.Struct, frozen=True):
    """Units in the order of assignment. `canary`: 0 or 1; `place`: index into `places`, which are (stage, share);
    `outcomes`: per metric, nan where there is none."""

    canary: "Whole"
    place: "Whole"
    places: tuple[tuple[str, float], ...]
    outcomes: "dict[str, Floats]"


def judge(plan: Plan, units: Columns) -> Conclusion:
    """As `Judge` after the last unit. Raises ImportError without numpy."""
    import numpy as np  # an extra

    many = len(units.canary)
    judged = Judge(plan)
    _check_share(judged, units)
    columns = [_Column(plan, name, evidence, units) for name, evidence in judged.evidence.items()]
    total = np.zeros(many)
    for column, part in zip(columns, weights(plan), strict=True):
        column.add_evidence(total, part)
    crossed = np.flatnonzero(total >= 1 / plan.alpha)
    decided = int(crossed[0]) + 1 if len(crossed) else None
    judged.units = decided or many
    for column in columns:
        column.fill(judged.units)
    if decided is not None:
        return judged.told(Verdict.WORSE, decided)
    return judged.told(standing(plan, judged.evidence, weights(plan)), None)


class _Column:
    """One metric over all units."""

    def __init__(self, plan: Plan, name: str, evidence: Evidence, units: Columns) -> None:
        import numpy as np

        self._np: Any = np
        self._evidence, self._units = evidence, units
        values = units.outcomes[name.removesuffix(MISSING)]
        self._values = np.isnan(values).astype(np.float64) if name.endswith(MISSING) else values
        self._there = ~np.isnan(self._values)
        ordinal = np.arange(len(values))
        self._window = np.minimum(ordinal * (evidence.starts + 1) // max(plan.planned, 1), evidence.starts)
        if not evidence.starts:
            self._window = np.zeros(len(values), np.int64)
        epoch = np.zeros(len(values), np.int64)
        if evidence.declared is None and len(values):
            edge, at = FIRST, 1
            while edge < len(values):
                epoch[edge:] = at
                edge, at = edge * 2, at + 1
        places = len(units.places)
        code = (epoch * (evidence.starts + 1) + self._window) * places + units.place
        found = np.flatnonzero(np.bincount(code))
        self._segment = np.searchsorted(found, code)
        self._segments = [
            Segment(
                int(one) // places // (evidence.starts + 1),
                int(one) // places % (evidence.starts + 1),
                *units.places[int(one) % places],
            )
            for one in found
        ]
        self._learn(epoch)

    def _learn(self, epoch: "Whole") -> None:
        """References of all epochs, each from what came before it."""
        evidence = self._evidence
        for at in range(int(epoch[-1]) + 1 if len(epoch) else 0):
            if evidence.declared is None and at:
                self.fill(FIRST << (at - 1))
            for segment in self._segments:
                if segment.epoch == at:
                    evidence.known(at, segment.share)
        evidence.clear()

    def add_evidence(self, total: "Floats", part: float) -> None:
        """To `total`, after each unit: this metric's evidence (no logarithm), times its part. What is too large for a
        number is infinite, long after the verdict."""
        np, starts = self._np, self._evidence.starts
        edges = [int(one) for one in np.searchsorted(self._window, np.arange(starts + 2))]
        steps = self._binary_steps() if self._evidence.kind is Kind.BINARY else self._score_steps()
        for step, money in zip(steps, self._evidence.money, strict=True):
            log = np.cumsum(step)
            if starts:
                shift = math.log(0.5)
                shifts = [shift]
                for at in edges[1:-1]:  # what a later start keeps
                    shift = float(np.logaddexp(shift, math.log(0.5 / starts) - (log[at - 1] if at else 0.0)))
                    shifts.append(shift)
                for window, one in enumerate(shifts):
                    log[edges[window] : edges[window + 1]] += one
            with np.errstate(over="ignore"):
                np.exp(log, out=log)
            log *= part * money
            total += log
        for window in range(starts):
            total[edges[window] : edges[window + 1]] += part * 0.5 / starts * (starts - window)

    def _binary_steps(self) -> "Iterator[Floats]":
        """Per bet, the logarithm of each unit's factor; 0 where there is no outcome."""
        np = self._np
        tables = np.zeros((len(MONEY), len(self._segments), 5))
        for at, segment in enumerate(self._segments):
            _, of = self._evidence.known(segment.epoch, segment.share)
            tables[:, at, :4] = np.array([of.canary_bad, of.control_bad, of.canary_good, of.control_good]).T
        cell = np.where(self._values > 0.5, 0, 2) + (1 - self._units.canary)
        at = self._segment * 5 + np.where(self._there, cell, 4)
        for table in tables.reshape(len(MONEY), -1):
            yield table[at]

    def _score_steps(self) -> "Iterator[Floats]":
        """As above, of a score."""
        np = self._np
        known = [(self._evidence.known(one.epoch, one.share)[0], one.share) for one in self._segments]
        mean = np.array([reference.mean for reference, _ in known])[self._segment]
        share = np.array([share for _, share in known])[self._segment]
        moved = np.where(self._there, (self._units.canary - share) * (self._values - mean), 0.0)
        for bets in np.array([sizes(reference, share) for reference, share in known]).T:
            step = np.log1p(bets[self._segment] * moved)
            yield np.rint(step * SCALE) / SCALE

    def fill(self, units: int) -> None:
        """Counts of the first so many units, as folding them one by one would leave them."""
        np, evidence, many = self._np, self._evidence, len(self._segments)
        evidence.clear()
        there = self._there[:units]
        segment, canary = self._segment[:units][there], self._units.canary[:units][there]
        values = self._values[:units][there]
        arms = np.bincount(segment * 2 + canary, minlength=2 * many).reshape(many, 2)
        if evidence.kind is Kind.BINARY:
            bad = np.bincount((segment * 2 + canary)[values > 0.5], minlength=2 * many).reshape(many, 2)
            found = [Counts(canary_bad=int(bad[at, 1]), control_bad=int(bad[at, 0])) for at in range(many)]
        elif len(segment):
            found = self._score_counts(segment, canary, values)
        else:
            found = []
        for at, counts in enumerate(found):
            counts.control, counts.canary = int(arms[at, 0]), int(arms[at, 1])
            if counts.canary + counts.control:
                evidence.put(self._segments[at], counts)

    def _score_counts(self, segment: "Whole", canary: "Whole", values: "Floats") -> list[Counts]:
        np, many = self._np, int(segment.max()) + 1  # later ones may not be learnt yet
        known = [(self._evidence.known(one.epoch, one.share)[0], one.share) for one in self._segments[:many]]
        moved = (canary - np.array([share for _, share in known])[segment]) * (
            values - np.array([reference.mean for reference, _ in known])[segment]
        )
        leans = np.zeros((many, len(MONEY)), np.int64)
        for bet, one in enumerate(np.array([sizes(reference, share) for reference, share in known]).T):
            np.add.at(leans[:, bet], segment, np.rint(np.log1p(one[segment] * moved) * SCALE).astype(np.int64))
        sums, squares = np.zeros((many, 2), np.int64), np.zeros(many, np.int64)
        np.add.at(sums, (segment, canary), np.rint(values * SCALE).astype(np.int64))
        np.add.at(squares, segment, np.rint(values * values * SCALE).astype(np.int64))
        level = np.minimum((values * LEVELS).astype(np.int64), LEVELS - 1) + np.where(canary == 1, 0, LEVELS)
        levels = np.bincount(segment * 2 * LEVELS + level, minlength=2 * LEVELS * many).reshape(many, -1)
        return [
            Counts(
                leans=tuple(leans[at].tolist()), canary_sum=int(sums[at, 1]), control_sum=int(sums[at, 0]),
                squares=int(squares[at]), levels=levels[at].tolist(),
            )
            for at in range(many)
        ]  # fmt: skip


def _check_share(judged: Judge, units: Columns) -> None:
    """As `ShareCheck` after the last unit."""
    import numpy as np

    shares = np.array([share for _, share in units.places])[units.place]
    moved = units.canary - shares
    total = np.zeros(len(moved))
    with np.errstate(over="ignore"):
        for bet in BETS:
            total += np.exp(np.cumsum(np.log1p(bet * moved)))
    wrong = np.flatnonzero(total >= math.exp(LIMIT) * len(BETS))
    judged.share_check.wrong_at = int(wrong[0]) + 1 if len(wrong) else None
    judged.share_check.units = len(units.canary)
