"""The dialects in which a trial may speak: one conversation as OpenAI chat messages, what it looks like to each API,
and what came back, whole or as events, as one answer; pure.

A stream is read as a client sees it: the deltas, in order, until the dialect's own end. One that breaks off before it,
or that carries an error, is an answer that did not come.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from handrail.home.fields_trials import Dialect

TOLD = ": x-handrail-probe "
"""The comment in which the end of a probe's stream says what its head could not know yet."""
MAX_TOKENS = 4_096
"""The Messages API asks for one; a release's parameters may set another."""

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool call as the model asked for it. `arguments`: JSON as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """`vendor`: what the provider says of itself. `error`: why this is no answer; empty: it is one."""

    text: str = ""
    wishes: tuple[Wish, ...] = ()
    vendor: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """One dialect. `body`: model, messages, tools offered. `whole`, `events`: what came."""

    path: str
    body: Callable[[str, Messages, Messages], dict[str, Any]]
    whole: Callable[[Any], Came]
    events: Callable[[Sequence[Any]], Came]


def read(speech: Speech, body: Any) -> Came:
    """`body`: decoded JSON, or the text of a stream. Whatever has not the dialect's form is an error, never raised."""
    try:
        if isinstance(body, str):
            return speech.events([orjson.loads(data) for data in _data(body)])
        return speech.whole(body)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError):
        return Came(error="the answer does not have the form of its API")


def told_at_end(body: Any) -> str:
    """What the comment at the end of a stream says, as JSON; empty: there is none."""
    if not isinstance(body, str):
        return ""
    at = body.rfind(TOLD)
    return body[at + len(TOLD) :].partition("\n")[0] if at >= 0 and (at == 0 or body[at - 1] == "\n") else ""


def _data(text: str) -> Iterator[str]:
    """The data of each event; the chat API's end is no JSON and stands as null."""
    for event in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        if lines:
            data = "\n".join(lines)
            yield "null" if data == "[DONE]" else data


# OpenAI chat completions


def _chat_body(model: str, messages: Messages, tools: Messages) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": list(messages)}
    if tools:
        body["tools"] = list(tools)
    return body


def _chat_whole(body: Any) -> Came:
    message = body["choices"][0]["message"]
    wishes = [
        Wish(one.get("id") or "", one["function"]["name"], one["function"].get("arguments") or "{}")
        for one in message.get("tool_calls") or []
    ]
    said = message.get("content") or message.get("refusal") or ""
    return Came(text=_text(said), wishes=tuple(wishes), vendor=_vendor(body))


def _chat_events(events: Sequence[Any]) -> Came:
    said: list[str] = []
    wishes: dict[int, list[str]] = {}
    vendor = ""
    for one in events:
        if one is None:
            return Came(text="".join(said), wishes=_grown(wishes), vendor=vendor)
        if "error" in one:
            return _broken(one["error"])
        vendor = _vendor(one) or vendor
        for choice in one.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            said.append(delta.get("content") or delta.get("refusal") or "")
            for call in delta.get("tool_calls") or []:
                known = wishes.setdefault(call.get("index", 0), ["", "", ""])
                function = call.get("function") or {}
                known[0] = call.get("id") or known[0]
                known[1] = function.get("name") or known[1]
                known[2] += function.get("arguments") or ""
    return _cut_off()


# OpenAI responses


