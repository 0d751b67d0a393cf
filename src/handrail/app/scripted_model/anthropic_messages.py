"""Anthropic messages, whole and streamed, its count of tokens and its errors. Pure."""

from collections.abc import Iterator
from typing import Any

from handrail.app.scripted_model.script import Ask, Reply, Tool, tokens
from handrail.app.scripted_model.shapes import (
    Answer,
    BadRequest,
    Body,
    Events,
    chars_of,
    json_body,
    make_id,
    named,
    named_event,
    read_messages,
    read_model,
    since_user,
    text_of,
)

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error_value(status: int, message: str) -> dict[str, Any]:
    kind = ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"}


def error(status: int, message: str) -> Body:
    again = (("retry-after", "1"),) if status in (429, 503) else ()
    return json_body(error_value(status, message), status, again)


def read(data: dict[str, Any]) -> Ask:
    """Raises BadRequest."""
    messages = read_messages(data, "messages")
    limit = data.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise BadRequest("'max_tokens' must be 1 or more")
    last = messages[-1].get("content")
    answered = isinstance(last, list) and any(isinstance(p, dict) and p.get("type") == "tool_result" for p in last)
    users = [text for row in messages if row.get("role") == "user" and (text := text_of(row.get("content")))]
    tools = [row for row in data.get("tools") or () if isinstance(row, dict) and "input_schema" in row]
    forbidden = (data.get("tool_choice") or {}).get("type") == "none"
    return Ask(
        model=read_model(data),
        text=users[-1] if users else "",
        instructions=text_of(data.get("system")),
        answered=answered,
        results=tuple(_results(since_user(messages))),
        tools=() if forbidden else tuple(Tool(row["name"], row["input_schema"]) for row in tools),
        schema=_schema(data),
        chars_in=chars_of([data.get("system"), [row.get("content") for row in messages]]),
        max_tokens=limit,
    )


def _results(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        parts = row.get("content")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "tool_result":
                yield text_of(part.get("content"))


def _schema(data: dict[str, Any]) -> dict[str, Any] | None:
    config = data.get("output_config") or {}
    format_ = config.get("format") or data.get("output_format") or {}
    return (format_.get("schema") or {}) if format_.get("type") == "json_schema" else None


def _stop(reply: Reply) -> str:
    return "tool_use" if reply.call else "max_tokens" if reply.cut else "end_turn"


def _usage(reply: Reply, out: int) -> dict[str, Any]:
    return {
        "input_tokens": reply.tokens_in,
        "output_tokens": out,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def _message(data: dict[str, Any], serial: int) -> dict[str, Any]:
    return {
        "id": make_id("msg_", serial),
        "type": "message",
        "role": "assistant",
        "model": named(data["model"]),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def write(data: dict[str, Any], reply: Reply, serial: int) -> Answer:
    if data.get("stream"):
        return _stream(data, reply, serial)
    block: dict[str, Any] = {"type": "text", "text": reply.text, "citations": None}
    if reply.call:
        block = {"type": "tool_use", "id": make_id("toolu_", serial), "name": reply.call.name}
        block["input"] = reply.call.arguments
    ends = {"content": [block], "stop_reason": _stop(reply), "usage": _usage(reply, reply.tokens_out)}
    return json_body(_message(data, serial) | ends)


def _stream(data: dict[str, Any], reply: Reply, serial: int) -> Events:
    start = _message(data, serial) | {"usage": _usage(reply, 1)}
    if reply.call:
        block: dict[str, Any] = {"type": "tool_use", "id": make_id("toolu_", serial), "name": reply.call.name}
        block["input"] = {}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *reply.argument_pieces)]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in reply.pieces]
    rows: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": _stop(reply), "stop_sequence": None},
            "usage": {"output_tokens": reply.tokens_out},
        },
        {"type": "message_stop"},
    ]
    failure = error_value(529, "scripted failure in the middle of a stream")
    return Events(tuple(named_event(row) for row in rows), named_event(failure))


def count_tokens(data: dict[str, Any]) -> Body:
    return json_body({"input_tokens": tokens(read(data).chars_in)})
