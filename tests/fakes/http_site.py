"""The protocol that the children speak below an application of the test's own, on a real socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
import uvloop
from tests.fakes.http_answers import Answers
from uvicorn.server import ServerState

from handrail.app.http_protocol import Protocol

PATIENCE_S = 10
POST = b"POST /v1/chat HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"
GET = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


async def whole(send: Any, body: bytes, *, status: int = 200, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    headers = [(b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says the method, the path, the query and the body that it got."""
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        more = message["more_body"]
    said = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} ".encode()
    await whole(send, said + body)


class Site:
    """A listener with one application. `protocols`: one for each connection, in order."""

    def __init__(self, port: int, state: ServerState, protocols: list[Protocol]) -> None:
        self.port = port
        self.state = state
        self.protocols = protocols
        self.writers: list[asyncio.StreamWriter] = []

    async def bare(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def client(self) -> tuple[asyncio.StreamWriter, Answers]:
        reader, writer = await self.bare()
        return writer, Answers(reader)


def play(app: Any, test: Callable[[Site], Awaitable[None]], *, keep_s: float = 75, loops: Any = uvloop.run) -> None:
    """Serve `app` and run `test` against it."""

    async def main() -> None:
        config = uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", interface="asgi3", log_config=None)
        config.timeout_keep_alive = keep_s  # type: ignore[assignment]  # a fraction of a second, for the test alone
        config.load()
        state, protocols = ServerState(), list[Protocol]()

        def made() -> Protocol:
            protocols.append(Protocol(config, state, {}))
            return protocols[-1]

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        site = Site(server.sockets[0].getsockname()[1], state, protocols)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(site)
        finally:
            server.close()
            for task in state.tasks:
                task.cancel()
            for writer in site.writers:
                writer.transport.abort()
            while state.connections or state.tasks:
                await asyncio.sleep(0)

    loops(main())
