"""The drift watch over simulated streams: cases between false alarms, and delay beside the exact optimum.

`python bench/drift.py [--only flat,season,learnt,intents] [--json OUT]`. The rule is that of `handrail.watch.drift`,
in columns; the first thing it does is to compare the columns with the module, case by case. The optimum knows the rate
before and after: CUSUM of the true likelihood ratio (Moustakides 1986), its threshold solved for the same number of
cases between false alarms by a Markov chain (Brook and Evans 1972) on a grid with linear interpolation; for a season by
the product of the chains of one day. Delays are from the worst moment, with the statistic at its floor. Needs numpy and
scipy.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import spsolve

from handrail.watch import drift

WANTED = 100_000
RISKS = np.array(drift.RISKS)
DAY = 2_400
"""Cases of a simulated day: 100 an hour."""
GRID = 600
COARSE = 300
"""Cells of the chains that are multiplied over a whole day."""


def agree(rng: Any) -> None:
    """The columns of this file are the module's rule."""
    base = rng.uniform(0.01, 0.3, 500)
    bad = rng.random(500) < 2 * base
    one, many = drift.Drift(), np.zeros((len(RISKS), 1))
    for m, y in zip(base.tolist(), bad.tolist(), strict=True):
        one = drift.after(one, y, m)
        many = _step(many, np.array([y]), np.array([m]))
    assert math.isclose(one.value, float(many.mean()), rel_tol=1e-9), (one.value, many.mean())
    bases = tuple(rng.uniform(0.01, 0.3, 5).tolist())
    kinds: tuple[drift.Drift, ...] = (drift.Drift(),) * 5
    columns = np.zeros((5, len(RISKS)))
    for which in rng.integers(0, 5, 200).tolist():
        kinds = drift.after_one_of(kinds, which, bases)
        columns = _step(columns.T, np.arange(5) == which, np.array(bases)).T
    assert math.isclose(drift.mixed(kinds), float(columns.mean()), rel_tol=1e-9)


def _step(amounts: Any, bad: Any, base: Any) -> Any:
    rates = np.minimum(RISKS[:, None] * base, drift.HIGHEST)
    return (1 + amounts) * np.where(bad, rates / base, (1 - rates) / (1 - base))


def between_alarms(
    rate: Callable[[int], float], base: Callable[[int], Any], *, streams: int, cases: int, rng: Any
) -> dict[str, Any]:
    """Streams that are as they were; a stream that alarms begins anew."""
    amounts = np.zeros((len(RISKS), streams))
    alarms = 0
    for at in range(cases):
        if at % 1_024 == 0:
            drawn = rng.random((1_024, streams))
        amounts = _step(amounts, drawn[at % 1_024] < rate(at), base(at))
        if at % 4 == 3 or at == cases - 1:  # seldom enough to be quick, often enough to miss hardly any
            over = amounts.mean(0) >= WANTED
            if over.any():
                alarms += int(over.sum())
                amounts[:, over] = 0
    exposure = streams * cases
    low, high = _limits(alarms, exposure)
    return {"alarms": alarms, "cases": exposure, "arl": round(exposure / max(alarms, 1)), "arl_95": [low, high]}


def _limits(alarms: int, exposure: int) -> tuple[int, int | None]:
    """Exact 95 % limits of a Poisson rate (Garwood 1936), as cases between alarms."""
    from scipy.stats import chi2

    most = chi2.ppf(0.975, 2 * alarms + 2) / 2
    least = chi2.ppf(0.025, 2 * alarms) / 2 if alarms else 0.0
    return round(exposure / most), round(exposure / least) if least else None


def delay(
    rate: Callable[[Any], Any], base: Callable[[Any], Any], *, streams: int, most: int, rng: Any, quiet: int = 0,
    before: Callable[[Any], Any] | None = None, phase: Any = 0,
) -> Any:  # fmt: skip
    """Cases until the alarm, of each stream, after `quiet` cases at the rate `before`. `phase`: where in the season
    each begins."""
    amounts = np.zeros((len(RISKS), streams))
    stop = np.full(streams, -1)
    for at in range(quiet + most):
        now = rate if at >= quiet or before is None else before
        place = at + phase
        amounts = _step(amounts, rng.random(streams) < now(place), base(place))
        hit = (amounts.mean(0) >= WANTED) & (stop < 0)
        if at < quiet:
            amounts[:, hit] = 0  # a false alarm, acknowledged
        else:
            stop[hit] = at - quiet + 1
            if (stop >= 0).all():
                break
    return np.where(stop < 0, most, stop)


