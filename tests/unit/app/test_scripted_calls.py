"""The scripted model makes one call after another, each once its predecessor's result is there, in every dialect."""

import json
from typing import Any

import pytest

from handrail.app.scripted_model import anthropic_messages, openai_chat, openai_responses
from handrail.app.scripted_model.script import Line, Script, ToolCall, reply

LINE = Line(
    id="two",
    any=("pay it back",),
    tool_call=ToolCall("look", {"order": "1"}),
    then=(ToolCall("refund", {"order": "1"}),),
    text="I was told: {result}",
)
SCRIPT = Script(replies=(LINE,), fallback=Line(id="none", text="-"))


def chat(results: list[str]) -> Any:
    rows: list[dict[str, Any]] = [{"role": "user", "content": "x"}, {"role": "tool", "content": "of an earlier turn"}]
    rows.append({"role": "user", "content": "Pay it back"})
    for text in results:
        rows += [{"role": "assistant", "content": None}, {"role": "tool", "tool_call_id": "c", "content": text}]
    tools = [{"type": "function", "function": {"name": name}} for name in ("look", "refund")]
    return openai_chat.read({"model": "scripted-1", "messages": rows, "tools": tools})


def responses(results: list[str]) -> Any:
    rows: list[dict[str, Any]] = [{"role": "user", "content": "Pay it back"}]
    for text in results:
        rows += [{"type": "function_call"}, {"type": "function_call_output", "output": text}]
    tools = [{"type": "function", "name": name} for name in ("look", "refund")]
    return openai_responses.read({"model": "scripted-1", "input": rows, "tools": tools})


def messages(results: list[str]) -> Any:
    rows: list[dict[str, Any]] = [{"role": "user", "content": "Pay it back"}]
    for text in results:
        result = [{"type": "tool_result", "tool_use_id": "t", "content": text}]
        rows += [{"role": "assistant", "content": []}, {"role": "user", "content": result}]
    tools = [{"name": name, "input_schema": {}} for name in ("look", "refund")]
    return anthropic_messages.read({"model": "scripted-1", "max_tokens": 9, "messages": rows, "tools": tools})


@pytest.mark.parametrize("read", [chat, responses, messages])
def test_calls_follow_each_other_and_the_text_holds_the_last_result(read: Any) -> None:
    assert reply(SCRIPT, read([]), turn=0).call == LINE.tool_call
    assert reply(SCRIPT, read(["an order"]), turn=0).call == LINE.then[0]
    assert reply(SCRIPT, read(["an order", json.dumps({"id": "rf_1"})]), turn=0).text == 'I was told: {"id": "rf_1"}'
