"""Chat Completions as a stream: chunks to pieces of text and back.

Lanes are `choice:field` (`0:content`), `choice:tool:index` (`0:tool:1`) and `choice:~number` for a text of a delta in a
place that this file does not know, which grows as well (`gateway.chat_grown`). Nearly every event differs from the one
before only in its text: such an event is recognised by equal bytes around a plain string, so it needs no parsing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from handrail.gateway import exact
from handrail.gateway.chat_grown import Grown
from handrail.gateway.errors import Form, detail
from handrail.gateway.fields import call_text, count, made_by
from handrail.gateway.leaves import (
    LONG_TIME,
    NOISE,
    SAFE_SLOTS,
    arguments,
    fields,
    harmless,
    identifier,
    media,
    within,
)
from handrail.gateway.logprobs import of_choice
from handrail.gateway.sse import Events, Shape, bare, data_of, event, shape_of
from handrail.guard.turn import Channel, Leaf, Path, Piece, ReplyIds, Turn, Usage, canonical
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
_CHUNK_HANDLED: Final = frozenset({"choices"})
_CHOICE_HANDLED: Final = frozenset({"delta", "logprobs"})
_CALLS: Final = frozenset({"tool_calls", "function_call"})
_DELTA_HANDLED: Final = _CALLS | SPOKEN.keys()
_CALL: Final = ("function", "custom")
_CALLED: Final = ("function", "arguments")
_CHOICE: Final[Path] = ("choices", 0)
_DELTA: Final[Path] = (*_CHOICE, "delta")
_SOUND: Final[Path] = (*_DELTA, "audio", "data")
_NAME: Final = frozenset({"name"})
_MARK: Final = b'"content":"'


class ChatCodec:
    """One stream. Implements `guard.turn.Codec`."""

    __slots__ = (
        "_around", "_done", "_events", "_grown", "_head", "_open", "_said_end", "_shape", "_slots", "_turn",
        "reference", "tools", "usage",
    )  # fmt: skip

    def __init__(self, turn: Turn) -> None:
        self.usage = Usage()
        self.reference = ""
        self.tools: dict[str, str] = {}
        self._turn = turn
        self._events = Events()
        self._open: dict[int, list[str]] = {}
        self._said_end: set[int] = set()
        self._done = False
        self._grown = Grown()
        self._head: dict[str, Any] = {}
        self._shape: Shape | None = None
        self._around: dict[str, Any] | None = None  # what stood around the choices and held nothing to be read
        self._slots: dict[str, tuple[str, str]] = {}  # lane of a call to where its text stands

    @property
    def complete(self) -> bool:
        """The provider said that it is done, or every choice that was begun has its end."""
        return self._done or (bool(self._said_end) and self._said_end.issuperset(self._open))

    @property
    def usual(self) -> Shape | None:
        return None if self._events.pending else self._shape

    def feed(self, chunk: bytes) -> Iterator[Piece]:
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
        if piece.lane in self._grown:
            self._grown.put(choice["delta"], piece.lane, new)
        else:
            _put(choice["delta"], piece.lane, new)
        choice["logprobs"] = None
        return event(orjson.dumps(value))

    def more(self, lane: str, text: str) -> bytes:
        index, _, slot = lane.partition(":")
        delta: dict[str, Any] = {}
        if lane in self._grown:
            delta = self._grown.more(lane, text)
        elif slot.startswith("tool:"):
            inner, name = self._slots.get(lane, _CALLED)
            delta["tool_calls"] = [{"index": int(slot[5:]), inner: {name: text}}]
        elif slot == "call":
            delta["function_call"] = {"arguments": text}
        else:
            delta[slot] = text
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
        raw = bare(raw, data)
        if not data:
            pieces.append(Piece(raw))
            return
        if data == b"[DONE]":
            self._done = True
            pieces.append(Piece(raw, last=True))
            return
        try:
            value = exact.said(data)
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
        _, extra = self._unknown(0, value, {}, {})
        asked = self._turn.wants_usage or value.get("usage") is None
        pieces.append(Piece(raw, extra=extra, drop=not asked, value=value))

    def _one(self, raw: bytes, value: dict[str, Any], choice: dict[str, Any], pieces: list[Piece]) -> None:
        self._counted(value)
        if not self._head:
            self._head = _head(value, self._turn.model)
        index = int(choice.get("index", 0))
        delta = choice.get("delta") or {}
        texts = self._texts(index, delta)
        grown, extra = self._unknown(index, value, choice, delta)
        texts += grown
        more = of_choice(choice.get("logprobs"), delta) if texts else ""
        if more:
            extra += tuple(self._grown.again(index, [Leaf(Channel.ASSISTANT, more, (*_CHOICE, "logprobs"))]))
        self._open[index] += [lane for lane, _, _ in texts if lane not in self._open[index]]
        unread = _unreadable(delta)
        ended = choice.get("finish_reason") is not None
        if ended:
            self._said_end.add(index)
        for place, (lane, channel, text) in enumerate(texts):
            if len(texts) > 1:  # one event per lane, so that each can wait or go on its own
                only = self._only(value, choice, delta, place, [each for each, _, _ in texts])
                made = event(orjson.dumps(only))
                alone = place > 0 and lane.rpartition(":")[2] in SPOKEN
                piece = Piece(made, lane, channel, text, alone, value=only)
            else:
                alone = len(delta) == 1 and not ended and lane.rpartition(":")[2] in SPOKEN
                if channel is Channel.TOOL_ARGUMENTS:
                    call = delta["tool_calls"][0] if "tool_calls" in delta else delta["function_call"]
                    alone = len(delta) == 1 and not (
                        call.get("id") or (call.get("function") or call.get("custom") or call).get("name")
                    )
                piece = Piece(raw, lane, channel, text, alone, value=value)
                if alone and lane.endswith(":content") and choice.get("logprobs") is None:
                    self._shape = shape_of(raw, _MARK, text, lane, channel) or self._shape
            if not place:
                piece.extra, piece.unreadable = extra, unread
            pieces.append(piece)
        ends = tuple(self._open[index]) if ended else ()
        if ended and texts:  # the text must come out before the end: the end becomes an event of its own
            for piece in pieces[-len(texts) :]:
                piece.value = _without_end(piece.value)
                piece.raw = event(orjson.dumps(piece.value))
            end = {**value, "choices": [{**choice, "delta": {}, "logprobs": None}]}
            pieces.append(Piece(event(orjson.dumps(end)), ends=ends, value=end))
        if not texts:
            if _tokens(choice.get("logprobs")):  # of a text that stands elsewhere and may have been changed
                value = {**value, "choices": [{**choice, "logprobs": None}]}
                raw = event(orjson.dumps(value))
            pieces.append(Piece(raw, ends=ends, extra=extra, value=value, unreadable=unread))

    def _texts(self, index: int, delta: dict[str, Any]) -> list[tuple[str, Channel, str]]:
        """What this delta adds, by lane."""
        texts: list[tuple[str, Channel, str]] = []
        self._open.setdefault(index, [])
        for slot, channel in SPOKEN.items():
            text = delta.get(slot)
            if text:
                texts.append((f"{index}:{slot}", channel, str(text)))
        for call in delta.get("tool_calls") or ():
            lane = f"{index}:tool:{int(call.get('index', 0))}"
            for name in _CALL:
                self._named(lane, call.get(name) or {})
            said = _slot(call)
            if said is not None:
                self._slots[lane] = said
            texts.append((lane, Channel.TOOL_ARGUMENTS, str(call[said[0]][said[1]]) if said is not None else ""))
        if delta.get("function_call"):
            lane = f"{index}:call"
            function = delta["function_call"]
            self._named(lane, function)
            texts.append((lane, Channel.TOOL_ARGUMENTS, str(function.get("arguments") or "")))
        return texts

    def _named(self, lane: str, function: dict[str, Any]) -> None:
        """The name of a tool, which some providers repeat and clients put together."""
        name = str(function.get("name") or "")
        if name and name != self.tools.get(lane):
            self.tools[lane] = self.tools.get(lane, "") + name

    def _unknown(
        self, index: int, value: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any]
    ) -> tuple[list[tuple[str, Channel, str]], tuple[Leaf, ...]]:
        """Texts in places that the dialect does not know: those of the delta grow, each a lane; others do not."""
        leaves: list[Leaf] = []
        self._around_choices(value, leaves)
        fields(choice, _CHOICE, Channel.ASSISTANT, leaves, but=_CHOICE_HANDLED)
        if leaves:
            leaves = self._grown.again(index, leaves)
        if not delta:
            return [], tuple(leaves)
        found: list[Leaf] = []
        texts: list[tuple[str, Channel, str]] = []
        fields(delta, _DELTA, Channel.ASSISTANT, found, but=_DELTA_HANDLED)
        if found:
            leaves += [leaf for leaf in found if leaf.key or leaf.number]
            growing = [leaf for leaf in found if not (leaf.key or leaf.number or leaf.path == _SOUND)]
            lanes = self._grown.lanes(index, delta, [leaf.path[len(_DELTA) :] for leaf in growing])
            texts = [(lane, Channel.ASSISTANT, leaf.text) for lane, leaf in zip(lanes, growing, strict=True)]
        if not _CALLS.isdisjoint(delta):
            leaves += self._grown.again(index, self._in_calls(index, delta))
        return texts, tuple(leaves)

    def _around_choices(self, value: dict[str, Any], leaves: list[Leaf]) -> None:
        """Texts beside the choices. Most events of a stream say the same there, with nothing to be read in it."""
        around = {name: part for name, part in value.items() if name not in _CHUNK_HANDLED}
        noise = around.get("obfuscation")
        if isinstance(noise, str) and NOISE.fullmatch(noise) is not None:  # new in each event
            del around["obfuscation"]
        if around == self._around:
            return
        found: list[Leaf] = []
        fields(around, (), Channel.ASSISTANT, found)
        self._around = None if found else around
        leaves += found

    def _in_calls(self, index: int, delta: dict[str, Any]) -> list[Leaf]:
        """What calls of tools hold besides the text that is read as their arguments."""
        leaves: list[Leaf] = []
        for place, call in enumerate(delta.get("tool_calls") or ()):
            lane = f"{index}:tool:{int(call.get('index', 0))}"
            at = (*_DELTA, "tool_calls", place)
            said = _slot(call)
            for name in _CALL:
                slot = said[1] if said is not None and said[0] == name else ""
                self._call(lane, call.get(name) or {}, slot, (*at, name), leaves)
            fields(call, at, Channel.ASSISTANT, leaves, but=_CALL)
        if delta.get("function_call"):
            self._call(f"{index}:call", delta["function_call"], "arguments", (*_DELTA, "function_call"), leaves)
        return leaves

    def _call(self, lane: str, call: dict[str, Any], slot: str, at: Path, leaves: list[Leaf]) -> None:
        """What a tool call holds besides the text in `slot`. Its name is read as clients put it together."""
        fields(call, at, Channel.ASSISTANT, leaves, but=("name", slot))
        if call.get("name"):
            fields({"name": self.tools.get(lane, "")}, at, Channel.ASSISTANT, leaves, safe=_NAME)

    def _only(
        self, value: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any], place: int, lanes: list[str]
    ) -> dict[str, Any]:
        """The chunk with one lane's text; what belongs to no lane (the role) stays with the first."""
        lane = lanes[place]
        slot = lane.partition(":")[2]
        taken = {*SPOKEN, *_CALLS, *self._grown.fields(lanes)}
        kept = {name: part for name, part in delta.items() if not place and name not in taken}
        if slot.startswith("tool:"):
            same = [call for call in delta["tool_calls"] if int(call.get("index", 0)) == int(slot[5:])]
            kept["tool_calls"] = [same[lanes[:place].count(lane)]]  # some providers number every call alike
        elif slot == "call":
            kept["function_call"] = delta["function_call"]
        elif lane in self._grown:
            kept.update(self._grown.only(delta, lane, lanes))
        else:
            kept[slot] = delta[slot]
        return {**value, "choices": [{**choice, "delta": kept, "logprobs": None}]}

    def _counted(self, value: dict[str, Any]) -> None:
        usage = value.get("usage")
        if usage:
            self.usage = Usage(count(usage, "prompt_tokens"), count(usage, "completion_tokens"), made_by(value))