def _responses_body(model: str, messages: Messages, tools: Messages) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "input": [], "store": False}
    for one in messages:
        if one["role"] == "system":
            body["instructions"] = one["content"]
        elif one["role"] == "tool":
            body["input"].append(
                {"type": "function_call_output", "call_id": one["tool_call_id"], "output": one["content"]}
            )
        else:
            if one["content"] or not one.get("tool_calls"):
                body["input"].append({"role": one["role"], "content": one["content"]})
            body["input"] += [
                {"type": "function_call", "call_id": call["id"], **_function(call)}
                for call in one.get("tool_calls", ())
            ]
    if tools:
        body["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
    return body


def _function(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: call["function"][name] for name in ("name", "arguments")}


def _responses_whole(body: Any) -> Came:
    if body.get("status") == "failed":
        return _broken(body.get("error"))
    said: list[str] = []
    wishes: list[Wish] = []
    for item in body["output"]:
        if item["type"] == "function_call":
            wishes.append(Wish(item["call_id"], item["name"], item.get("arguments") or "{}"))
        elif item["type"] == "message":
            said += [part.get("text") or part.get("refusal") or "" for part in item["content"]]
    return Came(text="".join(map(_text, said)), wishes=tuple(wishes), vendor=_vendor(body))


def _responses_events(events: Sequence[Any]) -> Came:
    said: list[str] = []
    wishes: dict[int, list[str]] = {}
    for one in events:
        kind = one["type"]
        if kind == "error":
            return _broken(one)
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            said.append(one["delta"])
        elif kind == "response.output_item.added" and one["item"]["type"] == "function_call":
            wishes[one["output_index"]] = [one["item"]["call_id"], one["item"]["name"], ""]
        elif kind == "response.function_call_arguments.delta":
            wishes[one["output_index"]][2] += one["delta"]
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            whole = _responses_whole(one["response"])
            text = "".join(said)
            if whole.text not in text:  # a sentence in place of an answer stands in the last event alone
                text = f"{text}\n{whole.text}".strip()
            return Came(text=text, wishes=_grown(wishes), vendor=whole.vendor, error=whole.error)
    return _cut_off()


# Anthropic messages


def _messages_body(model: str, messages: Messages, tools: Messages) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS, "messages": []}
    rows: list[dict[str, Any]] = body["messages"]
    for one in messages:
        if one["role"] == "system":
            body["system"] = one["content"]
        elif one["role"] == "tool":
            result = {"type": "tool_result", "tool_use_id": one["tool_call_id"], "content": one["content"]}
            if rows and rows[-1]["role"] == "user" and isinstance(rows[-1]["content"], list):
                rows[-1]["content"].append(result)
            else:
                rows.append({"role": "user", "content": [result]})
        elif one.get("tool_calls"):
            blocks = [{"type": "text", "text": one["content"]}] if one["content"] else []
            blocks += [_used(call) for call in one["tool_calls"]]
            rows.append({"role": "assistant", "content": blocks})
        elif one["content"]:  # the API takes no empty text
            rows.append({"role": one["role"], "content": one["content"]})
    if tools:
        body["tools"] = [_offered(tool["function"]) for tool in tools]
    return body


def _used(call: Mapping[str, Any]) -> dict[str, Any]:
    given = orjson.loads(call["function"]["arguments"] or "{}")
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": given}


def _offered(function: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": function["description"]} if "description" in function else {}
    return {"name": function["name"], **described, "input_schema": {"type": "object", **function["parameters"]}}


def _messages_whole(body: Any) -> Came:
    said = [block.get("text") or "" for block in body["content"] if block["type"] == "text"]
    wishes = [
        Wish(block["id"], block["name"], orjson.dumps(block.get("input") or {}).decode())
        for block in body["content"]
        if block["type"] == "tool_use"
    ]
    return Came(text="".join(map(_text, said)), wishes=tuple(wishes), vendor=_vendor(body))


def _messages_events(events: Sequence[Any]) -> Came:
    said: list[str] = []
    wishes: dict[int, list[str]] = {}
    vendor = ""
    for one in events:
        kind = one["type"]
        if kind == "error":
            return _broken(one["error"])
        if kind == "message_start":
            vendor = _vendor(one["message"])
        elif kind == "content_block_start" and one["content_block"]["type"] == "tool_use":
            wishes[one["index"]] = [one["content_block"]["id"], one["content_block"]["name"], ""]
        elif kind == "content_block_delta":
            delta = one["delta"]
            if delta["type"] == "text_delta":
                said.append(delta["text"])
            elif delta["type"] == "input_json_delta":
                wishes[one["index"]][2] += delta["partial_json"]
        elif kind == "message_stop":
            return Came(text="".join(said), wishes=_grown(wishes), vendor=vendor)
    return _cut_off()


def _grown(wishes: Mapping[int, list[str]]) -> tuple[Wish, ...]:
    return tuple(Wish(id_, name, text or "{}") for _, (id_, name, text) in sorted(wishes.items()))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _vendor(body: Any) -> str:
    return " ".join(one for one in (body.get("model"), body.get("system_fingerprint")) if isinstance(one, str) and one)


def _broken(error: Any) -> Came:
    said = error.get("message") if isinstance(error, dict) else ""
    return Came(error=f"the answer ended in an error: {said or 'without a word'}")


def _cut_off() -> Came:
    return Came(error="the stream broke off before its end")


SPEECH: Mapping[Dialect, Speech] = {
    Dialect.CHAT: Speech("/v1/chat/completions", _chat_body, _chat_whole, _chat_events),
    Dialect.RESPONSES: Speech("/v1/responses", _responses_body, _responses_whole, _responses_events),
    Dialect.MESSAGES: Speech("/v1/messages", _messages_body, _messages_whole, _messages_events),
}
