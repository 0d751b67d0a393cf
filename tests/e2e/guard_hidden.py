"""Places of answers in which a value was once found to hide, as cells of the guard matrix: each must be read whatever
the mode, and refused when it cannot be.

A row gives a whole answer, a stream, or both, with `text` there; the value in `text` must never reach the client."""

from collections.abc import Callable
from typing import Any

import orjson
from tests.e2e.guard_cells import CALL, cut
from tests.fakes import dialects
from tests.fakes.gateway import chat_answer, chat_stream

Make = tuple[Callable[[str], bytes] | None, Callable[[str], list[bytes]] | None]
SOUND = "QUJD" * 40
NUMBER = "4111111111111111"


def _twice(text: str) -> str:
    """Arguments that name a field twice: readers differ in which one they take."""
    return f'{{"note":{orjson.dumps(text).decode()},"note":"fine"}}'


def _number(text: str) -> str:
    """The card of `text` as a number."""
    return f'{{"amount":{NUMBER}}}' if text else "{}"


def _chat_call(arguments: Callable[[str], str]) -> Make:
    def whole(text: str) -> bytes:
        return chat_answer(None, tool_calls=[{**CALL, "function": {"name": "note", "arguments": arguments(text)}}])

    def stream(text: str) -> list[bytes]:
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "note", "arguments": ""}}
        pieces = [{"index": 0, "function": {"arguments": piece}} for piece in cut(arguments(text))]
        return chat_stream([{"tool_calls": [first]}, *({"tool_calls": [piece]} for piece in pieces)])

    return whole, stream


def _response_call(arguments: Callable[[str], str]) -> Make:
    def whole(text: str) -> bytes:
        return orjson.dumps(dialects.response([dialects.function_call("note", arguments(text))]))

    return whole, lambda text: dialects.response_stream(["Hi."], tool=("note", cut(arguments(text))))


