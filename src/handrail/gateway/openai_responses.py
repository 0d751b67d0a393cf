"""OpenAI Responses: request, answer and the declared sentence in its form. The stream is `responses_stream`.

Source: platform.openai.com/docs/api-reference/responses, as the official Python client 2.x sends and reads it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import orjson

from handrail.gateway import exact
from handrail.gateway.errors import Form
from handrail.gateway.exact import GONE, Change
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
from handrail.gateway.leaves import arguments, edits, fields, identifier, walk
from handrail.gateway.logprobs import beside
from handrail.gateway.responses_head import ANSWER_HANDLED, NAMED, echoed, filtered, head_of, item_of, joined
from handrail.gateway.responses_stream import ResponsesCodec
from handrail.gateway.sse import event
from handrail.gateway.unread import coded, files, unread, without_bytes
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

HANDLED: Final = frozenset(
    {
        "input", "instructions", "model", "stream", "tools", "user", "safety_identifier", "previous_response_id",
        "conversation",
    }
)  # fmt: skip
IDENTIFIERS: Final = frozenset({"service_tier", "truncation", "tool_choice", "prompt_cache_retention"})
CUSTOMER: Final[tuple[Path, ...]] = (("safety_identifier",), ("user",))

ROLES: Final = {
    "system": (Role.SYSTEM, Channel.SYSTEM),
    "developer": (Role.SYSTEM, Channel.SYSTEM),
    "user": (Role.USER, Channel.USER),
    "assistant": (Role.ASSISTANT, Channel.ASSISTANT),
}
TEXT_PARTS: Final = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""Part type to the field that holds its text. Every other part type is unreadable."""

CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
"""Item type to the field of its arguments."""

RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
OWN_TOOLS: Final = frozenset({"function", "custom", "local_shell", "apply_patch"})
"""Tool types that the client runs itself; every other type is hosted by the provider."""


