"""Responses as a stream. Lanes are `output:part:kind`: `0:0:text`, `1:0:arguments`, `0:0:summary`.

Many events say again what lanes said (`...done`, `response.completed`); they go on with what was really sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway import exact
from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count, made_by
from handrail.gateway.growing import Growing, named, put
from handrail.gateway.leaves import arguments, fields, harmless, identifier, index_of, opaque, small, within
from handrail.gateway.logprobs import beside
from handrail.gateway.responses_head import (
    ANSWER_HANDLED,
    NAMED,
    echoed,
    filtered,
    head_after,
    head_of,
    item_of,
    joined,
)
from handrail.gateway.sse import Events, bare, data_of, event
from handrail.gateway.unread import coded, unread, without_bytes
from handrail.guard.turn import Channel, Leaf, Path, Piece, ReplyIds, Turn, Usage, canonical
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

DELTAS: Final = {
    "response.output_text": ("text", "text", Channel.ASSISTANT),
    "response.refusal": ("refusal", "refusal", Channel.REFUSAL),
    "response.function_call_arguments": ("arguments", "arguments", Channel.TOOL_ARGUMENTS),
    "response.custom_tool_call_input": ("input", "input", Channel.TOOL_ARGUMENTS),
    "response.reasoning_summary_text": ("summary", "text", Channel.REASONING),
    "response.reasoning_text": ("reasoning", "text", Channel.REASONING),
    "response.mcp_call_arguments": ("mcp", "arguments", Channel.TOOL_ARGUMENTS),
    "response.code_interpreter_call_code": ("code", "code", Channel.ASSISTANT),
}
"""Event name before `.delta` and `.done` to lane kind, field of the `.done` event, and channel."""

_NAME_OF: Final = {kind: name for name, (kind, _, _) in DELTAS.items()}
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_BEGINS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_ITEM_LANES: Final = {
    "function_call": ("arguments", "arguments"),
    "custom_tool_call": ("input", "input"),
    "mcp_call": ("arguments", "mcp"),
    "code_interpreter_call": ("code", "code"),
}
"""Item type to the field that a lane says, and the lane's kind."""

_PART_LANES: Final = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("text", "reasoning"),
}
"""Part type to the field that a lane says, and the lane's kind."""

_WHERE: Final = ("item_id", "output_index", "content_index", "summary_index")
_PLACES: Final = frozenset({"type", "sequence_number", *_WHERE})
_DELTA_READ: Final = _PLACES | {"delta", "logprobs", "obfuscation"}
_WHOLE: Final = frozenset(
    {"response.content_part.added", "response.reasoning_summary_part.added", "response.output_text.annotation.added"}
)
"""Events that bring something whole, of which there may be many in one place."""

_AUDIO: Final = "response.audio.delta"


