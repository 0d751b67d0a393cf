"""What makes sense in `rules/*.yaml`, told with its place: names, types, units, reach, contradictions, routes, limits
and the cases beside them; pure. What is proved is `policy.check_rules`; here stands where it was written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from handrail.home.cases import Coverage, mistakes_of, play
from handrail.home.check_tools import argument
from handrail.home.codes import CURRENCIES
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.questions import Questions, past_names
from handrail.home.written_actions import Actions, quoted, told
from handrail.policy.action import Agreed, Origin, Vouched
from handrail.policy.action_rules import ActionRules, Limit, Route, Rule
from handrail.policy.cel import CelCompiler, NoCel
from handrail.policy.check_matches import words_of
from handrail.policy.check_rules import ROLES, Ground
from handrail.policy.check_rules import check_rules as prove
from handrail.policy.replay import Schema
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ActionType
from handrail.terms.finding import Kind
from handrail.tools.registry import Tool, Unit


@dataclass(frozen=True, slots=True)
class Engines:
    """What rules are played with, given by whoever starts the process. Without `schema` no case is played."""

    cel: CelCompiler = field(default_factory=NoCel)
    schema: Schema | None = None


def check_rules(found: Actions, engines: Engines) -> Iterator[Mistake]:
    """Only when everything could be read: a rule that stands beside a mistake would be told as its consequence."""
    rules = found.rules
    tools = {name: [found.tools[tool] for tool in listed] for name, listed in found.listed.items()}
    ground = Ground(
        tools=tools, digits=CURRENCIES, facts=found.facts, cel=engines.cel,
        tested=frozenset(rule.id for rule in rules.rules),  # played below
    )  # fmt: skip
    unlisted = found.tools.keys() - {tool for listed in found.listed.values() for tool in listed}
    for wrong in prove(rules, ground):
        spot = found.spots.get(wrong.place)
        if spot is None:
            continue
        code = f"{str(spot.path[0])[:-1]}.wrong"
        if any(word in unlisted for word in quoted(wrong.what)):
            what = f"{wrong.what} in any use case"
            yield mistake(spot.at(wrong.what), code, what, hint="add it to tools: of a use case")
        else:
            yield told(spot, code, wrong.what, words=_vocabulary(found))
    for limit in rules.limits:
        yield from _out_of_reach(limit, found)
    for rule in rules.rules:
        yield from _route(rule, rules.routes, found)
        yield from _past(rule, found)


def check_zones(found: Actions, time_zones: frozenset[str]) -> Iterator[Mistake]:
    """A zone that this machine does not know would put nobody on duty, for ever."""
    for route in found.rules.routes:
        spot = found.spots.get(route.place)
        for at, shift in enumerate(route.shifts):
            if spot is not None and shift.zone and shift.zone != "UTC" and shift.zone not in time_zones:
                yield mistake(
                    spot.place("shifts", at, "zone"), "route.zone", f"there is no time zone {shown(shift.zone)}",
                    expected="an IANA name such as Europe/Berlin", hint=did_you_mean(shift.zone, time_zones),
                )  # fmt: skip


def check_cases(files: Sequence[Fitted], ruleset: Ruleset, found: Actions, engines: Engines) -> Iterator[Mistake]:
    """Every case as a publish plays it. Nothing is told without a validator of arguments."""
    coverage = played(files, ruleset, engines)
    if coverage is not None:
        yield from mistakes_of(coverage, ruleset.actions, found.spots)


def played(files: Sequence[Fitted], ruleset: Ruleset, engines: Engines) -> Coverage | None:
    """None without a validator of arguments."""
    if engines.schema is None:
        return None
    return play(files, Questions(ruleset, schema=engines.schema, cel=engines.cel))


def _vocabulary(found: Actions) -> set[str]:
    """Every name that a rule may use."""
    words = {str(name) for name in found.names()} | found.facts.keys() | {str(name) for name in found.listed} | ROLES
    words |= {route.id for route in found.rules.routes} | {str(one) for one in (*Kind, *Agreed, *Origin, *Vouched)}
    shown = words_of(found.tools.values(), found.facts, {}).shown
    for tool in found.tools.values():
        words |= _arguments(tool) | tool.totals.keys()
        words |= {f"said.{name}" for name in tool.arguments.get("properties", {})}
        for role, names in tool.names.items():
            facts = {*shown.get(names.kind, {}), "id", "known", "count", "distinct"}
            words |= {f"{role}.{fact}" for fact in facts} | {f"picked.{role}", f"named.{role}"}
    return words | {"customer.id", "customer.count"}


def _arguments(tool: Tool) -> set[str]:
    paths: set[str] = set()
    _below(tool.arguments, "", paths)
    return paths


def _below(schema: object, start: str, paths: set[str]) -> None:
    if not isinstance(schema, Mapping) or start.count(".") > 6:
        return
    for name, one in (schema.get("properties") or {}).items():
        paths.add(f"{start}{name}")
        _below(one, f"{start}{name}.", paths)
    if "items" in schema:
        paths.add(f"{start}*")
        _below(schema["items"], f"{start}*.", paths)


def _past(rule: Rule, found: Actions) -> Iterator[Mistake]:
    """A count of what no tool is called and no type of action is: it would stay nought for ever."""
    spot = found.spots.get(rule.place)
    known = {tool.name for tool in found.tools.values()} | {kind.value.replace("-", "_") for kind in ActionType}
    for name in past_names(ActionRules(rules=(rule,))):
        what = f"{name}.".split(".")[1]
        if spot is not None and what not in known:
            yield mistake(
                spot.at(f"'{name}'"), "rule.past", f"nothing is counted as {shown(what)}",
                expected="the name of a tool, or a type of action with _", hint=did_you_mean(what, known),
            )  # fmt: skip


def _out_of_reach(limit: Limit, found: Actions) -> Iterator[Mistake]:
    """A limit that the smallest amount of every tool is above: nothing could ever pass."""
    spot = found.spots.get(limit.place)
    if spot is None or not limit.currency or limit.currency not in CURRENCIES:
        return
    tools = [
        tool
        for tool in found.tools.values()
        if (not limit.tools or tool.id in limit.tools) and (not limit.types or tool.type in limit.types) and tool.money
    ]
    least = [_least(tool, CURRENCIES[limit.currency]) for tool in tools]
    if least and all(one is not None and one > limit.at_most for one in least):
        smallest = min(one for one in least if one is not None)
        yield mistake(
            spot.place("at_most"), "limit.reach", f"no call can stay below it: the schema begins at {smallest}",
            expected=f"at least {smallest}, in minor units",
        )  # fmt: skip


def _least(tool: Tool, digits: int) -> int | None:
    assert tool.money is not None
    schema = argument(tool, tool.money.amount) or {}
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    if not isinstance(low, int | float) or isinstance(low, bool):
        return None
    return int(Decimal(str(low)).scaleb(digits if tool.money.unit is Unit.MAJOR else 0))


def _route(rule: Rule, routes: Sequence[Route], found: Actions) -> Iterator[Mistake]:
    """A hold that comes from a use case which its route does not serve."""
    route = next((one for one in routes if one.id == rule.route), None)
    spot = found.spots.get(rule.place)
    if route is None or spot is None or not route.use_cases:
        return
    for name, listed in found.listed.items():
        if name in route.use_cases or (rule.use_cases and name not in rule.use_cases):
            continue
        if not rule.tools or set(rule.tools) & set(listed):
            yield mistake(
                spot.place("route"), "rule.route", f'the route "{route.id}" does not serve the use case "{name}"',
                expected=f"one of {', '.join(route.use_cases)} as use_cases of the rule, or another route",
            )  # fmt: skip
            return
