"""What providers send in the other dialects: whole answers and event streams, cut into any deltas."""

from collections.abc import Sequence
from typing import Any

import orjson


def events(values: Sequence[dict[str, Any]]) -> list[bytes]:
    """Named events."""
    return [b"event: " + value["type"].encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n" for value in values]


def message(text: str, **more: Any) -> bytes:
    """An Anthropic message."""
    return orjson.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 12, "output_tokens": 7},
            **more,
        }
    )


def message_stream(deltas: Sequence[str], *, tool: tuple[str, Sequence[str]] | None = None) -> list[bytes]:
    """An Anthropic stream: a text block, and a tool call with its arguments in pieces."""
    empty = orjson.loads(message(""))
    values: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**empty, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    values += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": delta}} for delta in deltas
    ]
    values.append({"type": "content_block_stop", "index": 0})
    if tool is not None:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool[0], "input": {}}
        values.append({"type": "content_block_start", "index": 1, "content_block": block})
        values += [
            {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in tool[1]
        ]
        values.append({"type": "content_block_stop", "index": 1})
    ends = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    values.append({"type": "message_delta", "delta": ends, "usage": {"output_tokens": 7}})
    values.append({"type": "message_stop"})
    return events(values)


def response(output: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An OpenAI response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o-mini",
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 19,
        },
        **more,
    }


def output_message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def function_call(name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": name,
        "arguments": arguments,
    }


def response_stream(deltas: Sequence[str], *, tool: tuple[str, Sequence[str]] | None = None) -> list[bytes]:
    """An OpenAI Responses stream: a message, and a function call with its arguments in pieces."""
    text = "".join(deltas)
    item = output_message(text)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    values: list[dict[str, Any]] = [
        {"type": "response.created", "response": response([], status="in_progress", usage=None)},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**item["content"][0], "text": ""}},
    ]
    values += [{"type": "response.output_text.delta", **at, "delta": delta, "logprobs": []} for delta in deltas]
    values += [
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": item["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    output = [item]
    if tool is not None:
        call = function_call(tool[0], "".join(tool[1]))
        place = {"item_id": "fc_1", "output_index": 1}
        values.append(
            {
                "type": "response.output_item.added",
                "output_index": 1,
                "item": {**call, "arguments": "", "status": "in_progress"},
            }
        )
        values += [{"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in tool[1]]
        values.append(
            {"type": "response.function_call_arguments.done", **place, "name": tool[0], "arguments": call["arguments"]}
        )
        values.append({"type": "response.output_item.done", "output_index": 1, "item": call})
        output.append(call)
    values.append({"type": "response.completed", "response": response(output)})
    return events([{**value, "sequence_number": place} for place, value in enumerate(values)])


def embedding() -> bytes:
    return (
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.25,0.5]}],'
        b'"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}'
    )
