"""Actions that nobody waits for: each quarter of a second the sweep by time, then what was approved and is due, what a
silent process left claimed, and what a stop ends.

Any number of processes may do this over one database: each move is a compare-and-set, so that one of them gets it and
the others look further. A process that dies in between leaves a claim whose lease ends within `LEASE_MS`; the next one
asks for its outcome. When the database does not answer, nothing is done.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.wire.acting import OnceActing
from handrail.in_force.snapshot import InForce
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.approvals.lifecycle import Progress

log = logging.getLogger("handrail.actions")
EVERY_S = 0.25
AT_ONCE = 256
"""Actions carried out at a time by one process; more than a hanging target takes (`max_in_flight`), so that others go
on."""
EARLY_MS = 1_000
"""The sweep itself goes by the database's clock; ours may be this much behind it."""
_LOST = frozenset({Code.LOST_RACE, Code.ALREADY_DECIDED, Code.NOT_FOUND})
"""Another process was first, or somebody decided in between: nothing is wrong."""


class Carrying:
    """One round is `round()`; `close` waits for what runs."""

    def __init__(self, store: "Store", in_force: InForce, acting: OnceActing) -> None:
        self._store = store
        self._in_force = in_force
        self._acting = acting
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stops_done: tuple[str, ...] = ()
        self._answered = True

    async def round(self) -> None:
        """Says once that the database does not answer, and once that it does again: it is asked four times a second."""
        try:
            await self._round()
        except HandrailError as error:
            if self._answered:
                log.warning("actions.unanswered", extra={"code": error.code.value})
            self._answered = False
        else:
            if not self._answered:
                log.warning("actions.answered")
            self._answered = True

    async def _round(self) -> None:
        await self._revoke()
        due = await self._store.acts.next_due()
        if due is None or due > wire.CLOCK.now_ms() + EARLY_MS:
            return
        from handrail.approvals.desk import Sweep  # deferred: a server without actions keeps it out of its memory
        from handrail.approvals.lifecycle import State

        waiting, changed = await self._store.journal.run(Sweep(ids=wire.IDS))
        for stored in changed:
            about = {"action": stored.progress.action, "state": stored.progress.state.value}
            if stored.progress.report_within_ms and stored.progress.state is State.UNKNOWN:
                log.error("action.unreported", extra=about)  # the caller redeemed its permit and did not report
            else:
                log.info("action.moved", extra=about)
        for progress in waiting:
            if len(self._running) >= AT_ONCE:
                break
            if progress.action not in self._running:
                self._start(progress)

    async def close(self) -> None:
        """What runs gets to its end."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(self, progress: "Progress") -> None:
        task = asyncio.create_task(self._carry(progress), name=progress.action)
        self._running[progress.action] = task
        task.add_done_callback(lambda _: self._running.pop(progress.action, None))

    async def _carry(self, progress: "Progress") -> None:
        about = {"action": progress.action}
        try:
            state = await self._moved(progress)
        except HandrailError as error:
            if error.code not in _LOST:
                log.warning("action.failed", extra={**about, "code": error.code.value})
        except Exception:  # the action, not the process: its claim is asked about when its lease ends
            log.exception("action.broken", extra=about)
        else:
            if state != "approved":  # its target is busy: it was put off
                log.info("action.ended", extra={**about, "state": state})

    async def _moved(self, progress: "Progress") -> str:
        """1 a silent claim is asked about. 2 what is due is claimed, if what is in force now still lets it. 3 the
        call. Raises HandrailError."""
        from handrail.approvals.desk import Claim  # deferred: as above
        from handrail.approvals.lifecycle import State
        from handrail.guard.again import refused_now
        from handrail.guard.execute import LEASE_MS
        from handrail.guard.tool_call import in_flight

        executor = self._acting.made().executor
        if progress.state is State.CLAIMED:
            return (await executor.reconcile(progress)).progress.state.value
        snapshot = self._in_force.current
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is in force")
        refused = refused_now(snapshot, self._acting.prepared(snapshot), wire.CLOCK.now_ms())
        claim = Claim(
            ids=wire.IDS, action=progress.action, owner=executor.owner, lease_ms=LEASE_MS, refused=refused,
            in_flight=in_flight(snapshot),
        )  # fmt: skip
        claimed = await self._store.journal.run(executor.claiming(claim, progress.action))
        if claimed.progress.state is not State.CLAIMED:
            return claimed.progress.state.value
        return (await executor.carry_out(claimed)).progress.state.value

    async def _revoke(self) -> None:
        """What waits under the stops, once for each change of them."""
        stops = tuple(stop.id for stop in await self._store.acts.stops())
        if stops == self._stops_done:
            return
        from handrail.approvals.halt import revoke_stopped  # deferred: as above

        await revoke_stopped(self._store.journal, wire.IDS)
        self._stops_done = stops
