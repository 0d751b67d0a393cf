"""Places of a chat completion in which a value could hide: sound, unknown fields, names, logprobs, event lines."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.gateway import Got, World, chat_answer, chat_stream, rules, use_case, world
from tests.fakes.guard import Answering

from handrail.gateway.http import Request, Response, Route, sent_of
from handrail.policy.ruleset import FindingAction, OnFailure
from handrail.terms.finding import Kind

PATH = "/v1/chat/completions"
CARD = "4111 1111 1111 1111"
ASK: dict[str, Any] = {"model": "support", "messages": [{"role": "user", "content": "Where is my order?"}]}
SOUND = "QUJD" * 40
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def asked(answer: list[bytes], *, stream: bool, **more: Any) -> tuple[World, Got]:
    w = world(lambda request: Answering(answer), **more)
    return w, asyncio.run(w.post(PATH, {**ASK, "stream": stream}))


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    return b"data: " + orjson.dumps({**HEAD, "choices": list(choices), **more}) + b"\n\n"


def choice(index: int, delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason, **more}


def deltas(got: Got) -> list[dict[str, Any]]:
    return [event["choices"][0]["delta"] for event in got.events()[:-1] if event.get("choices")]


def spoken(text: str) -> list[bytes]:
    """A stream that speaks: an id, the transcript in pieces of three characters, the sound."""
    pieces = [{"audio": {"transcript": text[at : at + 3]}} for at in range(0, len(text), 3)]
    return chat_stream(
        [{"audio": {"id": "audio_1"}}, *pieces, {"audio": {"data": SOUND}}, {"audio": {"expires_at": 1}}]
    )


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("stream", [False, True])
def test_sound_in_an_answer_is_refused_unless_the_use_case_lets_it_pass_marked(stream: bool) -> None:
    text = f"Your card is {CARD} thanks."
    whole = chat_answer(None, audio={"id": "audio_1", "expires_at": 1, "data": SOUND, "transcript": text})
    answer = spoken(text) if stream else [whole]

    w, got = asked(answer, stream=stream)
    assert "part.unreadable" in got.body.decode()
    assert SOUND not in got.body.decode()
    facts = w.journal.facts()[0]
    assert (facts.outcome, facts.error) == ("refused", "part.unreadable")

    w, got = asked(answer, stream=stream, case=use_case(on_unreadable_part=OnFailure.MARK))
    assert SOUND in got.body.decode()
    said = [got.json["choices"][0]["message"]] if not stream else deltas(got)
    transcript = "".join((each.get("audio") or {}).get("transcript", "") for each in said)
    assert transcript.startswith("Your card is [CARD_")
    assert transcript.endswith("] thanks.")
    facts = w.journal.facts()[0]
    assert [reason.code for reason in facts.reasons if reason.code == "part.unreadable"] == ["part.unreadable"]
    assert CARD not in str(w.journal.payloads()[0]["answer"])


@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_in_an_answer_is_a_part_that_nobody_can_read(stream: bool) -> None:
    pictures = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{SOUND}"}}]
    answer = chat_stream(["See.", {"images": pictures}]) if stream else [chat_answer("See.", images=pictures)]
    _, got = asked(answer, stream=stream)
    assert "part.unreadable" in got.body.decode()
    assert SOUND not in got.body.decode()


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.promise("GTW-8")
@pytest.mark.parametrize("size", [1, 3, 5, 40])
@pytest.mark.parametrize("index", [{}, {"index": 0}])
def test_a_value_cut_over_unknown_texts_of_a_delta_is_masked_whole(size: int, index: dict[str, int]) -> None:
    text = f"The card {CARD} is known. Thanks."
    thoughts = [
        {"reasoning_details": [{"type": "reasoning.text", "text": piece, **index}]} for piece in cut(text, size)
    ]
    _, got = asked(chat_stream([*thoughts, "Done."]), stream=True)
    details = [item for delta in deltas(got) for item in delta.get("reasoning_details", ())]
    joined = "".join(item["text"] for item in details)
    assert joined.startswith("The card [CARD_")
    assert joined.endswith("] is known. Thanks.")
    assert all(item["type"] == "reasoning.text" for item in details)
    assert "".join(delta.get("content") or "" for delta in deltas(got)) == "Done."


def test_unknown_texts_side_by_side_are_each_cleared_and_what_is_no_text_comes_once() -> None:
    items = [{"index": place, "text": text, "signature": SOUND} for place, text in enumerate(["one ", f"two {CARD} "])]
    more = [{"index": 1, "text": "end."}, {"index": 0, "text": "begin."}]
    _, got = asked(chat_stream([{"content": "Hi. ", "details": items}, {"details": more}]), stream=True)
    texts = {0: "", 1: ""}
    for delta in deltas(got):
        for item in delta.get("details", ()):
            texts[item["index"]] += item["text"]
    assert texts[0] == "one begin."
    assert texts[1].startswith("two [CARD_")
    assert texts[1].endswith("] end.")
    assert got.body.decode().count(SOUND) == 2
    assert CARD not in got.body.decode()


def test_a_value_cut_over_unknown_fields_of_chunks_ends_the_stream() -> None:
    pieces = [chunk(choice(0, {"content": "a"}), note=piece) for piece in ("card 4111 11", "11 1111 ", "1111 ")]
    _, got = asked([*pieces, chunk(choice(0, {}, "stop")), b"data: [DONE]\n\n"], stream=True)
    assert "content_filter" in got.body.decode()
    assert CARD not in "".join(event.get("note", "") for event in got.events()[:-1])
    same = [chunk(choice(0, {"content": "a"}), note="Open House Ltd") for _ in range(5)]
    answer = [*same, chunk(choice(0, {}, "stop")), b"data: [DONE]\n\n"]
    _, got = asked(answer, stream=True)
    assert [delta.get("content") for delta in deltas(got) if delta.get("content")] == ["aaaaa"]
    answer = [chunk(choice(0, {"content": "a"}), note=f"card {CARD}"), b"data: [DONE]\n\n"]
    _, got = asked(answer, stream=True)
    assert CARD not in got.body.decode()


def test_logprobs_of_a_changed_text_do_not_follow_it() -> None:
    tokens = {"content": [{"token": CARD, "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}
    done = b"data: [DONE]\n\n"
    at_once = [chunk(choice(0, {"content": CARD}, "stop", logprobs=tokens)), done]
    later = [chunk(choice(0, {"content": CARD})), chunk(choice(0, {}, "stop", logprobs=tokens)), done]
    for answer in (at_once, later):
        _, got = asked(answer, stream=True)
        assert got.status == 200
        assert CARD not in got.body.decode()


@pytest.mark.parametrize("names", [[f"refund {CARD}"], ["refund 4111 1111 ", "1111 1111"]])
def test_the_name_of_a_tool_is_read(names: list[str]) -> None:
    calls = [{"tool_calls": [{"index": 0, "id": "c", "function": {"name": n, "arguments": ""}}]} for n in names]
    _, got = asked(chat_stream([*calls, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}]), stream=True)
    assert "content_filter" in got.body.decode()
    assert "1111 1111" not in "".join(
        call["function"].get("name", "") for delta in deltas(got) for call in delta.get("tool_calls", ())
    )


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_names_a_field_twice_is_no_answer(stream: bool) -> None:
    answer = chat_stream(["All is well."]) if stream else [chat_answer("All is well.")]
    twice = [part.replace(b'"content":"All', f'"content":"{CARD}","content":"All'.encode()) for part in answer]
    assert twice != answer
    _, got = asked(twice, stream=stream)
    assert "upstream.invalid" in got.body.decode()
    assert CARD not in got.body.decode()


def test_two_calls_in_one_event_keep_their_names_and_ids() -> None:
    calls = [
        {"index": place, "id": f"c{place}", "function": {"name": f"tool{place}", "arguments": "{}"}} for place in (0, 1)
    ]
    _, got = asked(chat_stream([{"content": "Wait. ", "tool_calls": calls}]), stream=True)
    found = [call for delta in deltas(got) for call in delta.get("tool_calls", ())]
    for place in (0, 1):
        own = [call for call in found if call["index"] == place]
        assert [call["id"] for call in own if "id" in call] == [f"c{place}"]
        assert "".join(call["function"].get("name", "") for call in own) == f"tool{place}"
        assert "".join(call["function"].get("arguments", "") for call in own) == "{}"


def test_other_fields_of_a_streamed_call_and_the_reasons_are_read() -> None:
    call = {"index": 0, "id": f"id {CARD}", "function": {"name": "pay", "arguments": "{}"}}
    for answer in (chat_stream([{"tool_calls": [call]}]), [chunk(choice(0, {}, f"stop {CARD}")), b"data: [DONE]\n\n"]):
        _, got = asked(answer, stream=True)
        assert CARD not in got.body.decode()


def test_lines_of_an_event_besides_its_data_do_not_pass() -> None:
    said = chat_stream(["All is ", "well."])
    said[1] = f"id: {CARD}\nretry: 4111111111111111\nevent: {CARD}\n: {CARD}\n".encode() + said[1]
    said.insert(2, f": {CARD}\n\n".encode())
    _, got = asked(said, stream=True)
    assert "4111" not in got.body.decode()
    assert "".join(delta.get("content") or "" for delta in deltas(got)) == "All is well."
    assert b":\n\n" in got.body, "the connection is kept alive all the same"


def test_a_stream_cut_while_a_choice_is_open_is_a_failure_of_the_provider() -> None:
    begun = chunk(choice(0, {"content": "One. "}), choice(1, {"content": "Two. "}))
    w, got = asked([begun, chunk(choice(0, {}, "stop"))], stream=True)
    assert got.events()[-2]["error"]["code"] == "upstream.error"
    assert w.journal.facts()[0].outcome == "failed"
    w, got = asked([begun, chunk(choice(0, {}, "stop")), chunk(choice(1, {}, "stop"))], stream=True)
    assert w.journal.facts()[0].outcome == "answered"


@pytest.mark.parametrize(
    "value",
    ["", None, [], "x"],
)
def test_names_of_unknown_fields_are_read_in_messages_calls_and_answers(value: object) -> None:
    function = {"name": "pay", "arguments": "{}"}
    call = {"id": "c", "type": "function", "function": function}
    for message in (
        {"role": "user", "content": "hi", CARD: value},
        {"role": "user", "content": [{"type": "text", "text": "hi", CARD: value}]},
        {"role": "assistant", "content": None, "tool_calls": [{**call, CARD: value}]},
        {"role": "assistant", "content": None, "tool_calls": [{**call, "function": {**function, CARD: value}}]},
    ):
        w = world(lambda request: Answering([chat_answer("ok")]))
        got = asyncio.run(w.post(PATH, {"model": "support", "messages": [message]}))
        assert (got.status, w.model.requests) == (400, [])
    _, got = asked([chat_answer("ok", **{CARD: value})], stream=False)
    assert CARD not in got.body.decode()
    if value is not None:
        _, got = asked(chat_stream([{CARD: value}]), stream=True)
        assert CARD not in got.body.decode()


def test_a_secret_as_the_name_of_a_speaker_is_read() -> None:
    case = use_case(findings=rules({Kind.SECRET: FindingAction.MASK}))
    w = world(lambda request: Answering([chat_answer("ok")]), case=case)
    secret = "sk-proj-" + "a1B2c3D4" * 4
    got = asyncio.run(
        w.post(PATH, {"model": "support", "messages": [{"role": "user", "content": "hi", "name": secret}]})
    )
    assert got.status == 200
    assert secret not in w.model.requests[0].body.decode()


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ("stainless-python-retry-0b6fd3a5-1c2d-4e5f-8a9b-0123456789ab", True),
        ("order-48213", True),
        ("jane@example.com", False),
        (CARD, False),
        ("4111-1111-1111-1111", False),
        ("a" * 65, False),
    ],
)
def test_a_key_for_idempotency_passes_only_when_it_can_carry_nothing(value: str, passes: bool) -> None:
    sent = sent_of([(b"idempotency-key", value.encode())], frozenset({b"idempotency-key"}))
    assert sent.extra_headers == ((("idempotency-key", value),) if passes else ())


def test_lists_of_betas_pass() -> None:
    value = "output-128k-2025-02-19,interleaved-thinking-2025-05-14"
    assert sent_of([(b"anthropic-beta", value.encode())], frozenset({b"anthropic-beta"})).extra_headers


WRONG: list[tuple[str, dict[str, Any]]] = [
    (PATH, {"model": "support", "messages": [{"role": [], "content": "x"}]}),
    (PATH, {**ASK, "tools": [{"type": {}}]}),
    (PATH, {**ASK, "tools": [{"type": "function", "function": {"name": {}}}], "model": []}),
    ("/v1/responses", {"model": "support", "input": [{"type": []}]}),
    ("/v1/messages", {"model": "support", "max_tokens": 1, "messages": [{"role": "user", "content": [{"type": []}]}]}),
]


@pytest.mark.promise("GTW-3")
@pytest.mark.parametrize(("path", "body"), WRONG)
def test_a_wrong_type_is_told_in_the_dialects_form_and_counted(path: str, body: dict[str, Any]) -> None:
    w = world()
    got = asyncio.run(w.post(path, body))
    assert (got.status, got.json["error"]["code"]) == (400, "request.invalid")
    assert got.headers["x-handrail-interaction"] == got.json["error"]["interaction"]
    assert b'code="request.invalid"} 1' in asyncio.run(w.get("/metrics", key=None)).body


def test_a_handler_that_breaks_is_told_without_its_words() -> None:
    async def handler(request: Request) -> Response:
        raise RuntimeError("words of a customer")

    w = world(routes=[Route(method="GET", path="/v1/breaks", handler=handler, unguarded="a test")])
    got = asyncio.run(w.get("/v1/breaks"))
    assert (got.status, got.json["error"]["code"]) == (503, "guard.unavailable")
    assert "words" not in got.body.decode()


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("given", [None, {}, {"include_usage": False}, {"note": f"my card is {CARD}"}])
def test_what_a_client_writes_into_stream_options_is_masked_there_while_usage_is_asked_for(given: Any) -> None:
    w = world(lambda request: Answering(chat_stream(["Fine."])))
    asyncio.run(w.post(PATH, {**ASK, "stream": True, "stream_options": given}))
    sent = orjson.loads(w.model.requests[0].body)["stream_options"]
    assert sent["include_usage"] is True
    assert "4111" not in str(sent)
    assert sent.keys() - {"include_usage"} == (given or {}).keys() - {"include_usage"}
