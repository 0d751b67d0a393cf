"""How conversations open, watched in the jobs process: each minute once it is over, by whichever process counts it.

It needs no lease: a minute moves its stream's cursor by compare-and-set, so that of several processes one counts it.
When the database does not answer, nothing is counted, and nothing is lost.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from handrail.in_force.snapshot import InForce
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids
from handrail.watch.declared import declared_in
from handrail.watch.openings import STREAM, AnsweredOpenings, Held, KeepOpenings, Minute, fold

if TYPE_CHECKING:
    from handrail.app.wire import Store

log = logging.getLogger("handrail.watch")
EVERY_S = 5.0
MINUTE_MS = 60_000
LAG_MS = 60_000
"""After a minute's end, when what ended in it is committed."""
AT_ONCE = 120
"""Minutes that are caught up in a round."""


class WatchingOpenings:
    """One round is `round()`."""

    def __init__(self, store: "Store", in_force: InForce, *, ids: Ids, clock: Clock) -> None:
        self._store, self._in_force, self._ids, self._clock = store, in_force, ids, clock

    async def round(self) -> None:
        """All minutes that are due. Raises HandrailError JOURNAL_UNAVAILABLE."""
        try:
            await self._round(self._clock.now_ms() - LAG_MS)
        except HandrailError as error:
            if error.code is not Code.LOST_RACE:
                raise

    async def _round(self, end: int) -> None:
        snapshot = self._in_force.current
        cursor = (await self._store.watch.cursors()).get(STREAM)
        found = await self._store.watch.first_after(0 if cursor is None else cursor)
        if snapshot is None or found is None or found // MINUTE_MS * MINUTE_MS + MINUTE_MS > end:
            return
        declared = declared_in(snapshot.ruleset)
        known = await self._known()
        for _ in range(AT_ONCE):
            start = found // MINUTE_MS * MINUTE_MS
            if start + MINUTE_MS > end:
                return
            began = await self._store.watch.began(start, start + MINUTE_MS)
            minute = await asyncio.to_thread(fold, known, declared, began)
            await self._keep(cursor, start + MINUTE_MS, minute)
            cursor = start + MINUTE_MS
            known = await self._store.openings.held() if minute.after else known
            found = await self._store.watch.first_after(cursor)
            if found is None:
                return

    async def _known(self) -> dict[str, Held]:
        """What is stored, with new evidence where somebody has answered."""
        known = await self._store.openings.held()
        waiting = tuple(
            use_case
            for use_case, held in known.items()
            if any(one is not None and one.alarmed for one in (held.mix, held.input))
        )
        if not waiting:
            return known
        await self._store.journal.run(AnsweredOpenings(use_cases=waiting))
        return await self._store.openings.held()

    async def _keep(self, before: int | None, until: int, minute: Minute) -> None:
        await self._store.journal.run(KeepOpenings(ids=self._ids, before_ms=before, until_ms=until, minute=minute))
        for raised in minute.raised:
            log.warning("watch.alert", extra={"cause": raised.cause, "severity": raised.severity.value})
