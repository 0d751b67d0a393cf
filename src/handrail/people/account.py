"""What a person shows to come in: a password, codes of an app, passkeys, an account at a provider, recovery codes.

No secret stands here in clear: a password as argon2id, recovery codes and tokens as SHA-256 (each has at least 100
random bits), the secret of an app's codes sealed by a key of the keys folder. A passkey is a public key.
"""

import hashlib
import hmac

import msgspec

from handrail.people.role import Role
from handrail.terms.ids import PersonId

RECOVERY_CODES = 10
RECOVERY_BYTES = 13
"""104 random bits each."""
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One for each person who ever signed in. `password`: argon2id, empty: none. `totp`: sealed, empty: none.
    `totp_step`: the last 30-second step whose code was taken. `recovery`: of the codes that are left."""

    id: PersonId
    password: str = ""
    password_at: int = 0
    totp: bytes = b""
    totp_step: int = 0
    recovery: tuple[bytes, ...] = ()
    language: str = ""
    theme: str = ""
    ends_at: int = 0

    @property
    def person(self) -> PersonId:
        return self.id


class Passkey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id`: the credential's id, base64url. `key`: its public key, COSE. `count`: signatures so far, as the
    authenticator says; 0 where it does not count. Times in Unix ms."""

    id: str
    person: PersonId
    key: bytes
    count: int
    name: str
    created_at: int
    used_at: int = 0
    ends_at: int = 0


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account at the provider. `id`: SHA-256 of issuer and subject, hex. `managed`: the provider's groups say the
    person's roles."""

    id: str
    person: PersonId
    issuer: str
    created_at: int
    managed: bool = False
    ends_at: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Between two pages of a sign-in, in one browser: taken once. `id`: SHA-256 of the browser's secret, the purpose
    and a reference, hex. `body`: JSON of the purpose's own Struct, sealed where it holds a secret. What the provider
    tells us without a browser is kept likewise, with an empty browser (`people.provider_logout`)."""

    id: str
    person: PersonId = PersonId("")
    body: bytes = b""
    ends_at: int = 0


class Browser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One that signed in as this person before: strangers' wrong tries do not make it wait. `id`: SHA-256 of its
    cookie, hex."""

    id: str
    person: PersonId
    ends_at: int


class Demo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """There in a database that the demo made for itself, while it was empty; nowhere else (`people.demo`)."""

    id: str
    at_ms: int
    person: PersonId = PersonId("")
    ends_at: int = 0


def identity_id(issuer: str, subject: str) -> str:
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()


def there_id(issuer: str, session: str) -> str:
    """Of a session at the provider (`sid` of its tokens), hex."""
    return hashlib.sha256(f"{issuer}\0session\0{session}".encode()).hexdigest()


def step_id(browser: str, purpose: str, reference: str = "") -> str:
    """`browser`: the text of its cookie."""
    return hashlib.sha256(f"{browser}\0{purpose}\0{reference}".encode()).hexdigest()


def recovery_codes(randomness: bytes) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Ten codes to show once, and their hashes. `randomness`: 10 x 20 bytes."""
    codes = []
    for at in range(RECOVERY_CODES):
        number = int.from_bytes(randomness[at * 20 : (at + 1) * 20], "big")
        letters = []
        for _ in range(24):
            number, letter = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[letter])
        code = "".join(letters)
        codes.append("-".join(code[start : start + 6] for start in range(0, 24, 6)))
    return tuple(codes), tuple(hash_recovery(code) for code in codes)


def hash_recovery(code: str) -> bytes:
    """Spaces, hyphens and case do not matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(b"handrail recovery 1\0" + plain.encode()).digest()


def without_recovery(account: Account, code: str) -> Account | None:
    """The account with this code used up; None: it is none of them. Compares all, in constant time each."""
    given = hash_recovery(code)
    hits = [hmac.compare_digest(each, given) for each in account.recovery]
    if not any(hits):
        return None
    left = tuple(each for each, hit in zip(account.recovery, hits, strict=True) if not hit)
    return msgspec.structs.replace(account, recovery=left)


NEEDS_SECOND = frozenset({Role.APPROVER, Role.ADMIN})
"""Who needs a second factor unless the home says otherwise."""
