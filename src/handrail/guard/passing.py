"""What is usual in a stream goes on where it arrives, without waking the task that waits for the next chunk: a wake-up
and the way back through its calls cost as much as clearing a chunk.

Everything else is left to the task: a chunk that is not usual, a Stop or an error, and a client that does not keep up.
Nothing is lost or overtaken: while the task has something to do, chunks wait for it.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

Sink = Callable[[bytes, bool], Awaitable[None]]
"""Bytes, and whether they are the last."""


class Passing:
    """Of one stream. `clear`: what may be sent of a chunk, None when that is the task's to say; it may raise."""

    __slots__ = ("_clear", "_sink", "_stuck")

    def __init__(self, clear: Callable[[bytes], bytes | None], sink: Sink) -> None:
        self._clear = clear
        self._sink = sink
        self._stuck: Exception | _Half | None = None

    def take(self, chunk: bytes) -> bytes | None:
        """A `guard.ports.Taker`. Leaves an empty chunk when the task has to `catch_up` first."""
        if self._stuck is not None:
            return chunk
        try:
            ready = self._clear(chunk)
            if ready is None:
                return chunk
            if not ready:
                return None
            sending = self._sink(ready, False).__await__()
            try:
                waiting = next(sending)
            except StopIteration:
                return None
            self._stuck = _Half(sending, waiting)
        except Exception as error:  # noqa: BLE001  it is raised where the stream waits, and ends it there
            self._stuck = error
        return b""

    async def catch_up(self) -> None:
        """To be awaited before each chunk. Raises what was raised meanwhile."""
        stuck, self._stuck = self._stuck, None
        if isinstance(stuck, Exception):
            raise stuck
        if stuck is not None:
            await stuck


class _Half:
    """A call that began outside of a task and has to wait; awaiting this goes on from there."""

    __slots__ = ("_running", "_waiting")

    def __init__(self, running: Generator[Any, Any, None], waiting: Any) -> None:
        self._running = running
        self._waiting = waiting

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._waiting
        yield from self._running
