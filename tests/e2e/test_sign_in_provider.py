"""Signing in by an account at a provider: a real provider process on loopback, all through the egress gate."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fakes.signing_in import Browser, House
from fakes.storage import CLOCK, IDS, kek
from house import HANDRAIL, within

from handrail.backends.egress import system_resolve
from handrail.backends.oidc import ProviderCalls
from handrail.backends.sqlite.open import SqliteStore
from handrail.console.signin.provider_pages import Provider
from handrail.people.desk import OpenFirst, Redeem, add_person
from handrail.people.provider import Rules
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sessions import open_session, person_actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

SECTION = """\
console:
  listen: 127.0.0.1:{port}
  public_url: {url}
  sign_in:
    oidc:
      name: Example ID
      issuer: {issuer}
      client_id: console
      secret_env: OIDC_SECRET
      private_network: true
      groups: {{cx-leads: [owner]}}
      create: true
"""
USERS = (
    {"sub": "kim", "email": "kim@example.com", "email_verified": True, "name": "Kim Moss", "groups": []},
    {"sub": "lou", "email": "lou@example.com", "email_verified": True, "name": "Lou Day", "groups": ["cx-leads"]},
    {"sub": "pat", "email": "pat@example.com", "email_verified": True, "name": "Pat Lee", "groups": ["admins"]},
    {"sub": "eve", "email": "kim@example.com", "email_verified": False, "name": "Eve", "groups": ["admins"]},
)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider of its own process."""
    port = free_port()
    users = [word for user in USERS for word in ("--user-claims", json.dumps(user))]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *users],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                if httpx.get(f"{url}/.well-known/openid-configuration").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        else:
            raise AssertionError("the provider did not start")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def provider_of(issuer: str, **changes: Any) -> Provider:
    private = changes.pop("private_network", True)
    calls = ProviderCalls((issuer,), private_network=private, ca_file="", resolve=system_resolve, clock=CLOCK)
    rules = Rules(groups={"cx-leads": frozenset({Role.OWNER}), "admins": frozenset({Role.ADMIN})}, create=True)
    given: dict[str, Any] = {"issuer": issuer, "client_id": "console", "secret": lambda: "s3cret", "rules": rules}
    return Provider(calls, **{**given, **changes})


def housed(folder: Path, work: Callable[[House], Awaitable[None]], provider: Provider) -> None:
    async def run() -> None:
        store = SqliteStore(folder / "data", kek(), ids=IDS, clock=CLOCK)
        try:
            shown = await store.journal.run(OpenFirst(ids=IDS))
            await store.journal.run(Redeem(ids=IDS, code=shown.text, mail="pat@example.com", name="Pat Lee"))
            await work(House(store, provider=provider))
        finally:
            await store.close()

    asyncio.run(run())


async def leave(browser: Browser) -> str:
    """The address at the provider."""
    await browser.get("/sign-in")
    page = await browser.post("/sign-in/provider", next="/")
    assert page.status_code == 200, page.text
    return "http" + unescape(page.text.split('class="btn pri" href="http')[1].split('"')[0])


async def agree(address: str, user: str) -> str:
    """What the provider sends the browser back with."""
    async with httpx.AsyncClient() as other:
        answer = await other.post(address, data={"sub": user})
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"]


async def through(browser: Browser, user: str) -> httpx.Response:
    back = await agree(await leave(browser), user)
    return await browser.get(back)


@pytest.mark.promise("SGN-9")
def test_a_person_whom_an_admin_added_comes_in_by_her_verified_address(tmp_path: Path, issuer: str) -> None:
    async def work(house: House) -> None:
        admin = await house.store.journal.run(lambda tx: tx.persons.by_mail("pat@example.com"))

        def add(tx: Any) -> None:
            add_person(tx, IDS, "kim@example.com", "Kim Moss", frozenset({Role.STAFF}), person_actor(admin.id))

        await house.store.journal.run(add)
        first, second = house.browser(), house.browser()
        assert (await through(first, "kim")).text.startswith("Kim Moss")
        assert (await through(second, "kim")).text.startswith("Kim Moss")  # known by her account from now on
        eve = await through(house.browser(), "eve")  # same address, not verified
        assert eve.status_code == 403
        assert "does not vouch" in eve.text

    housed(tmp_path, work, provider_of(issuer))


@pytest.mark.promise("SGN-9")
def test_a_group_makes_persons_with_roles_but_never_an_admin(tmp_path: Path, issuer: str) -> None:
    async def work(house: House) -> None:
        assert (await through(house.browser(), "lou")).text.startswith("Lou Day")
        roles = await house.store.journal.run(lambda tx: tx.persons.by_mail("lou@example.com").roles)
        assert roles == {Role.OWNER}
        page = await through(house.browser(), "pat")  # there is an admin of this address, and a group of that name
        assert page.status_code == 403
        assert "connects an account herself" in page.text
        page = await through(house.browser(), "kim")  # no group of hers has roles
        assert page.status_code == 403

    housed(tmp_path, work, provider_of(issuer))


