"""OpenAI Chat Completions: request, answer and the declared sentence in its form. The stream is `chat_stream`.

Source: platform.openai.com/docs/api-reference/chat, as the official Python client 2.x sends and reads it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from handrail.gateway import exact
from handrail.gateway.chat_stream import SPOKEN, ChatCodec
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
from handrail.gateway.leaves import arguments, edits, fields, identifier, media, walk
from handrail.gateway.logprobs import of_choice
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

HANDLED: Final = frozenset({"messages", "model", "stream", "tools", "functions", "user", "safety_identifier"})
"""Fields this file reads itself; every text in any other field is screened as channel `other`."""

IDENTIFIERS: Final = frozenset(
    {"reasoning_effort", "service_tier", "tool_choice", "function_call", "verbosity", "prompt_cache_retention"}
)

ROLES: Final = {
    "system": (Role.SYSTEM, Channel.SYSTEM),
    "developer": (Role.SYSTEM, Channel.SYSTEM),
    "user": (Role.USER, Channel.USER),
    "assistant": (Role.ASSISTANT, Channel.ASSISTANT),
    "tool": (Role.TOOL, Channel.TOOL_RESULT),
    "function": (Role.TOOL, Channel.TOOL_RESULT),
}

TEXT_PARTS: Final = {"text": "text", "refusal": "refusal"}
"""Part type to the field that holds its text. Every other part type is unreadable."""

CUSTOMER: Final[tuple[Path, ...]] = (("safety_identifier",), ("user",))

OWN_TOOLS: Final = frozenset({"function", "custom"})
"""Tool types that the client runs itself; every other type is hosted by the provider."""


class ChatFace:
    """`POST /v1/chat/completions`."""

    route = "chat.completions"
    path = "/chat/completions"
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
        given = list_of(value.get("messages"), "messages")
        if not given or len(given) > bounds.messages:
            raise invalid("messages", f"1 to {bounds.messages} messages")
        references: list[str] = []
        messages = [_message(item, place, references) for place, item in enumerate(given)]
        tools, schemas, hosted = _tools(value)
        if "web_search_options" in value:
            hosted = (*hosted, "web_search")
        customer, customer_paths = customer_of(sent, value, CUSTOMER)
        options = value.get("stream_options")
        return Turn(
            route=self.route,
            body=body,
            model=text_of(value.get("model"), "model"),
            stream=streams(value),
            messages=(
                *messages,
                Message(Role.SYSTEM, tools),
                Message(Role.USER, tuple(rest(value, HANDLED, IDENTIFIERS))),
            ),
            new_from=first_new(messages),
            prompt="\n".join([leaf.text for m in messages if m.role is Role.SYSTEM for leaf in m.leaves]),
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
            wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
            value=value,
        )

    def upstream(self, turn: Turn, how: Upstream) -> bytes:
        """The body for the provider."""
        changes = onward(turn, how)
        if turn.stream and not turn.wants_usage:
            given = isinstance(turn.value.get("stream_options"), dict) and ("stream_options",) not in changes
            path: Path = ("stream_options", "include_usage") if given else ("stream_options",)
            changes[path] = b"true" if given else b'{"include_usage":true}'
        if how.prompt is None:
            return exact.change(turn.body, changes)
        return _with_prompt(turn.body, turn.value, changes, how.prompt)

    def answer(self, body: bytes, turn: Turn) -> Answer:
        """Raises HandrailError UPSTREAM_INVALID."""
        try:
            value = exact.said(body)
            choices = value["choices"]
            leaves: list[Leaf] = []
            unreadable: list[str] = []
            history: bytes | None = None
            calls = 0
            for place, choice in enumerate(choices):
                said = _said(choice["message"], ("choices", place, "message"), leaves, unreadable)
                calls += len(choice["message"].get("tool_calls") or ())
                if place == 0:
                    history = canonical(Role.ASSISTANT, said)
                fields(choice, ("choices", place), Channel.ASSISTANT, leaves, but=CHOICE_HANDLED)
                more = of_choice(choice.get("logprobs"), choice["message"])
                leaves += [Leaf(Channel.ASSISTANT, more, ("choices", place, "logprobs"))] if more else []
            fields(value, (), Channel.ASSISTANT, leaves, but=ANSWER_HANDLED)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's answer is no chat completion") from None
        usage = value.get("usage")
        return Answer(
            body=body,
            messages=(Message(Role.ASSISTANT, tuple(leaves), history, tuple(unreadable)),),
            usage=Usage(count(usage, "prompt_tokens"), count(usage, "completion_tokens"), made_by(value)),
            tool_calls=calls,
            calls=tuple([each for choice in choices for each in _asked(choice["message"])]) if calls else (),
        )

    def rewritten(self, answer: Answer, changes: Mapping[Leaf, str]) -> bytes:
        """Texts in place; logprobs of a choice that changed, or that say what must not pass, are dropped."""
        done = edits(changes, answer.body)
        for leaf in changes:
            if leaf.path[:1] == ("choices",) and len(leaf.path) > 2:
                done["choices", leaf.path[1], "logprobs"] = b"null"
        return exact.change(answer.body, done)

    def sentence(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """One choice with finish_reason `content_filter`."""
        return orjson.dumps(
            {
                "id": f"chatcmpl-{ids.interaction}",
                "object": "chat.completion",
                "created": now_s,
                "model": turn.model,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None},
                        "logprobs": None,
                        "finish_reason": "content_filter",
                    }
                ],
                "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
            }
        )

    def sentence_stream(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """Role, sentence, end, `[DONE]`."""
        head = {
            "id": f"chatcmpl-{ids.interaction}",
            "object": "chat.completion.chunk",
            "created": now_s,
            "model": turn.model,
        }
        first = {"index": 0, "delta": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": None}
        end = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "content_filter"}
        events = [orjson.dumps({**head, "choices": [choice]}) for choice in (first, end)]
        return b"".join(b"data: " + event + b"\n\n" for event in events) + b"data: [DONE]\n\n"

    def codec(self, turn: Turn) -> ChatCodec:
        return ChatCodec(turn)

    def said(self, texts: Iterable[str]) -> tuple[bytes, ...]:
        return (canonical(Role.ASSISTANT, texts),)


ANSWER_HANDLED: Final = frozenset({"choices"})
CHOICE_HANDLED: Final = frozenset({"message", "logprobs"})
_MESSAGE_HANDLED: Final = frozenset({"role", "content", "tool_calls", "function_call", "tool_call_id", "name", "audio"})
_SAID_HANDLED: Final = frozenset({"tool_calls", "function_call", "audio", *SPOKEN})
_SAID_PARTS: Final = frozenset({"text", "refusal", "output_text", "thinking", "reasoning", "reference"})
_NAME: Final = frozenset({"name"})
_ROLE: Final = frozenset({"role"})
_NONE: Final[frozenset[str]] = frozenset()


def _message(item: Any, place: int, references: list[str]) -> Message:
    where = f"messages[{place}]"
    if not isinstance(item, dict):
        raise invalid(where, "an object")
    called = item.get("role")
    named = ROLES.get(called) if isinstance(called, str) else None
    if named is None:
        raise invalid(f"{where}.role", "one of " + ", ".join(ROLES))
    role, channel = named
    text = item.get("content")
    if len(item) == 2 and type(text) is str:  # the plainest message, and the most frequent
        plain = (Leaf(channel, text, ("messages", place, "content")),) if text else ()
        return Message(role, plain, None if role is Role.SYSTEM else canonical(role, (text,)))
    at: Path = ("messages", place)
    leaves: list[Leaf] = []
    unreadable: list[str] = []
    said: list[str] = []
    content = item.get("content")
    if type(content) is str:
        if content:
            leaves.append(Leaf(channel, content, (*at, "content")))
            said.append(content)
    elif type(content) is list:
        _parts(content, (*at, "content"), channel, leaves, unreadable, said, references)
    elif content is not None:
        raise invalid(f"{where}.content", "a string, a list of parts or null")
    for name, extra in item.items():
        if name not in _MESSAGE_HANDLED:
            fields({name: extra}, at, SPOKEN.get(name, channel), leaves, safe=_NONE)
    for name in ("name", "tool_call_id"):
        extra = item.get(name)
        if extra is not None and not (isinstance(extra, str) and identifier(extra)):
            walk(extra, (*at, name), channel, leaves)
    _calls(item, at, leaves, said)
    audio = item.get("audio")
    if audio is not None:
        unreadable.append("audio")
        references.append(f"audio:{audio.get('id', '') if isinstance(audio, dict) else ''}")
    history = None if role is Role.SYSTEM else canonical(role, said)
    return Message(role, tuple(leaves), history, tuple(unreadable))


def _parts(
    parts: list[Any],
    at: Path,
    channel: Channel,
    leaves: list[Leaf],
    unreadable: list[str],
    said: list[str],
    references: list[str],
) -> None:
    """Content parts: texts are screened; any other type is unreadable, and the texts in it are screened as well."""
    for place, part in enumerate(parts):
        if not isinstance(part, dict):
            raise invalid(".".join(map(str, (*at, place))), "an object with a type")
        kind = part.get("type")
        slot = TEXT_PARTS.get(kind) if isinstance(kind, str) else None
        text = part.get(slot) if slot else None
        if slot and isinstance(text, str):
            said.append(text)
        else:
            unreadable.append(kind if isinstance(kind, str) and identifier(kind) else "unknown")
            held = part.get("file")
            if isinstance(held, dict) and "file_id" in held:
                references.append(f"file:{held['file_id']}")
        walk(part, (*at, place), Channel.REFUSAL if slot == "refusal" else channel, leaves)


def _calls(item: dict[str, Any], at: Path, leaves: list[Leaf], said: list[str]) -> None:
    """Tool calls of an assistant message, the old `function_call` among them."""
    calls = item.get("tool_calls")
    if calls is None and item.get("function_call") is None:
        return
    found: list[tuple[Path, Any]] = []
    if isinstance(calls, list):
        found = [((*at, "tool_calls", place), call) for place, call in enumerate(calls)]
    elif calls is not None:
        raise invalid(".".join(map(str, (*at, "tool_calls"))), "a list")
    for path, call in found:
        for name, extra in object_of(call, ".".join(map(str, path))).items():
            if name in OWN_TOOLS:
                _call(extra, (*path, name), leaves, said)
        fields(call, path, Channel.TOOL_ARGUMENTS, leaves, but=OWN_TOOLS)
    if item.get("function_call") is not None:
        _call(item["function_call"], (*at, "function_call"), leaves, said)


def _asked(message: dict[str, Any]) -> list[ModelCall]:
    """Functions that the client is to call."""
    found = [call.get("function") for call in message.get("tool_calls") or ()]
    return [ModelCall(str(one.get("name")), str(one.get("arguments") or "")) for one in found if one]


def _call(call: Any, at: Path, leaves: list[Leaf], said: list[str]) -> None:
    call = object_of(call, ".".join(map(str, at)))
    tool = str(call.get("name") or "")
    for name, extra in call.items():
        if name in ("arguments", "input") and isinstance(extra, str):
            arguments(extra, (*at, name), tool, leaves)
            said.append(call_text(tool, extra))
        else:
            fields({name: extra}, at, Channel.TOOL_ARGUMENTS, leaves, tool=tool, safe=_NAME)


def _said(message: dict[str, Any], at: Path, leaves: list[Leaf], unreadable: list[str]) -> list[str]:
    """Texts of an answer's message and its parts that no detector reads; returns what stands for it in the history."""
    for name, channel in SPOKEN.items():
        text = message.get(name)
        if text is not None:
            walk(text, (*at, name), channel, leaves)
    content = message.get("content")
    said = [content] if isinstance(content, str) and content else []
    _calls(message, at, leaves, said)
    fields(message, at, Channel.ASSISTANT, leaves, but=_SAID_HANDLED, safe=_ROLE)
    for name, extra in message.items():
        if name not in _SAID_HANDLED and media(extra):
            unreadable.append(name if identifier(name) else "unknown")
    if message.get("audio") is not None:
        unreadable.append("audio")
        walk(message["audio"], (*at, "audio"), Channel.ASSISTANT, leaves)
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if not (isinstance(kind, str) and kind in _SAID_PARTS) or media(part):
            unreadable.append(kind if isinstance(kind, str) and identifier(kind) else "unknown")
    return said


