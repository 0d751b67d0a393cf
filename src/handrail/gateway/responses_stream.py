"""Responses as a stream. Lanes are `output:part:kind`: `0:0:text`, `1:0:arguments`, `0:0:summary`.

Many events say again what lanes said (`...done`, `response.completed`); they go on with what was really sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count
from handrail.gateway.leaves import SAFE_SLOTS, arguments, identifier, walk, within
from handrail.gateway.sse import Events, data_of, event
from handrail.guard.turn import Channel, Leaf, Piece, ReplyIds, Turn, Usage, canonical
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

DELTAS: Final = {
    "response.output_text": ("text", "text", Channel.ASSISTANT),
    "response.refusal": ("refusal", "refusal", Channel.REFUSAL),
    "response.function_call_arguments": ("arguments", "arguments", Channel.TOOL_ARGUMENTS),
    "response.custom_tool_call_input": ("input", "input", Channel.TOOL_ARGUMENTS),
    "response.reasoning_summary_text": ("summary", "text", Channel.REASONING),
    "response.reasoning_text": ("reasoning", "text", Channel.REASONING),
}
"""Event name before `.delta` and `.done` to lane kind, field of the `.done` event, and channel."""

_NAME_OF: Final = {kind: name for name, (kind, _, _) in DELTAS.items()}
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_BEGINS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_ITEM_LANES: Final = {"arguments": "arguments", "input": "input"}


class ResponsesCodec:
    """One stream. Implements `guard.turn.Codec`."""

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self.complete = False
        self._instructions: Any = orjson.loads(turn.body).get("instructions")
        self._events = Events()
        self._lanes: dict[str, dict[str, Any]] = {}  # lane to the place fields of its events
        self._response: dict[str, Any] = {}
        self._sequence = 0

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        for raw in self._events.feed(chunk):
            data = data_of(raw)
            if not data or data == b"[DONE]":
                yield Piece(raw)
                continue
            try:
                value = orjson.loads(data)
                self._sequence = int(value.get("sequence_number") or self._sequence)
                pieces = self._read(raw, value)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, IndexError):
                raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream is no response") from None
            yield from pieces

    def text(self, piece: Piece, new: str) -> bytes:
        value = {**piece.value, "delta": new}
        if "logprobs" in value:
            value["logprobs"] = []
        value.pop("obfuscation", None)
        return event(orjson.dumps(value), value["type"].encode())

    def more(self, lane: str, text: str) -> bytes:
        name = _NAME_OF[lane.rpartition(":")[2]] + ".delta"
        value = {"type": name, **self.place(lane), "delta": text, "sequence_number": self._sequence}
        if name.startswith("response.output_text"):
            value["logprobs"] = []
        return event(orjson.dumps(value), name.encode())

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        value = piece.value
        for leaf, new in changes.items():
            node = value
            for step in leaf.path[:-1]:
                node = node[step]
            node[leaf.path[-1]] = new
        return event(orjson.dumps(value), value["type"].encode())

    def settled(self, piece: Piece, sent: Mapping[str, str]) -> bytes:
        """Unchanged bytes when what is repeated is what was sent."""
        value = piece.value
        kind: str = value["type"]
        changed = False
        if kind.endswith(".done") and kind[:-5] in DELTAS:
            lane_kind, field, _ = DELTAS[kind[:-5]]
            changed = _set(value, field, sent.get(_lane(value, lane_kind)))
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
        value = {"type": "response.completed", "response": {**self._response, "status": "completed"}}
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
        response = filtered({**self._response, "id": self._response.get("id", f"resp_{ids.interaction}")}, items)
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
            self._response = value["response"]
            if isinstance(self._response.get("id"), str):
                self.reference = f"response:{self._response['id']}"
            return [Piece(raw, repeats=True, value=value)]
        if kind in _ENDS:
            self.complete = True
            usage = value["response"].get("usage")
            self.usage = Usage(count(usage, "input_tokens"), count(usage, "output_tokens"))
            items = value["response"].get("output") or ()
            missing = [piece for place, item in enumerate(items) for piece in self._unsaid(item, place)]
            return [*missing, Piece(raw, extra=_foreign(items), repeats=True, last=True, value=value)]
        if kind in ("error", "response.failed"):
            raise HandrailError(Code.UPSTREAM_ERROR, "the provider ended its stream with an error")
        if kind == "response.output_item.added":
            item, place = value["item"], int(value["output_index"])
            if item["type"] in ("function_call", "custom_tool_call"):
                kind_of = "arguments" if item["type"] == "function_call" else "input"
                lane = f"{place}:0:{kind_of}"
                self.tools[lane] = str(item.get("name") or "")
                self._lanes[lane] = {"item_id": item.get("id"), "output_index": place}
            return [Piece(raw, extra=_texts(item, ("item",)), value=value)]
        if kind == "response.output_item.done":
            item = value["item"]
            missing = self._unsaid(item, int(value["output_index"]))
            return [*missing, Piece(raw, extra=_foreign([item]), repeats=True, value=value)]
        if kind in ("response.content_part.done", "response.reasoning_summary_part.done"):
            return [Piece(raw, repeats=True, value=value)]
        return [Piece(raw, extra=_texts(value, ()), value=value)]

    def _delta(self, raw: bytes, value: dict[str, Any], base: str) -> Piece:
        lane_kind, _, channel = DELTAS[base]
        lane = _lane(value, lane_kind)
        self._seen(lane, value)
        return Piece(raw, lane, channel, str(value["delta"]), True, value=value)

    def _done(self, raw: bytes, value: dict[str, Any], base: str) -> list[Piece]:
        """The end of a lane; a text that came without deltas is read as one."""
        lane_kind, field, channel = DELTAS[base]
        lane = _lane(value, lane_kind)
        pieces: list[Piece] = []
        if (lane not in self._lanes or lane in self.tools) and not self._lanes.get(lane, {}).get("grown"):
            pieces = self._late(lane, channel, str(value.get(field) or ""), value)
        return [*pieces, Piece(raw, ends=(lane,), repeats=True, value=value)]

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
        for field, channel in (("arguments", Channel.TOOL_ARGUMENTS), ("input", Channel.TOOL_ARGUMENTS)):
            lane = f"{place}:0:{field}"
            if isinstance(item.get(field), str) and not self._lanes.get(lane, {}).get("grown"):
                self.tools[lane] = str(item.get("name") or "")
                pieces += [*self._late(lane, channel, item[field], at), Piece(b"", ends=(lane,), drop=True)]
        for part_place, part in enumerate(item.get("content") or ()):
            kind = {"output_text": "text", "refusal": "refusal", "reasoning_text": "reasoning"}.get(part.get("type"))
            if kind is None:
                continue
            lane = f"{place}:{part_place}:{kind}"
            text = part.get("refusal") if kind == "refusal" else part.get("text")
            if text and lane not in self._lanes:
                channel = DELTAS[_NAME_OF[kind]][2]
                pieces += self._late(lane, channel, str(text), {**at, "content_index": part_place})
                pieces.append(Piece(b"", ends=(lane,), drop=True))
        for part_place, part in enumerate(item.get("summary") or ()):
            lane = f"{place}:{part_place}:summary"
            if part.get("text") and lane not in self._lanes:
                pieces += self._late(lane, Channel.REASONING, str(part["text"]), {**at, "summary_index": part_place})
                pieces.append(Piece(b"", ends=(lane,), drop=True))
        return pieces

    def _seen(self, lane: str, value: dict[str, Any]) -> None:
        if lane not in self._lanes or not self._lanes[lane].get("grown"):
            names = ("item_id", "output_index", "content_index", "summary_index")
            self._lanes[lane] = {**{name: value[name] for name in names if name in value}, "grown": True}

    def place(self, lane: str) -> dict[str, Any]:
        """The fields that say where a lane's events belong."""
        return {name: part for name, part in self._lanes[lane].items() if name != "grown"}

    def _own(self, response: dict[str, Any]) -> bool:
        """The client sees the instructions it sent, never ours."""
        if "instructions" not in response or response["instructions"] == self._instructions:
            return False
        response["instructions"] = self._instructions
        return True


