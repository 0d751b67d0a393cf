"""Personal tokens and one-time codes: shown once, stored as a hash, with an end.

A token is `hp_` (personal) or `ho_` (one-time) + 16 characters of id + `_` + 43 characters of secret (32 random bytes,
base64url). The stored hash is SHA-256 of the whole: the secret has 256 bits, so a slow hash adds nothing.
"""

import base64
import hashlib
import hmac
from enum import StrEnum

import msgspec

from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId, PersonId

DAY_MS = 86_400_000
PERSONAL_DAYS = 90
ONE_TIME_MS = 3 * DAY_MS
RANDOM_BYTES = 42


class TokenKind(StrEnum):
    """personal: signs a person's commands. one_time: lets a person in for the first time, then is used up."""

    PERSONAL = "personal"
    ONE_TIME = "one_time"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Times in Unix ms. `person` None: a one-time code for the first admin, who is no person yet."""

    id: KeyId
    kind: TokenKind
    hash: bytes
    person: PersonId | None
    created_at: int
    expires_at: int
    used_at: int | None = None
    revoked_at: int | None = None


_NAMES = {TokenKind.PERSONAL: "token", TokenKind.ONE_TIME: "one-time code"}


def hash_token(text: str) -> bytes:
    """32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def new_token(
    kind: TokenKind, person: PersonId | None, randomness: bytes, *, now_ms: int, expires_at: int
) -> tuple[Token, str]:
    """The token and the text that is shown once, from 42 random bytes."""
    name = base64.b32encode(randomness[:10]).decode().lower()
    secret = base64.urlsafe_b64encode(randomness[10:RANDOM_BYTES]).decode().rstrip("=")
    text = f"{'hp' if kind is TokenKind.PERSONAL else 'ho'}_{name}_{secret}"
    token = Token(
        id=KeyId(name), kind=kind, hash=hash_token(text), person=person, created_at=now_ms, expires_at=expires_at
    )
    return token, text


def require_good(token: Token | None, text: str, kind: TokenKind, *, now_ms: int) -> Token:
    """The token, if `text` is it and it counts now. Raises HandrailError TOKEN_INVALID; the sentence does not tell an
    unknown token from a wrong one."""
    given = hash_token(text)
    first = token is not None and token.kind is TokenKind.ONE_TIME and token.person is None
    mend = "make a new one: handrail person first" if first else "ask an admin for a new one"
    if token is None or not hmac.compare_digest(token.hash, given) or token.kind is not kind:
        raise HandrailError(Code.TOKEN_INVALID, "this token is not known; ask an admin for a new one")
    if token.revoked_at is not None and token.revoked_at <= now_ms:
        raise HandrailError(
            Code.TOKEN_INVALID,
            "this {kind} was revoked, or a newer one took its place; {mend}",
            parts={"kind": _NAMES[kind], "mend": mend},
        )
    if token.used_at is not None:
        raise HandrailError(Code.TOKEN_INVALID, "this one-time code was used already; {mend}", parts={"mend": mend})
    if token.expires_at <= now_ms:
        raise HandrailError(
            Code.TOKEN_INVALID, "this {kind} has expired; {mend}", parts={"kind": _NAMES[kind], "mend": mend}
        )
    return token
