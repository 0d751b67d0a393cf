"""A real `handrail serve` with its console, a home with data, and a browser: what tests of pages stand on.

Persons get a session in the database by the command that sign-in itself uses; only the tests of sign-in go through its
pages. Chromium is Debian's; no other is downloaded.
"""

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from acting_house import ActingHouse, act, chat, till
from house import Server, scripted_model, within
from playwright.sync_api import Browser, BrowserContext, Page

from handrail.app import wire
from handrail.app.settings import environment, settings
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sessions import SignedIn, open_session
from handrail.people.signin_store import SignInTransaction

LENGTHS = Lengths()
CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip
AXE = Path(__file__).parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES = {
    Role.OWNER: "Olu Owner", Role.APPROVER: "Ann Approver", Role.REVIEWER: "Rea Reviewer", Role.STAFF: "Sol Staff",
    Role.COMPLIANCE: "Cleo Compliance", Role.ENGINEER: "Eni Engineer", Role.AUDITOR: "Aud Auditor",
    Role.ADMIN: "Ada Admin",
}  # fmt: skip


class Site:
    """`url`: of the console, without a slash at the end. `server`: the gateway. `key`: of an agent that may talk and
    act. `house`: the home, for commands."""

    def __init__(self, house: ActingHouse, server: Server, url: str, key: str) -> None:
        self.house = house
        self.server = server
        self.url = url
        self.key = key
        self._sessions: dict[tuple[Role, ...], SignedIn] = {}

    def session(self, *roles: Role) -> SignedIn:
        """Of a person who holds exactly these roles; made when there is none yet."""
        if roles not in self._sessions:
            self._sessions[roles] = self.new_session(*roles)
        return self._sessions[roles]

    def new_session(self, *roles: Role, name: str = "", lengths: Lengths = LENGTHS) -> SignedIn:
        """A session of its own. `name`: another person of the same roles."""
        given = settings(self.house.root, environment())

        async def work() -> SignedIn:
            async with wire.opened(given, environment(), checkpoints=False) as store:
                return await store.journal.run(_Enter(roles, name, lengths))

        with ThreadPoolExecutor(1) as aside:  # this thread runs the browser's loop
            return aside.submit(asyncio.run, work()).result()

    def chat(self, conversation: str, text: str) -> None:
        """A customer says something."""
        chat(self.server, self.key, conversation, text)

    def act(self, action: str, wait: float = 0.0, **body: Any) -> tuple[int, Any]:
        """An agent asks to act: `site.act("till.refund", arguments={...}, conversation="c-1")`."""
        return act(self.server, self.key, action, wait, **body)


class _Enter:
    def __init__(self, roles: tuple[Role, ...], name: str, lengths: Lengths) -> None:
        self._roles = roles
        self._lengths = lengths
        self._name = name or NAMES.get(roles[0], "Some One") if roles else "No Body"

    def __call__(self, tx: SignInTransaction) -> SignedIn:
        mail = f"{self._name.lower().replace(' ', '.')}.{'-'.join(self._roles)}@house.example"
        person = tx.persons.by_mail(mail)
        if person is None:
            person = Person(
                id=wire.IDS.new("pe"), mail=mail, name=self._name, roles=frozenset(self._roles), created_at=tx.now_ms  # type: ignore[arg-type]  # a fresh id
            )  # fmt: skip
            tx.persons.add(person)
        return open_session(tx, wire.IDS, person, ("password", "passkey"), lengths=self._lengths, label="test")


@contextlib.contextmanager
def site(folder: Path, *, published: bool = True) -> Iterator[Site]:
    """A site of its own, without data. `published`: False for the empty state of a home that has not published."""
    port = free_port()
    script = folder / "script.json"
    script.write_text(json.dumps({"replies": [], "fallback": {"id": "f", "text": "I will see to it."}}))
    with till(folder) as target, scripted_model("--script", str(script)) as model:
        house = ActingHouse(folder / "home", target.url, model=model)
        path = house.root / "handrail.yaml"
        path.write_text(
            path.read_text().replace("console: { serve: false }", f"console: {{ listen: 127.0.0.1:{port} }}")
        )
        if published:
            house.publish()
        house.hire()
        with house.serving() as server, server.heard():
            within(30, lambda: _answers(port))
            yield Site(house, server, f"http://127.0.0.1:{port}", house.agent() if published else "")