class ResponsesFace:
    """`POST /v1/responses`."""

    route = "responses"
    path = "/responses"
    speaks = frozenset({Dialect.OPENAI, Dialect.AZURE})
    form = Form.OPENAI
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
            Channel.REFUSAL,
        }
    )
    says: frozenset[Channel] = frozenset(
        {Channel.ASSISTANT, Channel.REASONING, Channel.REFUSAL, Channel.TOOL_ARGUMENTS}
    )
    passed_headers = frozenset({b"openai-beta", b"idempotency-key"})

    def read(self, body: bytes, value: Any, sent: Sent, bounds: Bounds) -> Turn:
        """Raises HandrailError REQUEST_INVALID with the field's place."""
        value = object_of(value, "body")
        references: list[str] = []
        messages: list[Message] = []
        given = value.get("input")
        if isinstance(given, str):
            leaf = (Leaf(Channel.USER, given, ("input",)),) if given else ()
            messages.append(Message(Role.USER, leaf, canonical(Role.USER, [given])))
        elif given is not None or not value.get("prompt"):
            items = list_of(given, "input")
            if len(items) > bounds.messages:
                raise invalid("input", f"at most {bounds.messages} items")
            messages = [_item(item, place, references) for place, item in enumerate(items)]
        prompt: list[Leaf] = []
        walk(value.get("instructions"), ("instructions",), Channel.SYSTEM, prompt)
        tools, schemas, hosted = _tools(value, references)
        follows = _references(value, references)
        customer, customer_paths = customer_of(sent, value, CUSTOMER)
        named = conversation_of(sent, value.get("conversation"), "conversation", value.get("metadata"))
        prompts = [leaf for m in messages if m.role is Role.SYSTEM for leaf in m.leaves]
        return Turn(
            route=self.route,
            body=body,
            model=text_of(value.get("model"), "model"),
            stream=streams(value),
            messages=(
                *messages,
                Message(Role.SYSTEM, tuple(prompt)),
                Message(Role.SYSTEM, tools),
                Message(Role.USER, tuple(rest(value, HANDLED, IDENTIFIERS)), None, unread(value.get("prompt"))),
            ),
            new_from=first_new(messages),
            prompt="\n".join(leaf.text for leaf in [*prompt, *prompts]),
            hosted_tools=hosted,
            references=tuple(references),
            follows=follows,
            schemas=schemas,
            conversation=named,
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
        changes = {**onward(turn, how), **_without_logprobs(turn.value)}
        if how.prompt is not None:
            changes = _with_prompt(turn.value, changes, how.prompt)
        return exact.change(turn.body, changes)

    def answer(self, body: bytes, turn: Turn) -> Answer:
        """Raises HandrailError UPSTREAM_INVALID."""
        try:
            value = exact.said(body)
            messages = [_said(item, ("output", place)) for place, item in enumerate(value["output"])]
            leaves: list[Leaf] = []
            fields(value, (), Channel.ASSISTANT, leaves, but=ANSWER_HANDLED)
            leaves += echoed(value, turn.value, ())
            calls = sum(1 for item in value["output"] if item["type"] in CALLS)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, HandrailError):
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's answer is no response") from None
        if value.get("instructions") is not None:
            body = _own_instructions(body, value, turn)
        if value.get("output_text") and value["output_text"] != joined(value):
            body = exact.change(body, {("output_text",): orjson.dumps(joined(value))})
        if leaves:
            messages.append(Message(Role.ASSISTANT, tuple(leaves)))
        usage = value.get("usage")
        name = value.get("id")
        return Answer(
            body=body,
            messages=tuple(messages),
            usage=Usage(count(usage, "input_tokens"), count(usage, "output_tokens"), made_by(value)),
            tool_calls=calls,
            calls=tuple([_asked(item) for item in value["output"] if item["type"] == "function_call"]) if calls else (),
            reference=f"response:{name}" if isinstance(name, str) else "",
        )

    def rewritten(self, answer: Answer, changes: Mapping[Leaf, str]) -> bytes:
        """Texts in place, `output_text` made of them anew; logprobs of a part that changed, or that say what must not
        pass, are dropped."""
        done = edits(changes, answer.body)
        value = orjson.loads(answer.body)
        for leaf in changes:
            if len(leaf.path) == 5 and leaf.path[2] == "content" and leaf.path[4] in ("text", "logprobs"):
                part = value["output"][leaf.path[1]]["content"][leaf.path[3]]
                if "logprobs" in part:
                    done[(*leaf.path[:-1], "logprobs")] = b"[]"
        body = exact.change(answer.body, done)
        if changes and value.get("output_text"):
            body = exact.change(body, {("output_text",): orjson.dumps(joined(orjson.loads(body)))})
        return body

    def sentence(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """Status `incomplete`, reason `content_filter`, the sentence as the output."""
        return orjson.dumps(
            filtered(head_of(turn.model, f"resp_{ids.interaction}", now_s), [item_of(f"msg_{ids.interaction}", text)])
        )

    def sentence_stream(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """Every event from `response.created` to `response.incomplete`."""
        head = head_of(turn.model, f"resp_{ids.interaction}", now_s)
        name = f"msg_{ids.interaction}"
        item = item_of(name, text)
        at = {"item_id": name, "output_index": 0, "content_index": 0}
        part = item["content"][0]
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}},
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**item, "status": "in_progress", "content": []},
            },
            {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []},
            {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **at, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.incomplete", "response": filtered(head, [item])},
        ]
        return b"".join(
            event(orjson.dumps({**each, "sequence_number": place}), each["type"].encode())
            for place, each in enumerate(events)
        )

    def codec(self, turn: Turn) -> ResponsesCodec:
        return ResponsesCodec(turn)

    def said(self, texts: Iterable[str]) -> tuple[bytes, ...]:
        return (canonical(Role.ASSISTANT, texts),)


