"""A permit: the signed, one-time right of a caller to execute one approved action itself; pure.

Form: a JWS in compact form (RFC 7515), `EdDSA` over Ed25519 (RFC 8037), header `{"alg", "typ", "kid"}`, claims as in
`Permit`. Whoever has the public keys (a JWK set, RFC 7517) can check signature, audience, time and arguments without
asking; only redeeming it here tells whether it still counts, and gives the right to execute, once.

A token alone opens nothing. Redeeming makes the claims anew from what the register holds of the action's newest permit
and compares them whole, in constant time, so a forged, altered, older or replayed token is refused even by a stolen
signing key. Promises: PRM-1 to PRM-4.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from handrail.approvals import lifecycle
from handrail.approvals.lifecycle import Issued, Progress, State
from handrail.terms.action import Action, canonical_arguments, digest_of
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest

MAX_LIFE_MS = 30_000
"""Decisions: actions."""
MAX_TOKEN = 4_096
"""Characters; ours have some 600."""
TYPE = "handrail-permit+jwt"
ISSUER = "handrail"


class Permit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims. `sub`: the action; `rev`: its revision; `dig`: its digest; `args`: of the arguments, for who checks
    without asking (`arguments_digest`); `key`: id of the API key that may redeem it; `aud`: who shall execute it.
    `iat`, `exp`: Unix seconds, rounded down; the register's own end counts, which is at most a second later."""

    iss: str = ISSUER
    jti: str
    sub: str
    rev: int
    dig: Digest
    args: str
    tool: str
    use_case: str
    key: str
    aud: str
    iat: int
    exp: int


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No other algorithm than EdDSA is ever taken."""

    alg: str
    typ: str
    kid: str


class Read(NamedTuple):
    """A token, taken apart; nothing of it is believed before `PermitKey.verifies`."""

    kid: str
    permit: Permit
    signed: bytes
    signature: bytes


class PermitKey:
    """An Ed25519 key from its 32-byte seed. `kid`: its JWK thumbprint (RFC 7638), so the same key has the same name."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: Ed25519PublicKey = self._private.public_key()
        x = _encoded(self.public.public_bytes_raw())
        member = b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % x.encode()
        self.kid = _encoded(hashlib.sha256(member).digest())
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def token(self, permit: Permit) -> str:
        """The same permit gives the same token."""
        header = Header(alg="EdDSA", typ=TYPE, kid=self.kid)
        signed = f"{_encoded(msgspec.json.encode(header))}.{_encoded(msgspec.json.encode(permit))}"
        return f"{signed}.{_encoded(self._private.sign(signed.encode()))}"

    def verifies(self, read: Read) -> bool:
        """Whether this key signed exactly these bytes."""
        try:
            self.public.verify(read.signature, read.signed)
        except InvalidSignature:
            return False
        return hmac.compare_digest(read.kid.encode(), self.kid.encode())


def arguments_digest(permit: str, arguments: dict[str, Any]) -> str:
    """SHA-256 over the permit's id, a zero byte and the arguments as JSON with sorted keys and without white space,
    lower-case hex. The id is random, so the digest tells nothing to who has not the token."""
    return hashlib.sha256(permit.encode() + b"\0" + canonical_arguments(arguments)).hexdigest()


def permit_of(issued: Issued, progress: Progress, request: Action) -> Permit:
    """The claims, as the register knows them."""
    return Permit(
        jti=issued.id, sub=request.id, rev=progress.revision, dig=progress.digest,
        args=arguments_digest(issued.id, request.arguments), tool=request.tool, use_case=request.use_case,
        key=issued.key, aud=issued.audience, iat=issued.at // 1_000, exp=issued.until // 1_000,
    )  # fmt: skip


def read(token: str) -> Read:
    """Raises HandrailError PERMIT_INVALID for anything that is not of our form."""
    parts = token.split(".") if len(token) <= MAX_TOKEN else []
    if len(parts) != 3:
        raise _no_permit()
    try:
        header = msgspec.json.decode(_decoded(parts[0]), type=Header)
        permit = msgspec.json.decode(_decoded(parts[1]), type=Permit)
        signature = _decoded(parts[2])
    except (ValueError, binascii.Error):
        raise _no_permit() from None
    if header.alg != "EdDSA" or header.typ != TYPE:
        raise _no_permit()
    return Read(header.kid, permit, f"{parts[0]}.{parts[1]}".encode(), signature)


