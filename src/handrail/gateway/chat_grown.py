"""Texts of a chat stream in places that the dialect does not know: each place of a delta is a lane of its own, so that
no value hides by being cut over several events. Places outside of a delta repeat rather than grow: they are read once
more together with the end of what stood there before, and a finding that only shows there ends the stream.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from handrail.gateway.leaves import SAFE_SLOTS, identifier
from handrail.guard.turn import Leaf, Path

TAIL: Final = 200
"""Characters that are read again: longer than any value that a detector knows the length of."""


class Grown:
    """The unknown texts of one stream."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, str], str] = {}
        self._paths: dict[str, Path] = {}
        self._skeletons: dict[str, tuple[dict[str, Any], Path]] = {}
        self._before: dict[tuple[int, Path], str] = {}

    def __contains__(self, lane: str) -> bool:
        return lane in self._paths

    def lanes(self, index: int, delta: dict[str, Any], paths: Sequence[Path]) -> list[str]:
        """The lane of each text of this delta, by its path. An item of a list is known by its `index` where it has
        one, else by its place."""
        found: list[str] = []
        for path in paths:
            place = orjson.dumps(_place(delta, path)).decode()
            lane = self._names.setdefault((index, place), f"{index}:~{len(self._names)}")
            if lane in found:  # two items that say they are the same one
                lane = self._names.setdefault((index, f"{place}{path}"), f"{index}:~{len(self._names)}")
            found.append(lane)
            self._paths[lane] = path
            if lane not in self._skeletons:
                name = str(path[0])
                self._skeletons[lane] = ({name: _bones(name, delta[name])}, path)
        return found

    def fields(self, lanes: Iterable[str]) -> set[str]:
        """Fields of the delta that hold texts of these lanes."""
        return {str(self._paths[lane][0]) for lane in lanes if lane in self._paths}

    def only(self, delta: dict[str, Any], lane: str, lanes: Sequence[str]) -> dict[str, Any]:
        """The field that holds the text of `lane`, without the texts of the other lanes. What is no text goes with the
        first lane of the field."""
        path = self._paths[lane]
        name = str(path[0])
        same = [each for each in lanes if each in self._paths and self._paths[each][0] == name]
        if lane == same[0]:
            value = {name: orjson.loads(orjson.dumps(delta[name]))}
            for each in same[1:]:
                _set(value, self._paths[each], "")
        else:
            value = {name: _bones(name, delta[name])}
            _set(value, path, _get(delta, path))
        return value

    def put(self, delta: dict[str, Any], lane: str, new: str) -> None:
        """Another text in the lane's place."""
        _set(delta, self._paths[lane], new)

    def more(self, lane: str, text: str) -> dict[str, Any]:
        """A delta with further text of the lane and nothing else but what says which text it is."""
        skeleton, path = self._skeletons[lane]
        value: dict[str, Any] = orjson.loads(orjson.dumps(skeleton))
        _set(value, path, text)
        return value

    def again(self, index: int, leaves: list[Leaf]) -> list[Leaf]:
        """The texts, and each once more behind what stood in its place before, when that was another text."""
        out = list(leaves)
        for leaf in leaves:
            if leaf.key or leaf.number or leaf.path[-1] in SAFE_SLOTS:
                continue
            before = self._before.get((index, leaf.path), "")
            if before.endswith(leaf.text):
                continue
            if before:
                out.append(Leaf(leaf.channel, before + leaf.text[:TAIL], leaf.path, key=True))
            self._before[index, leaf.path] = (before + leaf.text)[-TAIL:]
        return out


def _place(value: Any, path: Path) -> list[str | int]:
    place: list[str | int] = []
    for step in path:
        value = value[step]
        named = value.get("index") if isinstance(step, int) and isinstance(value, dict) else None
        place.append(f"#{named}" if isinstance(named, int) else step)
    return place


def _bones(name: str, value: Any) -> Any:
    """A value without its texts; words of the protocol stay."""
    if isinstance(value, dict):
        return {key: _bones(key, child) for key, child in value.items()}
    if isinstance(value, list):
        return [_bones(name, child) for child in value]
    if isinstance(value, str):
        return value if name in SAFE_SLOTS and identifier(value) else ""
    return value


def _get(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _set(value: Any, path: Path, new: Any) -> None:
    _get(value, path[:-1])[path[-1]] = new
