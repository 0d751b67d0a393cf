"""The watch in the jobs process: triggers each few seconds, every other metric minute by minute.

Of several servers on one database one watches (a lease). A minute is counted `LAG_MS` after its end, when what ended in
it is committed; a conversation when `MATURITY_MS` have passed since it began. After a pause it catches up, `AT_ONCE`
minutes a round. When the database does not answer, nothing is counted, and nothing is lost.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, ulid
from handrail.watch.alarm import Escalate
from handrail.watch.fold import (
    Answered,
    Folded,
    Keep,
    fold_conversations,
    fold_interactions,
    fold_triggers,
)
from handrail.watch.measure import MATURITY_MS
from handrail.watch.series import Series

if TYPE_CHECKING:
    from handrail.app.wire import Store

log = logging.getLogger("handrail.watch")
EVERY_S = 5.0
MINUTE_MS = 60_000
LAG_MS = 60_000
TRIGGER_LAG_MS = 2_000
LEASE_MS = 60_000
AT_ONCE = 120
TRIGGERS, INTERACTIONS, CONVERSATIONS = "triggers", "interactions", "conversations"


class Watching:
    """One round is `round()`."""

    def __init__(self, store: "Store", holder: str, *, ids: Ids, clock: Clock, maturity_ms: int = MATURITY_MS) -> None:
        self._store, self._holder, self._ids, self._clock = store, holder, ids, clock
        self._maturity_ms = maturity_ms
        self._begun_ms = clock.now_ms()
        self._known: dict[tuple[str, str], Series] | None = None

    async def round(self) -> None:
        """All that is due now. Raises HandrailError JOURNAL_UNAVAILABLE."""
        try:
            await self._round()
        except HandrailError as error:
            self._known = None  # somebody else may have moved it
            if error.code is not Code.LOST_RACE:
                raise

    async def _round(self) -> None:
        now = self._clock.now_ms()
        due = await self._store.watch.escalation_due()
        if due is not None and due <= now:
            escalated = await self._store.journal.run(Escalate(ids=self._ids))
            if escalated:
                log.warning("watch.escalated", extra={"alerts": escalated})
        first = await self._store.watch.first_after(0)
        if first is None:
            return  # nothing was ever asked: nothing is written
        cursors = await self._store.watch.cursors()
        await self._triggers(cursors.get(TRIGGERS), now - TRIGGER_LAG_MS)
        for stream, end in ((INTERACTIONS, now - LAG_MS), (CONVERSATIONS, now - self._maturity_ms)):
            await self._minutes(stream, cursors.get(stream), first, end)

    async def _triggers(self, cursor: int | None, end: int) -> None:
        """Without a cursor from the start of this process on: what was before is no news."""
        since = self._begun_ms if cursor is None else cursor
        if end <= since:
            return
        asked = await self._store.watch.asked(since, end)
        if asked:
            await self._keep(TRIGGERS, cursor, end, fold_triggers(asked))

    async def _minutes(self, stream: str, cursor: int | None, first: int, end: int) -> None:
        if cursor is None:
            start = first // MINUTE_MS * MINUTE_MS
            if start + MINUTE_MS > end:
                return
            await self._keep(stream, None, start, Folded())
            cursor = start
        for _ in range(AT_ONCE):
            found = await self._store.watch.first_after(cursor)
            if found is None:
                return  # the cursor waits for what comes
            start = max(cursor, found // MINUTE_MS * MINUTE_MS)
            if start + MINUTE_MS > end:
                return
            folded = await self._fold(stream, start)
            await self._keep(stream, cursor, start + MINUTE_MS, folded)
            cursor = start + MINUTE_MS

    async def _fold(self, stream: str, at_ms: int) -> Folded:
        known = await self._series()
        watch = self._store.watch
        asked = await watch.asked(at_ms, at_ms + MINUTE_MS)
        if stream == CONVERSATIONS:
            told = await watch.told(at_ms, at_ms + MINUTE_MS)
            return await asyncio.to_thread(fold_conversations, known, at_ms, asked, told)
        first, last = (f"ac_{ulid(at, bytes(10))}" for at in (at_ms, at_ms + MINUTE_MS))
        used = await watch.used(first, last)
        return await asyncio.to_thread(fold_interactions, known, at_ms, asked, used)

    async def _series(self) -> dict[tuple[str, str], Series]:
        if self._known is None:
            self._known = {(one.use_case, one.metric): one for one in await self._store.watch.series()}
        waiting = tuple(one for one in self._known.values() if one.alarmed)
        if waiting:
            for one in await self._store.journal.run(Answered(series=waiting)):
                self._known[one.use_case, one.metric] = one
        return self._known

    async def _keep(self, stream: str, before: int | None, until: int, folded: Folded) -> None:
        kept = await self._store.journal.run(
            Keep(
                ids=self._ids, holder=self._holder, lease_ms=LEASE_MS, stream=stream, before_ms=before, until_ms=until,
                folded=folded,
            )
        )  # fmt: skip
        if self._known is not None:
            self._known.update({(one.use_case, one.metric): one for one in kept})
        for raised in folded.raised:
            log.warning("watch.alert", extra={"cause": raised.cause, "severity": raised.severity.value})
