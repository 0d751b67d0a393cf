"""The named steps of an action, and a process that dies at one: its journal, its store and its targets are decorated,
so the product has no hooks for faults."""

import asyncio
import contextvars
import os
import signal
import time
from pathlib import Path
from typing import Any

from handrail.approvals import desk, halt, settle
from handrail.approvals.lifecycle import State
from handrail.guard.execute import Answer

MOVES = (
    "held", "allowed and claimed", "allowed, to cool off", "first of two approvals", "approved", "denied", "edited",
    "cancelled", "claimed", "renewed", "taken over", "receipt", "asked to undo", "expired", "lapsed", "escalated",
    "stopped", "revoked",
)  # fmt: skip
"""What one transaction of the register does; a process dies before its commit or after it."""
CALLS = (
    "the call: before it leaves", "the call: sent, before its effect", "the call: after its effect, before the answer",
    "the call: answered, before the receipt",
)  # fmt: skip
QUESTIONS = ("what became of it: before the question", "what became of it: answered, before the receipt")
STEPS = (
    *[f"{move}: {side}" for move in MOVES for side in ("before its commit", "after its commit")],
    *CALLS,
    *QUESTIONS,
)
ENDS = {State.DONE: "receipt", State.FAILED: "receipt", State.UNKNOWN: "receipt"}
SWEPT = {State.EXPIRED: "expired", State.LAPSED: "lapsed", State.HELD: "escalated"}
reconciling = contextvars.ContextVar("reconciling", default=False)


def move_of(command: Any, result: Any) -> str | None:
    """Which of `MOVES` this command has made. What may claim is wrapped, to begin the renewals with the claim."""
    for cell in getattr(command, "__closure__", None) or ():
        if isinstance(cell.cell_contents, desk.Ask | desk.Claim):
            command = cell.cell_contents
    match command:
        case desk.Ask():
            if result.progress.action != command.request.id:
                return None
            return {
                State.HELD: "held",
                State.CLAIMED: "allowed and claimed",
                State.APPROVED: "allowed, to cool off",
            }.get(result.progress.state)
        case settle.Approve():
            return "approved" if result.progress.state is State.APPROVED else "first of two approvals"
        case desk.Claim():
            return "claimed" if result.progress.state is State.CLAIMED else "revoked"
        case desk.Sweep():
            return next((SWEPT[stored.progress.state] for stored in result[1]), None)
        case desk.Finish():
            return ENDS[result.progress.state]
        case halt.RevokeStopped():
            return "revoked" if result[0] else None
    return {
        settle.Deny: "denied", settle.Edit: "edited", settle.Cancel: "cancelled", desk.TakeOver: "taken over",
        settle.Undo: "asked to undo", halt.PullStop: "stopped",
    }.get(type(command))  # fmt: skip


class Death:
    """`die(step)`: by SIGKILL, the `nth` time that this is the step."""

    def __init__(self, step: str, nth: int, reached: int) -> None:
        self._step, self._left, self._reached = step, nth, reached

    def due(self, step: str) -> bool:
        if step != self._step:
            return False
        self._left -= 1
        return self._left <= 0

    def die(self) -> None:
        os.write(self._reached, b"!")
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    def at(self, step: str) -> None:
        if self.due(step):
            self.die()


class SteppedJournal:
    """`ledger.store.Journal`."""

    def __init__(self, journal: Any, death: Death) -> None:
        self._journal, self._death = journal, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def run(self, command: Any) -> Any:
        move: str | None = None

        def stepped(tx: Any) -> Any:
            nonlocal move
            result = command(tx)
            move = move_of(command, result)
            if move is not None:
                self._death.at(f"{move}: before its commit")
            return result

        result = await self._journal.run(stepped)
        if move is not None:
            self._death.at(f"{move}: after its commit")
        if isinstance(command, desk.TakeOver):
            reconciling.set(True)
        return result

    def beside(self, command: Any) -> None:
        def stepped(tx: Any) -> None:
            command(tx)
            self._death.at("renewed: before its commit")

        self._journal.beside(stepped)
        if self._death.due("renewed: after its commit"):
            time.sleep(0.1)  # on the thread of the leases; the writer has committed it by then
            self._death.die()


class SteppedTargets:
    """`guard.execute.Targets`. `arrivals`, `effects`: files that the target writes."""

    def __init__(self, targets: Any, death: Death, arrivals: Path, effects: Path) -> None:
        self._targets, self._death, self._arrivals, self._effects = targets, death, arrivals, effects

    async def call(self, tool: Any, upstream: Any, arguments: dict[str, Any], *, key: str) -> Answer:
        if reconciling.get():
            self._death.at(QUESTIONS[0])
            answer = await self._targets.call(tool, upstream, arguments, key=key)
            self._death.at(QUESTIONS[1])
            return answer
        self._death.at(CALLS[0])
        calling = asyncio.create_task(self._targets.call(tool, upstream, arguments, key=key))
        name = arguments.get("order", "").encode() if tool.idempotency is None else key.encode()
        for step, file in ((CALLS[1], self._arrivals), (CALLS[2], self._effects)):
            if self._death.due(step):
                while name not in tail(file) and not calling.done():
                    await asyncio.sleep(0.002)
                self._death.die()
        answer = await calling
        self._death.at(CALLS[3])
        return answer


def tail(file: Path) -> bytes:
    with open(file, "rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - 50_000))
        return opened.read()


class SteppedStore:
    def __init__(self, store: Any, journal: SteppedJournal) -> None:
        self._store, self.journal = store, journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
