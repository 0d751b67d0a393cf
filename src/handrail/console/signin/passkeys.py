"""Passkeys (WebAuthn): what the browser is asked, and whether its answer is good. Pure, over the `webauthn` library.

A passkey belongs to the host name of the console, so it needs an address of its own (`console.public_url`), or
`localhost` for trying. The signature counter is kept: one that went back means a copied key, and is refused by the
library. User verification is preferred, and counts as a second factor only where the authenticator says it happened.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from handrail.people.account import Passkey
from handrail.people.person import Person
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

CHALLENGE_BYTES = 32
MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Shown:
    """`verified`: the authenticator knew its person."""

    count: int
    verified: bool


def can(origin: str) -> bool:
    """Whether passkeys work at this address: a name, over https, or localhost."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    is_name = not host.replace(".", "").isdigit() and ":" not in host
    return is_name and (parts.scheme == "https" or host == "localhost")


def ask_new(person: Person, known: list[Passkey], *, host: str, organisation: str, challenge: bytes) -> str:
    """JSON options to make one."""
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=f"handrail {organisation}",
        user_id=person.id.encode(),
        user_name=person.mail,
        user_display_name=person.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.id)) for key in known],
    )
    return options_to_json(options)


def ask(*, host: str, challenge: bytes) -> str:
    """JSON options to show one; the browser offers those it has for this host."""
    return options_to_json(
        webauthn.generate_authentication_options(
            rp_id=host, challenge=challenge, user_verification=UserVerificationRequirement.PREFERRED
        )
    )


def made(
    credential: str, *, person: PersonId, name: str, challenge: bytes, host: str, origin: str, now_ms: int
) -> Passkey:
    """Raises HandrailError SIGN_IN_REFUSED."""
    try:
        found = webauthn.verify_registration_response(
            credential=_bounded(credential), expected_challenge=challenge, expected_rp_id=host, expected_origin=origin
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
        raise _bad() from None
    return Passkey(
        id=bytes_to_base64url(found.credential_id),
        person=person,
        key=found.credential_public_key,
        count=found.sign_count,
        name=" ".join(name.split())[:60] or "Passkey",
        created_at=now_ms,
    )


def credential_id(credential: str) -> str:
    """Which one it says it is. Raises HandrailError SIGN_IN_REFUSED."""
    try:
        return bytes_to_base64url(base64url_to_bytes(str(json.loads(_bounded(credential))["rawId"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _bad() from None


def shown(credential: str, key: Passkey, *, challenge: bytes, host: str, origin: str) -> Shown:
    """Raises HandrailError SIGN_IN_REFUSED: not signed by this key, for another host or challenge, or a counter that
    went back."""
    try:
        handle = json.loads(_bounded(credential))["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != key.person.encode():
            raise _bad()
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=key.key,
            credential_current_sign_count=key.count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _bad() from None
    return Shown(count=found.new_sign_count, verified=found.user_verified)


def _bounded(credential: str) -> str:
    if len(credential) > MOST_BYTES:
        raise _bad()
    return credential


def _bad() -> HandrailError:
    return HandrailError(Code.SIGN_IN_REFUSED, "this passkey was not taken; try again, or sign in another way")
