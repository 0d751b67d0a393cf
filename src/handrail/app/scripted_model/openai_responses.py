"""OpenAI responses, whole and as the event sequence that the official clients rebuild a response from. Pure."""

from typing import Any

from handrail.app.scripted_model.script import Ask, Reply, Tool
from handrail.app.scripted_model.shapes import (
    CREATED,
    FINGERPRINT,
    Answer,
    BadRequest,
    Events,
    chars_of,
    json_body,
    make_id,
    named,
    named_event,
    read_model,
    since_user,
    text_of,
)


def read(data: dict[str, Any]) -> Ask:
    """Raises BadRequest."""
    given = data.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise BadRequest("'input' must be a text or a list of items")
    users = [item for item in items if item.get("role") == "user"]
    tools = [row for row in data.get("tools") or () if isinstance(row, dict) and row.get("type") == "function"]
    return Ask(
        model=read_model(data),
        text=text_of(users[-1].get("content")) if users else "",
        instructions="\n".join(
            [
                text_of(data.get("instructions")),
                *(text_of(item.get("content")) for item in items if item.get("role") in ("system", "developer")),
            ]
        ),
        answered=items[-1].get("type") == "function_call_output",
        results=tuple(
            text_of(item.get("output")) for item in since_user(items) if item.get("type") == "function_call_output"
        ),
        tools=()
        if data.get("tool_choice") == "none"
        else tuple(Tool(row["name"], row.get("parameters") or {}) for row in tools if "name" in row),
        schema=_schema(data.get("text")),
        chars_in=chars_of([data.get("instructions"), items]),
        max_tokens=data.get("max_output_tokens"),
    )


def _schema(text: Any) -> dict[str, Any] | None:
    format_ = (text.get("format") or {}) if isinstance(text, dict) else {}
    if format_.get("type") == "json_schema":
        return format_.get("schema") or {}
    return {} if format_.get("type") == "json_object" else None


def _response(data: dict[str, Any], serial: int, status: str) -> dict[str, Any]:
    return {
        "id": make_id("resp_", serial),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": data.get("instructions"),
        "max_output_tokens": data.get("max_output_tokens"),
        "metadata": (data.get("metadata") or {}) | {"scripted": FINGERPRINT},
        "model": named(data["model"]),
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": data.get("previous_response_id"),
        "temperature": data.get("temperature", 1.0),
        "text": data.get("text") or {"format": {"type": "text"}},
        "tool_choice": data.get("tool_choice", "auto"),
        "tools": data.get("tools") or [],
        "top_p": data.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(reply: Reply, serial: int, status: str) -> dict[str, Any]:
    """The one output item, empty while `status` is in_progress."""
    done = status != "in_progress"
    if reply.call:
        return {
            "id": make_id("fc_", serial),
            "type": "function_call",
            "status": status,
            "call_id": make_id("call_", serial),
            "name": reply.call.name,
            "arguments": "".join(reply.argument_pieces) if done else "",
        }
    content = [_part(reply.text)] if done else []
    return {
        "id": make_id("msg_", serial),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _finished(data: dict[str, Any], reply: Reply, serial: int) -> dict[str, Any]:
    status = "incomplete" if reply.cut else "completed"
    usage = {
        "input_tokens": reply.tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.tokens_in + reply.tokens_out,
    }
    changes = {"output": [_item(reply, serial, status)], "usage": usage}
    if reply.cut:
        changes["incomplete_details"] = {"reason": "max_output_tokens"}
    return _response(data, serial, status) | changes


def write(data: dict[str, Any], reply: Reply, serial: int) -> Answer:
    if not data.get("stream"):
        return json_body(_finished(data, reply, serial))
    started = _response(data, serial, "in_progress")
    item = _item(reply, serial, "in_progress")
    finished = _finished(data, reply, serial)
    rows: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    rows += _call_rows(reply, item["id"]) if reply.call else _text_rows(reply, item["id"])
    rows += [
        {"type": "response.output_item.done", "output_index": 0, "item": finished["output"][0]},
        {"type": f"response.{finished['status']}", "response": finished},
    ]
    failure = {"type": "error", "code": "server_error", "message": "scripted failure in a stream", "param": None}
    numbered = [row | {"sequence_number": number} for number, row in enumerate(rows)]
    return Events(tuple(named_event(row) for row in numbered), named_event(failure | {"sequence_number": len(rows)}))


def _text_rows(reply: Reply, item_id: str) -> list[dict[str, Any]]:
    where = {"item_id": item_id, "output_index": 0, "content_index": 0}
    kind = "response.output_text"
    return [
        {"type": "response.content_part.added", **where, "part": _part("")},
        *({"type": f"{kind}.delta", **where, "delta": piece, "logprobs": []} for piece in reply.pieces),
        {"type": f"{kind}.done", **where, "text": reply.text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": _part(reply.text)},
    ]


def _call_rows(reply: Reply, item_id: str) -> list[dict[str, Any]]:
    assert reply.call is not None
    where = {"item_id": item_id, "output_index": 0}
    kind = "response.function_call_arguments"
    return [
        *({"type": f"{kind}.delta", **where, "delta": piece} for piece in reply.argument_pieces),
        {"type": f"{kind}.done", **where, "name": reply.call.name, "arguments": "".join(reply.argument_pieces)},
    ]
