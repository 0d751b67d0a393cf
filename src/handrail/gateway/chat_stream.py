"""Chat Completions as a stream: chunks to pieces of text and back.

Lanes are `choice:field` (`0:content`) and `choice:tool:index` (`0:tool:1`). Nearly every event differs from the one
before only in its text: such an event is recognised by equal bytes around a plain string, so it needs no parsing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count
from handrail.gateway.leaves import SAFE_SLOTS, arguments, identifier, walk, within
from handrail.gateway.sse import Events, Shape, data_of, event, shape_of
from handrail.guard.turn import Channel, Leaf, Piece, ReplyIds, Turn, Usage, canonical
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

SPOKEN: Final = {
    "content": Channel.ASSISTANT,
    "refusal": Channel.REFUSAL,
    "reasoning": Channel.REASONING,
    "reasoning_content": Channel.REASONING,
}
"""Text fields of what the model says, whole or as a delta."""

_DONE: Final = b"data: [DONE]\n\n"
_CHUNK_HANDLED: Final = frozenset({"choices", "usage", "created"})
_CHOICE_HANDLED: Final = frozenset({"index", "delta", "finish_reason", "logprobs"})
_MARK: Final = b'"content":"'


class ChatCodec:
    """One stream. Implements `guard.turn.Codec`."""

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self.complete = False
        self._turn = turn
        self._events = Events()
        self._open: dict[int, list[str]] = {}
        self._head: dict[str, Any] = {}
        self._shape: Shape | None = None

    def feed(self, chunk: bytes) -> Iterable[Piece]:
        if self._shape is not None and not self._events.pending:
            piece = self._shape.piece(chunk)
            if piece is not None:  # the usual chunk: one event like the last
                return (piece,)
        return self._each(chunk)

    def _each(self, chunk: bytes) -> Iterator[Piece]:
        for raw in self._events.feed(chunk):
            piece = self._shape.piece(raw) if self._shape is not None else None
            if piece is not None:
                yield piece
                continue
            pieces: list[Piece] = []
            self._slow(raw, pieces)
            yield from pieces
            self._closed(pieces)  # only now have they been sent

    def text(self, piece: Piece, new: str) -> bytes:
        value = piece.value
        if isinstance(value, Shape):
            return value.text(new)
        choice = value["choices"][0]
        _put(choice["delta"], piece.lane, new)
        choice["logprobs"] = None
        return event(orjson.dumps(value))

    def more(self, lane: str, text: str) -> bytes:
        index, _, field = lane.partition(":")
        delta: dict[str, Any] = {}
        if field.startswith("tool:"):
            delta["tool_calls"] = [{"index": int(field[5:]), "function": {"arguments": text}}]
        elif field == "call":
            delta["function_call"] = {"arguments": text}
        else:
            delta[field] = text
        return self._chunk({"index": int(index), "delta": delta, "logprobs": None, "finish_reason": None})

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        value = piece.value
        for leaf, new in changes.items():
            node = value
            for step in leaf.path[:-1]:
                node = node[step]
            node[leaf.path[-1]] = new
        return event(orjson.dumps(value))

    def settled(self, piece: Piece, sent: Mapping[str, str]) -> bytes:
        return piece.raw

    def argument_leaves(self, lane: str, text: str) -> tuple[Leaf, ...]:
        leaves: list[Leaf] = []
        arguments(text, (), self.tools.get(lane, ""), leaves)
        return tuple(leaves)

    def with_arguments(self, text: str, changes: Mapping[Leaf, str]) -> str:
        whole = [new for leaf, new in changes.items() if leaf.inner is None]
        if whole:
            return whole[0]
        return within(text, {leaf.inner: orjson.dumps(new) for leaf, new in changes.items() if leaf.inner is not None})

    def terminator(self) -> bytes:
        return _DONE

    def blocked(self, sentence: str, code: str, ids: ReplyIds) -> bytes:
        """For each choice that is not finished, a chunk with the sentence and finish_reason `content_filter`; the
        detail stands in the field `handrail`."""
        delta = {"content": sentence} if sentence else {}
        about = {"code": code, "interaction": ids.interaction, "outcome": "blocked"}
        ends = [
            {"index": index, "delta": delta, "logprobs": None, "finish_reason": "content_filter"}
            for index in sorted(self._open) or [0]
        ]
        return b"".join([self._chunk(choice, handrail=about) for choice in ends]) + _DONE

    def failed(self, error: HandrailError, ids: ReplyIds) -> bytes:
        return event(orjson.dumps(detail(Form.OPENAI, error, ids.interaction))) + _DONE

    def said(self, sent: Mapping[str, str]) -> tuple[bytes, ...]:
        calls = [
            call_text(self.tools.get(lane, ""), text)
            for lane, text in sent.items()
            if lane.startswith("0:tool:") or lane == "0:call"
        ]
        return (canonical(Role.ASSISTANT, [sent.get("0:content", ""), sent.get("sentence", ""), *calls]),)

    def _chunk(self, choice: dict[str, Any], **extra: object) -> bytes:
        return event(orjson.dumps({**self._head, "choices": [choice], **extra}))

    def _slow(self, raw: bytes, pieces: list[Piece]) -> None:
        data = data_of(raw)
        if not data:
            pieces.append(Piece(raw))
            return
        if data == b"[DONE]":
            self.complete = True
            pieces.append(Piece(raw, last=True))
            return
        try:
            value = orjson.loads(data)
            if "error" in value:
                raise HandrailError(Code.UPSTREAM_ERROR, "the provider ended its stream with an error")
            choices = value["choices"]
            if len(choices) == 1:
                self._one(raw, value, choices[0], pieces)
            elif not choices:
                self._none(raw, value, pieces)
            else:
                for choice in choices:
                    single = {**value, "choices": [choice]}
                    self._one(event(orjson.dumps(single)), single, choice, pieces)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream is no chat completion") from None

    def _closed(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            for choice in piece.value["choices"] if isinstance(piece.value, dict) else ():
                if choice.get("finish_reason") is not None:
                    self._open.pop(int(choice.get("index", 0)), None)

    def _none(self, raw: bytes, value: dict[str, Any], pieces: list[Piece]) -> None:
        """A chunk without choices: the usage, or content-filter results of the provider."""
        self._counted(value)
        extra = self._unknown(value, {})
        asked = self._turn.wants_usage or value.get("usage") is None
        pieces.append(Piece(raw, extra=extra, drop=not asked, value=value))

    def _one(self, raw: bytes, value: dict[str, Any], choice: dict[str, Any], pieces: list[Piece]) -> None:
        self._counted(value)
        if not self._head:
            self._head = {name: part for name, part in value.items() if name not in ("choices", "usage")}
        index = int(choice.get("index", 0))
        delta = choice.get("delta") or {}
        texts = self._texts(index, delta)
        extra = self._unknown(value, choice)
        ends: tuple[str, ...] = ()
        if choice.get("finish_reason") is not None:
            self.complete = True
        for place, (lane, channel, text) in enumerate(texts):
            if len(texts) > 1:  # one event per lane, so that each can wait or go on its own
                only = _only(value, choice, delta, lane, first=place == 0)
                made = event(orjson.dumps(only))
                unread = () if place else extra
                pieces.append(Piece(made, lane, channel, text, place > 0, extra=unread, value=only))
            else:
                alone = len(delta) == 1 and choice.get("finish_reason") is None and lane.rpartition(":")[2] in SPOKEN
                if channel is Channel.TOOL_ARGUMENTS:
                    call = delta["tool_calls"][0] if "tool_calls" in delta else delta["function_call"]
                    alone = len(delta) == 1 and not (call.get("id") or (call.get("function") or call).get("name"))
                pieces.append(Piece(raw, lane, channel, text, alone, extra=extra, value=value))
                if alone and lane.endswith(":content") and choice.get("logprobs") is None:
                    self._shape = shape_of(raw, _MARK, text, lane, channel)
        if choice.get("finish_reason") is not None:
            ends = tuple(self._open.get(index, ()))
            if texts:  # the text must come out before the end: the end becomes an event of its own
                for piece in pieces[-len(texts) :]:
                    piece.value = _without_end(piece.value)
                    piece.raw = event(orjson.dumps(piece.value))
                end = {**value, "choices": [{**choice, "delta": {}}]}
                pieces.append(Piece(event(orjson.dumps(end)), ends=ends, value=end))
                return
        if not texts:
            pieces.append(Piece(raw, ends=ends, extra=extra, value=value))

    def _texts(self, index: int, delta: dict[str, Any]) -> list[tuple[str, Channel, str]]:
        """What this delta adds, by lane."""
        texts: list[tuple[str, Channel, str]] = []
        opened = self._open.setdefault(index, [])
        for field, channel in SPOKEN.items():
            text = delta.get(field)
            if text:
                texts.append((f"{index}:{field}", channel, str(text)))
        for call in delta.get("tool_calls") or ():
            lane = f"{index}:tool:{int(call.get('index', 0))}"
            function = call.get("function") or call.get("custom") or {}
            if function.get("name"):
                self.tools[lane] = str(function["name"])
            texts.append((lane, Channel.TOOL_ARGUMENTS, str(function.get("arguments") or function.get("input") or "")))
        if delta.get("function_call"):
            lane = f"{index}:call"
            function = delta["function_call"]
            if function.get("name"):
                self.tools[lane] = str(function["name"])
            texts.append((lane, Channel.TOOL_ARGUMENTS, str(function.get("arguments") or "")))
        opened += [lane for lane, _, _ in texts if lane not in opened]
        return texts

    def _unknown(self, value: dict[str, Any], choice: dict[str, Any]) -> tuple[Leaf, ...]:
        """Texts in places that are no lane."""
        leaves: list[Leaf] = []
        for name, part in value.items():
            if (
                name in _CHUNK_HANDLED
                or part is None
                or (name in SAFE_SLOTS and isinstance(part, str) and identifier(part))
            ):
                continue
            walk(part, (name,), Channel.ASSISTANT, leaves)
        for name, part in choice.items():
            if name not in _CHOICE_HANDLED and part is not None:
                walk(part, ("choices", 0, name), Channel.ASSISTANT, leaves)
        for name, part in (choice.get("delta") or {}).items():
            if name not in SPOKEN and name not in ("role", "tool_calls", "function_call") and part is not None:
                walk(part, ("choices", 0, "delta", name), Channel.ASSISTANT, leaves)
        return tuple(leaves)

    def _counted(self, value: dict[str, Any]) -> None:
        usage = value.get("usage")
        if usage:
            self.usage = Usage(count(usage, "prompt_tokens"), count(usage, "completion_tokens"))


def _put(delta: dict[str, Any], lane: str, new: str) -> None:
    field = lane.partition(":")[2]
    if field.startswith("tool:"):
        call = delta["tool_calls"][0]
        inner = call.get("function") or call.get("custom")
        if inner:
            inner["input" if "input" in inner else "arguments"] = new
    elif field == "call":
        delta["function_call"]["arguments"] = new
    else:
        delta[field] = new


def _only(
    value: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any], lane: str, *, first: bool
) -> dict[str, Any]:
    """The chunk with one lane's text; what belongs to no lane (the role) stays with the first."""
    field = lane.partition(":")[2]
    kept = {name: part for name, part in delta.items() if first and name not in SPOKEN}
    kept.pop("tool_calls", None)
    kept.pop("function_call", None)
    if field.startswith("tool:"):
        kept["tool_calls"] = [call for call in delta["tool_calls"] if int(call.get("index", 0)) == int(field[5:])]
    elif field == "call":
        kept["function_call"] = delta["function_call"]
    else:
        kept[field] = delta[field]
    return {**value, "choices": [{**choice, "delta": kept, "logprobs": None}]}


def _without_end(value: dict[str, Any]) -> dict[str, Any]:
    choice = value["choices"][0]
    return {**value, "choices": [{**choice, "finish_reason": None}]}
