"""What stands behind a held action besides the call itself: the version of the rules it was held by and who wrote them,
what its limits have used, whose hands it is in. Read in a transaction; nothing of the customer."""

import msgspec

from handrail.approvals.store import ActionTransaction, Past, Stored
from handrail.people.store import Register
from handrail.policy.action_rules import ActionRules
from handrail.policy.ruleset import Ruleset, rule_digests
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId


class Use(msgspec.Struct, frozen=True):
    """A limit that the action draws on. `used`: spent and reserved, this one among it."""

    limit: str
    used: int
    at_most: int
    this: int
    currency: str = ""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """`rules`: as they were when it was held. `authors`: place of a rule or limit to the name of who published it
    first. `people`: names by id."""

    rules: ActionRules = ActionRules()
    authors: dict[str, str] = {}
    uses: tuple[Use, ...] = ()
    people: dict[str, str] = {}
    now_ms: int = 0
    time_zone: str = "UTC"


def behind(tx: ActionTransaction, stored: Stored, past: tuple[Past, ...] = ()) -> Behind:
    """`past`: similar cases, whose deciders are named too. When its ruleset is not stored any more, the present one's
    rules; nobody is told as author then."""
    ruleset = _ruleset(tx, stored)
    if ruleset is None:
        return Behind(now_ms=tx.now_ms)
    digests = rule_digests(ruleset.actions)
    named = {f"rule:{rule.id}": rule.place or rule.id for rule in ruleset.actions.rules}
    named |= {f"limit:{limit.id}": limit.place or limit.id for limit in ruleset.actions.limits}
    held_by = set(stored.about.rules)
    authors = {
        place: _name(tx, tx.rulesets.rule_author(digests[key]))
        for key, place in named.items()
        if digests[key] in held_by
    }
    limits = {limit.id: limit for limit in ruleset.actions.limits}
    uses = tuple(
        Use(limits[name].id, tx.limits.used(scope, period), limits[name].at_most, amount, limits[name].currency)
        for scope, period, amount in stored.reserved
        if (name := scope.partition(":")[0]) in limits
    )
    progress = stored.progress
    known = {*progress.excluded, *(one.person for one in progress.approvals), progress.settled_by}
    known |= {one.settled_by for one in past}
    people = {person: name_of(tx, PersonId(person)) for person in known if person.startswith("pe_")}
    return Behind(
        rules=ruleset.actions, authors=authors, uses=uses, people=people, now_ms=tx.now_ms,
        time_zone=ruleset.time_zone,
    )  # fmt: skip


def _ruleset(tx: ActionTransaction, stored: Stored) -> Ruleset | None:
    for name in (stored.about.ruleset, tx.rulesets.current()):
        if name is None:
            continue
        try:
            return tx.rulesets.get(name)
        except HandrailError as error:
            if error.code is not Code.NOT_FOUND:
                raise
    return None


def _name(tx: ActionTransaction, author: Actor | None) -> str:
    if author is None:
        return ""
    return name_of(tx, PersonId(author.id)) if author.kind is ActorKind.PERSON else author.id


def name_of(tx: Register, person: PersonId) -> str:
    """The person's name; her id when she was erased."""
    try:
        return tx.persons.get(person).name
    except HandrailError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return person
