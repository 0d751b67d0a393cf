"""SIGKILL at every named step of an action, with thousands in flight: in the target's own books, in the register and in
the ledger none is lost, none doubled, and what limits had given is given back or spent, to the cent."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acting_house import ActingHouse, TillProcess, till
from fakes.storage import PostgresServer
from faults.action_death import CALLS, QUESTIONS, STEPS

from handrail.app import wire
from handrail.app.settings import settings
from handrail.app.wire.acting import OnceActing
from handrail.approvals.lifecycle import State
from handrail.in_force.follow import look
from handrail.in_force.snapshot import InForce

CHILD = Path(__file__).parent / "action_steps.py"
KEY = "    idempotency: { place: header, name: Idempotency-Key }"
QUESTION = (
    "    outcome:\n      call: { tool: asks.by_key, arguments: { key: $key } }\n"
    "      expect: [{ path: found, equals: true }]\n      absent: [{ path: found, equals: false }]"
)
KNOWS = {"honours": KEY, "asks": f"{KEY}\n{QUESTION}", "neither": ""}
UPSTREAM = "upstream: {{ id: {id}, kind: http, base_url: {url}, private_network: true, trusted: true, timeout_ms: 1000,"
TOOL = """\
  {name}:
    type: {type}
    {more}
    arguments:
      type: object
      additionalProperties: false
      required: [order, amount]
      properties: {{ order: {{ type: string }}, amount: {{ type: integer, minimum: 1 }} }}
    http: {{ method: POST, path: "/{name}/{{order}}" }}
{knows}
"""
MONEY = "money: { amount: amount, unit: minor, currency: EUR }"
UNDO = "undo: {{ tool: {}.forget, arguments: {{ note: $response.id }} }}\n    reversibility: free"
KINDS = {
    "pay": ("money", MONEY), "pair": ("money", MONEY), "brief": ("money", MONEY), "stepped": ("money", MONEY),
    "halted": ("money", MONEY), "note": ("write-undoable", UNDO), "cooling": ("write-undoable", "cool_off_s: 36000"),
}  # fmt: skip
REST = """\
  forget:
    type: write-undoable
    reversibility: free
    arguments:
      type: object
      additionalProperties: false
      required: [note]
      properties: {{ note: {{ type: string }} }}
    http: {{ method: POST, path: "/forget/{{note}}" }}
{knows}
  by_key:
    type: read
    arguments:
      {{ type: object, additionalProperties: false, required: [key], properties: {{ key: {{ type: string }} }} }}
    http: {{ method: GET, path: "/refunds/{{key}}" }}
"""
RULES = """\
rules:
  - {{ id: two, hold: two persons, route: pair, tools: [{pair}] }}
  - {{ id: soon, hold: within a second, route: brief, tools: [{brief}] }}
  - {{ id: later, hold: with an escalation, route: stepped, tools: [{stepped}] }}
limits:
{limits}
routes:
  - {{ id: leads, roles: [approver], decide_within_s: 36000 }}
  - {{ id: pair, roles: [approver], persons: 2, decide_within_s: 36000 }}
  - {{ id: brief, roles: [approver], decide_within_s: 1, execute_within_s: 1 }}
  - {{ id: stepped, roles: [approver], decide_within_s: 36000, steps: [{{ after_s: 1, roles: [compliance] }}] }}
"""
LIMITS = """\
  - {{ id: {id}-money, at_most: 100000000000, per: fleet, within: month, currency: EUR, tools: [{money}] }}
  - {{ id: {id}-notes, at_most: 100000000, per: use-case, within: month, tools: [{notes}] }}
