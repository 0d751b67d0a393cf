"""A server process for actions that kills itself at a named step: the real storage, journal, decisions, executor,
carrying loop and target client. The journal and the targets are decorated here, so the product has no hooks for faults.

`python action_steps.py HOME UPSTREAM FOLDER`: a parent that has imported everything and forks one process for each line
`{"step", "nth", "seed", "checkpoints"}` on its standard input; it prints `{"code", "reached"}` once that has ended. A
process asks, decides and carries out what brings it to its step, and dies there by SIGKILL at the `nth` time. What it
was told before that stands in FOLDER/told.jsonl.
"""

import asyncio
import contextlib
import importlib
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from action_death import CALLS, QUESTIONS, Death, SteppedJournal, SteppedStore, SteppedTargets

from handrail.app import wire
from handrail.app.carry import Carrying
from handrail.app.child import log_lines
from handrail.app.settings import Settings, settings
from handrail.app.wire.acting import OnceActing
from handrail.approvals import desk, halt, settle
from handrail.approvals.lifecycle import State
from handrail.approvals.stop import Stop, StopScope
from handrail.approvals.store import Stored
from handrail.detectors.assent import assent_reader
from handrail.guard.tool_call import Called, registered
from handrail.in_force.follow import look
from handrail.in_force.snapshot import InForce
from handrail.people.acting import person_of
from handrail.terms.action import Action, ActionId, Door, ToolId
from handrail.terms.errors import HandrailError


