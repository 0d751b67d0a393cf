"""The life of one sign-in: opened, seen, confirmed again, over. Pure.

Promises: SGN-1 (a session ends when it was idle too long, and at its last hour whatever happens), SGN-2 (its secret is
new at each sign-in, each confirmation and each change of roles), SGN-3 (what is stored opens nothing).

A session's text is `hs_` + 16 characters of id + `_` + 43 characters of secret (256 random bits). SHA-256 of the whole
is stored: a slow hash adds nothing to 256 bits. When the secret turns, the one before is good for `GRACE_MS` more: a
page sends several requests at once. When it cannot be told whether a session is good, it is not.
"""

import base64
import hashlib
import hmac
from enum import StrEnum

import msgspec

from handrail.people.role import Role
from handrail.terms.ids import PersonId

PREFIX = "hs"
RANDOM_BYTES = 42
CSRF_BYTES = 32
GRACE_MS = 10_000
SEEN_EVERY_MS = 60_000
"""A request is written down as "seen" once a minute at most, so reading pages hardly writes."""


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """`idle_ms`: without a request. `most_ms`: in all. `fresh_ms`: how long a sign-in counts as fresh."""

    idle_ms: int = 30 * 60_000
    most_ms: int = 12 * 3_600_000
    fresh_ms: int = 5 * 60_000


class Vouched(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who opened a session from outside. `account`: `account.identity_id` of the account at the provider, empty: nobody
    did. `there`: `account.there_id` of the session there, empty: the provider did not name it."""

    account: str = ""
    there: str = ""


NOBODY_VOUCHED = Vouched()


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times in Unix ms. `authenticated_at`: when its person last showed who she is. `roles`: hers when the secret last
    turned. `methods`: what she showed, such as `password`, `totp`. `label`: her browser in two words. `csrf`: a secret
    of its forms, which opens nothing by itself. `vouched`: by whom, when it was opened by a provider."""

    id: str
    person: PersonId
    hash: bytes
    csrf: str
    created_at: int
    seen_at: int
    authenticated_at: int
    idle_ms: int
    ends_at: int
    roles: tuple[Role, ...]
    methods: tuple[str, ...]
    label: str = ""
    previous: bytes = b""
    previous_until: int = 0
    vouched: Vouched = NOBODY_VOUCHED


class Standing(StrEnum):
    """What a request may do with it. turn: good, and its secret must be replaced with this answer."""

    GOOD = "good"
    TURN = "turn"
    GONE = "gone"


def session_id(text: str) -> str:
    """The public part; empty for anything that is no session."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else ""


def hash_session(text: str) -> bytes:
    """32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def opened(
    person: PersonId,
    roles: frozenset[Role],
    methods: tuple[str, ...],
    randomness: bytes,
    *,
    now_ms: int,
    lengths: Lengths,
    label: str = "",
    vouched: Vouched = NOBODY_VOUCHED,
) -> tuple[Session, str]:
    """A new session, and its text, which is shown to the browser alone. `randomness`: 42 + 32 bytes."""
    name = base64.b32encode(randomness[:10]).decode().lower()
    text = _text(name, randomness[10:RANDOM_BYTES])
    session = Session(
        id=name,
        person=person,
        hash=hash_session(text),
        csrf=base64.urlsafe_b64encode(randomness[RANDOM_BYTES : RANDOM_BYTES + CSRF_BYTES]).decode().rstrip("="),
        created_at=now_ms,
        seen_at=now_ms,
        authenticated_at=now_ms,
        idle_ms=lengths.idle_ms,
        ends_at=now_ms + lengths.most_ms,
        roles=tuple(sorted(roles)),
        methods=methods,
        label=label[:80],
        vouched=vouched,
    )
    return session, text


def is_alive(session: Session, now_ms: int) -> bool:
    """At the instant of its end it is over."""
    return now_ms < session.ends_at and now_ms < session.seen_at + session.idle_ms


def standing(session: Session | None, text: str, roles: frozenset[Role], *, now_ms: int) -> Standing:
    """`roles`: the person's as they are now. Compares in constant time."""
    given = hash_session(text)
    if session is None or not is_alive(session, now_ms):
        return Standing.GONE
    if hmac.compare_digest(session.hash, given):
        return Standing.GOOD if frozenset(session.roles) == roles else Standing.TURN
    if session.previous and hmac.compare_digest(session.previous, given) and now_ms < session.previous_until:
        return Standing.GOOD
    return Standing.GONE


def turned(session: Session, roles: frozenset[Role], randomness: bytes, *, now_ms: int) -> tuple[Session, str]:
    """The same session with a new secret (32 random bytes): its roles changed, or its person was confirmed."""
    text = _text(session.id, randomness)
    new = msgspec.structs.replace(
        session,
        hash=hash_session(text),
        previous=session.hash,
        previous_until=now_ms + GRACE_MS,
        roles=tuple(sorted(roles)),
        seen_at=max(session.seen_at, now_ms),
    )
    return new, text


def confirmed(session: Session, methods: tuple[str, ...], *, now_ms: int) -> Session:
    """Its person showed again who she is. The last hour of the session stays where it is."""
    return msgspec.structs.replace(
        session,
        authenticated_at=max(session.authenticated_at, now_ms),
        methods=tuple(dict.fromkeys((*session.methods, *methods))),
    )


def seen(session: Session, *, now_ms: int) -> Session:
    """Unchanged while it was seen less than a minute (or a tenth of its idle time) ago."""
    if now_ms - session.seen_at < min(SEEN_EVERY_MS, session.idle_ms // 10):
        return session
    return msgspec.structs.replace(session, seen_at=now_ms)


def is_fresh(authenticated_at: int, *, now_ms: int, lengths: Lengths) -> bool:
    """Whether who it is was shown lately. A clock that went back makes nothing fresh for longer than asked."""
    return 0 <= now_ms - authenticated_at < lengths.fresh_ms


def _text(name: str, secret: bytes) -> str:
    return f"{PREFIX}_{name}_{base64.urlsafe_b64encode(secret[:32]).decode().rstrip('=')}"
