"""Is the canary worse, better or safe, at any moment of looking? One unit at a time, in the order of assignment.

Worse: the weighted mean of the metrics' evidence reached 1 / alpha; a harmless release does that less than once in
1 / alpha releases however often one looks. Safe: each metric was shown to fail less than its margin times as often.
Better: safe, and shown better on some metric. What was reached once stays reached: later data do not undo it.
"""

import math
from enum import StrEnum

import msgspec

from handrail.policy.ramp import Bets
from handrail.releases.bets import MONEY_FOR, Kind, Reference, interval, mixed
from handrail.releases.evidence import Evidence, Segment, epoch_of, promoted
from handrail.releases.interval import score_interval
from handrail.releases.recorded import Recorded, put_back, recorded
from handrail.releases.share_check import ShareCheck

MISSING = ":missing"
"""Suffix of the metric that counts units without an outcome: an outcome that disappears is not a good one."""
MISSING_PART = 0.1
"""Of a metric's weight that its missing outcomes carry."""
NAMED = 0.10
"""Rate of wrongly named metrics that is accepted among the named ones (e-BH)."""
LEVEL = 0.95
"""Of the intervals that are shown."""


class Verdict(StrEnum):
    BETTER = "better"
    SAFE = "safe"
    WORSE = "worse"
    CANNOT_TELL = "cannot tell yet"
    TOO_EARLY = "too early"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """`reference`: from history, None: learnt on the way. `weight`: its part of the money; the parts need not sum to 1.
    `margin`: relative risk that is tolerated for "safe", for a score on its mean; None: it only guards. `percentile`:
    its outcomes are places in a distribution of the past."""

    name: str
    kind: Kind
    reference: Reference | None = None
    weight: float = 1.0
    margin: float | None = 1.25
    percentile: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Fixed before the first unit. `planned`: units of the release's planned life, over which later starts are spread;
    0: no later starts. `least`: canary units below which it is too early for any word but worse. `bets`: what size of
    change is looked for."""

    metrics: tuple[Metric, ...]
    alpha: float = 0.01
    beta: float = 0.05
    starts: int = 8
    planned: int = 0
    least: int = 50
    bets: Bets = Bets.ANY

    def window(self, unit: int) -> int:
        """Later starts that have begun before the unit with this ordinal."""
        if not self.starts or not self.planned:
            return 0
        return min(unit * (self.starts + 1) // self.planned, self.starts)


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One randomised unit whose outcomes have matured. `metrics`: larger is worse, in [0, 1]; None: no outcome."""

    canary: bool
    share: float
    stage: str = "1"
    metrics: dict[str, float | None]


class MetricVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`named`: among what the rollback is for. `interval`: of the relative risk (binary) or of the difference of means
    (score); None: nothing to tell it from. The means are comparable over stages (`Evidence.arms`), for
    reading only. `percentile`: as in `Metric`. `counts`: what the evidence is computed from again (`again`); empty for
    pairs."""

    log_e: float
    weight: float
    named: bool
    kind: Kind
    canary_units: int
    canary_mean: float
    control_units: int
    control_mean: float
    interval: tuple[float, float | None] | None
    percentile: bool = False
    counts: tuple[Recorded, ...] = ()


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """`decided_at`: ordinal from 1 of the unit with which the verdict was reached; None: it was not. `log_e` and the
    metrics as of then, else as of the last unit. `bets`: as in `Plan`."""

    verdict: Verdict
    decided_at: int | None
    units: int
    log_e: float
    alpha: float
    metrics: dict[str, MetricVerdict]
    leading: str
    share_wrong_at: int | None
    bets: Bets = Bets.ANY


def with_missing(metrics: tuple[Metric, ...], missing: frozenset[str]) -> tuple[Metric, ...]:
    """Metrics whose outcomes may be missing get a companion that counts that."""
    found: list[Metric] = []
    for one in metrics:
        if one.name not in missing:
            found.append(one)
            continue
        found.append(msgspec.structs.replace(one, weight=one.weight * (1 - MISSING_PART)))
        found.append(
            Metric(name=one.name + MISSING, kind=Kind.BINARY, weight=one.weight * MISSING_PART, margin=one.margin)
        )
    return tuple(found)


class Judge:
    """Folds units in the order of assignment. Mutable; one owner (the elected judge of a database)."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        starts = plan.starts if plan.planned else 0
        money = MONEY_FOR[plan.bets]
        self.evidence = {
            one.name: Evidence(one.kind, one.reference, starts=starts, money=money) for one in plan.metrics
        }
        self.share_check = ShareCheck()
        self.units = 0
        self._weights = weights(plan)
        self._reached: dict[Verdict, Conclusion] = {}

    def fold(self, unit: Unit) -> None:
        """Raises ValueError for a metric the plan does not have, or an outcome that is not what its kind says."""
        self.count(unit)
        if not self.decided:
            self.look()

    def count(self, unit: Unit) -> None:
        """Fold without looking, for units that were looked at before, one by one, and decided nothing."""
        window = self.plan.window(self.units)
        for name, evidence in self.evidence.items():
            if name.endswith(MISSING):
                outcome: float | None = float(unit.metrics.get(name.removesuffix(MISSING)) is None)
            else:
                outcome = unit.metrics.get(name)
            if outcome is None:
                continue
            epoch = 0 if evidence.declared is not None else epoch_of(self.units)
            evidence.fold(Segment(epoch, window, unit.stage, unit.share), canary=unit.canary, outcome=outcome)
        self.share_check.fold(unit.share, canary=unit.canary)
        self.units += 1

    def look(self) -> float:
        """Logarithm of the evidence as of now; when it is enough, the verdict is reached here."""
        found = self.log_e()
        if not self.decided and found >= math.log(1 / self.plan.alpha):
            self._reached[Verdict.WORSE] = self.told(Verdict.WORSE, self.units)
        return found

    @property
    def decided(self) -> bool:
        """It was shown to be worse; nothing that comes later changes that."""
        return Verdict.WORSE in self._reached

    def log_e(self) -> float:
        """Logarithm of the weighted mean of the metrics' evidence."""
        window = self.plan.window(self.units - 1) if self.units else 0
        return mixed([one.log_e(window) for one in self.evidence.values()], self._weights)

    def conclude(self) -> Conclusion:
        """The verdict as of now; worse stays worse from the unit on with which it was reached."""
        if Verdict.WORSE in self._reached:
            return self._reached[Verdict.WORSE]
        return self.told(standing(self.plan, self.evidence, self._weights), None)

    def told(self, verdict: Verdict, decided_at: int | None) -> Conclusion:
        window = self.plan.window(self.units - 1) if self.units else 0
        logs = {name: one.log_e(window) for name, one in self.evidence.items()}
        named = culprits(logs) if verdict is Verdict.WORSE else frozenset()
        metrics = {
            metric.name: _metric(metric, self.evidence[metric.name], logs[metric.name], weight, metric.name in named)
            for metric, weight in zip(self.plan.metrics, self._weights, strict=True)
        }
        return Conclusion(
            verdict=verdict, decided_at=decided_at, units=self.units, log_e=mixed(list(logs.values()), self._weights),
            alpha=self.plan.alpha, metrics=metrics, leading=max(logs, key=lambda name: logs[name]),
            share_wrong_at=self.share_check.wrong_at, bets=self.plan.bets,
        )  # fmt: skip


def again(plan: Plan, concluded: Conclusion) -> float:
    """Logarithm of the evidence from nothing but the totals of a conclusion, under the plan of its rollout."""
    return from_totals(plan, concluded).log_e()


def from_totals(plan: Plan, concluded: Conclusion) -> "Judge":
    """As it was when it concluded, without its units."""
    judge = Judge(plan)
    judge.units = concluded.units
    for name, evidence in judge.evidence.items():
        put_back(evidence, concluded.metrics[name].counts)
    return judge


