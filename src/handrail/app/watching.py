"""The watch in the jobs process: triggers each few seconds, every other metric minute by minute.

Triggers are told by whichever process sees them first, each once (`watch.triggers`). For the rest, of several servers
on one database one watches (a lease, given back at the end of the process). A minute is counted `LAG_MS` after its end,
when what ended in it is committed; a conversation when `MATURITY_MS` have passed since it began and all interactions of
that time are counted. After a pause it catches up, `AT_ONCE` minutes a round. When the database does not answer,
nothing is counted, and nothing is lost. What breaks in one part keeps no other part from its work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from handrail.in_force.snapshot import InForce
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, ulid
from handrail.watch.alarm import Escalate
from handrail.watch.declared import declared_in
from handrail.watch.fold import (
    CONVERSATIONS,
    INTERACTIONS,
    Answered,
    Begin,
    Folded,
    Gathered,
    Keep,
    Resign,
    fold_conversations,
)
from handrail.watch.measure import MATURITY_MS
from handrail.watch.series import Series
from handrail.watch.triggers import AT_ONCE as TOLD_AT_ONCE
from handrail.watch.triggers import LOOKED_BACK_MS, Tell

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.watch.alert import Alert

log = logging.getLogger("handrail.watch")
EVERY_S = 5.0
MINUTE_MS = 60_000
LAG_MS = 60_000
LEASE_MS = 20_000
AT_ONCE = 120
TRIGGERS, BEGUN = "triggers", "triggers begun"
"""Streams: until when triggers were looked at, and since when they are."""


class Watching:
    """One round is `round()`; `close` lets another process watch at once."""

    def __init__(
        self, store: "Store", holder: str, *, ids: Ids, clock: Clock, maturity_ms: int = MATURITY_MS,
        in_force: InForce | None = None,
    ) -> None:  # fmt: skip
        """`in_force`: whose plans hold; None: our defaults."""
        self._store, self._holder, self._ids, self._clock = store, holder, ids, clock
        self._maturity_ms = maturity_ms
        self._begun_ms = clock.now_ms()
        self._in_force = in_force
        self._known: dict[tuple[str, str], Series] | None = None

    async def round(self) -> None:
        """All that is due now. Raises HandrailError JOURNAL_UNAVAILABLE."""
        for part in (self._triggers, self._escalate, self._counts):
            await self._apart(part)

    async def close(self) -> None:
        """Raises HandrailError JOURNAL_UNAVAILABLE."""
        await self._store.journal.run(Resign(holder=self._holder))

    async def _apart(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except HandrailError as error:
            self._known = None  # somebody else may have moved it
            if error.code is Code.JOURNAL_UNAVAILABLE:
                raise
            if error.code is not Code.LOST_RACE:
                log.warning("watch.failed", extra={"code": error.code.value})
        except Exception:  # this part: a minute that cannot be counted must not keep a threat of court waiting
            self._known = None
            log.exception("watch.broken")

    async def _escalate(self) -> None:
        due = await self._store.watch.escalation_due()
        if due is not None and due <= self._clock.now_ms():
            escalated = await self._store.journal.run(Escalate(ids=self._ids))
            if escalated:
                log.warning("watch.escalated", extra={"alerts": escalated})

    async def _triggers(self) -> None:
        """At the first look ever what was before is no news; from then on nothing is left out."""
        now = self._clock.now_ms()
        cursors = await self._store.watch.cursors()
        begun = cursors.get(BEGUN)
        if begun is None or TRIGGERS not in cursors:
            begun = cursors.get(TRIGGERS, self._begun_ms)
            await self._store.journal.run(Begin(streams=(BEGUN, TRIGGERS), at_ms=begun))
        cursor = cursors.get(TRIGGERS, begun)
        while True:
            since = max(begun, cursor - LOOKED_BACK_MS)
            asked = await self._store.watch.triggered(since, TOLD_AT_ONCE)
            full = len(asked) == TOLD_AT_ONCE
            if not asked and (now < cursor + MINUTE_MS or await self._store.watch.first_after(cursor) is None):
                return  # nothing is written for nothing
            until = cursor if full else max(now, cursor)
            tell = Tell(ids=self._ids, stream=TRIGGERS, before_ms=cursor, until_ms=until, asked=asked)
            self._say(await self._store.journal.run(tell))
            if not full:
                return

    async def _counts(self) -> None:
        now = self._clock.now_ms()
        first = await self._store.watch.first_after(0)
        if first is None:
            return  # nothing was ever asked: nothing is written
        await self._answered()
        cursors = await self._store.watch.cursors()
        await self._apart(lambda: self._minutes(INTERACTIONS, cursors.get(INTERACTIONS), first, now - LAG_MS))
        counted = (await self._store.watch.cursors()).get(INTERACTIONS, first)
        waits = await self._store.watch.first_after(counted)  # its conversation may have begun long before
        complete = now if waits is None else min(waits, now)
        await self._apart(
            lambda: self._minutes(CONVERSATIONS, cursors.get(CONVERSATIONS), first, complete - self._maturity_ms)
        )

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
        snapshot = self._in_force.current if self._in_force is not None else None
        plans = declared_in(snapshot.ruleset if snapshot is not None else None)
        if stream == CONVERSATIONS:
            began = await watch.began(at_ms, at_ms + MINUTE_MS)
            told = await watch.told(at_ms, at_ms + MINUTE_MS)
            forced = await watch.forced(at_ms, at_ms + MINUTE_MS)
            return await asyncio.to_thread(fold_conversations, known, at_ms, began, told, forced, plans)
        first, last = (f"ac_{ulid(at, bytes(10))}" for at in (at_ms, at_ms + MINUTE_MS))
        used = await watch.used(first, last)
        gathered = Gathered(known)
        async for some in watch.asked(at_ms, at_ms + MINUTE_MS):
            await asyncio.to_thread(gathered.take, some)
        return await asyncio.to_thread(gathered.folded, at_ms, used, plans)

    async def _series(self) -> dict[tuple[str, str], Series]:
        if self._known is None:
            self._known = {(one.use_case, one.metric): one for one in await self._store.watch.series()}
        return self._known

    async def _answered(self) -> None:
        known = await self._series()
        waiting = tuple(one for one in known.values() if one.alarmed)
        if waiting:
            for one in await self._store.journal.run(Answered(series=waiting)):
                known[one.use_case, one.metric] = one

    async def _keep(self, stream: str, before: int | None, until: int, folded: Folded) -> None:
        raised = await self._store.journal.run(
            Keep(
                ids=self._ids, holder=self._holder, lease_ms=LEASE_MS, stream=stream, before_ms=before, until_ms=until,
                folded=folded,
            )
        )  # fmt: skip
        if self._known is not None:
            self._known.update({(one.use_case, one.metric): one for one in folded.series})
        self._say(raised)

    def _say(self, raised: "list[Alert]") -> None:
        for one in raised:
            about = {"alert": one.id, "cause": one.first.cause, "severity": one.first.severity.value}
            log.warning("watch.alert", extra=about)