class ResponsesCodec:
    """One stream. Implements `guard.turn.Codec`."""

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self.complete = False
        self._asked: Mapping[str, Any] = turn.value
        self._events = Events()
        self._lanes: dict[str, dict[str, Any]] = {}  # lane to the place fields of its events
        self._growing = Growing()
        self._head = head_of(turn.model, "", 0)
        self._sequence = 0
        self.usual = None  # each event has a number of its own

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        for raw in self._events.feed(chunk):
            data = data_of(raw)
            if not data or data == b"[DONE]":
                yield Piece(bare(raw, data))
                continue
            try:
                value = exact.said(data)
                raw = named(raw, value)
                if small(value.get("sequence_number")):
                    self._sequence = value["sequence_number"]
                pieces = self._read(raw, value)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, IndexError):
                raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream is no response") from None
            yield from pieces

    def text(self, piece: Piece, new: str) -> bytes:
        if piece.lane in self._growing:
            return self._growing.text(piece, new)
        value = {**piece.value, "delta": new}
        if "logprobs" in value:
            value["logprobs"] = []
        value.pop("obfuscation", None)
        return event(orjson.dumps(value), value["type"].encode())

    def more(self, lane: str, text: str) -> bytes:
        if lane in self._growing:
            return self._growing.more(lane, text)
        name = _NAME_OF[lane.rpartition(":")[2]] + ".delta"
        value = {"type": name, **self.place(lane), "delta": text, "sequence_number": self._sequence}
        if name.startswith("response.output_text"):
            value["logprobs"] = []
        return event(orjson.dumps(value), name.encode())

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        put(piece.value, {leaf: [] if leaf.path[-1:] == ("logprobs",) else new for leaf, new in changes.items()})
        return event(orjson.dumps(piece.value), piece.value["type"].encode())

    def settled(self, piece: Piece, sent: Mapping[str, str]) -> bytes:
        """Unchanged bytes when what is repeated is what was sent."""
        value = piece.value
        kind: str = value["type"]
        changed = False
        if kind.endswith(".done") and kind[:-5] in DELTAS:
            lane_kind, slot, _ = DELTAS[kind[:-5]]
            changed = _set(value, slot, sent.get(_lane(value, lane_kind)))
            if changed and "logprobs" in value:
                value["logprobs"] = []
        elif kind == "response.content_part.done":
            changed = _settle_part(value["part"], f"{value['output_index']}:{value['content_index']}", sent)
        elif kind == "response.reasoning_summary_part.done":
            changed = _set(value["part"], "text", sent.get(f"{value['output_index']}:{value['summary_index']}:summary"))
        elif kind == "response.output_item.done":
            changed = _settle_item(value["item"], int(value["output_index"]), sent)
        elif "response" in value:
            for place, item in enumerate(value["response"].get("output") or ()):
                changed = _settle_item(item, place, sent) or changed
            changed = _set_output_text(value["response"]) or changed
            changed = self._own(value["response"]) or changed
        return event(orjson.dumps(value), kind.encode()) if changed else piece.raw

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
        value = {"type": "response.completed", "response": {**self._head, "status": "completed", "output": []}}
        return event(orjson.dumps(value), b"response.completed")

    def blocked(self, sentence: str, code: str, ids: ReplyIds) -> bytes:
        """The sentence as a further delta of the open text or as an output of its own, then `response.incomplete` with
        the reason `content_filter` and the detail in the field `handrail`."""
        out = b""
        items: list[dict[str, Any]] = []
        if sentence:
            open_texts = [lane for lane in self._lanes if lane.endswith(":text")]
            if open_texts:
                out = self.more(open_texts[-1], sentence)
            items = [item_of(f"msg_{ids.interaction}", sentence)]
        response = filtered({**self._head, "id": self._head["id"] or f"resp_{ids.interaction}"}, items)
        response["handrail"] = {"code": code, "interaction": ids.interaction, "outcome": "blocked"}
        value = {"type": "response.incomplete", "response": response, "sequence_number": self._sequence + 1}
        return out + event(orjson.dumps(value), b"response.incomplete")

    def failed(self, error: HandrailError, ids: ReplyIds) -> bytes:
        about: Any = detail(Form.OPENAI, error, ids.interaction)["error"]
        value = {"type": "error", **about, "kind": about["type"], "sequence_number": self._sequence + 1}
        value["type"] = "error"
        return event(orjson.dumps(value), b"error")

    def said(self, sent: Mapping[str, str]) -> tuple[bytes, ...]:
        """One message per output item, as the client will send them back."""
        items: dict[str, list[str]] = {}
        for lane, text in sent.items():
            if lane == "sentence" or lane.endswith((":text", ":refusal")):
                items.setdefault(lane.partition(":")[0], []).append(text)
            elif lane in self.tools:
                items.setdefault(lane.partition(":")[0], []).append(call_text(self.tools[lane], text))
        return tuple(canonical(Role.ASSISTANT, texts) for texts in items.values())

    def _read(self, raw: bytes, value: dict[str, Any]) -> list[Piece]:
        kind: str = value["type"]
        base, _, step = kind.rpartition(".")
        if base in DELTAS:
            return [self._delta(raw, value, base)] if step == "delta" else self._done(raw, value, base)
        if kind in _BEGINS:
            response = value["response"]
            self._head = head_after(response, self._head)
            if isinstance(response.get("id"), str):
                self.reference = f"response:{response['id']}"
            return [Piece(raw, **_whole(value, response, self._asked), repeats=True, value=value)]
        if kind in _ENDS:
            self.complete = True
            usage, who = value["response"].get("usage"), made_by(value["response"])
            self.usage = Usage(count(usage, "input_tokens"), count(usage, "output_tokens"), who)
            items = value["response"].get("output") or ()
            missing = [piece for place, item in enumerate(items) for piece in self._unsaid(item, place)]
            whole = _whole(value, value["response"], self._asked)
            return [*missing, Piece(raw, **whole, repeats=True, last=True, value=value)]
        if kind in ("error", "response.failed"):
            raise HandrailError(Code.UPSTREAM_ERROR, "the provider ended its stream with an error")
        if kind == "response.output_item.added":
            item, place = value["item"], index_of(value["output_index"])
            if item["type"] in ("function_call", "custom_tool_call"):
                kind_of = "arguments" if item["type"] == "function_call" else "input"
                lane = f"{place}:0:{kind_of}"
                self.tools[lane] = str(item.get("name") or "")
                self._lanes[lane] = _where({"item_id": item.get("id"), "output_index": place})
            extra = (*_beside(value, _PLACES | {"item"}), *_texts(without_bytes(item), ("item",)))
            return [Piece(raw, extra=extra, value=value, unreadable=unread(item))]
        if kind == "response.output_item.done":
            item = value["item"]
            missing = self._unsaid(item, index_of(value["output_index"]))
            extra = (*_beside(value, _PLACES | {"item"}), *_beside_lanes(item, ("item",)))
            done = Piece(raw, extra=extra, repeats=True, value=value, unreadable=unread(item))
            return [*self._ended(kind, value), *missing, done]
        if kind in ("response.content_part.done", "response.reasoning_summary_part.done"):
            part = value["part"]
            read = _part_beside(part) if kind == "response.content_part.done" else {**part, "text": ""}
            extra = (*_beside(value, _PLACES | {"part"}), *_texts(read, ("part",)))
            return [Piece(raw, extra=extra, repeats=True, value=value, unreadable=unread(part))]
        if kind == _AUDIO and opaque(str(value["delta"])):
            extra = _beside(value, _DELTA_READ)
            return [Piece(raw, extra=extra, value=value, unreadable=("audio",))]
        if kind in _WHOLE:
            return [Piece(raw, extra=_texts(value, ()), value=value, unreadable=unread(value))]
        piece = self._growing.piece(raw, value, _texts(without_bytes(value), ()), kind)
        piece.unreadable = ("audio",) if kind == _AUDIO else unread(value)
        return [*self._ended(kind, value), piece]

    def _ended(self, kind: str, value: dict[str, Any]) -> list[Piece]:
        ends = self._growing.ending(kind, value) if kind.endswith("done") else ()
        return [Piece(b"", ends=ends, drop=True)] if ends else []

    def _delta(self, raw: bytes, value: dict[str, Any], base: str) -> Piece:
        lane_kind, _, channel = DELTAS[base]
        lane = _lane(value, lane_kind)
        first = self._lanes.get(lane, {})
        known = (  # the same as the first of its lane, which was read; `_lane` has checked its places
            value.keys() <= _DELTA_READ
            and value.get("item_id") == first.get("item_id")
            and value.get("summary_index") == first.get("summary_index")
            and value.get("sequence_number") == self._sequence
        )
        self._seen(lane, value)
        extra = () if known else _beside(value, _DELTA_READ)
        noise = value.get("obfuscation")
        if noise and not (isinstance(noise, str) and identifier(f"x{noise}")):
            extra += _texts({"obfuscation": noise}, ())
        extra += self._growing.again(value, _tokens(value, "delta")) if value.get("logprobs") else ()
        return Piece(raw, lane, channel, str(value["delta"]), True, extra=extra, value=value)

    def _done(self, raw: bytes, value: dict[str, Any], base: str) -> list[Piece]:
        """The end of a lane; a text that came without deltas is read as one."""
        lane_kind, slot, channel = DELTAS[base]
        lane = _lane(value, lane_kind)
        pieces: list[Piece] = []
        if (lane not in self._lanes or lane in self.tools) and not self._lanes.get(lane, {}).get("grown"):
            pieces = self._late(lane, channel, str(value.get(slot) or ""), value)
        extra = (*_beside(value, _PLACES | {slot, "logprobs"}), *_tokens(value, slot))
        return [*pieces, Piece(raw, ends=(lane,), extra=extra, repeats=True, value=value)]

    def _late(self, lane: str, channel: Channel, text: str, value: dict[str, Any]) -> list[Piece]:
        if not text:
            return []
        self._seen(lane, value)
        name = _NAME_OF[lane.rpartition(":")[2]] + ".delta"
        made = {"type": name, **self.place(lane), "delta": text}
        return [Piece(event(orjson.dumps(made), name.encode()), lane, channel, text, True, value=made)]

    def _unsaid(self, item: dict[str, Any], place: int) -> list[Piece]:
        """Texts of a finished item that no delta brought: they must be read before it goes on."""
        pieces: list[Piece] = []
        at = {"item_id": item.get("id"), "output_index": place}
        slot, kind = _item_lane(item)
        lane = f"{place}:0:{kind}"
        if slot and not self._lanes.get(lane, {}).get("grown"):
            if item["type"] in ("function_call", "custom_tool_call"):
                self.tools[lane] = str(item.get("name") or "")
            pieces += [
                *self._late(lane, DELTAS[_NAME_OF[kind]][2], item[slot], at),
                Piece(b"", ends=(lane,), drop=True),
            ]
        for part_place, part in enumerate(item.get("content") or ()):
            slot, kind = _PART_LANES.get(part["type"], ("", ""))
            lane = f"{place}:{part_place}:{kind}"
            if slot and part.get(slot) and lane not in self._lanes:
                channel = DELTAS[_NAME_OF[kind]][2]
                pieces += self._late(lane, channel, str(part[slot]), {**at, "content_index": part_place})
                pieces.append(Piece(b"", ends=(lane,), drop=True))
        for part_place, part in enumerate(item.get("summary") or ()):
            lane = f"{place}:{part_place}:summary"
            if part.get("text") and lane not in self._lanes:
                pieces += self._late(lane, Channel.REASONING, str(part["text"]), {**at, "summary_index": part_place})
                pieces.append(Piece(b"", ends=(lane,), drop=True))
        return pieces

    def _seen(self, lane: str, value: dict[str, Any]) -> None:
        if lane not in self._lanes or not self._lanes[lane].get("grown"):
            self._lanes[lane] = {**_where(value), "grown": True}

    def place(self, lane: str) -> dict[str, Any]:
        """The fields that say where a lane's events belong."""
        return {name: part for name, part in self._lanes[lane].items() if name != "grown"}

    def _own(self, response: dict[str, Any]) -> bool:
        """The client sees the instructions it sent, never ours."""
        given = self._asked.get("instructions")
        if "instructions" not in response or response["instructions"] == given:
            return False
        response["instructions"] = given
        return True


