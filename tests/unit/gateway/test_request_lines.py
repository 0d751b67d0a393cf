"""The server's log of requests: what a line says, what it never says, and that it costs next to nothing."""

import asyncio
import time

import msgspec
import orjson
import pytest
from tests.fakes.gateway import KEY, chat_answer, world
from tests.fakes.guard import Answering
from tests.fakes.register import HandClock

from handrail.gateway.request_lines import MOST, QUIET_S, RequestLines, write
from handrail.gateway.server import Gateway
from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, InteractionId, UseCaseId

FACTS = InteractionFacts(
    interaction=InteractionId("in_1"), conversation=ConversationId("cv_1"), use_case=UseCaseId("shop"), key="k1",
    route="chat.completions", outcome=Outcome.ANSWERED, verdict=Verdict.CHANGE, status=200, provider="mock",
    latency_ms=12, findings=(FoundFact(Kind.CARD, "input", 1.0, "luhn", "mask"),), attempts=1,
)  # fmt: skip


def taken(lines: RequestLines) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in lines.taken()]


@pytest.mark.promise("OPS-13")
def test_a_line_names_the_request_and_what_became_of_it() -> None:
    lines = RequestLines(HandClock(5_000), requests=True)
    lines.told(FACTS)
    (line,) = taken(lines)
    assert line == {
        "at_ms": 5_000, "level": "info", "event": "request", "interaction": "in_1", "conversation": "cv_1",
        "use_case": "shop", "route": "chat.completions", "stream": False, "status": 200, "outcome": "answered",
        "verdict": "change", "would_be": "", "findings": 1, "code": "", "provider": "mock", "attempts": 1, "ms": 12,
        "upstream_ms": 0,
    }  # fmt: skip
    assert taken(lines) == []


@pytest.mark.promise("OPS-13")
def test_off_nothing_is_said_of_requests_and_failures_are_said_all_the_same() -> None:
    lines = RequestLines(HandClock(), requests=False)
    lines.told(FACTS)
    refusal = HandrailError(Code.KEY_UNKNOWN, "x")
    lines.refused(refusal, interaction="in_2", route="other", status=401, key="", ms=1)
    assert taken(lines) == []
    lines.told(msgspec.structs.replace(FACTS, error="upstream.timeout", attempts=3))
    lines.told(msgspec.structs.replace(FACTS, failures=("pii:late",)))
    lines.told(msgspec.structs.replace(FACTS, attempts=2))
    lines.told(msgspec.structs.replace(FACTS, error="journal.unavailable"))
    found = {line["event"]: line for line in taken(lines)}
    assert found.keys() == {"provider.failed", "detector.failed", "provider.retried", "request.failed"}
    assert found["provider.failed"]["code"] == "upstream.timeout"
    assert found["detector.failed"]["detector"] == "pii:late"


def test_the_same_failure_is_said_once_a_minute_with_how_often_it_came_between() -> None:
    clock = HandClock()
    lines = RequestLines(clock, requests=False)
    failed = msgspec.structs.replace(FACTS, error="upstream.unreachable")
    for _ in range(50):
        lines.told(failed)
    assert [line["since_last_line"] for line in taken(lines)] == [0]
    clock.ms += int(QUIET_S * 1000) + 1
    lines.told(failed)
    assert [line["since_last_line"] for line in taken(lines)] == [49]


@pytest.mark.promise("OPS-13")
def test_a_reader_who_does_not_keep_up_loses_lines_and_is_told_how_many() -> None:
    lines = RequestLines(HandClock(), requests=True)
    for _ in range(MOST + 3):
        lines.told(FACTS)
    found = taken(lines)
    assert len(found) == MOST + 1
    assert (found[-1]["event"], found[-1]["lines"]) == ("log.left_out", 3)


def test_pieces_hold_whole_lines() -> None:
    lines = RequestLines(HandClock(), requests=True)
    for _ in range(40):
        lines.told(FACTS)
    pieces: list[bytes] = []
    write(lines, pieces.append)
    assert len(pieces) > 1
    assert all(len(piece) <= 4_096 and piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces).count(b"\n") == 40


@pytest.mark.promise("OPS-13")
def test_nothing_of_a_customer_and_no_key_stands_in_a_line() -> None:
    w = world(lambda request: Answering([chat_answer("Your card 4111 1111 1111 1111 is fine, Zebulon.")]))
    lines = RequestLines(w.clock, requests=True)
    w.gateway = Gateway(w.gateway.net, w.gateway.identity, w.refusals, w.gateway.metrics, w.gateway.routes, lines=lines)
    ask = {
        "model": "support", "user": "zebulon",
        "messages": [{"role": "user", "content": "I am Zebulon, card 4111 1111 1111 1111"}],
    }  # fmt: skip
    assert asyncio.run(w.post("/v1/chat/completions", ask)).status == 200
    got = asyncio.run(w.post("/v1/chat/completions", b"{", key=KEY))
    asyncio.run(w.post("/v1/zebulon", ask, key="hr_zebulon_4111"))
    data = b"".join(lines.taken())
    assert [orjson.loads(line)["event"] for line in data.splitlines()] == [
        "request", "request.refused", "request.refused",
    ]  # fmt: skip
    assert got.headers["x-handrail-interaction"].encode() in data
    for secret in (b"4111", b"ebulon", KEY.encode()):
        assert secret not in data


def test_a_line_costs_a_request_a_few_microseconds() -> None:
    lines = RequestLines(HandClock(), requests=True)
    best = 1.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000):
            lines.told(FACTS)
        write(lines, lambda piece: None)
        best = min(best, (time.process_time() - began) / 1_000)
    print(f"a line of the log: {best * 1e6:.1f} us of CPU")
    assert best < 25e-6  # 5 us on a machine of its own; several times that under load
