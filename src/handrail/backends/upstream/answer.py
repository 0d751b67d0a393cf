"""What a provider's answer is while it arrives; shared by both clients. Body bytes are decoded within bounds."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum

from handrail.guard.ports import Taker
from handrail.terms.errors import Code, HandrailError

MAX_BODY = 32 * 1024 * 1024  # bytes of a body that is read whole, after decoding
HIGH_WATER = 256 * 1024  # bytes buffered before reading from the provider pauses
PIECE = 256 * 1024  # bytes of one decoded chunk at most
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Ending(StrEnum):
    """complete: the body's end came. broken: the provider failed in between. abandoned: the caller closed early."""

    COMPLETE = "complete"
    BROKEN = "broken"
    ABANDONED = "abandoned"


class Again(StrEnum):
    """Whether a failed exchange may be tried again. stale: a kept connection was already dead; a fresh one may be
    used at once and it is not the provider's fault."""

    NEVER = "never"
    LATER = "later"
    STALE = "stale"


class ExchangeFailed(Exception):
    """No response head came. `error` is what the caller gets when no further try helps."""

    def __init__(self, error: HandrailError, again: Again) -> None:
        super().__init__(error.message)
        self.error = error
        self.again = again


def broken_off(who: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_ERROR, f"provider {who} broke off its answer")


def invalid(who: str, what: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_INVALID, f"provider {who} sent an answer that cannot be used: {what}")


def late(who: str, what: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_TIMEOUT, f"provider {who} {what} within its time limit")


class Decoder:
    """Undoes gzip or deflate piece by piece. A bomb costs its reader one piece of memory, not its full size."""

    __slots__ = ("_inflate", "_pending", "_who")

    def __init__(self, coding: str, who: str) -> None:
        """Raises UPSTREAM_INVALID for a coding that was not asked for and is not known."""
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise invalid(who, "its content-encoding was not asked for")
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32 if coding != "deflate" else zlib.MAX_WBITS)
        self._pending = b""
        self._who = who

    def feed(self, data: bytes) -> bytes:
        """At most PIECE bytes; the rest waits for `more`. Raises UPSTREAM_INVALID."""
        try:
            out = self._inflate.decompress(self._pending + data, PIECE)
        except zlib.error:
            raise invalid(self._who, "its compressed body is damaged") from None
        self._pending = self._inflate.unconsumed_tail
        if self._inflate.eof and (self._inflate.unused_data.strip(b"\0")):
            raise invalid(self._who, "bytes follow its compressed body")
        return out

    def more(self) -> bytes:
        """What still waits; empty when nothing does."""
        return self.feed(b"") if self._pending else b""

    def end(self) -> None:
        """Raises UPSTREAM_ERROR when the compressed body stopped before its end."""
        if not self._inflate.eof:
            raise broken_off(self._who)


class Answer(ABC):
    """A response whose head has arrived (`guard.ports.ModelResponse`). One reader."""

    __slots__ = ("_callback", "_ending", "attempts", "status", "who")

    def __init__(self, who: str) -> None:
        self.who = who
        self.status = 0
        self.attempts = 1
        self._ending: Ending | None = None
        self._callback: Callable[[Ending], None] | None = None

    def when_ended(self, callback: Callable[[Ending], None]) -> None:
        """Called once, at once if it has already ended."""
        if self._ending is None:
            self._callback = callback
        else:
            callback(self._ending)

    @property
    def ended(self) -> bool:
        return self._ending is not None

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            callback, self._callback = self._callback, None
            if callback is not None:
                callback(ending)

    @property
    @abstractmethod
    def headers(self) -> Sequence[tuple[str, str]]: ...

    @abstractmethod
    async def read(self) -> bytes: ...

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]: ...

    @abstractmethod
    def tap(self, taker: Taker) -> None: ...

    @abstractmethod
    def abandon(self) -> None:
        """Drop the connection now if the body is not complete."""

    async def close(self) -> None:
        self.abandon()
