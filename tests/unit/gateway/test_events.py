"""The events route in memory: order, never-rest values, whose key, and what is said when the journal is away."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.gateway import KEY, call, world
from tests.fakes.guard import HandClock
from tests.fakes.outcomes import MemoryOutcomes
from tests.fakes.storage import MemoryJournal

from handrail.detectors.base import Failure, Report
from handrail.detectors.catalogue import built_in
from handrail.detectors.run import Runner
from handrail.gateway.events import LEFT_OUT, PATH, event_routes
from handrail.gateway.identity import Identity
from handrail.gateway.metrics import Metrics
from handrail.people.key import Scope

EVENT = {"id": "1", "source": "crm", "type": "complaint", "conversation": "c-1"}


class Silent:
    """A detector run that gives no answer."""

    def screen(self, *args: Any) -> Report:
        return Report(language="en", findings=(), failures=(Failure(detector="personal", why="error"),))


class Desk:
    def __init__(self, screener: Any = None, scopes: frozenset[Scope] = frozenset({Scope.EVENTS})) -> None:
        self.world = world(scopes=scopes)
        self.journal = MemoryJournal()
        clock = HandClock()
        outcomes = MemoryOutcomes(self.journal, self.world.threads, clock.now_ms)
        self.metrics = Metrics()
        identity = Identity(self.world.in_force, clock)
        routes = event_routes(identity, outcomes, screener or RUNNER, clock, self.metrics)
        self.gateway = world(scopes=scopes, routes=routes).gateway

    def post(self, body: Any, **more: Any) -> Any:
        return asyncio.run(call(self.gateway, "POST", PATH, orjson.dumps(body), **more))


RUNNER = Runner(built_in(), HandClock().monotonic)


@pytest.mark.promise("EVT-7")
@pytest.mark.parametrize("field", ["comment", "proposed", "sent"])
def test_what_must_never_rest_is_struck_out_before_anything_is_kept(field: str) -> None:
    desk = Desk()
    text = "My card 4111 1111 1111 1111, expiry 12/27, CVV 739, said Heliotrope."
    assert desk.post({**EVENT, "type": "override", "data": {field: text}}).status == 202
    (entry,) = desk.journal.entries
    assert b"739" not in entry.payload
    assert b"[CVV]" in entry.payload
    assert b"Heliotrope" in entry.payload


def test_a_text_that_no_detector_could_read_is_not_kept() -> None:
    desk = Desk(Silent())
    assert desk.post({**EVENT, "data": {"comment": "CVV 739"}}).status == 202
    assert orjson.loads(desk.journal.entries[0].payload)["comment"] == LEFT_OUT


@pytest.mark.promise("EVT-2")
def test_rows_come_in_the_order_of_the_events() -> None:
    desk = Desk()
    got = desk.post([{**EVENT, "id": str(at), "type": "praise" if at % 2 else "complaint"} for at in range(5)])
    assert got.status == 200
    assert [(row["id"], row["status"]) for row in got.json["results"]] == [
        ("0", "unmatched"), ("1", "invalid"), ("2", "unmatched"), ("3", "invalid"), ("4", "unmatched"),
    ]  # fmt: skip
    assert 'handrail_events_total{type="complaint",status="unmatched"} 3' in desk.metrics.text().decode()


def test_an_empty_batch_is_no_mistake() -> None:
    assert Desk().post([]).json == {"results": []}


@pytest.mark.promise("EVT-10")
def test_a_chat_key_cannot_report_outcomes() -> None:
    got = Desk(scopes=frozenset({Scope.CHAT})).post(EVENT)
    assert (got.status, got.json["error"]["code"]) == (403, "key.scope")
    assert Desk().post(EVENT, key=None).status == 401
    assert KEY


def test_a_journal_that_is_away_is_said_and_may_be_tried_again() -> None:
    desk = Desk()
    desk.journal.away = True
    got = desk.post(EVENT)
    assert (got.status, got.json["error"]["code"]) == (503, "journal.unavailable")
    assert "x-should-retry" not in got.headers
    desk.journal.away = False
    assert desk.post(EVENT).status == 202