def _use(given: str) -> bytes:
    block = orjson.dumps({"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}}).decode()
    return dialects.message("", content=["HERE"], stop_reason="tool_use").replace(
        b'"HERE"', block.replace('"input":{}', f'"input":{given}').encode()
    )


def _message_call(arguments: Callable[[str], str]) -> Make:
    return (
        lambda text: _use(arguments(text)),
        lambda text: dialects.message_stream(["Hi."], tool=("note", cut(arguments(text)))),
    )


def _block_stream(block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[bytes]:
    said = dialects.message_stream(["Fine."])
    between: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]
    return [said[0], *dialects.events(between), *said[-2:]]


def _indexed(kind: str) -> Make:
    """An Anthropic stream in which an event of a kind has a card as its place."""

    def stream(text: str) -> list[bytes]:
        said = [orjson.loads(raw.split(b"data: ")[1]) for raw in dialects.message_stream(["Fine. ", "Well. "])]
        [value for value in said if value["type"] == kind][-1]["index"] = int(NUMBER)
        return dialects.events(said)

    return None, stream


def _spoken(text: str) -> list[bytes]:
    pieces = [{"audio": {"transcript": piece}} for piece in cut(text)]
    return chat_stream(
        [{"audio": {"id": "audio_1"}}, *pieces, {"audio": {"data": SOUND}}, {"audio": {"expires_at": 1}}]
    )


def _odd_events(text: str) -> list[bytes]:
    """A Responses stream with events of a type that nobody knows."""
    said = dialects.response_stream(["Fine."])
    odd = dialects.events([{"type": "response.odd.delta", "item_id": "odd_1", "delta": piece} for piece in cut(text)])
    return [said[0], *odd, *said[1:]]


def _output_text(text: str) -> list[bytes]:
    """The list of texts says one thing, the shortcut beside it another."""
    stream = dialects.response_stream(["Fine."])
    last = orjson.loads(stream[-1].split(b"data: ")[1])
    last["response"]["output_text"] = text
    return [*stream[:-1], *dialects.events([last])]


def _two_slots(first: dict[str, Any], second: str, name: str = "tool_calls") -> Make:
    """A call of a tool that says `{}` in one place and a text, in one piece or many, in another."""

    def stream(text: str) -> list[bytes]:
        calls = []
        for piece in (text, *cut(text)):
            call: dict[str, Any] = orjson.loads(orjson.dumps(first))
            inner, _, slot = second.rpartition(".")
            (call.setdefault(inner, {}) if inner else call)[slot] = piece
            calls.append({name: [{"index": 0, "id": "call_1", **call}] if name == "tool_calls" else call})
        return chat_stream(calls)

    return None, stream


def _alike(text: str) -> list[bytes]:
    """Two calls in one delta that say they are the same one."""
    calls = [{**CALL, "index": 0, "function": {"name": "note", "arguments": each}} for each in ("{}", text)]
    return chat_stream([{"tool_calls": calls}])


def _content_twice(text: str) -> bytes:
    """A text named twice, the quotes that the first one takes with it made up for by escaped ones in the second."""
    body = chat_answer("Hi.")
    return body.replace(
        b'"content":"Hi."', b'"content":' + orjson.dumps(text) + b',"content":"' + b"\\u0022" * 4 + b'"'
    )


Place = tuple[str | int, ...]


def _put(value: Any, place: Place, held: Any) -> None:
    for step in place[:-1]:
        value = value[step]
    value[place[-1]] = held


def _in_event(kind: str, place: Place, shape: Callable[[str], Any] = lambda text: text) -> Make:
    """A Responses stream with the text in one place of its first event of a kind."""

    def stream(text: str) -> list[bytes]:
        said = [orjson.loads(raw.split(b"data: ")[1]) for raw in dialects.response_stream(["Fine."])]
        _put(next(value for value in said if value["type"] == kind), place, shape(text))
        return dialects.events(said)

    return None, stream


def _in_response(place: Place, shape: Callable[[str], Any] = lambda text: text) -> Make:
    """The text in one place of a whole response, and of the one that ends a stream."""

    def whole(text: str) -> bytes:
        value = dialects.response([dialects.output_message("Fine.")])
        _put(value, place, shape(text))
        return orjson.dumps(value)

    return whole, _in_event("response.completed", ("response", *place), shape)[1]


def _in_later_delta(name: str, shape: Callable[[str], Any] = lambda text: text) -> Make:
    """A Responses stream with the text in one field of a delta that is not the first of its lane."""

    def stream(text: str) -> list[bytes]:
        said = [orjson.loads(raw.split(b"data: ")[1]) for raw in dialects.response_stream(["Fine. ", "Well. "])]
        [value for value in said if value["type"] == "response.output_text.delta"][-1][name] = shape(text)
        return dialects.events(said)

    return None, stream


def _late_item(text: str) -> list[bytes]:
    """An item with an odd id, whose text no delta brought."""
    said = dialects.response_stream(["Fine."])
    item = {**dialects.output_message("Fine."), "id": text}
    ends: list[dict[str, Any]] = [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": dialects.response([item])},
    ]
    return [said[0], *dialects.events(ends)]


def _likely(*tokens: str, other: str = "Well") -> list[dict[str, Any]]:
    """Log probabilities of some tokens, each with an alternative."""
    about = [{"token": token, "logprob": -0.1, "bytes": list(token.encode())} for token in tokens]
    return [{**each, "top_logprobs": [{"token": other, "logprob": -2.5, "bytes": None}]} for each in about]


def _in_bytes(text: str) -> list[dict[str, Any]]:
    return [{"token": "Fine.", "logprob": -0.1, "bytes": list(text.encode()), "top_logprobs": []}]


def _choice_says(make: Callable[[str], Any]) -> Make:
    """A chat answer, and a stream, whose log probabilities are not of its text."""

    def stream(text: str) -> list[bytes]:
        head = orjson.loads(chat_stream(["Fine."])[1].removeprefix(b"data: "))
        said = []
        for piece in (text, *cut(text)):
            logprobs = {"content": make(piece), "refusal": None}
            choice = {"index": 0, "delta": {"content": "Fine. "}, "logprobs": logprobs, "finish_reason": None}
            said.append(b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n")
        return [*said, *chat_stream([])]

    def whole(text: str) -> bytes:
        value = orjson.loads(chat_answer("Fine."))
        value["choices"][0]["logprobs"] = {"content": make(text), "refusal": None}
        return orjson.dumps(value)

    return whole, stream


def _part_says(make: Callable[[str], Any]) -> dict[str, Make]:
    """Log probabilities that are not of the text, in each event of a Responses stream that has some."""
    item = ("content", 0, "logprobs")
    return {
        "the end of an answer": _in_response(("output", 0, *item), make),
        "a delta": _in_event("response.output_text.delta", ("logprobs",), make),
        "a text's end": _in_event("response.output_text.done", ("logprobs",), make),
        "a part's end": _in_event("response.content_part.done", ("part", "logprobs"), make),
        "an item's end": _in_event("response.output_item.done", ("item", *item), make),
    }


UNLIKELY: dict[str, Callable[[str], Any]] = {
    "of another text": lambda text: _likely(*cut(text)),
    "with an alternative": lambda text: _likely("Fine."[:0], other=text),
    "in bytes": _in_bytes,
    "with a field more": lambda text: [{**_likely("Fine.")[0], "note": text}],
    "that are a text": lambda text: text,
    "that are an object": lambda text: {text: 1},
}
"""Log probabilities that say something else than the text beside them."""


def _boxed(text: str) -> dict[str, str]:
    return {"note": text}


HIDDEN: dict[str, dict[str, Make]] = {
    "/v1/chat/completions": {
        "a field named twice in arguments": _chat_call(_twice),
        "a number in arguments": _chat_call(_number),
        "sound": (
            lambda text: chat_answer(None, audio={"id": "audio_1", "expires_at": 1, "data": SOUND, "transcript": text}),
            _spoken,
        ),
        "an unknown text of a message": (
            lambda text: chat_answer("Hi.", vendor_text=text),
            lambda text: chat_stream([{"vendor_text": piece} for piece in cut(text)]),
        ),
        "a call of a function that is a custom one too": _two_slots(
            {"function": {"name": "note", "arguments": "{}"}}, "custom.input"
        ),
        "the input of a function with arguments": _two_slots(
            {"function": {"name": "note", "arguments": "{}"}}, "function.input"
        ),
        "the arguments of a custom call with input": _two_slots(
            {"custom": {"name": "note", "input": "ok"}}, "custom.arguments"
        ),
        "the name of a custom call beside a function": _two_slots(
            {"function": {"name": "note", "arguments": "{}"}}, "custom.name"
        ),
        "the input of a function_call": _two_slots({"name": "note", "arguments": "{}"}, "input", "function_call"),
        "two calls of one number": (None, _alike),
        **{f"log probabilities {how}": _choice_says(make) for how, make in UNLIKELY.items()},
        "a text named twice behind escaped quotes": (_content_twice, None),
        "the name of a field": (
            lambda text: chat_answer("Hi.", **{text: "x"}),
            lambda text: chat_stream([{text: "x"}]),
        ),
    },
    "/v1/responses": {
        "a field named twice in arguments": _response_call(_twice),
        "a number in arguments": _response_call(_number),
        "output_text": (
            lambda text: orjson.dumps(dialects.response([dialects.output_message("Fine.")], output_text=text)),
            _output_text,
        ),
        "events of an unknown type": (None, _odd_events),
        "an unknown field of the first event": _in_event("response.created", ("response", "vendor_text")),
        "the model in the first event": _in_event("response.created", ("response", "model")),
        "the usage in the first event": _in_event("response.created", ("response", "usage"), lambda text: {text: 1}),
        "metadata that nobody sent": _in_response(("metadata",), _boxed),
        "metadata that nobody sent in the first event": _in_event("response.created", ("response", "metadata"), _boxed),
        "a tool that nobody sent": _in_response(("tools",), lambda text: [{"type": "function", "description": text}]),
        **{
            f"log probabilities {how} at {where}": made
            for how, make in UNLIKELY.items()
            for where, made in _part_says(make).items()
        },
        "a time that is none": _in_response(("created_at",)),
        "a time that is an object": _in_response(("completed_at",), _boxed),
        "the item of a delta": _in_event("response.output_text.delta", ("item_id",)),
        "the item of a delta, an object": _in_event("response.output_text.delta", ("item_id",), _boxed),
        "the item of a text's end, a list": _in_event("response.output_text.done", ("item_id",), lambda text: [text]),
        "the item of a part, an object": _in_event("response.content_part.done", ("item_id",), _boxed),
        "the place of a part's item": _in_event("response.content_part.done", ("output_index",)),
        "the place of a part": _in_event("response.content_part.done", ("content_index",), _boxed),
        "the place of a delta": _in_event("response.output_text.delta", ("output_index",), lambda text: int(NUMBER)),
        "the item of a later delta, an object": _in_later_delta("item_id", _boxed),
        "the place of a later delta": _in_later_delta("summary_index"),
        "the number of a later delta": _in_later_delta("sequence_number"),
        "the number of a later delta, as a number": _in_later_delta("sequence_number", lambda text: int(NUMBER)),
        "the number of an event": _in_event("response.output_item.added", ("sequence_number",)),
        "the number of an event, as a number": _in_event(
            "response.output_item.added", ("sequence_number",), lambda text: int(NUMBER)
        ),
        "the id of an item without deltas": (None, _late_item),
        "the name of a field": (
            lambda text: orjson.dumps(dialects.response([{**dialects.output_message("Fine."), text: "x"}])),
            None,
        ),
    },
    "/v1/messages": {
        "a field named twice in arguments": _message_call(_twice),
        "a number in arguments": _message_call(_number),
        **{
            f"the place of a {kind}": _indexed(kind)
            for kind in ("content_block_start", "content_block_delta", "content_block_stop", "message_delta")
        },
        "a stop sequence that nobody sent": (lambda text: dialects.message("Fine.", stop_sequence=text), None),
        "deltas of an unknown type": (
            None,
            lambda text: _block_stream(
                {"type": "text", "text": ""}, [{"type": "odd_delta", "more": {"content": piece}} for piece in cut(text)]
            ),
        ),
        "the name of a field": (
            lambda text: dialects.message("", content=[{"type": "text", "text": "Fine.", text: "x"}]),
            lambda text: _block_stream({"type": "text", "text": "Fine.", text: "x"}, []),
        ),
    },
}
"""Route, place: a whole answer and a stream, None where the dialect has no such thing."""
