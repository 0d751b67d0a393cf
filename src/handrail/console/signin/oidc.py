"""OpenID Connect, authorization code with PKCE: what is sent and what is believed. Pure.

Sources: OpenID Connect Core 1.0 (3.1.2.1, 3.1.3.7), RFC 7636 (S256), RFC 9207 (issuer in the answer), RFC 9700. A token
is believed only when it is signed by a published key of the provider with an algorithm of the list, comes from the
issuer, is for this client alone, is neither old nor of the future, and answers the nonce of this browser.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from handrail.people.provider import Claims
from handrail.people.provider_logout import Left
from handrail.terms.errors import Code, HandrailError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Never `none` and never a shared secret."""
LEEWAY_S = 60
OLDEST_S = 600
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYPES = ("", "jwt", "logout+jwt", "application/logout+jwt")
STRONG = frozenset({"mfa", "otp", "hwk", "swk", "fpt", "face", "iris", "pop", "sc"})
"""Values of `amr` (RFC 8176) that say a second factor was shown."""


class Discovered(msgspec.Struct, frozen=True):
    """Of `/.well-known/openid-configuration`; the rest of it is ignored."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What this browser was sent to the provider with, kept until it comes back. `use`: `in`, `again` or `connect`."""

    nonce: str
    verifier: str
    to: str = ""
    then: str = ""
    use: str = "in"


def discovered(body: bytes, *, issuer: str) -> Discovered:
    """Raises HandrailError UPSTREAM_INVALID."""
    try:
        found = msgspec.json.decode(body, type=Discovered)
    except msgspec.DecodeError:
        raise _invalid("its configuration cannot be read") from None
    if found.issuer != issuer:
        raise _invalid("its configuration names another issuer; write console.sign_in.oidc.issuer exactly as it does")
    if not _is_safe(found.authorization_endpoint, issuer):
        raise _invalid("its authorization_endpoint is neither https nor at the issuer's own address")
    return found


def is_from(found: Discovered, said: str | None) -> bool:
    """Whether an answer came from this provider. `said`: its `iss`, which must be there where the provider promised it
    (RFC 9207)."""
    if said is None:
        return not found.authorization_response_iss_parameter_supported
    return said == found.issuer


def _is_safe(endpoint: str, issuer: str) -> bool:
    """Whether a browser may be sent there."""
    try:
        there, own = urlsplit(endpoint), urlsplit(issuer)
        return bool(there.hostname) and (there.scheme == "https" or (there.scheme, there.netloc) == own[:2])
    except ValueError:
        return False


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def address(found: Discovered, asked: Asked, *, client_id: str, back: str, state: str, scopes: str) -> str:
    """Where the browser goes."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": back,
        "scope": scopes,
        "state": state,
        "nonce": asked.nonce,
        "code_challenge": challenge(asked.verifier),
        "code_challenge_method": "S256",
    }
    if asked.use != "in":
        query |= {"prompt": "login", "max_age": "0"}
    mark = "&" if urlsplit(found.authorization_endpoint).query else "?"
    return f"{found.authorization_endpoint}{mark}{urlencode(query)}"


def exchange(code: str, asked: Asked, *, client_id: str, secret: str, back: str) -> bytes:
    """The form that turns the code into a token."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "client_id": client_id,
        "code_verifier": asked.verifier,
    }
    if secret:
        form["client_secret"] = secret
    return urlencode(form).encode()


def id_token(body: bytes) -> str:
    """Of the token endpoint's answer. Raises HandrailError UPSTREAM_INVALID."""
    try:
        token = msgspec.json.decode(body, type=dict[str, Any]).get("id_token")
    except msgspec.DecodeError:
        token = None
    if not isinstance(token, str) or not 0 < len(token) < 65_536:
        raise _invalid("it gave no ID token")
    return token


