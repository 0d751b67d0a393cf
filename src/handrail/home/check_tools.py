"""What makes sense in `tools/*.yaml`: targets, schemas, money, undo, keys and calls; pure.

What rules rest on (roles, facts, totals) is `policy.check_rules.check_tools`, told here with its place.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from handrail.home.address import Reachable, address
from handrail.home.check_findings import known_language
from handrail.home.check_schema import TYPES, check_schema
from handrail.home.codes import CURRENCIES, LANGUAGES
from handrail.home.fields import DataClass
from handrail.home.fit import SECRET, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.written_actions import Actions, Spot, resolve, told
from handrail.policy.check_rules import check_tools as check_registrations
from handrail.terms.action import ActionType, ToolId
from handrail.tools.registry import (
    Call,
    Check,
    Expect,
    KeyPlace,
    Reversibility,
    Tool,
    Unit,
    Upstream,
    UpstreamKind,
    gives_permits,
)

_FILLED = re.compile(r"\{([^{}]*)\}")


def check_tools(found: Actions, names: frozenset[str]) -> Iterator[Mistake]:
    """`names`: every file of the home."""
    for upstream in found.upstreams.values():
        yield from _upstream(found.sources[upstream.id], upstream, names)
    sound = True
    for tool in found.tools.values():
        spot = found.spots[tool.place]
        wrong = list(check_schema(Spot(spot.file, (*spot.path, "arguments")), _written(spot).get("arguments")))
        if tool.result is not None:
            wrong += check_schema(Spot(spot.file, (*spot.path, "result")), tool.result, top=False)
        yield from wrong
        if wrong:  # what leans on this schema would be told as its consequence
            sound = False
            continue
        yield from _money(spot, tool)
        yield from _facts(spot, tool)
        yield from _undo(spot, tool, found)
        for name, check in (("outcome", tool.outcome), ("verify", tool.verify)):
            if check is not None:
                yield from _check(spot, name, check, tool, found)
        yield from _reached(spot, tool, found.upstreams[tool.upstream])
        yield from _permits(spot, tool)
        yield from _words(spot, tool)
    known = {name for tool in found.tools.values() for name in _properties(tool)} | found.facts.keys()
    for one in check_registrations(found.tools.values(), found.facts) if sound else ():
        if one.place in found.spots:
            yield told(found.spots[one.place], "tool.wrong", one.what, words=known)


def check_listed(case: Spot, covered: Collection[ActionType], found: Actions) -> Iterator[Mistake]:
    """A tool whose type has no level in the use case would be refused each time, and so would an undo that the use case
    does not list: it is an action of its own. `covered`: types that have a level."""
    names = found.names()
    written = case.file.value.get("tools") or ()
    listed: dict[int, ToolId] = {}
    for at, name in enumerate(written):
        found_tool, _, _ = resolve(name, names)
        if found_tool is not None:
            listed[at] = found_tool
    for at, tool_id in listed.items():
        tool = found.tools[tool_id]
        if tool.type not in covered:
            kind = tool.type.value
            yield mistake(
                case.place("tools", at), "tool.level", f"{shown(written[at])} is {kind}, and this use case has no "
                "level for it, so every call would be refused", expected=f"{kind}: below levels",
            )  # fmt: skip
        back = resolve(tool.undo.tool, names)[0] if tool.undo is not None else None
        if back is not None and back not in listed.values():
            yield mistake(
                case.place("tools", at), "tool.undo", f"{shown(written[at])} is undone by {back}, which this use case "
                "does not list, so every undo would be refused", expected=f"{back} among tools",
            )  # fmt: skip


def _written(spot: Spot) -> Mapping[str, Any]:
    value = spot.file.value
    for part in spot.path:
        value = value[part]
    return value if isinstance(value, Mapping) else {}


def _upstream(spot: Spot, upstream: Upstream, names: frozenset[str]) -> Iterator[Mistake]:
    if upstream.kind is UpstreamKind.MCP_STDIO:
        if upstream.base_url:
            yield mistake(
                spot.place("base_url"), "upstream.address", "a child process has no address", hint="delete it"
            )
    else:
        yield from _address(spot, upstream)
    credential = upstream.credential
    if credential is not None and (credential.env is None) == (credential.file is None):
        yield mistake(
            spot.place("credential"), "upstream.credential", "a credential stands in one place",
            expected="env: NAME_OF_THE_VARIABLE, or file: PATH",
        )  # fmt: skip
    ca_file = upstream.ca_file
    if ca_file and "/" not in ca_file and ca_file not in names:
        yield mistake(
            spot.place("ca_file"), "upstream.ca_file", f"there is no file {shown(ca_file)} in the home",
            hint=did_you_mean(ca_file, [name for name in names if "/" not in name]),
        )  # fmt: skip


def _address(spot: Spot, upstream: Upstream) -> Iterator[Mistake]:
    place = spot.place("base_url")
    found = address(upstream.base_url) if upstream.base_url else None
    if found is None or found.scheme not in ("http", "https"):
        yield mistake(place, "upstream.address", "base_url is not an address", expected="https://host/path")
        return
    if found.has_user and not SECRET.search(upstream.base_url):
        yield mistake(place, "upstream.address", "base_url names a user", hint="delete what stands before the @")
    if found.has_rest:
        yield mistake(place, "upstream.address", "base_url has a query or a fragment", hint="delete it")
    if found.reachable is Reachable.NEVER:
        yield mistake(place, "upstream.address", f"{found.host} is never called (link-local or metadata address)")
    elif found.reachable is Reachable.PRIVATE and not upstream.private_network:
        yield mistake(
            place, "upstream.address", f"{found.host} lies in a private network",
            expected="private_network: true, if that is meant",
        )  # fmt: skip
    elif found.reachable is Reachable.PUBLIC and found.scheme == "http":
        yield mistake(place, "upstream.address", f"http sends calls to {found.host} in clear", expected="https://")


def _money(spot: Spot, tool: Tool) -> Iterator[Mistake]:
    at = tool.money
    if at is None:
        return
    if (at.currency is None) == (at.currency_at is None):
        yield mistake(
            spot.place("money"), "tool.currency", "the amount has one currency",
            expected="currency: CODE, or currency_at: PATH",
        )  # fmt: skip
    if at.currency is not None and at.currency not in CURRENCIES:
        yield _currency(spot, at.currency, "money", "currency")
    for name, path, types in (
        ("amount", at.amount, {"integer", "number", "string"}),
        ("currency_at", at.currency_at, {"string"}),
    ):
        if path is None:
            continue
        schema = argument(tool, path)
        if schema is None:
            yield _no_argument(spot, tool, path, "money", name)
        elif not _listed(schema.get("type"), TYPES) & types:
            yield mistake(
                spot.place("money", name), "tool.money", f'the argument "{path}" is no {" or ".join(sorted(types))}',
                expected="an amount" if name == "amount" else "a text with a currency",
            )  # fmt: skip
        elif name == "amount" and at.unit is Unit.MINOR and _has_parts(schema):
            yield mistake(
                spot.place("money", "unit"), "tool.unit",
                f'the schema lets "{path}" have decimal places, and minor units have none',
                expected="unit: major, or type: integer",
            )  # fmt: skip


def _has_parts(schema: Mapping[str, Any]) -> bool:
    """Whether a bound or step of the schema has decimals."""
    steps = (schema.get(name) for name in ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
    return any(isinstance(one, float) and not one.is_integer() for one in steps)


def _currency(spot: Spot, code: str, *at: str | int) -> Mistake:
    return mistake(
        spot.place(*at), "tool.currency", f"the currency {shown(code)} is unknown",
        expected="an ISO 4217 code, such as EUR", hint=did_you_mean(code.upper(), CURRENCIES),
    )  # fmt: skip


def _facts(spot: Spot, tool: Tool) -> Iterator[Mistake]:
    written = _written(spot).get("shows") or ()
    for at, shows in enumerate(tool.shows):
        by_name = isinstance(written[at], str) if at < len(written) else False
        base = Spot(spot.file, ("objects", written[at])) if by_name else Spot(spot.file, (*spot.path, "shows", at))
        for name, fact in shows.facts.items():
            where = ("facts", name)
            if fact.currency and fact.currency not in CURRENCIES:
                yield _currency(base, fact.currency, *where, "currency")
            if (fact.unit is None) != (fact.currency == ""):
                yield mistake(
                    base.place(*where), "tool.unit", f'the amount "{name}" needs its unit and its currency',
                    expected="{at: PATH, unit: minor or major, currency: CODE}",
                )  # fmt: skip


def _undo(spot: Spot, tool: Tool, found: Actions) -> Iterator[Mistake]:
    kind, undo = tool.reversibility, tool.undo
    if undo is None:
        if kind is Reversibility.WINDOW:
            yield mistake(
                spot.place("reversibility"), "tool.undo", f"it is {kind.value}, and no call takes it back",
                expected="undo: {tool: NAME, arguments: {...}}",
            )  # fmt: skip
    else:
        if kind is Reversibility.NONE:
            yield mistake(
                spot.place("undo"), "tool.undo", "it cannot be taken back, and has an undo",
                expected="reversibility: free, window or compensable",
            )  # fmt: skip
        yield from _call(spot, ("undo",), undo, tool, found, {"$arguments", "$response", "$key"})
    if (kind is Reversibility.WINDOW) != (tool.undo_within_s is not None):
        yield mistake(
            spot.place("undo_within_s"), "tool.undo", "a window and its length belong together",
            expected="reversibility: window and undo_within_s: SECONDS",
        )  # fmt: skip


def _check(spot: Spot, name: str, check: Check, tool: Tool, found: Actions) -> Iterator[Mistake]:
    known = {"$arguments", "$key"} | ({"$response"} if name == "verify" else set())
    yield from _call(spot, (name, "call"), check.call, tool, found, known)
    target, _, _ = resolve(check.call.tool, found.names())
    if target is not None and found.tools[target].type is not ActionType.READ:
        yield mistake(
            spot.place(name, "call", "tool"), "tool.call", f"{shown(check.call.tool)} is no read, and {name} only asks",
            expected="a tool of type read",
        )  # fmt: skip
    for part, listed in (("expect", check.expect), ("absent", check.absent)):
        yield from _expected(spot, (name, part), listed, tool, known)


def _expected(
    spot: Spot, at: tuple[str, ...], listed: tuple[Expect, ...], tool: Tool, known: set[str]
) -> Iterator[Mistake]:
    for index, expect in enumerate(listed):
        yield from _reference(spot, (*at, index, "equals"), expect.equals, tool, known)


def _call(
    spot: Spot, at: tuple[str, ...], call: Call, tool: Tool, found: Actions, known: set[str]
) -> Iterator[Mistake]:
    target, wrong, hint = resolve(call.tool, found.names())
    for name, value in call.arguments.items():
        yield from _reference(spot, (*at, "arguments", name), value, tool, known)
    if target is None:
        yield mistake(spot.place(*at, "tool"), "tool.call", wrong, hint=hint)
        return
    other = found.tools[target]
    for name in call.arguments:
        if name not in _properties(other):
            hint = did_you_mean(name, _properties(other))
            what = f"{other.id} has no argument {shown(name)}"
            yield mistake(spot.key(*at, "arguments", name), "tool.call", what, hint=hint)
    for name in _required(other):
        if name not in call.arguments:
            what = f"{other.id} needs the argument {shown(str(name))}"
            yield mistake(spot.place(*at, "arguments"), "tool.call", what, expected=f"{name}: $arguments.PATH")


def _reference(spot: Spot, at: tuple[str | int, ...], value: Any, tool: Tool, known: set[str]) -> Iterator[Mistake]:
    if not isinstance(value, str) or not value.startswith("$"):
        return
    head, _, path = value.partition(".")
    if head not in known:
        yield mistake(
            spot.place(*at), "tool.reference", f"{shown(value)} is not known here",
            expected=" or ".join(sorted(known)), hint=did_you_mean(head, known),
        )  # fmt: skip
    elif head == "$arguments" and path and argument(tool, path) is None:
        yield _no_argument(spot, tool, path, *at)


def _reached(spot: Spot, tool: Tool, upstream: Upstream) -> Iterator[Mistake]:
    kind, how, key = upstream.kind, tool.http, tool.idempotency
    if how is not None and kind is not UpstreamKind.HTTP:
        yield mistake(spot.place("http"), "tool.http", f"the upstream is {kind.value}", hint="delete http:")
    if how is not None:
        for name in _FILLED.findall(how.path):
            if name not in _properties(tool):
                yield _no_argument(spot, tool, name, "http", "path")
            elif name not in _required(tool):
                yield mistake(
                    spot.place("http", "path"), "tool.http", f"the path needs {shown(name)}, which may be left out",
                    expected=f"{name} among required",
                )  # fmt: skip
        for index, name in enumerate(how.query):
            if name not in _properties(tool):
                yield _no_argument(spot, tool, name, "http", "query", index)
    if key is not None:
        if (key.place is KeyPlace.META) != (kind is not UpstreamKind.HTTP) and key.place is not KeyPlace.ARGUMENT:
            yield mistake(
                spot.place("idempotency", "place"), "tool.key", f"an upstream of kind {kind.value} has no {key.place}",
                expected="header or argument" if kind is UpstreamKind.HTTP else "meta or argument",
            )  # fmt: skip
        if key.place is KeyPlace.ARGUMENT and key.name in _properties(tool):
            yield mistake(
                spot.place("idempotency", "name"), "tool.key", f"the agent could send {shown(key.name)} itself",
                hint="take it out of the arguments; it is added to the call",
            )  # fmt: skip
    if tool.manifest is not None and kind is UpstreamKind.HTTP:
        yield mistake(spot.place("manifest"), "tool.manifest", "only an MCP server announces tools", hint="delete it")


def _permits(spot: Spot, tool: Tool) -> Iterator[Mistake]:
    if "report_within_s" in _written(spot) and not gives_permits(tool):
        yield mistake(
            spot.place("report_within_s"), "tool.permits", "no caller gets a permit for it, so none reports",
            expected="permits: true, or this deleted",
        )  # fmt: skip


def _words(spot: Spot, tool: Tool) -> Iterator[Mistake]:
    for code in tool.asks:
        if code != "*" and not known_language(code):
            yield mistake(
                spot.key("asks", code), "language.unknown", f"the language {shown(code)} is unknown",
                expected="an ISO 639-1 code, such as en", hint=did_you_mean(code, LANGUAGES),
            )  # fmt: skip
    classes = [name.value for name in DataClass]
    for path, name in tool.data.items():
        if name not in classes:
            what = f"{shown(name)} is no data class"
            yield mistake(spot.place("data", path), "tool.data", what, hint=did_you_mean(name, classes))
        if argument(tool, path) is None:
            yield mistake(
                spot.key("data", path), "tool.argument", f"there is no argument {shown(path)}",
                hint=did_you_mean(path, _properties(tool)),
            )  # fmt: skip


def argument(tool: Tool, path: str) -> Mapping[str, Any] | None:
    """The schema at a path of the arguments; None when there is none."""
    schema: Any = tool.arguments
    for part in path.split("."):
        if not isinstance(schema, Mapping):
            return None
        listed = part == "*" or part.isdecimal()
        properties = schema.get("properties")
        schema = schema.get("items", {}) if listed else (properties if isinstance(properties, dict) else {}).get(part)
    return schema if isinstance(schema, Mapping) else None


def _no_argument(spot: Spot, tool: Tool, path: str, *at: str | int) -> Mistake:
    return mistake(
        spot.place(*at), "tool.argument", f"{tool.id} has no argument {shown(path)}",
        hint=did_you_mean(path, _properties(tool)),
    )  # fmt: skip


def _properties(tool: Tool) -> dict[str, Any]:
    properties = tool.arguments.get("properties")
    return properties if isinstance(properties, dict) else {}


def _required(tool: Tool) -> list[Any]:
    required = tool.arguments.get("required")
    return required if isinstance(required, list) else []


def _listed(value: Any, otherwise: frozenset[str]) -> set[str]:
    if value is None:
        return set(otherwise)
    return set(value) if isinstance(value, list) else {value}
