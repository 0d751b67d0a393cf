"""How the evidence about a canary grew, unit by unit, for a picture; pure but for its own counts.

The units were judged one by one before, so they are counted here and looked at only where a point is drawn: a fraction
of the work of judging. The last unit is always looked at, and it is the one that decides, since nothing is folded after
a decision; so the conclusion is the judge's, to the last bit.
"""

from collections import deque

import msgspec

from handrail.policy.ramp import SCORES
from handrail.releases.judge import Conclusion, Judge, Unit, Verdict, each, from_totals
from handrail.releases.lifecycle import Rollout
from handrail.releases.unit import UnitRow
from handrail.releases.units import plan_of

MOST_POINTS = 400
MOST_HARMED = 60
_SCORES = frozenset(one.value for one in SCORES)


class Point(msgspec.Struct, frozen=True):
    """`unit`: by number, from 1. `log_e`: logarithm of the evidence that the canary is worse, after it."""

    unit: int
    log_e: float


class Step(msgspec.Struct, frozen=True):
    """A stage or share that began with this unit."""

    unit: int
    share: float


class Harmed(msgspec.Struct, frozen=True, kw_only=True):
    """A canary's unit with a bad outcome. `metrics`: those that happened to it."""

    unit: int
    conversations: tuple[str, ...]
    metrics: tuple[str, ...]
    at_ms: int


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows of one rollout. `harmed`: newest first. `kept`: whether its units are still kept. `told`: None
    where nothing was ever counted. `canaries`: how many of the units. `complete`: False while its units are still being
    folded: then nothing is drawn, `told` and `words` are the stored verdict's if it has one, and `units` those folded
    so far if it has none."""

    units: int
    points: tuple[Point, ...]
    steps: tuple[Step, ...]
    harmed: tuple[Harmed, ...]
    told: Conclusion | None
    words: dict[str, Verdict]
    kept: bool = True
    canaries: int = 0
    complete: bool = True


class Curve:
    """Of one run of a rollout that was started. Mutable; one owner. `folded`: units so far."""

    def __init__(self, rollout: Rollout) -> None:
        assert rollout.ramp is not None  # it was started
        self.folded = 0
        self._judge = Judge(plan_of(rollout.ramp))
        self._points: list[Point] = []
        self._every = 1
        self._steps: list[Step] = []
        self._step = -1
        self._harmed: deque[Harmed] = deque(maxlen=MOST_HARMED)
        self._canaries = 0
        self._drawn: Drawing | None = None

    def fold(self, units: list[UnitRow]) -> None:
        """The next ones, by number."""
        for unit in units:
            self._count(unit)
        if units:
            self._drawn = None

    def drawing(self) -> Drawing:
        """As of the last unit; made once for each."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def _count(self, unit: UnitRow) -> None:
        metrics, canary = unit.metrics or {}, unit.arm == "canary"
        if unit.stage != self._step:
            self._step = unit.stage
            self._steps.append(Step(self.folded + 1, unit.share))
        self._judge.count(Unit(canary=canary, share=unit.share, stage=str(unit.stage), metrics=metrics))
        self.folded += 1
        if canary:
            self._canaries += 1
            bad = tuple(name for name, value in metrics.items() if value and name not in _SCORES)
            if bad:
                at_ms = unit.matured_at or unit.assigned_at
                harmed = Harmed(unit=self.folded, conversations=unit.conversations, metrics=bad, at_ms=at_ms)
                self._harmed.append(harmed)
        if self.folded % self._every == 0:
            self._points.append(Point(self.folded, self._judge.look()))
            if len(self._points) >= MOST_POINTS:
                self._every *= 2
                self._points = [one for one in self._points if one.unit % self._every == 0]

    def _draw(self) -> Drawing:
        points = list(self._points)
        if self.folded and (not points or points[-1].unit != self.folded):
            points.append(Point(self.folded, self._judge.look()))
        told = self._judge.conclude()
        return Drawing(
            units=self.folded, points=tuple(points), steps=tuple(self._steps), harmed=tuple(reversed(self._harmed)),
            told=told, words=each(self._judge, told), canaries=self._canaries,
        )  # fmt: skip


def incomplete(rollout: Rollout, folded: int) -> Drawing:
    """While its units are being folded, `folded` of them by now: no figure of a part of them, but the stored verdict of
    one that was decided."""
    if rollout.reached is not None:
        return msgspec.structs.replace(without_units(rollout), kept=True, complete=False)
    return Drawing(units=folded, points=(), steps=(), harmed=(), told=None, words={}, complete=False)


def without_units(rollout: Rollout) -> Drawing:
    """Of a rollout whose units are no longer kept: its verdict's totals, and no curve."""
    reached = rollout.reached
    if rollout.ramp is None or reached is None:
        return Drawing(units=0, points=(), steps=(), harmed=(), told=None, words={}, kept=False)
    told = msgspec.json.decode(reached.numbers, type=Conclusion)
    words = each(from_totals(plan_of(rollout.ramp), told), told)
    return Drawing(units=told.units, points=(), steps=(), harmed=(), told=told, words=words, kept=False)
