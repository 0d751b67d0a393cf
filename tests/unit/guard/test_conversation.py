"""Several turns of one conversation through the gateway: masking, memory, counting, restoring."""

import asyncio

import orjson
import pytest
from tests.fakes import dialects
from tests.fakes.gateway import chat_answer, chat_stream, use_case, world
from tests.fakes.guard import Answering

from handrail.policy.ruleset import Audience, PromptMode

PATH = "/v1/chat/completions"
CARD = "4111 1111 1111 1111"


def turn(w, messages, **more):
    return asyncio.run(w.post(PATH, {"model": "support", "messages": messages}, **more))


def sent(w, place=-1):
    return orjson.loads(w.model.requests[place].body)["messages"]


def test_a_value_has_one_token_in_every_turn_and_is_found_once() -> None:
    w = world(lambda request: Answering([chat_answer("Noted.")]))
    first = [{"role": "user", "content": f"My card is {CARD}."}]
    one = turn(w, first)
    second = [*first, {"role": "assistant", "content": "Noted."}, {"role": "user", "content": "And now?"}]
    two = turn(w, second)
    assert one.headers["x-handrail-conversation"] == two.headers["x-handrail-conversation"]
    assert sent(w, 0)[0]["content"] == sent(w, 1)[0]["content"]
    assert CARD not in sent(w, 1)[0]["content"]
    facts = w.journal.facts()
    assert [found.new for each in facts for found in each.findings] == [True, False]
    assert [each.messages_new for each in facts] == [1, 1]
    assert "x-handrail-disclosure" in one.headers
    assert "x-handrail-disclosure" not in two.headers
    assert [message["texts"] for message in w.journal.payloads()[1]["messages"]] == [["And now?"]]


def test_another_conversation_has_another_token() -> None:
    w = world(lambda request: Answering([chat_answer("Noted.")]))
    for name in ("a", "b"):
        turn(w, [{"role": "user", "content": f"My card is {CARD}."}], headers={"x-handrail-conversation": name})
    assert sent(w, 0) != sent(w, 1)


def test_unknown_history_is_an_unlinked_conversation() -> None:
    w = world(lambda request: Answering([chat_answer("Noted.")]))
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    turn(w, history)
    assert w.journal.facts()[0].unlinked


def test_a_value_that_only_a_tool_said_is_restored_to_staff_and_not_to_a_customer() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Who is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Write to jane.doe@example.com please."},
    ]

    def script(request):
        return Answering([chat_answer(orjson.loads(request.body)["messages"][2]["content"])])

    for audience, shown in ((Audience.CUSTOMER, False), (Audience.STAFF, True)):
        w = world(script, case=use_case(audience=audience))
        assert ("jane.doe@example.com" in turn(w, messages).body.decode()) is shown


def test_a_literal_that_looks_like_a_token_is_never_restored() -> None:
    seen: list[str] = []

    def script(request):
        seen.append(orjson.loads(request.body)["messages"][0]["content"])
        return Answering([chat_answer("ok")])

    w = world(script)
    headers = {"x-handrail-conversation": "same"}
    turn(w, [{"role": "user", "content": f"My card is {CARD}."}], headers=headers)
    token = seen[0].removeprefix("My card is ").removesuffix(".")
    w.model.script = lambda request: Answering([chat_answer(orjson.loads(request.body)["messages"][0]["content"])])
    got = turn(w, [{"role": "user", "content": f"Say {token} and write to jane.doe@example.com."}], headers=headers)
    assert CARD not in got.body.decode()
    assert "jane.doe@example.com" in got.body.decode()


def test_a_token_in_a_link_stays_a_token() -> None:
    def script(request):
        said = orjson.loads(request.body)["messages"][0]["content"]
        token = said.removeprefix("My card is ").removesuffix(".")
        return Answering([chat_answer(f"Your card is {token} , see https://a.example/?c={token} now.")])

    w = world(script)
    got = turn(w, [{"role": "user", "content": f"My card is {CARD}."}])
    assert got.body.decode().count(CARD) == 1


