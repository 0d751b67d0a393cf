"""`tools/*.yaml` and `rules/*.yaml` of a home to typed values, part by part, so that every mistake is told; pure.

The form is `policy.written`; here its mistakes get their place. A part that does not fit its fields
(`home.fields_tools`, `home.fields_rules`) is told there and left out here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from handrail.home.fit import Fitted, Path
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.policy.action_rules import ActionRules
from handrail.policy.written import Source, WrittenError, joined, rules_of, tools_of
from handrail.terms.action import ToolId
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Call, Check, Tool, Upstream, UpstreamId, UpstreamKind

SECTIONS = ("rules", "limits", "routes")
_WRITTEN = re.compile(r"'([^']+)'|\"([^\"]+)\"")
_FORMAL = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"[\w.*-]*\w")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is written: a file and the path to it."""

    file: Fitted
    path: Path

    def place(self, *more: str | int) -> Place:
        return self.file.place(*self.path, *more)

    def key(self, *more: str | int) -> Place:
        return self.file.key(*self.path, *more)

    def at(self, what: str) -> Place:
        """Of the first word that a sentence quotes, or names, and that stands below here; else of the whole."""
        for word in (*quoted(what), *formal(what), *_WORD.findall(what)):
            found = _place_of(self, word)
            if found is not None:
                return found
        return self.key() if self.path and isinstance(self.path[-1], str) else self.place()


@dataclass(slots=True)
class Actions:
    """What could be read. `spots`: the place that stands in the ruleset (`rules/shop.yaml: rules.big`) to where it is
    written. `facts`: what callers give, with its type. `listed`: the tools of each use case. `whole`: nothing was left
    out, so what is missing is really missing."""

    upstreams: dict[UpstreamId, Upstream] = field(default_factory=dict)
    tools: dict[ToolId, Tool] = field(default_factory=dict)
    rules: ActionRules = field(default_factory=ActionRules)
    facts: dict[str, str] = field(default_factory=dict)
    listed: dict[UseCaseId, tuple[ToolId, ...]] = field(default_factory=dict)
    spots: dict[str, Spot] = field(default_factory=dict)
    sources: dict[UpstreamId, Spot] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    whole: bool = True

    def names(self) -> dict[str, ToolId | None]:
        """Tools by full id and by their own name; None for a name that several upstreams have."""
        names: dict[str, ToolId | None] = {}
        for tool in self.tools.values():
            names[tool.name] = None if tool.name in names else tool.id
        return names | {tool: tool for tool in self.tools}


def quoted(what: str) -> Iterator[str]:
    """Words in quotes: what somebody wrote."""
    for match in _WRITTEN.finditer(what):
        yield next(filter(None, match.groups()))


def formal(what: str) -> Iterator[str]:
    """Words in backticks: of the form. The parts of `argument amount above` too, the last one first."""
    for match in _FORMAL.finditer(what):
        yield match[1]
        if " " in match[1]:
            yield from reversed(match[1].split())


def read_actions(tools: Sequence[Fitted], rules: Sequence[Fitted], cases: Sequence[Fitted]) -> Actions:
    """`cases`: the use cases, which list their tools."""
    found = Actions()
    for file in tools:
        _tools(file, found)
    for use_case in cases:
        _listed(use_case, found)
    parts, stated = [], []
    sure = found.whole
    for file in rules:
        part = _rules(file, found, sure=sure)
        parts.append(part)
        if "doubts_hold_at" in file.value or "partly_doubts" in file.value:
            stated.append(part)
    found.rules = joined(parts)
    if stated:
        counts = joined(stated)
        found.rules = msgspec.structs.replace(
            found.rules, doubts_hold_at=counts.doubts_hold_at, partly_doubts=counts.partly_doubts
        )
    return found


