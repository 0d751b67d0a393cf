"""The metrics that a unit is judged by, and the plan of its rollout; pure."""

from handrail.policy.ramp import MAY_MISS, SCORES, Bets, Outcome, Ramp, RampMetric
from handrail.releases.bets import MONEY_FOR, Kind, Reference, binary, failures_only, mixed, risks, score
from handrail.releases.judge import Metric, Plan, with_missing
from handrail.releases.percentile import SPREAD, percentile
from handrail.releases.unit import Signals, UnitRow

LOW = 0.6
"""A score of satisfaction this far from full marks is low: 1 and 2 of 5."""
USUAL_RATE = 0.05
"""Of failures, for the sizes of bets where no reference is declared."""


def measured(metrics: tuple[RampMetric, ...], signals: Signals) -> dict[str, float | None]:
    """The metrics of a unit that has matured: larger is worse, in [0, 1]; None: no outcome."""
    return {one.name.value: _measured(one, signals) for one in metrics}


def _measured(metric: RampMetric, signals: Signals) -> float | None:
    name = Outcome.CSAT if metric.name is Outcome.CSAT_LOW else metric.name
    known = signals.get(name)
    if known is None:
        return None if metric.name in MAY_MISS else 0.0
    value = known[1]
    if metric.name is Outcome.CSAT_LOW:
        return float(value >= LOW)
    if metric.name is Outcome.HANDLE_TIME:
        return min(value / metric.cap, 1.0) if metric.past is None else percentile(metric.past.table, value)
    return min(max(value, 0.0), 1.0) if metric.name in SCORES else float(value > 0)


def plan_of(ramp: Ramp) -> Plan:
    """What the units of a rollout are judged by, fixed at its start. Metrics in the order of their names, as the judge
    of recorded units has them."""
    metrics = tuple(
        Metric(
            name=one.name.value,
            kind=Kind.SCORE if one.name in SCORES else Kind.BINARY,
            reference=_reference(one),
            weight=one.weight,
            margin=one.margin,
            percentile=one.past is not None,
        )
        for one in sorted(ramp.metrics, key=lambda one: one.name.value)
    )
    may_miss = frozenset(one.name.value for one in ramp.metrics if one.name in MAY_MISS)
    return Plan(
        metrics=with_missing(metrics, may_miss), alpha=ramp.alpha, beta=ramp.beta, planned=ramp.planned_units,
        bets=ramp.bets,
    )  # fmt: skip


def _reference(metric: RampMetric) -> Reference | None:
    if metric.past is not None:
        return score(0.5, SPREAD)
    if metric.reference is None:
        return None
    if metric.name in SCORES:
        return score(metric.reference, (metric.reference * (1 - metric.reference) / 3) ** 0.5)
    return binary(metric.reference)


def judge_options(ramp: Ramp) -> tuple[str, ...]:
    """Options of `handrail judge` that make it judge exported units as the rollout is judged."""
    words = [f"--alpha={ramp.alpha!r}", f"--beta={ramp.beta!r}", f"--planned={ramp.planned_units}"]
    if ramp.bets is not Bets.ANY:
        words.append(f"--bets={ramp.bets.value}")
    for one in sorted(ramp.metrics, key=lambda one: one.name.value):
        name = one.name.value
        words.append(f"--weight={name}={one.weight!r}")
        words.append(f"--margin={name}={'none' if one.margin is None else repr(one.margin)}")
        if one.past is not None:
            words.append(f"--percentile={name}")
        elif one.reference is not None:
            words.append(f"--reference={name}={one.reference!r}")
        if one.name in SCORES:
            words.append(f"--score={name}")
        if one.name in MAY_MISS:
            words.append(f"--may-miss={name}")
    return tuple(words)


class Arrivals:
    """Failures as they are reported, before their units have matured: evidence from failures alone, which may only
    freeze a ramp, since a canary whose failures come merely sooner looks worse by it. Mutable; one owner.

    A metric counts per unit and once."""

    def __init__(self, ramp: Ramp) -> None:
        self._names = {one.name.value: one for one in ramp.metrics if one.name not in SCORES}
        self._money = MONEY_FOR[ramp.bets]
        self._weights = {name: one.weight for name, one in self._names.items()}
        self._counts: dict[str, dict[tuple[int, float], list[int]]] = {name: {} for name in self._names}

    def add(self, unit: UnitRow, metrics: dict[str, float | None], times: int = 1) -> None:
        """`times`: -1 takes it out again."""
        for name in self._names:
            if metrics.get(name):
                counts = self._counts[name].setdefault((unit.stage, unit.share), [0, 0])
                counts[0] += times * (unit.arm == "canary")
                counts[1] += times

    def log_e(self) -> float:
        """Logarithm of the weighted mean over the metrics."""
        logs, total = [], sum(self._weights.values())
        for name, one in self._names.items():
            counts = self._counts[name]
            canary = sum(each[0] for each in counts.values())
            stages = tuple((share, each[1]) for (_, share), each in sorted(counts.items()))
            rate = one.reference if one.reference is not None else USUAL_RATE
            logs.append(mixed(failures_only(canary, stages, risks(rate), 1.0), self._money))
        return mixed(logs, tuple(self._weights[name] / total for name in self._names)) if logs else 0.0