@pytest.mark.promise("SGN-9")
def test_an_answer_counts_once_and_only_in_the_browser_that_asked(tmp_path: Path, issuer: str) -> None:
    async def work(house: House) -> None:
        browser, thief = house.browser(), house.browser("192.0.2.66")
        address = await leave(browser)
        asked = parse_qs(urlsplit(address).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["response_type"] == ["code"]
        back = await agree(address, "lou")
        await thief.get("/sign-in")
        assert (await thief.get(back)).status_code == 401
        assert (await browser.get(f"{back}&iss=https://evil.example")).status_code == 401
        assert (await browser.get(back)).status_code == 401  # the state was used up by that
        back = await agree(await leave(browser), "lou")
        assert (await browser.get(back)).text.startswith("Lou")
        await browser.get("/account")
        await browser.post("/sign-out")
        assert (await browser.get(back)).status_code == 401

    housed(tmp_path, work, provider_of(issuer))


@pytest.mark.promise("SGN-9")
def test_an_account_is_connected_to_her_who_asked_and_not_to_who_is_here_when_it_comes_back(
    tmp_path: Path, issuer: str
) -> None:
    async def work(house: House) -> None:
        await house.store.journal.run(
            lambda tx: add_person(
                tx, IDS, "sam@example.com", "Sam Fox", frozenset({Role.STAFF}), person_actor(PersonId("pe_x"))
            )
        )

        async def enter(mail: str) -> str:
            return str(
                await house.store.journal.run(
                    lambda tx: (
                        open_session(tx, IDS, tx.persons.by_mail(mail), ("password",), lengths=Lengths(), label="").text
                    )
                )
            )

        browser = house.browser()
        await browser.get("/sign-in")
        browser.http.cookies.set("handrail", await enter("sam@example.com"), domain="localhost.local", path="/")
        await browser.get("/account")
        page = await browser.post("/sign-in/provider", connect="1", next="/account")
        assert page.status_code == 200, page.text
        back = await agree("http" + unescape(page.text.split('class="btn pri" href="http')[1].split('"')[0]), "pat")
        browser.http.cookies.delete("handrail")
        browser.http.cookies.set("handrail", await enter("pat@example.com"), domain="localhost.local", path="/")
        assert (await browser.get("/")).text.startswith("Pat")
        assert (await browser.get(back)).status_code == 401
        rows = await house.store.journal.run(lambda tx: tx.fetch("SELECT person FROM signin_identity"))
        assert rows == []

    housed(tmp_path, work, provider_of(issuer))


@pytest.mark.promise("SGN-10")
def test_the_provider_is_called_through_the_egress_gate_alone(tmp_path: Path, issuer: str) -> None:
    async def work(house: House) -> None:
        browser = house.browser()
        await browser.get("/sign-in")
        page = await browser.post("/sign-in/provider", next="/")
        assert page.status_code == 502
        assert "private or loopback" in page.text or "without TLS" in page.text
        other = ProviderCalls((issuer,), private_network=True, ca_file="", resolve=system_resolve, clock=CLOCK)
        with pytest.raises(HandrailError) as refused:
            await other.get("http://127.0.0.1:1/keys")
        assert refused.value.code is Code.EGRESS_DENIED

    housed(tmp_path, work, provider_of(issuer, private_network=False))


@pytest.mark.promise("SGN-9")
def test_a_console_of_its_own_process_follows_what_its_home_says(tmp_path: Path, issuer: str) -> None:
    home, url = tmp_path / "home", f"http://localhost:{free_port()}"
    env = {**os.environ, "HANDRAIL_HOME": str(home), "OIDC_SECRET": "s3cret"}
    subprocess.run([*HANDRAIL, "init", str(home)], check=True, capture_output=True, env=env)
    file = home / "handrail.yaml"
    file.write_text(f"{file.read_text()}\n{SECTION.format(port=url.rpartition(':')[2], url=url, issuer=issuer)}")
    checked = subprocess.run([*HANDRAIL, "check", str(home)], capture_output=True, text=True, env=env)
    assert checked.returncode == 0, checked.stdout
    with (tmp_path / "said").open("w") as out:
        process = subprocess.Popen([*HANDRAIL, "console"], stdout=out, stderr=subprocess.STDOUT, env=env, cwd=home)
    try:
        within(40, lambda: "opens this once" in (tmp_path / "said").read_text())
        with httpx.Client(base_url=url, follow_redirects=True) as browser:
            page = browser.get("/sign-in/link")
            code = (tmp_path / "said").read_text().split("code=")[1].split()[0]
            token = page.text.split('name="csrf" value="')[1].split('"')[0]
            fields = {"csrf": token, "code": code, "name": "Pat", "mail": "pat@example.com"}
            words = "blue lamp over the river"
            page = browser.post(
                "/sign-in/link", data={**fields, "password": words, "again": words}, headers={"origin": url}
            )
            assert page.url.path == "/sign-in/set-up", page.text
        with httpx.Client(base_url=url, follow_redirects=True) as browser:
            page = browser.get("/sign-in")
            assert "Sign in with Example ID" in page.text
            token = page.text.split('name="csrf" value="')[1].split('"')[0]
            page = browser.post("/sign-in/provider", data={"csrf": token}, headers={"origin": url})
            address = "http" + unescape(page.text.split('class="btn pri" href="http')[1].split('"')[0])
            back = httpx.post(address, data={"sub": "lou"}).headers["location"]
            assert browser.get(back).url.path == "/"  # nothing is published there yet
            assert "Lou Day" in browser.get("/account").text
    finally:
        process.terminate()
        process.wait(20)
    log = (tmp_path / "said").read_text()
    assert "lou@example.com" not in log
    assert "s3cret" not in log
