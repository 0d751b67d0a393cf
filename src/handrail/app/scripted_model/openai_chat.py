"""OpenAI chat completions, embeddings, models and errors. Pure: request values in, answer values out."""

import base64
import hashlib
import struct
from typing import Any

from handrail.app.scripted_model.script import Ask, Reply, Tool
from handrail.app.scripted_model.shapes import (
    CREATED,
    FINGERPRINT,
    Answer,
    BadRequest,
    Body,
    Events,
    chars_of,
    data_event,
    json_body,
    make_id,
    named,
    read_messages,
    read_model,
    since_user,
    text_of,
)

MODELS = ("scripted-1", "scripted-echo", "scripted-tool", "scripted-embedding")
ERROR_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def error_value(status: int, message: str) -> dict[str, Any]:
    kind, code = ERROR_TYPES.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error(status: int, message: str) -> Body:
    again = (("retry-after", "1"),) if status in (429, 503) else ()
    return json_body(error_value(status, message), status, again)


def read(data: dict[str, Any]) -> Ask:
    """Raises BadRequest."""
    messages = read_messages(data, "messages")
    users = [row for row in messages if row.get("role") == "user"]
    return Ask(
        model=read_model(data),
        text=text_of(users[-1].get("content")) if users else "",
        instructions="\n".join(
            text_of(row.get("content")) for row in messages if row.get("role") in ("system", "developer")
        ),
        answered=messages[-1].get("role") in ("tool", "function"),
        results=tuple(text_of(row.get("content")) for row in since_user(messages) if row.get("role") == "tool"),
        tools=() if data.get("tool_choice") == "none" else _tools(data.get("tools")),
        schema=_schema(data.get("response_format")),
        chars_in=chars_of([row.get("content") for row in messages]),
        max_tokens=data.get("max_completion_tokens") or data.get("max_tokens"),
    )


def _tools(rows: Any) -> tuple[Tool, ...]:
    functions = [row.get("function") or {} for row in rows or () if isinstance(row, dict)]
    return tuple(Tool(row["name"], row.get("parameters") or {}) for row in functions if "name" in row)


def _schema(format_: Any) -> dict[str, Any] | None:
    kind = format_.get("type") if isinstance(format_, dict) else None
    if kind == "json_schema":
        return (format_.get("json_schema") or {}).get("schema") or {}
    return {} if kind == "json_object" else None


def write(data: dict[str, Any], reply: Reply, serial: int) -> Answer:
    count = data.get("n") or 1
    if not isinstance(count, int) or not 1 <= count <= 16:
        raise BadRequest("'n' must be between 1 and 16")
    return _stream(data, reply, serial, count) if data.get("stream") else _whole(data, reply, serial, count)


def _base(data: dict[str, Any], kind: str, serial: int) -> dict[str, Any]:
    return {
        "id": make_id("chatcmpl-", serial),
        "object": kind,
        "created": CREATED,
        "model": named(data["model"]),
        "system_fingerprint": FINGERPRINT,
        "service_tier": "default",
    }


def _usage(reply: Reply, count: int) -> dict[str, Any]:
    out = reply.tokens_out * count
    return {
        "prompt_tokens": reply.tokens_in,
        "completion_tokens": out,
        "total_tokens": reply.tokens_in + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.call else "length" if reply.cut else "stop"


def _logprobs(pieces: tuple[str, ...]) -> dict[str, Any]:
    rows = [{"token": piece, "logprob": -0.125, "bytes": list(piece.encode()), "top_logprobs": []} for piece in pieces]
    return {"content": rows, "refusal": None}


def _call_value(reply: Reply, serial: int, arguments: str) -> dict[str, Any]:
    assert reply.call is not None
    return {
        "id": make_id("call_", serial),
        "type": "function",
        "function": {"name": reply.call.name, "arguments": arguments},
    }


def _whole(data: dict[str, Any], reply: Reply, serial: int, count: int) -> Body:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.call:
        message["content"] = None
        message["tool_calls"] = [_call_value(reply, serial, "".join(reply.argument_pieces))]
    choices = [
        {
            "index": index,
            "message": message,
            "logprobs": _logprobs(reply.pieces) if data.get("logprobs") and not reply.call else None,
            "finish_reason": _finish(reply),
        }
        for index in range(count)
    ]
    return json_body(_base(data, "chat.completion", serial) | {"choices": choices, "usage": _usage(reply, count)})


def _stream(data: dict[str, Any], reply: Reply, serial: int, count: int) -> Events:
    base = _base(data, "chat.completion.chunk", serial)
    with_usage = bool((data.get("stream_options") or {}).get("include_usage"))
    if with_usage:
        base["usage"] = None

    def event(index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return data_event(base | {"choices": [choice]})

    events: list[bytes] = []
    for index in range(count):
        events.append(event(index, {"role": "assistant", "content": None if reply.call else "", "refusal": None}))
        if reply.call:
            first = {"index": 0, **_call_value(reply, serial, "")}
            events.append(event(index, {"tool_calls": [first]}))
            for piece in reply.argument_pieces:
                events.append(event(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
        for piece in reply.pieces:
            logprobs = _logprobs((piece,)) if data.get("logprobs") else None
            events.append(event(index, {"content": piece}, logprobs=logprobs))
        events.append(event(index, {}, finish=_finish(reply)))
    if with_usage:
        events.append(data_event(base | {"choices": [], "usage": _usage(reply, count)}))
    events.append(b"data: [DONE]\n\n")
    return Events(tuple(events), data_event(error_value(500, "scripted failure in the middle of a stream")))


def models() -> Body:
    return json_body({"object": "list", "data": [model(name) for name in MODELS]})


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"}


def embeddings(data: dict[str, Any]) -> Body:
    """Vectors of length 1 from a hash of the text: equal texts are equal, nothing else means anything."""
    given = data.get("input")
    inputs = given if isinstance(given, list) and given and isinstance(given[0], (str, list)) else [given]
    if not all(isinstance(row, (str, list)) and row for row in inputs):
        raise BadRequest("'input' must be a text or a list of texts")
    size = data.get("dimensions") or 64
    if not isinstance(size, int) or not 1 <= size <= 4096:
        raise BadRequest("'dimensions' must be between 1 and 4096")
    rows = []
    for index, row in enumerate(inputs):
        vector = _vector(str(row), size)
        packed = data.get("encoding_format") == "base64"
        value: Any = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if packed else vector
        rows.append({"object": "embedding", "index": index, "embedding": value})
    used = max(1, chars_of(inputs) // 4)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return json_body({"object": "list", "data": rows, "model": named(read_model(data)), "usage": usage})


def _vector(text: str, size: int) -> list[float]:
    raw = hashlib.shake_256(text.encode()).digest(size * 2)
    values = [value / 32768 for value in struct.unpack(f"<{size}h", raw)]
    length = sum(value * value for value in values) ** 0.5 or 1.0
    return [value / length for value in values]