def _set_output_text(response: dict[str, Any]) -> bool:
    return bool(response.get("output_text")) and _set(response, "output_text", joined(response))


def _whole(value: dict[str, Any], response: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """`extra` and `unreadable` of an event that holds a response."""
    known = {name: part for name, part in response.items() if name not in ANSWER_HANDLED}
    items = response.get("output") or ()
    extra = [*_beside(value, _PLACES | {"response"}), *_texts(known, ("response",))]
    extra += echoed(response, asked, ("response",))
    for place, item in enumerate(items):
        extra += _beside_lanes(item, ("response", "output", place))
    return {"extra": tuple(extra), "unreadable": unread(items if isinstance(items, list) else [])}


def _beside(value: dict[str, Any], read: frozenset[str]) -> tuple[Leaf, ...]:
    """Texts of an event in fields other than those of `read`, and where something else stands than the field is for."""
    odd = {name: part for name, part in value.items() if name not in read or (name in _PLACES and _odd(name, part))}
    return _texts(odd, ()) if odd else ()


def _odd(name: str, part: Any) -> bool:
    """Whether a field that says where an event belongs holds anything but an id or a small number."""
    if name == "type" or part is None:
        return False  # the type is known, or the event would not be read here
    return not (isinstance(part, str) and identifier(part)) if name == "item_id" else not small(part)


def _where(value: Mapping[str, Any]) -> dict[str, Any]:
    """Where an event belongs, as further events may say it: nothing that a value could hide in."""
    where = {name: value[name] for name in _WHERE[1:] if small(value.get(name))}
    if value.get("item_id") is None:
        return where
    return {"item_id": value["item_id"] if harmless(value["item_id"]) else f"item_{where['output_index']}", **where}


def _beside_lanes(item: dict[str, Any], at: Path) -> tuple[Leaf, ...]:
    """Texts of a finished item that no lane says: citations, what hosted tools did, fields that nobody knows."""
    said, _ = _item_lane(item)
    read = {name: part for name, part in without_bytes(item).items() if name != said}
    if isinstance(item.get("content"), list):
        read["content"] = [_part_beside(part) for part in item["content"]]
    if isinstance(item.get("summary"), list):
        read["summary"] = [{**part, "text": ""} for part in item["summary"]]
    leaves: list[Leaf] = []
    if isinstance(read.get("arguments"), str):
        arguments(read.pop("arguments"), (*at, "arguments"), "", leaves)
    return (*leaves, *_texts(read, at))


def _part_beside(part: dict[str, Any]) -> dict[str, Any]:
    """A part without the text that a lane says, and of its log probabilities what they say besides."""
    slot, _ = _PART_LANES.get(part["type"], ("", ""))
    if not slot:
        return part
    return {**part, slot: "", "logprobs": beside(part.get("logprobs"), str(part.get(slot) or ""))}


def _tokens(value: dict[str, Any], slot: str) -> list[Leaf]:
    """What the log probabilities of an event say besides its text."""
    more = beside(value.get("logprobs"), str(value.get(slot) or ""))
    return [Leaf(Channel.ASSISTANT, more, ("logprobs",))] if more else []


def _item_lane(item: dict[str, Any]) -> tuple[str, str]:
    """The field that a lane says and the lane's kind; both empty when there is none."""
    slot, kind = _ITEM_LANES.get(item["type"], ("", ""))
    return (slot, kind) if slot and isinstance(item.get(slot), str) else ("", "")


def _lane(value: dict[str, Any], kind: str) -> str:
    part = value.get("content_index", value.get("summary_index", 0))
    return f"{index_of(value['output_index'])}:{index_of(part)}:{kind}"


def _set(node: dict[str, Any], slot: str, new: str | None) -> bool:
    if new is None:
        new = ""
    if node.get(slot) == new or (not new and not node.get(slot)):
        return False
    node[slot] = new
    return True


def _settle_part(part: dict[str, Any], at: str, sent: Mapping[str, str]) -> bool:
    slot, kind = _PART_LANES.get(part["type"], ("", ""))
    changed = bool(slot) and _set(part, slot, sent.get(f"{at}:{kind}"))
    if changed and part.get("logprobs"):
        part["logprobs"] = []
    return changed


def _settle_item(item: dict[str, Any], place: int, sent: Mapping[str, str]) -> bool:
    slot, kind = _item_lane(item)
    changed = bool(slot) and _set(item, slot, sent.get(f"{place}:0:{kind}"))
    for index, part in enumerate(item.get("content") or ()):
        changed = _settle_part(part, f"{place}:{index}", sent) or changed
    for index, part in enumerate(item.get("summary") or ()):
        changed = _set(part, "text", sent.get(f"{place}:{index}:summary")) or changed
    return changed


def _texts(value: dict[str, Any], at: Path) -> tuple[Leaf, ...]:
    """Texts of an event that are no lane."""
    leaves: list[Leaf] = []
    read = {
        name: part
        for name, part in value.items()
        if not (name == "sequence_number" and small(part)) and not coded(name, part)
    }
    fields(read, at, Channel.ASSISTANT, leaves, safe=NAMED)
    return tuple(leaves)
