"""An account at an OpenID provider, and whom it stands for here. Pure rules, and the command that follows them.

Promise: SGN-9. The provider says who somebody is, the home says what that is worth. An account that is known stands for
its person. One that is not is matched by its verified address to a person whom an admin added, unless that person is an
admin: an admin connects her account herself, signed in. Otherwise a person is made only if the home says so (`create`)
and one of the account's groups has roles. `admin` is never given by a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.people.account import Identity, Step, identity_id, step_id, there_id
from handrail.people.desk import add_person
from handrail.people.facts import entry, person_facts
from handrail.people.person import Person, mail_of
from handrail.people.role import Role, require_compatible
from handrail.people.session import Vouched
from handrail.people.sessions import SignedIn, person_actor
from handrail.people.sign_in import STEP_MS, Here, Policy, Waiting, admit, told_change
from handrail.people.signin_store import SignInTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

PROVIDER = Actor(ActorKind.SYSTEM, "provider")
THERE = "there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says. `second`: the provider saw a second factor, and the home trusts that. `session`: its
    `sid`, empty: it names none."""

    issuer: str
    subject: str
    mail: str = ""
    mail_verified: bool = False
    name: str = ""
    groups: frozenset[str] = frozenset()
    second: bool = False
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`groups`: a group of the provider to roles here. `create`: who has one may come in without being added first."""

    groups: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    create: bool = False


def roles_of(claims: Claims, rules: Rules) -> frozenset[Role]:
    """Never `admin`, whatever the home says. Raises HandrailError NOT_ALLOWED for roles that exclude each other."""
    found = frozenset(role for group in claims.groups for role in rules.groups.get(group, frozenset()))
    found -= {Role.ADMIN}
    require_compatible(found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ByProvider:
    """Come in by an account at the provider."""

    ids: Ids
    claims: Claims
    rules: Rules
    here: Here
    policy: Policy
    to: str = ""

    def __call__(self, tx: SignInTransaction) -> SignedIn | Waiting:
        """Raises HandrailError SIGN_IN_REFUSED, or NOT_ALLOWED with what an admin can do."""
        identity = tx.identities.get(identity_id(self.claims.issuer, self.claims.subject))
        person = self._known(tx, identity) if identity is not None else self._new(tx)
        if not person.active:
            raise HandrailError(Code.SIGN_IN_REFUSED, "this person was disabled; ask an admin")
        vouched = vouched_by(tx, self.claims, person.id, most_ms=self.policy.lengths.most_ms)
        return admit(
            tx, self.ids, person, ("provider",), here=self.here, policy=self.policy, to=self.to,
            strong=self.claims.second, vouched=vouched,
        )  # fmt: skip

    def _known(self, tx: SignInTransaction, identity: Identity) -> Person:
        """Roles of a person whom the provider's groups made follow them, and end with them."""
        person = tx.persons.get(identity.person)
        if not identity.managed:
            return person
        roles = roles_of(self.claims, self.rules) | (person.roles & {Role.ADMIN})
        if not roles:
            raise HandrailError(
                Code.NOT_ALLOWED, "none of your groups has a role here any more; an admin can say which has"
            )
        if roles == person.roles:
            return person
        require_compatible(roles)
        new = msgspec.structs.replace(person, roles=roles)
        tx.persons.swap(person, new)
        facts = person_facts(new, person)
        kind = EntryKind.PERSON_CHANGED
        tx.append(entry(kind, ids=self.ids, at_ms=tx.now_ms, by=PROVIDER, about=new.id, facts=facts))
        tx.bump_epoch()
        return new

    def _new(self, tx: SignInTransaction) -> Person:
        claims = self.claims
        if not claims.mail or not claims.mail_verified:
            raise HandrailError(
                Code.NOT_ALLOWED,
                "the provider does not vouch for your e-mail address, so nobody is found by it here",
            )
        mail = mail_of(claims.mail)
        person = tx.persons.by_mail(mail)
        if person is None:
            roles = roles_of(claims, self.rules) if self.rules.create else frozenset()
            if not roles:
                raise HandrailError(Code.NOT_ALLOWED, "nobody added you here yet; ask an admin: handrail person add")
            person = add_person(tx, self.ids, mail, claims.name.strip()[:200] or mail, roles, PROVIDER)
            connect(tx, self.ids, person.id, claims, PROVIDER, managed=True)
            return person
        if Role.ADMIN in person.roles:
            raise HandrailError(
                Code.NOT_ALLOWED, "an admin connects an account herself: sign in with your password, then My account"
            )
        connect(tx, self.ids, person.id, claims, PROVIDER)
        return person


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectProvider:
    """One who is signed in connects her account. The caller has asked for a fresh session."""

    ids: Ids
    claims: Claims
    person_id: PersonId

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError ALREADY when it is another person's."""
        identity = tx.identities.get(identity_id(self.claims.issuer, self.claims.subject))
        if identity is not None:
            if identity.person != self.person_id:
                raise HandrailError(Code.ALREADY, "this account belongs to another person here")
            return
        connect(tx, self.ids, self.person_id, self.claims, person_actor(self.person_id))


def connect(
    tx: SignInTransaction, ids: Ids, person: PersonId, claims: Claims, by: Actor, *, managed: bool = False
) -> None:
    """The account stands for this person from now on."""
    name = identity_id(claims.issuer, claims.subject)
    tx.identities.add(Identity(id=name, person=person, issuer=claims.issuer, created_at=tx.now_ms, managed=managed))
    told_change(tx, ids, person, by, "provider.connected")


def vouched_by(tx: SignInTransaction, claims: Claims, person: PersonId, *, most_ms: int) -> Vouched:
    """What a session that these claims open remembers. Who has a session there is kept as long as any of hers can last
    here, so that the provider can name that session alone."""
    there = there_id(claims.issuer, claims.session) if claims.session else ""
    if there:
        tx.steps.sweep(tx.now_ms)
        name = step_id("", THERE, there)
        old = tx.steps.get(name)
        persons = {person, *persons_of(old)}
        body = msgspec.json.encode(sorted(persons))
        new = Step(id=name, person=person, body=body, ends_at=tx.now_ms + most_ms + STEP_MS)
        if old is not None:
            tx.steps.remove(old)
        tx.steps.add(new)
    return Vouched(identity_id(claims.issuer, claims.subject), there)


def persons_of(step: Step | None) -> list[PersonId]:
    """Of a step that `vouched_by` kept."""
    return [] if step is None else msgspec.json.decode(step.body, type=list[PersonId])