def resolve(written: str, names: Mapping[str, ToolId | None]) -> tuple[ToolId | None, str, str]:
    """The tool, or None with what is wrong and a hint."""
    if written not in names:
        return None, f'there is no tool "{written}"', did_you_mean(written, names) or "declare it in tools/*.yaml"
    tool = names[written]
    if tool is None:
        return None, f'several upstreams have a tool "{written}"', f"write UPSTREAM.{written}"
    return tool, "", ""


def resolved(found: Actions) -> dict[ToolId, Tool]:
    """The tools as they are published: calls of other tools by their full id, addresses without a last slash."""
    names = found.names()
    return {tool.id: _full(tool, names) for tool in found.tools.values()}


def _full(tool: Tool, names: Mapping[str, ToolId | None]) -> Tool:
    def call(written: Call) -> Call:
        return msgspec.structs.replace(written, tool=names.get(written.tool) or written.tool)

    def check(written: Check | None) -> Check | None:
        return written and msgspec.structs.replace(written, call=call(written.call))

    undo = tool.undo and call(tool.undo)
    return msgspec.structs.replace(tool, undo=undo, outcome=check(tool.outcome), verify=check(tool.verify))


def _tools(file: Fitted, found: Actions) -> None:
    value, source = file.value, _source(file)
    upstream = value.get("upstream")
    if not isinstance(upstream, Mapping) or _spoilt(file, ("upstream",)):
        found.whole = False
        return
    shared = {"upstream": upstream} | ({"objects": value["objects"]} if "objects" in value else {})
    for name, written in (value.get("tools") or {}).items():
        spot = Spot(file, ("tools", name))
        found.spots[f"{file.file}: tools.{name}"] = spot
        if _spoilt(file, spot.path) or _spoilt(file, ("objects",)):
            found.whole = False
            continue
        made = _made(partial(tools_of, {**shared, "tools": {name: written}}, source), spot, "tool.wrong", found)
        if made is None:
            continue
        up, (tool,) = made
        if up.id in found.upstreams and found.sources[up.id].file is not file:
            first = found.sources[up.id].place("id")
            place, hint = file.place("upstream", "id"), f"by {first.file}:{first.line}"
            found.mistakes.append(mistake(place, "upstream.repeated", f'the upstream "{up.id}" is taken', hint=hint))
            return
        found.upstreams[up.id] = msgspec.structs.replace(up, base_url=up.base_url.rstrip("/"))
        found.sources[up.id] = Spot(file, ("upstream",))
        if up.kind is UpstreamKind.MCP_STDIO and tool.permits is None:
            tool = msgspec.structs.replace(tool, permits=True)  # nobody but the owner of the child can execute it
        found.tools[tool.id] = _closed(tool)


def _closed(tool: Tool) -> Tool:
    """Arguments that are not declared are refused, unless the schema says otherwise."""
    if "additionalProperties" in tool.arguments:
        return tool
    return msgspec.structs.replace(tool, arguments={**tool.arguments, "additionalProperties": False})


def _listed(case: Fitted, found: Actions) -> None:
    names = found.names()
    listed = []
    for at, written in enumerate(case.value.get("tools") or ()):
        tool, wrong, hint = resolve(written, names)
        if tool is not None:
            listed.append(tool)
        elif found.whole:
            found.mistakes.append(mistake(case.place("tools", at), "tool.unknown", wrong, hint=hint))
    if len(set(listed)) < len(listed):
        found.mistakes.append(
            mistake(case.place("tools"), "list.repeated", "a tool is listed twice", hint="delete one")
        )
    if listed and "id" in case.value:
        found.listed[UseCaseId(case.value["id"])] = tuple(dict.fromkeys(listed))


