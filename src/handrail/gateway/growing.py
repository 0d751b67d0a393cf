"""Texts of stream events that a dialect does not know, read so that no value hides by being cut over several of them.

An unknown event whose type ends in `delta` grows a lane: its first text waits and is cleared like any other. Every
other text of an unknown event is read whole, and where the same text of the same event has come before, once more with
the end of what came before in front of it; a finding in both together cannot be masked any more and ends the stream.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from handrail.gateway.leaves import identifier, within
from handrail.gateway.sse import event
from handrail.guard.turn import Channel, Leaf, Path, Piece

PLACES: Final = ("type", "item_id", "call_id", "index", "output_index", "content_index", "summary_index")
"""Fields that say which text an event belongs to. Ids that are new in every event do not stand here."""

TAIL: Final = 200
"""Characters of a text that are read again in front of what follows: longer than any value of a window kind."""


class Growing:
    """The unknown events of one stream."""

    def __init__(self) -> None:
        self._lanes: dict[str, tuple[dict[str, Any], Path]] = {}
        self._tails: dict[tuple[str, Path], str] = {}

    def piece(self, raw: bytes, value: dict[str, Any], leaves: tuple[Leaf, ...], kind: str) -> Piece:
        """`leaves`: the texts of `value` with their paths in it. `kind`: what decides whether the event grows."""
        place = _place(value)
        growing = next((leaf for leaf in leaves if _grows(leaf)), None) if kind.endswith("delta") else None
        extra = self._again(place, [leaf for leaf in leaves if leaf is not growing])
        if growing is None:
            return Piece(raw, extra=extra, value=value)
        lane = f"{place}#{orjson.dumps(growing.path).decode()}#"
        if lane not in self._lanes:
            empty: dict[str, Any] = orjson.loads(orjson.dumps(value))
            put(empty, {leaf: "" for leaf in leaves if _grows(leaf)})
            self._lanes[lane] = (empty, growing.path)
        return Piece(raw, lane, Channel.ASSISTANT, growing.text, False, extra=extra, value=value)

    def again(self, value: Mapping[str, Any], leaves: list[Leaf]) -> tuple[Leaf, ...]:
        """The texts of an event, and each once more behind the end of what stood in its place before."""
        return self._again(_place(value), leaves)

    def __contains__(self, lane: str) -> bool:
        return lane in self._lanes

    def text(self, piece: Piece, new: str) -> bytes:
        """The event with another text in its lane; bytes that hide its length go."""
        put(piece.value, {Leaf(piece.channel, "", self._lanes[piece.lane][1]): new})
        piece.value.pop("obfuscation", None)
        return written(piece.value)

    def more(self, lane: str, text: str) -> bytes:
        """A further event of the lane, with nothing else in it."""
        empty, path = self._lanes[lane]
        value = orjson.loads(orjson.dumps(empty))
        put(value, {Leaf(Channel.ASSISTANT, "", path): text})
        return written(value)

    def ending(self, kind: str, value: Mapping[str, Any]) -> tuple[str, ...]:
        """Lanes that the event `kind` ends: of its own name with `delta`, or all of an item that is done."""
        item = kind == "response.output_item.done"
        return tuple(
            lane
            for lane, (first, _) in self._lanes.items()
            if first.get("output_index") == value.get("output_index")
            and (item or first["type"] == f"{kind.removesuffix('done')}delta")
        )

    def _again(self, place: str, leaves: list[Leaf]) -> tuple[Leaf, ...]:
        out = list(leaves)
        for leaf in leaves:
            if leaf.key:
                continue
            slot = (place, leaf.path)
            before = self._tails.get(slot, "")
            if before:
                out.append(Leaf(leaf.channel, before + leaf.text[:TAIL], leaf.path, key=True))
            self._tails[slot] = (before + leaf.text)[-TAIL:]
        return tuple(out)


def put(value: Any, changes: Mapping[Leaf, Any]) -> None:
    """Changed texts, or what stands for them, at their places in `value`, inside an arguments string too."""
    inside: dict[Path, dict[Path, bytes]] = {}
    for leaf, new in changes.items():
        node = value
        for step in leaf.path[:-1]:
            node = node[step]
        if leaf.inner is None:
            node[leaf.path[-1]] = new
        else:
            inside.setdefault(leaf.path, {})[leaf.inner] = orjson.dumps(new)
    for path, inner in inside.items():
        node = value
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = within(node[path[-1]], inner)


def written(value: Mapping[str, Any]) -> bytes:
    """The event of a value that carries its own type."""
    name = value["type"]
    return event(orjson.dumps(value), name.encode() if identifier(name) else b"")


def named(raw: bytes, value: Mapping[str, Any]) -> bytes:
    """The event with nothing but its data and its type as its name, when it also holds an id, a comment, another name
    or a field that nobody reads."""
    name = value["type"].encode()
    for line in raw.splitlines():
        if line and not line.startswith(b"data:") and line not in (b"event: " + name, b"event:" + name):
            return written(value)
    return raw


def _grows(leaf: Leaf) -> bool:
    return not (leaf.key or leaf.number or leaf.inner is not None or leaf.path[-1] in PLACES)


def _place(value: Mapping[str, Any]) -> str:
    """The event's type and ids, those of the objects right below it too."""
    below = {name: _ids(part) for name, part in value.items() if isinstance(part, dict)}
    return orjson.dumps([_ids(value), below]).decode()


def _ids(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in PLACES if isinstance(value.get(name), str | int)}
