"""Anthropic Messages: request, answer and the declared sentence in its form. The stream is `anthropic_stream`.

Source: docs.anthropic.com/en/api/messages, as the official Python client sends and reads it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from handrail.gateway import exact
from handrail.gateway.anthropic_stream import CALLS, NAMED, OPAQUE, RESULTS, AnthropicCodec
from handrail.gateway.errors import Form
from handrail.gateway.fields import (
    Bounds,
    Sent,
    call_text,
    conversation_of,
    count,
    customer_of,
    first_new,
    invalid,
    list_of,
    made_by,
    object_of,
    onward,
    rest,
    streams,
    text_of,
)
from handrail.gateway.leaves import edits, fields, identifier, walk
from handrail.gateway.sse import event
from handrail.gateway.unread import files, unread
from handrail.guard.turn import (
    Answer,
    Channel,
    Leaf,
    Message,
    ModelCall,
    Path,
    ReplyIds,
    Turn,
    Upstream,
    Usage,
    canonical,
)
from handrail.policy.ruleset import Dialect
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

HANDLED: Final = frozenset({"messages", "system", "model", "stream", "tools"})
IDENTIFIERS: Final = frozenset({"service_tier", "inference_geo"})
CUSTOMER: Final[tuple[Path, ...]] = (("metadata", "user_id"),)

ROLES: Final = {"user": (Role.USER, Channel.USER), "assistant": (Role.ASSISTANT, Channel.ASSISTANT)}

OWN_TOOLS: Final = frozenset({"custom"})
CLIENT_RUN: Final = ("bash_", "text_editor_", "computer_", "memory_")
"""Beginnings of the types of tools that Anthropic defines and the client runs."""

ANSWER_HANDLED: Final = frozenset({"content"})


class AnthropicFace:
    """`POST /v1/messages`."""

    route = "messages"
    path = "/messages"
    speaks = frozenset({Dialect.ANTHROPIC})
    form = Form.ANTHROPIC
    reads: frozenset[Channel] = frozenset(
        {
            Channel.SYSTEM,
            Channel.USER,
            Channel.ASSISTANT,
            Channel.REASONING,
            Channel.TOOL_ARGUMENTS,
            Channel.TOOL_RESULT,
            Channel.TOOL_DEFINITION,
            Channel.OTHER,
            Channel.DOCUMENT,
        }
    )
    says: frozenset[Channel] = frozenset({Channel.ASSISTANT, Channel.REASONING, Channel.TOOL_ARGUMENTS})
    passed_headers = frozenset({b"anthropic-version", b"anthropic-beta", b"idempotency-key"})

    def read(self, body: bytes, value: Any, sent: Sent, bounds: Bounds) -> Turn:
        """Raises HandrailError REQUEST_INVALID with the field's place."""
        value = object_of(value, "body")
        given = list_of(value.get("messages"), "messages")
        if not given or len(given) > bounds.messages:
            raise invalid("messages", f"1 to {bounds.messages} messages")
        references: list[str] = []
        messages = [_message(item, place, references) for place, item in enumerate(given)]
        system: list[Leaf] = []
        walk(value.get("system"), ("system",), Channel.SYSTEM, system)
        tools, schemas, hosted = _tools(value)
        if value.get("mcp_servers"):
            hosted = (*hosted, "mcp")
        held = value.get("container")
        name = held.get("id") if isinstance(held, dict) else held
        if name:
            references.append(f"container:{name}")
        customer, customer_paths = customer_of(sent, value, CUSTOMER)
        others = [leaf for leaf in rest(value, HANDLED, IDENTIFIERS) if leaf.path not in customer_paths]
        return Turn(
            route=self.route,
            body=body,
            model=text_of(value.get("model"), "model"),
            stream=streams(value),
            messages=(
                *messages,
                Message(Role.SYSTEM, tuple(system)),
                Message(Role.SYSTEM, tools),
                Message(Role.USER, tuple(others)),
            ),
            new_from=first_new(messages),
            prompt="\n".join(leaf.text for leaf in system),
            hosted_tools=hosted,
            references=tuple(references),
            schemas=schemas,
            conversation=conversation_of(sent, None, "", value.get("metadata")),
            customer=customer,
            customer_paths=customer_paths,
            trace=sent.trace,
            channel=sent.channel,
            region=sent.region,
            extra_headers=sent.extra_headers,
            value=value,
        )

    def upstream(self, turn: Turn, how: Upstream) -> bytes:
        """The body for the provider."""
        changes = onward(turn, how)
        if how.prompt is not None:
            changes = {path: new for path, new in changes.items() if path[0] != "system"}
            changes["system",] = orjson.dumps(how.prompt)
        return exact.change(turn.body, changes)

    def answer(self, body: bytes, turn: Turn) -> Answer:
        """Raises HandrailError UPSTREAM_INVALID."""
        try:
            value = exact.said(body)
            leaves: list[Leaf] = []
            said: list[str] = []
            unreadable: list[str] = []
            calls = 0
            for place, block in enumerate(value["content"]):
                calls += block["type"] in CALLS
                _block(block, ("content", place), Channel.ASSISTANT, leaves, unreadable, said, [])
            named = turn.value.get("stop_sequences")
            stopped = isinstance(named, list) and value.get("stop_sequence") in named  # as the client says it
            fields(
                value, (), Channel.ASSISTANT, leaves, but=ANSWER_HANDLED | {"stop_sequence" if stopped else "content"}
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, HandrailError):
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's answer is no message") from None
        usage = value.get("usage")
        return Answer(
            body=body,
            messages=(Message(Role.ASSISTANT, tuple(leaves), canonical(Role.ASSISTANT, said), tuple(unreadable)),),
            usage=Usage(count(usage, "input_tokens"), count(usage, "output_tokens"), made_by(value)),
            tool_calls=calls,
            calls=tuple([_asked(block) for block in value["content"] if block["type"] == "tool_use"]) if calls else (),
        )

    def rewritten(self, answer: Answer, changes: Mapping[Leaf, str]) -> bytes:
        return exact.change(answer.body, edits(changes, answer.body))

    def sentence(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """One text block with stop_reason `refusal`."""
        return orjson.dumps(
            {**_empty(turn, ids), "content": [{"type": "text", "text": text}], "stop_reason": "refusal"}
        )

    def sentence_stream(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """Every event from `message_start` to `message_stop`."""
        ends = {"stop_reason": "refusal", "stop_sequence": None}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": _empty(turn, ids)},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ends, "usage": {"output_tokens": 0}},
            {"type": "message_stop"},
        ]
        return b"".join(event(orjson.dumps(each), each["type"].encode()) for each in events)

    def codec(self, turn: Turn) -> AnthropicCodec:
        return AnthropicCodec(turn)

    def said(self, texts: Iterable[str]) -> tuple[bytes, ...]:
        return (canonical(Role.ASSISTANT, texts),)


def _empty(turn: Turn, ids: ReplyIds) -> dict[str, Any]:
    return {
        "id": f"msg_{ids.interaction}",
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _message(item: Any, place: int, references: list[str]) -> Message:
    where = f"messages[{place}]"
    item = object_of(item, where)
    role = item.get("role")
    named = ROLES.get(role) if isinstance(role, str) else None
    if named is None:
        raise invalid(f"{where}.role", "one of " + ", ".join(ROLES))
    at: Path = ("messages", place)
    leaves: list[Leaf] = []
    unreadable: list[str] = []
    said: list[str] = []
    content = item.get("content")
    if isinstance(content, str):
        if content:
            leaves.append(Leaf(named[1], content, (*at, "content")))
            said.append(content)
    else:
        for index, block in enumerate(list_of(content, f"{where}.content")):
            path = (*at, "content", index)
            _block(object_of(block, ".".join(map(str, path))), path, named[1], leaves, unreadable, said, references)
    fields(item, at, named[1], leaves, but=("role", "content"))
    return Message(named[0], tuple(leaves), canonical(named[0], said), tuple(unreadable))


def _block(
    block: dict[str, Any],
    at: Path,
    channel: Channel,
    leaves: list[Leaf],
    unreadable: list[str],
    said: list[str],
    references: list[str],
) -> None:
    """One content block: its texts, and what stands for it in the history. A block of no known type is unreadable."""
    kind = text_of(block.get("type"), ".".join(map(str, (*at, "type"))))
    if kind == "text":
        said.append(text_of(block.get("text"), ".".join(map(str, (*at, "text")))))
        walk(block, at, channel, leaves)
    elif kind in CALLS:
        _call(block, at, leaves, said)
    elif kind in RESULTS:
        _result(block, at, leaves, unreadable, said, references)
    elif kind == "document":
        _document(block, at, leaves, unreadable, references)
    elif kind == "search_result":
        walk(block, at, Channel.DOCUMENT, leaves)
    elif kind == "thinking":
        walk(block, at, Channel.REASONING, leaves)
    elif kind not in OPAQUE:
        unreadable.append(kind if identifier(kind) else "unknown")
        files(block, references)
        walk(block, at, channel, leaves)
    else:
        walk(block, at, Channel.REASONING, leaves)


def _asked(block: dict[str, Any]) -> ModelCall:
    return ModelCall(str(block.get("name")), orjson.dumps(block.get("input")).decode())


def _call(block: dict[str, Any], at: Path, leaves: list[Leaf], said: list[str]) -> None:
    tool = str(block.get("name") or "")
    given = block.get("input")
    said.append(call_text(tool, orjson.dumps(given).decode()))
    walk(given, (*at, "input"), Channel.TOOL_ARGUMENTS, leaves, tool=tool)
    fields(block, at, Channel.TOOL_ARGUMENTS, leaves, but=("input",), tool=tool, safe=NAMED)


def _result(
    block: dict[str, Any], at: Path, leaves: list[Leaf], unreadable: list[str], said: list[str], references: list[str]
) -> None:
    content = block.get("content")
    if isinstance(content, list):
        for index, part in enumerate(content):
            path = (*at, "content", index)
            part = object_of(part, ".".join(map(str, path)))
            if part.get("type") in ("image", "document", "search_result"):
                _block(part, path, Channel.TOOL_RESULT, leaves, unreadable, said, references)
            else:
                said.append(str(part.get("text") or ""))
                unreadable += unread(part)
                walk(part, path, Channel.TOOL_RESULT, leaves)
    else:
        said.append(content if isinstance(content, str) else orjson.dumps(content).decode())
        unreadable += unread(content)
        walk(content, (*at, "content"), Channel.TOOL_RESULT, leaves)
    fields(block, at, Channel.TOOL_RESULT, leaves, but=("content",))


def _document(
    block: dict[str, Any], at: Path, leaves: list[Leaf], unreadable: list[str], references: list[str]
) -> None:
    """A plain-text document is read; any other source is not readable, and its texts are read all the same."""
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == "text" and isinstance(source.get("data"), str):
        leaves.append(Leaf(Channel.DOCUMENT, source["data"], (*at, "source", "data")))
    else:
        if not (
            isinstance(source, dict) and source.get("type") == "content" and isinstance(source.get("content"), str)
        ):
            unreadable.append("document")
        files(source, references)
        walk(source, (*at, "source"), Channel.DOCUMENT, leaves)
    fields(block, at, Channel.DOCUMENT, leaves, but=("source", "type"))


def _tools(body: Mapping[str, Any]) -> tuple[tuple[Leaf, ...], dict[str, object], tuple[str, ...]]:
    """Texts of tool definitions, argument schemas by name, and the types of hosted tools."""
    leaves: list[Leaf] = []
    schemas: dict[str, object] = {}
    hosted: list[str] = []
    tools = body.get("tools")
    if tools is None:
        return (), {}, ()
    for place, tool in enumerate(list_of(tools, "tools")):
        tool = object_of(tool, f"tools[{place}]")
        kind = str(tool.get("type") or "custom")
        if kind not in OWN_TOOLS and not kind.startswith(CLIENT_RUN):
            hosted.append(kind)
        schemas[str(tool.get("name"))] = tool.get("input_schema")
    walk(tools, ("tools",), Channel.TOOL_DEFINITION, leaves)
    return tuple(leaves), schemas, tuple(hosted)
