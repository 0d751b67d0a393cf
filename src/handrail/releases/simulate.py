"""What a rollout would do to customers before anybody tries it: how many a bad release hurts, how soon it goes back,
how often a good one does. Needs numpy (the extra `judge`); the draws come from a seed."""

import math
from typing import Any

import msgspec

from handrail.policy.ramp import Bets
from handrail.releases.bets import Kind, binary
from handrail.releases.judge import Metric, Plan, Verdict
from handrail.releases.offline import Columns, judge


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`rates`: today's, per binary metric. `worse`: times as often with the release, per metric that it spoils.
    `weights`: of the ramp, 1 where it says nothing.
    `stages`: share and how many units it lasts; the last one lasts to the end. `units`: of the planned life, both arms.
    `alpha` and `bets` as in `Plan`."""

    rates: dict[str, float]
    worse: dict[str, float]
    weights: dict[str, float] = {}
    stages: tuple[tuple[float, int], ...]
    units: int = 20_000
    runs: int = 300
    alpha: float = 0.01
    bets: Bets = Bets.ANY
    seed: int = 1


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`rolled_back`: share of the runs with the bad release in which it went back within the planned life; `units`: how
    many units (both arms) it took, mean and 95th percentile; `harmed`: extra failures among canary customers until
    then, likewise. `good_rolled_back`: share of the runs in which an equal release went back, with its interval."""

    rolled_back: float
    units: tuple[float, float]
    harmed: tuple[float, float]
    good_rolled_back: float
    good_interval: tuple[float, float]
    runs: int


def simulate(asked: Asked) -> Told:
    """Raises ValueError for a rate or a stage that cannot be, ImportError without numpy."""
    import numpy as np  # an extra

    _require(asked)
    place, shares = _stages(asked, np)
    plan = Plan(
        metrics=tuple(
            Metric(name=name, kind=Kind.BINARY, reference=binary(rate), weight=asked.weights.get(name, 1.0))
            for name, rate in asked.rates.items()
        ),
        alpha=asked.alpha,
        planned=asked.units,
        bets=asked.bets,
    )
    rng = np.random.default_rng(asked.seed)
    stops, harmed, good = [], [], 0
    for _ in range(asked.runs):
        bad, hurt = _drawn(asked, asked.worse, place, shares, rng, np)
        told = judge(plan, bad)
        stops.append(float(told.decided_at or asked.units) if told.verdict is Verdict.WORSE else math.inf)
        harmed.append(float(hurt[: told.decided_at or asked.units].sum()))
        equal, _ = _drawn(asked, {}, place, shares, rng, np)
        good += judge(plan, equal).verdict is Verdict.WORSE
    until = np.minimum(np.array(stops), asked.units)
    return Told(
        rolled_back=float(np.isfinite(stops).mean()),
        units=(float(until.mean()), float(np.quantile(until, 0.95))),
        harmed=(float(np.mean(harmed)), float(np.quantile(harmed, 0.95))),
        good_rolled_back=good / asked.runs,
        good_interval=wilson(good, asked.runs),
        runs=asked.runs,
    )


def wilson(hits: int, runs: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    p, d = hits / runs, 1 + z * z / runs
    middle = (p + z * z / 2 / runs) / d
    half = z * math.sqrt(p * (1 - p) / runs + z * z / 4 / runs / runs) / d
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _require(asked: Asked) -> None:
    for name, rate in asked.rates.items():
        if not 0 < rate < 1:
            raise ValueError(f"the rate of {name} is {rate:g}; expected more than 0 and less than 1")
    for name, times in asked.worse.items():
        if not 0 <= times < math.inf:
            raise ValueError(f"{name} is to be {times:g} times as often; expected a number from 0 on, such as 2")
    for name in asked.worse.keys() - asked.rates.keys():
        raise ValueError(
            f"{name} has no rate of today; there are {', '.join(sorted(asked.rates)) or 'none'}. Give it one with "
            f"--rate {name}=0.05, if the ramp judges it and it happens or not (handle_time and csat cannot be drawn)"
        )
    if not asked.stages or any(not 0 < share < 1 for share, _ in asked.stages):
        raise ValueError("each stage needs a share above 0 and below 1, such as 0.05")


def _stages(asked: Asked, np: Any) -> tuple[Any, list[float]]:
    place = np.zeros(asked.units, np.int64)
    at = 0
    for number, (_, units) in enumerate(asked.stages[:-1]):
        at += units
        place[at:] = number + 1
    return place, [share for share, _ in asked.stages]


def _drawn(
    asked: Asked, worse: dict[str, float], place: Any, shares: list[float], rng: Any, np: Any
) -> tuple[Columns, Any]:
    """Units, and which of them fail only because of the release."""
    canary = (rng.random(asked.units) < np.array(shares)[place]).astype(np.int64)
    hurt = np.zeros(asked.units, bool)
    outcomes = {}
    for name, rate in asked.rates.items():
        luck = rng.random(asked.units)
        spoiled = min(rate * worse.get(name, 1.0), 1.0)
        outcomes[name] = (luck < np.where(canary == 1, spoiled, rate)).astype(np.float64)
        hurt |= (canary == 1) & (luck >= rate) & (luck < spoiled)
    places = tuple((str(number), share) for number, share in enumerate(shares))
    return Columns(canary, place, places, outcomes), hurt
