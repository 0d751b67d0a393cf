"""A probe in each API, whole and streamed: it leaves one entry of its own kind and nothing else, is told what the net
saw, and a customer's request in the same words leaves all of what a probe does not."""

import asyncio
import re
from typing import Any

import orjson
import pytest
from tests.fakes.gateway import World, world
from tests.fakes.guard import Answering

from handrail.app.scripted_model.script import Line, Script, ToolCall, reply
from handrail.app.scripted_model.server import CHAT, MESSAGES, RESPONSES
from handrail.app.scripted_model.shapes import Body, Events
from handrail.guard.ports import ModelRequest
from handrail.home.fields_trials import Dialect
from handrail.people.key import Scope
from handrail.trials.dialects import SPEECH, read, told_at_end

MODELS = {Dialect.CHAT: CHAT, Dialect.RESPONSES: RESPONSES, Dialect.MESSAGES: MESSAGES}
CALLS = Line(id="c", text="done", any=("refund",), tool_call=ToolCall("refund", {"order": "A-1"}))
SCRIPT = Script(replies=(CALLS,), fallback=Line(id="f", text="Fine."))
TOOLS = [{"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}]
TALK = [{"role": "user", "content": "Card 4111 1111 1111 1111, I want a refund."}]
WAYS = [(dialect, stream) for dialect in Dialect for stream in (False, True)]


def asked(dialect: Dialect, *, stream: bool, scopes: set[Scope]) -> tuple[World, Any]:
    """One request whose answer calls a tool, and the world after it."""

    def model(request: ModelRequest) -> Answering:
        data = orjson.loads(request.body)
        made = MODELS[dialect].write(data, reply(SCRIPT, MODELS[dialect].read(data), turn=0), 1)
        if isinstance(made, Events):
            return Answering(list(made.events))
        assert isinstance(made, Body)
        return Answering([made.data])

    w = world(model, scopes=frozenset(scopes))
    body = {**SPEECH[dialect].body("support", TALK, TOOLS), **({"stream": True} if stream else {})}
    got = asyncio.run(w.post(SPEECH[dialect].path, body))
    assert got.status == 200, got.body
    return w, got


def figures(w: World) -> list[str]:
    """What a scrape shows of requests, tokens and findings."""
    text = asyncio.run(w.get("/metrics")).body.decode()
    return re.findall(r"^handrail_(?:requests|tokens|findings|request_seconds_count).*$", text, re.MULTILINE)


@pytest.mark.promise("TRI-1")
@pytest.mark.promise("TRI-9")
@pytest.mark.parametrize(("dialect", "stream"), WAYS)
def test_a_probe_leaves_one_entry_of_its_kind_and_nothing_else(dialect: Dialect, stream: bool) -> None:
    w, got = asked(dialect, stream=stream, scopes={Scope.CHAT, Scope.PROBE})
    assert [entry.kind.value for entry in w.journal.entries] == ["probe.answered"]
    assert w.journal.entries[0].payload is None
    assert w.model_calls.calls == []
    assert w.gateway.net.budgets._days == {}
    assert figures(w) == []
    told = orjson.loads(told_at_end(got.body.decode()) if stream else got.headers["x-handrail-probe"])
    assert (told["outcome"], told["findings"][0][:2]) == ("answered", ["CARD", "input"])
    came = read(SPEECH[dialect], got.body.decode() if stream else got.json)
    assert [wish.name for wish in came.wishes] == ["refund"]


@pytest.mark.parametrize(("dialect", "stream"), WAYS)
def test_a_customers_request_in_the_same_words_is_recorded_counted_and_told_nothing(
    dialect: Dialect, stream: bool
) -> None:
    w, got = asked(dialect, stream=stream, scopes={Scope.CHAT})
    assert [entry.kind.value for entry in w.journal.entries] == [
        "interaction.opened",
        "disclosure.recorded",
        "interaction.closed",
    ]
    assert len(w.model_calls.calls) == 1
    assert w.gateway.net.budgets._days
    assert figures(w)
    assert "x-handrail-probe" not in got.headers
    assert b"x-handrail-probe" not in got.body