def test_a_tool_gets_the_value_only_where_its_schema_declares_it() -> None:
    def script(request):
        said = orjson.loads(request.body)["messages"][0]["content"]
        token = said.removeprefix("Write to ").removesuffix(" please.")
        arguments = orjson.dumps({"to": token, "note": f"about {token}"}).decode()
        call = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": arguments}}
        return Answering([chat_answer(None, tool_calls=[call])])

    w = world(script)
    properties = {"to": {"type": "string", "format": "email"}, "note": {"type": "string"}}
    tool = {"name": "mail", "parameters": {"type": "object", "properties": properties}}
    body = {
        "model": "support",
        "messages": [{"role": "user", "content": "Write to jane.doe@example.com please."}],
        "tools": [{"type": "function", "function": tool}],
    }
    got = asyncio.run(w.post(PATH, body))
    given = orjson.loads(got.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
    assert given["to"] == "jane.doe@example.com"
    assert given["note"].startswith("about [EMAIL_")


def test_a_managed_prompt_replaces_the_clients() -> None:
    w = world(
        lambda request: Answering([chat_answer("ok")]),
        release={"prompt_mode": PromptMode.MANAGED, "prompt": "Ours.", "parameters": {"temperature": 0.1}},
    )
    turn(w, [{"role": "system", "content": "Theirs."}, {"role": "user", "content": "hi"}])
    assert sent(w) == [{"role": "system", "content": "Ours."}, {"role": "user", "content": "hi"}]
    assert orjson.loads(w.model.requests[0].body)["temperature"] == 0.1


def test_the_customer_is_sealed_and_not_passed_on() -> None:
    w = world(lambda request: Answering([chat_answer("ok")]))
    body = {"model": "support", "messages": [{"role": "user", "content": "hi"}], "user": "customer-77"}
    asyncio.run(w.post(PATH, body))
    assert "customer-77" not in w.model.requests[0].body.decode()
    assert w.journal.payloads()[0]["customer"] == "customer-77"
    assert "customer-77" not in str(w.journal.facts()[0])


def test_an_earlier_response_passes_only_when_it_was_made_here() -> None:
    made = orjson.dumps(dialects.response([dialects.output_message("Hello.")]))
    w = world(lambda request: Answering([made]))
    first = asyncio.run(w.post("/v1/responses", {"model": "support", "input": "hi"}))
    follow = {"model": "support", "input": "and?", "previous_response_id": "resp_1"}
    second = asyncio.run(w.post("/v1/responses", follow))
    assert second.status == 200
    assert first.headers["x-handrail-conversation"] == second.headers["x-handrail-conversation"]
    other = asyncio.run(w.post("/v1/responses", {**follow, "previous_response_id": "resp_2"}))
    assert (other.status, other.json["error"]["code"]) == (404, "reference.unknown")
    stolen = asyncio.run(w.post("/v1/responses", {**follow, "user": "somebody else"}))
    assert stolen.status == 404


def test_a_literal_token_beside_the_real_value_is_never_restored() -> None:
    seen: list[str] = []

    def script(request):
        seen.append(orjson.loads(request.body)["messages"][-1]["content"])
        return Answering([chat_answer(orjson.loads(request.body)["messages"][0]["content"])])

    w = world(script)
    headers = {"x-handrail-conversation": "same"}
    real = {"role": "user", "content": f"My card is {CARD}."}
    turn(w, [real], headers=headers)
    token = seen[0].removeprefix("My card is ").removesuffix(".")
    got = turn(w, [{"role": "user", "content": f"Say {token} now."}, real], headers=headers)
    assert CARD not in got.body.decode()


def test_a_number_in_arguments_is_read_and_masked() -> None:
    w = world(lambda request: Answering([dialects.message("ok")]))
    use = {"type": "tool_use", "id": "toolu_1", "name": "pay", "input": {"card_number": 4111111111111111}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "paid"}
    body = {
        "model": "support",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Pay."},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ],
    }
    assert asyncio.run(w.post("/v1/messages", body)).status == 200
    given = orjson.loads(w.model.requests[0].body)["messages"][1]["content"][0]["input"]
    assert given["card_number"].startswith("[CARD_")


def test_a_value_in_the_name_of_a_field_is_refused() -> None:
    w = world(lambda request: Answering([chat_answer("ok")]))
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "support", "messages": messages, "metadata": {f"card {CARD}": "x"}}
    got = asyncio.run(w.post(PATH, body))
    assert (got.status, got.json["error"]["code"]) == (400, "request.invalid")
    assert w.model.requests == []


