"""Tools and rules as people write them in the home (`tools/*.yaml`, `rules/*.yaml`) to typed values; pure.

The form is documented in docs/decisions/action-rules.md. A condition is `{fact: order.status, is-not: delivered}` or,
where there is no name, `{agreed: {in: [asked, confirmed]}}`; the other side may be `{fact: NAME}`, `{argument:
PATH}` or `{past: NAME}`. A verdict is written with its reason: `deny: only delivered orders can be returned`. What is
unknown, misspelt or of another type is refused with its line. No anchors are needed: responses of several tools show
the same `objects`, rules share `groups` of tools.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from handrail.policy.action_rules import About, ActionRules, Limit, Match, Op, Route, Rule
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict
from handrail.tools.registry import Tool, Upstream


class Source(NamedTuple):
    """A file: its name for places in the ruleset (`rules/shop.yaml`), and a node of it to `file:line` for mistakes."""

    file: str
    where: Callable[[Any], str]


_T = TypeVar("_T")
_NAMED = frozenset({About.ARGUMENT, About.FACT, About.PAST, About.ORIGIN, About.OWN})
_OTHER = frozenset({"fact", "argument", "past"})
_VERDICTS = {verdict.value: verdict for verdict in Verdict}


class WrittenError(ValueError):
    """What is wrong, and where; the text names no secret and no customer content."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)
        self.place, self.what = place, what


def tools_of(tree: Mapping[str, Any], source: Source) -> tuple[Upstream, tuple[Tool, ...]]:
    """One file of `tools/`: `upstream`, `objects` that its responses show, and `tools` by name. Raises WrittenError."""
    _only(tree, {"upstream", "objects", "tools"}, source)
    upstream = _convert(_part(tree, "upstream", source), Upstream, source.where(tree))
    objects = _part(tree, "objects", source) if "objects" in tree else {}
    tools = []
    for name, written in _part(tree, "tools", source).items():
        line = source.where(written)
        if not isinstance(written, Mapping):
            raise WrittenError(line, f"tool {name!r} is not a mapping")
        values: dict[str, Any] = {"id": f"{upstream.id}.{name}", "upstream": upstream.id, "name": name, **written}
        values["place"] = f"{source.file}: tools.{name}"
        values["shows"] = [_shows(shows, objects, line) for shows in written.get("shows", ())]
        tools.append(_convert(values, Tool, line))
    return upstream, tuple(tools)


def rules_of(tree: Mapping[str, Any], source: Source, tools: Iterable[Tool]) -> ActionRules:
    """One file of `rules/`: `groups` of tools, `rules`, `limits`, `routes`. Tools are named in full or, when only one
    upstream has it, by their own name. Raises WrittenError."""
    _only(tree, {"rules", "limits", "routes", "groups", "doubts_hold_at", "partly_doubts"}, source)
    named = _Named(_names(tools), tree.get("groups", {}))
    return ActionRules(
        rules=tuple(_rule(written, source, named) for written in tree.get("rules", ())),
        limits=tuple(_scoped(written, Limit, "limits", source, named) for written in tree.get("limits", ())),
        routes=tuple(_scoped(written, Route, "routes", source, named) for written in tree.get("routes", ())),
        **_counts(tree, source),
    )


def lines_of(tree: Mapping[str, Any], source: Source) -> dict[str, str]:
    """The place that stands in the ruleset to the line of the file, for mistakes that are found later."""
    lines = {}
    for section in ("rules", "limits", "routes"):
        for written in tree.get(section, ()):
            if isinstance(written, Mapping):
                lines[f"{source.file}: {section}.{written.get('id', '')}"] = source.where(written)
    for name, written in tree.get("tools", {}).items():
        lines[f"{source.file}: tools.{name}"] = source.where(written)
    return lines


def joined(parts: Iterable[ActionRules]) -> ActionRules:
    """The rules of all files, in their order; the strictest counts of doubts hold for all."""
    listed = list(parts)
    return ActionRules(
        rules=tuple(rule for part in listed for rule in part.rules),
        limits=tuple(limit for part in listed for limit in part.limits),
        routes=tuple(route for part in listed for route in part.routes),
        doubts_hold_at=min((part.doubts_hold_at for part in listed), default=2),
        partly_doubts=max((part.partly_doubts for part in listed), default=2),
    )


def _counts(tree: Mapping[str, Any], source: Source) -> dict[str, int]:
    """Whole numbers from 1; `partly_doubts` is as much as `doubts_hold_at` unless it is written."""
    hold_at = tree.get("doubts_hold_at", 2)
    counts = {"doubts_hold_at": hold_at, "partly_doubts": tree.get("partly_doubts", hold_at)}
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise WrittenError(source.where(tree), f"`{name}` is a whole number from 1")
    return counts


def _shows(written: Any, objects: Mapping[str, Any], line: str) -> Any:
    """The name of one of the file's `objects`, or an object of its own. A fact given by its path alone is short for
    `{at: PATH}`."""
    if isinstance(written, str):
        if written not in objects or not isinstance(objects[written], Mapping):
            raise WrittenError(line, f"`objects` holds no {written!r}")
        written = {"kind": written, **objects[written]}
    if not isinstance(written, Mapping) or not isinstance(written.get("facts", {}), Mapping):
        return written
    facts = {name: {"at": at} if isinstance(at, str) else at for name, at in written.get("facts", {}).items()}
    return {**written, "facts": facts}


