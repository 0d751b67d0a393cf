"""Places of a Responses request or answer in which a value could hide, or something that nobody can read."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.dialects import events, function_call, output_message, response, response_stream
from tests.fakes.gateway import Got, World, rules, use_case, world
from tests.fakes.guard import Answering

from handrail.policy.ruleset import FindingAction, OnFailure
from handrail.terms.finding import Kind

PATH = "/v1/responses"
CARD = "4111 1111 1111 1111"
PIECES = ["card 4111 ", "1111 ", "1111 ", "1111", " it was"]
PICTURE = "QUJD" * 40
HELLO = {"role": "user", "content": "Hello there."}


def requested(items: Any, **more: Any) -> tuple[World, Got]:
    case = use_case(hosted_tools_allowed=("code_interpreter",))
    w = world(lambda request: Answering([orjson.dumps(response([output_message("Fine.")]))]), case=case)
    return w, asyncio.run(w.post(PATH, {"model": "support", "input": items, **more}))


def sent(w: World) -> str:
    return w.model.requests[-1].body.decode()


def whole(output: list[dict[str, Any]], case: Any = None, **more: Any) -> tuple[World, Got]:
    w = world(lambda request: Answering([orjson.dumps(response(output, **more))]), case=case)
    return w, asyncio.run(w.post(PATH, {"model": "support", "input": "Hello there."}))


def streamed(stream: list[bytes], case: Any = None) -> tuple[World, Got]:
    w = world(lambda request: Answering(stream), case=case)
    return w, asyncio.run(w.post(PATH, {"model": "support", "input": "Hello there.", "stream": True}))


def with_output(item: dict[str, Any], between: list[dict[str, Any]], **more: Any) -> list[bytes]:
    """A stream with one item: its beginning, `between`, its end, and the end of the response with `more`."""
    values = [
        {"type": "response.created", "response": response([], status="in_progress", usage=None)},
        *between,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response([item], **more)},
    ]
    return events([{**value, "sequence_number": place} for place, value in enumerate(values)])


def ends(got: Got) -> str:
    return str(got.events()[-1]["type"])


@pytest.mark.promise("GTW-8")
@pytest.mark.parametrize("kind", ["response.odd_text.delta", "response.compaction_delta", "odd.delta"])
@pytest.mark.parametrize("shape", [lambda piece: piece, lambda piece: {"more": [{"text": piece}]}])
def test_a_value_cut_over_unknown_growing_events_is_masked(kind: str, shape: Any) -> None:
    place = {"item_id": "odd_1", "output_index": 0}
    grown = [{"type": kind, **place, "delta": shape(piece)} for piece in PIECES]
    _, got = streamed(with_output({"id": "odd_1", "type": "odd_call", "status": "completed"}, grown))
    texts = [event["delta"] for event in got.events() if event["type"] == kind]
    said = "".join(text if isinstance(text, str) else text["more"][0]["text"] for text in texts)
    assert said.startswith("card [CARD_")
    assert said.endswith("] it was")
    assert "1111" not in got.body.decode()
    assert [event["type"] for event in got.events()][-2:] == ["response.output_item.done", "response.completed"]


@pytest.mark.promise("GTW-8")
def test_a_value_cut_over_other_unknown_events_ends_the_stream() -> None:
    told = [{"type": "response.odd.progress", "item_id": "odd_1", "output_index": 0, "note": piece} for piece in PIECES]
    _, got = streamed(with_output({"id": "odd_1", "type": "odd_call"}, told))
    assert ends(got) == "response.incomplete"
    assert "1111 1111" not in "".join(str(event.get("note", "")) for event in got.events())


@pytest.mark.parametrize(
    ("item", "name", "slot"),
    [
        (
            {"id": "i", "type": "mcp_call", "name": "pay", "server_label": "s"},
            "response.mcp_call_arguments",
            "arguments",
        ),
        ({"id": "i", "type": "code_interpreter_call"}, "response.code_interpreter_call_code", "code"),
    ],
)
def test_calls_of_hosted_tools_are_masked_alike_in_every_event(item: dict[str, Any], name: str, slot: str) -> None:
    text = '{"card": "' + CARD + '"}'
    place = {"item_id": "i", "output_index": 0}
    grown: list[dict[str, Any]] = [
        {"type": f"{name}.delta", **place, "delta": text[at : at + 3]} for at in range(0, len(text), 3)
    ]
    grown.append({"type": f"{name}.done", **place, slot: text})
    _, got = streamed(with_output({**item, slot: text}, grown))
    said = "".join(event["delta"] for event in got.events() if event["type"] == f"{name}.delta")
    assert said.startswith(('{"card": "[CARD_', '{"card":"[CARD_'))
    done = [event for event in got.events() if event["type"] == f"{name}.done"]
    assert [done[0][slot], got.events()[-2]["item"][slot], got.events()[-1]["response"]["output"][0][slot]] == [
        said
    ] * 3
    assert "1111" not in got.body.decode()


@pytest.mark.promise("GTW-6")
def test_output_text_is_made_of_the_texts_that_go_on() -> None:
    text = f"Your card is {CARD} thanks."
    _, got = whole([output_message(text)], output_text=text)
    assert got.json["output_text"] == got.json["output"][0]["content"][0]["text"]
    assert CARD not in got.body.decode()

    _, got = whole([output_message("Fine.")], output_text=text)
    assert got.json["output_text"] == "Fine."

    item = output_message(text)
    _, got = streamed(with_output(item, [], output_text=text))
    assert ends(got) == "response.completed"
    last = got.events()[-1]["response"]
    assert last["output_text"] == last["output"][0]["content"][0]["text"]
    assert CARD not in got.body.decode()


@pytest.mark.promise("GTW-7")
def test_an_honest_output_text_passes_byte_for_byte() -> None:
    body = orjson.dumps(response([output_message("Fine.")], output_text="Fine."))
    _, got = whole([output_message("Fine.")], output_text="Fine.")
    assert got.body == body
    stream = with_output(output_message("Fine."), [], output_text="Fine.")
    _, got = streamed(stream)
    assert got.body.endswith(stream[-1])


@pytest.mark.promise("GTW-6")
def test_citations_are_masked_in_every_event_of_a_stream() -> None:
    stream = []
    for raw in response_stream(["See this."]):
        value = orjson.loads(raw.split(b"data: ")[1])
        items = [value["item"]] if "item" in value else value.get("response", {}).get("output", [])
        for part in [part for item in items for part in item["content"]] + ([value["part"]] if "part" in value else []):
            part["annotations"] = [{"type": "url_citation", "url": "https://a.example/x", "title": f"card {CARD}"}]
        stream.append(value)
    _, got = streamed(events(stream))
    assert ends(got) == "response.completed"
    assert CARD not in got.body.decode()
    titles = [
        part["annotations"][0]["title"]
        for event in got.events()
        for part in [event.get("part"), *list((event.get("item") or {}).get("content", []))]
        if part
    ]
    assert len(titles) == 3
    assert all(title.startswith("card [CARD_") for title in titles)
    assert "See this." in got.body.decode()


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("slot", ["item", "part", "response", "event"])
def test_unknown_fields_of_events_are_read(slot: str) -> None:
    stream = []
    for raw in response_stream(["Fine."]):
        value = orjson.loads(raw.split(b"data: ")[1])
        held = value if slot == "event" else value.get(slot, {})
        held["note"] = f"card {CARD}"
        stream.append(value)
    _, got = streamed(events(stream))
    assert got.status == 200
    assert CARD not in got.body.decode()


@pytest.mark.promise("GTW-6")
def test_a_value_in_the_name_of_an_unknown_field_does_not_pass() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "note", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
    for value in ("", "x"):
        for item in (HELLO, call, result):
            w, got = requested([HELLO, {**item, CARD: value}])
            assert (got.status, w.model.requests) == (400, [])
        for output in (output_message("Fine."), function_call("note", "{}"), {"type": "odd_call", "id": "o"}):
            _, got = whole([{**output, CARD: value}])
            assert CARD not in got.body.decode()
        _, got = whole([output_message("Fine.")], **{CARD: value})
        assert CARD not in got.body.decode()
        _, got = streamed(with_output({**output_message("Fine."), CARD: value}, []))
        assert CARD not in got.body.decode()


GENERATED = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": PICTURE}
DRAWN = {
    "id": "ci_1",
    "type": "code_interpreter_call",
    "code": "draw()",
    "outputs": [{"type": "image", "url": "https://pictures.example/1.png"}],
}
SPOKEN = {**output_message("Fine."), "content": [{"type": "output_audio", "data": PICTURE, "transcript": "Fine."}]}


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("item", [GENERATED, DRAWN, SPOKEN])
def test_pictures_and_sounds_in_an_answer_are_refused_unless_they_may_pass_marked(item: dict[str, Any]) -> None:
    for w, got in (whole([item]), streamed(with_output(item, []))):
        assert "part.unreadable" in got.body.decode()
        assert PICTURE not in got.body.decode()
        assert "pictures.example" not in got.body.decode()
        assert w.journal.facts()[0].error == "part.unreadable"
    case = use_case(on_unreadable_part=OnFailure.MARK)
    w, got = whole([item], case)
    assert got.body == orjson.dumps(response([item]))
    assert [reason.code for reason in w.journal.facts()[0].reasons] == ["part.unreadable"]
    w, got = streamed(with_output(item, []), case)
    assert ends(got) == "response.completed"
    assert (PICTURE in got.body.decode()) or item is DRAWN
    assert [reason.code for reason in w.journal.facts()[0].reasons] == ["part.unreadable"]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": PICTURE},
        {"type": "response.audio.delta", "delta": PICTURE},
        {"type": "response.audio.delta", "delta": "QUJD"},
    ],
)
def test_a_picture_or_sound_in_pieces_is_refused(event: dict[str, Any]) -> None:
    w, got = streamed(with_output(output_message("Fine."), [event]))
    assert "part.unreadable" in got.body.decode()
    assert "QUJD" not in got.body.decode()
    assert w.journal.facts()[0].error == "part.unreadable"


@pytest.mark.promise("GTW-5")
def test_log_probabilities_of_the_history_do_not_go_upstream() -> None:
    item = output_message(f"card {CARD}")
    item["content"][0]["logprobs"] = [{"token": CARD, "logprob": -1, "bytes": [], "top_logprobs": []}]
    body = orjson.dumps({"model": "support", "input": [HELLO, item, HELLO]})
    for data in (body, body.replace(b'"logprobs"', b'"logprob\\u0073"')):
        w = world(lambda request: Answering([orjson.dumps(response([output_message("Fine.")]))]))
        got = asyncio.run(w.post(PATH, data))
        assert got.status == 200
        assert "4111" not in sent(w)
        assert "logprob" not in sent(w)


SHOT = {"type": "computer_call_output", "call_id": "c"}


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize(
    ("item", "status", "code"),
    [
        (
            {**SHOT, "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64," + PICTURE}},
            400,
            "part.unreadable",
        ),
        (
            {**SHOT, "output": {"type": "computer_screenshot", "image_url": "https://a.example/1.png"}},
            400,
            "part.unreadable",
        ),
        ({**SHOT, "output": {"type": "computer_screenshot", "file_id": "file_other"}}, 404, "reference.unknown"),
        ({**GENERATED}, 400, "part.unreadable"),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": "x", "file_id": "f"}],
            },
            404,
            "reference.unknown",
        ),
        ({"type": []}, 400, "request.invalid"),
        ({"role": "user", "content": [{"type": []}]}, 400, "request.invalid"),
    ],
)
def test_items_that_nobody_can_read_or_check_are_refused(item: dict[str, Any], status: int, code: str) -> None:
    w, got = requested([HELLO, item])
    assert (got.status, got.json["error"]["code"]) == (status, code)
    assert w.model.requests == []


def test_files_of_a_hosted_tool_must_be_known() -> None:
    tools = [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_other"]}}]
    w, got = requested("Hello there.", tools=tools)
    assert (got.status, got.json["error"]["code"]) == (404, "reference.unknown")
    assert w.model.requests == []
    w = world(lambda request: Answering([orjson.dumps(response([output_message("Fine.")]))]), case=use_case(
        hosted_tools_allowed=("code_interpreter",)
    ))  # fmt: skip
    w.references.names["support", None, "file:file_other"] = None
    got = asyncio.run(w.post(PATH, {"model": "support", "input": "Hello there.", "tools": tools}))
    assert got.status == 200


def test_what_stands_beside_a_reference_is_read() -> None:
    w = world(lambda request: Answering([orjson.dumps(response([output_message("Fine.")]))]))
    w.references.names["support", None, "item:msg_1"] = None
    item = {"type": "item_reference", "id": "msg_1", "note": CARD}
    got = asyncio.run(w.post(PATH, {"model": "support", "input": [HELLO, item]}))
    assert got.status == 200
    assert "4111" not in sent(w)
    assert '"id":"msg_1"' in sent(w)


def test_lines_of_an_event_beside_its_data_do_not_pass() -> None:
    stream = [b": " + CARD.encode() + b"\n" + raw for raw in response_stream(["Fine."])]
    stream.insert(1, b": " + CARD.encode() + b"\n\n")
    _, got = streamed(stream)
    assert CARD not in got.body.decode()
    assert ends(got) == "response.completed"


@pytest.mark.promise("GTW-6")
def test_an_answer_that_names_a_field_twice_is_no_answer() -> None:
    body = orjson.dumps(response([output_message("Fine.")]))
    twice = body.replace(b'"text":"Fine."', b'"text":"' + CARD.encode() + b'","text":"Fine."')
    w = world(lambda request: Answering([twice]))
    got = asyncio.run(w.post(PATH, {"model": "support", "input": "Hello there."}))
    assert (got.status, got.json["error"]["code"]) == (502, "upstream.invalid")
    stream = [
        raw.replace(b'"delta":"Fine."', b'"delta":"' + CARD.encode() + b'","delta":"Fine."')
        for raw in response_stream(["Fine."])
    ]
    _, got = streamed(stream)
    assert "upstream.invalid" in got.body.decode()
    assert CARD not in got.body.decode()


@pytest.mark.promise("GTW-6")
def test_texts_in_the_usage_the_error_and_the_noise_of_an_answer_are_read() -> None:
    for more in (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "note": CARD}},
        {"error": {"code": "server_error", "message": f"no card {CARD}"}},
        {"incomplete_details": {"reason": CARD}},
    ):
        _, got = whole([output_message("Fine.")], **more)
        assert (got.status, CARD in got.body.decode()) == (200, False), more
        _, got = streamed(with_output(output_message("Fine."), [], **more))
        assert (ends(got), CARD in got.body.decode()) == ("response.completed", False), more
    for noise, end in ((CARD, "response.incomplete"), ("7Gk29dLx", "response.completed")):
        stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in response_stream(["Fine."])]
        for value in stream:
            if value["type"].endswith(".delta"):
                value["obfuscation"] = noise
        _, got = streamed(events(stream))
        assert (ends(got), CARD in got.body.decode()) == (end, False)


@pytest.mark.promise("GTW-7")
def test_what_only_the_provider_can_read_passes_byte_for_byte_and_is_no_text() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": PICTURE}
    w, got = whole([item])
    assert got.body == orjson.dumps(response([item]))
    assert PICTURE not in str(w.journal.payloads())
    stream = with_output(item, [])
    w, got = streamed(stream)
    assert got.body == b"".join(stream)
    assert PICTURE not in str(w.journal.payloads())


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("slot", ["vendor_text", "model", "id", "created_at"])
def test_the_end_of_a_blocked_stream_repeats_nothing_that_was_not_read(slot: str) -> None:
    case = use_case(findings=rules({Kind.CARD: FindingAction.BLOCK}))
    stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in response_stream(["Fine."])]
    stream[0]["response"][slot] = f"card {CARD}"
    w, got = streamed(events(stream), case)
    assert ends(got) == "response.incomplete"
    assert CARD not in got.body.decode()
    assert w.journal.facts()[0].outcome == "blocked"
    head = got.events()[-1]["response"]
    assert head["model"] == ("support" if slot == "model" else "gpt-4o-mini")
    assert head["id"] == (f"resp_{head['handrail']['interaction']}" if slot == "id" else "resp_1")


def test_the_end_of_a_blocked_stream_keeps_the_id_and_the_time_of_its_beginning() -> None:
    name = "resp_0123456789012bd2ed1ec8190b14f964abc0542670bb6a6b"
    for made_id, kept in ((name.replace("0123456789012", "0123456789a12"), True), (name, False)):
        stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in response_stream([f"card {CARD} it was"])]
        stream[0]["response"]["id"] = made_id
        _, got = streamed(events(stream), use_case(findings=rules({Kind.CARD: FindingAction.BLOCK})))
        head = got.events()[-1]["response"]
        assert (head["id"] == made_id, head["created_at"]) == (kept, 1_760_000_000)


@pytest.mark.promise("GTW-7")
def test_fields_that_repeat_the_request_pass_as_they_came() -> None:
    asked = {
        "metadata": {"note": "see https://a.example/x"},
        "tools": [{"type": "function", "name": "note", "description": "see https://a.example/x", "parameters": {}}],
    }
    case = use_case(findings=rules({Kind.LINK: FindingAction.BLOCK}))
    echo = {**asked, "tools": [{**asked["tools"][0], "strict": True}], "text": {"format": {"type": "text"}}}
    body = orjson.dumps(response([output_message("Fine.")], **echo))
    w = world(lambda request: Answering([body]), case=case)
    got = asyncio.run(w.post(PATH, {"model": "support", "input": "Hello there.", **asked}))
    assert got.body == body
    assert w.journal.facts()[0].outcome == "answered"


@pytest.mark.promise("GTW-8")
def test_events_that_are_written_here_name_the_item_as_the_provider_did() -> None:
    for name in ("msg_1", "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d37951", "item 1 of 2"):
        stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in response_stream(["card 4111 1111", " 1111 1111"])]
        for value in stream:
            if "item_id" in value:
                value["item_id"] = name
        _, got = streamed(events(stream))
        deltas = [event for event in got.events() if event["type"] == "response.output_text.delta"]
        assert "".join(event["delta"] for event in deltas).startswith("card [CARD_")
        assert deltas[-1]["item_id"] == (name if " " not in name else "item_0")


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize("more", [{}, {"id": "conv_1"}])
def test_a_conversation_says_its_id_and_nothing_else(more: dict[str, Any]) -> None:
    w, got = requested("Hello there.", conversation={**more, "note": CARD})
    assert (got.status, got.json["error"]["code"]) == (400, "request.invalid")
    assert got.json["error"]["message"].startswith("conversation: ")
    assert w.model.requests == []
