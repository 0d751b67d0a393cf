"""Commands on persons and their tokens. Each is called with a transaction: the change, its entry and the new epoch
commit together or not at all."""

from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.people.acting import acting, person_of, token_id
from handrail.people.authorise import Act, require_change
from handrail.people.facts import entry, person_facts, token_facts
from handrail.people.person import Person, mail_of
from handrail.people.role import Role, require_compatible
from handrail.people.store import PeopleTransaction
from handrail.people.token import (
    DAY_MS,
    ONE_TIME_MS,
    PERSONAL_DAYS,
    RANDOM_BYTES,
    Token,
    TokenKind,
    new_token,
    require_good,
)
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, KeyId, PersonId


@dataclass(frozen=True, slots=True)
class Shown:
    """`text`: a token or a one-time code, shown once and never stored."""

    person: Person | None
    token: Token
    text: str

    def __repr__(self) -> str:
        return f"Shown({self.token.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFirst:
    """A one-time code that makes the first admin. Only while there is no person; an earlier code ends, unless `beside`
    says that it may be in somebody's hands."""

    ids: Ids
    beside: bool = False

    def __call__(self, tx: PeopleTransaction) -> Shown:
        """Raises HandrailError ALREADY."""
        _require_nobody(tx)
        by = Actor(ActorKind.SYSTEM, "operator")
        for token in tx.tokens.all():
            unused = token.kind is TokenKind.ONE_TIME and token.used_at is None and token.revoked_at is None
            if unused and not self.beside:
                _revoke(tx, self.ids, token, by)
        return _issue(tx, self.ids, TokenKind.ONE_TIME, None, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Use a one-time code up and get a personal token. `mail` and `name`: for the first admin only."""

    ids: Ids
    code: str
    mail: str = ""
    name: str = ""

    def __call__(self, tx: PeopleTransaction) -> Shown:
        """Raises HandrailError TOKEN_INVALID, ALREADY or REQUEST_INVALID."""
        person = use_up(tx, self.ids, self.code, mail=self.mail, name=self.name)
        return _issue(tx, self.ids, TokenKind.PERSONAL, person, Actor(ActorKind.PERSON, person.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPerson:
    """A person and a one-time code for her: the admin never sees her token."""

    ids: Ids
    mail: str
    name: str
    roles: frozenset[Role]
    token: str | None

    def __call__(self, tx: PeopleTransaction) -> Shown:
        """Raises HandrailError NOT_ALLOWED, TOKEN_INVALID, ALREADY or REQUEST_INVALID."""
        if not tx.persons.all():
            raise HandrailError(
                Code.NOT_ALLOWED, "the first person is an admin with a one-time code: handrail person first"
            )
        by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        person = add_person(tx, self.ids, self.mail, self.name, self.roles, by)
        return _issue(tx, self.ids, TokenKind.ONE_TIME, person, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteAgain:
    """A new one-time code for a person who lost her token; her earlier tokens and codes end."""

    ids: Ids
    person_id: PersonId
    token: str | None

    def __call__(self, tx: PeopleTransaction) -> Shown:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED or TOKEN_INVALID."""
        by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        person = tx.persons.get(self.person_id)
        if not person.active:
            raise HandrailError(Code.NOT_ALLOWED, "this person was disabled")
        _end_all(tx, self.ids, person, by)
        return _issue(tx, self.ids, TokenKind.ONE_TIME, person, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePerson:
    """New roles, or disabled (which ends every token). One active admin always remains. `seen`: the roles that
    stood on the page of who changes them, so that two admins set nothing back for each other; None: nobody looked."""

    ids: Ids
    person_id: PersonId
    roles: frozenset[Role] | None = None
    seen: frozenset[Role] | None = None
    disable: bool = False
    token: str | None = None

    def __call__(self, tx: PeopleTransaction) -> Person:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED, TOKEN_INVALID, REQUEST_INVALID, or LOST_RACE where the roles are
        others than were seen."""
        by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        old = tx.persons.get(self.person_id)
        if self.seen is not None and self.seen != old.roles:
            raise HandrailError(
                Code.LOST_RACE, "somebody changed these roles meanwhile: look at them as they are now, then again"
            )
        roles = old.roles if self.roles is None else self.roles
        _require_roles(roles)
        actor = tx.persons.get(PersonId(by.id)) if by.kind is ActorKind.PERSON else None
        require_change(actor, old, gained=roles - old.roles)
        disabled_at = tx.now_ms if self.disable and old.active else old.disabled_at
        new = msgspec.structs.replace(old, roles=roles, disabled_at=disabled_at)
        if new == old:
            return old
        tx.persons.swap(old, new)
        _require_admin(tx)
        if self.disable:
            _end_all(tx, self.ids, new, by)
        facts = person_facts(new, old)
        tx.append(entry(EntryKind.PERSON_CHANGED, ids=self.ids, at_ms=tx.now_ms, by=by, about=new.id, facts=facts))
        tx.bump_epoch()
        return new


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken:
    """A new personal token for the holder of a good one. The old one stays until it ends or is revoked."""

    ids: Ids
    token: str

    def __call__(self, tx: PeopleTransaction) -> Shown:
        """Raises HandrailError TOKEN_INVALID or NOT_ALLOWED."""
        person = person_of(tx, self.token)
        return _issue(tx, self.ids, TokenKind.PERSONAL, person, Actor(ActorKind.PERSON, person.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """One's own, or anybody's for an admin. Revoking twice changes nothing."""

    ids: Ids
    token_id: KeyId
    token: str

    def __call__(self, tx: PeopleTransaction) -> Token:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED or TOKEN_INVALID."""
        person = person_of(tx, self.token)
        old = tx.tokens.get(self.token_id)
        if old is None:
            raise HandrailError(Code.NOT_FOUND, "there is no token with this id")
        by = Actor(ActorKind.PERSON, person.id)
        if old.person != person.id:
            by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        if old.revoked_at is not None:
            return old
        return _revoke(tx, self.ids, old, by)


def use_up(tx: PeopleTransaction, ids: Ids, code: str, *, mail: str, name: str) -> Person:
    """Whom a one-time code lets in; it is used up with this command. Raises as `Redeem`."""
    stored = tx.tokens.get(KeyId(token_id(code)))
    token = require_good(stored, code, TokenKind.ONE_TIME, now_ms=tx.now_ms)
    if token.person is None:
        _require_nobody(tx)
        if not mail.strip() or not name.strip():
            raise HandrailError(
                Code.REQUEST_INVALID, "this code makes the first admin: give --mail and --name; the code stays good"
            )
        person = add_person(tx, ids, mail, name, frozenset({Role.ADMIN}), Actor(ActorKind.SYSTEM, "operator"))
    else:
        person = tx.persons.get(token.person)
    if not person.active:
        raise HandrailError(Code.TOKEN_INVALID, "this person was disabled; ask an admin")
    tx.tokens.swap(token, msgspec.structs.replace(token, used_at=tx.now_ms))
    return person


def _require_nobody(tx: PeopleTransaction) -> None:
    if tx.persons.all():
        raise HandrailError(Code.ALREADY, "there is an admin already; she adds persons: handrail person add")


def _require_admin(tx: PeopleTransaction) -> None:
    if not any(person.active and Role.ADMIN in person.roles for person in tx.persons.all()):
        raise HandrailError(Code.NOT_ALLOWED, "one active admin must remain; make another person admin first")


def _require_roles(roles: frozenset[Role]) -> None:
    if not roles:
        raise HandrailError(
            Code.REQUEST_INVALID,
            "a person needs a role: {roles}",
            parts={"roles": ", ".join(role.value for role in Role)},
        )
    require_compatible(roles)


def add_person(tx: PeopleTransaction, ids: Ids, mail: str, name: str, roles: frozenset[Role], by: Actor) -> Person:
    """In the command of who may add one. Raises HandrailError ALREADY, REQUEST_INVALID or NOT_ALLOWED."""
    if not name.strip() or len(name) > 200:
        raise HandrailError(Code.REQUEST_INVALID, "a person needs a name of at most 200 characters")
    _require_roles(roles)
    person = Person(
        id=PersonId(ids.new("pe")), mail=mail_of(mail), name=name.strip(), roles=roles, created_at=tx.now_ms
    )
    tx.persons.add(person)
    facts = person_facts(person)
    tx.append(entry(EntryKind.PERSON_ADDED, ids=ids, at_ms=tx.now_ms, by=by, about=person.id, facts=facts))
    tx.bump_epoch()
    return person


def _issue(tx: PeopleTransaction, ids: Ids, kind: TokenKind, person: Person | None, by: Actor) -> Shown:
    span = PERSONAL_DAYS * DAY_MS if kind is TokenKind.PERSONAL else ONE_TIME_MS
    token, text = new_token(
        kind,
        person.id if person else None,
        ids.token(RANDOM_BYTES),
        now_ms=tx.now_ms,
        expires_at=tx.now_ms + span,
    )
    tx.tokens.add(token)
    facts = token_facts(token)
    tx.append(entry(EntryKind.TOKEN_CREATED, ids=ids, at_ms=tx.now_ms, by=by, about=token.id, facts=facts))
    tx.bump_epoch()
    return Shown(person, token, text)


def _revoke(tx: PeopleTransaction, ids: Ids, old: Token, by: Actor) -> Token:
    new = msgspec.structs.replace(old, revoked_at=tx.now_ms)
    tx.tokens.swap(old, new)
    facts = token_facts(new)
    tx.append(entry(EntryKind.TOKEN_REVOKED, ids=ids, at_ms=tx.now_ms, by=by, about=new.id, facts=facts))
    tx.bump_epoch()
    return new


def _end_all(tx: PeopleTransaction, ids: Ids, person: Person, by: Actor) -> None:
    for token in tx.tokens.all():
        if token.person == person.id and token.revoked_at is None and token.used_at is None:
            _revoke(tx, ids, token, by)
