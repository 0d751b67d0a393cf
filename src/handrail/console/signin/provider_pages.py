"""To the provider and back. The state is kept in this browser and taken once; the code is exchanged by us, never by the
browser; what is fetched goes through the egress gate."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handrail.console.signin import oidc
from handrail.console.signin.again import Again, needs_fresh
from handrail.console.signin.desk import Desk, asked_for, network
from handrail.console.signin.enter import Enter
from handrail.console.signin.oidc import Asked, Discovered
from handrail.console.words import N_
from handrail.people.account import Step, identity_id, step_id
from handrail.people.provider import ByProvider, Claims, ConnectProvider, Rules
from handrail.people.provider_logout import BadLogout, EndByProvider, Left
from handrail.people.sign_in import STEP_MS, refusal
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

PURPOSE = "provider"
BACK = "/sign-in/provider/back"
KEPT_S = 3_600
AGAIN_S = 60
"""An unknown key makes the keys be fetched again, once a minute at most."""
LOGOUT_BYTES = 16_384
RACES = 5
T = TypeVar("T")


class Fetch(Protocol):
    """Outgoing calls to the provider, through the egress gate."""

    async def get(self, url: str) -> bytes:
        """Raises HandrailError EGRESS_DENIED, UPSTREAM_UNREACHABLE, UPSTREAM_ERROR or UPSTREAM_TIMEOUT."""
        ...

    async def post(self, url: str, form: bytes) -> bytes:
        """Likewise."""
        ...


class Secret(Protocol):
    def __call__(self) -> str: ...


@dataclass(slots=True)
class _Known:
    found: Discovered | None = None
    found_at: float = 0.0
    keys: Mapping[str, Any] = field(default_factory=dict)
    keys_at: float = 0.0


class Provider:
    """One per process. `secret`: read at each use, empty for a public client."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        issuer: str,
        client_id: str,
        secret: Secret,
        rules: Rules,
        scopes: str = "openid email profile",
        groups_claim: str = "groups",
        trust_second: bool = False,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.rules = rules
        self.scopes = scopes
        self._fetch = fetch
        self._secret = secret
        self._groups = groups_claim
        self._trust = trust_second
        self._known = _Known()
        self._lock = asyncio.Lock()

    async def found(self, now_s: float) -> Discovered:
        """Its configuration, an hour old at most."""
        async with self._lock:
            known = self._known
            if known.found is None or now_s - known.found_at > KEPT_S:
                body = await self._fetch.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                known.found, known.found_at = oidc.discovered(body, issuer=self.issuer), now_s
            return known.found

    async def claims(self, code: str, asked: Asked, *, back: str, now_s: float) -> Claims:
        """Of whom the code stands for. Raises HandrailError SIGN_IN_REFUSED, or as `Fetch`."""
        found = await self.found(now_s)
        form = oidc.exchange(code, asked, client_id=self.client_id, secret=self._secret(), back=back)
        token = oidc.id_token(await self._fetch.post(found.token_endpoint, form))

        def check(keys: Mapping[str, Any]) -> Claims:
            return oidc.claims_of(
                token, keys, found=found, client_id=self.client_id, asked=asked, now_s=int(now_s),
                groups_claim=self._groups, trust_second=self._trust,
            )  # fmt: skip

        return await self._checked(check, found, now_s)

    async def left(self, token: str, *, now_s: float) -> Left:
        """Who signed out there. Raises HandrailError REQUEST_INVALID, or as `Fetch`."""
        found = await self.found(now_s)

        def check(keys: Mapping[str, Any]) -> Left:
            return oidc.left_of(token, keys, found=found, client_id=self.client_id, now_s=int(now_s))

        return await self._checked(check, found, now_s)

    async def _checked(self, check: Callable[[Mapping[str, Any]], T], found: Discovered, now_s: float) -> T:
        """By the keys that are known, then by newer ones."""
        keys = await self._keys(found, now_s, at_most_s=KEPT_S)
        try:
            return check(keys)
        except HandrailError:
            newer = await self._keys(found, now_s, at_most_s=AGAIN_S)
            if newer is keys:
                raise
            return check(newer)

    async def _keys(self, found: Discovered, now_s: float, *, at_most_s: float) -> Mapping[str, Any]:
        async with self._lock:
            known = self._known
            if not known.keys or now_s - known.keys_at > at_most_s:
                body = await self._fetch.get(found.jwks_uri)
                try:
                    known.keys, known.keys_at = msgspec.json.decode(body, type=dict[str, Any]), now_s
                except msgspec.DecodeError:
                    raise HandrailError(Code.UPSTREAM_INVALID, "the sign-in provider's keys cannot be read") from None
            return known.keys