"""
GIVES_BACK = frozenset(State) - {State.HELD, State.APPROVED, State.CLAIMED, State.DONE, State.UNKNOWN}


def names(upstream: str, *tools: str) -> str:
    return ", ".join(f"{upstream}.{tool}" for tool in tools)


class StepsHouse(ActingHouse):
    """An upstream for each way of knowing: `honours` keys, can be `asks`ed, `neither`."""

    def __init__(self, root: Path, urls: dict[str, str], database: str) -> None:
        super().__init__(root, "", database=database)
        (root / "tools" / "till.yaml").unlink()
        (root / "rules" / "till.yaml").unlink()
        paid = [kind for kind, (of, _) in KINDS.items() if of == "money"]
        limits = ""
        for knows, url in urls.items():
            text = UPSTREAM.format(id=knows, url=url) + " credential: { env: TILL_KEY } }\ntools:\n"
            text += "".join(
                TOOL.format(name=name, type=of, more=more.format(knows) if name == "note" else more, knows=KNOWS[knows])
                for name, (of, more) in KINDS.items()
            )
            (root / "tools" / f"{knows}.yaml").write_text(text + REST.format(knows=KNOWS[knows]))
            limits += LIMITS.format(id=knows, money=names(knows, *paid), notes=names(knows, "note", "cooling"))
        each = {tool: ", ".join(f"{knows}.{tool}" for knows in urls) for tool in KINDS}
        (root / "rules" / "steps.yaml").write_text(RULES.format(limits=limits.rstrip(), **each))
        path = root / "use-cases" / "orders.yaml"
        listed = ", ".join(names(knows, *KINDS, "forget", "by_key") for knows in urls)
        path.write_text(
            path.read_text().partition("tools: [till")[0]
            + f"tools: [{listed}]\n"
            + path.read_text().partition("till.forget]\n")[2]
        )


@dataclass
class Cell:
    house: StepsHouse
    tills: dict[str, TillProcess]
    folder: Path

    def till_of(self, knows: str) -> Path:
        return self.folder / knows


@contextlib.contextmanager
def made(folder: Path, database: str) -> Iterator[Cell]:
    with contextlib.ExitStack() as stack:
        tills = {}
        for knows in KNOWS:
            (folder / knows).mkdir()
            tills[knows] = stack.enter_context(till(folder / knows, forgets=knows != "honours"))
        house = StepsHouse(folder / "home", {knows: one.url for knows, one in tills.items()}, database)
        house.publish()
        house.hire()
        house.agent()
        for knows in KNOWS:
            (folder / knows / "staff.json").write_text(json.dumps(house.staff))
        yield Cell(house, tills, folder)


class Driver:
    """One place for a server process: what is started next is forked from a parent that has imported everything."""

    def __init__(self, cell: Cell, knows: str, at: int) -> None:
        self._at = at
        self._log = os.open(cell.till_of(knows) / f"driver-{at}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(cell.house.root), knows, str(cell.till_of(knows))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env={**os.environ, **cell.house.env},
        )  # fmt: skip

    def run(self, step: str, nth: int, seed: int) -> tuple[int, bool]:
        """Exit code, and whether it died at its step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        job = {"step": step, "nth": nth, "seed": seed, "checkpoints": self._at == 0}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["reached"]

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        os.close(self._log)


LATE = 3
"""The exit code of a process that did not come to its step in its time."""
AGAIN = 4
LATE_SEEDS = 500_000


@dataclass
class Kills:
    """Steps still to be killed at, taken by every driver; what came of them. A process that did not come to its step in
    its time was not killed: another one is sent, `AGAIN` times at most."""

    left: list[tuple[str, int, int]]
    done: Counter[str]
    wrong: list[str]
    lock: threading.Lock
    late: Counter[str] = field(default_factory=Counter)

    def serve(self, driver: Driver) -> None:
        while True:
            with self.lock:
                if not self.left or self.wrong:
                    return
                step, nth, seed = self.left.pop(0)
            code, reached = driver.run(step, nth, seed)
            with self.lock:
                if (code, reached) == (-9, True):
                    self.done[step] += 1
                elif (code, reached) == (LATE, False) and self.late[step] < AGAIN:
                    self.late[step] += 1
                    self.left.append((step, 1, seed + LATE_SEEDS))
                else:
                    self.wrong.append(f"{step}: exit {code}, reached: {reached}")


