"""What the reads of a conversation taught about objects, and the facts that an action's arguments bring in; pure.

A tool's registration says which objects its responses show (`Shows`), and which known objects its arguments name
(`Names`). A later response about the same object replaces what an earlier one said, so a fact is as old as its last
read; but what nobody vouches for never replaces what was vouched for. What was never read is missing, and rules on it
match only `exists: false`. Nothing here trusts a response more than its upstream is trusted, and what others wrote into
a record (`quoted`) is never vouched for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from handrail.policy.action import Fact, Vouched
from handrail.policy.conversation import Turn
from handrail.tools.paths import values_at
from handrail.tools.registry import FactAt, Names, Shows, Tool, Total, Unit, Upstream, UpstreamId

OWNER = "owner"
"""The fact that binds an object to a customer."""


class Seen(msgspec.Struct, frozen=True):
    """A fact of an object. `message`: the response that stated it last."""

    value: Any
    message: int
    vouched: Vouched


class Thing(msgspec.Struct, frozen=True):
    """An object as far as it was read. `label`, `words`: what a person calls it, and describes it by."""

    kind: str
    id: str
    facts: dict[str, Seen]
    label: str = ""
    words: tuple[str, ...] = ()
    message: int = -1


class Known(msgspec.Struct, frozen=True):
    """`things`: by kind and id. `customers`: who was identified, in order; more than one is for a rule to refuse.
    `owners`: message of a response to the customers whose objects it shows."""

    things: dict[tuple[str, str], Thing] = {}
    customers: tuple[str, ...] = ()
    owners: dict[int, frozenset[str]] = {}

    def thing(self, kind: str, identity: Any) -> Thing | None:
        return self.things.get((kind, str(identity)))

    def foreign(self, message: int) -> bool:
        """Whether a response shows objects of other customers, once the customer is known."""
        return bool(self.customers) and not self.owners.get(message, frozenset()) <= frozenset(self.customers)

    def of_kind(self, kind: str) -> Iterator[Thing]:
        return (thing for (its, _), thing in self.things.items() if its == kind)


def learn(
    turns: Iterable[Turn],
    upstreams: Mapping[UpstreamId, Upstream],
    digits: Mapping[str, int],
    customers_word: frozenset[int] = frozenset(),
    named: Callable[[Any], bool] = lambda identity: False,
) -> Known:
    """`digits`: minor digits by currency. `customers_word`: indexes of the responses whose calls rest on the customer's
    own words or verified facts alone; only those identify the customer. `named`: whether the customer said an id."""
    things: dict[tuple[str, str], Thing] = {}
    customers: dict[str, None] = {}
    owners: dict[int, frozenset[str]] = {}
    for turn in turns:
        if turn.call is None or turn.said is None:
            continue
        tool = turn.call.tool
        upstream = upstreams.get(tool.upstream)
        vouched = Vouched.VERIFIED if upstream is not None and upstream.trusted else Vouched.SAID
        for shows in tool.shows:
            for thing in _shown(shows, turn, vouched, digits):
                things[thing.kind, thing.id] = _merged(things.get((thing.kind, thing.id)), thing)
                if vouched is not Vouched.VERIFIED:
                    continue
                if OWNER in thing.facts:
                    owners[turn.index] = owners.get(turn.index, frozenset()) | {str(thing.facts[OWNER].value)}
                if shows.identifies and turn.index in customers_word:
                    customers[thing.id] = None
                if shows.owner_named and OWNER in thing.facts and named(thing.facts[OWNER].value):
                    customers[str(thing.facts[OWNER].value)] = None
    return Known(things, tuple(customers), owners)


def shown_ids(turn: Turn) -> frozenset[str]:
    """Ids of the objects that a response shows."""
    if turn.call is None or turn.said is None:
        return frozenset()
    shown = (thing for shows in turn.call.tool.shows for thing in _shown(shows, turn, Vouched.SAID, {}))
    return frozenset(thing.id for thing in shown)


def facts_of(tool: Tool, arguments: dict[str, Any], known: Known) -> tuple[Fact, ...]:
    """The facts of the objects that the arguments name, the customer's, and the totals."""
    facts: dict[str, Fact] = {}
    if known.customers:
        facts["customer.count"] = Fact("customer.count", len(known.customers), Vouched.VERIFIED)
    if len(known.customers) == 1:
        facts["customer.id"] = Fact("customer.id", known.customers[0], Vouched.VERIFIED)
    for role, names in tool.names.items():
        for fact in _role(role, names, arguments, known, facts):
            facts[fact.name] = fact
    for name, total in tool.totals.items():
        figure = _total(total, arguments, facts)
        if figure is not None:
            facts[name] = Fact(name, figure, _weakest(total, facts))
    return tuple(facts.values())


