"""What the customer asked for or confirmed before a call: action, subject, amount, address; pure.

A value is the customer's when the customer said it, or when the agent put it to the customer and the reply was a yes.
It is said literally, in another format, spoken, or by describing the object it names better than any other that could
have been meant ("the black lamp"). Nothing that a document, a tool or the model says of an approval counts; only the
customer's turns do. When this cannot tell it answers `nothing`, and a consequential action holds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from handrail.policy.action import Agreed, Fact, Vouched
from handrail.policy.conversation import Turn
from handrail.policy.known import Known, Thing
from handrail.policy.wording import HeardIn, Readings, Wording, mentioned
from handrail.terms.finding import Role
from handrail.tools.amount import in_words
from handrail.tools.paths import covers, leaves, values_at
from handrail.tools.registry import Names, Tool

PROPOSALS = 3
"""How many of the agent's last texts before the reply may have put the values to the customer."""


class Consent(msgspec.Struct, frozen=True):
    """`said`: argument path to `customer` (said by the customer), `confirmed` (put to the customer, who said yes),
    `proposed` (put to the customer, no yes), or `nobody`. `picked`: role to how its objects were chosen: `named` (the
    customer gave the id), `described` (by the customer, and nothing else fits), `ambiguous` (others fit as well),
    `unread` (others were never looked at). `named`: role to how many of its objects the customer spoke of. `action`: it
    was named. `declined`: the agent said that something cannot be done. `compared`: the customer chose by comparison
    ("the cheaper one"), and the agent worked out which. `message`: the customer's reply, or -1."""

    agreed: Agreed
    said: dict[str, str] = {}
    picked: dict[str, str] = {}
    named: dict[str, int] = {}
    message: int = -1
    everything: bool = False
    action: bool = False
    declined: bool = False
    compared: bool = False


class _Talk:
    """The conversation before the call, ready to be asked. `put`: the agent's last texts, each with whether the
    customer's next words agreed to it."""

    def __init__(self, tool: Tool, turns: Sequence[Turn], readings: Readings, values: "Sequence[_Value]") -> None:
        spoken = [turn for turn in turns if turn.role in (Role.USER, Role.ASSISTANT)]
        wordings = {turn.index: readings.wording(turn.text) for turn in spoken}
        heard = {turn.index: readings.hear(turn.text) for turn in spoken}
        self.reply = next(turn for turn in reversed(spoken) if turn.role is Role.USER)
        self.heard = heard[self.reply.index]
        self.own = [wordings[turn.index] for turn in spoken if turn.role is Role.USER]
        self.own_heard = [heard[turn.index] for turn in spoken if turn.role is Role.USER]
        self.yes = _answers(self.heard, self.own[-1], values)
        replies = [
            (wordings[turn.index], wordings[following.index], heard[following.index])
            for turn, following in pairwise(spoken)
            if turn.role is Role.ASSISTANT and following.role is Role.USER
        ]
        self.put = [(put, _says_yes(said)) for put, _, said in replies[-PROPOSALS:]]
        self.withdrawn = _withdrawn(tool, spoken, wordings, heard, values)
        self.everything = any(said.everything for said in heard.values())
        self.declined = any(heard[turn.index].cannot for turn in spoken if turn.role is Role.ASSISTANT)
        self.compared = any(heard[turn.index].compares for turn in spoken if turn.role is Role.USER)
        self.all_of_it = any(heard[turn.index].everything for turn in spoken if turn.role is Role.USER)


def _says_yes(heard: HeardIn) -> bool:
    """A yes that neither declines nor postpones. Only this confirms what the customer did not say."""
    return heard.yes and not heard.no and not heard.wait


def _answers(heard: HeardIn, wording: Wording, values: "Iterable[_Value]") -> bool:
    """A yes; or an answer that states one of the values and neither declines, postpones nor asks."""
    if heard.yes:
        return _says_yes(heard)
    return not (heard.no or heard.wait or heard.asks) and any(value.told([wording]) for value in values)


def _withdrawn(
    tool: Tool,
    spoken: Sequence[Turn],
    wordings: Mapping[int, Wording],
    heard: Mapping[int, HeardIn],
    values: "Sequence[_Value]",
) -> bool:
    """Whether the customer declined the action and neither asked for it nor agreed to it since. A no to a text that
    speaks of something else declines that."""
    declined, offer = False, None
    for turn in spoken:
        wording, said = wordings[turn.index], heard[turn.index]
        if turn.role is Role.ASSISTANT:
            offer = wording
            continue
        offered = offer is not None and _concerns(tool, offer, values)
        if said.no and not said.yes:
            declined = declined or offered or _concerns(tool, wording, values)
        elif (offered and _says_yes(said)) or _concerns(tool, wording, values):
            declined = False
        offer = None
    return declined


