"""Anthropic Messages as a stream. Lanes are `index:kind`, one per content block: `0:text`, `1:json`, `2:thinking`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway import exact
from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count, made_by
from handrail.gateway.growing import Growing, named, put, written
from handrail.gateway.leaves import SAFE_SLOTS, arguments, fields, identifier, index_of, opaque, within
from handrail.gateway.sse import Events, Shape, bare, data_of, event, shape_of
from handrail.gateway.unread import coded, unread
from handrail.guard.turn import Channel, Leaf, Path, Piece, ReplyIds, Turn, Usage, canonical
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

DELTAS: Final = {
    "text_delta": ("text", "text", Channel.ASSISTANT),
    "thinking_delta": ("thinking", "thinking", Channel.REASONING),
    "input_json_delta": ("json", "partial_json", Channel.TOOL_ARGUMENTS),
}
"""Delta type to lane kind, field and channel. A citation is read whole; every other delta is one of `growing`."""

_DELTA_OF: Final = {kind: (delta, field) for delta, (kind, field, _) in DELTAS.items()}
_MARK: Final = b'"text":"'
CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
RESULTS: Final = frozenset(
    {
        "tool_result", "mcp_tool_result", "web_search_tool_result", "web_fetch_tool_result",
        "code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    }
)  # fmt: skip
OPAQUE: Final = frozenset({"redacted_thinking"})
"""The provider's own bytes, given back to it unchanged."""

READ: Final = CALLS | RESULTS | OPAQUE | {"text", "thinking", "search_result"}
"""Types of blocks whose texts are all there is in them; any other block in a stream is unreadable."""

NAMED: Final = SAFE_SLOTS | {"name"}
"""Fields whose value may be an identifier that is not screened; the name of a tool is one."""


