"""Places of an Anthropic request or answer in which a value could hide, or something that nobody can read."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.dialects import events, message, message_stream
from tests.fakes.gateway import Got, World, use_case, world
from tests.fakes.guard import Answering

from handrail.policy.ruleset import OnFailure

PATH = "/v1/messages"
CARD = "4111 1111 1111 1111"
PIECES = ["card 4111 ", "1111 ", "1111 ", "1111", " it was"]
PICTURE = "QUJD" * 40
SOURCE = {"type": "base64", "media_type": "image/png", "data": PICTURE}
USER = {"role": "user", "content": "Hello there."}
CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}}]}


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "support", "max_tokens": 9, "messages": [USER], **more}


def requested(*messages: Any) -> tuple[World, Got]:
    w = world(lambda request: Answering([message("Fine.")]))
    return w, asyncio.run(w.post(PATH, ask(messages=list(messages))))


def whole(*blocks: dict[str, Any], case: Any = None, **more: Any) -> tuple[World, Got]:
    w = world(lambda request: Answering([message("", content=list(blocks), **more)]), case=case)
    return w, asyncio.run(w.post(PATH, ask()))


def streamed(stream: list[bytes], case: Any = None) -> tuple[World, Got]:
    w = world(lambda request: Answering(stream), case=case)
    return w, asyncio.run(w.post(PATH, ask(stream=True)))


def block_stream(block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[bytes]:
    """A stream that begins with one block."""
    said = message_stream(["Fine."])
    between = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]
    return [said[0], *events(between), *said[-2:]]


@pytest.mark.promise("GTW-8")
def test_a_value_cut_over_deltas_of_an_unknown_type_is_masked() -> None:
    deltas = [{"type": "odd_delta", "more": {"content": piece}} for piece in PIECES]
    _, got = streamed(block_stream({"type": "text", "text": ""}, deltas))
    found = [event["delta"] for event in got.events() if event["type"] == "content_block_delta"]
    said = "".join(delta["more"]["content"] for delta in found)
    assert said.startswith("card [CARD_")
    assert said.endswith("] it was")
    assert "1111" not in got.body.decode()
    assert [event["type"] for event in got.events()][-3:] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.promise("GTW-8")
def test_a_value_cut_over_unknown_growing_events_is_masked() -> None:
    said = message_stream(["Fine."])
    odd = events([{"type": "odd_delta", "index": 7, "text": piece} for piece in PIECES])
    _, got = streamed([*said[:1], *odd, *said[1:]])
    text = "".join(event["text"] for event in got.events() if event["type"] == "odd_delta")
    assert text.startswith("card [CARD_")
    assert text.endswith("] it was")
    assert "1111" not in got.body.decode()


@pytest.mark.promise("GTW-8")
def test_a_value_cut_over_other_unknown_events_ends_the_stream() -> None:
    said = message_stream(["Fine."])
    odd = events([{"type": "odd", "note": piece} for piece in PIECES])
    _, got = streamed([*said[:1], *odd, *said[1:]])
    assert got.events()[-2]["delta"]["stop_reason"] == "refusal"
    assert "1111 1111" not in "".join(str(event.get("note", "")) for event in got.events())


def test_citations_are_masked_one_by_one() -> None:
    cited = {"type": "char_location", "cited_text": f"card {CARD}", "document_index": 0, "document_title": "A title"}
    _, got = streamed(block_stream({"type": "text", "text": ""}, [{"type": "citations_delta", "citation": cited}] * 2))
    found = [event["delta"]["citation"] for event in got.events() if event["type"] == "content_block_delta"]
    assert [one["cited_text"].startswith("card [CARD_") for one in found] == [True, True]
    assert got.events()[-1]["type"] == "message_stop"


UNREADABLE = [
    {"type": "image", "source": SOURCE},
    {"type": "odd", "text": "Fine."},
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {"type": "web_fetch_result", "content": {"type": "document", "source": SOURCE}},
    },
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_1",
        "content": [{"type": "audio", "data": PICTURE}],
    },
]


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("block", UNREADABLE)
def test_blocks_that_nobody_can_read_are_refused_unless_they_may_pass_marked(block: dict[str, Any]) -> None:
    for w, got in (whole(block), streamed(block_stream(block, []))):
        assert "part.unreadable" in got.body.decode()
        assert PICTURE not in got.body.decode()
        assert w.journal.facts()[0].error == "part.unreadable"
    case = use_case(on_unreadable_part=OnFailure.MARK)
    w, got = whole(block, case=case)
    assert got.body == message("", content=[block])
    assert [reason.code for reason in w.journal.facts()[0].reasons] == ["part.unreadable"]
    stream = block_stream(block, [])
    w, got = streamed(stream, case)
    assert got.body == b"".join(stream)
    assert [reason.code for reason in w.journal.facts()[0].reasons] == ["part.unreadable"]


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("value", ["", "x"])
def test_a_value_in_the_name_of_an_unknown_field_does_not_pass(value: str) -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A text."}}
    for messages in (
        [{**USER, CARD: value}],
        [USER, {**CALLED, "content": [{**CALLED["content"][0], CARD: value}]}, {"role": "user", "content": [result]}],
        [USER, CALLED, {"role": "user", "content": [{**result, CARD: value}]}],
        [{"role": "user", "content": [{**document, CARD: value}]}],
    ):
        w, got = requested(*messages)
        assert (got.status, w.model.requests) == (400, [])
    for block in ({"type": "text", "text": "Fine."}, CALLED["content"][0]):
        _, got = whole({**block, CARD: value})
        assert CARD not in got.body.decode()
        _, got = streamed(block_stream({**block, CARD: value}, []))
        assert CARD not in got.body.decode()
    _, got = whole({"type": "text", "text": "Fine."}, **{CARD: value})
    assert CARD not in got.body.decode()


@pytest.mark.promise("GTW-6")
def test_unknown_fields_of_every_event_are_read() -> None:
    for place in range(len(message_stream(["Fine."]))):
        stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in message_stream(["Fine."])]
        stream[place]["note"] = f"card {CARD}"
        _, got = streamed(events(stream))
        assert CARD not in got.body.decode(), stream[place]["type"]


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize(
    ("block", "status", "code"),
    [
        ({"type": []}, 400, "request.invalid"),
        ({"type": {"a": 1}}, 400, "request.invalid"),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "audio", "data": PICTURE}]},
            400,
            "part.unreadable",
        ),
        ({"type": "container_upload", "file_id": "file_other"}, 404, "reference.unknown"),
    ],
)
def test_blocks_that_nobody_can_read_or_check_are_refused(block: dict[str, Any], status: int, code: str) -> None:
    case = use_case(on_unreadable_part=OnFailure.MARK) if status == 404 else None
    w = world(lambda request: Answering([message("Fine.")]), case=case)
    got = asyncio.run(w.post(PATH, ask(messages=[{"role": "user", "content": [block]}])))
    assert got.status == status
    assert code in got.body.decode()
    assert w.model.requests == []


def test_lines_of_an_event_beside_its_data_do_not_pass() -> None:
    stream = [b": " + CARD.encode() + b"\n" + raw for raw in message_stream(["All is ", "fine."])]
    stream.insert(1, b": " + CARD.encode() + b"\n\n")
    _, got = streamed(stream)
    assert CARD not in got.body.decode()
    assert got.events()[-1]["type"] == "message_stop"


@pytest.mark.promise("GTW-6")
def test_an_answer_that_names_a_field_twice_is_no_answer() -> None:
    twice = message("Fine.").replace(b'"text":"Fine."', b'"text":"' + CARD.encode() + b'","text":"Fine."')
    w = world(lambda request: Answering([twice]))
    got = asyncio.run(w.post(PATH, ask()))
    assert got.status == 502
    assert CARD not in got.body.decode()
    stream = [
        raw.replace(b'"text":"Fine."', b'"text":"' + CARD.encode() + b'","text":"Fine."')
        for raw in message_stream(["Fine."])
    ]
    _, got = streamed(stream)
    assert got.events()[-1]["type"] == "error"
    assert CARD not in got.body.decode()


@pytest.mark.promise("GTW-6")
def test_texts_in_the_usage_of_an_answer_are_read() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "note": CARD}
    _, got = whole({"type": "text", "text": "Fine."}, usage=usage)
    assert (got.status, CARD in got.body.decode()) == (200, False)
    stream = [orjson.loads(raw.split(b"data: ")[1]) for raw in message_stream(["Fine."])]
    stream[0]["message"]["usage"] = stream[-2]["usage"] = usage
    _, got = streamed(events(stream))
    assert got.events()[-1]["type"] == "message_stop"
    assert CARD not in got.body.decode()
