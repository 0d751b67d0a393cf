"""See a new epoch within a second and swap the snapshot whole.

When the database does not answer, the snapshot that is there stays in force and `fresh_at` stops moving: whoever acts
on it can see how old the last look is (`is_fresh`) and refuse actions once it is too old. A snapshot that cannot be
read never replaces one that could.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from handrail.in_force.snapshot import InForce, Snapshot
from handrail.in_force.store import InForceStore
from handrail.terms.clock import Clock
from handrail.terms.errors import HandrailError

log = logging.getLogger("handrail.in_force")

EVERY_S = 0.25
"""Between two looks at the epoch: a quarter of the second that is promised (INF-1)."""
APART_S = 0.05
"""Between two looks that callers ask for."""
WAIT_S = 1.0
"""For a look that a caller asks for; who waits longer is answered from what is there."""
WAITING = 1_000
"""Callers who may wait for a look at once; each holds a connection."""
STALE_S = 1.0
"""Without a look for this long, whoever acts should refuse: a stop or a revoked key may be missed."""


async def look(in_force: InForce, store: InForceStore, clock: Clock) -> bool:
    """One look; True when something new is in force. Raises HandrailError when the database does not answer."""
    seen_at = clock.monotonic()
    epoch = await store.read_epoch()
    changed = in_force.current is None or in_force.current.epoch != epoch
    if changed:
        loaded = await store.load()
        changed = loaded is not None
        if loaded is not None:
            _say_taken(in_force.current, loaded)
            in_force.current = loaded
    in_force.fresh_at = seen_at
    return changed


def _say_taken(before: Snapshot | None, now: Snapshot) -> None:
    """A publication is worth a line; keys, persons and erasures move the epoch too and have their entries."""
    if before is not None and before.lowered != now.lowered:
        log.info("autonomy.taken", extra={"epoch": now.epoch, "use_cases": sorted(now.lowered)})
    if before is None or (before.ruleset_digest, before.live) != (now.ruleset_digest, now.live):
        about = {"epoch": now.epoch, "ruleset": now.ruleset_digest, "use_cases": sorted(now.live)}
        log.info("publish.taken", extra=about)


async def follow(
    in_force: InForce,
    store: InForceStore,
    clock: Clock,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    every_s: float = EVERY_S,
    on_change: Callable[[], None] | None = None,
) -> None:
    """Look again and again until cancelled. `on_change`: called after each swap, on the same loop."""
    answered = True
    while True:
        try:
            if await look(in_force, store, clock) and on_change is not None:
                on_change()
        except HandrailError as error:
            if answered:
                log.warning("in_force.unanswered", extra={"code": error.code.value})
            answered = False
        except Exception as error:  # noqa: BLE001  one bad row must not end the loop: what is in force stays
            if answered:
                log.error("in_force.unreadable", extra={"reason": type(error).__name__})
            answered = False
        else:
            if not answered:
                log.warning("in_force.answered")
            answered = True
        await sleep(every_s)


class Asked:
    """A look when somebody asks, such as a caller whose key is not known yet. Who returns has waited for one look that
    began after the question, or `wait_s`, or not at all while `WAITING` others wait; what is there stays then.

    Those who ask together share a look, looks begin `apart_s` apart at least, and none begins before the last has
    ended: any number of questions costs twenty looks a second, and one at a time of a database that is slow."""

    def __init__(
        self,
        in_force: InForce,
        store: InForceStore,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        apart_s: float = APART_S,
        wait_s: float = WAIT_S,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._in_force = in_force
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._apart_s = apart_s
        self._wait_s = wait_s
        self._on_change = on_change
        self._waiting = 0
        self._began: float | None = None
        self._last: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        if self._waiting >= WAITING:
            return
        if self._next is None:
            self._next = asyncio.create_task(self._look(self._last))
        self._waiting += 1
        try:
            await asyncio.wait((self._next,), timeout=self._wait_s)
        finally:
            self._waiting -= 1

    async def _look(self, last: asyncio.Task[None] | None) -> None:
        if last is not None:
            await asyncio.wait((last,))
        if self._began is not None:
            await self._sleep(max(0.0, self._began + self._apart_s - self._clock.monotonic()))
        self._began = self._clock.monotonic()
        self._last, self._next = self._next, None  # who asks from here on needs a later look
        try:
            if await look(self._in_force, self._store, self._clock) and self._on_change is not None:
                self._on_change()
        except Exception as error:  # noqa: BLE001  what is in force stays; `follow` looks too and says what is wrong
            log.debug("in_force.unanswered", extra={"reason": type(error).__name__})


def is_fresh(in_force: InForce, clock: Clock, *, within_s: float = STALE_S) -> bool:
    """Whether the last successful look is recent enough to act on. False when nothing was ever read."""
    return in_force.current is not None and clock.monotonic() - in_force.fresh_at <= within_s