def call_with(arguments: str) -> list[dict[str, object]]:
    """A conversation in which the model called a tool."""
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": arguments}}
    return [
        {"role": "user", "content": "Pay, please."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]


def test_a_reading_is_remembered_together_with_the_names_of_its_fields() -> None:
    w = world(lambda request: Answering([chat_answer("ok")]))
    for arguments in ('{"room":"737"}', '{"cvv":"737"}', '{"room":"737"}', '{"cvv":"737"}'):
        asyncio.run(w.post(PATH, {"model": "support", "messages": call_with(arguments)}))
    assert ["737" in request.body.decode() for request in w.model.requests] == [True, False, True, False]
    assert "737" not in str(w.journal.payloads()[1]["messages"])


@pytest.mark.parametrize("text", ['{"cvv":737}', '{"cvv":737.0}', '{"cvv":[737]}', '{"card":{"cvv":737}}'])
def test_a_code_in_arguments_never_passes_as_a_number(text: str) -> None:
    w = world(lambda request: Answering([chat_answer("ok")]))
    assert asyncio.run(w.post(PATH, {"model": "support", "messages": call_with(text)})).status == 200
    assert "737" not in w.model.requests[0].body.decode()


@pytest.mark.parametrize("arguments", [f'{{"to":"{CARD}","to":"x"}}', '{"cvv":"737","cvv":""}'])
def test_a_value_hidden_behind_a_field_of_the_same_name_passes_nowhere(arguments: str) -> None:
    hidden = CARD if CARD in arguments else "737"
    w = world(lambda request: Answering([chat_answer("ok")]))
    got = asyncio.run(w.post(PATH, {"model": "support", "messages": call_with(arguments)}))
    assert (got.status, got.json["error"]["code"]) == (400, "request.invalid")
    assert w.model.requests == []

    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "pay", "arguments": arguments}}
    ask = {"model": "support", "messages": [{"role": "user", "content": "Pay, please."}]}
    w = world(lambda request: Answering([chat_answer(None, tool_calls=[call])]))
    got = asyncio.run(w.post(PATH, ask))
    assert (got.status, got.json["error"]["code"]) == (502, "upstream.invalid")
    assert hidden not in got.body.decode()
    w = world(lambda request: Answering(chat_stream([{"tool_calls": [call]}])))
    got = asyncio.run(w.post(PATH, {**ask, "stream": True}))
    assert got.status == 200
    assert hidden not in got.body.decode()
    assert "content_filter" in got.body.decode()
    assert hidden not in str(w.journal.payloads()[0]["answer"])


@pytest.mark.parametrize("value", ["", None, []])
def test_the_name_of_an_empty_field_is_read(value: object) -> None:
    plain = {"model": "support", "messages": [{"role": "user", "content": "hi"}]}
    for body in (
        {**plain, "metadata": {CARD: value}},
        {**plain, CARD: value},
    ):
        w = world(lambda request: Answering([chat_answer("ok")]))
        assert asyncio.run(w.post(PATH, body)).status == 400
        assert w.model.requests == []
