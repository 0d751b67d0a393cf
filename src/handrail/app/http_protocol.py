"""HTTP/1.1 as every child serves it: one connection, and one request after the other as an ASGI application sees it.

It takes the place of uvicorn's own protocol below uvicorn's server, which opens the sockets, ends the connections and
drains. llhttp parses. A request costs less here in what it does not do: no timer is set and cancelled for it (one for
each connection looks every now and then how long nothing came), no task's end is called back, and a head that says how
long its body is leaves with that body, in one write.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

log = logging.getLogger("uvicorn.error")

App = Callable[..., Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

STATUS_LINE = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
ONE_PIECE = 65_536
"""Up to so many bytes head and body are copied together; beyond it they are handed over side by side."""
MAX_HEAD = 65_536
"""Bytes that may come, beyond those of one read, without a head or a piece of a body being whole."""
MAX_HEADERS = 256
MAX_WAITING = 64
"""Requests of one connection that may wait for the answer to an earlier one."""
_FRAMING = (b"content-length", b"transfer-encoding")
_NOT_IN_NAMES = bytes(range(33)) + b'\x7f()<>@,;:\\[]={}"'
_NOT_IN_VALUES = bytes(range(9)) + bytes(range(10, 32)) + b"\x7f"
_PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9_.-]+)+")
_REFUSED = "Invalid HTTP request received."


class _RefusedError(Exception):
    """Ends parsing from inside of a callback."""


class Exchange:
    """One request and the response to it. `body`: what came and was not received yet."""

    __slots__ = (
        "_chunked", "_expects", "_head", "_left", "_protocol", "_started", "_to_end", "_waiter", "body", "disconnected",
        "keep_alive", "more_body", "news", "response_complete", "scope", "task",
    )  # fmt: skip

    def __init__(self, protocol: "Protocol", scope: dict[str, Any], *, keep_alive: bool, expects: bool) -> None:
        self._protocol = protocol
        self.scope = scope
        self.keep_alive = keep_alive
        self._expects = expects  # "100 Continue" before the body
        self._waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.news = False  # something came that was not received yet
        self.disconnected = False
        self._started = False
        self.response_complete = False
        self._head = b""  # what waits for the first bytes of the body
        self._chunked = False
        self._left = 0  # bytes of the body that the head promised and that have not come
        self._to_end = False  # the body ends with the connection

    async def run(self, app: App) -> None:
        """Whatever the application does, the client hears of it: 500 before a head was sent, else a broken answer."""
        protocol = self._protocol
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as mistake:  # the last place that can tell the client
            log.error("Exception in ASGI application\n", exc_info=mistake)
            await self._unanswered()
        else:
            if not self.response_complete and not self.disconnected:
                log.error("ASGI callable returned without completing response.")
                await self._unanswered()
        finally:
            if self.task is not None:
                protocol.tasks.discard(self.task)

    async def _unanswered(self) -> None:
        if self._started:
            self._protocol.transport.close()
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"21"),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def wake(self) -> None:
        """Tell who waits in `receive` that something came, or that nothing will."""
        self.news = True
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    @property
    def unheard(self) -> bool:
        """Nothing was said yet, and the request is not whole."""
        return self.more_body and not self._started

    async def receive(self) -> dict[str, Any]:
        """The ASGI side; one caller at a time."""
        protocol = self._protocol
        if self._expects and not protocol.transport.is_closing():
            self._expects = False
            protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self.disconnected and not self.response_complete:
            protocol.flow.resume_reading()
            while not self.news:
                waiter = self._waiter = protocol.loop.create_future()
                await waiter
            self.news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    async def send(self, message: dict[str, Any]) -> None:
        """The ASGI side. Raises RuntimeError for messages out of order and headers that could split the response."""
        flow = self._protocol.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self._started and kind == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        elif self._started and not self.response_complete and kind == "http.response.body":
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r}")

    def _begin(self, status: int, headers: Headers) -> None:
        """The head: written at once, unless the body's length says that the body is about to come."""
        headers = [*self._protocol.state.default_headers, *headers]
        names = b"".join([name for name, _ in headers])
        values = b"".join([value for _, value in headers])
        if names.translate(None, _NOT_IN_NAMES) != names or values.translate(None, _NOT_IN_VALUES) != values:
            raise RuntimeError("a header's name or value holds what HTTP does not allow")
        self._started = True
        if self._expects and self.more_body:  # nobody knows whether the body comes or the next request
            self.keep_alive = False
        self._expects = False
        lines = [STATUS_LINE.get(status) or b"HTTP/1.1 %d \r\n" % status]
        length = said_close = False
        for name, value in headers:
            name = name.lower()
            if name == b"content-length":
                length = True
                self._left = int(value)
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self._chunked = True
            elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                self.keep_alive, said_close = False, True
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not said_close:
            lines.append(b"connection: close\r\n")
        bodiless = self.scope["method"] == "HEAD" or status in (204, 304)
        if not length and not self._chunked and not bodiless:
            if self.scope["http_version"] == "1.0":
                self._to_end = True
            else:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        if length and not self._chunked:
            self._head = b"".join(lines)
        else:
            self._left = 0
            self._protocol.transport.write(b"".join(lines))

    def _continue(self, body: bytes, more: bool) -> None:
        transport = self._protocol.transport
        if self.scope["method"] == "HEAD":
            body, self._left = b"", 0
        elif self._chunked:
            end = b"" if more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        elif not self._to_end:
            if len(body) > self._left:
                raise RuntimeError("Response content longer than Content-Length")
            self._left -= len(body)
        if not more and self._left:
            raise RuntimeError("Response content shorter than Content-Length")
        head, self._head = self._head, b""
        if head and len(body) > ONE_PIECE:
            transport.writelines((head, body))
        elif head or body:
            transport.write(head + body)
        if not more:
            self.response_complete = True
            self.wake()
            if not self.keep_alive:
                transport.close()
            self._protocol.answered()


