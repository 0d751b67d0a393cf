"""Everything that is wrong with the rules on actions, found at load against the registered tools; pure.

A wrong name, type, unit, currency or scope, a rule that can never match or never matter, a hold that nobody can settle
and a CEL rule without a test are all mistakes, each with its place and how to mend it. Nothing here is a warning: rules
that have a mistake are not published.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from handrail.policy.action_rules import About, ActionRules, Limit, Per, Route, Rule, Within
from handrail.policy.cel import LONGEST, VARIABLES, CelCompiler, CelError, NoCel
from handrail.policy.cel_names import names_of
from handrail.policy.check_matches import (
    Words,
    check_match,
    check_name,
    check_tool,
    check_value,
    lists_of,
    regions_of,
    words_of,
)
from handrail.policy.contradictions import pointless, unreachable
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId
from handrail.tools.paths import covers
from handrail.tools.registry import Tool

ROLES = frozenset({"owner", "approver", "reviewer", "staff", "compliance", "engineer", "auditor", "admin"})
OTHERWISE = frozenset({"deny", "handover"})
_LONGER = {Within.MINUTE: 0, Within.HOUR: 1, Within.DAY: 2, Within.MONTH: 3, Within.EVER: 4}


class Mistake(NamedTuple):
    """`place`: file and line of what is wrong. `what`: what, and how to mend it."""

    place: str
    what: str


@dataclass(frozen=True)
class Ground:
    """What rules may speak of. `tools`: by use case. `digits`: minor digits by currency. `facts`: names of facts that
    callers supply, with the type of their values (`text`, `number`, `truth`, `list`), besides those of reads.
    `holders`: persons by role; None: not known yet, so no quorum is checked. `barred`: persons who may not settle, by
    use case (its owner). `tested`: ids of rules that a case of `policy test` exercises."""

    tools: Mapping[UseCaseId, Iterable[Tool]]
    digits: Mapping[str, int]
    facts: Mapping[str, str] = field(default_factory=dict)
    holders: Mapping[str, frozenset[str]] | None = None
    barred: Mapping[UseCaseId, frozenset[str]] = field(default_factory=dict)
    tested: frozenset[str] = frozenset()
    cel: CelCompiler = field(default_factory=NoCel)


def check_rules(rules: ActionRules, ground: Ground) -> list[Mistake]:
    """All mistakes, in the order of the file."""
    found: list[Mistake] = []
    words = words_of((tool for tools in ground.tools.values() for tool in tools), ground.facts, ground.digits)
    found += _twice(rules)
    scope = {rule.id: frozenset(_concerned(rule, ground)) for rule in rules.rules}
    for rule in rules.rules:
        found += [Mistake(rule.place or rule.id, what) for what in _rule(rule, rules, ground, words)]
    sound = [rule for rule in rules.rules if (rule.place or rule.id) not in {mistake.place for mistake in found}]
    for rule in sound:
        over = pointless(rule, sound, scope)
        if over is not None:
            found.append(Mistake(rule.place or rule.id, f"it never matters: {over.id!r} decides wherever it matches"))
    for limit in rules.limits:
        found += [Mistake(limit.place or limit.id, what) for what in _limit(limit, rules.limits, ground)]
    for route in rules.routes:
        found += [Mistake(route.place or route.id, what) for what in _route(route, ground)]
    if not rules.routes and any(rule.route for rule in rules.rules):
        found.append(Mistake("", "rules name routes, and there are none"))
    return found


def unsettled(rules: ActionRules, ground: Ground, authors: Mapping[str, str]) -> list[Mistake]:
    """Routes on which too few persons are left, once it is known who holds which role (`Ground.holders`), and rules and
    limits that hold what nobody could settle once their author is left out. `authors`: person by `rule:ID` and
    `limit:ID`."""
    found = [Mistake(route.place or route.id, what) for route in rules.routes for what in _quorum(route, ground)]
    holding: list[Rule | Limit] = [rule for rule in rules.rules if rule.then is Verdict.HOLD and not rule.doubt]
    holding += [limit for limit in rules.limits if limit.over is Verdict.HOLD]
    for scoped in holding:
        author = authors.get(f"{'rule' if isinstance(scoped, Rule) else 'limit'}:{scoped.id}")
        named = scoped.route if isinstance(scoped, Rule) else ""
        route = next((one for one in rules.routes if one.id == named), rules.routes[0] if rules.routes else None)
        if author is None or route is None:
            continue
        barred = {name: ground.barred.get(name, frozenset()) | {author} for name in ground.tools}
        concerned = tuple(
            name
            for name in scoped.use_cases or tuple(ground.tools)
            if name in ground.tools and (not route.use_cases or name in route.use_cases)
        )
        if concerned:
            without = replace(ground, barred=barred)
            narrowed = msgspec.structs.replace(route, use_cases=concerned)
            found += [
                Mistake(scoped.place or scoped.id, f"its author may not settle it, and without her {what}")
                for what in _quorum(narrowed, without)
            ]
    return list(dict.fromkeys(found))


def check_tools(tools: Iterable[Tool], facts: Mapping[str, str]) -> list[Mistake]:
    """What is wrong with registrations as far as rules rest on them: roles, facts, totals, argument paths."""
    listed = list(tools)
    words = words_of(listed, facts, {})
    return [Mistake(tool.place or tool.id, what) for tool in listed for what in check_tool(tool, words)]


def _twice(rules: ActionRules) -> Iterator[Mistake]:
    for listed in (rules.rules, rules.limits, rules.routes):
        seen: set[str] = set()
        for one in listed:
            if one.id in seen:
                yield Mistake(one.place or one.id, f"the id {one.id!r} is used twice")
            seen.add(one.id)


def _concerned(scoped: Rule | Limit, ground: Ground) -> Iterator[tuple[UseCaseId, str]]:
    for use_case, tools in ground.tools.items():
        if scoped.use_cases and use_case not in scoped.use_cases:
            continue
        for tool in tools:
            if (not scoped.tools or tool.id in scoped.tools) and (not scoped.types or tool.type in scoped.types):
                yield use_case, tool.id


def _tools(scoped: Rule | Limit, ground: Ground) -> list[Tool]:
    concerned = set(_concerned(scoped, ground))
    by_id = {
        tool.id: tool for use_case, tools in ground.tools.items() for tool in tools if (use_case, tool.id) in concerned
    }
    return list(by_id.values())


def _scope(scoped: Rule | Limit, ground: Ground) -> Iterator[str]:
    known = {tool.id for tools in ground.tools.values() for tool in tools}
    wrong = [f"there is no tool {tool!r}" for tool in scoped.tools if tool not in known]
    wrong += [f"there is no use case {name!r} with tools" for name in scoped.use_cases if name not in ground.tools]
    yield from wrong
    if not wrong and not any(True for _ in _concerned(scoped, ground)):
        yield "it concerns no tool: its tools, types and use cases have nothing in common"


def _rule(rule: Rule, rules: ActionRules, ground: Ground, words: Words) -> Iterator[str]:
    wrong = list(_scope(rule, ground))
    yield from wrong
    if not rule.why.strip():
        yield "it says no reason"
    if rule.doubt < 0 or (rule.doubt and rule.then is not Verdict.HOLD):
        yield "`weight` is a whole number from 1"
    yield from _outcome(rule, rules, ground)
    yield from _cel(rule, ground, words)
    if wrong:
        return
    tools = _tools(rule, ground)
    for match in (*rule.when, *rule.unless):
        told = list(check_match(match, tools, words))
        wrong += told
        yield from told
    if not wrong:
        dead = unreachable(rule, regions_of(tools, rule), lists_of(tools, rule, words))
        if dead is not None:
            said = f"{dead.about.value} {dead.name} {dead.op.value}".replace("  ", " ")
            yield f"it can never match: `{said}` contradicts the rest, or the schema"


_NO_WORDS = Words({}, {}, {})


def _outcome(rule: Rule, rules: ActionRules, ground: Ground) -> Iterator[str]:
    if rule.then is Verdict.CHANGE and not rule.change:
        yield "`change` needs `to`: argument and value"
    if rule.change and rule.then is not Verdict.CHANGE:
        yield "`to` belongs to `change`"
    for path in rule.change:
        for tool in _tools(rule, ground):
            if any(True for _ in check_name(About.ARGUMENT, path, [tool], _NO_WORDS)):
                yield f"{tool.id} has no argument {path!r} to change"
            elif tool.money is not None and (covers(tool.money.amount, path) or path == tool.money.currency_at):
                yield f"{path!r} is the amount that limits and routes have counted, and cannot be changed by a rule"
            elif wrong := list(check_value(path, rule.change[path], tool)):
                yield wrong[0]
            elif any(covers(pattern, path) or covers(path, pattern) for pattern in tool.objects):
                yield f"{path!r} names the customer's object and cannot be changed by a rule"
    if rule.route:
        if rule.then is not Verdict.HOLD:
            yield "`route` belongs to `hold`"
        route = next((route for route in rules.routes if route.id == rule.route), None)
        if route is None:
            yield f"there is no route {rule.route!r}"
        elif route.up_to is not None:
            yield from _band(rule, route)


def _band(rule: Rule, route: Route) -> Iterator[str]:
    """An amount that the rule starts at must be one that its route may decide."""
    for match in rule.when:
        least = match.value if match.about == "amount" and match.op in ("above", "at-least") else None
        if isinstance(least, int) and route.up_to is not None:
            if match.currency != route.currency:
                yield f"the route {route.id!r} decides in {route.currency or 'nothing'}, the rule in {match.currency}"
            elif least >= route.up_to:
                yield f"nobody on the route {route.id!r} may decide amounts above {route.up_to}"


def _cel(rule: Rule, ground: Ground, words: Words) -> Iterator[str]:
    if not rule.cel:
        return
    if len(rule.cel) > LONGEST:
        yield f"`cel` is longer than {LONGEST} characters"
        return
    try:
        ground.cel.compile(rule.cel, VARIABLES)
    except CelError as error:
        yield f"`cel`: {error}"
    tools = _tools(rule, ground)
    for about, name in dict.fromkeys(names_of(rule.cel)):
        yield from (f"`cel`: {what}" for what in check_name(about, name, tools, words))
    if rule.id not in ground.tested:
        yield "a rule with `cel` needs a case in the tests beside it, since it cannot be proved"


def _limit(limit: Limit, limits: Iterable[Limit], ground: Ground) -> Iterator[str]:
    yield from _scope(limit, ground)
    tools = _tools(limit, ground)
    if isinstance(limit.at_most, bool) or limit.at_most < 0:
        yield "`at_most` is a whole number from 0: minor units, or calls"
    if limit.over not in (Verdict.HOLD, Verdict.DENY):
        yield "`over` is hold or deny"
    if limit.held_at_most is not None and limit.held_at_most < 0:
        yield "`held_at_most` is a whole number from 0"
    if limit.held_at_most is not None and limit.per is Per.ACTION:
        yield "`held_at_most` belongs to a limit that adds up: `per: action` reserves nothing"
    if limit.currency:
        yield from _money(limit.currency, tools, ground)
    if limit.per is Per.OBJECT:
        yield from (f"{tool.id} names no object to count by" for tool in tools if not tool.objects)
    for other in limits:
        if other is not limit and _never_binds(limit, other):
            yield f"it never binds: {other.id!r} allows less over a longer time"


def _never_binds(limit: Limit, other: Limit) -> bool:
    same = (limit.tools, limit.types, limit.use_cases, limit.currency) == (
        other.tools, other.types, other.use_cases, other.currency
    )  # fmt: skip
    longer = (limit.per is Per.ACTION and other.per is not Per.ACTION) or (
        limit.per is other.per and _LONGER[limit.within] < _LONGER[other.within]
    )
    return same and longer and other.at_most < limit.at_most and bool(limit.currency or limit.per is not Per.ACTION)


def _money(currency: str, tools: Iterable[Tool], ground: Ground) -> Iterator[str]:
    if currency not in ground.digits:
        yield f"{currency!r} is not an ISO 4217 code"
    for tool in tools:
        if tool.money is None:
            yield f"{tool.id} does not say where its amount stands"
        elif tool.money.currency is not None and tool.money.currency != currency:
            yield f"{tool.id} moves {tool.money.currency}, not {currency}"


def _route(route: Route, ground: Ground) -> Iterator[str]:
    for roles, where in ((route.roles, "roles"), *((step.roles, "steps") for step in route.steps)):
        if not roles:
            yield f"`{where}` names nobody"
        yield from (f"{role!r} is no role: {', '.join(sorted(ROLES))}" for role in roles if role not in ROLES)
    if not 1 <= route.persons <= 2:
        yield "`persons` is 1 or 2"
    if route.up_to is not None and (route.up_to < 0 or route.currency not in ground.digits):
        yield "`up_to` is whole minor units with a `currency` of ISO 4217"
    if route.batch_up_to is not None and route.currency not in ground.digits:
        yield "`batch_up_to` is whole minor units of the route's `currency`"
    if route.batch_up_to is not None and route.up_to is not None and route.batch_up_to > route.up_to:
        yield "`batch_up_to` is above `up_to`, which this route may decide at all"
    if route.batch_up_to is not None and route.batch < 2:
        yield "`batch_up_to` needs a `batch` of 2 or more"
    if route.otherwise not in OTHERWISE:
        yield f"`otherwise` is one of {', '.join(sorted(OTHERWISE))}"
    if min(route.decide_within_s, route.execute_within_s, route.hand_over_within_s) <= 0:
        yield "times are whole seconds from 1"
    after = [step.after_s for step in route.steps]
    if after != sorted(set(after)) or any(not 0 < second < route.decide_within_s for second in after):
        yield "`steps` rise and come before `decide_within_s` ends"
    for shift in route.shifts:
        whole = 0 <= shift.start < shift.end <= 1_440
        if not whole or not shift.weekdays or any(not 0 <= day <= 6 for day in shift.weekdays):
            yield "a shift has weekdays 0 to 6 (Monday 0) and minutes of the day, start before end"
    yield from (f"there is no use case {name!r} with tools" for name in route.use_cases if name not in ground.tools)
    yield from _quorum(route, ground)


def _quorum(route: Route, ground: Ground) -> Iterator[str]:
    """Whether enough different people are left once the use case's owner may not decide."""
    if ground.holders is None:
        return
    holders = ground.holders
    asked = {role for roles in (route.roles, *(step.roles for step in route.steps)) for role in roles}
    people = frozenset(person for role in asked for person in holders.get(role, frozenset()))
    for use_case in route.use_cases or tuple(ground.tools):
        left = people - ground.barred.get(use_case, frozenset())
        if len(left) < route.persons:
            yield f"nobody could settle a hold of {use_case!r}: {len(left)} of {route.persons} persons have its roles"
