"""An OpenID provider in process: its own key signs for real, its codes stand for what a test says. No network."""

import json
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

from fakes.signing_in import Browser
from fakes.storage import CLOCK
from handrail.console.signin.provider_pages import Provider
from handrail.people.provider import Rules
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError

ISSUER, CLIENT = "https://id.example", "console"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
RULES = Rules(groups={"cx": frozenset({Role.STAFF})}, create=True)


class SigningProvider:
    """`console.signin.provider_pages.Fetch`. `calls`: addresses that were asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._codes: dict[str, dict[str, Any]] = {}

    async def get(self, url: str) -> bytes:
        self.calls.append(url)
        if url.endswith("/.well-known/openid-configuration"):
            found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
            found |= {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
            return json.dumps(found).encode()
        return json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()

    async def post(self, url: str, form: bytes) -> bytes:
        self.calls.append(url)
        claims = self._codes.pop(parse_qs(form.decode())["code"][0], None)
        if claims is None:
            raise HandrailError(Code.UPSTREAM_ERROR, "the sign-in provider answered 400")
        return json.dumps({"id_token": signed(claims)}).encode()

    def code(self, subject: str, nonce: str, **claims: Any) -> str:
        """One that stands for this account once."""
        code = f"code-{len(self.calls)}-{subject}"
        self._codes[code] = {
            **said(), "sub": subject, "nonce": nonce, "auth_time": now_s(), "email": f"{subject}@example.com",
            "email_verified": True, "name": subject.title(), "groups": ["cx"], **claims,
        }  # fmt: skip
        return code


def provider(fetch: SigningProvider, rules: Rules = RULES) -> Provider:
    return Provider(fetch, issuer=ISSUER, client_id=CLIENT, secret=lambda: "s3cret", rules=rules)


def now_s() -> int:
    return CLOCK.now_ms() // 1000


def said() -> dict[str, Any]:
    return {"iss": ISSUER, "aud": CLIENT, "iat": now_s(), "exp": now_s() + 120}


def signed(claims: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    """Claims that are None are left out."""
    body = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one", **header}, body, key, algorithms=["RS256", "HS256"])


def asked_of(page: Any) -> dict[str, str]:
    """What a page that leads to the provider asks there."""
    address = page.text.split('class="btn pri" href="')[1].split('"')[0].replace("&amp;", "&")
    return {name: values[0] for name, values in parse_qs(address.partition("?")[2]).items()}


async def through(browser: Browser, fetch: SigningProvider, subject: str, **claims: Any) -> Any:
    """Sign in there as this account and come back; the page that it ends on."""
    await browser.get("/sign-in")
    asked = asked_of(await browser.post("/sign-in/provider", next="/"))
    code = fetch.code(subject, asked["nonce"], **claims)
    return await browser.get(f"/sign-in/provider/back?code={code}&state={asked['state']}")