class ProviderPages:
    def __init__(self, desk: Desk, provider: Provider, enter: Enter, again: Again) -> None:
        self._desk = desk
        self._provider = provider
        self._enter = enter
        self._again = again

    async def leave(self, request: Request) -> Response:
        """A page that leads to the provider: a form's answer may not redirect there itself (form-action of the CSP)."""
        desk = self._desk
        form = await desk.form(request)
        use = "connect" if form.get("connect") == "1" else "again" if form.get("again") == "1" else "in"
        visitor = desk.visitor(request)
        if use != "in":
            visitor = desk.require(request)
        if use == "connect" and visitor is not None:
            lengths = desk.settings.policy.lengths
            if needs_fresh(visitor, now_ms=desk.clock.now_ms(), lengths=lengths):
                raise HandrailError(Code.FRESH_NEEDED, "show again who you are first")
        asked = Asked(
            nonce=desk.ids.token(24).hex(), verifier=desk.ids.token(32).hex(), use=use,
            to=asked_for(str(form.get("next", "/"))), then=str(form.get("then", ""))[:64],
        )  # fmt: skip
        state = desk.ids.token(24).hex()
        found = await self._provider.found(desk.clock.now_ms() / 1000)
        step = Step(
            id=step_id(desk.browser(request), PURPOSE, state),
            person=visitor.person if use != "in" and visitor is not None else PersonId(""),
            body=msgspec.json.encode(asked),
            ends_at=0,
        )

        def put(tx: SignInTransaction) -> None:
            tx.steps.sweep(tx.now_ms)
            tx.steps.add(msgspec.structs.replace(step, ends_at=tx.now_ms + STEP_MS))

        await desk.journal.run(put)
        address = oidc.address(
            found, asked, client_id=self._provider.client_id, back=self._back(request), state=state,
            scopes=self._provider.scopes,
        )  # fmt: skip
        return desk.page(request, "leaving", address=address, provider=desk.settings.provider)

    async def back(self, request: Request) -> Response:
        """1 the state is this browser's, 2 the issuer is ours, 3 the code is exchanged, 4 whom it stands for."""
        desk = self._desk
        desk.slow_down(request)
        query = request.query_params
        asked = await self._take(request, query.get("state", ""))
        if asked is None:
            return desk.page(request, "told", 401, wrong=N_("This took too long. Begin again."))
        if not oidc.is_from(await self._provider.found(desk.clock.now_ms() / 1000), query.get("iss")):
            return desk.page(request, "told", 401, wrong=N_("The answer came from another provider. Begin again."))
        if not query.get("code"):
            return desk.page(request, "told", 401, wrong=N_("The provider did not sign you in."))
        now_s = desk.clock.now_ms() / 1000
        claims = await self._provider.claims(query["code"][:4096], asked, back=self._back(request), now_s=now_s)
        if asked.use == "in":
            come = ByProvider(
                ids=desk.ids, claims=claims, rules=self._provider.rules, here=desk.here(request),
                policy=desk.settings.policy, to=asked.to,
            )  # fmt: skip
            return self._enter.came(request, await desk.journal.run(come), asked.to)
        visitor = desk.require(request)
        if asked.use == "connect":
            await desk.journal.run(ConnectProvider(ids=desk.ids, claims=claims, person_id=visitor.person))
            return desk.go(request, "/account")
        if not await desk.journal.run(lambda tx: _is_hers(tx, claims, visitor.person)):
            raise refusal()
        return await self._again.confirmed(request, ("provider",), asked.to, asked.then)

    async def left(self, request: Request) -> Response:
        """The provider says, by a signed token and without a browser, that somebody signed out there. No cookie counts
        here and no form's token; a bad token is counted and, after many, not looked at for up to a minute."""
        desk = self._desk
        desk.slow_down(request)
        form = await request.form(max_files=0, max_fields=20)
        token = str(form.get("logout_token", ""))
        try:
            if not 0 < len(token) <= LOGOUT_BYTES:
                raise HandrailError(Code.REQUEST_INVALID, "give one logout_token, as a form")
            left = await self._provider.left(token, now_s=desk.clock.now_ms() / 1000)
            await self._end(EndByProvider(ids=desk.ids, left=left))
        except HandrailError as error:
            if error.code is not Code.REQUEST_INVALID:
                raise
            address = desk.sealing.mark(network(request.client.host if request.client else ""))
            wait = await desk.journal.run(BadLogout(ids=desk.ids, address=address))
            said = {"error": "invalid_request", "error_description": error.message}
            response = desk.json(request, said, 429 if wait else 400)
            if wait:
                response.headers["retry-after"] = str(wait)
            return response
        return Response(status_code=200, headers={"cache-control": "no-store"})

    async def _end(self, command: EndByProvider) -> None:
        """A request of hers at this very moment may change her session meanwhile."""
        for _ in range(RACES - 1):
            try:
                await self._desk.journal.run(command)
            except HandrailError as error:
                if error.code is not Code.LOST_RACE:
                    raise
            else:
                return
        await self._desk.journal.run(command)

    async def _take(self, request: Request, state: str) -> Asked | None:
        name = step_id(self._desk.browser(request), PURPOSE, state[:64])

        visitor = self._desk.visitor(request)

        def take(tx: SignInTransaction) -> bytes | None:
            step = tx.steps.get(name)
            if step is None or tx.now_ms >= step.ends_at:
                return None
            tx.steps.remove(step)
            if step.person and (visitor is None or visitor.person != step.person):
                return None  # begun by another person in this browser
            return step.body

        body = await self._desk.journal.run(take)
        return None if body is None else msgspec.json.decode(body, type=Asked)

    def _back(self, request: Request) -> str:
        return self._desk.origin(request) + BACK


def _is_hers(tx: SignInTransaction, claims: Claims, person: str) -> bool:
    identity = tx.identities.get(identity_id(claims.issuer, claims.subject))
    return identity is not None and identity.person == person