def own_of(tool: Tool, arguments: dict[str, Any], known: Known) -> tuple[str, ...]:
    """The object arguments that are known to be the identified customer's: vouched owner, and exactly one customer."""
    if len(known.customers) != 1:
        return ()
    return tuple(path for path, kind in tool.objects.items() if _all_own(list(values_at(arguments, path)), kind, known))


def _all_own(identities: Sequence[Any], kind: str, known: Known) -> bool:
    return bool(identities) and all(_belongs(known.thing(kind, one), str(one), known) for one in identities)


def _belongs(thing: Thing | None, identity: str, known: Known) -> bool:
    if thing is None:
        return False
    if identity in known.customers:
        return True
    owner = thing.facts.get(OWNER)
    return owner is not None and owner.vouched is Vouched.VERIFIED and str(owner.value) in known.customers


def _shown(shows: Shows, turn: Turn, vouched: Vouched, digits: Mapping[str, int]) -> Iterator[Thing]:
    for key, item in _each(turn.said, shows.each):
        identity = _one(shows.id, item, key, turn)
        if not _is_id(identity):
            continue
        facts = {}
        for name, at in shows.facts.items():
            value = _fact(at, item, turn, digits)
            if value is not None:
                facts[name] = Seen(value, turn.index, Vouched.SAID if at.quoted else vouched)
        owner = _one(shows.owner, item, key, turn) if shows.owner else None
        if owner is not None:
            facts[OWNER] = Seen(owner, turn.index, vouched)
        words = tuple(str(word) for path in shows.words for word in _all(path, item, turn) if word not in (None, ""))
        label = str(next(iter(_all(shows.label, item, turn)), "")) if shows.label else ""
        yield Thing(shows.kind, str(identity), facts, label, words, turn.index)


