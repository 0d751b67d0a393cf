"""The judge over simulated releases, harmless and bad: how often it is wrong, how soon it is right, how many are hurt.

`python bench/rollback.py FOLDER [--only a,b] [--reps 500] [--bets large] [--json OUT]`, where FOLDER holds
`scenarios.json` and `sim.py`, which draws the streams. The same rule as `handrail judge`, with the reference rates of
the scenario declared, with and without later starts. "Harmed": extra failures among canary units until the rollback.
Needs numpy.
"""

import argparse
import importlib.util
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from handrail.policy.ramp import Bets
from handrail.releases.bets import Kind, Reference, binary, score
from handrail.releases.judge import Metric, Plan, Verdict
from handrail.releases.offline import Columns, judge

ALPHA = 0.01


def bound(p0: float, p1: float, share: float) -> float:
    """Least expected units of any test that is wrong with probability ALPHA (Wald)."""
    pooled = share * p1 + (1 - share) * p0
    information = share * _kl(p1, pooled) + (1 - share) * _kl(p0, pooled)
    return math.log(1 / ALPHA) / information


def _kl(p: float, q: float) -> float:
    rest = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return p * math.log(p / q) + rest


class Row:
    """Stops of one scenario under one plan."""

    def __init__(self, scenario: dict[str, Any], harm: Any, window: int) -> None:
        self.scenario, self.harm, self.window = scenario, harm, window
        self.stops: list[float] = []

    def told(self) -> dict[str, Any]:
        units = int(self.scenario["N"])
        stops = np.array(self.stops)
        hit = np.isfinite(stops)
        found: dict[str, Any] = {"runs": len(stops), "rolled_back": round(float(hit.mean()), 4)}
        low, high = wilson(int(hit.sum()), len(stops))
        found["interval"] = [round(low, 4), round(high, 4)]
        if self.scenario.get("rr", 1.0) > 1:
            until = np.where(hit, stops, units)
            found["mean"], found["median"] = round(float(until.mean()), 1), float(np.median(until))
            if self.harm is not None:
                harmed = self.harm[np.clip(until.astype(int), 1, units) - 1]
                found["harmed"] = round(float(harmed.mean()), 2)
                found["harmed_p95"] = round(float(np.quantile(harmed, 0.95)), 1)
            least = wald(self.scenario)
            if least:
                found["bound"], found["ratio"] = round(least, 1), round(float(until.mean()) / least, 3)
                found["within"] = [round(float((stops <= times * least).mean()), 3) for times in (2, 3)]
        return found


def wald(scenario: dict[str, Any]) -> float | None:
    if scenario["kind"] != "bernoulli" or "ramp" in scenario or scenario.get("canary_from"):
        return None
    return bound(scenario["p0"], min(1.0, scenario["p0"] * scenario["rr"]), scenario["share"])


def wilson(hits: int, runs: int, z: float = 1.96) -> tuple[float, float]:
    p, d = hits / runs, 1 + z * z / runs
    middle = (p + z * z / 2 / runs) / d
    half = z * math.sqrt(p * (1 - p) / runs + z * z / 4 / runs / runs) / d
    return middle - half, middle + half


def outcomes(scenario: dict[str, Any], drawn: dict[str, Any]) -> tuple[Any, Kind, Reference, int]:
    """Outcomes in [0, 1], their kind and reference, and how long they take to mature, in units."""
    kind = scenario["kind"]
    if kind == "bernoulli":
        return drawn["Y"].astype(float), Kind.BINARY, binary(scenario["p0"]), 0
    if kind == "delayed":
        return drawn["Y"].astype(float), Kind.BINARY, binary(scenario["p0"]), int(scenario["window"])
    if kind == "cluster":  # one unit is one conversation: bad when any of its turns was
        return (drawn["Y"] > 0).astype(float), Kind.BINARY, binary(scenario["p0_unit"]), 0
    if kind == "score":
        mean = scenario["p0"]
        return (
            drawn["Y"].astype(float),
            Kind.SCORE,
            score(mean, math.sqrt(mean * (1 - mean) / (scenario["kappa"] + 1))),
            0,
        )
    past = np.random.default_rng(7)
    seconds = np.exp(math.log(scenario["median"]) + scenario["sigma"] * past.standard_normal(200_000))
    tail = past.random(200_000) < 0.01
    history = np.sort(np.where(tail, seconds * (1 + past.pareto(1.5, 200_000)), seconds))
    percentiles = np.searchsorted(history, drawn["Y"].ravel()).reshape(drawn["Y"].shape) / len(history)
    return percentiles, Kind.SCORE, score(0.5, math.sqrt(1 / 12)), 0


def run(scenario: dict[str, Any], sim: Any, reps: int, seed: int, bets: Bets) -> dict[str, Any]:
    if scenario["N"] == "auto":
        least = wald(scenario)
        assert least is not None
        scenario["N"] = int(math.ceil(scenario.get("mult", 6) * least / 2000) * 2000)
    units = int(scenario["N"])
    shares = sim.shares(scenario, units)
    worse = sim.effect(scenario, units) - 1
    harm = None
    if scenario["kind"] in ("bernoulli", "delayed", "cluster") and scenario.get("rr", 1.0) > 1:
        harm = np.cumsum(
            shares * scenario.get("p0_unit", scenario.get("p0", 0)) * sim.baseline(scenario, units) * worse
        )
    found, place = np.unique(shares, return_inverse=True)
    order = sorted(range(len(found)), key=lambda at: int(np.flatnonzero(place == at)[0]))
    places = tuple((str(order.index(at)), float(share)) for at, share in enumerate(found))
    rows = {"plain": Row(scenario, harm, 0), "later starts": Row(scenario, harm, 0)}
    rng = np.random.default_rng(np.random.SeedSequence([seed, sum(map(ord, scenario["name"]))]))
    began, at_once = time.process_time(), max(1, min(reps, 4_000_000 // units))
    done = 0
    while done < reps:
        many = min(at_once, reps - done)
        done += many
        drawn = sim.stream(scenario, many, rng)
        values, kind, reference, window = outcomes(scenario, drawn)
        metric = Metric(name="metric", kind=kind, reference=reference)
        for one in range(many):
            columns = Columns(drawn["A"][one].astype(np.int64), place, places, {"metric": values[one]})
            for name, starts in (("plain", 0), ("later starts", 8)):
                plan = Plan(metrics=(metric,), alpha=ALPHA, planned=units, starts=starts, bets=bets)
                told = judge(plan, columns)
                at = told.decided_at + window if told.verdict is Verdict.WORSE and told.decided_at else math.inf
                rows[name].stops.append(at if at <= units else math.inf)
    result = {name: row.told() for name, row in rows.items()}
    return {"name": scenario["name"], **result, "seconds": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--reps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bets", type=Bets, default=Bets.ANY)
    given = parser.parse_args()
    spec = importlib.util.spec_from_file_location("sim", given.folder / "sim.py")
    assert spec is not None
    assert spec.loader is not None
    sim = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sim)
    results = []
    for scenario in json.loads((given.folder / "scenarios.json").read_text()):
        if given.only and not any(part in scenario["name"] for part in given.only.split(",")):
            continue
        results.append(run(scenario, sim, min(given.reps, scenario["reps"]), given.seed, given.bets))
        print(json.dumps(results[-1]), flush=True)
        if given.json:
            given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    sys.exit(main())
