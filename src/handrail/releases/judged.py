"""Units that were brought, judged: pairs as pairs, units in columns where numpy is installed (the extra `judge`), else
one by one, which gives the same and takes longer."""

import math

from handrail.releases.bets import Kind, mixed
from handrail.releases.brought import Brought, Unreadable
from handrail.releases.judge import (
    MISSING,
    Conclusion,
    Judge,
    MetricVerdict,
    Plan,
    Unit,
    Verdict,
    culprits,
    weights,
)
from handrail.releases.pairs import MONEY_FOR, Pairs, combined


def judged(plan: Plan, brought: Brought) -> Conclusion:
    """Raises Unreadable for pairs that are none."""
    if brought.pairs:
        return in_pairs(plan, brought)
    try:
        import numpy as np  # an extra

        from handrail.releases.offline import Columns, judge
    except ImportError:
        return one_by_one(plan, brought)
    columns = Columns(
        canary=np.frombuffer(brought.canary, np.int8).astype(np.int64),
        place=np.frombuffer(brought.place, np.int64),
        places=tuple(brought.places),
        outcomes={name: np.frombuffer(column, np.float64) for name, column in brought.outcomes.items()},
    )
    return judge(plan, columns)


def one_by_one(plan: Plan, brought: Brought) -> Conclusion:
    """As online."""
    judge = Judge(plan)
    places = list(brought.places)
    for at, canary in enumerate(brought.canary):
        stage, share = places[brought.place[at]]
        outcomes = {name: _there(column[at]) for name, column in brought.outcomes.items()}
        judge.fold(Unit(canary=bool(canary), share=share, stage=stage, metrics=outcomes))
        if judge.decided:
            break
    return judge.conclude()


def in_pairs(plan: Plan, brought: Brought) -> Conclusion:
    """A pair counts when both of its units are there; looked at after each. An outcome that either lacks is none."""
    metrics = {one.name: Pairs(MONEY_FOR[plan.bets]) for one in plan.metrics}
    parts = weights(plan)
    waiting: dict[str, int] = {}
    done: set[str] = set()
    limit, number, decided = math.log(1 / plan.alpha), 0, None
    for number, pair in enumerate(brought.pairs, 1):
        other = waiting.pop(pair, None)
        if pair in done or (other is not None and brought.canary[other] == brought.canary[number - 1]):
            raise Unreadable([f"pair {pair}: expected one canary and one control, no more"])
        if other is None:
            waiting[pair] = number - 1
            continue
        done.add(pair)
        _compare(metrics, brought, *sorted((other, number - 1), key=lambda at: -brought.canary[at]))
        if combined(metrics, parts) >= limit:
            decided = number
            break
    return _concluded(plan, metrics, number, decided)


def _compare(metrics: dict[str, Pairs], brought: Brought, canary: int, control: int) -> None:
    for name, pairs in metrics.items():
        column = brought.outcomes[name.removesuffix(MISSING)]
        one, other = _there(column[canary]), _there(column[control])
        if name.endswith(MISSING):
            pairs.fold(float(one is None), float(other is None))
        elif one is not None and other is not None:
            pairs.fold(one, other)


def _concluded(plan: Plan, metrics: dict[str, Pairs], units: int, decided: int | None) -> Conclusion:
    logs = {name: one.log_e() for name, one in metrics.items()}
    parts = weights(plan)
    named = culprits(logs) if decided else frozenset()
    return Conclusion(
        verdict=Verdict.WORSE if decided else _standing(plan, metrics, parts),
        decided_at=decided,
        units=units,
        log_e=mixed(list(logs.values()), parts),
        alpha=plan.alpha,
        metrics={
            metric.name: MetricVerdict(
                log_e=logs[metric.name], weight=part, named=metric.name in named, kind=Kind.SCORE,
                canary_units=one.pairs, canary_mean=one.canary / one.pairs if one.pairs else 0.0,
                control_units=one.pairs, control_mean=one.control / one.pairs if one.pairs else 0.0,
                interval=one.interval(), percentile=metric.percentile,
            )
            for metric, one, part in zip(plan.metrics, metrics.values(), parts, strict=True)
        },
        leading=max(logs, key=lambda name: logs[name]),
        share_wrong_at=None,
        bets=plan.bets,
    )  # fmt: skip


def _standing(plan: Plan, metrics: dict[str, Pairs], parts: tuple[float, ...]) -> Verdict:
    """Pairs show "better" or nothing good: a margin in relative risk has no meaning within a pair."""
    if max((one.pairs for one in metrics.values()), default=0) < plan.least:
        return Verdict.TOO_EARLY
    gain = mixed([one.log_gain() for one in metrics.values()], parts)
    return Verdict.BETTER if gain >= math.log(1 / plan.alpha) else Verdict.CANNOT_TELL


def _there(value: float) -> float | None:
    return None if math.isnan(value) else value
