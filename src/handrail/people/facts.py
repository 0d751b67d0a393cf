"""What the ledger keeps of changes to persons, tokens and keys: ids, roles and times, no name and no address."""

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.people.key import ApiKey
from handrail.people.person import Person
from handrail.people.token import Token
from handrail.terms.actor import Actor
from handrail.terms.ids import EntryId, Ids


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`replaces`: the key that this one takes over from. Times in Unix ms."""

    key: str
    use_case: str = ""
    scopes: tuple[str, ...] = ()
    agent: str = ""
    expires_at: int | None = None
    revoked_at: int | None = None
    replaces: str = ""


class PersonFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    person: str
    roles: tuple[str, ...] = ()
    roles_before: tuple[str, ...] = ()
    active: bool = True


class TokenFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`person` empty: a one-time code for the first admin."""

    token: str
    kind: str
    person: str = ""
    expires_at: int | None = None


class SignInFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`person` empty: nobody whom handrail knows. `methods`: what was shown, or what was changed. `count`: wrong tries
    in a row. No address, no browser, no secret."""

    person: str = ""
    session: str = ""
    methods: tuple[str, ...] = ()
    what: str = ""
    count: int = 0


def key_facts(key: ApiKey, *, replaces: str = "") -> KeyFacts:
    return KeyFacts(
        key=key.id,
        use_case=key.use_case or "",
        scopes=tuple(sorted(scope.value for scope in key.scopes)),
        agent=key.agent,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        replaces=replaces,
    )


def person_facts(person: Person, before: Person | None = None) -> PersonFacts:
    return PersonFacts(
        person=person.id,
        roles=tuple(sorted(role.value for role in person.roles)),
        roles_before=tuple(sorted(role.value for role in before.roles)) if before else (),
        active=person.active,
    )


def token_facts(token: Token) -> TokenFacts:
    return TokenFacts(token=token.id, kind=token.kind.value, person=token.person or "", expires_at=token.expires_at)


def entry(kind: EntryKind, *, ids: Ids, at_ms: int, by: Actor, about: str, facts: msgspec.Struct) -> Entry:
    """An entry about something that is no interaction."""
    return Entry(id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, about=about, facts=facts)
