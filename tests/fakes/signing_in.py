"""A console with sign-in over real storage, asked in process: the pages of `console.signin` behind the real middleware,
beside one page that is for visitors and one change that needs a fresh sign-in."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pyotp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from fakes.storage import CLOCK, IDS, kek
from handrail.backends.signin_keys import SignInKeys
from handrail.backends.sqlite.open import SqliteStore
from handrail.console.security import Hardened
from handrail.console.signin import app as signing
from handrail.console.signin.again import keep, needs_fresh
from handrail.console.signin.desk import Desk, SignInSettings
from handrail.console.signin.session import Visitors
from handrail.console.static_files import StaticFiles
from handrail.console.words import Languages
from handrail.people.desk import AddPerson, OpenFirst
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sessions import open_session

PASSWORD = "blue lamp over the river"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Ahead:
    """The clock of the middleware, ahead by so many ms."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return CLOCK.now_ms() + self.ms

    def monotonic(self) -> float:
        return CLOCK.monotonic() + self.ms / 1000


class House:
    """One console. `did`: the changes that came through."""

    def __init__(
        self, store: Any, *, origin: str = "http://localhost", provider: Any = None, demo: bool = False, **settings: Any
    ) -> None:
        self.store = store
        self.origin = origin
        self.clock = Ahead()
        self.did: list[dict[str, str]] = []
        secure = origin.startswith("https://")
        made = SignInSettings(
            organisation="Example Shop", public_url=origin, secure=secure,
            provider="Example ID" if provider else "", **settings,
        )  # fmt: skip
        self.desk = Desk(
            made, journal=store.journal, reader=store.signin, sealing=SignInKeys(store.keys.folder, IDS),
            clock=self.clock, ids=IDS, static=StaticFiles(), languages=Languages(),
        )  # fmt: skip
        own = [Route("/", self._home), Route("/change", self.desk.endpoint(self._change), methods=["POST"])]
        inner = Starlette(routes=[*signing.routes(self.desk, provider=provider, demo=demo), *own])
        known = Visitors(
            inner, reader=store.signin, journal=store.journal, clock=self.clock, ids=IDS, cookies=self.desk.cookies
        )
        self.app = Hardened(known, https=secure)

    def browser(self, address: str = "198.51.100.7") -> "Browser":
        return Browser(self, address)

    async def _home(self, request: Request) -> Response:
        visitor = request.state.visitor
        return PlainTextResponse(f"{visitor.name} {visitor.session}" if visitor else "nobody")

    async def _change(self, request: Request) -> Response:
        form = await self.desk.form(request)
        visitor = self.desk.require(request)
        lengths = self.desk.settings.policy.lengths
        if needs_fresh(visitor, now_ms=self.clock.now_ms(), lengths=lengths):
            return RedirectResponse(await keep(self.desk, request), 303)
        self.did.append({name: str(value) for name, value in form.items() if name != "csrf"})
        return PlainTextResponse("done")


class Browser:
    """Keeps cookies, sends Origin as browsers do, and the token of the last page it saw."""

    def __init__(self, house: House, address: str) -> None:
        transport = httpx.ASGITransport(house.app, client=(address, 40_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=house.origin, headers={"user-agent": FIREFOX})
        self.csrf = ""
        self._origin = house.origin

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return self._seen(await self.http.get(path, follow_redirects=True, **options))

    async def post(self, path: str, *, follow: bool = True, origin: str | None = None, **fields: str) -> httpx.Response:
        headers = {"origin": self._origin if origin is None else origin}
        answer = await self.http.post(
            path, data={"csrf": self.csrf, **fields}, headers=headers, follow_redirects=follow
        )
        return self._seen(answer)

    def cookie(self, name: str = "handrail") -> str:
        return next((each.value or "" for each in self.http.cookies.jar if each.name in (name, f"__Host-{name}")), "")

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.csrf = found[1]
        return answer


def field(page: httpx.Response, name: str) -> str:
    """Of a form on the page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, page.text
    return found[1]


def key_of(page: httpx.Response) -> str:
    """The key of an app that a page shows."""
    found = re.search(r'class="key">([A-Z2-7 ]+)<', page.text)
    assert found is not None, page.text
    return found[1].replace(" ", "")


async def first_admin(house: House, link: Callable[[], Any], browser: Browser) -> str:
    """Come in by the one-time link and set up an app; its secret."""
    text = await link()
    await browser.get(f"/sign-in/link?code={text}")
    page = await browser.post(
        "/sign-in/link", code=text, name="Pat Lee", mail="pat@example.com", password=PASSWORD, again=PASSWORD
    )
    assert page.url.path == "/sign-in/set-up", page.text
    page = await browser.post("/sign-in/set-up")
    return key_of(page)


def data_of(folder: Path) -> bytes:
    """Every byte of a data folder's database and log."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


Work = Callable[[House], Awaitable[None]]


def housed(folder: Path, work: Work, **options: Any) -> None:
    async def run() -> None:
        store = SqliteStore(folder / "data", kek(), ids=IDS, clock=CLOCK)
        try:
            await work(House(store, **options))
        finally:
            await store.close()

    asyncio.run(run())


async def link(house: House) -> str:
    return str((await house.store.journal.run(OpenFirst(ids=IDS))).text)


async def settled(house: House) -> tuple[Browser, str]:
    """The first admin, in."""
    browser = house.browser()
    secret = await first_admin(house, lambda: link(house), browser)
    page = await browser.post("/sign-in/second", setup="1", code=pyotp.TOTP(secret).now())
    assert page.url.path == "/account", page.text
    return browser, secret


async def added(house: House, *roles: Role, mail: str = "kim@example.com", setup: bool = False) -> Browser:
    """Another person, in by her link and a password; roles that need no second factor, unless `setup`: then she is only
    on her way in."""
    shown = await house.store.journal.run(
        lambda tx: AddPerson(ids=IDS, mail=mail, name="Kim Moss", roles=frozenset(roles), token=admin_token(tx))(tx)
    )
    browser = house.browser("203.0.113.9")
    await browser.get(f"/sign-in/link?code={shown.text}")
    page = await browser.post("/sign-in/link", code=shown.text, password=PASSWORD, again=PASSWORD)
    assert page.url.path == ("/sign-in/set-up" if setup else "/account"), page.text
    return browser


def admin_token(tx: Any) -> str:
    """A session of the admin, as her token."""
    person = next(each for each in tx.persons.all() if Role.ADMIN in each.roles)
    return open_session(tx, IDS, person, ("password",), lengths=Lengths(), label="").text
