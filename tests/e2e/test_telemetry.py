"""OpenTelemetry spans of a real server, taken by a real OTLP/HTTP receiver on loopback."""

import contextlib
import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.scripted import model
from e2e.served import serving
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from handrail.app.telemetry import spans

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLANTED = "heliotrope"


@contextlib.contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Its address, and the bodies that came."""
    got: list[bytes] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            assert self.path == "/v1/traces"
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return None

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", got
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def named(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.mark.promise("OPS-OTEL")
def test_an_interaction_is_a_span_of_its_callers_trace_without_any_content(tmp_path: Path) -> None:
    with receiver() as (url, got), model() as model_url:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        with serving(tmp_path / "home", model_url=model_url, variables=variables) as server:
            key = server.key("chat", "support-chat")
            body = {"model": "support-chat", "messages": [{"role": "user", "content": f"My name is {PLANTED}"}]}
            status, _ = server.call(
                "POST", "/v1/chat/completions", body, key,
                traceparent=f"00-{TRACE}-{PARENT}-01", x_handrail_customer=PLANTED,
            )  # fmt: skip
            assert status == 200
        # the server has stopped: it sent what waited
        found = []
        for raw in got:
            assert PLANTED.encode() not in raw
            sent = ExportTraceServiceRequest.FromString(raw)
            found += [span for part in sent.resource_spans for scope in part.scope_spans for span in scope.spans]
    (span,) = found
    given = named(span)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.name == f"chat {given['gen_ai.request.model']}"
    assert given["gen_ai.operation.name"] == "chat"
    assert given["gen_ai.provider.name"] == "openai"
    assert given["gen_ai.usage.output_tokens"] > 0
    assert given["handrail.use_case"] == "support-chat"
    assert given["handrail.verdict"] in ("allow", "change")
    assert given["handrail.outcome"]
    assert given["gen_ai.conversation.id"].startswith("cv_")
    assert span.end_time_unix_nano >= span.start_time_unix_nano


def test_without_an_endpoint_nothing_is_built() -> None:
    assert spans({}, version="0") is None
    assert spans({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, version="0") is None
