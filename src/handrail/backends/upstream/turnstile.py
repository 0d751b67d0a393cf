"""Bounded concurrency towards one provider: so many in flight, so many waiting in order, the rest refused at once."""

import asyncio
from collections import deque

from handrail.terms.errors import Code, HandrailError


class Turnstile:
    """Counts are per process. Loses no place: whoever gets one owes exactly one `leave`."""

    __slots__ = ("_hold_s", "_limit", "_waiting", "_waiting_limit", "inside")

    def __init__(self, *, in_flight: int, waiting: int) -> None:
        self._limit = in_flight
        self._waiting_limit = waiting
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._hold_s = 1.0  # moving mean of how long a place is held, for retry_after_s
        self.inside = 0

    def enter(self) -> bool:
        """A place, if one is free and nobody waits."""
        if self.inside >= self._limit or self._waiting:
            return False
        self.inside += 1
        return True

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def wait(self, who: str, *, at_most_s: float) -> None:
        """A place in turn. Raises BUSY: at once when the queue is full, or after `at_most_s` seconds."""
        if len(self._waiting) >= self._waiting_limit:
            raise self._busy(f"{who} has its limit of calls in flight and waiting")
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(at_most_s):
                await place
        except BaseException as error:
            if place in self._waiting:
                self._waiting.remove(place)
            if place.done() and not place.cancelled():
                self.leave()  # the place came in the same instant as the cancellation: pass it on
            if isinstance(error, TimeoutError):
                raise self._busy(f"{who} gave no place in time") from None
            raise

    def leave(self, held_s: float | None = None) -> None:
        if held_s is not None:
            self._hold_s += (held_s - self._hold_s) * 0.05
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.inside -= 1

    def _busy(self, what: str) -> HandrailError:
        turns = (len(self._waiting) + 1) / max(1, self._limit)
        retry_after_s = min(60.0, max(1.0, self._hold_s * turns))
        return HandrailError(Code.BUSY, f"{what}; try again later", retry_after_s=retry_after_s)
