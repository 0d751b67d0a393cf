"""What a hostile MCP server may send: packed answers, answers without an end, pages without an end."""

import asyncio
import gzip
import json
import logging
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fakes.guard import HandClock

from handrail.backends.egress import Egress, parse_url
from handrail.backends.tools.mcp import McpTargets
from handrail.guard.execute import Effect
from handrail.terms.action import ActionType, ToolId
from handrail.terms.errors import HandrailError
from handrail.tools.registry import Tool, Upstream, UpstreamId, UpstreamKind

BOMB = gzip.compress(b" " * (256 << 20), 1)
"""A quarter of a gigabyte in a few hundred kilobytes."""


class Hostile(ThreadingHTTPServer):
    """Shakes hands in the revision of 2025; answers `what` as `way` says. `asked`: methods that came."""

    def __init__(self, way: str, what: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.way, self.what = way, what
        self.asked: list[str] = []
        self.encodings: list[str] = []
        self.sent = 0


class _Handler(BaseHTTPRequestHandler):
    server: Hostile

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(said["method"])
        self.server.encodings.append(self.headers.get("accept-encoding", ""))
        if "id" not in said:
            self._give(202, b"")
        elif said["method"] == "initialize":
            info = {"name": "x", "version": "1"}
            able = {"tools": {}, "resources": {}}
            self._result(said, {"protocolVersion": "2025-06-18", "capabilities": able, "serverInfo": info})
        elif said["method"] != self.server.what:
            error = {"code": -32601, "message": "no"}
            self._give(200, json.dumps({"jsonrpc": "2.0", "id": said["id"], "error": error}).encode())
        elif self.server.way == "packed":
            self._give(200, BOMB, ("content-encoding", "gzip"))
        elif self.server.way == "broken":
            self._give(200, b'{"jsonrpc": "2.0", "id": "jane@shop.example"')
        elif self.server.way == "a page":
            self._give(200, b"<html>Thank you</html>", kind="text/html")
        elif self.server.way == "pages":
            row = {"uri": "x://" + "a" * (1 << 20), "name": "a"}
            self._result(said, {"resources": [row], "nextCursor": "more"})
        else:
            self._endless()

    def do_GET(self) -> None:
        self._give(405, b"")

    do_DELETE = do_GET

    def log_message(self, *args: Any) -> None:
        pass

    def _result(self, said: Any, result: Any) -> None:
        self._give(200, json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": result}).encode())

    def _give(self, status: int, body: bytes, *more: tuple[str, str], kind: str = "application/json") -> None:
        self.send_response(status)
        for name, value in (("content-type", kind), ("content-length", str(len(body))), *more):
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
            self.server.sent += len(body)
        except OSError:
            pass

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            while self.server.sent < 256 << 20:
                self.wfile.write(b"data: " + b"a" * 65_536)
                self.server.sent += 65_536
        except OSError:
            pass


@contextmanager
def hostile(way: str, what: str) -> Iterator[Hostile]:
    with Hostile(way, what) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def targets(server: Hostile) -> tuple[McpTargets, Upstream, Tool]:
    url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    upstream = Upstream(
        id=UpstreamId("x"), kind=UpstreamKind.MCP, base_url=url, private_network=True, timeout_ms=20_000
    )

    async def resolve(host: str, port: int) -> list[str]:
        return [host]

    egress = Egress(resolve=resolve, published=lambda: frozenset({parse_url(url)[0]}), monotonic=lambda: 0.0)
    tool = Tool(id=ToolId("x.look"), upstream=upstream.id, name="look", type=ActionType.READ, arguments={})
    return McpTargets(egress=egress, secret=lambda provider: "", clock=HandClock()), upstream, tool


@pytest.mark.promise("MCP-14")
@pytest.mark.parametrize("way", ["packed", "endless"])
def test_an_answer_that_grows_is_broken_off_and_the_effect_is_unsure(way: str) -> None:
    with hostile(way, "tools/call") as server:
        made, upstream, tool = targets(server)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = asyncio.run(made.call(tool, upstream, {}, key=""))
        assert server.asked.count("tools/call") == 1
        assert set(server.encodings) == {"identity"}
        assert answer.effect is Effect.UNSURE
        assert answer.code in ("upstream.error", "target.error_32000")  # as a whole answer or as a stream
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 << 10  # KiB
        assert server.sent < 128 << 20


@pytest.mark.promise("MCP-14")
@pytest.mark.parametrize("way", ["packed", "endless", "pages"])
def test_a_list_that_grows_is_broken_off(way: str) -> None:
    with hostile(way, "resources/list") as server:
        made, upstream, _ = targets(server)
        with pytest.raises(HandrailError) as refused:
            asyncio.run(made.ask(upstream, "resources/list", {}))
        assert refused.value.code.value == "upstream.unreachable"
        assert server.asked.count("resources/list") <= 20


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize("way", ["broken", "a page"])
def test_an_answer_that_cannot_be_read_leaves_it_unsure(way: str) -> None:
    """What was asked may be done: the server answered after all."""
    with hostile(way, "tools/call") as server:
        made, upstream, tool = targets(server)
        answer = asyncio.run(made.call(tool, upstream, {}, key=""))
        assert (answer.effect, answer.status) == (Effect.UNSURE, 200)


@pytest.mark.promise("MCP-14")
def test_what_a_server_sends_stands_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK would write down an answer that it cannot read, with its beginning."""
    caplog.set_level(logging.DEBUG)
    with hostile("broken", "tools/call") as server:
        made, upstream, tool = targets(server)
        assert asyncio.run(made.call(tool, upstream, {}, key="")).effect is Effect.UNSURE
    assert "jane@shop.example" not in caplog.text
