"""One HTTP/1.1 connection to a provider, and the answer that arrives on it. One exchange at a time.

llhttp (strict) parses; on top of it everything that two parties could read differently is refused and the connection
dropped: a length beside chunks, another transfer coding than `chunked`, bytes nobody asked for, an upgrade, too many
or too large headers. Nothing here decides about retries; a dropped connection says whether any byte had come.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, cast

import httptools

from handrail.backends.upstream.answer import (
    HIGH_WATER,
    HOP_BY_HOP,
    MAX_BODY,
    Answer,
    Decoder,
    Ending,
    broken_off,
    invalid,
    late,
)
from handrail.guard.ports import Taker
from handrail.terms.errors import HandrailError

MAX_HEAD = 64 * 1024  # bytes of status line and headers
MAX_HEADERS = 128
FORGOTTEN_S = 300.0  # beyond the idle limit, while our reader takes nothing
MAX_INTERIM = 8  # 1xx responses before the final one


class Home(Protocol):
    """Where a connection belongs: the pool."""

    def free(self, connection: "Connection") -> None:
        """The exchange is over and the connection may be used again."""
        ...

    def gone(self, connection: "Connection") -> None:
        """The connection is closed or must not be used again."""
        ...


class _Refused(Exception):
    """Raised inside a parser callback to stop it; the reason is kept beside."""


class HttpAnswer(Answer):
    """The answer on one connection. Buffers what has come and not been read; pauses the connection above HIGH_WATER."""

    __slots__ = (
        "_buffer", "_connection", "_decoder", "_error", "_exhausted", "_raw", "_taker", "_waiter", "size", "whole",
    )  # fmt: skip

    def __init__(self, connection: "Connection", who: str) -> None:
        super().__init__(who)
        self._connection: Connection | None = connection
        self._raw: list[tuple[bytes, bytes]] = []
        self._buffer: list[bytes] = []
        self.size = 0  # bytes that have come and not been read
        self.whole = False  # the reader waits for all of it
        self._waiter: asyncio.Future[None] | None = None
        self._taker: Taker | None = None
        self._error: HandrailError | None = None
        self._decoder: Decoder | None = None
        self._exhausted = False

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        hidden = HOP_BY_HOP if self._decoder is None else HOP_BY_HOP | {"content-encoding", "content-length"}
        rows = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw)
        return [row for row in rows if row[0] not in hidden]

    # what the connection tells

    def head(self, status: int, raw: list[tuple[bytes, bytes]], decoder: Decoder | None) -> None:
        self.status = status
        self._raw = raw
        self._decoder = decoder

    def body(self, data: bytes) -> None:
        self._buffer.append(data)
        self.size += len(data)

    def offer(self) -> None:
        """What has come goes to the taker when the reader waits for it, and what that leaves, or all, to the reader."""
        taker, waiter = self._taker, self._waiter
        if taker is not None and waiter is not None and not waiter.done() and self._buffer and self._decoder is None:
            left = taker(self._taken())
            if left is None:
                return
            self.body(left)
        self.wake()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def finish(self, error: HandrailError | None) -> None:
        """The body's end came, or `error` instead of it."""
        self._connection = None
        if self._ending is None:
            self._error = error
            self._end(Ending.COMPLETE if error is None else Ending.BROKEN)
        self.wake()

    # what the reader asks

    async def until_head(self) -> None:
        """Raises HandrailError; cancellation drops the connection."""
        while self.status == 0 and self._ending is None:
            await self._wait()
        if self.status == 0 and self._error is not None:
            raise self._error

    async def _wait(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._waiter = connection.loop.create_future()
        try:
            await self._waiter
        except BaseException:
            self.abandon()
            raise

    async def read(self) -> bytes:
        self.whole = True
        if self._connection is not None:
            self._connection.resume()
        while self._ending is None:
            if self.size > MAX_BODY:
                self.abandon()
                raise invalid(self.who, "its body is larger than 32 MiB")
            await self._wait()
        if self._error is not None:
            raise self._error
        data = self._taken()
        return self._decoded(data) if self._decoder is not None else data

    def _decoded(self, data: bytes) -> bytes:
        decoder = self._decoder
        assert decoder is not None
        pieces = [decoder.feed(data)]
        size = len(pieces[0])
        while piece := decoder.more():
            size += len(piece)
            if size > MAX_BODY:
                raise invalid(self.who, "its body is larger than 32 MiB")
            pieces.append(piece)
        decoder.end()
        return b"".join(pieces)

    def _taken(self) -> bytes:
        buffer = self._buffer
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        self.size = 0
        return data

    def tap(self, taker: Taker) -> None:
        self._taker = taker

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._decoder is not None and (piece := self._decoder.more()):
                return piece
            if self._buffer:
                data = self._taken()
                if self._connection is not None:
                    self._connection.resume()
                if self._decoder is None:
                    return data
                if piece := self._decoder.feed(data):
                    return piece
            elif self._ending is None:
                await self._wait()
            else:
                return self._last()

    def _last(self) -> bytes:
        """Always raises: the error that ended the body, or the end of the iteration."""
        if self._error is not None:
            raise self._error
        if self._decoder is not None and not self._exhausted and self._ending is Ending.COMPLETE:
            self._exhausted = True
            self._decoder.end()
        raise StopAsyncIteration

    def abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._error = self._error or broken_off(self.who)
            self._end(Ending.ABANDONED)
            connection.drop()
            self.wake()


class Connection(asyncio.Protocol):
    """`deadline`: loop time after which the provider counts as silent; the pool's sweep enforces it."""

    __slots__ = (
        "_answer", "_any", "_complete", "_head_bytes", "_head_done", "_home", "_idle_s", "_interim", "_keep", "_now",
        "_parser", "_paused", "_raw", "_refusal", "_to_eof", "_transport", "_who", "deadline",
        "keep_s", "loop", "used",
    )  # fmt: skip

    def __init__(self, home: Home, who: str, *, idle_s: float, keep_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._home = home
        self._who = who
        self._idle_s = idle_s
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: HttpAnswer | None = None
        self._now: Callable[[], float] = loop.time
        self.loop = loop
        self.deadline = 0.0
        self.keep_s = keep_s  # how long it may idle in the pool
        self.used = 0
        self._paused = False
        self._fresh_state()

    def _fresh_state(self) -> None:
        self._any = False  # a byte of the response has come
        self._raw: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._head_done = False
        self._complete = False
        self._keep = False
        self._to_eof = False
        self._interim = 0
        self._refusal = ""

    # the pool's side

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    def start(self, head: bytes, body: bytes, *, first_byte_s: float) -> HttpAnswer:
        """Send a request; the returned answer has no head yet."""
        transport = self._transport
        assert transport is not None, "the connection is closed"
        assert self._answer is None, "an exchange is running"
        self._fresh_state()
        self.used += 1
        answer = self._answer = HttpAnswer(self, self._who)
        self.deadline = self._now() + first_byte_s
        if len(body) < 65_536:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        return answer

    @property
    def silent(self) -> bool:
        """No byte of the current response has come."""
        return not self._any

    def expire(self, now: float) -> None:
        """Called by the sweep: ends the exchange when the provider was silent past the deadline, or when nobody has
        read for FORGOTTEN_S what waits here, so that a caller that forgot to close does not hold its place for good."""
        if self._answer is None or now < self.deadline:
            return
        if not self._paused:
            self._fail(late(self._who, "went silent" if self._head_done else "sent no answer"))
        elif now >= self.deadline + FORGOTTEN_S:
            self._answer.abandon()

    def drop(self) -> None:
        """Close now, in the middle of anything."""
        transport, self._transport = self._transport, None
        answer, self._answer = self._answer, None
        if transport is not None:
            transport.abort()
            self._home.gone(self)
        if answer is not None:
            answer.finish(broken_off(self._who))

    def resume(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self.deadline = self._now() + self._idle_s
            self._transport.resume_reading()

    def _fail(self, error: HandrailError) -> None:
        answer, self._answer = self._answer, None
        self.drop()
        if answer is not None:
            answer.finish(error)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # bytes nobody asked for: the next answer could be a forged one
            self.drop()
            return
        self._any = True
        if self._head_done:
            self.deadline = self._now() + self._idle_s
        else:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(invalid(self._who, self._refusal or "it is not valid HTTP/1.1"))
            return
        if self._complete:
            self._release(answer)
        elif not self._head_done and self._head_bytes > MAX_HEAD:
            self._fail(invalid(self._who, "its headers are larger than 64 KiB"))
        else:
            swollen = answer.size > (MAX_BODY if answer.whole else HIGH_WATER)
            if swollen and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()
            if swollen:
                answer.wake()
            elif self._head_done and not answer.whole:
                answer.offer()

    def eof_received(self) -> None:
        """The transport closes next; `connection_lost` decides what that means."""

    def connection_lost(self, exc: Exception | None) -> None:
        answer, self._answer = self._answer, None
        known = self._transport is not None
        self._transport = None
        if known:
            self._home.gone(self)
        if answer is not None:
            clean_end = self._to_eof and self._head_done and exc is None
            answer.finish(None if clean_end else broken_off(self._who))

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            raise self._refuse("bytes follow its end")
        self._raw = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # trailers are read and dropped
            self._raw.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            self._interim += 1
            if status == 101 or status < 100 or self._interim > MAX_INTERIM:
                raise self._refuse("it switches protocols or keeps sending interim answers")
            return
        if parser.get_http_version() not in ("1.1", "1.0"):
            raise self._refuse("it is not HTTP/1.1")
        if len(self._raw) > MAX_HEADERS:
            raise self._refuse("it has more than 128 headers")
        if self._head_bytes > MAX_HEAD and sum(len(n) + len(v) + 4 for n, v in self._raw) > MAX_HEAD:
            raise self._refuse("its headers are larger than 64 KiB")
        length, chunked, decoder = False, False, None
        for name, value in self._raw:
            if name == b"content-length":
                if length or not value.isdigit():
                    raise self._refuse("its content-length is doubtful")
                length = True
            elif name == b"transfer-encoding":
                if value.strip().lower() != b"chunked" or chunked:
                    raise self._refuse("its length is doubtful")
                chunked = True
            elif name == b"content-encoding":
                decoder = self._decoder(value.strip().lower()) or decoder
            elif name == b"keep-alive":
                self._keep_for(value)
        if chunked and length:
            raise self._refuse("its length is doubtful")
        self._to_eof = not (chunked or length) and status not in (204, 304)
        self._head_done = True
        self.deadline = self._now() + self._idle_s
        assert self._answer is not None
        self._answer.head(status, self._raw, decoder)

    def _decoder(self, coding: bytes) -> Decoder | None:
        if coding in (b"", b"identity"):
            return None
        try:
            return Decoder(coding.decode("latin-1"), self._who)
        except HandrailError:
            raise self._refuse("its content-encoding was not asked for") from None

    def _keep_for(self, value: bytes) -> None:
        """What the server says of how long it keeps an idle connection."""
        _, _, seconds = value.lower().partition(b"timeout=")
        digits = seconds.partition(b",")[0].strip()
        if digits.isdigit() and len(digits) < 6:
            self.keep_s = min(self.keep_s, max(0.0, int(digits) - 1.0))

    def on_body(self, data: bytes) -> None:
        assert self._answer is not None
        self._answer.body(data)

    def on_message_complete(self) -> None:
        if self._head_done:  # else it was an interim answer
            self._complete = True
            self._keep = self._parser.should_keep_alive()  # llhttp forgets it after this callback

    def _refuse(self, reason: str) -> _Refused:
        self._refusal = reason
        return _Refused()

    def _release(self, answer: HttpAnswer) -> None:
        """The body's end came: give the connection back, unless either side wants it closed."""
        self._answer = None
        transport = self._transport
        if transport is None or transport.is_closing():
            pass
        elif self._to_eof or not self._keep or transport.get_write_buffer_size():
            self.drop()
        else:
            if self._paused:
                self._paused = False
                transport.resume_reading()
            self._home.free(self)
        answer.finish(None)