def each(judge: Judge, told: Conclusion) -> dict[str, Verdict]:
    """One word for each metric. Worse: what the rollback is for. Better and safe as for the whole, by this metric's
    evidence alone; a metric without a margin only guards, so it is never called safe."""
    return {one.name: _word(one, judge.plan, judge.evidence[one.name], told) for one in judge.plan.metrics}


def _word(metric: Metric, plan: Plan, evidence: Evidence, told: Conclusion) -> Verdict:
    shown = told.metrics[metric.name]
    if told.verdict is Verdict.WORSE and shown.named:
        return Verdict.WORSE
    if shown.canary_units < plan.least:
        return Verdict.TOO_EARLY
    high = None if shown.interval is None else shown.interval[1]
    if evidence.kind is Kind.BINARY:
        stages = evidence.stages()
        better = promoted(stages, 1.0) >= math.log(1 / plan.alpha)
        safe = metric.margin is not None and promoted(stages, metric.margin) >= math.log(1 / plan.beta)
    else:
        better = high is not None and high < 0
        safe = metric.margin is not None and high is not None and high < (metric.margin - 1) * shown.control_mean
    if better:
        return Verdict.BETTER
    agreed = metric.margin is not None and told.verdict in (Verdict.SAFE, Verdict.BETTER)
    return Verdict.SAFE if safe or agreed else Verdict.CANNOT_TELL


def weights(plan: Plan) -> tuple[float, ...]:
    """Parts of the money per metric, in the plan's order; they sum to 1."""
    total = sum(one.weight for one in plan.metrics)
    return tuple(one.weight / total for one in plan.metrics)


def culprits(logs: dict[str, float]) -> frozenset[str]:
    """Metrics named for a rollback: e-BH at `NAMED`; at least the one with the largest evidence."""
    ordered = sorted(logs, key=lambda name: -logs[name])
    most = 1
    for rank, name in enumerate(ordered, 1):
        if logs[name] >= math.log(len(ordered) / (NAMED * rank)):
            most = rank
    return frozenset(ordered[:most])


def standing(plan: Plan, evidence: dict[str, Evidence], parts: tuple[float, ...]) -> Verdict:
    """Where it stands while nothing bad is shown."""
    if max((one.arms()[0] for one in evidence.values()), default=0) < plan.least:
        return Verdict.TOO_EARLY
    enough = math.log(1 / plan.beta)
    for metric in plan.metrics:
        if metric.margin is not None and not _shown(evidence[metric.name], metric.margin, plan.beta, enough):
            return Verdict.CANNOT_TELL
    gains = [promoted(one.stages(), 1.0) if one.kind is Kind.BINARY else 0.0 for one in evidence.values()]
    return Verdict.BETTER if mixed(gains, parts) >= math.log(1 / plan.alpha) else Verdict.SAFE


def _shown(evidence: Evidence, margin: float, beta: float, enough: float) -> bool:
    if evidence.kind is Kind.BINARY:
        return promoted(evidence.stages(), margin) >= enough
    found = score_interval(evidence, 2 * beta)
    canary, _, control, control_mean = evidence.arms()
    return bool(canary and control) and found is not None and found[1] < (margin - 1) * control_mean


def _metric(metric: Metric, evidence: Evidence, log_e: float, weight: float, named: bool) -> MetricVerdict:
    canary, canary_mean, control, control_mean = evidence.arms()
    if evidence.kind is Kind.BINARY:
        low, high = interval(evidence.stages(), 1 - LEVEL)
        shown: tuple[float, float | None] | None = (low, None if math.isinf(high) else high)
    else:
        shown = score_interval(evidence, 1 - LEVEL)
    return MetricVerdict(
        log_e=log_e, weight=weight, named=named, kind=evidence.kind, canary_units=canary, canary_mean=canary_mean,
        control_units=control, control_mean=control_mean, interval=shown, percentile=metric.percentile,
        counts=recorded(evidence),
    )  # fmt: skip