def _foreign(items: Any) -> tuple[Leaf, ...]:
    """Texts of finished items that have no lanes, such as calls of hosted tools."""
    known = ("message", "function_call", "custom_tool_call", "reasoning")
    return tuple(leaf for item in items if item.get("type") not in known for leaf in _texts(item, ("item",)))


def item_of(name: str, text: str) -> dict[str, Any]:
    """An output message that says `text`."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": name, "type": "message", "role": "assistant", "status": "incomplete", "content": [part]}


def filtered(head: Mapping[str, Any], output: list[dict[str, Any]]) -> dict[str, Any]:
    """A response that the filter ended."""
    return {**head, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": output}


def _lane(value: dict[str, Any], kind: str) -> str:
    part = value.get("content_index", value.get("summary_index", 0))
    return f"{int(value['output_index'])}:{int(part)}:{kind}"


def _set(node: dict[str, Any], field: str, new: str | None) -> bool:
    if new is None:
        new = ""
    if node.get(field) == new or (not new and not node.get(field)):
        return False
    node[field] = new
    return True


def _settle_part(part: dict[str, Any], at: str, sent: Mapping[str, str]) -> bool:
    kind = part.get("type")
    if kind == "output_text":
        changed = _set(part, "text", sent.get(f"{at}:text"))
        if changed and part.get("logprobs"):
            part["logprobs"] = []
        return changed
    if kind == "refusal":
        return _set(part, "refusal", sent.get(f"{at}:refusal"))
    return _set(part, "text", sent.get(f"{at}:reasoning")) if kind == "reasoning_text" else False


def _settle_item(item: dict[str, Any], place: int, sent: Mapping[str, str]) -> bool:
    changed = False
    for field, kind in _ITEM_LANES.items():
        if isinstance(item.get(field), str):
            changed = _set(item, field, sent.get(f"{place}:0:{kind}")) or changed
    for index, part in enumerate(item.get("content") or ()):
        changed = _settle_part(part, f"{place}:{index}", sent) or changed
    for index, part in enumerate(item.get("summary") or ()):
        changed = _set(part, "text", sent.get(f"{place}:{index}:summary")) or changed
    return changed


def _texts(value: dict[str, Any], at: tuple[str | int, ...]) -> tuple[Leaf, ...]:
    """Texts of an event that are no lane."""
    leaves: list[Leaf] = []
    for name, part in value.items():
        safe = isinstance(part, str) and (name in SAFE_SLOTS or name == "name") and identifier(part)
        if part is not None and name != "sequence_number" and not safe:
            walk(part, (*at, name), Channel.ASSISTANT, leaves)
    return tuple(leaves)
