"""A home whose agents come by MCP: the till over HTTP and two MCP servers behind one door, staff, official clients."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx2
from acting_house import ActingHouse
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from handrail.tools.manifest import manifest_of

UPSTREAM = """\
upstream:
  id: {name}
  kind: mcp
  base_url: {url}
  private_network: true
  trusted: true
  timeout_ms: 2500
  credential: {{ env: DESK_KEY }}
tools:
  refund:
    type: money
    description: Pay money back.
    money: {{ amount: amount, unit: minor, currency: EUR }}
    idempotency: {{ place: meta, name: key }}
    manifest: {refund}
    arguments:
      type: object
      additionalProperties: false
      required: [order, amount]
      properties:
        order: {{ type: string, maxLength: 60 }}
        amount: {{ type: integer, minimum: 1, maximum: 500000 }}
    result:
      type: object
      required: [order, amount, key]
      properties: {{ order: {{ type: string }}, amount: {{ type: integer }}, key: {{ type: string }} }}
  look_up:
    type: read
    manifest: {look_up}
    arguments:
      type: object
      additionalProperties: false
      required: [order]
      properties: {{ order: {{ type: string }} }}
  note_down:
    type: write-undoable
    reversibility: free
    fails_with: ["Error executing tool note_down: refused", "refused:"]
    manifest: {note_down}
    arguments:
      type: object
      additionalProperties: false
      required: [text]
      properties: {{ text: {{ type: string }} }}
  count_slowly:
    type: read
    manifest: {count_slowly}
    arguments:
      type: object
      additionalProperties: false
      required: [to]
      properties: {{ to: {{ type: integer }} }}
"""
TOOLS = ("refund", "look_up", "note_down", "count_slowly")


class Desk:
    """A running MCP server of this suite (`mcp_desk.py`)."""

    def __init__(self, url: str, log: Path, process: "subprocess.Popen[str]") -> None:
        self.url = url
        self.process = process
        self._log = log

    def effects(self, tool: str = "") -> list[dict[str, Any]]:
        """What it did, in order."""
        rows = [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []
        return [row for row in rows if tool in row["tool"]]


@contextlib.contextmanager
def desk(folder: Path, name: str, *words: str) -> Iterator[Desk]:
    log = folder / f"{name}.jsonl"
    command = [sys.executable, str(Path(__file__).parent / "mcp_desk.py"), "--log", str(log), "--name", name, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield Desk(process.stdout.readline().strip(), log, process)
        finally:
            process.kill()
            process.wait(10)


class McpHouse(ActingHouse):
    """`door`: where the MCP door listens."""

    def __init__(self, root: Path, till: str, upstreams: dict[str, str], **more: Any) -> None:
        super().__init__(root, till, **more)
        self.env["DESK_KEY"] = "desk-secret"
        port = free_port()
        self.door = f"http://127.0.0.1:{port}"
        path = root / "handrail.yaml"
        path.write_text(f"{path.read_text()}doors: {{ listen: 127.0.0.1:{port} }}\n")
        for name, url in upstreams.items():
            self.register(name, url)
        listed = "".join(f"{name}.{tool}, " for name in upstreams for tool in TOOLS)
        path = root / "use-cases" / "orders.yaml"
        path.write_text(path.read_text().replace("tools: [till.refund, ", f"tools: [till.refund, {listed}"))

    def register(self, name: str, url: str) -> None:
        """Writes the tools as the server announces them now."""
        digests = asyncio.run(announced(url))
        text = UPSTREAM.format(name=name, url=url, **{tool: digests[tool] for tool in TOOLS})
        (self.root / "tools" / f"{name}.yaml").write_text(text)

    def opened(self) -> None:
        """Waits until the door answers."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.door}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the MCP door did not open")

    def visit(
        self,
        key: str,
        work: Callable[[Client], Coroutine[Any, Any, Any]],
        *,
        version: str = "",
        headers: dict[str, str] | None = None,
        use_case: str = "orders",
    ) -> Any:
        """One client of the official SDK at the door. `version`: the protocol revision; empty: what the SDK picks."""

        async def run() -> Any:
            async with agent(f"{self.door}/mcp/{use_case}", key, version=version, headers=headers) as client:
                return await work(client)

        return asyncio.run(run())


@contextlib.asynccontextmanager
async def agent(url: str, key: str, *, version: str = "", headers: dict[str, str] | None = None, **more: Any) -> Any:
    """A connected client that says of itself that it speaks this revision."""
    given = {"authorization": f"Bearer {key}", **(headers or {})}
    legacy = version in HANDSHAKE_PROTOCOL_VERSIONS
    transport = Pinned(version) if legacy else None
    async with httpx2.AsyncClient(headers=given, timeout=httpx2.Timeout(30), transport=transport) as http:
        mode = "legacy" if legacy else version or "auto"
        async with Client(streamable_http_client(url, http_client=http), mode=mode, **more) as client:
            if version:
                assert client.protocol_version == version
            yield client


class Pinned(httpx2.AsyncHTTPTransport):
    """Asks for an older revision at the handshake: the SDK's client always asks for its newest."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if b'"initialize"' in request.content:
            asked = json.loads(request.content)
            asked["params"]["protocolVersion"] = self._version
            body = json.dumps(asked).encode()
            headers = {**request.headers, "content-length": str(len(body))}
            request = httpx2.Request(
                request.method, request.url, headers=headers, content=body, extensions=request.extensions
            )
        return await super().handle_async_request(request)


async def announced(url: str) -> dict[str, str]:
    """Manifest digests of a server's tools."""
    async with Client(url) as client:
        page = await client.list_tools()
    return {
        tool.name: str(manifest_of(tool.model_dump(mode="json", by_alias=True, exclude_none=True)))
        for tool in page.tools
    }


def told(result: CallToolResult) -> Any:
    """The structured content of a result."""
    return result.structured_content


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def refused(url: str, key: str = "", **headers: str) -> tuple[int, Any]:
    """Status and body of a plain request to the door."""
    given = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
    if key:
        given["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, b'{"jsonrpc":"2.0","id":1,"method":"ping"}', given, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")
