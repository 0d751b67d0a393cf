"""The client SDK and plain HTTP against a real server: what is taken, counted once, refused, and what it costs."""

import asyncio
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.served import Served, serving

from handrail_client import AsyncHandrail, Handrail, Refused, Unreachable

SDK = Path(__file__).parents[2] / "clients" / "python" / "src"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("events") / "home", workers=2) as served:
        yield served


@pytest.fixture(scope="module")
def key(server: Served) -> str:
    return server.key("events")


@pytest.mark.promise("EVT-9")
def test_every_helper_of_the_client_is_taken(server: Served, key: str) -> None:
    rail = Handrail(server.url, key)
    about = {"conversation": "helper-1"}
    rows = [
        rail.answered_by_ai(**about),
        rail.transfer(reason="asked", **about),
        rail.repeat_contact(reason="again", **about),
        rail.complaint(reason="rude", comment="he was rude", **about),
        rail.csat(4, **about),
        rail.override(proposed="Dear Ann", sent="Dear Ms Lang", **about),
        rail.resolution(True, **about),
        rail.handle_time(312.5, **about),
        rail.refund_reversed(4_000, "EUR", **about),
        rail.flag("wrong_policy", comment="30 days, not 14", **about),
    ]
    assert {row["status"] for row in rows} == {"unmatched"}
    assert len({row["id"] for row in rows}) == 10


@pytest.mark.promise("EVT-9")
def test_the_asynchronous_client_says_the_same(server: Served, key: str) -> None:
    async def body() -> list[dict[str, Any]]:
        rail = AsyncHandrail(server.url, key)
        return await asyncio.gather(*(rail.csat(score, customer="4711") for score in range(1, 6)))

    assert [row["status"] for row in asyncio.run(body())] == ["unmatched"] * 5


@pytest.mark.promise("EVT-4")
def test_the_same_event_twice_is_a_duplicate(server: Served, key: str) -> None:
    rail = Handrail(server.url, key, source="crm")
    event = {"id": "twice-1", "type": "complaint", "conversation": "c"}
    assert [row["status"] for row in rail.send([event, event])] == ["unmatched", "duplicate"]
    assert [row["status"] for row in rail.send([event])] == ["duplicate"]


@pytest.mark.promise("EVT-2")
def test_one_invalid_event_of_a_batch_is_named_and_the_others_are_kept(server: Served, key: str) -> None:
    rail = Handrail(server.url, key, source="batch")
    events = [{"id": str(at), "type": "complaint" if at != 1 else "praise", "conversation": "c"} for at in range(3)]
    with pytest.raises(Refused) as caught:
        rail.send(events)
    assert [row["status"] for row in caught.value.results] == ["unmatched", "invalid", "unmatched"]
    assert caught.value.results[1]["field"] == "type"
    status, answer = server.call("POST", "/api/v1/events", events[:1], key)
    assert (status, answer["results"][0]["field"]) == (400, "source")
    assert answer["error"]["code"] == "request.invalid"


@pytest.mark.promise("EVT-1")
def test_cloud_events_come_in_every_mode(server: Served, key: str) -> None:
    event = {
        "specversion": "1.0", "id": "ce-1", "source": "/helpdesk", "type": "handrail.outcome.csat",
        "subject": "cv-unknown", "data": {"score": 4},
    }  # fmt: skip

    def post(body: Any, kind: str, **headers: str) -> tuple[int, list[str]]:
        status, answer = server.call("POST", "/api/v1/events", body, key, content_type=kind, **headers)
        return status, [row["status"] for row in answer["results"]]

    assert post(event, "application/cloudevents+json; charset=utf-8") == (202, ["unmatched"])
    batch = [{**event, "id": "ce-2"}, event]
    assert post(batch, "application/cloudevents-batch+json") == (202, ["unmatched", "duplicate"])
    binary = {f"ce_{name}": value for name, value in event.items() if isinstance(value, str)}
    assert post({"score": 4}, "application/json", **binary) == (202, ["duplicate"])
    assert post({"score": 4}, "application/json", **{**binary, "ce_id": "ce-3"}) == (202, ["unmatched"])
    assert post({"score": 4}, "application/json", **{**binary, "ce_specversion": "0.3"}) == (400, ["invalid"])


@pytest.mark.promise("EVT-10")
def test_a_key_without_the_scope_is_refused(server: Served) -> None:
    chat = server.key("chat", "support-chat")
    with pytest.raises(Refused) as caught:
        Handrail(server.url, chat).csat(4, conversation="c")
    assert (caught.value.status, caught.value.code) == (403, "key.scope")
    with pytest.raises(Refused) as caught:
        Handrail(server.url, "hr_nobody").csat(4, conversation="c")
    assert (caught.value.status, caught.value.code) == (401, "key.unknown")


@pytest.mark.parametrize("body", [b"{", b"7", b"[" * 5_000, b'{"events": 7}', b"\xff"])
def test_a_body_that_is_no_events_is_refused_whole(server: Served, key: str, body: bytes) -> None:
    status, answer = server.call("POST", "/api/v1/events", body, key)
    assert (status, answer["error"]["code"]) == (400, "request.invalid")


@contextlib.contextmanager
def losing_answers(target: str, lose: int) -> Iterator[str]:
    """A proxy that hands the first requests on and then drops the connection before the answer."""
    lost = [lose]

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            given = Served(Path(), target, None).call(
                "POST", self.path, body, self.headers["authorization"].removeprefix("Bearer ")
            )
            if lost[0] > 0:
                lost[0] -= 1
                self.connection.close()
                return
            raw = json.dumps(given[1]).encode()
            self.send_response(given[0])
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: object) -> None:
            return None

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    httpd.handle_error = lambda *args: None
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.mark.promise("EVT-4")
def test_an_answer_lost_on_the_way_is_sent_again_and_counted_once(server: Served, key: str) -> None:
    with losing_answers(server.url, 1) as proxy:
        rows = Handrail(proxy, key).send([{"type": "complaint", "conversation": "lost"}])
    assert [row["status"] for row in rows] == ["duplicate"]
    with losing_answers(server.url, 9) as proxy, pytest.raises(Unreachable):
        Handrail(proxy, key, attempts=2).csat(1, conversation="lost")


@pytest.mark.promise("OPS-METRICS")
def test_counts_of_two_workers_are_one_sum_and_survive_a_killed_worker(server: Served, key: str) -> None:
    rail = Handrail(server.url, key)

    def counted() -> int:
        text = server.call("GET", "/metrics")[1]
        return sum(
            int(n) for n in re.findall(r'handrail_events_total\{type="transfer",status="unmatched"\} (\d+)', text)
        )

    before = counted()
    for _ in range(20):
        rail.transfer(conversation="counted")
    time.sleep(1.5)  # each worker publishes once a second
    assert [counted() - before for _ in range(6)] == [20] * 6
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    seen = [counted() for _ in range(10)]
    time.sleep(1.5)
    rail.transfer(conversation="counted")
    time.sleep(1.5)
    seen += [counted() for _ in range(6)]
    assert seen == sorted(seen)
    assert seen[-1] - before == 21


def test_importing_the_client_is_cheap() -> None:
    code = "import time; at = time.process_time(); import handrail_client; print(time.process_time() - at)"
    runs = [
        float(subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(SDK)!r}); {code}"],
                             capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]  # fmt: skip
    assert min(runs) < 0.150
