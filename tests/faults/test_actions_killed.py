"""SIGKILL of a server's processes while actions are in every step: none lost, none doubled, each with its receipt or an
open question to a person."""

import asyncio
import contextlib
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

import pytest
from acting_house import ActingHouse, act, till
from fakes.storage import PostgresServer
from house import Server, within

from handrail.app import wire
from handrail.app.settings import settings

LIVED_S = 2.3
"""A child that is killed sooner counts as one that failed to start, and five of them end the server."""
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
        except (OSError, ValueError, HTTPException):
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


def drain(server: Server) -> None:
    assert server.process.stdout is not None
    with contextlib.suppress(ValueError):  # closed with the process
        for _ in server.process.stdout:
            continue


def ready(server: Server) -> bool:
    """Two workers and the jobs process run, and one of them answers."""
    try:
        return len(children(server)) >= 3 and server.get("/readyz")[0] == 200
    except OSError:
        return False


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
    kills = 60 if full else 6
    database = "sqlite" if engine == "sqlite" else postgres_server().new_database()
    with till(tmp_path, forgets=knows != "honours") as target:
        house = ActingHouse(tmp_path / "home", target.url, knows=knows, database=database)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving("--workers", "2") as server:
            drained = threading.Thread(target=drain, args=(server,))  # its log, else a full pipe stops it
            drained.start()
            load = Load(server, key, knows)
            killed, seen = 0, dict[int, float]()
            while killed < kills:
                within(60, lambda: ready(server))
                for pid in children(server):
                    seen.setdefault(pid, time.monotonic())
                time.sleep(random.uniform(0.0, 0.4))
                alive = [pid for pid in children(server) if time.monotonic() - seen.get(pid, 1e12) > LIVED_S]
                for pid in random.sample(alive, k=random.randint(min(1, len(alive)), len(alive))):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            within(60, lambda: ready(server))
            load.end()
            within(20, lambda: not actions(house, "approved", "claimed"))
        drained.join(10)
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
        receipts = entries(house)
        assert receipts.get("action.done", 0) == states["done"]
        assert receipts.get("action.unknown", 0) == states["unknown"]
        assert receipts["action.claimed"] == len(rows)
        assert house.said("verify", str(house.root)).startswith("OK: ")
    print(f"{engine}, {knows}: {killed} kills, {len(rows)} actions, {dict(states)}, {len(effects)} effects")


def actions(house: ActingHouse, *states: str) -> list[dict[str, str]]:
    words = [f"--state={state}" for state in states]
    said = house.run("approvals", "list", "--json", "--limit", "10000", *words)
    return [json.loads(line) for line in said.stdout.splitlines()]


def entries(house: ActingHouse) -> dict[str, int]:
    """How many entries of each kind, counted in the database."""
    env = {**os.environ, **house.env}

    async def count() -> dict[str, int]:
        async with wire.opened(settings(house.root, env), env, checkpoints=False) as store:
            sql = "SELECT kind, count(*) FROM entry GROUP BY kind"
            return dict(await store.journal.run(lambda tx: tx.fetch(sql)))

    return asyncio.run(count())
