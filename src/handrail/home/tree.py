"""YAML 1.2 text to a tree whose every node knows its line and column; pure.

Read with ruamel.yaml, since YAML 1.1 readers take the language `no` for False. Only what a configuration needs is
taken: one document, no aliases (they can grow without bound), no tags, no repeated keys, no control or
direction-changing characters. Every deviation is a mistake with its place; the rest of the file is still read.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from handrail.home.mistake import Mistake, Place, mistake

MAX_BYTES = 1 << 20
"""Per file. Our own rule: a use case of 1 MiB is not something a person wrote."""
MAX_DEPTH = 20

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff]")
"""Control characters, and those that hide text or turn its direction (Unicode technical report 36, 2.10)."""

_PLAIN = "tag:yaml.org,2002:"
_TRUE = frozenset({"true", "True", "TRUE"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """`value`: str, int, float, bool or None by the YAML 1.2 core schema; dates stay text."""

    place: Place
    value: str | int | float | bool | None
    raw: str


@dataclass(frozen=True, slots=True)
class Listing:
    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    place: Place
    items: tuple[tuple[Scalar, "Node"], ...]


Node: TypeAlias = Scalar | Listing | Mapping


def parse(file: str, text: str) -> tuple[Node | None, list[Mistake]]:
    """The tree, or None when there is none, and every mistake met. Never raises on any text."""
    mistakes: list[Mistake] = []
    if text.startswith("\ufeff"):
        text = text[1:]
    text = _without_forbidden(file, text, mistakes)
    reader = YAML(typ="rt")
    reader.composer.warn_double_anchors = False  # an alias is a mistake whatever its anchor
    try:
        root = reader.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        return None, [*mistakes, mistake(place, "yaml.syntax", _syntax(error), expected="YAML 1.2")]
    except (YAMLError, ValueError, RecursionError):
        return None, [*mistakes, mistake(Place(file, 1, 1), "yaml.syntax", "this is not YAML", expected="YAML 1.2")]
    if root is None:
        return None, mistakes
    return _Reader(file, mistakes).node(root, 0), mistakes


def _without_forbidden(file: str, text: str, mistakes: list[Mistake]) -> str:
    for number, line in enumerate(text.split("\n"), 1):
        for match in FORBIDDEN.finditer(line):
            place = Place(file, number, match.start() + 1)
            point = f"U+{ord(match.group()):04X}"
            mistakes.append(
                mistake(
                    place, "text.forbidden", f"the character {point} is not allowed", hint="delete it; it is invisible"
                )
            )
    return FORBIDDEN.sub(" ", text)


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "not YAML")
    if "\\t" in problem:
        return "a tab is used to indent; use spaces"
    if "single document" in str(error.context or ""):
        return "a second document starts here (---); one file holds one"
    if "undefined alias" in problem:
        return "aliases (*name) are not supported; write the value out"
    opened = error.context_mark
    if "but got" in problem and "flow" in str(error.context or "") and opened is not None:
        return f"what began on line {opened.line + 1} is not closed: {problem}"
    return problem


class _Reader:
    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self._file = file
        self._mistakes = mistakes
        self._seen: set[int] = set()

    def node(self, node: object, depth: int) -> Node:
        place = self._place(node)
        if depth > MAX_DEPTH:
            self._mistakes.append(mistake(place, "yaml.depth", f"nested deeper than {MAX_DEPTH} levels"))
            return Scalar(place, None, "")
        if id(node) in self._seen:
            self._mistakes.append(
                mistake(place, "yaml.alias", "aliases (*name) are not supported", hint="write the value out")
            )
            return Scalar(place, None, "")
        self._seen.add(id(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, place, depth)
        if isinstance(node, SequenceNode):
            return Listing(place, tuple(self.node(item, depth + 1) for item in node.value))
        assert isinstance(node, ScalarNode)
        return self._scalar(node, place)

    def _mapping(self, node: MappingNode, place: Place, depth: int) -> Mapping:
        items: list[tuple[Scalar, Node]] = []
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            key_place = self._place(key_node)
            value = self.node(value_node, depth + 1)
            if not isinstance(key_node, ScalarNode):
                self._mistakes.append(mistake(key_place, "yaml.key", "a key must be one word, not a list or a mapping"))
                continue
            name = str(key_node.value)
            if name in first:
                self._mistakes.append(
                    mistake(
                        key_place,
                        "yaml.repeated",
                        f'"{name}" stands here twice',
                        hint=f"first on line {first[name].line}",
                    )
                )
                continue
            first[name] = key_place
            if isinstance(value, Scalar) and value.raw == "" and value.value is None:
                after = Place(self._file, key_place.line, key_place.column + len(name) + 1)
                value = Scalar(after, None, "")  # YAML would put it where the next field begins
            items.append((Scalar(key_place, name, name), value))
        return Mapping(place, tuple(items))

    def _scalar(self, node: ScalarNode, place: Place) -> Scalar:
        tag, raw = str(node.tag or ""), str(node.value)
        if not tag.startswith(_PLAIN):
            self._mistakes.append(mistake(place, "yaml.tag", "tags (!name) are not supported", hint="delete the tag"))
            return Scalar(place, raw, raw)
        match tag.removeprefix(_PLAIN):
            case "null":
                return Scalar(place, None, raw)
            case "bool":
                return Scalar(place, raw in _TRUE, raw)
            case "int":
                return Scalar(place, _integer(raw), raw)
            case "float":
                return Scalar(
                    place,
                    float(
                        raw.replace(".inf", "inf").replace(".nan", "nan").replace(".NaN", "nan").replace(".Inf", "inf")
                    ),
                    raw,
                )
            case _:
                return Scalar(place, raw, raw)

    def _place(self, node: object) -> Place:
        mark = getattr(node, "start_mark", None)
        return Place(self._file, mark.line + 1, mark.column + 1) if mark is not None else Place(self._file, 1, 1)


def _integer(raw: str) -> int | str:
    try:
        return int(raw, 0) if raw.lstrip("+-").lower().startswith(("0x", "0o", "0b")) else int(raw)
    except ValueError:
        return raw
