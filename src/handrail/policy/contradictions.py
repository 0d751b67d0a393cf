"""Typed conditions that can never be true, and rules that another rule makes pointless; proved, not sampled. Pure.

A condition narrows a region of one thing (an argument, a fact, the amount): an interval, a set of values, values left
out, present or missing. A rule whose region is empty is unreachable; one whose region lies within that of a rule that
decides more is pointless. Rules with CEL count as "may match": they are never proved unreachable by it, and never cover
another rule. Conditions on two sides of the input (`other`) are only compared with their own contrary.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from handrail.policy.action_rules import About, Match, Op, Rule
from handrail.policy.conditions import family
from handrail.terms.decision import SEVERITY

Key = tuple[About, str, str]
"""What a region is about: subject, name and, for facts, who vouches."""

CONTRARY = {
    Op.IS: Op.IS_NOT,
    Op.IS_NOT: Op.IS,
    Op.IN: Op.NOT_IN,
    Op.NOT_IN: Op.IN,
    Op.AT_MOST: Op.ABOVE,
    Op.ABOVE: Op.AT_MOST,
    Op.AT_LEAST: Op.BELOW,
    Op.BELOW: Op.AT_LEAST,
}
_OF_ANY = frozenset({Op.IS_NOT, Op.NOT_IN, Op.ABOVE, Op.BELOW})
"""Of a list these speak of any value, the others of every one (`policy.conditions`)."""


@dataclass(frozen=True, slots=True)
class Region:
    """Values a thing may still have. `only`: None = any. `missing`: True = must be absent, False = must be there,
    None = either."""

    low: float = -inf
    low_open: bool = False
    high: float = inf
    high_open: bool = False
    only: frozenset[Any] | None = None
    never: frozenset[Any] = frozenset()
    missing: bool | None = None

    @property
    def empty(self) -> bool:
        if self.missing:
            return False
        if self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)):
            return True
        return self.only is not None and not any(self.admits(value) for value in self.only)

    def admits(self, value: Any) -> bool:
        if value in self.never:
            return False
        if family(_bare(value)) != "number":
            return True
        number = _bare(value)
        above = number > self.low or (number == self.low and not self.low_open)
        return above and (number < self.high or (number == self.high and not self.high_open))

    def within(self, other: "Region") -> bool:
        """Whether every value admitted here is admitted there. May say False of what it cannot prove."""
        if self.empty:
            return True
        if self.missing or other.missing:
            return self.missing is other.missing
        if other.missing is False and self.missing is not False:
            return False
        if self.only is not None:
            left = [value for value in self.only if self.admits(value)]
            return all(other.admits(value) and (other.only is None or value in other.only) for value in left)
        if other.only is not None or not other.never <= self.never:
            return False
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        high = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return low and high


ANYTHING = Region()


def narrowed(region: Region, op: Op, value: Any) -> Region | None:
    """The region with one more condition; None = the two contradict each other on being there. A condition without a
    region of its own (`contains`, an order of text) only needs the thing to be there."""
    if op is Op.EXISTS:
        missing = not value
        return (
            None if region.missing is not None and region.missing is not missing else replace(region, missing=missing)
        )
    if region.missing:
        return None
    region = replace(region, missing=False)
    if op in (Op.IS, Op.IN):
        values = frozenset(_value(one) for one in (value if op is Op.IN else (value,)))
        return replace(region, only=values if region.only is None else region.only & values)
    if op in (Op.IS_NOT, Op.NOT_IN):
        values = frozenset(_value(one) for one in (value if op is Op.NOT_IN else (value,)))
        return replace(region, never=region.never | values)
    if family(value) != "number":
        return region
    if op in (Op.AT_LEAST, Op.ABOVE) and (value, op is Op.ABOVE) > (region.low, region.low_open):
        return replace(region, low=value, low_open=op is Op.ABOVE)
    if op in (Op.AT_MOST, Op.BELOW) and (-value, op is Op.BELOW) > (-region.high, region.high_open):
        return replace(region, high=value, high_open=op is Op.BELOW)
    return region


def key_of(match: Match) -> Key:
    return match.about, match.name, match.vouched if match.about is About.FACT else ""


def unreachable(rule: Rule, bases: Mapping[Key, Region], lists: frozenset[Key] = frozenset()) -> Match | None:
    """The first condition that can never be true together with those before it, or with `bases` (what schema and type
    admit). `lists`: things that may have many values. An `unless` that all of `when` implies makes the rule dead too.
    """
    regions, negated = dict(bases), []
    others: set[tuple[Key, Op, str]] = set()
    for match in rule.when:
        key = key_of(match)
        if match.other:
            if match.op in CONTRARY and (key, CONTRARY[match.op], match.other) in others:
                return match
            others.add((key, match.op, match.other))
            continue
        if key in lists and match.op in _OF_ANY:
            negated.append(match)
            continue
        region = narrowed(regions.get(key, ANYTHING), match.op, match.value)
        if region is None or region.empty:
            return match
        regions[key] = region
    for match in negated:
        if _implied(regions, replace_op(match)):
            return match
    return next((match for match in rule.unless if _always(match, regions, others)), None)


def pointless(rule: Rule, others: Iterable[Rule], scope: Mapping[str, frozenset[Any]]) -> Rule | None:
    """A rule that decides more wherever this one matches, so that this one never matters, or says the same again.
    `scope`: rule id to the (use case, tool) pairs it concerns. Doubts add up: they neither cover nor are covered."""
    if rule.doubt or rule.cel:
        return None
    for other in others:
        if other is rule or other.cel or other.unless or other.doubt or other.agents not in ((), rule.agents):
            continue
        if not scope[rule.id] <= scope[other.id] or not _outweighs(other, rule):
            continue
        if all(_implies(rule, match) for match in other.when):
            return other
    return None


def replace_op(match: Match) -> Match:
    """The same condition turned into its contrary."""
    return Match(about=match.about, op=CONTRARY[match.op], name=match.name, value=match.value, vouched=match.vouched)


def _outweighs(other: Rule, rule: Rule) -> bool:
    """A stronger verdict always wins; an equal one only says the same again when the conditions are the same."""
    if SEVERITY[other.then] != SEVERITY[rule.then]:
        return SEVERITY[other.then] > SEVERITY[rule.then]
    return other.when == rule.when and other.unless == rule.unless and other.change == rule.change


def _implies(rule: Rule, wanted: Match) -> bool:
    if wanted in rule.when:
        return True
    if wanted.other:
        return False
    regions: dict[Key, Region] = {}
    for match in rule.when:
        if match.other or match.currency != wanted.currency:
            continue
        region = narrowed(regions.get(key_of(match), ANYTHING), match.op, match.value)
        if region is not None:
            regions[key_of(match)] = region
    return _implied(regions, wanted)


def _implied(regions: Mapping[Key, Region], wanted: Match) -> bool:
    here = regions.get(key_of(wanted))
    if here is None or wanted.other or wanted.op is Op.CONTAINS:
        return False
    if wanted.op not in (Op.EXISTS, Op.IS, Op.IN, Op.IS_NOT, Op.NOT_IN) and family(wanted.value) != "number":
        return False
    there = narrowed(ANYTHING, wanted.op, wanted.value)
    return there is not None and here.within(there)


def _always(match: Match, regions: Mapping[Key, Region], others: set[tuple[Key, Op, str]]) -> bool:
    if match.other:
        return (key_of(match), match.op, match.other) in others
    return _implied(regions, match)


def _value(value: Any) -> Any:
    """As a member of a set: truth values are not numbers (`True` is not `1`), lists and objects by their text."""
    if isinstance(value, bool):
        return ("truth", value)
    return value if isinstance(value, str | int | float) else str(value)


def _bare(value: Any) -> Any:
    return value[1] if isinstance(value, tuple) and len(value) == 2 and value[0] == "truth" else value