def _concerns(tool: Tool, wording: Wording, values: "Sequence[_Value]") -> bool:
    """Whether a text speaks of the action: by its words, or where it has none by one of its values."""
    return _named(tool, [wording]) if tool.asks else not values or any(value.told([wording]) for value in values)


def consent_of(
    tool: Tool,
    arguments: dict[str, Any],
    turns: Sequence[Turn],
    known: Known,
    facts: Iterable[Fact],
    readings: Readings,
    digits: int | None = None,
) -> Consent:
    """What the turns before the call amount to. `digits`: minor digits of its currency; None: no amount is said."""
    if not any(turn.role is Role.USER for turn in turns):
        return Consent(Agreed.NOTHING)
    by_name = {fact.name: fact.value for fact in facts}
    values = [
        _meant(tool, arguments, path, value, known, by_name, digits)
        for path, value in _values(tool, arguments)
        if str(value) not in known.customers
    ]
    talk = _Talk(tool, turns, readings, values)
    said = {value.path: _who(value, talk) for value in values}
    yes = talk.yes
    asked = _asked(tool, talk)
    action = asked or _named(tool, [wording for wording, _ in talk.put])
    heard = talk.heard
    return Consent(
        agreed=_agreed(
            said,
            yes=yes,
            no=heard.no,
            said_yes=heard.yes,
            wait=heard.wait and heard.asks,
            asked=asked,
            named=action,
            withdrawn=talk.withdrawn,
        ),
        said=said,
        picked=dict(_picked(tool, arguments, known, by_name, talk)),
        named=dict(_spoken_of(tool, known, by_name, talk)),
        message=talk.reply.index,
        everything=talk.everything,
        action=action,
        declined=talk.declined,
        compared=talk.compared,
    )


def facts_of_consent(consent: Consent) -> Iterator[Fact]:
    """What rules may ask of the conversation: `said.ARGUMENT` (the weakest of its values), `said.everything`,
    `said.action`, `said.declined`, `said.compared`, `picked.ROLE`, `named.ROLE`."""
    heads: dict[str, str] = {}
    for path, who in consent.said.items():
        head = path.partition(".")[0]
        heads[head] = max(heads.get(head, ""), who, key=_WEAKNESS.__getitem__)
    for head, who in heads.items():
        yield Fact(f"said.{head}", who, Vouched.VERIFIED)
    yield Fact("said.everything", consent.everything, Vouched.VERIFIED)
    yield Fact("said.action", consent.action, Vouched.VERIFIED)
    yield Fact("said.declined", consent.declined, Vouched.VERIFIED)
    yield Fact("said.compared", consent.compared, Vouched.VERIFIED)
    for role, picked in consent.picked.items():
        yield Fact(f"picked.{role}", picked, Vouched.VERIFIED)
    for role, number in consent.named.items():
        yield Fact(f"named.{role}", number, Vouched.VERIFIED)


_WEAKNESS = {"": 0, "customer": 1, "confirmed": 2, "proposed": 3, "nobody": 4}


def _agreed(
    said: Mapping[str, str], *, yes: bool, no: bool, said_yes: bool, wait: bool, asked: bool, named: bool,
    withdrawn: bool,
) -> Agreed:  # fmt: skip
    """`yes`: the reply agrees, by a yes or by an answer; `said_yes`: it holds the word, whatever else it holds.
    `withdrawn`: the action was declined and not asked for again."""
    if no:
        return Agreed.PARTLY if said_yes and named else Agreed.REFUSED
    if withdrawn:
        return Agreed.REFUSED
    whose = set(said.values())
    if whose <= {"customer"} and asked and not (wait and not yes):
        return Agreed.CONFIRMED if said_yes else Agreed.ASKED
    if whose <= {"customer", "confirmed"} and named and yes:
        return Agreed.CONFIRMED
    if (yes or asked) and named:
        return Agreed.PARTLY
    return Agreed.OTHER if yes else Agreed.NOTHING


class _Value(msgspec.Struct, frozen=True):
    """A value of the call and what it means to a person: the object it names (None when it names none, or one that was
    never read), the `rivals` that a person's words could mean too, the `phrases` it goes by. `whole`: the call names
    all that there are. `amount`: a sum of money, in major units."""

    path: str
    value: Any
    thing: Thing | None = None
    rivals: tuple[Thing, ...] = ()
    phrases: tuple[str, ...] = ()
    whole: bool = False
    amount: Decimal | None = None

    def told(self, wordings: Iterable[Wording]) -> bool:
        """Whether one of the texts states the value, or describes what it names."""
        return any(
            (wording.says(self.value) if self.amount is None else wording.states(self.amount))
            or any(phrase.casefold() in wording.plain for phrase in self.phrases)
            or (self.thing is not None and wording.designates(self.thing, self.rivals))
            for wording in wordings
        )


def _who(value: _Value, talk: _Talk) -> str:
    if value.told(talk.own) or (value.whole and talk.all_of_it):
        return "customer"
    if value.told(wording for wording, agreed in talk.put if agreed):
        return "confirmed"
    return "proposed" if value.told(wording for wording, _ in talk.put) else "nobody"


