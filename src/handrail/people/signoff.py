"""A sign-off: a named person stands for one thing, by its digest, until a day."""

import msgspec

from handrail.people.role import Role
from handrail.terms.ids import Digest, PersonId


class SignOff(msgspec.Struct, frozen=True, kw_only=True):
    """`about`: digest of exactly what was signed; a change of it needs a new sign-off. `statement`: what the person
    agreed to, a stable code such as `control.waived`. Times in Unix ms."""

    by: PersonId
    role: Role
    about: Digest
    statement: str
    at_ms: int
    until_ms: int | None = None


def holds(signoff: SignOff, *, about: Digest, now_ms: int) -> bool:
    """False for anything but exactly the signed thing, and after the last day."""
    return (
        signoff.about == about and signoff.at_ms <= now_ms and (signoff.until_ms is None or now_ms < signoff.until_ms)
    )