def issue(before: Progress, issued: Issued, *, now: int) -> Progress:
    """The newest permit; the one before is void. Raises HandrailError ALREADY_DECIDED (nothing is approved),
    NOT_ALLOWED (handrail executes it, or a drill) or LOST_RACE (too early, too late). ValueError for a life
    that no permit has."""
    lifecycle.claim(before, issued.id, before.digest, now=now, lease_ms=before.report_within_ms, permit=True)
    if not issued.at <= now < issued.until <= min(issued.at + MAX_LIFE_MS, before.execute_by or 0):
        raise ValueError("a permit lives for at most 30 s, and within the time to execute")
    return msgspec.structs.replace(before, version=before.version + 1, permit=issued)


def redeem(
    before: Progress,
    request: Action,
    shown: Permit,
    *,
    key: str,
    audience: str,
    arguments: dict[str, Any],
    now: int,
) -> Progress:
    """The claim, by the caller. `shown`: of a token whose signature is good; `key`, `audience`, `arguments`: of who
    asks and what is about to be done. Raises HandrailError PERMIT_INVALID; ALREADY_DECIDED (redeemed, or ended by a
    denial, a stop, a lapse), NOT_ALLOWED or LOST_RACE as `lifecycle.claim`."""
    require(before, request, shown, key=key, audience=audience, arguments=arguments)
    issued = before.permit
    if before.state is State.APPROVED and issued is not None and now >= issued.until:
        raise HandrailError(Code.PERMIT_INVALID, "this permit's time is over; ask for the decision again")
    digest = digest_of(msgspec.structs.replace(request, arguments=arguments))
    return lifecycle.claim(before, shown.jti, digest, now=now, lease_ms=before.report_within_ms, permit=True)


def require(
    before: Progress, request: Action, shown: Permit, *, key: str, audience: str, arguments: dict[str, Any]
) -> None:
    """That this is the action's newest permit, whole, and that key, audience and arguments are those it was given for;
    every comparison is made, in constant time. Raises HandrailError PERMIT_INVALID."""
    issued = before.permit
    if issued is None:
        raise _other()
    known = msgspec.json.encode(permit_of(issued, before, request))
    digest = digest_of(msgspec.structs.replace(request, arguments=arguments))
    same = hmac.compare_digest(known, msgspec.json.encode(shown))
    same &= hmac.compare_digest(issued.key.encode(), key.encode())
    same &= hmac.compare_digest(issued.audience.encode(), audience.encode())
    same &= hmac.compare_digest(before.digest.encode(), digest.encode())
    if not same:
        raise _other()


def report(before: Progress, state: State, *, now: int) -> Progress:
    """What the caller says came of it: DONE or FAILED. It is taken late too, while nobody has settled it. Raises
    HandrailError ALREADY_DECIDED (nothing was redeemed, or its outcome is known)."""
    if state not in (State.DONE, State.FAILED):
        raise ValueError(f"{state.value} is no outcome of a caller")
    if before.permit is None or before.state not in (State.CLAIMED, State.UNKNOWN):
        raise HandrailError(
            Code.ALREADY_DECIDED, f"this action is {before.state.value}; only what was redeemed is reported, once"
        )
    return _ended(before, state, now)


def settled_since(before: Progress) -> bool:
    """Whether a person, and not its caller, said what came of it. Who approved it has decided before."""
    return before.settled_at is not None and before.settled_at >= (before.ended_at or 0)


def overdue(before: Progress, *, now: int) -> Progress:
    """The report did not come: nobody can tell, and a person is asked. Raises HandrailError LOST_RACE when there is
    still time, or no report is awaited."""
    if before.state is not State.CLAIMED or not before.report_within_ms or now < before.lease_until:
        raise HandrailError(Code.LOST_RACE, "no report is overdue")
    return _ended(before, State.UNKNOWN, now)


def _ended(before: Progress, state: State, now: int) -> Progress:
    return msgspec.structs.replace(
        before, version=before.version + 1, state=state, lease_owner="", lease_until=0, ended_at=now
    )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Base64url without padding, one spelling for the same bytes. Raises ValueError or binascii.Error."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(data) != text:
        raise ValueError("not canonical base64url")
    return data


def _no_permit() -> HandrailError:
    return HandrailError(Code.PERMIT_INVALID, "this is no permit of handrail; send the text that the decision gave")


def _other() -> HandrailError:
    return HandrailError(
        Code.PERMIT_INVALID,
        "this is not the action's newest permit, or not for this API key, audience and exactly these arguments; ask for"
        " the decision again",
    )
