"""What rules may ask of the past: how many actions of a kind there were, by customer, object, agent and the like; pure.

A name is `SCOPE.WHAT` or `SCOPE.WHAT.WINDOW`. WHAT is a tool's own name (`refund`) or an action type with `_`
(`money`, `write_undoable`). WINDOW: `minute`, `hour`, `day`, `month` (of the organisation's calendar), `hours` (this
hour and the 23 before), `days` (today and the 29 before), `ever`; left out: ever. Counted is what was held, approved or
done, in the transaction that decides, so that two calls at once see each other; what ends without an effect is taken
back. Counting of a name begins when a rule with it is first in force.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from handrail.policy.action import Past
from handrail.policy.action_rules import About, ActionRules, Per, Within
from handrail.tools.registry import Tool

NO_CEILING = 2**62
FORMS = {
    Within.MINUTE: "%Y-%m-%dT%H:%M", Within.HOUR: "%Y-%m-%dT%H", Within.DAY: "%Y-%m-%d", Within.MONTH: "%Y-%m",
    Within.EVER: "ever",
}  # fmt: skip
"""How a calendar period is written in the register."""
_ROLLING = {"hours": (Within.HOUR, timedelta(hours=1), 24), "days": (Within.DAY, timedelta(days=1), 30)}


class Count(msgspec.Struct, frozen=True):
    """One name for one action. `scopes`: of each thing that it counts by; the one with most is told. `periods`: those
    that are summed, the present one first. `counts`: this action is one of them."""

    name: str
    scopes: tuple[str, ...]
    periods: tuple[str, ...]
    counts: bool


def names_in(rules: ActionRules) -> tuple[str, ...]:
    """Every name of the past that a rule asks for, sorted."""
    found = set()
    for rule in rules.rules:
        for match in (*rule.when, *rule.unless):
            if match.about is About.PAST:
                found.add(match.name)
            if match.other.startswith("past:"):
                found.add(match.other.removeprefix("past:"))
    return tuple(sorted(found))


def counts_of(
    names: tuple[str, ...], tool: Tool, local: datetime, scopes_of: Callable[[str, Per], tuple[str, ...]]
) -> list[Count]:
    """`local`: now, on the organisation's clock. `scopes_of`: the register's scopes for a name and what it counts by. A
    name that is none, or that cannot be told for this action, is left out: it is missing."""
    made = []
    for name in names:
        by, what, window = [*name.split("."), "ever", "ever"][:3]
        per = next((per for per in Per if per.value == by.replace("_", "-") and per is not Per.ACTION), None)
        if per is None or not what:
            continue
        if window in _ROLLING:
            within, step, many = _ROLLING[window]
            periods = tuple([(local - at * step).strftime(FORMS[within]) for at in range(many)])
        elif window in {one.value for one in Within}:
            periods = (local.strftime(FORMS[Within(window)]),)
        else:
            continue
        counts = what in (tool.name, tool.type.value.replace("-", "_"))
        scopes = scopes_of(f"past.{name}", per)
        if scopes:
            made.append(Count(name, scopes, periods, counts))
    return made


def past_of(counts: list[Count], used: Callable[[str, str], int]) -> tuple[Past, ...]:
    """As the register counts it now."""
    return tuple(
        [Past(one.name, max(sum(used(at, period) for period in one.periods) for at in one.scopes)) for one in counts]
    )
