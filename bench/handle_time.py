"""Handle time with a heavy tail, 15 % longer with the canary: after how many conversations is it found, by its
percentile among so many of the past, and by its mean over a cap; and how often does one that is no slower go back?

`PYTHONPATH=src python bench/handle_time.py FOLDER [--reps 150]`, where FOLDER holds `scenarios.json` and `sim.py`.
Share 10 %, alpha 1 %, without and with eight later starts. The past is drawn anew for each run. Needs numpy.
"""

import argparse
import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from handrail.releases.bets import Kind, score
from handrail.releases.judge import Metric, Plan, Verdict
from handrail.releases.offline import Columns, judge
from handrail.releases.percentile import SPREAD, percentile, quantiles

PASTS = (500, 20_000)
CAPS = (1800.0,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=20261121)
    given = parser.parse_args()
    spec = importlib.util.spec_from_file_location("sim", given.folder / "sim.py")
    assert spec is not None
    assert spec.loader is not None
    sim = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sim)
    for scenario in json.loads((given.folder / "scenarios.json").read_text()):
        if scenario["kind"] != "aht":
            continue
        rng = np.random.default_rng(given.seed)
        stops: dict[str, list[float]] = {}
        for _ in range(given.reps):
            drawn = sim.stream(scenario, 1, rng)
            canary, seconds = drawn["A"][0].astype(np.int64), drawn["Y"][0]
            for name, values, reference in forms(scenario, seconds, rng):
                metric = Metric(name="handle_time", kind=Kind.SCORE, reference=reference)
                for starts in (0, 8):
                    plan = Plan(metrics=(metric,), planned=len(seconds), starts=starts)
                    place = np.zeros(len(seconds), np.int64)
                    told = judge(plan, Columns(canary, place, (("1", scenario["share"]),), {"handle_time": values}))
                    found = told.decided_at if told.verdict is Verdict.WORSE and told.decided_at else math.inf
                    stops.setdefault(f"{name}, {starts} later starts", []).append(found)
        for name, one in stops.items():
            until = np.minimum(one, scenario["N"])
            print(
                json.dumps(
                    {
                        "scenario": scenario["name"], "judged": name, "runs": len(one),
                        "rolled_back": round(float(np.isfinite(one).mean()), 4),
                        "mean": round(float(until.mean())), "median": round(float(np.median(until))),
                    }
                ),
                flush=True,
            )  # fmt: skip


def forms(scenario: dict[str, Any], seconds: Any, rng: Any) -> Any:
    """Name, outcomes in [0, 1], reference."""
    for many in PASTS:
        table = quantiles(past(scenario, many, rng).tolist())
        places = np.interp(seconds, table, np.arange(len(table)) / (len(table) - 1))
        assert all(abs(places[at] - percentile(table, float(seconds[at]))) < 1e-9 for at in range(50))
        yield f"percentile of {many:,} past", places, score(0.5, SPREAD)
    for cap in CAPS:
        capped = np.minimum(past(scenario, 20_000, rng) / cap, 1.0)
        usual = score(float(capped.mean()), float(capped.std()))
        yield f"mean over {cap:.0f} s", np.minimum(seconds / cap, 1.0), usual


def past(scenario: dict[str, Any], many: int, rng: Any) -> Any:
    """As the control is drawn: log-normal, one in a hundred with a Pareto tail."""
    seconds = np.exp(math.log(scenario["median"]) + scenario["sigma"] * rng.standard_normal(many))
    return np.where(rng.random(many) < 0.01, seconds * (1 + rng.pareto(1.5, many)), seconds)


if __name__ == "__main__":
    main()
