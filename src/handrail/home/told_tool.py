"""What stands about one action in a ruleset, in words, before anybody asks for it; pure."""

from collections.abc import Iterator

from handrail.policy.action_rules import Limit, Rule
from handrail.policy.ruleset import Autonomy, Ruleset, UseCase
from handrail.terms.action import CONSEQUENTIAL
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Reversibility, Tool

_LEVEL = {
    Autonomy.A0: "the agent only reads",
    Autonomy.A1: "the agent drafts and a person acts",
    Autonomy.A2: "a person approves each consequential call",
    Autonomy.A3: "the agent acts within limits and rules",
    Autonomy.A4: "the agent acts within limits and rules, without a customer's session too",
}
_BACK = {
    Reversibility.FREE: "It can be taken back at any time",
    Reversibility.COMPENSABLE: "It can be made good by a contrary call",
    Reversibility.NONE: "It cannot be taken back",
}


def tell(tool: Tool, ruleset: Ruleset) -> list[str]:
    """Level, rules, limits and routes in each use case that lists the tool, then what becomes of a call."""
    lines = [f"{tool.id}: {tool.title or tool.name}, {tool.type.value}" + (", outbound" if tool.outbound else "")]
    listing = {name: case for name, case in ruleset.use_cases.items() if tool.id in case.tools}
    if not listing:
        lines.append("No use case lists it, so every call is refused.")
    for name, case in listing.items():
        lines += _in_use_case(tool, name, case, ruleset)
    return [*lines, *_target(tool)]


def _in_use_case(tool: Tool, name: UseCaseId, case: UseCase, ruleset: Ruleset) -> Iterator[str]:
    level = case.levels.get(tool.type)
    if level is None:
        yield f"In {name}: no level for {tool.type.value}, so every call is refused."
        return
    yield f"In {name} ({case.mode.value}): {level.risk.value}, {level.autonomy.value}: {_LEVEL[level.autonomy]}."
    rules = [rule for rule in ruleset.actions.rules if _concerns(rule, name, tool)]
    limits = [limit for limit in ruleset.actions.limits if _concerns(limit, name, tool)]
    for rule in rules:
        doubt = f"doubt {rule.doubt}" if rule.doubt else rule.then.value
        yield f"  {doubt:7} {rule.id}: {rule.why} ({rule.place})"
    for limit in limits:
        much = f"{limit.at_most} minor units {limit.currency}" if limit.currency else f"{limit.at_most} calls"
        yield f"  limit   {limit.id}: {much} per {limit.per.value}, {limit.within.value}; over it: {limit.over.value}"
    weighty = tool.type in CONSEQUENTIAL or tool.outbound
    alone = weighty and level.autonomy in (Autonomy.A3, Autonomy.A4) and not limits
    if alone and not any(rule.then is Verdict.ALLOW for rule in rules):
        yield "  No limit covers it and no rule allows it without one, so each call waits for a person."
    routes = ruleset.actions.routes
    if routes:
        asked = [route for route in routes if route.id in {rule.route for rule in rules}] or [routes[0]]
        for route in asked:
            people = "two persons" if route.persons == 2 else "one person"
            roles = " or ".join(route.roles)
            yield f"  route   {route.id}: {people} ({roles}) within {route.decide_within_s} s, else {route.otherwise}"


def _target(tool: Tool) -> Iterator[str]:
    if tool.reversibility is Reversibility.WINDOW:
        yield f"It can be taken back for {tool.undo_within_s} s" + (f" by {tool.undo.tool}." if tool.undo else ".")
    elif tool.type in CONSEQUENTIAL or tool.undo:
        yield _BACK[tool.reversibility] + (f", by {tool.undo.tool}." if tool.undo else ".")
    if tool.idempotency is not None:
        yield f"The target does a call once by its key ({tool.idempotency.place.value} {tool.idempotency.name})."
    if tool.outcome is not None:
        yield f"After a crash {tool.outcome.call.tool} tells what became of it."
    elif tool.idempotency is None and tool.type in CONSEQUENTIAL:
        yield "After a crash between call and answer nobody can tell what became of it, so a person is asked."


def _concerns(scoped: Rule | Limit, use_case: UseCaseId, tool: Tool) -> bool:
    return (
        (not scoped.tools or tool.id in scoped.tools)
        and (not scoped.types or tool.type in scoped.types)
        and (not scoped.use_cases or use_case in scoped.use_cases)
    )