class Process:
    """One server process over the shared database. `upstream`: of the target that this cell calls."""

    def __init__(
        self,
        store: Any,
        in_force: InForce,
        acting: OnceActing,
        upstream: str,
        staff: dict[str, str],
        told: int,
        seed: int,
    ) -> None:
        self.store, self.in_force, self.acting, self.upstream, self.staff = store, in_force, acting, upstream, staff
        self.carrying = Carrying(store, in_force, acting)
        self.random = random.Random(seed)
        self._told, self._at, self._seed = told, 0, seed
        assert in_force.current is not None
        self.snapshot = in_force.current
        self.prepared = acting.prepared(self.snapshot)
        self.key = next(key for key in self.snapshot.keys.values() if key.agent == "shop-agent")

    def tell(self, what: str, stored: Stored) -> None:
        """What a caller was answered, durable for whoever looks at the end."""
        row = {"what": what, "action": stored.progress.action, "state": stored.progress.state.value}
        os.write(self._told, json.dumps(row).encode() + b"\n")

    def order(self, kind: str = "plain") -> str:
        self._at += 1
        return f"{kind}-{self._seed}-{self._at}"

    def tool(self, name: str) -> ToolId:
        return ToolId(f"{self.upstream}.{name}")

    async def ask(self, name: str, kind: str = "plain") -> Stored:
        arguments = {"order": self.order(kind), "amount": self.random.randint(1, 900)}
        called = Called(key=self.key, tool=self.tool(name), arguments=arguments, door=Door.HTTP)
        stored = await self.acting.made().calls.call(called, self.snapshot, self.prepared)
        self.tell("asked", stored)
        return stored

    async def asked(self, name: str, *, execute_within_s: int | None = None, **changes: Any) -> Stored:
        """The transaction of `ask` without the call that follows it: what a process leaves that dies in between.
        `changes`: of the command. `execute_within_s`: of the route, when it shall be another one."""
        calls = self.acting.made().calls
        use_case, tool = registered(self.key.use_case, self.tool(name), self.snapshot)
        thread = await self.store.threads.open(
            use_case=use_case.id, key_id=self.key.lineage, conversation=None, customer=None, history=(), new_from=0
        )
        request = Action(
            id=ActionId(wire.IDS.new("ac")), use_case=use_case.id, tool=tool.id, salt=bytes(16), door=Door.HTTP,
            arguments={"order": self.order(), "amount": 5}, key=self.key.id, agent=self.key.agent,
            conversation=thread.conversation,
        )  # fmt: skip
        weighed = await calls.weighed(request, (), use_case, tool, self.snapshot, False)
        decide = calls.decide(weighed, request, tool, self.snapshot, self.prepared, None)

        def routed(standing: desk.Standing) -> desk.Ruled:
            ruled = decide(standing)
            if ruled.route is None or execute_within_s is None:
                return ruled
            return replace(ruled, route=msgspec.structs.replace(ruled.route, execute_within_s=execute_within_s))

        command = calls.asked(request, thread.subject.id, routed, tool, self.snapshot)
        stored: Stored = await self.store.journal.run(replace(command, **changes))
        self.tell("asked", stored)
        return stored

    async def approve(self, held: Stored, name: str = "ann") -> Stored:
        stored: Stored = await self.store.journal.run(
            settle.Approve(
                ids=wire.IDS, action=held.progress.action, digest=held.progress.digest, token=self.staff[name]
            )
        )
        self.tell("approved", stored)
        return stored

    async def waiting(self, name: str = "pay") -> Stored:
        """Any that waits, and a new one in its place."""
        new = await self.ask(name)
        sql = "SELECT id FROM action WHERE state = 'held' ORDER BY random() LIMIT 20"
        for (action,) in await self.store.reading.rows(sql, ()):
            stored: Stored = await self.store.acts.get(action)
            if stored.about.facts.tool == self.tool(name) and not stored.progress.revision:
                return stored
        return new

    async def carry(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await self.carrying.round()
            await asyncio.sleep(0.02)

    async def rest(self) -> None:
        await self.carrying.close()

    # what brings a process to a step

    async def to_held(self) -> None:
        await asyncio.gather(*(self.ask("pay") for _ in range(4)))

    async def to_claim_at_once(self) -> None:
        await asyncio.gather(*(self.ask("note", self.random.choice(["plain", "late-80", "slow-80"])) for _ in range(4)))

    async def to_cool_off(self) -> None:
        await asyncio.gather(*(self.ask("cooling") for _ in range(2)))

    async def to_approvals(self) -> None:
        await self.approve(await self.waiting())

    async def to_first_approval(self) -> None:
        held = await self.ask("pair")
        await self.approve(held)
        await self.approve(held, "bob")

    async def to_denial(self) -> None:
        held = await self.waiting()
        denied = await self.store.journal.run(
            settle.Deny(ids=wire.IDS, action=held.progress.action, token=self.staff["bob"])
        )
        self.tell("denied", denied)

    async def to_edit(self) -> None:
        held = await self.waiting()
        assert held.request is not None
        arguments = {**held.request.arguments, "amount": self.random.randint(901, 2_000)}
        edited = await self.acting.made().again.edit(
            held, arguments, self.snapshot, self.prepared, token=self.staff["ann"]
        )
        self.tell("edited", edited)
        if self.random.random() < 0.5:
            await self.approve(edited, "bob")

    async def to_cancel(self) -> None:
        held = await self.waiting(self.random.choice(["pay", "cooling"]))
        cancelled = await self.store.journal.run(
            settle.Cancel(ids=wire.IDS, action=held.progress.action, key=self.key.id)
        )
        self.tell("cancelled", cancelled)

    async def to_claims(self) -> None:
        for _ in range(3):
            await self.approve(await self.waiting())
        await self.carry(0.3)

    async def to_calls(self) -> None:
        kind = self.random.choice(["late-80", "slow-80", "plain"])
        if self.random.random() < 0.5:
            await self.approve(await self.ask("pay", kind))
            await self.carry(0.3)
        else:
            await self.ask("note", kind)

    async def to_late_effects(self) -> None:
        await self.ask("note", "late-150")
        await self.carry(0.05)

    async def to_late_answers(self) -> None:
        await self.ask("note", "slow-150")
        await self.carry(0.05)

    async def to_renewal(self) -> None:
        await asyncio.gather(*(self.ask("note", "slow-900") for _ in range(3)))
        await self.carry(0.3)  # claims of processes that died here take the target's room

    async def to_take_over(self) -> None:
        for _ in range(2):
            await self.asked("note", lease_ms=1)
        await self.carry(0.3)

    async def to_undo(self) -> None:
        done = await self.ask("note")
        if done.progress.state is State.DONE:
            await self.acting.made().again.undo(done, self.snapshot, self.prepared, token=self.staff["ann"])
            await self.carry(0.1)

    async def to_expiry(self) -> None:
        await asyncio.gather(*(self.ask("brief") for _ in range(2)))
        await self.carry(1.3)

    async def to_lapse(self) -> None:
        await self.approve(await self.asked("brief", execute_within_s=0))
        await self.carry(0.1)

    async def to_escalation(self) -> None:
        await self.ask("stepped")
        await self.carry(1.3)

    async def to_stop(self) -> None:
        await asyncio.gather(*(self.ask("halted") for _ in range(2)))
        stop, _ = await self.store.journal.run(
            halt.PullStop(
                ids=wire.IDS, scope=StopScope.TOOL, value=self.tool("halted"), reason="drill", token=self.staff["cleo"]
            )
        )
        await self.lift(stop)

    async def to_revocation(self) -> None:
        await self.lift(*await self.store.acts.stops())
        await asyncio.gather(*(self.ask("halted") for _ in range(2)))

        def stop(tx: Any) -> Stop:
            by = person_of(tx, self.staff["cleo"])
            made = Stop(
                id=wire.IDS.new("st"), scope=StopScope.TOOL, value=self.tool("halted"), by=by.id, reason="drill",
                at_ms=tx.now_ms,
            )  # fmt: skip
            tx.stops.add(made)
            return made

        made = await self.store.journal.run(stop)
        await self.carry(0.1)
        await self.lift(made)

    async def lift(self, *stops: Stop) -> None:
        for stop in stops:
            if stop.value == self.tool("halted"):
                with contextlib.suppress(HandrailError):
                    await self.store.journal.run(halt.LiftStop(ids=wire.IDS, stop=stop.id, token=self.staff["dora"]))

    # before and after the kills

    async def fill(self, count: int) -> None:
        """So many in flight: waiting, half approved, approved and cooling off."""
        shares = (("pay", 5), ("pair", 1), ("cooling", 4))
        for name, tenths in shares:
            left = count * tenths // 10
            while left > 0:
                made = await asyncio.gather(*(self.ask(name) for _ in range(min(32, left))))
                if name == "pair":
                    await asyncio.gather(*(self.approve(held) for held in made))
                left -= len(made)

    async def drain(self, share: float) -> None:
        """Nothing is left to do but what waits for persons: of that a share is approved and carried out, as much is
        denied."""
        held = await self.store.journal.run(lambda tx: tx.actions.waiting_about(frozenset({State.HELD}), limit=100_000))
        mine = [progress for progress, about in held if about.facts.tool.startswith(f"{self.upstream}.")]
        for progress in mine:
            dice = self.random.random()
            with contextlib.suppress(HandrailError):  # another process was first
                if dice < share:
                    stored = await self.store.acts.get(progress.action)
                    await self.approve(stored, "bob" if len(progress.approvals) else "ann")
                elif dice < 2 * share:
                    denied = await self.store.journal.run(
                        settle.Deny(ids=wire.IDS, action=progress.action, token=self.staff["ann"])
                    )
                    self.tell("denied", denied)
            if len(self.carrying._running) < 16:
                await self.carrying.round()
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            await self.carrying.round()
            await asyncio.sleep(0.05)
            due = await self.store.acts.next_due()
            if not self.carrying._running and (due is None or due > wire.CLOCK.now_ms() + 10_000):
                break
        await self.lift(*await self.store.acts.stops())


WAYS: dict[str, Callable[[Process], Awaitable[None]]] = {
    "held": Process.to_held, "allowed and claimed": Process.to_claim_at_once,
    "allowed, to cool off": Process.to_cool_off,
    "first of two approvals": Process.to_first_approval, "approved": Process.to_approvals, "denied": Process.to_denial,
    "edited": Process.to_edit, "cancelled": Process.to_cancel, "claimed": Process.to_claims,
    "renewed": Process.to_renewal, "taken over": Process.to_take_over, "receipt": Process.to_calls,
    "asked to undo": Process.to_undo, "expired": Process.to_expiry, "lapsed": Process.to_lapse,
    "escalated": Process.to_escalation, "stopped": Process.to_stop, "revoked": Process.to_revocation,
    CALLS[0]: Process.to_calls, CALLS[1]: Process.to_late_effects, CALLS[2]: Process.to_late_answers,
    CALLS[3]: Process.to_calls, QUESTIONS[0]: Process.to_take_over, QUESTIONS[1]: Process.to_take_over,
}  # fmt: skip


def way_of(step: str) -> Callable[[Process], Awaitable[None]]:
    return WAYS[step] if step in WAYS else WAYS[step.rpartition(":")[0]]


PATIENCE_S = 240.0
LOADED = (
    "handrail.app.wire.actions",
    "handrail.backends.postgres.open",
    "handrail.guard.again",
    "handrail.guard.history",
)
"""What a server loads late; here once for all."""


async def work(given: Settings, upstream: str, folder: Path, job: dict[str, Any], reached: int) -> int:
    """Until the step is reached; 3: it was not."""
    told = os.open(folder / "told.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    step, staff = job["step"], json.loads((folder / "staff.json").read_text())
    death = Death(step, job["nth"], reached)
    async with wire.opened(given, os.environ, checkpoints=job["checkpoints"]) as real:
        in_force = InForce()
        await look(in_force, real.in_force, wire.CLOCK)
        journal = SteppedJournal(real.journal, death)
        store: Any = SteppedStore(real, journal)
        acting = OnceActing(given, os.environ, store, in_force, journal)
        made = acting.made()
        made.executor._targets = SteppedTargets(
            made.executor._targets, death, folder / "arrivals", folder / "effects.jsonl"
        )
        process = Process(store, in_force, acting, upstream, staff, told, job["seed"])
        try:
            if step == "fill":
                await process.fill(job["nth"])
                return 0
            if step == "drain":
                await process.drain(job["nth"] / 100)
                return 0
            ends = time.monotonic() + PATIENCE_S
            while time.monotonic() < ends:
                try:
                    await way_of(step)(process)
                except HandrailError as error:  # another process was first
                    print(error.code.value, error.message, file=sys.stderr)
                    await asyncio.sleep(0.02)
            return 3
        finally:
            await process.rest()
            await acting.close()


def main() -> None:
    home, upstream, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    given = settings(home, os.environ)
    log_lines()
    for module in LOADED:
        importlib.import_module(module)
    assent_reader()
    for line in sys.stdin:
        job = json.loads(line)
        seen, reached = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(seen)
            code = 70
            try:
                code = asyncio.run(work(given, upstream, folder, job, reached))
            except BaseException:  # noqa: BLE001  the parent is told by the exit code
                import traceback

                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(reached)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"code": code, "reached": os.read(seen, 1) == b"!"}), flush=True)
        os.close(seen)


if __name__ == "__main__":
    main()
