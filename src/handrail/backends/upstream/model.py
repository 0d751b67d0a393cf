"""The model port over HTTP: a place in the queue, the circuit breaker, tries with back-off, then the answer's head.

Promise: UPS-*. Fallback to another target is the guard's; here one provider is tried at most `attempts` times, and
only until a byte of the response could have been given on. When no try succeeds the last error or answer goes back:
nothing is made up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.backends.egress import refuse_redirect
from handrail.backends.upstream import retry
from handrail.backends.upstream.answer import Again, Answer, Ending, ExchangeFailed
from handrail.backends.upstream.breaker import Admission, Breaker
from handrail.backends.upstream.turnstile import Turnstile
from handrail.guard.ports import ModelFailedError, ModelRequest
from handrail.policy.ruleset import Provider
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId


class Transport(Protocol):
    """Speaks HTTP to one provider."""

    async def exchange(self, request: ModelRequest, *, fresh: bool) -> Answer:
        """Returns at the response head. Raises ExchangeFailed, or HandrailError when trying again cannot help."""
        ...

    def retire(self) -> None: ...

    async def abort(self) -> None: ...


class _Line:
    """What is kept per provider: its transport, its places, its circuit."""

    __slots__ = ("_clock", "breaker", "provider", "transport", "turnstile")

    def __init__(self, provider: Provider, transport: Transport, clock: Clock) -> None:
        self._clock = clock
        self.provider = provider
        self.transport = transport
        self.turnstile = Turnstile(in_flight=provider.max_in_flight, waiting=provider.max_waiting)
        self.breaker = Breaker(failures=provider.breaker_failures, open_s=provider.breaker_open_ms / 1000)

    def settle(self, admission: Admission, status: int, ending: Ending) -> None:
        """What an answer's end means for the circuit."""
        if ending is Ending.BROKEN or status in retry.FAILURES:
            self.breaker.failed(admission, self._clock.monotonic())
        elif ending is Ending.COMPLETE or admission is Admission.PROBE:
            self.breaker.succeeded(admission)  # a caller that left a streaming probe has seen the provider work


@dataclass(slots=True)
class _Tries:
    """`sent`: requests of one call that went out."""

    sent: int = 0


class Standing(msgspec.Struct, frozen=True):
    """How one provider stands in this process, for metrics. `open_s`: seconds its circuit stays open, 0 = closed."""

    provider: ProviderId
    in_flight: int
    waiting: int
    open_s: float


class UpstreamModel:
    """Implements `guard.ports.Model`. `connect` makes the transport of a provider (`own_http`, `with_aiohttp`).
    `jitter`: uniform in 0..1. `pause`: waits so many seconds. Limits and circuits are per process."""

    def __init__(
        self,
        *,
        connect: Callable[[Provider], Transport],
        clock: Clock,
        jitter: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        backoff: retry.Backoff | None = None,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._jitter = jitter
        self._pause = pause
        self._backoff = backoff or retry.Backoff()
        self._lines: dict[ProviderId, _Line] = {}

    async def send(self, request: ModelRequest) -> Answer:
        line = self._line(request.provider)
        if not line.turnstile.enter():
            await line.turnstile.wait(
                f"provider {line.provider.id}", at_most_s=line.provider.first_byte_timeout_ms / 1000
            )
        began = self._clock.monotonic()
        try:
            answer, admission = await self._persist(line, request)
        except BaseException:
            line.turnstile.leave()
            raise

        def ended(ending: Ending) -> None:
            line.turnstile.leave(self._clock.monotonic() - began)
            line.settle(admission, answer.status, ending)

        answer.when_ended(ended)
        return answer

    def _line(self, provider: Provider) -> _Line:
        line = self._lines.get(provider.id)
        if line is None or (line.provider is not provider and line.provider != provider):
            if line is not None:
                line.transport.retire()
            line = self._lines[provider.id] = _Line(provider, self._connect(provider), self._clock)
        return line

    async def _persist(self, line: _Line, request: ModelRequest) -> tuple[Answer, Admission]:
        """Try until an answer is worth giving on. Raises ModelFailedError: what the last try raised."""
        tries = _Tries()
        try:
            return await self._tried(line, request, tries)
        except HandrailError as error:
            raise ModelFailedError(error, tries.sent) from None

    async def _tried(self, line: _Line, request: ModelRequest, tries: _Tries) -> tuple[Answer, Admission]:
        attempt, fresh = 1, False
        last: HandrailError | None = None
        while True:
            admission = line.breaker.admit(self._clock.monotonic())
            if admission is Admission.REFUSED:
                raise last or self._circuit_open(line)
            tries.sent += 1
            asked_s: float | None = None
            answer: Answer | None = None
            try:
                answer = await line.transport.exchange(request, fresh=fresh)
                if 300 <= answer.status < 400:
                    refuse_redirect(answer.status, f"provider {line.provider.id}")
            except ExchangeFailed as failure:
                if failure.again is Again.STALE:
                    line.breaker.abandoned(admission)
                    fresh = True
                    continue
                line.breaker.failed(admission, self._clock.monotonic())
                last = failure.error
                if failure.again is Again.NEVER or attempt >= line.provider.attempts:
                    raise last from None
            except BaseException:
                if answer is not None:
                    answer.abandon()
                line.breaker.abandoned(admission)
                raise
            else:
                answer.attempts = tries.sent
                headers = answer.headers if answer.status >= 400 else ()
                if attempt >= line.provider.attempts or not retry.should_retry(answer.status, headers):
                    return answer, admission
                asked_s = retry.asked_wait_s(headers, now_ms=self._clock.now_ms())
            wait_s = retry.wait_s(attempt, asked_s, jitter=self._jitter(), backoff=self._backoff)
            if wait_s is None:
                assert answer is not None, "only an answer can ask for a wait"
                return answer, admission
            if answer is not None:
                line.settle(admission, answer.status, Ending.COMPLETE)
                last = self._gave_up(line, answer.status)
                answer.abandon()
            await self._pause(wait_s)
            attempt += 1
            fresh = False

    def _circuit_open(self, line: _Line) -> HandrailError:
        return HandrailError(
            Code.UPSTREAM_OPEN,
            f"provider {line.provider.id} failed {line.provider.breaker_failures} times in a row and is left alone "
            "for a while; try again later",
            retry_after_s=max(1.0, line.breaker.remaining_s(self._clock.monotonic())),
        )

    def _gave_up(self, line: _Line, status: int) -> HandrailError:
        return HandrailError(Code.UPSTREAM_ERROR, f"provider {line.provider.id} keeps answering with status {status}")

    def standing(self) -> tuple[Standing, ...]:
        """Of each provider called so far."""
        now = self._clock.monotonic()
        return tuple(
            Standing(line.provider.id, line.turnstile.inside, line.turnstile.waiting, line.breaker.remaining_s(now))
            for line in self._lines.values()
        )

    async def close(self) -> None:
        """Drop every connection; running calls end with UPSTREAM_ERROR."""
        for line in self._lines.values():
            await line.transport.abort()
        self._lines.clear()