def _tools(body: Mapping[str, Any]) -> tuple[tuple[Leaf, ...], dict[str, object], tuple[str, ...]]:
    """Texts of tool definitions, argument schemas by name, and the types of hosted tools."""
    leaves: list[Leaf] = []
    schemas: dict[str, object] = {}
    hosted: list[str] = []
    for slot in ("tools", "functions"):
        tools = body.get(slot)
        if tools is None:
            continue
        for place, tool in enumerate(list_of(tools, slot)):
            tool = object_of(tool, f"{slot}[{place}]")
            kind = text_of(tool.get("type", "function"), f"{slot}[{place}].type")
            if kind not in OWN_TOOLS:
                hosted.append(kind)
            inner = tool if slot == "functions" else tool.get(kind)
            if isinstance(inner, dict):
                schemas[str(inner.get("name"))] = inner.get("parameters")
        walk(tools, (slot,), Channel.TOOL_DEFINITION, leaves)
    return tuple(leaves), schemas, tuple(hosted)


def _with_prompt(body: bytes, value: Any, changes: dict[exact.Path, Change], prompt: str) -> bytes:
    """Our prompt first, the client's system and developer messages gone."""
    kept: dict[exact.Path, Change] = {}
    for path, new in changes.items():
        if not (path[0] == "messages" and _is_prompt(value["messages"][path[1]])):
            kept[path] = new
    for place, message in enumerate(value["messages"]):
        if _is_prompt(message):
            kept["messages", place] = GONE
    changed = exact.change(body, kept)
    ours = orjson.dumps({"role": "system", "content": prompt})
    return exact.prepend(changed, ("messages",), ours)


def _is_prompt(message: Any) -> bool:
    return bool(message.get("role") in ("system", "developer"))