def filled(site: Site) -> None:
    """Some of everything: conversations, an action that ran, one that waits, one that was denied."""
    site.chat("c-1", "Where is my order A-1? Mail me at marta@example.com.")
    site.chat("c-2", "I want my money back for order A-2, this is a complaint.")
    site.chat("c-3", "Please refund order A-3.")
    site.act("till.note", wait=5, arguments={"order": "A-1", "text": "called back"}, conversation="c-1")
    site.act("till.refund", arguments={"order": "A-2", "amount": 4_000}, conversation="c-2")
    site.act("till.refund", arguments={"order": "A-3", "amount": 200_000}, conversation="c-3")


def signed_in(
    browser: Browser, site: Site, *roles: Role, width: int = 1440, height: int = 900, theme: str = "light",
    language: str = "en-GB", session: SignedIn | None = None, scripts: bool = True,
) -> Page:  # fmt: skip
    """A browser of its own with a session. What it asks for beyond the site, and what its policy refused, is noted:
    `trouble(page)`."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, locale=language, base_url=site.url,  # type: ignore[arg-type]  # light or dark
        java_script_enabled=scripts, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(10_000)
    found = session or site.session(*roles)
    context.add_cookies([{"name": "handrail", "value": found.text, "url": site.url}])
    return watched(context)


def watched(context: BrowserContext) -> Page:
    """A page whose violations, script errors and foreign requests are noted."""
    page = context.new_page()
    noted: list[str] = []
    page.trouble = noted  # type: ignore[attr-defined]  # read by `trouble`
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' "
        "+ (e.blockedURI || '') + ' ' + (e.sample || '')))"
    )
    page.on("console", lambda said: noted.append(said.text) if said.type == "error" and _matters(said.text) else None)
    page.on("pageerror", lambda error: noted.append(f"script: {error}"))
    page.on("request", lambda asked: noted.append(f"foreign: {asked.url}") if _foreign(asked.url, context) else None)
    return page


def trouble(page: Page) -> list[str]:
    """Everything that must not happen: refused by the policy, errors of scripts, requests to other hosts."""
    return list(page.trouble)  # type: ignore[attr-defined]  # set by `watched`


def looked_at(page: Page, address: str, *, within_region: str | None = None) -> None:
    """No violation and no script error, axe 0 in both themes at 1440 and 390, no sideways scroll at 320. `address`: of
    the page, on its site. `within_region`: selector that axe looks at alone."""
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # light or dark
            page.goto(address)
            assert_accessible(page, f"{address} at {width}, {theme}", within_region)
    assert_reflows(page, address)
    assert not trouble(page), trouble(page)


def assert_accessible(page: Page, where: str, within_region: str | None = None) -> None:
    """axe finds nothing on the page as it is."""
    page.evaluate(AXE.read_text() + ";void 0")
    found = page.evaluate(
        "([rules, region]) => axe.run(region || document, {runOnly: rules, resultTypes: ['violations']})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.help + ' '"
        " + v.nodes.map(n => n.target.join(' ')).join(', ')))",
        [RULES, within_region],
    )
    assert not found, f"{where}:\n" + "\n".join(found)


def assert_reflows(page: Page, address: str) -> None:
    """No sideways scroll at 320 pixels."""
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 320, f"{address} is {wide} pixels wide at 320"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _matters(text: str) -> bool:
    """A refused answer (4xx, 5xx) that a test provokes is no trouble by itself."""
    return "Failed to load resource" not in text


def _foreign(url: str, context: BrowserContext) -> bool:
    return url.startswith("http") and "//127.0.0.1:" not in url