def claims_of(
    token: str,
    keys: Mapping[str, Any],
    *,
    found: Discovered,
    client_id: str,
    asked: Asked,
    now_s: int,
    groups_claim: str = "groups",
    trust_second: bool = False,
) -> Claims:
    """What the token says of whom. `keys`: the provider's JWKS. Raises HandrailError SIGN_IN_REFUSED; the sentence says
    which check failed and nothing of the token."""
    try:
        key_set = KeySet.import_key_set(dict(keys))  # type: ignore[arg-type]  # what a provider sends; checked there
        decoded = jwt.decode(token, key_set, algorithms=list(ALGORITHMS))
        says: dict[str, Any] = decoded.claims
        jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": found.issuer},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": asked.nonce},
        ).validate(says)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise _refused(getattr(problem, "error", "") or "form") from None
    _require_for_us(says, client_id=client_id, asked=asked, now_s=now_s)
    subject, groups, amr = says["sub"], says.get(groups_claim, ()), says.get("amr", ())
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise _refused("sub")
    return Claims(
        issuer=found.issuer,
        subject=subject,
        mail=str(says.get("email", ""))[:256],
        mail_verified=says.get("email_verified") is True,
        name=str(says.get("name", ""))[:200],
        groups=frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset(),
        second=trust_second or (isinstance(amr, list) and bool(STRONG & {str(each) for each in amr})),
        session=_named(says, "sid"),
    )


def left_of(token: str, keys: Mapping[str, Any], *, found: Discovered, client_id: str, now_s: int) -> Left:
    """Who signed out there. Raises HandrailError REQUEST_INVALID; the sentence says which check failed and nothing of
    the token. Source: OpenID Connect Back-Channel Logout 1.0, 2.6."""
    try:
        key_set = KeySet.import_key_set(dict(keys))  # type: ignore[arg-type]  # what a provider sends; checked there
        decoded = jwt.decode(token, key_set, algorithms=list(ALGORITHMS))
        says: dict[str, Any] = decoded.claims
        jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": found.issuer},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        ).validate(says)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise _not_believed(getattr(problem, "error", "") or "form") from None
    if str(decoded.header.get("typ", "")).lower() not in LOGOUT_TYPES:
        raise _not_believed("typ")
    events = says.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict):
        raise _not_believed("events")
    if "nonce" in says:
        raise _not_believed("nonce")
    issued, ends = says["iat"], says["exp"]
    if not isinstance(issued, int | float) or not now_s - OLDEST_S <= issued <= now_s + LEEWAY_S:
        raise _not_believed("iat")
    subject, session, name = _named(says, "sub"), _named(says, "sid"), _named(says, "jti")
    if not name or not (subject or session):
        raise _not_believed("sub, sid or jti")
    last = min(int(ends), int(issued) + OLDEST_S) + LEEWAY_S + 1  # refused as too old from then on
    return Left(issuer=found.issuer, subject=subject, session=session, token=name, ends_at=last * 1000)


def _named(says: Mapping[str, Any], claim: str) -> str:
    """A text of at most 255 characters, else empty."""
    value = says.get(claim, "")
    return value if isinstance(value, str) and len(value) <= 255 else ""


def _require_for_us(says: Mapping[str, Any], *, client_id: str, asked: Asked, now_s: int) -> None:
    """What the library leaves to its user. Raises HandrailError SIGN_IN_REFUSED."""
    audience = says["aud"]
    if isinstance(audience, list) and audience != [client_id] and says.get("azp") != client_id:
        raise _refused("azp")
    if "azp" in says and says["azp"] != client_id:
        raise _refused("azp")
    issued = says["iat"]
    if not isinstance(issued, int | float) or not now_s - OLDEST_S <= issued <= now_s + LEEWAY_S:
        raise _refused("iat")
    if asked.use != "in":
        at = says.get("auth_time")
        if not isinstance(at, int | float) or not now_s - OLDEST_S <= at <= now_s + LEEWAY_S:
            raise _refused("auth_time")


def _not_believed(what: str) -> HandrailError:
    return HandrailError(Code.REQUEST_INVALID, f"this logout token was not believed ({what[:40]})")


def _invalid(what: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_INVALID, "the sign-in provider cannot be used: {what}", parts={"what": what})


def _refused(what: str) -> HandrailError:
    return HandrailError(
        Code.SIGN_IN_REFUSED,
        "what the sign-in provider said was not believed ({what}); begin again",
        parts={"what": what[:40]},
    )
