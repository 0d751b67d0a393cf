"""What the console's pages of releases need from above: what bars a move, how a start reads its past, and evidence and
moves that are read once for each process and then only as they grow.

Nothing here decides: a move is a command, checked in its own transaction. What cannot be read is an error, and never
evidence of other units.
"""

import asyncio
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

from handrail.app import starting, wire
from handrail.app.judging import barred, incident
from handrail.console.ports import ReleaseReader, Tail
from handrail.ledger.commitment import read_facts
from handrail.releases.curve import Curve, Drawing, without_units
from handrail.releases.desk import Bars, Start
from handrail.releases.lifecycle import Rollout
from handrail.releases.store import ReleaseTransaction
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest

if TYPE_CHECKING:
    from handrail.app.wire import Store

PORTION = 5_000
MOST_CURVES = 16
BARRED_S = 2.0


class _Known:
    """One rollout's curve, folded by one at a time. `drawing`: as of `folded` units."""

    def __init__(self, rollout: Rollout) -> None:
        self.curve = Curve(rollout)
        self.lock = asyncio.Lock()


class Moves:
    """`console.ports.Moving`."""

    def __init__(self, store: "Store", released: ReleaseReader, tail: Tail, clock: Clock) -> None:
        self._store, self._released, self._tail, self._clock = store, released, tail, clock
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
        async with known.lock:
            try:
                while units := await self._store.units.folded(rollout, after=known.curve.folded, limit=PORTION):
                    await asyncio.to_thread(known.curve.fold, units)  # other pages are answered meanwhile
                if not known.curve.folded and rollout.reached is not None:
                    return without_units(rollout)
                return await asyncio.to_thread(known.curve.drawing)
            except asyncio.CancelledError:  # the thread may still be folding: nobody else goes on from there
                self._curves.pop(key, None)
                known.curve = Curve(rollout)
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


def moves(store: "Store", released: ReleaseReader, tail: Tail) -> Moves:
    """As the console's process keeps them."""
    return Moves(store, released, tail, wire.CLOCK)
