"""Tool calls that a model asked for are remembered as the client got them, in each dialect, whole and streamed."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes import dialects
from tests.fakes.gateway import World, chat_answer, chat_stream, world
from tests.fakes.guard import Answering

CARD = "4111 1111 1111 1111"
HI = [{"role": "user", "content": "hi"}]
ARGUMENTS = '{"order": "A-1", "amount": 3}'
CALL = {"id": "c", "type": "function", "function": {"name": "refund", "arguments": ARGUMENTS}}
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "chat": ("/v1/chat/completions", {"messages": HI}, [chat_answer("On it.", tool_calls=[CALL])]),
    "chat, streamed": (
        "/v1/chat/completions",
        {"messages": HI, "stream": True},
        chat_stream(["On it.", {"tool_calls": [{"index": 0, **CALL}]}]),
    ),
    "messages": (
        "/v1/messages",
        {"messages": HI, "max_tokens": 9},
        [
            dialects.message(
                "", content=[{"type": "tool_use", "id": "t", "name": "refund", "input": orjson.loads(ARGUMENTS)}]
            )
        ],
    ),
    "messages, streamed": (
        "/v1/messages",
        {"messages": HI, "max_tokens": 9, "stream": True},
        dialects.message_stream(["On it."], tool=("refund", [ARGUMENTS[:9], ARGUMENTS[9:]])),
    ),
    "responses": (
        "/v1/responses",
        {"input": "hi"},
        [orjson.dumps(dialects.response([dialects.function_call("refund", ARGUMENTS)]))],
    ),
    "responses, streamed": (
        "/v1/responses",
        {"input": "hi", "stream": True},
        dialects.response_stream(["On it."], tool=("refund", [ARGUMENTS[:9], ARGUMENTS[9:]])),
    ),
}


def asked(path: str, body: dict[str, Any], answer: Any, **more: Any) -> World:
    w = world(lambda request: Answering(answer), **more)
    got = asyncio.run(w.post(path, {"model": "support", **body}))
    assert got.status == 200, got.body
    return w


@pytest.mark.promise("MCP-13")
@pytest.mark.parametrize("case", CASES)
def test_a_tool_call_is_remembered_with_its_conversation(case: str) -> None:
    w = asked(*CASES[case])
    ((use_case, key, conversation, call),) = w.model_calls.calls
    facts = w.journal.facts()[0]
    assert (use_case, key, conversation) == (facts.use_case, facts.key, facts.conversation)
    assert (call.name, orjson.loads(call.arguments)) == ("refund", orjson.loads(ARGUMENTS))


@pytest.mark.promise("MCP-13")
@pytest.mark.parametrize("stream", [False, True])
def test_it_is_remembered_as_the_client_got_it(stream: bool) -> None:
    """The model knows a token; the agent calls with the value."""

    def script(request: Any) -> Any:
        token = orjson.loads(request.body)["messages"][0]["content"].removeprefix("My mail is ").removesuffix(" ok?")
        function = {"name": "mail", "arguments": orjson.dumps({"to": token}).decode()}
        call = {"index": 0, "id": "c", "type": "function", "function": function}
        return Answering(chat_stream([{"tool_calls": [call]}]) if stream else [chat_answer(None, tool_calls=[call])])

    w = world(script)
    schema = {"type": "object", "properties": {"to": {"type": "string", "format": "email"}}}
    body = {
        "model": "support",
        "messages": [{"role": "user", "content": "My mail is jane.doe@example.com ok?"}],
        "tools": [{"type": "function", "function": {"name": "mail", "parameters": schema}}],
        "stream": stream,
    }
    got = asyncio.run(w.post("/v1/chat/completions", body))
    assert b"jane.doe@example.com" in got.body
    assert [orjson.loads(call.arguments) for *_, call in w.model_calls.calls] == [{"to": "jane.doe@example.com"}]


@pytest.mark.promise("MCP-13")
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_client_never_got_is_not_remembered(stream: bool) -> None:
    hidden = f'{{"to":"{CARD}","to":"x"}}'
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "pay", "arguments": hidden}}
    w = world(
        lambda request: Answering(
            chat_stream([{"tool_calls": [call]}]) if stream else [chat_answer(None, tool_calls=[call])]
        )
    )
    asyncio.run(w.post("/v1/chat/completions", {"model": "support", "messages": HI, "stream": stream}))
    assert w.model_calls.calls == []
    w = asked("/v1/chat/completions", {"messages": HI}, [chat_answer("Hello.")])
    assert w.model_calls.calls == []