def _is_id(value: Any) -> bool:
    """An id is one word or a whole number: a sentence that stands where an id was due names nothing."""
    if isinstance(value, str):
        return bool(value) and not any(sign.isspace() for sign in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _each(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Objects with the key they stand under, when they are values of a mapping."""
    if path.endswith("*"):
        for parent in values_at(value, path[:-1].removesuffix(".")):
            if isinstance(parent, dict):
                yield from parent.items()
            elif isinstance(parent, list):
                yield from (("", item) for item in parent)
    else:
        yield from (("", item) for item in values_at(value, path))


def _one(place: str, item: Any, key: str, turn: Turn) -> Any:
    if place == "$self":
        return item
    if place == "$key":
        return key
    if place.startswith("$response."):
        return next(values_at(turn.said, place.removeprefix("$response.")), None)
    if place.startswith("$arguments."):
        source: Any = turn.call.arguments if turn.call else {}
        return next(values_at(source, place.removeprefix("$arguments.")), None)
    return next(values_at(item, place), None)


def _all(place: str, item: Any, turn: Turn) -> list[Any]:
    if place.startswith("$response."):
        return list(values_at(turn.said, place.removeprefix("$response.")))
    return [item] if place == "$self" else list(values_at(item, place))


def _fact(at: FactAt, item: Any, turn: Turn, digits: Mapping[str, int]) -> Any:
    found = _all(at.at, item, turn)
    if at.unit is not None:
        amounts = [_minor(value, at.unit, digits.get(at.currency)) for value in found]
        if any(amount is None for amount in amounts):
            return None
        found = amounts
    if "*" in at.at.split("."):
        return found
    return found[0] if found else None


def _minor(value: Any, unit: Unit, digits: int | None) -> int | None:
    """Whole minor units, or None when it cannot be read exactly. A balance may be negative."""
    if digits is None or isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        exact = Decimal(str(value)).scaleb(digits if unit is Unit.MAJOR else 0)
    except InvalidOperation:
        return None
    if not exact.is_finite() or exact != exact.to_integral_value():
        return None
    return int(exact)


def _merged(old: Thing | None, new: Thing) -> Thing:
    if old is None:
        return new
    facts = dict(old.facts)
    for name, seen in new.facts.items():
        if seen.vouched is Vouched.VERIFIED or name not in facts or facts[name].vouched is not Vouched.VERIFIED:
            facts[name] = seen
    return Thing(new.kind, new.id, facts, new.label or old.label, new.words or old.words, new.message)


def _role(
    role: str, names: Names, arguments: dict[str, Any], known: Known, facts: Mapping[str, Fact]
) -> Iterator[Fact]:
    if names.argument:
        many = "*" in names.argument.split(".")
        identities = list(values_at(arguments, names.argument))
    else:
        source = facts.get(names.fact)
        if source is None:
            return
        many = isinstance(source.value, list)
        identities = source.value if isinstance(source.value, list) else [source.value]
    if not identities:
        return
    things = [known.thing(names.kind, one) for one in identities]
    yield Fact(f"{role}.id", identities if many else identities[0], Vouched.VERIFIED)
    yield Fact(f"{role}.count", len(identities), Vouched.VERIFIED)
    yield Fact(f"{role}.distinct", len({str(one) for one in identities}) == len(identities), Vouched.VERIFIED)
    yield Fact(f"{role}.known", all(thing is not None for thing in things), Vouched.VERIFIED)
    found = [thing for thing in things if thing is not None]
    if len(found) < len(things):
        return
    for name in found[0].facts:
        seen = [thing.facts.get(name) for thing in found]
        if all(one is not None for one in seen):
            yield _together(f"{role}.{name}", [one for one in seen if one is not None], many)


def _together(name: str, seen: Sequence[Seen], many: bool) -> Fact:
    vouched = Vouched.VERIFIED if all(one.vouched is Vouched.VERIFIED for one in seen) else Vouched.SAID
    return Fact(name, [one.value for one in seen] if many else seen[0].value, vouched)


def _total(total: Total, arguments: dict[str, Any], facts: Mapping[str, Fact]) -> int | None:
    figures = [[_term(term, arguments, facts) for term in side] for side in (total.plus, total.minus)]
    if any(figure is None for side in figures for figure in side):
        return None
    plus, minus = (sum(figure for figure in side if figure is not None) for side in figures)
    return (plus - minus) * total.times


def _term(term: str, arguments: dict[str, Any], facts: Mapping[str, Fact]) -> int | None:
    if term.lstrip("-").isdecimal():
        return int(term)
    counted = term.startswith("count:")
    about, _, name = term.removeprefix("count:").partition(":")
    if about == "argument":
        values = list(values_at(arguments, name))
    else:
        fact = facts.get(name)
        if fact is None:
            return None
        values = fact.value if isinstance(fact.value, list) else [fact.value]
    if counted:
        return len(values)
    if not values or any(isinstance(value, bool) or not isinstance(value, int) for value in values):
        return None
    return sum(int(value) for value in values)


def _weakest(total: Total, facts: Mapping[str, Fact]) -> Vouched:
    names = [term.rpartition("fact:")[2] for term in (*total.plus, *total.minus) if "fact:" in term]
    return (
        Vouched.VERIFIED
        if all(facts[name].vouched is Vouched.VERIFIED for name in names if name in facts)
        else Vouched.SAID
    )
