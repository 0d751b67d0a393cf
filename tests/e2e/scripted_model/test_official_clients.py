"""The scripted model answers the official clients, unchanged, as the providers would; and says that it is scripted."""

import asyncio
import json

import anthropic
import openai
import pytest
from pydantic import BaseModel

LOOKUP = {
    "name": "lookup_order",
    "description": "Look an order up.",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
}
CHAT_TOOLS = [{"type": "function", "function": LOOKUP}]
RESPONSE_TOOLS = [{"type": "function", "strict": False, **LOOKUP}]
ANTHROPIC_TOOLS = [{"name": LOOKUP["name"], "input_schema": LOOKUP["parameters"]}]
WHERE = [{"role": "user", "content": "Hi, where is my order?"}]


@pytest.fixture
def gpt(scripted):
    with openai.OpenAI(base_url=f"{scripted.url}/v1", api_key="sk-right", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(scripted):
    with anthropic.Anthropic(base_url=scripted.url, api_key="sk-right", max_retries=0) as client:
        yield client


@pytest.mark.promise("SCR-1")
def test_a_chat_answer_comes_from_the_script_and_says_so(gpt) -> None:
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-any", messages=WHERE)
    answer = raw.parse()
    assert "HR-20418" in answer.choices[0].message.content
    assert answer.model == "scripted:gpt-any"
    assert answer.system_fingerprint.startswith("scripted")
    assert raw.headers["x-scripted"] == "true"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ("Guten Tag, wo ist meine Bestellung?", "Bestellung"),
        ("Je voudrais un remboursement", "remboursement"),
        ("Quiero poner una reclamación", "reclamación"),
        ("Vorrei un rimborso", "rimborso"),
        ("Xyzzy", "noted"),
    ],
)
def test_the_script_answers_in_the_customers_language(gpt, asked: str, word: str) -> None:
    answer = gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": asked}])
    assert word in answer.choices[0].message.content


