"""Notices on their way: twice a second what is due is claimed, sent, and said to be sent.

At most `AT_ONCE` at a time for each receiver, so that one that hangs keeps only its own notices waiting. What fails is
tried again later and later, by the jitter that is given, or when the receiver said; what was tried for too long is
given up: an entry, and a line `notice.given_up` in the log. Any number of processes may do this over one database. When
the database does not answer, nothing is sent.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.app.wire.notices import Delivery, Outcome
    from handrail.approvals.notices import Posted

log = logging.getLogger("handrail.notices")
EVERY_S = 0.5
AT_ONCE = 2
"""Sent at a time to one receiver by one process."""
LEASE_MS = 30_000
"""Longer than one try and its record take."""
EARLY_MS = 1_000
FIRST_MS, LONGEST_MS = 2_000, 15 * 60_000
ASKED_MS = 60 * 60_000
"""The longest silence that a receiver may ask for at a time."""
KEEP_MS = 30 * 86_400_000
"""How long what is over stays in the list."""


class Notifying:
    """One round is `round()`; `close` waits for what is being sent. `delivery`: made when the first notice is due."""

    def __init__(
        self, store: "Store", delivery: "Callable[[], Delivery]", jitter: Callable[[], float], owner: str
    ) -> None:
        self._store = store
        self._make = delivery
        self._made: Delivery | None = None
        self._jitter = jitter
        self._owner = owner
        self._running: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._quiet: dict[str, float] = {}

    async def round(self) -> None:
        """A database that does not answer is said by `app.carry`, which asks it more often."""
        try:
            await self._round()
        except HandrailError as error:
            if error.code is not Code.JOURNAL_UNAVAILABLE:
                raise

    async def _round(self) -> None:
        due = await self._store.notices.next_due()
        if due is None or due > wire.CLOCK.now_ms() + EARLY_MS:
            return
        from handrail.approvals.outbox import ClaimNotices  # deferred: a server without receivers keeps it out

        now = wire.CLOCK.monotonic()
        self._quiet = {name: until for name, until in self._quiet.items() if until > now}
        claim = ClaimNotices(
            owner=self._owner, lease_ms=LEASE_MS, room=AT_ONCE, running=dict(self._busy), quiet=frozenset(self._quiet)
        )
        for posted in await self._store.journal.run(claim):
            self._start(posted)

    async def forget(self) -> None:
        """What is over and old; hourly."""
        from handrail.approvals.outbox import ForgetNotices  # deferred: as above

        while await self._store.journal.run(ForgetNotices(keep_ms=KEEP_MS)):
            continue

    async def close(self) -> None:
        """What is being sent gets to its end, which is near."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._made is not None:
            await self._made.close()

    def _start(self, posted: "Posted") -> None:
        notice, receiver = posted.notice.id, posted.notice.receiver
        task = asyncio.create_task(self._carry(posted), name=notice)
        self._running[notice] = task
        self._busy[receiver] += 1

        def over(_: "asyncio.Task[None]") -> None:
            self._running.pop(notice, None)
            self._busy[receiver] -= 1

        task.add_done_callback(over)

    async def _carry(self, posted: "Posted") -> None:
        notice = posted.notice
        about = {"notice": notice.id, "receiver": notice.receiver, "event": notice.event}
        try:
            if self._made is None:
                self._made = self._make()
            outcome = await self._made.deliver(notice)
            await self._record(posted, outcome, about)
        except HandrailError as error:
            if error.code is not Code.LOST_RACE:  # its lease ends, and it is sent again
                log.warning("notice.unrecorded", extra={**about, "code": error.code.value})

    async def _record(self, posted: "Posted", outcome: "Outcome", about: dict[str, str]) -> None:
        from handrail.approvals.notices import NoticeState  # deferred: as above
        from handrail.approvals.outbox import NoticeMissed, NoticeSent

        notice = posted.notice.id
        if not outcome.code:
            await self._store.journal.run(NoticeSent(notice=notice, owner=self._owner))
            if outcome.partly:
                log.warning("notice.partly", extra={**about, "reason": outcome.detail})
            else:
                log.info("notice.sent", extra=about)
            return
        wait_ms = backoff_ms(posted.tries, self._jitter())
        if outcome.retry_after_s is not None:
            asked_ms = min(int(1_000 * outcome.retry_after_s), ASKED_MS)
            wait_ms = max(wait_ms, asked_ms)
            self._quiet[posted.notice.receiver] = wire.CLOCK.monotonic() + asked_ms / 1_000
        missed = NoticeMissed(
            ids=wire.IDS, notice=notice, owner=self._owner, code=outcome.code, wait_ms=wait_ms, final=outcome.final
        )
        after = await self._store.journal.run(missed)
        if after.state is NoticeState.GIVEN_UP:
            log.error("notice.given_up", extra={**about, "code": outcome.code, "reason": outcome.detail})
        elif posted.tries == 1:  # once, not at each try
            log.warning("notice.delayed", extra={**about, "code": outcome.code, "reason": outcome.detail})


def backoff_ms(tries: int, jitter: float) -> int:
    """Doubling from `FIRST_MS` to `LONGEST_MS`, of which `jitter` (0 to 1) takes away up to a half."""
    whole = min(FIRST_MS * 2 ** min(tries - 1, 30), LONGEST_MS)
    return int(whole * (1 - jitter / 2))
