"""Customers that a bad release hurts before it goes back, on the real register: SQLite, the draw, the table of units,
the elected judge and its rollback command, with time compressed.

    PYTHONPATH=src:tests python bench/harmed.py --runs 100

Each run: a canary at 10 %, failures 5 % of the control's and 10 % of the canary's conversations. They come in rounds
(one second of `--rate` each); what has matured is judged after each round. Harmed: canary conversations that fail
only because of the release, of all that were drawn before the rollback committed. Prints JSON.
"""

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from fakes.storage import CLOCK, IDS, ORDERS, kek

from handrail.app.judging import Judging
from handrail.backends.sqlite.open import SqliteStore
from handrail.in_force.snapshot import InForce
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.policy.ruleset import PromptMode, digest
from handrail.releases import desk, lifecycle
from handrail.releases.assign import Arm, drawn
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import Release, Target
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, ProviderId

BY = Actor(ActorKind.SYSTEM, "operator")


def a_release(prompt: str) -> Release:
    return Release(
        use_case=ORDERS, alias="orders", route=(Target(provider=ProviderId("mock"), model="m"),),
        prompt_mode=PromptMode.MANAGED, prompt=prompt,
    )  # fmt: skip


async def begin(store: Any, ramp: Ramp, number: int) -> Rollout:
    new = a_release(f"Answer {number}.")

    def start(tx: Any) -> Rollout:
        tx.releases.put(digest(new), new, by=BY, at_ms=tx.now_ms)
        desk.draft(tx, IDS, digest(new), ORDERS, BY)
        before = tx.rollouts.get(digest(new))
        green = lifecycle.tested(before, lifecycle.Tested(digest=Digest("d" * 64), passed=1, failed=0, at_ms=tx.now_ms))
        tx.rollouts.swap(before, green)
        after = lifecycle.started(green, ramp, salt=IDS.token(16), control=digest(OLD), used=frozenset(), now=tx.now_ms)
        tx.rollouts.swap(green, after)
        return after

    found: Rollout = await store.journal.run(start)
    return found


OLD = a_release("Answer well.")


async def one(store: Any, ramp: Ramp, given: argparse.Namespace, number: int) -> tuple[float, int, bool]:
    """Harmed, units until the rollback, and whether there was one."""
    rollout = await begin(store, ramp, number)
    judging = Judging(store, InForce(), "bench", ids=IDS, clock=CLOCK)
    draw = random.Random(given.seed * 1_000_003 + number)
    harmed = units = 0
    while units < given.most:
        names = [IDS.new("cv") for _ in range(given.rate)]
        found = [drawn(rollout, name, {}) for name in names]

        def assign(tx: Any, names: list[str] = names, found: list[Any] = found) -> int:
            hurt = 0
            for name, each in zip(names, found, strict=True):
                tx.fetch(
                    "INSERT INTO conversation (id, use_case, key_id, subject, seen, turns, at_ms, drawn) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    (name, ORDERS, "k1", "su", b"", 1, tx.now_ms, msgspec.json.encode(each).decode()),
                )
                tx.units.assign(ORDERS, each, name)
                luck = draw.random()
                canary = each.arm is Arm.CANARY
                if luck < (given.canary if canary else given.control):
                    tx.units.signal(name, "complaint", tx.now_ms, 1.0)
                hurt += canary and given.control <= luck < given.canary
            tx.fetch("UPDATE unit SET assigned_at = assigned_at - 60000 WHERE folded IS NULL AND assigned_at > $1",
                     (tx.now_ms - 30_000,))  # fmt: skip
            return hurt

        harmed += await store.journal.run(assign)
        units += given.rate
        while await judging._judge(rollout.release):
            pass
        now = await store.journal.run(lambda tx: tx.rollouts.get(rollout.release))
        if now.state is not State.CANARY:
            return harmed, units, True
    await store.journal.run(lambda tx: desk.roll_back(tx, IDS, tx.rollouts.get(rollout.release), BY, safety=True))
    return harmed, units, False


async def main(given: argparse.Namespace) -> None:
    ramp = Ramp(
        stages=(Stage(share=given.share),), maturity_minutes=0.0, planned_units=given.planned, alpha=0.01,
        metrics=(RampMetric(name=Outcome.COMPLAINT, reference=given.control),),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "data", kek(), ids=IDS, clock=CLOCK)
        await store.journal.run(lambda tx: tx.releases.put(digest(OLD), OLD, by=BY, at_ms=tx.now_ms))
        await store.journal.run(lambda tx: tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms))
        runs = [await one(store, ramp, given, number) for number in range(given.runs)]
        await store.close()
    harmed = sorted(each[0] for each in runs)
    print(
        json.dumps(
            {
                "runs": len(runs), "rolled_back": sum(each[2] for each in runs),
                "harmed_mean": sum(harmed) / len(harmed), "harmed_p95": harmed[int(len(harmed) * 0.95)],
                "units_mean": sum(each[1] for each in runs) / len(runs), "planned": given.planned,
            },
            indent=2,
        )
    )  # fmt: skip


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=100)
    asked.add_argument("--rate", type=int, default=25, help="conversations of a round")
    asked.add_argument("--share", type=float, default=0.1)
    asked.add_argument("--control", type=float, default=0.05)
    asked.add_argument("--canary", type=float, default=0.10)
    asked.add_argument("--planned", type=int, default=0, help="units of the planned life; 0: no later starts")
    asked.add_argument("--most", type=int, default=30_000, help="units of a run")
    asked.add_argument("--seed", type=int, default=1)
    asyncio.run(main(asked.parse_args()))