class AnthropicCodec:
    """One stream. Implements `guard.turn.Codec`."""

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self.complete = False
        self._events = Events()
        self._shape: Shape | None = None
        self._growing = Growing()
        self._lanes: dict[int, list[str]] = {}
        self._open: tuple[int, str] | None = None
        self._next = 0

    @property
    def usual(self) -> Shape | None:
        return None if self._events.pending else self._shape

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        for raw in self._events.feed(chunk):
            piece = self._shape.piece(raw) if self._shape is not None else None
            if piece is not None:
                yield piece
                continue
            data = data_of(raw)
            if not data:
                yield Piece(bare(raw, data))
                continue
            try:
                value = exact.said(data)
                piece = self._read(named(raw, value), value)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
                raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream is no message") from None
            yield piece
            if value["type"] == "content_block_stop":  # only now has it been sent
                self._open = None

    def text(self, piece: Piece, new: str) -> bytes:
        value = piece.value
        if isinstance(value, Shape):
            return value.text(new)
        if piece.lane in self._growing:
            return self._growing.text(piece, new)
        _, slot = _DELTA_OF[piece.lane.partition(":")[2]]
        value["delta"][slot] = new
        return event(orjson.dumps(value), b"content_block_delta")

    def more(self, lane: str, text: str) -> bytes:
        if lane in self._growing:
            return self._growing.more(lane, text)
        index, _, kind = lane.partition(":")
        delta, slot = _DELTA_OF[kind]
        value = {"type": "content_block_delta", "index": int(index), "delta": {"type": delta, slot: text}}
        return event(orjson.dumps(value), b"content_block_delta")

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        put(piece.value, changes)
        return written(piece.value)

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
            ends = tuple(self._lanes.pop(index_of(value["index"]), ()))
            return Piece(raw, ends=ends, extra=_beside(value, ""), value=value)
        if kind == "message_start":
            message = value["message"]
            self._counted(message.get("usage"), made_by(message))
            extra = (*_beside(value, "message"), *_texts(message, ("message",)))
            return Piece(raw, extra=extra, value=value, unreadable=_blocks(message.get("content")))
        if kind == "message_delta":
            self.complete = True
            self._counted(value.get("usage"))
            extra = (*_beside(value, "delta"), *_texts(value.get("delta") or {}, ("delta",)))
            return Piece(raw, extra=extra, value=value)
        if kind == "message_stop":
            return Piece(raw, extra=_beside(value, ""), last=True, value=value)
        if kind == "error":
            raise HandrailError(Code.UPSTREAM_ERROR, "the provider ended its stream with an error")
        piece = self._growing.piece(raw, value, _texts(value, ()), str(kind))
        piece.unreadable = unread(value)
        return piece

    def _start(self, raw: bytes, value: dict[str, Any]) -> Piece:
        index, block = index_of(value["index"]), value["content_block"]
        kind = str(block["type"])
        self._open = (index, kind)
        self._next = index + 1
        if kind in CALLS:
            self.tools[f"{index}:json"] = str(block.get("name") or "")
            self._lanes[index] = [f"{index}:json"]
        extra = (*_beside(value, "content_block"), *_texts(block, ("content_block",), NAMED))
        return Piece(raw, extra=extra, value=value, unreadable=_blocks([block]))

    def _delta(self, raw: bytes, value: dict[str, Any]) -> Piece:
        index, delta = index_of(value["index"]), value["delta"]
        known = DELTAS.get(delta["type"])
        if known is None:
            if delta["type"] == "signature_delta":  # the thinking must be out before its signature
                leaves = () if opaque(str(delta.get("signature"))) else _texts(delta, ("delta",))
                leaves += _beside(value, "delta")
                return Piece(raw, ends=tuple(self._lanes.pop(index, ())), extra=leaves, value=value)
            extra = (*_beside(value, "delta"), *_texts(delta, ("delta",)))
            if delta["type"] == "citations_delta":
                return Piece(raw, extra=extra, value=value, unreadable=unread(delta))
            piece = self._growing.piece(raw, value, extra, str(delta["type"]))
            piece.unreadable = unread(delta)
            if piece.lane and piece.lane not in self._lanes.setdefault(index, []):
                self._lanes[index].append(piece.lane)
            return piece
        kind, slot, channel = known
        lane = f"{index}:{kind}"
        opened = self._lanes.setdefault(index, [])
        if lane not in opened:
            opened.append(lane)
        text = str(delta[slot])
        extra = _beside(value, "delta") if len(value) > 3 else ()
        if len(delta) > 2:
            extra += _texts({name: part for name, part in delta.items() if name not in ("type", slot)}, ("delta",))
        if kind == "text" and len(delta) == 2 and len(value) == 3:
            self._shape = shape_of(raw, _MARK, text, lane, channel) or self._shape
        return Piece(raw, lane, channel, text, True, extra=extra, value=value)

    def _counted(self, usage: Any, who: str = "") -> None:
        given, made = count(usage, "input_tokens"), count(usage, "output_tokens")
        known = self.usage
        self.usage = Usage(given or known.input_tokens, made or known.output_tokens, who or known.made_by)


def _blocks(blocks: Any) -> tuple[str, ...]:
    """Types of blocks, and of parts in them, that no detector can read."""
    found: dict[str, None] = {}
    for block in blocks or ():
        kind = block["type"]
        if kind not in READ:
            found[kind if isinstance(kind, str) and identifier(kind) else "unknown"] = None
        elif kind in RESULTS:
            found.update(dict.fromkeys(unread(block)))
    return tuple(found)


def _beside(value: dict[str, Any], read: str) -> tuple[Leaf, ...]:
    """Texts of an event beside the object that is read for itself."""
    return _texts({name: part for name, part in value.items() if name not in ("type", read)}, ())


def _texts(value: dict[str, Any], at: Path, safe: frozenset[str] = SAFE_SLOTS) -> tuple[Leaf, ...]:
    """Texts of an event that are no lane."""
    leaves: list[Leaf] = []
    read = {name: part for name, part in value.items() if not coded(name, part)}
    fields(read, at, Channel.ASSISTANT, leaves, safe=safe)
    return tuple(leaves)
