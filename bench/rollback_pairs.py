"""Real agents' outcomes as releases: after how many pairs (one conversation each of canary and control) is a bad one
rolled back, as single units and compared by task, with each choice of bets, and how often is the same agent twice?

`PYTHONPATH=src python bench/rollback_pairs.py FOLDER [--draws 1000] [--null 2000] [--only TEXT]`, where FOLDER holds
the packs `cx-actions` and `agent-runs`. Outcomes are drawn with replacement, share one half, alpha 5 %. Rates that
stand for larger runs of the same agents are drawn as such (`at the stated rates`). The judge is that of `handrail
judge`. "pairs" of single units: half of the units until the rollback. Needs numpy.
"""

import argparse
import gzip
import json
import math
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handrail.policy.ramp import Bets
from handrail.releases.bets import Kind, binary
from handrail.releases.brought import Brought
from handrail.releases.judge import Metric, Plan, Verdict
from handrail.releases.judged import in_pairs
from handrail.releases.offline import Columns, judge

ALPHA = 0.05
PAIRS = 400
"""At most, of each run with a bad release."""
NULL_PAIRS = 300
STATED = {
    "retail, success 0.73 to 0.35": (0.27, 0.65),
    "retail, success 0.73 to 0.49": (0.27, 0.51),
    "gpt-4o to its detector variant, 0.69 to 0.415": (0.31, 0.585),
}
Draw = Callable[[Any, int], tuple[Any, Any]]
"""Random numbers and how many pairs: failures of control and canary, one column each, by task where there are tasks."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--null", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=20261121)
    given = parser.parse_args()
    for name, bad, draw in contrasts(given.folder):
        if given.only not in name:
            continue
        rng = np.random.default_rng(np.random.SeedSequence([given.seed, sum(map(ord, name))]))
        many, pairs = (given.draws, PAIRS) if bad else (given.null, NULL_PAIRS)
        drawn = [draw(rng, pairs) for _ in range(many)]
        rates = tuple(float(np.mean([one[arm] for one in drawn])) for arm in (0, 1))
        print(json.dumps({"contrast": name, "failures": [round(one, 3) for one in rates], "runs": many}), flush=True)
        for bets in Bets:
            for starts, reference, mean in (
                (0, "control", rates[0]), (0, "pooled", sum(rates) / 2), (0, "learnt", None), (8, "control", rates[0]),
                (8, "learnt", None),
            ):  # fmt: skip
                plan = planned(bets, starts, pairs, mean)
                stops = [as_units(plan, control, canary, rng) / 2 for control, canary in drawn]
                tell("units", bets, f"{starts} later starts, reference {reference}", stops, bad)
            if "stated" not in name:
                stops = [by_task(planned(bets, 0, pairs, None), *one) / 2 for one in drawn]
                tell("by task", bets, "", stops, bad)
            rolled = [(one[0], rng.permutation(one[1])) for one in drawn]
            stops = [by_task(planned(bets, 0, pairs, None), *one) / 2 for one in rolled]
            tell("as they come, two and two", bets, "", stops, bad)


def planned(bets: Bets, starts: int, pairs: int, mean: float | None) -> Plan:
    reference = None if mean is None else binary(mean)
    metric = Metric(name="failed", kind=Kind.BINARY, reference=reference)
    return Plan(metrics=(metric,), alpha=ALPHA, planned=2 * pairs, starts=starts, bets=bets)


def as_units(plan: Plan, control: Any, canary: Any, rng: Any) -> float:
    """Units until the rollback, labels drawn by a coin."""
    label = rng.integers(0, 2, 2 * len(control))
    which = np.where(label == 1, np.cumsum(label), np.cumsum(1 - label)) - 1
    values = np.where(label == 1, canary[which % len(canary)], control[which % len(control)])
    columns = Columns(label, np.zeros(len(label), np.int64), (("1", 0.5),), {"failed": values})
    told = judge(plan, columns)
    return told.decided_at if told.verdict is Verdict.WORSE and told.decided_at else math.inf


def by_task(plan: Plan, control: Any, canary: Any) -> float:
    """Units until the rollback, in pairs."""
    brought = Brought({})
    failed = np.column_stack([control, canary]).ravel()
    brought.canary.extend([0, 1] * len(control))
    brought.outcomes["failed"] = array("d", failed.tolist())
    brought.pairs = [str(at // 2) for at in range(len(failed))]
    told = in_pairs(plan, brought)
    return told.decided_at if told.verdict is Verdict.WORSE and told.decided_at else math.inf


def tell(mode: str, bets: Bets, how: str, stops: list[float], bad: bool) -> None:
    hit = float(np.isfinite(stops).mean())
    found: dict[str, Any] = {"mode": mode, "bets": bets.value, "rolled_back": round(hit, 4)}
    if how:
        found["how"] = how
    if bad:
        found["pairs"] = [round(float(np.quantile(stops, at, method="lower")), 1) for at in (0.25, 0.5, 0.75)]
    print("  " + json.dumps(found), flush=True)


def contrasts(folder: Path) -> Iterator[tuple[str, bool, Draw]]:
    """Name, whether the canary is worse, and the draw."""
    rows = [json.loads(line) for line in (folder / "cx-actions" / "outcomes.jsonl").open()]
    retail: dict[str, dict[str, float]] = {}
    trials: dict[str, list[float]] = {}
    for row in rows:
        if row["domain"] == "retail":
            retail.setdefault(row["release"], {})[row["task_id"]] = 1.0 - row["reward"]
        else:
            trials.setdefault(row["task_id"], []).append(1.0 - row["reward"])
    agents: dict[str, dict[str, float]] = {}
    with gzip.open(folder / "agent-runs" / "outcomes.jsonl.gz") as lines:
        for row in map(json.loads, lines):
            if row["attack"] == "none":
                agents.setdefault(row["pipeline"], {})[f"{row['suite']}/{row['task']}"] = 1.0 - row["utility"]
    usual, plain = retail["tool-calling"], agents["gpt-4o-2024-05-13"]
    for other in ("assertions-full", "assertions-no-postcondition"):
        yield f"retail, tool-calling to {other}", True, by_tasks(usual, retail[other])
    yield "gpt-4o to transformers_pi_detector", True, by_tasks(
        plain, agents["gpt-4o-2024-05-13-transformers_pi_detector"]
    )  # fmt: skip
    for name, (before, after) in STATED.items():
        yield f"{name}, at the stated rates", True, at_rates(before, after)
    yield "same: retail, tool-calling twice", False, by_tasks(usual, usual, alike=True)
    yield "same: airline, two of four trials", False, by_trials(list(trials.values()))
    yield "same: retail, which of two agents is the canary drawn for each task", False, by_tasks(
        usual, retail["assertions-full"], alike=True
    )  # fmt: skip


def by_tasks(control: dict[str, float], canary: dict[str, float], *, alike: bool = False) -> Draw:
    tasks = sorted(control.keys() & canary.keys())
    one, other = (np.array([arm[task] for task in tasks]) for arm in (control, canary))

    def draw(rng: Any, pairs: int) -> tuple[Any, Any]:
        at = rng.integers(0, len(tasks), pairs)
        if not alike:
            return one[at], other[at]
        if control is canary:
            return one[at], one[rng.integers(0, len(tasks), pairs)]
        swap = rng.integers(0, 2, pairs) == 1
        return np.where(swap, other[at], one[at]), np.where(swap, one[at], other[at])

    return draw


def by_trials(trials: list[list[float]]) -> Draw:
    """Two different trials of the same task."""
    many = np.array(trials)

    def draw(rng: Any, pairs: int) -> tuple[Any, Any]:
        task, first = rng.integers(0, len(many), pairs), rng.integers(0, many.shape[1], pairs)
        second = (first + rng.integers(1, many.shape[1], pairs)) % many.shape[1]
        return many[task, first], many[task, second]

    return draw


def at_rates(before: float, after: float) -> Draw:
    def draw(rng: Any, pairs: int) -> tuple[Any, Any]:
        return (rng.random(pairs) < before).astype(float), (rng.random(pairs) < after).astype(float)

    return draw


if __name__ == "__main__":
    main()
