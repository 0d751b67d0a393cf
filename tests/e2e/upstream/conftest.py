"""A real local server that behaves as a test says, and the clients that every test runs over."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
import uvloop

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.upstream.clients import own_http, with_aiohttp
from handrail.backends.upstream.model import UpstreamModel
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.ids import ProviderId


class HandClock:
    def __init__(self) -> None:
        self.ms = 1_790_000_000_000
        self.s = 100.0

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.s


@dataclass
class Call:
    """One request as the server saw it. `number` counts from 1 over the whole server."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    number: int
    connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def answer(self, body: bytes, *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
        await self.send("\r\n".join(lines).encode("latin-1"), b"\r\n\r\n", body)

    async def start_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def hang_up(self) -> NoReturn:
        raise Closing

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode(), data, b"\r\n")

    async def until_client_leaves(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Handler = Callable[[Call], Awaitable[None]]


@dataclass
class Site:
    """Calls `handler` for each request; the handler writes raw bytes. A handler that raises closes the connection."""

    handler: Handler
    tls: ssl.SSLContext | None = None
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *rows = head.decode("latin-1").split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                pairs = (row.split(": ", 1) for row in rows)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                call = Call(method, target, headers, body, len(self.calls) + 1, connection, reader, writer)
                self.calls.append(call)
                await self.handler(call)
        except (asyncio.IncompleteReadError, ConnectionError, Closing):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Site"]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._serve(reader, writer)
            tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tuple(tasks), return_exceptions=True)
            await server.wait_closed()

    def provider(self, **changes: Any) -> Provider:
        scheme = "https" if self.tls else "http"
        values: dict[str, Any] = {
            "id": ProviderId("stub"),
            "dialect": Dialect.OPENAI,
            "base_url": f"{scheme}://localhost:{self.port}/v1",
            "key_env": "KEY",
            "private_network": True,
        }
        return Provider(**(values | changes))

    def ask(self, body: bytes = b'{"model":"m"}', *, stream: bool = False, **changes: Any) -> ModelRequest:
        return ModelRequest(provider=self.provider(**changes), path="/chat/completions", body=body, stream=stream)


class Closing(Exception):
    """Raised by a handler to close its connection."""


@dataclass
class Bench:
    """Builds the client under test and remembers how long it waited between tries, without waiting."""

    kind: str
    clock: HandClock = field(default_factory=HandClock)
    pauses: list[float] = field(default_factory=list)
    secret: str = "sk-planted-secret"

    def model(self, *sites: Site) -> UpstreamModel:
        origins = {parse_url(site.provider().base_url)[0] for site in sites}
        egress = Egress(resolve=system_resolve, published=lambda: frozenset(origins), monotonic=self.clock.monotonic)
        make = with_aiohttp if self.kind == "aiohttp" else own_http

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        return UpstreamModel(
            connect=make(egress=egress, secret=lambda provider: self.secret),
            clock=self.clock,
            jitter=lambda: 1.0,
            pause=pause,
        )

    def play(
        self,
        handler: Handler,
        test: Callable[[UpstreamModel, Site], Awaitable[None]],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Run a site and a client on one loop, then the test; both are closed afterwards."""

        async def play() -> None:
            async with Site(handler, tls).open() as site:
                model = self.model(site)
                try:
                    await test(model, site)
                finally:
                    await model.close()

        factory = uvloop.new_event_loop if self.kind == "own-uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(play(), 20))


@pytest.fixture(params=["own", "own-uvloop", "aiohttp"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


@pytest.fixture(params=["own", "own-uvloop"])
def own(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


@pytest.fixture
def with_proxies() -> Bench:
    """Only the aiohttp client knows proxies."""
    return Bench("aiohttp")
