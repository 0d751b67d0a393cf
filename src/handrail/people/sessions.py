"""Commands on sessions: each a change with its entry, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from handrail.ledger.entry import EntryKind
from handrail.people.acting import acting, person_of
from handrail.people.authorise import Act
from handrail.people.facts import SignInFacts, entry
from handrail.people.person import Person
from handrail.people.session import (
    CSRF_BYTES,
    NOBODY_VOUCHED,
    RANDOM_BYTES,
    Lengths,
    Session,
    Standing,
    Vouched,
    is_alive,
    opened,
    seen,
    session_id,
    standing,
    turned,
)
from handrail.people.signin_store import SignInTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

SECOND = frozenset({"totp", "recovery", "passkey", "demo"})
"""What is shown beside a password, or counts as much."""
MOST_SESSIONS = 20
"""Of one person at a time; the one that was idle longest makes place."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`text`: the session's, for the browser's cookie alone."""

    person: Person
    session: Session
    text: str

    def __repr__(self) -> str:
        return f"SignedIn({self.session.id})"


def open_session(
    tx: SignInTransaction,
    ids: Ids,
    person: Person,
    methods: tuple[str, ...],
    *,
    lengths: Lengths,
    label: str,
    vouched: Vouched = NOBODY_VOUCHED,
) -> SignedIn:
    """In the command of whoever found out who it is. Raises HandrailError NOT_ALLOWED for a disabled person."""
    if not person.active:
        raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
    tx.sessions.sweep(tx.now_ms)
    others = sorted(tx.sessions.of(person.id), key=lambda session: (session.seen_at, session.id))
    for old in others[: max(0, len(others) - MOST_SESSIONS + 1)]:
        _end(tx, ids, old, person_actor(person.id))
    randomness = ids.token(RANDOM_BYTES + CSRF_BYTES)
    session, text = opened(
        person.id, person.roles, methods, randomness, now_ms=tx.now_ms, lengths=lengths, label=label, vouched=vouched
    )
    tx.sessions.add(session)
    facts = SignInFacts(person=person.id, session=session.id, methods=methods)
    by = person_actor(person.id)
    tx.append(entry(EntryKind.SIGNED_IN, ids=ids, at_ms=tx.now_ms, by=by, about=person.id, facts=facts))
    return SignedIn(person, session, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A new secret for a session whose person's roles changed. None when another request was first, or it is over. One
    that was opened by one factor alone ends when roles were gained: they may need two, so she signs in again."""

    ids: Ids
    text: str

    def __call__(self, tx: SignInTransaction) -> SignedIn | None:
        session = tx.sessions.get(session_id(self.text))
        if session is None:
            return None
        person = tx.persons.get(session.person)
        if not person.active or standing(session, self.text, person.roles, now_ms=tx.now_ms) is not Standing.TURN:
            return None
        if person.roles - set(session.roles) and not SECOND & set(session.methods):
            _end(tx, self.ids, session, Actor(ActorKind.SYSTEM, "console"))
            return None
        new, text = turned(session, person.roles, self.ids.token(32), now_ms=tx.now_ms)
        tx.sessions.swap(session, new)
        return SignedIn(person, new, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Keep a session from being idle. Nothing when it is over: what has ended stays ended."""

    name: str

    def __call__(self, tx: SignInTransaction) -> None:
        session = tx.sessions.get(self.name)
        if session is None or not is_alive(session, tx.now_ms):
            return
        new = seen(session, now_ms=tx.now_ms)
        if new != session:
            tx.sessions.swap(session, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """End one's own session by its text. Nothing for one that is over already."""

    ids: Ids
    text: str

    def __call__(self, tx: SignInTransaction) -> None:
        session = tx.sessions.get(session_id(self.text))
        if session is None:
            return
        alive = standing(session, self.text, frozenset(session.roles), now_ms=tx.now_ms)
        if alive is not Standing.GONE:
            _end(tx, self.ids, session, person_actor(session.person), EntryKind.SIGNED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """One of one's own sessions, or for an admin anybody's. Ending one that is over changes nothing."""

    ids: Ids
    name: str
    token: str | None

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError NOT_ALLOWED or TOKEN_INVALID."""
        session = tx.sessions.get(self.name)
        if self.token is not None and session is not None:
            person = person_of(tx, self.token)
            if person.id == session.person:
                _end(tx, self.ids, session, person_actor(person.id))
                return
        by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        if session is not None:
            _end(tx, self.ids, session, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessions:
    """Every session of a person but `keep`. Her own, or for an admin anybody's; how many ended."""

    ids: Ids
    person_id: PersonId
    token: str | None
    keep: str = ""

    def __call__(self, tx: SignInTransaction) -> int:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED or TOKEN_INVALID."""
        person = tx.persons.get(self.person_id)
        own = self.token is not None and person_of(tx, self.token).id == person.id
        by = person_actor(person.id) if own else acting(tx, self.token, Act.MANAGE_PEOPLE)
        return end_all(tx, self.ids, person.id, by, keep=self.keep)


def end_each(tx: SignInTransaction, ids: Ids, sessions: Sequence[Session], by: Actor, *, what: str) -> None:
    """For the command of whoever ends them. `what`: why, a stable code such as `provider.logout`."""
    for session in sessions:
        _end(tx, ids, session, by, what=what)


def end_all(tx: SignInTransaction, ids: Ids, person: PersonId, by: Actor, *, keep: str = "") -> int:
    """For the command of whoever ends them."""
    ended = [session for session in tx.sessions.of(person) if session.id != keep]
    for session in ended:
        _end(tx, ids, session, by)
    return len(ended)


def person_actor(person: PersonId) -> Actor:
    return Actor(ActorKind.PERSON, person)


def _end(
    tx: SignInTransaction,
    ids: Ids,
    session: Session,
    by: Actor,
    kind: EntryKind = EntryKind.SESSION_ENDED,
    *,
    what: str = "",
) -> None:
    tx.sessions.remove(session)
    facts = SignInFacts(person=session.person, session=session.id, what=what)
    tx.append(entry(kind, ids=ids, at_ms=tx.now_ms, by=by, about=session.person, facts=facts))