def chain(step_bad: float, step_good: float, p: float, height: float, grid: int = GRID) -> Any:
    """Transitions of the CUSUM below its threshold."""
    x = np.linspace(0, height, grid, endpoint=False)
    width = x[1]
    rows, columns, values = [], [], []
    for step, weight in ((step_bad, p), (step_good, 1 - p)):
        to = np.maximum(x + step, 0)
        keep = to < height
        cell = np.floor(to[keep] / width).astype(int)
        part = to[keep] / width - cell
        place = np.nonzero(keep)[0]
        inside = cell + 1 < grid
        rows += [place, place[inside]]
        columns += [cell, cell[inside] + 1]
        values += [weight * (1 - part), weight * part[inside]]
    return csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(grid, grid))


def solve(length: Callable[[float], float]) -> float:
    """The threshold at which `length` is `WANTED`."""
    low, high = 0.05, math.log(WANTED) + 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if length(middle) < WANTED else (low, middle)
    return high


def optimum(p0: float, p1: float) -> tuple[float, float]:
    """Cases between false alarms and worst mean delay of the optimal rule."""
    bad, good = math.log(p1 / p0), math.log((1 - p1) / (1 - p0))

    def length(height: float, p: float) -> float:
        return float(spsolve((identity(GRID) - chain(bad, good, p, height)).tocsc(), np.ones(GRID))[0])

    height = solve(lambda height: length(height, p0))
    return length(height, p0), length(height, p1)


def optimum_of_season(rates: Any, risk: float) -> tuple[float, float]:
    """As `optimum`, for a rate that follows the 24 hours of a day: mean over the hours at which the change comes."""
    each = DAY // len(rates)

    def lengths(height: float, times: float) -> Any:
        """From the floor, by the hour of the start."""
        hours = []
        for p in rates:
            matrix = chain(math.log(risk), math.log((1 - risk * p) / (1 - p)), times * p, height, COARSE).toarray()
            through, spent = np.eye(COARSE), np.zeros(COARSE)
            power, lasted, left = matrix, np.ones(COARSE), each
            while left:  # `each` steps by squaring
                if left & 1:
                    spent = spent + through @ lasted
                    through = through @ power
                lasted, power, left = lasted + power @ lasted, power @ power, left >> 1
            hours.append((spent, through))
        day, mean = np.eye(COARSE), np.zeros(COARSE)
        for spent, through in hours:
            mean = mean + day @ spent
            day = day @ through
        value = np.linalg.solve(np.eye(COARSE) - day, mean)
        found = [0.0] * len(hours)
        for at in reversed(range(len(hours))):
            spent, through = hours[at]
            value = spent + through @ value
            found[at] = float(value[0])
        return np.array(found)

    low, high = 2.0, math.log(WANTED) + 1
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if lengths(middle, 1.0).mean() < WANTED else (low, middle)
    return float(lengths(high, 1.0).mean()), float(lengths(high, risk).mean())


def flat(rng: Any, quick: float) -> list[dict[str, Any]]:
    rows = []
    for p0 in (0.005, 0.02, 0.05, 0.15):
        kept = between_alarms(lambda _, p=p0: p, lambda _, p=p0: p, streams=1_000, cases=int(40_000 * quick), rng=rng)
        rows.append({"stream": "flat", "p0": p0, **kept})
        print(rows[-1], flush=True)
        for risk in (1.3, 1.5, 2.0, 3.0):
            _, best = optimum(p0, risk * p0)
            cold = delay(
                lambda _, p=risk * p0: p, lambda _, p=p0: p, streams=int(1_500 * quick), most=int(30 * best), rng=rng
            )
            warm = delay(
                lambda _, p=risk * p0: p, lambda _, p=p0: p, streams=int(600 * quick), most=int(30 * best), rng=rng,
                quiet=3_000, before=lambda _, p=p0: p,
            )  # fmt: skip
            rows.append(_delayed("flat", p0, risk, best, cold) | {"after_quiet": _ratio(warm, best)})
            print(rows[-1], flush=True)
    return rows