class Protocol(asyncio.Protocol):
    """One connection of uvicorn's server; its arguments are the server's. A client may send the next request before it
    has the answer: that one waits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.app: App = config.loaded_app
        self.state = server_state
        self.tasks = server_state.tasks
        self.exchange: Exchange | None = None  # the last one that came
        self.running: Exchange | None = None
        self.transport: asyncio.Transport
        self.flow: FlowControl
        self._keep_s = config.timeout_keep_alive
        self._asgi = {"version": config.asgi_version, "spec_version": "2.3"}
        self._parser = self._new_parser()
        self._waiting: deque[Exchange] = deque()
        self._idle_since = 0.0  # loop time; 0: it does not idle; an unfinished head is idling
        self._moved = False  # a head or a piece of a body has come whole
        self._size = 0  # bytes since one did
        self._timer: asyncio.TimerHandle | None = None
        self._url = b""
        self._headers: Headers = []
        self._expects = False
        self._framing = b""  # headers of a body that another parser has to read

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self.flow = FlowControl(self.transport)
        self._server = get_local_addr(self.transport)
        self._client = get_remote_addr(self.transport)
        self._scheme = "https" if is_ssl(self.transport) else "http"
        self.state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own; it calls `shutdown`
        self._idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        for exchange in (self.running, self.exchange):
            if exchange is not None:
                exchange.disconnected = not exchange.response_complete
                exchange.wake()
        self.flow.resume_writing()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if exc is None:
            self.transport.close()
        self.exchange = self.running = None
        self._waiting.clear()
        vars(self).pop("_parser", None)  # the two know each other, and would wait for the collector

    def data_received(self, data: bytes) -> None:
        size = len(data)
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:  # what follows is HTTP as before
                log.warning("Unsupported upgrade request.")
                data = data[upgrade.args[0] :]
                if self._framing:  # llhttp takes no body there; a parser that is told of the body alone does
                    self._parser = self._new_parser()
                    data = b"POST / HTTP/1.1\r\n%b\r\n%b" % (self._framing, data)
            except httptools.HttpParserError:
                self._refuse(400, _REFUSED)
                return
        if self._moved:
            self._moved, self._size = False, 0
            return
        if not self._size and self._idle_since:
            self._idle_since = self.loop.time()  # a head may take as long as idling
        self._size += size
        if self._size > MAX_HEAD:
            self._refuse(431, "The request's head is too large.")

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # the first is answered all the same
        return parser

    def _refuse(self, status: int, why: str) -> None:
        """Close; told only where that cannot be taken for the answer to another request, or for a part of one."""
        log.warning(why)
        exchange = self.exchange
        if exchange is None or exchange.response_complete or (exchange is self.running and exchange.unheard):
            body = why.encode()
            head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self.transport.close()
        for each in (self.running, exchange):
            if each is not None and not each.response_complete:
                each.disconnected = True
                each.wake()

    def pause_writing(self) -> None:
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        self.flow.resume_writing()

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._moved = True
        self._idle_since = 0.0
        if self._framing:  # only of a body; its request stands
            self._framing = b""
            return
        if len(self._headers) > MAX_HEADERS or len(self._waiting) >= MAX_WAITING:
            raise _RefusedError
        parser, version = self._parser, self._parser.get_http_version()
        raw_path, query = self._url, b""
        if _PLAIN_PATH.fullmatch(raw_path) is None:
            parsed = httptools.parse_url(raw_path)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": self._asgi,
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "root_path": "",
            "headers": self._headers,
            "state": {},
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
        }
        if parser.should_upgrade():
            framing = [b"%b: %b\r\n" % pair for pair in self._headers if pair[0] in _FRAMING]
            self._framing = b"".join(framing)
        self._headers = []  # trailers are no headers: nobody in front of us has looked at them as such
        old = version == "1.0"
        keep_alive = not old and parser.should_keep_alive()
        before = self.exchange
        exchange = self.exchange = Exchange(self, scope, keep_alive=keep_alive, expects=self._expects and not old)
        if before is None or before.response_complete:
            self._start(exchange)
        else:
            self.flow.pause_reading()
            self._waiting.append(exchange)

    def on_body(self, body: bytes) -> None:
        self._moved = True
        exchange = self.exchange
        if exchange is None or exchange.response_complete:
            return
        if not exchange.body:
            exchange.body = body
        else:  # in many small pieces; each is copied once
            if not isinstance(exchange.body, bytearray):
                exchange.body = bytearray(exchange.body)
            exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.wake()

    def on_message_complete(self) -> None:
        self._moved = True
        exchange = self.exchange
        if exchange is not None and not exchange.response_complete and not self._framing:
            exchange.more_body = False
            exchange.wake()

    # one request after the other

    def _start(self, exchange: Exchange) -> None:
        self.running = exchange
        task = exchange.task = self.loop.create_task(exchange.run(self.app))
        self.tasks.add(task)

    def answered(self) -> None:
        """A response is complete: the next request, or idling until one comes."""
        self.state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._waiting:
            self._start(self._waiting.popleft())
            return
        self._idle()

    def _idle(self) -> None:
        self._idle_since = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self._keep_s, self._look)

    def _look(self) -> None:
        """Close what idled for the whole time, in the middle of a head too. Busy: the end of that request sets the
        timer anew."""
        self._timer = None
        if not self._idle_since:
            return
        left = self._idle_since + self._keep_s - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """The server ends: close now, or when the running request is over."""
        if self.exchange is None or self.exchange.response_complete:
            self.transport.close()
        else:
            self.exchange.keep_alive = False
