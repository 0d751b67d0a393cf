"""What is believed of a provider's token: pure, with tokens signed for real."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from handrail.console.signin.oidc import Asked, Discovered, address, challenge, claims_of, discovered, id_token, is_from
from handrail.people.provider import Claims, Rules, roles_of
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError

NOW = 1_790_000_000
ISSUER, CLIENT = "https://id.example", "console"
FOUND = Discovered(ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/keys")
ASKED = Asked(nonce="n" * 48, verifier="v" * 64)
KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
KEYS = {"keys": [KEY.as_dict(private=False)]}
GOOD: dict[str, Any] = {
    "iss": ISSUER, "sub": "kim", "aud": CLIENT, "exp": NOW + 300, "iat": NOW - 5, "nonce": ASKED.nonce,
    "email": "kim@example.com", "email_verified": True, "name": "Kim", "groups": ["cx"],
}  # fmt: skip


def signed(claims: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one", **header}, claims, key, algorithms=["RS256", "ES256", "HS256"])


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def read(token: str, asked: Asked = ASKED, **options: Any) -> Claims:
    return claims_of(token, KEYS, found=FOUND, client_id=CLIENT, asked=asked, now_s=NOW, **options)


@pytest.mark.promise("SGN-9")
def test_a_good_token_says_who_it_is() -> None:
    said = read(signed(GOOD))
    assert (said.subject, said.mail, said.mail_verified, said.groups) == ("kim", "kim@example.com", True, {"cx"})
    assert not said.second
    assert read(signed({**GOOD, "amr": ["pwd", "otp"]})).second
    assert not read(signed({**GOOD, "amr": ["pwd"]})).second
    assert not read(signed({**GOOD, "email_verified": "true"})).mail_verified  # a word is no vouching
    assert read(signed({**GOOD, "aud": [CLIENT]})).subject == "kim"
    assert read(signed({**GOOD, "aud": [CLIENT, "other"], "azp": CLIENT})).subject == "kim"


@pytest.mark.promise("SGN-9")
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"}, {"azp": "other"}, {"exp": NOW - 61}, {"exp": None},
        {"iat": NOW + 120}, {"iat": NOW - 700}, {"iat": None}, {"nonce": "other"}, {"nonce": None}, {"sub": None},
        {"sub": ""}, {"sub": "x" * 256}, {"nbf": NOW + 120},
    ],
)  # fmt: skip
def test_a_token_for_another_place_time_or_browser_is_not_believed(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(HandrailError) as refused:
        read(signed(claims))
    assert refused.value.code is Code.SIGN_IN_REFUSED
    assert "kim" not in refused.value.message


@pytest.mark.promise("SGN-9")
def test_a_token_that_no_published_key_signed_is_not_believed() -> None:
    confused = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(GOOD)}"  # our public key taken for a shared secret
    mac = hmac.new(KEY.as_pem(private=False), confused.encode(), hashlib.sha256).digest()
    confused += "." + base64.urlsafe_b64encode(mac).decode().rstrip("=")
    curve = ECKey.generate_key("P-256", {"kid": "one"})
    first, middle, last = signed(GOOD).split(".")
    for token in (
        signed(GOOD, OTHER), f"{part({'alg': 'none'})}.{part(GOOD)}.", confused, signed(GOOD, curve, alg="ES256"),
        f"{first}.{part({**GOOD, 'sub': 'pat'})}.{last}", f"{first}.{middle}.", "", "a.b.c", "x" * 60_000,
        signed(GOOD, kid="two"),
    ):  # fmt: skip
        with pytest.raises(HandrailError) as refused:
            read(token)
        assert refused.value.code is Code.SIGN_IN_REFUSED


@pytest.mark.promise("SGN-9")
def test_a_shared_secret_that_is_published_by_mistake_signs_nothing() -> None:
    known = OctKey.import_key("everybody can read this in the provider's keys", {"kid": "two", "alg": "HS256"})
    keys = {"keys": [KEY.as_dict(private=False), known.as_dict(private=True)]}
    token = jwt.encode({"alg": "HS256", "kid": "two"}, GOOD, known, algorithms=["HS256"])
    with pytest.raises(HandrailError) as refused:
        claims_of(token, keys, found=FOUND, client_id=CLIENT, asked=ASKED, now_s=NOW)
    assert refused.value.code is Code.SIGN_IN_REFUSED


def test_a_confirmation_needs_a_sign_in_at_the_provider_just_now() -> None:
    again = Asked(nonce=ASKED.nonce, verifier=ASKED.verifier, use="again")
    assert read(signed({**GOOD, "auth_time": NOW - 10}), again).subject == "kim"
    for at in (NOW - 5_000, NOW + 500, None, "now"):
        with pytest.raises(HandrailError):
            read(signed({**GOOD, **({} if at is None else {"auth_time": at})}), again)
    assert "prompt=login" in address(FOUND, again, client_id=CLIENT, back="https://c/x", state="s", scopes="openid")
    assert "prompt" not in address(FOUND, ASKED, client_id=CLIENT, back="https://c/x", state="s", scopes="openid")


def test_the_challenge_is_that_of_the_rfc() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_configuration_of_another_issuer_and_an_answer_without_a_token_are_refused() -> None:
    body = json.dumps({name: getattr(FOUND, name) for name in FOUND.__struct_fields__}).encode()
    assert discovered(body, issuer=ISSUER) == FOUND
    for given, issuer in ((body, f"{ISSUER}/"), (b"{}", ISSUER), (b"<html>", ISSUER)):
        with pytest.raises(HandrailError):
            discovered(given, issuer=issuer)
    for given in (b"{}", b"[]", b'{"id_token": 3}', b"no"):
        with pytest.raises(HandrailError):
            id_token(given)


@pytest.mark.parametrize(
    "endpoint",
    [
        "javascript:alert(1)//",
        "http://id.example/authorize",
        "data:text/html,x",
        "//evil.example",
        "https://",
        "https://[",
    ],
)
def test_a_configuration_never_sends_a_browser_to_what_is_no_safe_address(endpoint: str) -> None:
    said = {name: getattr(FOUND, name) for name in FOUND.__struct_fields__} | {"authorization_endpoint": endpoint}
    with pytest.raises(HandrailError):
        discovered(json.dumps(said).encode(), issuer=ISSUER)


@pytest.mark.parametrize("keys", [{}, {"keys": "x"}, {"keys": [3]}, {"keys": [{"kty": "RSA"}]}, {"keys": None}])
def test_keys_that_are_none_are_refused_and_no_slip_of_ours(keys: dict[str, Any]) -> None:
    with pytest.raises(HandrailError) as refused:
        claims_of(signed(GOOD), keys, found=FOUND, client_id=CLIENT, asked=ASKED, now_s=NOW)
    assert refused.value.code is Code.SIGN_IN_REFUSED


@pytest.mark.parametrize(
    ("promised", "said", "believed"),
    [(False, None, True), (True, None, False), (True, ISSUER, True), (False, "https://evil.example", False)],
)
def test_an_answer_names_its_issuer_where_the_provider_promised_that(
    promised: bool, said: str | None, believed: bool
) -> None:
    found = Discovered(ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/keys", promised)
    assert is_from(found, said) is believed


def test_no_group_makes_an_admin() -> None:
    rules = Rules(groups={"all": frozenset({Role.ADMIN, Role.OWNER}), "root": frozenset({Role.ADMIN})})
    claims = Claims(issuer=ISSUER, subject="kim", groups=frozenset({"all", "root", "other"}))
    assert roles_of(claims, rules) == {Role.OWNER}
