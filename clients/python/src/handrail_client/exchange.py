"""When a request is sent again, without doing it: generators that yield what to send and how long to pause.

`client` and `actions` write their calls as such generators; `run` and `run_async` do what these say. So both kinds of
client share one logic, and a test can play the server by hand.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from handrail_client.errors import Unreachable

RETRY_STATUS = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_PAUSE_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """`waits_s`: how long the server was asked to wait before it answers; added to the time-out."""

    method: str
    path: str
    body: bytes = b""
    waits_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """`retry_after`: value of the header, or empty. `final`: the server said that another try cannot help."""

    status: int
    body: bytes
    retry_after: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Exchange = Generator[Request | Pause, Reply | OSError | None, T]
"""Yields a Request and gets its Reply, or the OSError when there was none; yields a Pause and gets nothing."""


class Transport(Protocol):
    def send(self, request: Request, timeout_s: float) -> Reply:
        """Raises OSError when there is no answer within `timeout_s` and the request's own waiting."""
        ...


class AsyncTransport(Protocol):
    async def send(self, request: Request, timeout_s: float) -> Reply:
        """As `Transport.send`; cancelling it closes the connection."""
        ...


def answered(request: Request, attempts: int) -> Exchange[Reply]:
    """The reply; lost ones are asked for again, which is safe because the server knows the same call or event again.
    Raises Unreachable."""
    fault = "no attempt was made"
    for attempt in range(1, attempts + 1):
        pause_s = min(8.0, 0.25 * 2 ** (attempt - 1))
        reply = yield request
        if isinstance(reply, Reply):
            if reply.status not in RETRY_STATUS or reply.final or attempt == attempts:
                return reply
            fault = f"status {reply.status}"
            if reply.retry_after.isdigit():
                pause_s = min(LONGEST_PAUSE_S, float(reply.retry_after))
        else:
            fault = str(reply) or type(reply).__name__
        if attempt < attempts:
            yield Pause(pause_s)
    raise Unreachable(f"no answer from handrail after {attempts} attempts: {fault}")


def run(exchange: Exchange[T], transport: Transport, timeout_s: float) -> T:
    given: Reply | OSError | None = None
    while True:
        try:
            step = exchange.send(given)
        except StopIteration as end:
            result: T = end.value
            return result
        given = None
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            continue
        try:
            given = transport.send(step, timeout_s + step.waits_s)
        except OSError as error:
            given = error


async def run_async(exchange: Exchange[T], transport: AsyncTransport, timeout_s: float) -> T:
    import asyncio  # deferred: a synchronous caller never pays for it

    given: Reply | OSError | None = None
    while True:
        try:
            step = exchange.send(given)
        except StopIteration as end:
            result: T = end.value
            return result
        given = None
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            continue
        try:
            given = await transport.send(step, timeout_s + step.waits_s)
        except OSError as error:
            given = error
