"""A real server with a scripted model beside it, and a bounded load, for crash and load tests. Loopback only."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httptools
import orjson

BIN = Path(sys.executable).parent
HOME = """\
organisation: Faults
time_zone: UTC
currency: EUR
database: {database}
data_dir: .handrail
listen: 127.0.0.1:{port}
console: {{ serve: false }}
providers:
  model:
    dialect: openai
    base_url: http://127.0.0.1:{model}/v1
    private_network: true
    attempts: 1
defaults:
  owner: owner@faults.example
  deputy: deputy@faults.example
  escalation: desk@faults.example
  languages: [en]
  regions: [GB]
"""
USE_CASE = """\
id: faults
name: Faults
purpose: Load and crash tests.
channels: [chat]
audience: customer
data_classes: [contact, order]
levels: {assert: {risk: R1, autonomy: A3}}
mode: enforce
model:
  route: [model/scripted-1]
prompt: client
"""


@dataclass(frozen=True)
class Running:
    home: Path
    port: int
    key: str
    server: "subprocess.Popen[str]"

    def workers(self) -> list[int]:
        """Process ids of the server's children, gateway workers first."""
        path = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def handrail(*args: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(BIN / "handrail"), *args], capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0, f"handrail {' '.join(args)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@contextmanager
def running(tmp: Path, *, database: str = "sqlite", workers: int = 1) -> Iterator[Running]:
    home, port, model = tmp / "home", free_port(), free_port()
    handrail("init", str(home))
    for old in (home / "use-cases").iterdir():
        old.unlink()
    (home / "prompts" / "support-chat.md").unlink()
    for old in (home / "tests").iterdir():
        old.unlink()
    env = {} if database == "sqlite" else {"FAULTS_DATABASE": database}
    shown = "sqlite" if database == "sqlite" else "{env: FAULTS_DATABASE}"
    (home / "handrail.yaml").write_text(HOME.format(database=shown, port=port, model=model))
    (home / "use-cases" / "faults.yaml").write_text(USE_CASE)
    handrail("publish", str(home), env=env)
    key = handrail("key", "create", "--use-case", "faults", "--home", str(home), env=env)
    scripted = subprocess.Popen(
        [sys.executable, "-m", "handrail.app.scripted_model", "--port", str(model)], stdout=subprocess.DEVNULL
    )
    server = serve(home, workers, env)
    try:
        wait_ready(port)
        yield Running(home, port, key, server)
    finally:
        for process in (server, scripted):
            process.send_signal(signal.SIGTERM)
        for process in (server, scripted):
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def serve(home: Path, workers: int, env: dict[str, str]) -> "subprocess.Popen[str]":
    command = [str(BIN / "handrail"), "serve", "--home", str(home), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True, env={**os.environ, **env})


def wait_ready(port: int) -> None:
    import urllib.error
    import urllib.request

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).read()
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise AssertionError("the server did not become ready")


class _Client(asyncio.Protocol):
    """One kept connection that sends the next request when the last answer is whole."""

    def __init__(self, next_request: Callable[[], bytes | None], answered: Callable[[int], None]) -> None:
        self._next, self._answered = next_request, answered
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._next()
        if request is None:
            self._transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._answered(self._parser.get_status_code())
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def request(port: int, key: str, text: str, *, conversation: str | None = None, stream: bool = False) -> bytes:
    body = orjson.dumps({"model": "faults", "stream": stream, "messages": [{"role": "user", "content": text}]})
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *([f"x-handrail-conversation: {conversation}"] if conversation else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def load(server: Running, texts: Callable[[int], str], count: int, *, connections: int = 16) -> dict[int, int]:
    """Send `count` requests, each its own conversation; statuses and how often each came."""
    statuses: dict[int, int] = {}
    sent = 0

    def next_request() -> bytes | None:
        nonlocal sent
        if sent >= count:
            return None
        sent += 1
        return request(server.port, server.key, texts(sent), conversation=f"c-{sent % 50_000}")

    def answered(status: int) -> None:
        statuses[status] = statuses.get(status, 0) + 1

    async def run() -> None:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Client(next_request, answered), "127.0.0.1", server.port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(client.done for _, client in made))

    asyncio.run(run())
    return statuses


def held_kib(pids: list[int]) -> int:
    """What the processes hold: their anonymous memory, each shared page counted once, and every page of a file that
    they have mapped. Not the proportional set size: of a library it counts less as soon as any other process of this
    machine maps it too, which moved the sum of three processes by 12 MB while none of them had changed."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        size = {name.rstrip(":"): int(kib) for name, kib, _ in map(str.split, lines)}
        total += size["Pss_Anon"] + size["Rss"] - size["Anonymous"]
    return total