def test_a_chat_stream_gives_the_same_text_and_its_usage_where_asked(gpt) -> None:
    whole = gpt.chat.completions.create(model="m", messages=WHERE).choices[0].message.content
    stream = list(
        gpt.chat.completions.create(
            model="m", messages=WHERE, stream=True, logprobs=True, stream_options={"include_usage": True}
        )
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(texts) == whole
    assert len(texts) > 5
    assert stream[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in stream if chunk.choices][-1] == "stop"
    assert stream[-1].usage.completion_tokens > 1
    tokens = [row.token for chunk in stream if chunk.choices for row in _logprobs(chunk.choices[0])]
    assert "".join(tokens) == whole


def _logprobs(choice):
    return choice.logprobs.content if choice.logprobs else []


def test_several_choices_logprobs_and_a_cut_by_max_tokens(gpt) -> None:
    answer = gpt.chat.completions.create(model="m", messages=WHERE, n=3, logprobs=True, max_tokens=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    assert len(answer.choices[0].message.content) == 8
    assert answer.choices[0].logprobs.content[0].token == "Your "


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_tool_is_called_and_its_result_answered(gpt, streamed: bool) -> None:
    if streamed:
        with gpt.chat.completions.stream(model="m", messages=WHERE, tools=CHAT_TOOLS) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = gpt.chat.completions.create(model="m", messages=WHERE, tools=CHAT_TOOLS).choices[0].message
    [call] = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("lookup_order", {"order_id": "HR-20418"})
    history = [
        *WHERE,
        {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": call.function}]},
        {"role": "tool", "tool_call_id": call.id, "content": "shipped"},
    ]
    answer = gpt.chat.completions.create(model="m", messages=history, tools=CHAT_TOOLS)
    assert "left our warehouse" in answer.choices[0].message.content


class Ticket(BaseModel):
    summary: str
    urgent: bool
    topic: str


def test_json_mode_and_a_schema_give_json_that_fits(gpt) -> None:
    plain = gpt.chat.completions.create(model="m", messages=WHERE, response_format={"type": "json_object"})
    assert "HR-20418" in json.loads(plain.choices[0].message.content)["reply"]
    parsed = gpt.chat.completions.parse(model="m", messages=WHERE, response_format=Ticket).choices[0].message.parsed
    assert "HR-20418" in parsed.summary
    response = gpt.responses.parse(model="m", input="Hi, where is my order?", text_format=Ticket)
    assert "HR-20418" in response.output_parsed.topic


@pytest.mark.promise("SCR-1")
def test_a_response_comes_whole_and_as_the_event_sequence_of_the_client(gpt) -> None:
    whole = gpt.responses.create(model="gpt-any", input="Hi, where is my order?")
    assert whole.model == "scripted:gpt-any"
    with gpt.responses.stream(model="gpt-any", input="Hi, where is my order?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert kinds.count("response.output_text.delta") > 5
    assert list(dict.fromkeys(kinds)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    cut = gpt.responses.create(model="m", input="Hi, where is my order?", max_output_tokens=2)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_calls_a_function_and_answers_its_output(gpt, streamed: bool) -> None:
    if streamed:
        with gpt.responses.stream(model="m", input=WHERE, tools=RESPONSE_TOOLS) as stream:
            response = stream.get_final_response()
    else:
        response = gpt.responses.create(model="m", input=WHERE, tools=RESPONSE_TOOLS)
    [call] = response.output
    assert (call.type, json.loads(call.arguments)) == ("function_call", {"order_id": "HR-20418"})
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "shipped"}
    answer = gpt.responses.create(model="m", input=[*WHERE, call, output], tools=RESPONSE_TOOLS)
    assert "left our warehouse" in answer.output_text


@pytest.mark.promise("SCR-1")
def test_messages_come_whole_and_streamed(claude) -> None:
    whole = claude.messages.create(model="claude-any", max_tokens=200, messages=WHERE)
    assert (whole.model, whole.stop_reason) == ("scripted:claude-any", "end_turn")
    with claude.messages.stream(model="claude-any", max_tokens=200, messages=WHERE) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == whole.content[0].text == final.content[0].text
    assert len(pieces) > 5
    assert final.usage.output_tokens == whole.usage.output_tokens > 1
    cut = claude.messages.create(model="m", max_tokens=2, messages=WHERE)
    assert (cut.stop_reason, len(cut.content[0].text)) == ("max_tokens", 8)
    assert claude.messages.count_tokens(model="m", messages=WHERE).input_tokens == whole.usage.input_tokens


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_call_a_tool_and_answer_its_result(claude, streamed: bool) -> None:
    asked = {"model": "m", "max_tokens": 200, "tools": ANTHROPIC_TOOLS}
    if streamed:
        with claude.messages.stream(messages=WHERE, **asked) as stream:
            message = stream.get_final_message()
    else:
        message = claude.messages.create(messages=WHERE, **asked)
    [block] = message.content
    assert (message.stop_reason, block.name, block.input) == ("tool_use", "lookup_order", {"order_id": "HR-20418"})
    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "shipped"}]}
    history = [*WHERE, {"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    assert "warehouse" in claude.messages.create(messages=history, **asked).content[0].text


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("scripted-error-400", openai.BadRequestError),
        ("scripted-error-401", openai.AuthenticationError),
        ("scripted-error-429", openai.RateLimitError),
        ("scripted-error-503", openai.InternalServerError),
        ("scripted-break", openai.APIConnectionError),
        ("scripted-garbage", json.JSONDecodeError),
    ],
)
def test_a_model_name_asks_for_a_failure_as_the_openai_client_knows_it(gpt, model: str, expected: type) -> None:
    with pytest.raises(expected) as caught:
        gpt.chat.completions.create(model=model, messages=WHERE)
    if model == "scripted-error-429":
        assert caught.value.response.headers["retry-after"] == "1"
        assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("scripted-error-400", anthropic.BadRequestError),
        ("scripted-error-429", anthropic.RateLimitError),
        ("scripted-error-529", anthropic.InternalServerError),
    ],
)
def test_a_model_name_asks_for_a_failure_as_the_anthropic_client_knows_it(claude, model, expected) -> None:
    with pytest.raises(expected) as caught:
        claude.messages.create(model=model, max_tokens=5, messages=WHERE)
    assert caught.value.body["type"] == "error"