def season(rng: Any, quick: float) -> list[dict[str, Any]]:
    p0 = 0.05
    rates = p0 * (1 + 0.4 * np.sin(2 * np.pi * (np.arange(24) + 0.5) / 24))

    def of(at: Any) -> Any:
        return rates[(at // (DAY // 24)) % 24]

    rows = []
    for name, base in (("hour of the week", of), ("flat baseline", lambda _: p0)):
        scale = 1.0 if name != "flat baseline" else 0.05
        kept = between_alarms(of, base, streams=1_000, cases=int(40_000 * quick * scale), rng=rng)
        rows.append({"stream": "season 40 %", "baseline": name, "p0": p0, **kept})
        print(rows[-1], flush=True)
    for risk in (1.5, 2.0, 3.0):
        streams = int(1_500 * quick)
        phase = rng.integers(0, DAY, streams)
        kept_at, best = optimum_of_season(rates, risk)
        stops = delay(lambda at, r=risk: r * of(at), of, streams=streams, most=int(30 * best), rng=rng, phase=phase)
        rows.append(_delayed("season 40 %", p0, risk, best, stops) | {"optimum_arl": round(kept_at)})
        print(rows[-1], flush=True)
    return rows


def learnt(rng: Any, quick: float) -> list[dict[str, Any]]:
    """Baselines of a finite past: the mean of it, and the upper bound that the watch uses."""
    p0, rows = 0.05, []
    for past in (2_000, 20_000):
        streams = 400
        seen = rng.binomial(past, p0, streams)
        known: dict[int, float] = {int(k): drift.upper_bound(int(k), past) for k in np.unique(seen)}
        upper = np.array([known[int(k)] for k in seen])
        for name, base in (("mean of the past", seen / past), ("upper bound", upper)):
            kept = between_alarms(
                lambda _: p0, lambda _, b=base: b, streams=streams, cases=int(60_000 * quick), rng=rng
            )
            stops = delay(lambda _: 2 * p0, lambda _, b=base: b, streams=streams, most=20_000, rng=rng)
            best = optimum(p0, 2 * p0)[1]
            rows.append({"stream": f"learnt from {past}", "baseline": name, **kept} | {"doubled": _ratio(stops, best)})
            print(rows[-1], flush=True)
    return rows


def intents(rng: Any, quick: float) -> list[dict[str, Any]]:
    """50 intents, shares as 1/rank, learnt from 10,000 cases; a rare one grows by 3 points."""
    count, past = 50, 10_000
    share = 1 / np.arange(1, count + 1)
    share /= share.sum()
    new = share.copy()
    new[-1] += 0.03
    new /= new.sum()
    rows = []
    for name in ("upper bound", "mean of the past"):
        streams, cases = 250, int(12_000 * quick)
        seen = rng.multinomial(past, share, streams)
        if name == "upper bound":
            known = {int(k): drift.upper_bound(int(k), past) for k in np.unique(seen)}
            base = np.vectorize(lambda k, known=known: known[int(k)])(seen)
        else:
            base = (seen + 0.5) / (past + 0.5 * count)
        base = np.clip(base, 1e-6, 0.94)
        kept = _mixed(rng, share, base, cases, again=True)
        stops = _mixed(rng, new, base, 6_000, again=False)
        best = optimum(float(share[-1]), float(new[-1]))[1]
        rows.append(
            {"stream": "50 intents", "baseline": name, **kept}
            | {"grown": _ratio(stops, best), "optimum_that_knows_the_intent": round(best, 1)}
        )
        print(rows[-1], flush=True)
    return rows


def _mixed(rng: Any, share: Any, base: Any, cases: int, *, again: bool) -> Any:
    """`handrail.watch.drift.after_one_of` in columns."""
    streams, count = base.shape
    rates = np.minimum(base[:, :, None] * RISKS, drift.HIGHEST)
    rare, often = (1 - rates) / (1 - base[:, :, None]), rates / base[:, :, None]
    ratio = often / rare
    amounts = np.zeros((streams, count, len(RISKS)))
    stop, alarms = np.full(streams, -1), 0
    place = np.arange(streams)
    for at in range(cases):
        which = rng.choice(count, streams, p=share)
        amounts += 1
        amounts *= rare
        amounts[place, which] *= ratio[place, which]
        over = amounts.mean((1, 2)) >= WANTED
        if again and over.any():
            alarms += int(over.sum())
            amounts[over] = 0
        elif not again:
            stop[over & (stop < 0)] = at + 1
            if (stop >= 0).all():
                break
    if not again:
        return np.where(stop < 0, cases, stop)
    low, high = _limits(alarms, streams * cases)
    exposure = streams * cases
    return {"alarms": alarms, "cases": exposure, "arl": round(exposure / max(alarms, 1)), "arl_95": [low, high]}


def _ratio(stops: Any, best: float) -> dict[str, float]:
    mean, error = float(stops.mean()), float(stops.std() / math.sqrt(len(stops)))
    return {"mean": round(mean, 1), "ratio": round(mean / best, 3), "ratio_error": round(error / best, 3)}


def _delayed(stream: str, p0: float, risk: float, best: float, stops: Any) -> dict[str, Any]:
    return {
        "stream": stream, "p0": p0, "times": risk, "optimum": round(best, 1), **_ratio(stops, best),
        "p95": float(np.quantile(stops, 0.95)),
    }  # fmt: skip


PARTS = {"flat": flat, "season": season, "learnt": learnt, "intents": intents}


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--only", default=",".join(PARTS))
    given.add_argument("--quick", type=float, default=1.0, help="part of the streams, for a look")
    given.add_argument("--json")
    options = given.parse_args()
    agree(np.random.default_rng(1))
    begun, rows = time.process_time(), []
    for at, part in enumerate(options.only.split(",")):
        rows += PARTS[part](np.random.default_rng(100 + at), options.quick)
    ratios = [row["ratio"] for row in rows if "optimum" in row]
    if ratios:
        print(f"delay / optimum: worst {max(ratios)}, {sum(one <= 1.35 for one in ratios)} of {len(ratios)} <= 1.35")
    print(f"CPU {time.process_time() - begun:.0f} s")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
