"""What the console's pages of releases need from above: what bars a move, how a start reads its past, and evidence and
moves that are read once for each process and then only as they grow.

Nothing here decides: a move is a command, checked in its own transaction. What cannot be read is an error, and never
evidence of other units. Units are folded on a thread, a slice at a time, so that every page is answered meanwhile; who
asks waits a moment for it and is then told that it goes on.
"""

import asyncio
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

from handrail.app import starting, wire
from handrail.app.judging import barred, incident
from handrail.console.ports import ReleaseReader, Tail
from handrail.ledger.commitment import read_facts
from handrail.releases.curve import Curve, Drawing, incomplete, without_units
from handrail.releases.desk import Bars, Start
from handrail.releases.lifecycle import Rollout
from handrail.releases.store import ReleaseTransaction
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest

if TYPE_CHECKING:
    from handrail.app.wire import Store

PORTION = 5_000
SLICE = 500
"""Units read and folded at a time: reading them takes the event loop some 5 ms."""
MOMENT_S = 0.15
"""How long a page waits for the units that came since the last look."""
MOST_CURVES = 16
BARRED_S = 2.0


class _Known:
    """One rollout's curve, folded by one task at a time. `drawn`: as of the last time that no unit was left."""

    def __init__(self, rollout: Rollout) -> None:
        self.curve = Curve(rollout)
        self.drawn: Drawing | None = None
        self.task: asyncio.Task[Drawing] | None = None

    def ended(self, task: asyncio.Task[Drawing]) -> None:
        """Also where nobody waits any more: whoever asks next begins anew, and is told what fails then."""
        if self.task is task:
            self.task = None
        if not task.cancelled():
            task.exception()


class Moves:
    """`console.ports.Moving`."""

    def __init__(
        self, store: "Store", released: ReleaseReader, tail: Tail, clock: Clock, *, moment_s: float = MOMENT_S
    ) -> None:
        self._store, self._released, self._tail, self._clock = store, released, tail, clock
        self._moment_s = moment_s
        self._curves: OrderedDict[tuple[Digest, int], _Known] = OrderedDict()
        self._entries: defaultdict[str, list[bytes]] = defaultdict(list)
        self._row = 0
        self._reading = asyncio.Lock()
        self._barred: dict[tuple[Digest, int], tuple[float, str]] = {}

    @property
    def bars(self) -> Bars:
        return barred

    def beside(self, tx: ReleaseTransaction, rollout: Rollout) -> None:
        incident(tx, rollout)

    async def start(self, command: Start) -> Rollout:
        return await starting.start(self._store, command)

    async def barred(self, rollout: Rollout) -> str:
        key, now = (rollout.release, rollout.version), self._clock.monotonic()
        known = self._barred.get(key)
        if known is None or now - known[0] > BARRED_S:
            why = await self._store.journal.run(lambda tx: barred(tx, rollout))
            if len(self._barred) > MOST_CURVES:
                self._barred.clear()
            known = self._barred[key] = (now, why)
        return known[1]

    async def drawing(self, rollout: Rollout) -> Drawing:
        if rollout.ramp is None:
            return without_units(rollout)
        key = (rollout.release, rollout.run)
        known = self._curves.get(key)
        if known is None:
            known = self._curves[key] = _Known(rollout)
            while len(self._curves) > MOST_CURVES:
                self._curves.popitem(last=False)
        self._curves.move_to_end(key)
        before = known.task
        if before is not None:  # begun before this question, so it may have looked too early for it
            if known.drawn is not None:  # else it folds all of them, which takes longer than a moment
                await asyncio.wait({before}, timeout=self._moment_s)
            if not before.done():
                return _meanwhile(known, rollout)
        task = known.task
        if task is None or task is before:
            task = known.task = asyncio.create_task(self._fold(known, rollout))
            task.add_done_callback(known.ended)
        await asyncio.wait({task}, timeout=self._moment_s)
        return task.result() if task.done() else _meanwhile(known, rollout)

    async def _fold(self, known: _Known, rollout: Rollout) -> Drawing:
        try:
            while units := await self._store.units.folded(rollout, after=known.curve.folded, limit=SLICE):
                began = self._clock.monotonic()
                await asyncio.to_thread(known.curve.fold, units)
                if len(units) == SLICE:  # as long again for pages, which share the interpreter with the thread
                    await asyncio.sleep(self._clock.monotonic() - began)
            if not known.curve.folded and rollout.reached is not None:
                return without_units(rollout)
            known.drawn = await asyncio.to_thread(known.curve.drawing)
            return known.drawn
        except asyncio.CancelledError:  # the thread may still be folding: nobody else goes on from there
            self._curves.pop((rollout.release, rollout.run), None)
            raise

    async def moves(self, release: Digest) -> list[bytes]:
        async with self._reading:
            newest = await self._tail.newest()
            while self._row < newest:
                found = await self._released.moves(self._row, newest, limit=PORTION)
                for _, facts in found:
                    self._entries[read_facts(facts).about or ""].append(facts)
                self._row = newest if len(found) < PORTION else found[-1][0]
        return list(reversed(self._entries[release])) if release in self._entries else []


def _meanwhile(known: _Known, rollout: Rollout) -> Drawing:
    """What can be said while units are still being folded: the drawing of a moment ago, unless it lacks the unit that
    decided; else the stored verdict of one that was decided, else only how far it is."""
    stored = incomplete(rollout, known.curve.folded)
    if known.drawn is not None and (rollout.reached is None or known.drawn.told == stored.told):
        return known.drawn
    return stored


def moves(store: "Store", released: ReleaseReader, tail: Tail) -> Moves:
    """As the console's process keeps them."""
    return Moves(store, released, tail, wire.CLOCK)
