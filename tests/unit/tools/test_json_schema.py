"""A schema of somebody else can do no harm."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from handrail.tools.json_schema import compiled


class Noted(BaseHTTPRequestHandler):
    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")


def test_it_fetches_nothing() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Noted) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for where in (f"http://127.0.0.1:{server.server_port}/x", "file:///etc/hostname"):
            with pytest.raises(ValueError, match="not present in a registry"):
                compiled({"$ref": where})
        server.shutdown()
    assert Noted.paths == []


def test_its_patterns_take_linear_time_or_are_refused() -> None:
    assert not compiled({"type": "string", "pattern": "^(a+)+$"}).is_valid("a" * 50_000 + "b")
    with pytest.raises(ValueError, match="regex"):
        compiled({"pattern": "(?=a)"})
