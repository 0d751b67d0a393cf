"""Anthropic Messages as a stream. Lanes are `index:kind`, one per content block: `0:text`, `1:json`, `2:thinking`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count
from handrail.gateway.leaves import SAFE_SLOTS, arguments, identifier, opaque, walk, within
from handrail.gateway.sse import Events, Shape, data_of, event, shape_of
from handrail.guard.turn import Channel, Leaf, Piece, ReplyIds, Turn, Usage, canonical
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

DELTAS: Final = {
    "text_delta": ("text", "text", Channel.ASSISTANT),
    "thinking_delta": ("thinking", "thinking", Channel.REASONING),
    "input_json_delta": ("json", "partial_json", Channel.TOOL_ARGUMENTS),
}
"""Delta type to lane kind, field and channel. Every other delta is read whole."""

_DELTA_OF: Final = {kind: (delta, field) for delta, (kind, field, _) in DELTAS.items()}
_MARK: Final = b'"text":"'
_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


class AnthropicCodec:
    """One stream. Implements `guard.turn.Codec`."""

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self.complete = False
        self._events = Events()
        self._shape: Shape | None = None
        self._lanes: dict[int, list[str]] = {}
        self._open: tuple[int, str] | None = None
        self._next = 0

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
            data = data_of(raw)
            if not data:
                yield Piece(raw)
                continue
            try:
                value = orjson.loads(data)
                piece = self._read(raw, value)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
                raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream is no message") from None
            yield piece
            if value["type"] == "content_block_stop":  # only now has it been sent
                self._open = None

    def text(self, piece: Piece, new: str) -> bytes:
        value = piece.value
        if isinstance(value, Shape):
            return value.text(new)
        _, field = _DELTA_OF[piece.lane.partition(":")[2]]
        value["delta"][field] = new
        return event(orjson.dumps(value), b"content_block_delta")

    def more(self, lane: str, text: str) -> bytes:
        index, _, kind = lane.partition(":")
        delta, field = _DELTA_OF[kind]
        value = {"type": "content_block_delta", "index": int(index), "delta": {"type": delta, field: text}}
        return event(orjson.dumps(value), b"content_block_delta")

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        value = piece.value
        for leaf, new in changes.items():
            node = value
            for step in leaf.path[:-1]:
                node = node[step]
            node[leaf.path[-1]] = new
        return event(orjson.dumps(value), value["type"].encode())

    def settled(self, piece: Piece, sent: Mapping[str, str]) -> bytes:
        return piece.raw

    def argument_leaves(self, lane: str, text: str) -> tuple[Leaf, ...]:
        leaves: list[Leaf] = []
        arguments(text, (), self.tools.get(lane, ""), leaves)
        return tuple(leaves)

    def with_arguments(self, text: str, changes: Mapping[Leaf, str]) -> str:
        whole = [new for leaf, new in changes.items() if leaf.inner is None]
        if whole:
            return orjson.dumps(whole[0]).decode()
        return within(text, {leaf.inner: orjson.dumps(new) for leaf, new in changes.items() if leaf.inner is not None})

    def terminator(self) -> bytes:
        return event(b'{"type":"message_stop"}', b"message_stop")

    def blocked(self, sentence: str, code: str, ids: ReplyIds) -> bytes:
        """The sentence in the open text block or a new one, then stop_reason `refusal`; the detail stands in the field
        `handrail` of `message_delta`."""
        events: list[dict[str, Any]] = []
        index, kind = self._open or (self._next, "")
        if self._open is not None and (kind != "text" or not sentence):
            events.append({"type": "content_block_stop", "index": index})
            index, kind = self._next, ""
        if sentence:
            if kind != "text":
                block = {"type": "text", "text": ""}
                events.append({"type": "content_block_start", "index": index, "content_block": block})
            delta = {"type": "text_delta", "text": sentence}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        events.append(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "refusal", "stop_sequence": None},
                "usage": {"output_tokens": self.usage.output_tokens},
                "handrail": {"code": code, "interaction": ids.interaction, "outcome": "blocked"},
            }
        )
        return b"".join(event(orjson.dumps(each), each["type"].encode()) for each in events) + self.terminator()

    def failed(self, error: HandrailError, ids: ReplyIds) -> bytes:
        return event(orjson.dumps(detail(Form.ANTHROPIC, error, ids.interaction)), b"error")

    def said(self, sent: Mapping[str, str]) -> tuple[bytes, ...]:
        texts: list[str] = []
        for lane, text in sent.items():
            if lane.endswith(":text") or lane == "sentence":
                texts.append(text)
            elif lane in self.tools:
                texts.append(call_text(self.tools[lane], text or "{}"))
        return (canonical(Role.ASSISTANT, texts),)

    def _read(self, raw: bytes, value: dict[str, Any]) -> Piece:
        kind = value["type"]
        if kind == "content_block_delta":
            return self._delta(raw, value)
        if kind == "content_block_start":
            return self._start(raw, value)
        if kind == "content_block_stop":
            return Piece(raw, ends=tuple(self._lanes.pop(int(value["index"]), ())), value=value)
        if kind == "message_start":
            message = value["message"]
            self._counted(message.get("usage"))
            return Piece(raw, extra=_texts(message, ("message",)), value=value)
        if kind == "message_delta":
            self.complete = True
            self._counted(value.get("usage"))
            return Piece(raw, extra=_texts(value.get("delta") or {}, ("delta",)), value=value)
        if kind == "message_stop":
            return Piece(raw, last=True)
        if kind == "error":
            raise HandrailError(Code.UPSTREAM_ERROR, "the provider ended its stream with an error")
        return Piece(raw, extra=_texts(value, ()), value=value)

    def _start(self, raw: bytes, value: dict[str, Any]) -> Piece:
        index, block = int(value["index"]), value["content_block"]
        kind = str(block["type"])
        self._open = (index, kind)
        self._next = index + 1
        if kind in _CALLS:
            self.tools[f"{index}:json"] = str(block.get("name") or "")
            self._lanes[index] = [f"{index}:json"]
        leaves: list[Leaf] = []
        for name, part in block.items():
            safe = isinstance(part, str) and (name in SAFE_SLOTS or name == "name") and identifier(part)
            if not safe and part:
                walk(part, ("content_block", name), Channel.ASSISTANT, leaves)
        return Piece(raw, extra=tuple(leaves), value=value)

    def _delta(self, raw: bytes, value: dict[str, Any]) -> Piece:
        index, delta = int(value["index"]), value["delta"]
        known = DELTAS.get(delta["type"])
        if known is None:
            if delta["type"] == "signature_delta":  # the thinking must be out before its signature
                leaves = () if opaque(str(delta.get("signature"))) else _texts(delta, ("delta",))
                return Piece(raw, ends=tuple(self._lanes.pop(index, ())), extra=leaves, value=value)
            return Piece(raw, extra=_texts(delta, ("delta",)), value=value)
        kind, field, channel = known
        lane = f"{index}:{kind}"
        opened = self._lanes.setdefault(index, [])
        if lane not in opened:
            opened.append(lane)
        text = str(delta[field])
        others = {name: part for name, part in delta.items() if name not in ("type", field)}
        extra = _texts(others, ("delta",)) if others else ()
        if kind == "text" and not others:
            self._shape = shape_of(raw, _MARK, text, lane, channel)
        return Piece(raw, lane, channel, text, True, extra=extra, value=value)

    def _counted(self, usage: Any) -> None:
        given, made = count(usage, "input_tokens"), count(usage, "output_tokens")
        self.usage = Usage(given or self.usage.input_tokens, made or self.usage.output_tokens)


def _texts(value: dict[str, Any], at: tuple[str | int, ...]) -> tuple[Leaf, ...]:
    """Texts of an event that are no lane."""
    leaves: list[Leaf] = []
    for name, part in value.items():
        if part is None or name == "usage" or (isinstance(part, str) and name in SAFE_SLOTS and identifier(part)):
            continue
        walk(part, (*at, name), Channel.ASSISTANT, leaves)
    return tuple(leaves)
