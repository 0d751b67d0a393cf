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
        "the name of a field": (
            lambda text: orjson.dumps(dialects.response([{**dialects.output_message("Fine."), text: "x"}])),
            None,
        ),
    },
    "/v1/messages": {
        "a field named twice in arguments": _message_call(_twice),
        "a number in arguments": _message_call(_number),
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