def _item(item: Any, place: int, references: list[str]) -> Message:
    where = f"input[{place}]"
    item = object_of(item, where)
    at: Path = ("input", place)
    kind = text_of(item.get("type", "message"), f"{where}.type")
    files(item, references)
    if kind == "message":
        return _message(item, at, where)
    leaves: list[Leaf] = []
    if kind in CALLS:
        return _call(item, at, CALLS[kind])
    if kind in RESULTS:
        unreadable: list[str] = []
        said: list[str] = []
        output = item.get("output")
        if isinstance(output, list):
            _parts(output, (*at, "output"), Channel.TOOL_RESULT, leaves, unreadable, said)
        else:
            unreadable += unread(output)
            walk(output, (*at, "output"), Channel.TOOL_RESULT, leaves)
            said.append(output if isinstance(output, str) else orjson.dumps(output).decode())
        _others(item, at, Channel.TOOL_RESULT, leaves, frozenset({"output"}))
        return Message(Role.TOOL, tuple(leaves), canonical(Role.TOOL, said), tuple(unreadable))
    if kind == "item_reference":
        references.append(f"item:{item.get('id')}")
        _others(item, at, Channel.OTHER, leaves, frozenset())
        return Message(Role.ASSISTANT, tuple(leaves))
    if kind == "reasoning":
        walk(item, at, Channel.REASONING, leaves)
        return Message(Role.ASSISTANT, tuple(leaves))
    _hosted(item, at, Channel.TOOL_RESULT, leaves)
    known = kind.endswith(("_call", "_call_output", "_list_tools", "_request", "_response"))
    return Message(Role.ASSISTANT, tuple(leaves), None, unread(item) if known else ("unknown", *unread(item)))


def _hosted(item: dict[str, Any], at: Path, channel: Channel, leaves: list[Leaf]) -> None:
    """Calls of hosted tools and what they returned."""
    for name, part in without_bytes(item).items():
        if name == "arguments" and isinstance(part, str):
            arguments(part, (*at, name), "", leaves)
        elif not coded(name, part):
            fields({name: part}, at, channel, leaves)


def _message(item: dict[str, Any], at: Path, where: str) -> Message:
    role = item.get("role")
    named = ROLES.get(role) if isinstance(role, str) else None
    if named is None:
        raise invalid(f"{where}.role", "one of " + ", ".join(ROLES))
    leaves: list[Leaf] = []
    unreadable: list[str] = []
    said: list[str] = []
    content = item.get("content")
    if isinstance(content, str):
        if content:
            leaves.append(Leaf(named[1], content, (*at, "content")))
            said.append(content)
    else:
        parts = list_of(content, f"{where}.content")
        _parts(parts, (*at, "content"), named[1], leaves, unreadable, said)
    _others(item, at, named[1], leaves, frozenset({"role", "content"}))
    history = None if named[0] is Role.SYSTEM else canonical(named[0], said)
    return Message(named[0], tuple(leaves), history, tuple(unreadable))


def _parts(
    parts: list[Any],
    at: Path,
    channel: Channel,
    leaves: list[Leaf],
    unreadable: list[str],
    said: list[str],
) -> None:
    for place, part in enumerate(parts):
        part = object_of(part, ".".join(map(str, (*at, place))))
        kind = text_of(part.get("type"), ".".join(map(str, (*at, place, "type"))))
        slot = TEXT_PARTS.get(kind)
        text = part.get(slot) if slot else None
        if isinstance(text, str):
            said.append(text)
            unreadable += unread(part)
        else:
            unreadable.append(kind if identifier(kind) else "unknown")
        read = {name: each for name, each in part.items() if name != "logprobs"} if kind == "output_text" else part
        walk(read, (*at, place), Channel.REFUSAL if slot == "refusal" else channel, leaves)


def _asked(item: dict[str, Any]) -> ModelCall:
    return ModelCall(str(item.get("name")), str(item.get("arguments") or ""))


def _call(item: dict[str, Any], at: Path, slot: str) -> Message:
    leaves: list[Leaf] = []
    tool = str(item.get("name") or "")
    text = text_of(item.get(slot, ""), ".".join(map(str, (*at, slot))))
    arguments(text, (*at, slot), tool, leaves)
    _others(item, at, Channel.TOOL_ARGUMENTS, leaves, frozenset({slot}))
    return Message(Role.ASSISTANT, tuple(leaves), canonical(Role.ASSISTANT, [call_text(tool, text)]))


def _others(item: dict[str, Any], at: Path, channel: Channel, leaves: list[Leaf], read: frozenset[str]) -> None:
    fields(item, at, channel, leaves, but=read, safe=NAMED)


def _said(item: dict[str, Any], at: Path) -> Message:
    """One item of an answer."""
    kind = item["type"]
    if kind == "message":
        said = _message(item, at, "output")
        return msgspec.structs.replace(said, leaves=(*said.leaves, *_tokens(item, at)))
    if kind in CALLS:
        return _call(item, at, CALLS[kind])
    leaves: list[Leaf] = []
    _hosted(item, at, Channel.REASONING if kind == "reasoning" else Channel.ASSISTANT, leaves)
    return Message(Role.ASSISTANT, tuple(leaves), None, unread(item))


