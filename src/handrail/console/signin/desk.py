"""What every page of sign-in needs: who and where, a form that may be trusted, an answer with the right cookies.

A form is taken only from a page of this console (Origin or Sec-Fetch-Site, `console.security`) and with the token of
the session, or before there is one, of the browser's cookie: so nobody signs a visitor in or out from elsewhere.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from handrail.console.refusals import told_why
from handrail.console.security import TooLong, TooSlow, is_own, local, own_origin
from handrail.console.signin.cookies import BROWSER, SESSION, YEAR_S, Cookies
from handrail.console.signin.pace import Pace
from handrail.console.signin.session import Visitor
from handrail.console.static_files import StaticFiles
from handrail.console.words import N_, Languages, Words
from handrail.ledger.store import Journal
from handrail.people import password
from handrail.people.sessions import SignedIn
from handrail.people.sign_in import Here, Policy
from handrail.people.signin_store import Sealing, SignInReader
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

AT_ONCE, WAITING = 1, 16
"""Passwords looked at at once, and how many may wait: more are told to come again. So many of strangers, and so many of
browsers that were in before: strangers never take all places."""
BROWSER_BYTES = 32
STATUS = {
    Code.SIGN_IN_REFUSED: 401,
    Code.SIGN_IN_WAIT: 429,
    Code.TOKEN_INVALID: 401,
    Code.NOT_ALLOWED: 403,
    Code.FRESH_NEEDED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY: 409,
    Code.LOST_RACE: 409,
    Code.BUSY: 503,
    Code.JOURNAL_UNAVAILABLE: 503,
    Code.UPSTREAM_UNREACHABLE: 502,
    Code.EGRESS_DENIED: 502,
}
T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """From `console:` of the home. `public_url`: as visitors reach the console, None: as the request says (loopback).
    `above_minor`: amounts from here on need a fresh sign-in; None: none does. `provider`: its name on the button,
    empty: there is none. `secure`: visitors come over https."""

    organisation: str
    zone: str = "UTC"
    public_url: str | None = None
    secure: bool = False
    policy: Policy = field(default_factory=Policy)
    above_minor: int | None = None
    provider: str = ""


class Desk:
    """One per process. `now_ms` comes from the clock; what is decided is decided in commands with the database's."""

    def __init__(
        self,
        settings: SignInSettings,
        *,
        journal: Journal,
        reader: SignInReader,
        sealing: Sealing,
        clock: Clock,
        ids: Ids,
        static: StaticFiles,
        languages: Languages,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.reader = reader
        self.sealing = sealing
        self.clock = clock
        self.ids = ids
        self.cookies = Cookies(settings.secure)
        self._languages = languages
        self._places = {known: asyncio.Semaphore(AT_ONCE) for known in (True, False)}
        self._waiting = {True: 0, False: 0}
        self._pace = Pace()
        self._env = Environment(
            loader=PackageLoader("handrail.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals["asset"] = static.__getitem__

    # who and where

    def visitor(self, request: Request) -> Visitor | None:
        found: Visitor | None = getattr(request.state, "visitor", None)
        return found

    def require(self, request: Request) -> Visitor:
        """Raises HandrailError SIGN_IN_REFUSED."""
        visitor = self.visitor(request)
        if visitor is None:
            raise HandrailError(Code.SIGN_IN_REFUSED, "sign in first")
        return visitor

    def origin(self, request: Request) -> str:
        return own_origin(request.headers, request.url.scheme, self.settings.public_url).rstrip("/")

    def host(self, request: Request) -> str:
        """The name that passkeys belong to."""
        return urlsplit(self.origin(request)).hostname or ""

    def browser(self, request: Request) -> str:
        """The text of the browser's cookie; one made now is given to it with this answer."""
        text = self.cookies.read(request.scope, BROWSER)
        if not text:
            text = getattr(request.state, "browser", "")
        if not text:
            text = self.ids.token(BROWSER_BYTES).hex()
            request.state.browser = text
        return text

    def here(self, request: Request) -> Here:
        return Here(
            browser=self.browser(request),
            address=self.sealing.mark(network(request.client.host if request.client else "")),
            label=label(request.headers.get("user-agent", "")),
            session=self.cookies.read(request.scope, SESSION),
        )

    # forms

    def csrf(self, request: Request) -> str:
        visitor = self.visitor(request)
        if visitor is not None:
            return visitor.csrf
        return hmac.new(self.browser(request).encode(), b"form", hashlib.sha256).hexdigest()

    async def form(self, request: Request) -> FormData:
        """Raises HandrailError NOT_ALLOWED for a form of another site, or one that is too old; SIGN_IN_WAIT for a
        stranger's that comes too fast."""
        self.slow_down(request)
        if not is_own(request.headers, self.origin(request)):
            raise HandrailError(Code.NOT_ALLOWED, "this came from another site, so nothing was changed")
        form = await request.form(max_files=0, max_fields=200)
        given = str(form.get("csrf") or request.headers.get("x-csrf", ""))
        if not hmac.compare_digest(given.encode(), self.csrf(request).encode()):
            raise HandrailError(Code.NOT_ALLOWED, "this form is too old: load the page again and repeat it")
        return form

    def slow_down(self, request: Request) -> None:
        """Before anything is read or written for one who is not signed in. Raises HandrailError SIGN_IN_WAIT."""
        if self.visitor(request) is not None:
            return
        wait = self._pace.wait_s(network(request.client.host if request.client else ""), now=self.clock.monotonic())
        if wait:
            raise HandrailError(
                Code.SIGN_IN_WAIT, "too many requests from this network; wait a minute", retry_after_s=wait
            )

    async def is_right(self, stored: str, given: str, *, known: bool = False) -> bool:
        """In a thread. `known`: of a browser that was in before, or of one who is signed in. Raises HandrailError
        BUSY."""
        return await self._slow(lambda: password.is_right(stored, given), known=known)

    async def hashed(self, given: str) -> str:
        """For one who has a good code or a session."""
        salt = self.ids.token(password.SALT_BYTES)
        return await self._slow(lambda: password.hashed(given, salt), known=True)

    async def _slow(self, work: Callable[[], T], *, known: bool) -> T:
        if self._waiting[known] >= WAITING:
            raise HandrailError(Code.BUSY, "many sign in right now; try again in a moment", retry_after_s=2)
        self._waiting[known] += 1
        try:
            async with self._places[known]:
                return await asyncio.to_thread(work)
        finally:
            self._waiting[known] -= 1

    # answers

    def words(self, request: Request) -> Words:
        visitor = self.visitor(request)
        chosen = visitor.language if visitor and visitor.language else request.cookies.get("handrail-language", "")
        accepts, zone = request.headers.get("accept-language", ""), self.settings.zone
        return self._languages.words(chosen=chosen, accepts=accepts, zone=zone, now_ms=self.clock.now_ms())

    @property
    def languages(self) -> dict[str, str]:
        return self._languages.names

    def page(self, request: Request, template: str, status: int = 200, **view: object) -> Response:
        """One of `templates/signin`."""
        words = self.words(request)
        theme = request.cookies.get("handrail-theme", "")
        visitor = self.visitor(request)
        text = self._env.get_template(f"signin/{template}.html").render(
            _=words,
            words=words,
            plural=words.plural,
            visitor=visitor,
            csrf=self.csrf(request),
            nonce=getattr(request.state, "nonce", ""),
            theme=theme if theme in ("light", "dark") else (visitor.theme if visitor else ""),
            organisation=self.settings.organisation,
            **{"wrong": "", **view},
        )
        return self.keeping(request, HTMLResponse(text, status, headers={"cache-control": "no-store"}))

    def go(self, request: Request, to: str) -> Response:
        return self.keeping(request, RedirectResponse(local(to), 303))

    def signed_in(self, request: Request, came: SignedIn, to: str) -> Response:
        """To the page that was asked for, with the session's cookie."""
        response = self.go(request, to or "/")
        self.give(response, came.text)
        return response

    def give(self, response: Response, text: str) -> None:
        response.headers.append("set-cookie", self.cookies.written(SESSION, text).decode("latin-1"))

    def take(self, response: Response) -> None:
        response.headers.append("set-cookie", self.cookies.written(SESSION, "", max_age_s=0).decode("latin-1"))

    def keeping(self, request: Request, response: Response) -> Response:
        """The answer, with the browser's cookie if it was made now."""
        made = getattr(request.state, "browser", "")
        if made:
            cookie = self.cookies.written(BROWSER, made, max_age_s=YEAR_S)
            response.headers.append("set-cookie", cookie.decode("latin-1"))
        return response

    def json(self, request: Request, value: object, status: int = 200) -> Response:
        text = value if isinstance(value, str) else json.dumps(value)
        response = Response(text, status, media_type="application/json", headers={"cache-control": "no-store"})
        return self.keeping(request, response)

    def endpoint(self, work: Endpoint, *, api: bool = False) -> Endpoint:
        """What goes wrong becomes a page (or JSON) with one sentence."""

        async def answer(request: Request) -> Response:
            try:
                return await work(request)
            except TooSlow:
                return self.page(request, "told", 408, wrong=N_("This took too long. Begin again."))
            except TooLong:
                return self.page(request, "told", 413, wrong=N_("This was too long. Send less at once."))
            except HandrailError as error:
                status = STATUS.get(error.code, 422)
                if api:
                    response = self.json(request, {"error": told_why(error, self.words(request))}, status)
                elif error.code is Code.SIGN_IN_REFUSED and self.visitor(request) is None and request.method == "GET":
                    response = self.go(request, "/sign-in")
                elif error.code is Code.FRESH_NEEDED:
                    back = request.url.path if request.method == "GET" else "/account"
                    response = self.go(request, f"/sign-in/again?next={back}")
                else:
                    response = self.page(request, "told", status, wrong=told_why(error, self.words(request)))
                if error.retry_after_s:
                    response.headers["retry-after"] = str(int(error.retry_after_s))
                return response

        return answer


def network(host: str) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 one."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network(f"{address}/64", strict=False))
    return str(address)


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def label(agent: str) -> str:
    """A browser in two words; nothing of what it says about itself is kept beside them."""
    name = next((name for sign, name in _BROWSERS if sign in agent), "Browser")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    return f"{name}, {system}" if system else name


def asked_for(text: str) -> str:
    """The page to go to, on this console and never back into signing in."""
    to = local(text)
    return "/" if to.startswith("/sign-in") else to