def _rules(file: Fitted, found: Actions, *, sure: bool) -> ActionRules:
    """`sure`: all tools could be read, so that a name that is not among them is a mistake."""
    value, source, tools = file.value, _source(file), tuple(found.tools.values())
    groups = value.get("groups") or {}
    made: dict[str, list[Any]] = {section: [] for section in SECTIONS}
    for section in SECTIONS:
        listed = _items(file, section)
        found.whole = found.whole and listed is not None
        for at, written in enumerate(listed or ()):
            spot = Spot(file, (section, at))
            found.spots[f"{file.file}: {section}.{written.get('id', '')}"] = spot
            if not sure or _spoilt(file, spot.path):
                found.whole = False
                continue
            make = partial(rules_of, {"groups": groups, section: [written]}, source, tools)
            one = _made(make, spot, f"{section[:-1]}.wrong", found)
            if one is not None:
                made[section] += getattr(one, section)
    if sure:
        _group_names(file, groups, found)
    _facts(file, found)
    counts = {name: value[name] for name in ("doubts_hold_at", "partly_doubts") if name in value}
    return msgspec.structs.replace(
        rules_of(counts, source, ()), **{name: tuple(listed) for name, listed in made.items()}
    )


def _items(file: Fitted, section: str) -> Sequence[Any] | None:
    """None when one of them could not be read at all, so that places and values no longer agree."""
    listed = file.value.get(section) or ()
    written = [path for path in file.places if path[:1] == (section,) and len(path) == 2]
    return listed if len(written) == len(listed) else None


def _group_names(file: Fitted, groups: Mapping[str, Sequence[str]], found: Actions) -> None:
    names = found.names()
    for group, listed in groups.items():
        for at, written in enumerate(listed):
            tool, wrong, hint = resolve(written, names)
            if tool is None:
                found.mistakes.append(mistake(file.place("groups", group, at), "tool.unknown", wrong, hint=hint))


def _facts(file: Fitted, found: Actions) -> None:
    for name, kind in (file.value.get("facts") or {}).items():
        if found.facts.setdefault(name, kind) != kind:
            what = f'the fact "{name}" is {found.facts[name]} in another file'
            found.mistakes.append(mistake(file.place("facts", name), "fact.type", what, expected="one type"))


def _made(make: Callable[[], T], spot: Spot, code: str, found: Actions) -> T | None:
    try:
        return make()
    except WrittenError as error:
        at = Spot(spot.file, _path_of(error.place) or spot.path)
        found.mistakes.append(told(at, code, error.what, words=found.names()))
        found.whole = False
        return None


def told(spot: Spot, code: str, what: str, *, words: Iterable[str] = ()) -> Mistake:
    """A sentence of `policy` as a mistake: at the word it quotes, with the nearest of `words`."""
    known = set(words)
    unknown = next((word for word in quoted(what) if word not in known), "")
    hint = did_you_mean(unknown, known) if unknown and re.search(r"\bno\b|none of|unknown", what) else ""
    return mistake(spot.at(what), code, what, hint=hint)


def _source(file: Fitted) -> Source:
    """Mistakes of `policy.written` tell a node; here it becomes the path to it."""
    paths = {}
    for path in file.places:
        node = _value(file.value, path)
        if isinstance(node, dict | list):
            paths[id(node)] = path
    return Source(file.file, lambda node: "/".join(map(str, paths.get(id(node), ()))))


def _path_of(place: str) -> Path:
    return tuple(int(part) if part.isdecimal() else part for part in place.split("/")) if place else ()


def _spoilt(file: Fitted, path: Path) -> bool:
    """Whether a mistake of form stands in this part of the file."""
    wrong = {(one.line, one.column) for one in file.mistakes}
    if not wrong:
        return False
    return any(
        here[: len(path)] == path and (place.line, place.column) in wrong
        for places in (file.places, file.keys)
        for here, place in places.items()
    )


def _place_of(spot: Spot, word: str) -> Place | None:
    """Of a value that is the word, else of a key that is."""
    size = len(spot.path)
    for path, place in spot.file.places.items():
        if path[:size] == spot.path and _value(spot.file.value, path) == word:
            return place
    for path, place in spot.file.keys.items():
        if path[:size] == spot.path and len(path) > size and path[-1] == word:
            return place
    return None


def _value(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
