"""64 callers at once against a cap of 1,000.00 over HTTP and three workers, which are killed meanwhile: never a cent
over it, and what was reserved is spent or given back."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

import pytest
from acting_house import ActingHouse, act, till
from fakes.storage import PostgresServer
from house import Server, within

from handrail.app import wire
from handrail.app.settings import settings
from handrail.approvals.lifecycle import State

CAP, AMOUNT, CALLERS = 100_000, 3_000, 64
CREDIT = """\
  credit:
    type: write-undoable
    reversibility: free
    money: { amount: amount, unit: minor, currency: EUR }
    arguments:
      type: object
      additionalProperties: false
      required: [order, amount]
      properties: { order: { type: string }, amount: { type: integer, minimum: 1 } }
    http: { method: POST, path: "/credits/{order}" }
    idempotency: { place: header, name: Idempotency-Key }
"""
LIMIT = "{ id: credits, at_most: 100000, per: fleet, within: month, currency: EUR, over: deny, tools: [till.credit] }"
STAYS = frozenset({State.HELD, State.APPROVED, State.CLAIMED, State.DONE, State.UNKNOWN})


def lent(house: ActingHouse) -> ActingHouse:
    root = house.root
    tools, rules, case = (root / name for name in ("tools/till.yaml", "rules/till.yaml", "use-cases/orders.yaml"))
    tools.write_text(tools.read_text() + CREDIT)
    rules.write_text(rules.read_text().replace("limits:\n", f"limits:\n  - {LIMIT}\n"))
    case.write_text(case.read_text().replace("tools: [", "tools: [till.credit, "))
    return house


def asked(server: Server, key: str, name: str, answers: Counter[str]) -> None:
    """Until it is known what became of it; the same call again after a lost answer."""
    for _ in range(200):
        try:
            body = {"arguments": {"order": name, "amount": AMOUNT}, "conversation": name}
            status, answer = act(server, key, "till.credit", wait=5, **body)
        except (OSError, ValueError, HTTPException):
            status, answer = 0, {}
        if status == 200:
            answers[answer["status"]] += 1
            return
        time.sleep(0.1)
    answers["lost"] += 1


def children(server: Server) -> list[int]:
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.faults
@pytest.mark.promise("ACT-4")
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_64_callers_never_pass_the_cap_and_no_reservation_is_lost(
    engine: str, tmp_path: Path, postgres_server: Callable[[], PostgresServer], full: bool
) -> None:
    random, kills, rounds = Random(engine), 12 if full else 2, 3 if full else 1
    database = "sqlite" if engine == "sqlite" else postgres_server().new_database()
    with till(tmp_path) as target:
        house = lent(ActingHouse(tmp_path / "home", target.url, knows="asks", database=database))
        house.publish()
        key = house.agent()
        answers = Counter[str]()
        with house.serving("--workers", "3") as server:
            drained = threading.Thread(target=drain, args=(server,))
            drained.start()
            callers = [
                threading.Thread(
                    target=lambda lane=lane: [
                        asked(server, key, f"slow-{10 * (lane % 5)}-{lane}-{at}", answers) for at in range(rounds)
                    ]
                )
                for lane in range(CALLERS)
            ]
            time.sleep(2.5)  # who dies sooner counts as one that cannot start
            for caller in callers:
                caller.start()
            for _ in range(kills):
                time.sleep(random.uniform(0.1, 0.4))
                os.kill(random.choice(children(server)[:3]), signal.SIGKILL)
                time.sleep(2.5)
            for caller in callers:
                caller.join(120)
            for at in range(40):  # what was given back can be had again, to the last cent that fits
                asked(server, key, f"more-{at}", answers)
                if answers["done"] and answers["denied"] and at:
                    break
            within(20, lambda: set(states(house)) <= {"done", "denied", "failed"})
        drained.join(10)
        assert not answers["lost"]
        paid = [row["body"]["amount"] for row in target.effects("credits")]
        assert sum(paid) <= CAP
        assert len(paid) == CAP // AMOUNT == states(house)["done"]
        used, kept = asyncio.run(books(house))
        assert used == kept == sum(paid)
    print(f"{engine}: {kills} kills, {dict(answers)}, {sum(paid)} of {CAP}")


def drain(server: Server) -> None:
    assert server.process.stdout is not None
    for _ in server.process.stdout:
        continue


def states(house: ActingHouse) -> Counter[str]:
    words = [f"--state={state.value}" for state in State]
    said = house.run("approvals", "list", "--json", "--limit", "10000", *words)
    return Counter(json.loads(line)["state"] for line in said.stdout.splitlines())


async def books(house: ActingHouse) -> tuple[int, int]:
    """What the limit says is used, and what actions say that they keep of it."""
    env = {**os.environ, **house.env}

    def read(tx: Any) -> tuple[int, int]:
        used = tx.fetch("SELECT used FROM limit_use WHERE scope LIKE 'credits:%'")
        kept = [
            amount
            for one in tx.actions.waiting(frozenset(State), limit=10_000)
            for scope, _, amount in one.reserved
            if scope.startswith("credits:") and one.progress.state in STAYS
        ]
        return sum(int(row[0]) for row in used), sum(kept)

    async with wire.opened(settings(house.root, env), env, checkpoints=False) as store:
        found: tuple[int, int] = await store.journal.run(read)
        return found