def each(drivers: list[Driver], work: Callable[[Driver], None]) -> None:
    threads = [threading.Thread(target=work, args=(driver,)) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def steps_of(knows: str) -> list[str]:
    return [step for step in STEPS if knows != "neither" or step not in QUESTIONS]


@contextlib.contextmanager
def cell_of(
    engine: str, full: bool, tmp_path: Path, shared: dict[str, Any], server: Callable[[], PostgresServer], factory: Any
) -> Iterator[Cell]:
    """A home of its own for a long cell; short ones share one for each engine, since making it takes seconds."""
    if full:
        with made(tmp_path, "sqlite" if engine == "sqlite" else server().new_database()) as cell:
            yield cell
        return
    if engine not in shared:
        stack = shared.setdefault("stack", contextlib.ExitStack())
        database = "sqlite" if engine == "sqlite" else server().new_database()
        shared[engine] = stack.enter_context(made(factory.mktemp(engine), database))
    yield shared[engine]


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    if "stack" in found:
        found["stack"].close()


CELLS = [(knows, processes) for knows in ("honours", "asks") for processes in (1, 3)] + [("neither", 1)]


@pytest.mark.faults
@pytest.mark.promise("ACT-1", "ACT-4", "ACT-5", "ACT-6")
@pytest.mark.parametrize(("knows", "processes"), CELLS)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_kill_at_any_named_step_loses_and_doubles_nothing(
    engine: str,
    knows: str,
    processes: int,
    tmp_path: Path,
    postgres_server: Callable[[], PostgresServer],
    full: bool,
    shared: dict[str, Any],
    tmp_path_factory: Any,
) -> None:
    began = time.monotonic()
    steps = steps_of(knows)
    place = (CELLS.index((knows, processes)) * 2 + (engine == "postgres")) if not full else 0
    if full:
        flying, rounds = (10_000, 20) if knows != "neither" else (1_000, 4)
    else:
        flying, rounds, steps = 40, 1, steps[place::10]
    with cell_of(engine, full, tmp_path, shared, postgres_server, tmp_path_factory) as cell:
        drivers = [Driver(cell, knows, at) for at in range(processes)]
        try:
            assert drivers[0].run("fill", flying, 1_000 * (place + 1)) == (0, False), told(cell, knows)
            books = asyncio.run(Books.read(cell, knows))
            assert books.flying() >= flying
            seeds = iter(range(1_000_000 * (place + 1), 1_000_000 * (place + 2)))
            wanted = [(step, 1 + at % 3, next(seeds)) for at in range(rounds) for step in steps]
            kills = Kills(wanted, Counter(), [], threading.Lock())
            each(drivers, kills.serve)
            assert kills.wrong == [], told(cell, knows)
            killed_s = time.monotonic() - began
            after = asyncio.run(Books.read(cell, knows)).flying()
            assert after >= flying
            share = 30 if full else 40
            each(drivers, lambda driver: ended(driver.run("drain", share, next(seeds))))
        finally:
            for driver in drivers:
                driver.end()
        books = asyncio.run(Books.read(cell, knows))
        books.balance(knows)
        if full or place >= 2 * len(CELLS) - 2:
            asyncio.run(published(cell))
            assert cell.house.said("verify", str(cell.house.root)).startswith("OK: ")
    assert min(kills.done[step] for step in steps) >= rounds
    count = sum(kills.done.values())
    if full and knows != "neither":
        assert count >= 300
    least, took = min(kills.done.values()), time.monotonic() - began
    print(
        f"{engine}, {knows}, {processes} processes: {count} kills at {len(steps)} steps, each {least} or more, in "
        f"{killed_s:.0f} s; {after} or more in flight; {len(books.actions)} actions {dict(books.states())}, "
        f"{len(books.effects)} effects, 0 lost, 0 doubled; {took:.0f} s"
    )


def ended(answer: tuple[int, bool]) -> None:
    assert answer == (0, False)


def told(cell: Cell, knows: str) -> str:
    return "".join(path.read_text()[-3_000:] for path in cell.till_of(knows).glob("driver-*.log"))


@dataclass
class Books:
    """Everything that is known at the end. `effects`: the target's. `keys`: of every call that an action may have
    made, to the action. `entries`: kinds in the ledger by action. `used`: of limits."""

    actions: dict[str, Any]
    keys: dict[str, str]
    effects: list[dict[str, Any]]
    entries: dict[str, Counter[str]]
    used: dict[tuple[str, str], int]
    told: list[dict[str, str]]

    @classmethod
    async def read(cls, cell: Cell, knows: str) -> "Books":
        env = {**os.environ, **cell.house.env}
        given = settings(cell.house.root, env)
        async with wire.opened(given, env, checkpoints=False) as store:
            in_force = InForce()
            await look(in_force, store.in_force, wire.CLOCK)
            executor = OnceActing(given, env, store, in_force).made().executor
            every = await store.journal.run(lambda tx: tx.actions.waiting(frozenset(State), limit=1_000_000))
            mine = {one.progress.action: one for one in every if one.about.facts.tool.startswith(f"{knows}.")}
            keys = {executor.key_of(one.request): action for action, one in mine.items() if one.request is not None}
            rows = await store.journal.run(
                lambda tx: tx.fetch("SELECT kind, facts FROM entry WHERE kind LIKE 'action.%'")
            )
            used = await store.journal.run(lambda tx: tx.fetch("SELECT scope, period, used FROM limit_use"))
        entries: dict[str, Counter[str]] = {}
        for kind, facts in rows:
            about = json.loads(bytes(facts))["facts"]["action"]
            if about in mine:
                entries.setdefault(about, Counter())[kind] += 1
        folder = cell.till_of(knows)
        told_file = folder / "told.jsonl"
        lines = told_file.read_text().splitlines() if told_file.exists() else []
        return cls(
            actions=mine,
            keys=keys,
            effects=cell.tills[knows].effects(),
            entries=entries,
            used={(scope, period): int(sum_) for scope, period, sum_ in used if scope.startswith(f"{knows}-")},
            told=[json.loads(line) for line in lines],
        )

    def states(self) -> Counter[str]:
        return Counter(one.progress.state.value for one in self.actions.values())

    def flying(self) -> int:
        states = self.states()
        return sum(states[state] for state in ("held", "approved", "claimed"))

    def balance(self, knows: str) -> None:
        by_order = {
            one.request.arguments.get("order") or f"forget {action}": action for action, one in self.actions.items()
        }
        of = Counter[str]()
        for effect in self.effects:
            order = effect["path"].strip("/").split("/")[1]
            action = self.keys.get(effect["key"]) if knows != "neither" else by_order.get(order)
            if action is None and knows == "neither" and "/forget/" in effect["path"]:
                continue  # without a key the target's books do not say which undoing it was
            assert action is not None, f"an effect that no action knows of: {effect}"
            of[action] += 1
            request = self.actions[action].request
            if "amount" in effect["body"]:
                assert effect["body"]["amount"] == request.arguments["amount"], "other arguments than those approved"
        for action, one in self.actions.items():
            self._one(action, one, of[action], knows)
        self._told()
        sums = Counter[tuple[str, str]]()
        for one in self.actions.values():
            for scope, period, amount in one.reserved:
                if scope.startswith(f"{knows}-"):
                    sums[scope, period] += amount * (one.progress.state not in GIVES_BACK)
        assert {key: used for key, used in self.used.items() if used} == {
            key: used for key, used in sums.items() if used
        }

    def _one(self, action: str, one: Any, effects: int, knows: str) -> None:
        state, entries = one.progress.state, self.entries[action]
        why = f"{action} {one.about.facts.tool} is {state}, {effects} effects, {dict(entries)}"
        assert effects <= 1, f"doubled: {why}"
        assert state is not State.CLAIMED, f"left behind: {why}"
        assert entries["action.decided"] == 1, why
        ends = {State.DONE: "action.done", State.FAILED: "action.failed", State.UNKNOWN: "action.unknown"}
        assert entries["action.claimed"] == (state in ends), why
        receipts = {kind: entries[kind] for kind in ends.values()}
        assert receipts == {kind: int(ends.get(state) == kind) for kind in ends.values()}, why
        undoes = knows == "neither" and one.about.facts.tool.endswith(".forget")
        if state is State.DONE and not undoes:
            assert effects == 1, f"lost: {why}"
        if state is not State.DONE and state is not State.UNKNOWN:
            assert effects == 0, f"an effect that must not be: {why}"
        if knows != "neither":
            assert state is not State.UNKNOWN, why
        if one.progress.drill:
            assert effects == 0, why

    def _told(self) -> None:
        """What a caller was answered still holds, or has gone on as it may."""
        after = {
            "denied": {"denied"}, "cancelled": {"cancelled"}, "done": {"done"}, "failed": {"failed"},
            "expired": {"expired"}, "unknown": {"unknown"},
            "approved": {"approved", "done", "failed", "unknown", "lapsed", "revoked", "cancelled"},
            "claimed": {"done", "failed", "unknown"},
        }  # fmt: skip
        assert self.told
        for row in self.told:
            assert row["action"] in self.actions, f"lost: {row}"
            now = self.actions[row["action"]].progress.state.value
            assert row["state"] == "held" or now in after[row["state"]], f"{row} is {now}"


async def published(cell: Cell) -> None:
    env = {**os.environ, **cell.house.env}
    given = settings(cell.house.root, env)
    async with wire.opened(given, env, checkpoints=False) as store:
        sequencer = wire.sequencer(given, env, store)
        while await sequencer.step(wire.CLOCK.now_ms()) is not None:
            pass
        await sequencer.close()


def test_every_call_and_every_question_is_a_step() -> None:
    assert {*CALLS, *QUESTIONS} <= set(STEPS)
    assert len(STEPS) == len(set(STEPS)) == 42