class _Named(NamedTuple):
    """Tools by full id and own name (None for a name that several upstreams have), and groups of them."""

    tools: Mapping[str, ToolId | None]
    groups: Mapping[str, Any]

    def ids(self, written: Any, line: str) -> list[ToolId]:
        """The tools of a list of names, or of the name of a group."""
        if isinstance(written, str):
            if written not in self.groups:
                raise WrittenError(line, f"there is no group {written!r} of tools")
            written = self.groups[written]
        if not isinstance(written, list | tuple):
            raise WrittenError(line, "`tools` is a list of names, or the name of a group")
        return [self._id(name, line) for name in written]

    def _id(self, name: Any, line: str) -> ToolId:
        if name not in self.tools:
            raise WrittenError(line, f"there is no tool {name!r}")
        tool = self.tools[name]
        if tool is None:
            raise WrittenError(line, f"several upstreams have a tool {name!r}: write UPSTREAM.{name}")
        return tool


def _names(tools: Iterable[Tool]) -> dict[str, ToolId | None]:
    names: dict[str, ToolId | None] = {}
    for tool in tools:
        names[tool.name] = None if tool.name in names else tool.id
        names[tool.id] = tool.id
    return names


def _rule(written: Any, source: Source, named: _Named) -> Rule:
    line = source.where(written)
    if not isinstance(written, Mapping):
        raise WrittenError(line, "a rule is a mapping")
    values = dict(written)
    verdicts = [name for name in values if name in _VERDICTS or name == "doubt"]
    if len(verdicts) != 1:
        raise WrittenError(line, "a rule has exactly one of allow, change, hold, deny, doubt, with its reason")
    then = verdicts[0]
    if not isinstance(values[then], str) or not values[then].strip():
        raise WrittenError(line, f"`{then}` gives the reason in words")
    values["why"] = values.pop(then)
    values["then"], values["doubt"] = ("hold", values.pop("weight", 1)) if then == "doubt" else (then, 0)
    if "say" in values and then in ("allow", "doubt"):
        raise WrittenError(line, f"`say` is told when a rule denies or waits for a read; `{then}` does neither")
    if "to" in values:
        values["change"] = values.pop("to")
    if "tools" in written:
        values["tools"] = named.ids(written["tools"], line)
    values["when"] = [_match(match, source, line) for match in written.get("when", ())]
    values["unless"] = [_match(match, source, line) for match in written.get("unless", ())]
    values["place"] = f"{source.file}: rules.{written.get('id', '')}"
    return _convert(values, Rule, line)


def _scoped(written: Any, kind: type[_T], section: str, source: Source, named: _Named) -> _T:
    line = source.where(written)
    if not isinstance(written, Mapping):
        raise WrittenError(line, f"one of `{section}` is a mapping")
    values: dict[str, Any] = {**written, "place": f"{source.file}: {section}.{written.get('id', '')}"}
    if "tools" in written:
        values["tools"] = named.ids(written["tools"], line)
    return _convert(values, kind, line)


def _match(written: Any, source: Source, fallback: str) -> Match:
    place = source.where(written) or fallback
    if not isinstance(written, Mapping):
        raise WrittenError(place, "a condition is a mapping such as `{fact: order.status, is: delivered}`")
    values = dict(written)
    abouts = [name for name in values if name in {about.value for about in About}]
    if len(abouts) != 1:
        raise WrittenError(place, f"a condition speaks of exactly one of {', '.join(about.value for about in About)}")
    about = About(abouts[0])
    subject = values.pop(about.value)
    if isinstance(subject, Mapping):
        if values or about in _NAMED:
            raise WrittenError(place, f"`{about.value}` takes " + ("a name" if about in _NAMED else "the comparison"))
        values, name = dict(subject), ""
    elif about in _NAMED and isinstance(subject, str) and subject:
        name = subject
    else:
        raise WrittenError(place, f"`{about.value}` takes " + ("a name" if about in _NAMED else "the comparison"))
    return _compared(about, name, values, place)


def _compared(about: About, name: str, values: dict[str, Any], place: str) -> Match:
    ops = [key for key in values if key in {op.value for op in Op}]
    if len(ops) != 1:
        raise WrittenError(place, f"a condition compares with exactly one of {', '.join(op.value for op in Op)}")
    value = values.pop(ops[0])
    other = ""
    if isinstance(value, Mapping):
        if len(value) != 1 or next(iter(value)) not in _OTHER:
            raise WrittenError(place, "the other side is `{fact: NAME}`, `{argument: PATH}`, `{past: NAME}` or a value")
        kind, its = next(iter(value.items()))
        other, value = f"{kind}:{its}", None
    return _convert(
        {"about": about, "op": ops[0], "name": name, "value": value, "other": other, **values}, Match, place
    )


def _convert(values: Any, kind: type[_T], place: str) -> _T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise WrittenError(place, str(error)) from None


def _part(tree: Mapping[str, Any], name: str, source: Source) -> Mapping[str, Any]:
    part = tree.get(name)
    if not isinstance(part, Mapping):
        raise WrittenError(source.where(tree), f"`{name}` is missing or not a mapping")
    return part


def _only(tree: Mapping[str, Any], known: set[str], source: Source) -> None:
    if not isinstance(tree, Mapping):
        raise WrittenError("", "the file is not a mapping")
    for name in tree:
        if name not in known:
            raise WrittenError(source.where(tree), f"{name!r} is not one of {', '.join(sorted(known))}")
