"""CPU of the model client per call and per streamed chunk, against a server in another process on this machine.

    .venv/bin/python bench/upstream.py [--calls 20000] [--streams 200] [--client own|aiohttp]

Request 1.4 KB, answer 1 KB; a stream has 40 events of 240 bytes, each sent alone. CPU is this process's user and
system time (`time.process_time`), so the server is not in it. "floor" is one bare write and read on the same loop.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.upstream.clients import own_http, with_aiohttp
from handrail.backends.upstream.model import UpstreamModel
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.ids import ProviderId

EVENTS = 40
BODY = b'{"choices":[{"message":{"content":"' + b"x" * 960 + b'"}}]}'
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
EVENT = b'data: {"choices":[{"delta":{"content":"' + b"y" * 190 + b'"}}]}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ASK = b'{"model":"m","messages":[{"role":"user","content":"' + b"z" * 1340 + b'"}]}'


class Canned(asyncio.Protocol):
    """Answers each request at its last byte; the client sends one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.seen = b""

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.seen.endswith(b"]}"):
            return
        streamed, self.seen = b"text/event-stream" in self.seen, b""
        if streamed:
            self.transport.write(HEAD)
            asyncio.get_running_loop().call_later(0.001, self.tick, EVENTS)
        else:
            self.transport.write(PLAIN)

    def tick(self, left: int) -> None:
        if left:
            self.transport.write(CHUNK)
            asyncio.get_running_loop().call_later(0.001, self.tick, left - 1)
        else:
            self.transport.write(b"0\r\n\r\n")


def serve(pipe: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


class Bare(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.waiter: asyncio.Future[None] | None = None
        self.ended = False

    def data_received(self, data: bytes) -> None:
        self.ended = data.endswith(b"0\r\n\r\n")
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


async def floor(port: int, calls: int) -> float:
    loop = asyncio.get_running_loop()
    transport, bare = await loop.create_connection(Bare, "127.0.0.1", port)
    began = time.process_time()
    for _ in range(calls):
        bare.waiter = loop.create_future()
        transport.write(ASK)
        await bare.waiter
    spent = time.process_time() - began
    transport.abort()
    return spent / calls * 1e6


async def floor_stream(port: int) -> float:
    """Per chunk: the event arrives, one future wakes one task; nothing is parsed."""
    loop = asyncio.get_running_loop()

    async def one() -> int:
        transport, bare = await loop.create_connection(Bare, "127.0.0.1", port)
        bare.waiter = None
        transport.write(b"text/event-stream" + ASK)
        while not bare.ended:
            waiter = bare.waiter = loop.create_future()
            await waiter
        transport.abort()
        return EVENTS

    began = time.process_time()
    counts = await asyncio.gather(*(one() for _ in range(40)))
    return (time.process_time() - began) / sum(counts) * 1e6


async def measure(args: argparse.Namespace, port: int) -> None:
    provider = Provider(
        id=ProviderId("canned"),
        dialect=Dialect.OPENAI,
        base_url=f"http://127.0.0.1:{port}/v1",
        key_env="KEY",
        private_network=True,
    )
    clock = SystemClock()
    origin = parse_url(provider.base_url)[0]
    egress = Egress(resolve=system_resolve, published=lambda: frozenset({origin}), monotonic=clock.monotonic)
    make = own_http if args.client == "own" else with_aiohttp
    model = UpstreamModel(
        connect=make(egress=egress, secret=lambda _: "sk-" + "k" * 48), clock=clock, jitter=lambda: 0.5
    )

    async def call() -> None:
        answer = await model.send(ModelRequest(provider=provider, path="/chat/completions", body=ASK, stream=False))
        await answer.read()

    async def stream() -> int:
        count = 0
        answer = await model.send(ModelRequest(provider=provider, path="/chat/completions", body=ASK, stream=True))
        async for _ in answer.chunks():
            count += 1
        return count

    for _ in range(500):
        await call()
    floors, chunk_floors, serial, parallel, streamed = [], [], [], [], []
    for _ in range(5):
        floors.append(await floor(port, args.calls // 10))
        chunk_floors.append(await floor_stream(port))
        began = time.process_time()
        for _ in range(args.calls // 10):
            await call()
        serial.append((time.process_time() - began) / (args.calls // 10) * 1e6)

        async def worker() -> None:
            for _ in range(args.calls // 160):
                await call()

        began = time.process_time()
        await asyncio.gather(*(worker() for _ in range(16)))
        parallel.append((time.process_time() - began) / (args.calls // 160 * 16) * 1e6)
        began = time.process_time()
        counts = await asyncio.gather(*(stream() for _ in range(args.streams // 5)))
        streamed.append((time.process_time() - began) / sum(counts) * 1e6)
    for name, values in (
        ("floor, bare write and read", floors),
        ("call, one at a time", serial),
        ("call, 16 at a time", parallel),
        ("floor, bare chunk", chunk_floors),
        ("streamed chunk", streamed),
    ):
        print(f"{name:28} median {statistics.median(values):6.1f}  least {min(values):6.1f} us CPU")
    await model.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--client", choices=("own", "aiohttp"), default="own")
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        uvloop.run(measure(args, ours.recv()))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