def _tokens(item: dict[str, Any], at: Path) -> list[Leaf]:
    """What log probabilities say besides the texts of the item."""
    parts = item["content"] if isinstance(item["content"], list) else []
    told = [
        (place, beside(part["logprobs"], part.get("text") or ""))
        for place, part in enumerate(parts)
        if part["type"] == "output_text" and part.get("logprobs")
    ]
    return [Leaf(Channel.ASSISTANT, more, (*at, "content", place, "logprobs")) for place, more in told if more]


def _tools(
    body: Mapping[str, Any], references: list[str]
) -> tuple[tuple[Leaf, ...], dict[str, object], tuple[str, ...]]:
    """Texts of tool definitions, argument schemas by name, and the types of hosted tools."""
    leaves: list[Leaf] = []
    schemas: dict[str, object] = {}
    hosted: list[str] = []
    tools = body.get("tools")
    if tools is None:
        return (), {}, ()
    for place, tool in enumerate(list_of(tools, "tools")):
        tool = object_of(tool, f"tools[{place}]")
        kind = str(tool.get("type"))
        if kind not in OWN_TOOLS:
            hosted.append(kind)
            files(tool, references)
        stores = tool.get("vector_store_ids")
        references += [f"vector_store:{name}" for name in stores] if isinstance(stores, list) else []
        container = tool.get("container")
        references += [f"container:{container}"] if isinstance(container, str) else []
        schemas[str(tool.get("name"))] = tool.get("parameters")
    walk(tools, ("tools",), Channel.TOOL_DEFINITION, leaves)
    return tuple(leaves), schemas, tuple(hosted)


def _references(body: Mapping[str, Any], references: list[str]) -> str:
    """Adds what the request leans on at the provider; returns the answer or conversation that it continues. Raises
    REQUEST_INVALID for a conversation that says more than its id."""
    follows = ""
    held = body.get("conversation")
    if isinstance(held, dict) and not held.keys() <= {"id"}:
        raise invalid("conversation", "an id, or an object with no field but id")
    name = held.get("id") if isinstance(held, dict) else held
    if name:
        follows = f"conversation:{name}"
        references.append(follows)
    if body.get("previous_response_id"):
        follows = f"response:{body['previous_response_id']}"
        references.append(follows)
    prompt = body.get("prompt")
    if isinstance(prompt, dict) and prompt.get("id"):
        references.append(f"prompt:{prompt['id']}")
    files(prompt, references)
    return follows


def _with_prompt(value: dict[str, Any], changes: dict[exact.Path, Change], prompt: str) -> dict[exact.Path, Change]:
    """Our prompt as `instructions`; the client's, and its system and developer items, gone."""
    given = value.get("input")
    items = given if isinstance(given, list) else []
    gone = {place for place, item in enumerate(items) if item.get("role") in ("system", "developer")}
    kept = {
        path: new
        for path, new in changes.items()
        if path[0] != "instructions" and not (path[0] == "input" and len(path) > 1 and path[1] in gone)
    }
    kept.update((("input", place), GONE) for place in gone)
    kept["instructions",] = orjson.dumps(prompt)
    return kept


def _own_instructions(body: bytes, value: dict[str, Any], turn: Turn) -> bytes:
    """The client sees the instructions it sent, never ours."""
    sent = turn.value.get("instructions")
    if value["instructions"] == sent:
        return body
    return exact.change(body, {("instructions",): orjson.dumps(sent)})


def _without_logprobs(body: Mapping[str, Any]) -> dict[exact.Path, Change]:
    """Log probabilities in the history repeat texts token by token, and nobody needs them there: they do not go on."""
    given = body.get("input")
    return {
        ("input", place, slot, index, "logprobs"): GONE
        for place, item in enumerate(given if isinstance(given, list) else ())
        for slot in ("content", "output")
        for index, part in enumerate(item[slot] if isinstance(item.get(slot), list) else ())
        if part.get("type") == "output_text" and part.get("logprobs")
    }
