"""SIGKILL of a server's processes while actions are in every step: none lost, none doubled, each with its receipt or an
open question to a person."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from acting_house import ActingHouse, act, till
from fakes.storage import PostgresServer
from house import Server, within

OVER = ("done", "failed", "unknown")


class Load:
    """Agents that ask without end; an answer that is lost is asked for again, the same call."""

    def __init__(self, server: Server, key: str, name: str) -> None:
        self._server, self._key, self._name = server, key, name
        self.asked: set[str] = set()
        self.acknowledged: set[str] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in range(6)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, lane: int) -> None:
        at = 0
        while not self._stop.is_set():
            at += 1
            pause = "slow-40" if at % 3 == 0 else "plain"
            order = f"{pause}-{self._name}-{lane}-{at}"
            self.asked.add(order)
            for _ in range(80):
                if self._once(order):
                    break
                time.sleep(0.1)

    def _once(self, order: str) -> bool:
        # a conversation of its own name, so that the same call again finds the first
        body = {"arguments": {"order": order, "text": "x"}, "conversation": f"t-{order}"}
        try:
            status, answer = act(self._server, self._key, "till.note", **body)
        except (OSError, ValueError):
            return False
        if status == 202 and answer["status"] != "unknown":
            return False  # it runs, or its claim is looked into: the same call tells how it ended
        if status in (200, 202):
            self.acknowledged.add(order)
            return True
        return False


def children(server: Server) -> list[int]:
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.faults
@pytest.mark.promise("ACT-6")
@pytest.mark.parametrize("knows", ["honours", "asks", "neither"])
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_kills_at_any_moment_lose_and_double_nothing(
    engine: str,
    knows: str,
    tmp_path: Path,
    postgres_server: Callable[[], PostgresServer],
    full: bool,
) -> None:
    random = Random(f"actions on {engine}, {knows}")
    kills = 60 if full else 4
    database = "sqlite" if engine == "sqlite" else postgres_server().new_database()
    with till(tmp_path, forgets=knows != "honours") as target:
        house = ActingHouse(tmp_path / "home", target.url, knows=knows, database=database)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving("--workers", "2") as server:
            load = Load(server, key, knows)
            for _ in range(kills):
                time.sleep(random.uniform(0.2, 1.2))
                alive = children(server)
                for pid in random.sample(alive, k=random.randint(1, len(alive))):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
            within(30, lambda: len(children(server)) >= 3)
            load.end()
            within(20, lambda: not actions(house, "approved", "claimed"))
        rows = actions(house, *OVER)
        effects = Counter(row["path"] for row in target.effects("notes"))
        assert max(effects.values()) == 1, [path for path, count in effects.items() if count > 1]
        assert load.acknowledged
        states = Counter(row["state"] for row in rows)
        # every effect belongs to an action that says done, or that a person is asked about
        assert len(effects) <= states["done"] + states["unknown"]
        assert states["done"] <= len(effects)
        if knows != "neither":
            assert states["done"] == len(effects)
        assert len(load.acknowledged) <= len(rows)
        receipts = Counter(entries(house))
        assert receipts["action.done"] == states["done"]
        assert receipts["action.unknown"] == states["unknown"]
        assert house.said("verify", str(house.root)).startswith("OK: ")
    print(f"{engine}, {knows}: {kills} rounds of kills, {len(rows)} actions, {dict(states)}, {len(effects)} effects")


def actions(house: ActingHouse, *states: str) -> list[dict[str, str]]:
    words = [f"--state={state}" for state in states]
    said = house.run("approvals", "list", "--json", "--limit", "10000", *words)
    return [json.loads(line) for line in said.stdout.splitlines()]


def entries(house: ActingHouse) -> list[str]:
    kinds = []
    for kind in ("action.done", "action.unknown"):
        found = house.run("log", "--kind", kind, "--json", "--limit", "1000").stdout.splitlines()
        kinds += [json.loads(line)["kind"] for line in found]
    return kinds
