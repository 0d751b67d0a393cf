"""Codes of an authenticator app (RFC 6238: six digits, 30 seconds, SHA-1 as every app does it). Pure.

Promise: SGN-5. The code of now, of the step before and of the one after is taken, for clocks that differ by half a
minute; a step is taken once, so a code that was seen over a shoulder or sent twice is refused.
"""

import hmac

import pyotp

from handrail.terms.ids import PersonId

STEP_S = 30
AROUND = 1
SECRET_BYTES = 20
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def secret_text(secret: bytes) -> str:
    """As it is typed into an app: base32 without padding."""
    bits = int.from_bytes(secret, "big")
    return "".join(_BASE32[bits >> shift & 31] for shift in range(len(secret) * 8 - 5, -1, -5))


def address(secret: bytes, *, issuer: str, name: str) -> str:
    """The `otpauth://` address that an app reads from a QR code or a link."""
    return pyotp.TOTP(secret_text(secret)).provisioning_uri(name=name, issuer_name=issuer)


def code_at(secret: bytes, step: int) -> str:
    """Six digits."""
    return pyotp.HOTP(secret_text(secret)).at(step)


def accepted(secret: bytes, code: str, *, now_ms: int, last_step: int) -> int | None:
    """The step whose code this is, to be kept as the last one; None: it is not taken. Looks at all in constant time."""
    given = "".join(letter for letter in code if letter.isdigit() and letter.isascii())
    if len(given) != 6:
        return None
    now = now_ms // 1000 // STEP_S
    found = None
    for step in range(now - AROUND, now + AROUND + 1):
        if hmac.compare_digest(code_at(secret, step), given) and step > last_step:
            found = step
    return found


def seal_name(person: PersonId) -> str:
    """What a sealed secret is bound to."""
    return f"totp {person}"