def test_the_clients_notice_a_stream_that_breaks_or_reports_an_error(gpt, claude) -> None:
    asked = {"messages": WHERE, "stream": True}
    with pytest.raises(openai.APIError, match="scripted failure"):
        list(gpt.chat.completions.create(model="scripted-stream-error", **asked))
    with pytest.raises(anthropic.APIStatusError):
        list(claude.messages.create(model="scripted-stream-error", max_tokens=99, **asked))
    with pytest.raises(openai.APIConnectionError):
        list(gpt.chat.completions.create(model="scripted-break", **asked))


def test_a_slow_model_and_a_stalled_one_run_into_the_clients_timeout(gpt) -> None:
    hasty = gpt.with_options(timeout=0.2)
    for model in ("scripted-slow-5000", "scripted-stall"):
        with pytest.raises(openai.APITimeoutError):
            hasty.chat.completions.create(model=model, messages=WHERE)


def test_a_flaky_model_fails_every_other_time(gpt) -> None:
    with pytest.raises(openai.InternalServerError):
        gpt.chat.completions.create(model="scripted-flaky", messages=WHERE)
    assert gpt.chat.completions.create(model="scripted-flaky", messages=WHERE).choices


def test_echo_repeats_the_last_user_message_in_pieces_of_the_size_asked(gpt) -> None:
    said = "my card is 4111 1111 1111 1111 🙂"
    stream = gpt.chat.completions.create(
        model="scripted-echo-3", messages=[{"role": "user", "content": said}], stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert "".join(pieces) == said
    assert {len(piece) for piece in pieces[:-1]} == {3}


def test_the_tool_model_puts_the_message_into_the_arguments(gpt) -> None:
    answer = gpt.chat.completions.create(
        model="scripted-tool", messages=[{"role": "user", "content": "leak me"}], tools=CHAT_TOOLS
    )
    assert json.loads(answer.choices[0].message.tool_calls[0].function.arguments) == {"order_id": "leak me"}


def test_embeddings_and_models(gpt) -> None:
    first = gpt.embeddings.create(model="m", input=["a", "b", "a"], dimensions=8)
    vectors = [row.embedding for row in first.data]
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1, abs=1e-5)
    floats = gpt.embeddings.create(model="m", input="a", dimensions=8, encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)
    assert "scripted-echo" in {model.id for model in gpt.models.list()}
    assert gpt.models.retrieve("scripted-echo").owned_by == "scripted"


def test_a_wrong_key_and_an_unreadable_request_are_refused_in_the_dialect(scripted, gpt, claude) -> None:
    with pytest.raises(openai.AuthenticationError):
        gpt.with_options(api_key="sk-wrong").models.list()
    with pytest.raises(anthropic.AuthenticationError):
        claude.with_options(api_key="sk-wrong").messages.create(model="m", max_tokens=5, messages=WHERE)
    with pytest.raises(openai.BadRequestError, match="'messages' must be"):
        gpt.chat.completions.create(model="m", messages=[])
    with pytest.raises(openai.NotFoundError):
        gpt.get("/nothing", cast_to=object)


def test_the_asynchronous_clients_are_answered_the_same(scripted, gpt, claude) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=f"{scripted.url}/v1", api_key="sk-right") as client:
            answers = await asyncio.gather(
                *(client.chat.completions.create(model="m", messages=WHERE) for _ in range(20))
            )
            assert len({answer.choices[0].message.content for answer in answers}) == 1
            assert len({answer.id for answer in answers}) == 20
            stream = await client.chat.completions.create(model="m", messages=WHERE, stream=True)
            texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(texts) == answers[0].choices[0].message.content
        async with (
            anthropic.AsyncAnthropic(base_url=scripted.url, api_key="sk-right") as client,
            client.messages.stream(model="m", max_tokens=200, messages=WHERE) as stream,
        ):
            assert "".join([text async for text in stream.text_stream]) == "".join(texts)

    asyncio.run(main())


def test_what_arrived_can_be_looked_at(scripted, gpt) -> None:
    gpt.chat.completions.create(model="seen-1", messages=WHERE, extra_headers={"x-trace": "t"})
    seen = scripted.seen[-1]
    assert (seen.method, seen.path, seen.headers["x-trace"]) == ("POST", "/v1/chat/completions", "t")
    assert json.loads(seen.body)["model"] == "seen-1"
