"""Choosing a role without a password: in the demo, and nowhere else.

A database belongs to the demo for good once `MarkDemo` has run, and that runs only while the database is empty: no
person, nothing published, nothing recorded but that a server started. A home that anybody ever used therefore cannot
become one, whatever its files or the environment say, and there is no setting for it. Besides, the console offers the
choice only when it listens on loopback without a public address (`app.wire.signin`), and only persons whose address
ends in `.invalid` (a name that is never given out, RFC 2606) can be chosen.

Promise: SGN-12.
"""

from dataclasses import dataclass

from handrail.ledger.entry import EntryKind
from handrail.people.account import Demo
from handrail.people.desk import add_person
from handrail.people.facts import SignInFacts, entry
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sessions import SignedIn, open_session
from handrail.people.signin_store import SignInTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

ENDING = ".invalid"
ONE = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDemo:
    """Make an empty database the demo's. Twice changes nothing."""

    ids: Ids

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError NOT_ALLOWED for a database that is not empty."""
        if tx.demos.get(ONE) is not None:
            return
        if tx.persons.all() or tx.keys.all() or not tx.is_untouched():
            raise HandrailError(Code.NOT_ALLOWED, "this database was used before, so it cannot become the demo's")
        tx.demos.add(Demo(id=ONE, at_ms=tx.now_ms))
        by = Actor(ActorKind.SYSTEM, "demo")
        facts = SignInFacts(what="demo")
        tx.append(entry(EntryKind.DEMO_MADE, ids=self.ids, at_ms=tx.now_ms, by=by, about=ONE, facts=facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDemoPerson:
    """One that visitors of the demo can be."""

    ids: Ids
    mail: str
    name: str
    roles: frozenset[Role]

    def __call__(self, tx: SignInTransaction) -> Person:
        """Raises HandrailError NOT_ALLOWED outside the demo."""
        _require_demo(tx)
        if not self.mail.endswith(ENDING):
            raise HandrailError(Code.NOT_ALLOWED, f"a person of the demo has an address that ends in {ENDING}")
        return add_person(tx, self.ids, self.mail, self.name, self.roles, Actor(ActorKind.SYSTEM, "demo"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BeDemoPerson:
    ids: Ids
    person_id: PersonId
    label: str = ""

    def __call__(self, tx: SignInTransaction) -> SignedIn:
        """Raises HandrailError NOT_ALLOWED outside the demo, and for anybody who was not made for it."""
        _require_demo(tx)
        person = next((each for each in tx.persons.all() if each.id == self.person_id), None)
        if person is None or not person.mail.endswith(ENDING):
            raise HandrailError(Code.NOT_ALLOWED, "choose a person of the demo")
        return open_session(tx, self.ids, person, ("demo",), lengths=Lengths(), label=self.label)


def demo_persons(tx: SignInTransaction) -> list[Person]:
    """Who can be chosen; nobody outside the demo."""
    if tx.demos.get(ONE) is None:
        return []
    return [person for person in tx.persons.all() if person.active and person.mail.endswith(ENDING)]


def _require_demo(tx: SignInTransaction) -> None:
    if tx.demos.get(ONE) is None:
        raise HandrailError(Code.NOT_ALLOWED, "this is not the demo: nobody signs in here without showing who they are")