def _values(tool: Tool, arguments: dict[str, Any]) -> list[tuple[str, Any]]:
    patterns = {*tool.consequential_values, *tool.objects, *tool.means}
    return [
        (path, value)
        for path, value in leaves(arguments)
        if value not in (None, "") and any(covers(pattern, path) for pattern in patterns)
    ]


def _meant(
    tool: Tool, arguments: dict[str, Any], path: str, value: Any, known: Known, facts: Mapping[str, Any],
    digits: int | None,
) -> _Value:  # fmt: skip
    for names in tool.names.values():
        if names.argument and covers(names.argument, path):
            return _object(path, value, names, _taken(tool, names, arguments), known, facts)
    phrases = [by_value.get(str(value), ()) for pattern, by_value in tool.means.items() if covers(pattern, path)]
    amount = in_words(tool, path, arguments, value, digits)
    return _Value(path, value, phrases=tuple(phrase for some in phrases for phrase in some), amount=amount)


def _taken(tool: Tool, names: Names, arguments: dict[str, Any]) -> frozenset[str]:
    """Every object of this kind that the call names, in any role."""
    alike = [one for one in tool.names.values() if one.argument and one.kind == names.kind]
    return frozenset(str(value) for one in alike for value in values_at(arguments, one.argument))


def _object(
    path: str, value: Any, names: Names, taken: frozenset[str], known: Known, facts: Mapping[str, Any]
) -> _Value:
    phrases = tuple(
        phrase for fact, known_as in names.known_as.items() if _is_just(facts.get(fact), value) for phrase in known_as
    )
    thing = known.thing(names.kind, value)
    if thing is None:
        return _Value(path, value, phrases=phrases)
    listed = {str(one) for one in _listed(facts.get(names.among))} if names.among else set()
    others = [known.thing(names.kind, one) for one in sorted(listed - taken)]
    if names.alike and names.alike in thing.facts:
        others += [one for one in known.of_kind(names.kind) if one.id not in taken and _alike(one, thing, names.alike)]
    rivals = tuple(one for one in others if one is not None and one.label.casefold() == thing.label.casefold())
    return _Value(path, value, thing, rivals, phrases, whole=bool(listed) and listed <= taken)


def _is_just(fact: Any, value: Any) -> bool:
    return {str(one) for one in _listed(fact)} == {str(value)}


def _alike(one: Thing, other: Thing, fact: str) -> bool:
    return fact in one.facts and bool(one.facts[fact].value == other.facts[fact].value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _picked(
    tool: Tool, arguments: dict[str, Any], known: Known, facts: Mapping[str, Any], talk: _Talk
) -> Iterator[tuple[str, str]]:
    """How the objects of each role with `among` or `alike` were chosen; the worst of several."""
    for role, names in tool.names.items():
        if not names.argument or not (names.among or names.alike):
            continue
        taken = _taken(tool, names, arguments)
        values = [
            _object(names.argument, value, names, taken, known, facts) for value in values_at(arguments, names.argument)
        ]
        unread = names.among and any(known.thing(names.kind, one) is None for one in _listed(facts.get(names.among)))
        ways = [_way(value, talk, unread=bool(unread), alone=len(taken) == 1) for value in values]
        if ways:
            yield role, max(ways, key=_DOUBT.__getitem__)


_DOUBT = {"named": 0, "described": 1, "ambiguous": 2, "unread": 3}


def _way(value: _Value, talk: _Talk, *, unread: bool, alone: bool) -> str:
    if mentioned(value.value, talk.own) is not None:
        return "named"
    if value.thing is None:
        return "unread"
    if value.whole and (alone or talk.all_of_it):
        return "described"
    if unread:
        return "unread"
    return "described" if value.told(talk.own) else "ambiguous"


def _spoken_of(tool: Tool, known: Known, facts: Mapping[str, Any], talk: _Talk) -> Iterator[tuple[str, int]]:
    for role, names in tool.names.items():
        things = [known.thing(names.kind, one) for one in _listed(facts.get(f"{role}.id"))]
        if len(things) > 1:
            yield role, sum(any(w.names(thing) for w in talk.own) for thing in things if thing is not None)


def _asked(tool: Tool, talk: _Talk) -> bool:
    """Whether the customer named the action, and did not say no since."""
    for wording, heard in zip(reversed(talk.own), reversed(talk.own_heard), strict=True):
        if heard.no and not heard.yes:
            return False
        if _named(tool, [wording]):
            return True
    return False


def _named(tool: Tool, wordings: Sequence[Wording]) -> bool:
    """Whether a text names the action, by the words of its registration; a tool without words is always named."""
    words = [word for terms in tool.asks.values() for word in terms]
    return not words or any(word.casefold() in wording.plain for word in words for wording in wordings)
