"""Which rules could match an action, without asking each; pure.

Rules are kept per use case and tool. Within one tool a rule stands under one of its conditions: an equality in a table
by value, a bound in a sorted list, so that a thousand rules that do not match cost a few look-ups. A rule without such
a condition is always asked. What is left out here cannot match; whatever is unsure (a list, a value of another type)
brings all rules of its table, so that `conditions.holds` can say that it cannot answer.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from handrail.policy.action_rules import About, Match, Op, Rule
from handrail.policy.cel import CelProgram
from handrail.policy.conditions import View, absent, family, missing

_TABLED = frozenset({About.ARGUMENT, About.FACT, About.PAST, About.AMOUNT, About.AGREED, About.MINUTE, About.WEEKDAY})
_EQUAL = frozenset({Op.IS, Op.IN})
_FROM_BELOW = frozenset({Op.ABOVE, Op.AT_LEAST})
_FROM_ABOVE = frozenset({Op.BELOW, Op.AT_MOST})


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule as it is asked. `order`: its place in the ruleset."""

    order: int
    rule: Rule
    program: CelProgram | None = None


@dataclass(slots=True)
class _Table:
    """Rules with an equality on one thing. `families`: types of the values in it."""

    match: Match
    by_value: dict[Any, list[Ready]] = field(default_factory=dict)
    families: set[str] = field(default_factory=set)
    every: list[Ready] = field(default_factory=list)

    def add(self, match: Match, ready: Ready) -> None:
        for value in match.value if match.op is Op.IN else (match.value,):
            self.families.add(family(value))
            self.by_value.setdefault((family(value), value), []).append(ready)
        self.every.append(ready)

    def possible(self, view: View) -> Sequence[Ready]:
        left = view.left(self.match)
        if unsure(self.match, left, view):
            return self.every
        if missing(left):
            return ()
        kind = family(left)
        if self.families != {kind}:
            return self.every
        return self.by_value.get((kind, left), ())


@dataclass(slots=True)
class _Bounds:
    """Rules with a bound on one thing, sorted by it. `rising`: they match from their bound upwards."""

    match: Match
    rising: bool
    bounds: list[float] = field(default_factory=list)
    rules: list[Ready] = field(default_factory=list)

    def add(self, match: Match, ready: Ready) -> None:
        place = bisect_right(self.bounds, match.value)
        self.bounds.insert(place, match.value)
        self.rules.insert(place, ready)

    def possible(self, view: View) -> Sequence[Ready]:
        left = view.left(self.match)
        if unsure(self.match, left, view):
            return self.rules
        if missing(left):
            return ()
        if family(left) != "number":
            return self.rules
        if self.rising:
            return self.rules[: bisect_right(self.bounds, left)]
        return self.rules[bisect_left(self.bounds, left) :]


class RuleIndex:
    """The rules that concern one tool of one use case."""

    __slots__ = ("_always", "_tables")

    def __init__(self, rules: Sequence[Ready]) -> None:
        self._always: list[Ready] = []
        tables: dict[tuple[Any, ...], _Table | _Bounds] = {}
        for ready in rules:
            place = _place(ready.rule)
            if place is None:
                self._always.append(ready)
                continue
            match, make = place
            key = (match.about, match.name, match.vouched, match.currency, make is _Table, match.op in _FROM_BELOW)
            if key not in tables:
                tables[key] = _Table(match) if make is _Table else _Bounds(match, match.op in _FROM_BELOW)
            tables[key].add(match, ready)
        self._tables = tuple(tables.values())

    def possible(self, view: View) -> list[Ready]:
        """In the order of the ruleset, each once."""
        found = list(self._always)
        for table in self._tables:
            found += table.possible(view)
        if len(found) > len(self._always):
            found = list({ready.order: ready for ready in found}.values())
            found.sort(key=lambda ready: ready.order)
        return found


def unsure(match: Match, left: Any, view: View) -> bool:
    """Whether only the rule itself can say what this means for it: a fact or count that is not there, an amount in
    another currency."""
    if match.about is About.AMOUNT:
        return match.currency != view.given.currency
    return match.about in (About.FACT, About.PAST) and absent(left)


def _place(rule: Rule) -> tuple[Match, Callable[..., Any]] | None:
    """The condition that the rule is kept under, and in what."""
    for match in rule.when:
        if match.about not in _TABLED or match.other:
            continue
        values = match.value if match.op is Op.IN else (match.value,)
        if match.op in _EQUAL and all(family(value) in ("text", "number", "truth") for value in values):
            return match, _Table
        if match.op in _FROM_BELOW | _FROM_ABOVE and family(match.value) == "number":
            return match, _Bounds
    return None
