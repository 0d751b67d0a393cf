"""API keys: which use case a caller speaks for, and what it may do. Only a hash is stored; the key is shown once.

A key is `hr_` + 16 characters of id + `_` + 43 characters of secret (32 random bytes, base64url). The stored hash is
SHA-256 of the whole key: the secret has 256 bits, so a slow hash adds nothing.
"""

import base64
import hashlib
import re
from enum import StrEnum

import msgspec

from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId, UseCaseId


class Scope(StrEnum):
    """What a key may do. Outcome events need `events`, so an agent cannot praise itself. `probe`: everything that is
    asked with the key is a test: it counts in no figure and causes no effect."""

    CHAT = "chat"
    ACT = "act"
    FACTS = "facts"
    EVENTS = "events"
    READ = "read"
    PROBE = "probe"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """Times in Unix ms. `use_case` None: a key for events or reading over all use cases. `agent`: a name the owner
    gave. `first`: the key that this one goes back to by rotations; empty: itself. `by`: the person who made it; empty:
    the operator of the machine, or it is not known."""

    id: KeyId
    hash: bytes
    use_case: UseCaseId | None
    scopes: frozenset[Scope]
    agent: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    first: str = ""
    by: str = ""

    @property
    def lineage(self) -> str:
        """The same for every key of a line of rotations; conversations belong to it."""
        return self.first or self.id

    @property
    def probe(self) -> bool:
        """Whether whatever it asks is a test."""
        return Scope.PROBE in self.scopes


NOT_PROBED = frozenset({Scope.EVENTS})
"""What a key for probes may not do: an outcome of a test would be one of a customer."""

_FORM = re.compile(r"hr_[a-z2-7]{16}_[A-Za-z0-9_-]{43}")


def hash_key(key: str) -> bytes:
    """32 bytes."""
    return hashlib.sha256(key.encode()).digest()


def new_key(randomness: bytes) -> tuple[KeyId, str]:
    """Id and the whole key from 44 random bytes. The key is shown once and never stored."""
    name = base64.b32encode(randomness[:10]).decode().lower()
    secret = base64.urlsafe_b64encode(randomness[10:42]).decode().rstrip("=")
    return KeyId(name), f"hr_{name}_{secret}"


def is_form(text: str) -> bool:
    """Whether this looks like a key that `new_key` made."""
    return _FORM.fullmatch(text) is not None


def usable(key: ApiKey, *, now_ms: int, scope: Scope) -> None:
    """Raises HandrailError KEY_REVOKED, KEY_EXPIRED or KEY_SCOPE."""
    if key.revoked_at is not None and key.revoked_at <= now_ms:
        raise HandrailError(Code.KEY_REVOKED, "this API key was revoked; ask for a new one: handrail key create")
    if key.expires_at is not None and key.expires_at <= now_ms:
        raise HandrailError(Code.KEY_EXPIRED, "this API key has expired; rotate it: handrail key rotate")
    if key.probe and scope in NOT_PROBED:
        raise HandrailError(
            Code.KEY_SCOPE, f"a key for probes causes no effect, so it never has the scope {scope.value}"
        )
    if scope not in key.scopes:
        raise HandrailError(
            Code.KEY_SCOPE,
            f"this API key lacks the scope {scope.value}; make one that has it: handrail key create --use-case "
            f"{key.use_case or 'NAME'} --scope {scope.value}",
        )