def _slot(call: dict[str, Any]) -> tuple[str, str] | None:
    """Where the text of a tool call stands that is read as its arguments: the first that says anything."""
    for name in _CALL:
        for slot in ("arguments", "input"):
            if (call.get(name) or {}).get(slot):
                return name, slot
    return None


def _put(delta: dict[str, Any], lane: str, new: str) -> None:
    slot = lane.partition(":")[2]
    if slot.startswith("tool:"):
        call = delta["tool_calls"][0]
        said = _slot(call)
        if said is not None:
            call[said[0]][said[1]] = new
    elif slot == "call":
        delta["function_call"]["arguments"] = new
    else:
        delta[slot] = new


def _head(value: dict[str, Any], model: str) -> dict[str, Any]:
    """What stands at the head of the chunks that are written here: nothing that a value could hide in."""
    head: dict[str, Any] = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": model}
    head.update((name, part) for name, part in value.items() if name in SAFE_SLOTS and harmless(part))
    made = value.get("created")
    if isinstance(made, int) and abs(made) < LONG_TIME:
        head["created"] = made
    return head


def _unreadable(delta: dict[str, Any]) -> tuple[str, ...]:
    """Parts of a delta that no detector can read."""
    if len(delta) == 1 and "content" in delta:
        return ()
    audio = delta.get("audio")
    found = ["audio"] if isinstance(audio, dict) and audio.get("data") else []
    for name, part in delta.items():
        if name not in _CALLS and name != "audio" and media(part):
            found.append(name if identifier(name) else "unknown")
    return tuple(found)


def _tokens(logprobs: Any) -> bool:
    """Whether logprobs hold anything: providers send empty ones with events that bring no text."""
    if isinstance(logprobs, dict) and logprobs.keys() <= SPOKEN.keys():
        return any(logprobs.values())
    return bool(logprobs)


def _without_end(value: dict[str, Any]) -> dict[str, Any]:
    choice = value["choices"][0]
    return {**value, "choices": [{**choice, "finish_reason": None}]}
