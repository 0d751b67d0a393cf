"""CPU of the HTTP server alone, per request: our protocol beside uvicorn's own, in turn, over real sockets.

    .venv/bin/python bench/serving.py [--requests 4000] [--rounds 6]

A client in another process keeps eight connections busy: request 1.4 KB, answer 1 KB with the gateway's headers. CPU is
this process's user and system time (`time.process_time`); the application does nothing but read and answer.
"""

import argparse
import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from handrail.app.http_protocol import Protocol

CONNECTIONS = 8
ASK = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:9400\r\ncontent-type: application/json\r\nauthorization: "
    b"Bearer " + b"k" * 64 + b"\r\ncontent-length: 1400\r\n\r\n" + b"x" * 1_400
)
ANSWER = b"y" * 1_000
HEADERS = [
    (b"content-type", b"application/json"),
    (b"x-handrail-interaction", b"in_" + b"0" * 26),
    (b"x-handrail-conversation", b"cv_" + b"0" * 26),
    (b"x-handrail-outcome", b"answered"),
    (b"x-handrail-disclosure", b"version=1; language=en; wording=" + b"w" * 60),
    (b"content-length", b"1000"),
]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


class Asking(asyncio.Protocol):
    """Asks again at the last byte of each answer, until `left` is used up."""

    def __init__(self, left: list[int], over: asyncio.Future[None]) -> None:
        self.left, self.over, self.seen = left, over, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        transport.write(ASK)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.seen.endswith(ANSWER):
            return
        self.seen = b""
        self.left[0] -= 1
        if self.left[0] >= 0:
            self.transport.write(ASK)
        elif not self.over.done():
            self.over.set_result(None)


def ask(pipe: Connection) -> None:
    """The client's process: for each (port, requests) it gets, one load; then it says so."""

    async def load(port: int, requests: int) -> None:
        loop = asyncio.get_running_loop()
        left, over = [requests], loop.create_future()
        made = [await loop.create_connection(lambda: Asking(left, over), "127.0.0.1", port) for _ in range(CONNECTIONS)]
        await over
        for transport, _ in made:
            transport.abort()

    while order := pipe.recv():
        uvloop.run(load(*order))
        pipe.send(True)


async def measure(kind: Any, requests: int, pipe: Connection) -> float:
    """Microseconds of this process a request."""
    config = uvicorn.Config(app, http=kind, ws="none", lifespan="off", interface="asgi3", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: kind(config=config, server_state=state, app_state={}, _loop=loop), "127.0.0.1", 0
    )
    pipe.send((server.sockets[0].getsockname()[1], requests))
    began = time.process_time()
    answered = asyncio.Event()
    loop.add_reader(pipe.fileno(), answered.set)
    await answered.wait()
    spent = time.process_time() - began
    pipe.recv()
    loop.remove_reader(pipe.fileno())
    server.close()
    return spent / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=6)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    client = multiprocessing.get_context("spawn").Process(target=ask, args=(theirs,), daemon=True)
    client.start()
    found: dict[str, list[float]] = {"uvicorn's protocol": [], "our protocol": []}
    for _ in range(args.rounds):
        for name, kind in (("uvicorn's protocol", HttpToolsProtocol), ("our protocol", Protocol)):
            found[name].append(uvloop.run(measure(kind, args.requests, ours)))
    ours.send(None)
    client.join()
    for name, values in found.items():
        print(f"{name:20} least {min(values):6.1f}  middle {sorted(values)[len(values) // 2]:6.1f} us CPU a request")


if __name__ == "__main__":
    main()
