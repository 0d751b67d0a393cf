"""Signing in to the console, over real storage: the first link, passwords, second factors, sessions, forms."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest
from fakes.signing_in import (
    PASSWORD,
    House,
    added,
    admin_token,
    data_of,
    field,
    housed,
    key_of,
    link,
    settled,
)
from fakes.storage import CLOCK, IDS

from handrail.people.account import Account
from handrail.people.factors import Reset
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sign_in import Policy


async def kinds(house: House) -> list[str]:
    rows = await house.store.journal.run(lambda tx: tx.fetch("SELECT kind FROM entry ORDER BY seq"))
    return [kind for (kind,) in rows]


@pytest.mark.promise("SGN-7")
def test_the_first_admin_comes_in_by_the_printed_link_with_a_password_and_an_app(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, secret = await settled(house)
        assert (await browser.get("/")).text.startswith("Pat Lee")
        again = house.browser("192.0.2.1")
        page = await again.get("/")
        assert page.text == "nobody"
        await again.get("/sign-in")
        page = await again.post("/sign-in", mail="pat@example.com", password=PASSWORD, next="/")
        assert page.url.path == "/sign-in/second"
        assert (await again.get("/")).text == "nobody"  # a password alone lets no admin in
        page = await again.post("/sign-in/second", code=pyotp.TOTP(secret).now())
        assert page.status_code == 401  # this code came in once already
        assert (await again.get("/")).text == "nobody"
        page = await again.post("/sign-in/second", code=pyotp.TOTP(secret).at(CLOCK.now_ms() // 1000 + 30))
        assert page.text.startswith("Pat Lee")
        said = await kinds(house)
        assert said.count("person.signed_in") == 2
        assert "factor.changed" in said

    housed(tmp_path, work)


def test_a_link_is_used_once_and_looking_at_it_uses_nothing_up(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        text = await link(house)
        scanner = house.browser("192.0.2.66")
        for _ in range(3):
            assert (await scanner.get(f"/sign-in/link?code={text}")).status_code == 200
        browser = house.browser()
        page = await browser.get(f"/sign-in/link?code={text}")
        assert text not in str(page.url)  # not in the address bar
        answer = {"code": text, "name": "Pat", "mail": "pat@example.com"}
        page = await browser.post("/sign-in/link", **answer, password="short", again="short")
        assert page.status_code == 422  # and the link stays good
        page = await browser.post("/sign-in/link", **answer, password=PASSWORD, again=PASSWORD)
        assert page.url.path == "/sign-in/set-up"
        await scanner.get("/sign-in/link")
        page = await scanner.post("/sign-in/link", **answer, password=PASSWORD, again=PASSWORD)
        assert page.status_code == 422
        assert "used already" in page.text

    housed(tmp_path, work)


@pytest.mark.promise("SGN-4")
def test_wrong_passwords_wait_and_never_keep_her_own_browser_out(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.post("/sign-out")
        stranger = house.browser("192.0.2.66")
        await stranger.get("/sign-in")
        answers = [
            (await stranger.post("/sign-in", mail="kim@example.com", password=f"wrong {n}")).status_code
            for n in range(12)
        ]
        assert answers[:5] == [401] * 5
        assert 429 in answers[5:]
        page = await stranger.post("/sign-in", mail="kim@example.com", password=PASSWORD)
        assert page.status_code == 429  # the right one is not looked at either
        assert int(page.headers["retry-after"]) <= 60
        await kim.get("/sign-in")
        page = await kim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert page.text.startswith("Kim Moss")
        told = (await kinds(house)).count("person.sign_in_failed")
        assert told in (3, 4)  # the 1st, 2nd, 4th, and not one for each try

    housed(tmp_path, work)


@pytest.mark.promise("SGN-4")
def test_many_wrong_tries_of_one_office_wait_and_its_known_browsers_do_not(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.post("/sign-out")
        stranger = house.browser("203.0.113.9")  # where kim sits too
        await stranger.get("/sign-in")
        answers = [
            (await stranger.post("/sign-in", mail=f"nobody-{n}@example.com", password="wrong")).status_code
            for n in range(32)
        ]
        assert answers[:30] == [401] * 30
        assert answers[30:] == [429, 429]
        await kim.get("/sign-in")
        page = await kim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert page.text.startswith("Kim Moss")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-4")
def test_an_unknown_address_answers_and_waits_like_a_known_one(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        await added(house, Role.STAFF)
        pages = {}
        for mail, address in (("kim@example.com", "192.0.2.1"), ("nobody@example.com", "192.0.2.2")):
            browser = house.browser(address)
            await browser.get("/sign-in")
            pages[mail] = [await browser.post("/sign-in", mail=mail, password="wrong") for _ in range(6)]
        known, unknown = pages.values()
        assert [each.status_code for each in known] == [each.status_code for each in unknown]
        assert "do not belong together" in known[0].text
        assert "do not belong together" in unknown[0].text

    housed(tmp_path, work)


@pytest.mark.promise("SGN-6")
def test_a_form_of_another_site_or_without_its_token_changes_nothing(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        page = await browser.post("/change", origin="https://evil.example", amount="1")
        assert page.status_code == 403
        for origin in ("null", ""):
            assert (await browser.post("/change", origin=origin, amount="1")).status_code == 403
        good, browser.csrf = browser.csrf, "x" * 43
        assert (await browser.post("/change", amount="1")).status_code == 403
        other = house.browser()
        await other.get("/sign-in")
        browser.csrf = other.csrf
        assert (await browser.post("/change", amount="1")).status_code == 403  # the token of another browser
        page = await other.http.post("/sign-in", data={"mail": "a@b.cc", "password": "x"})
        assert page.status_code == 403  # nobody is signed in from elsewhere either
        assert house.did == []
        browser.csrf = good
        assert (await browser.post("/change", amount="1")).text == "done"
        assert house.did == [{"amount": "1"}]

    housed(tmp_path, work)


@pytest.mark.promise("SGN-1")
def test_a_session_ends_by_idleness_at_its_last_hour_and_by_signing_out(tmp_path: Path) -> None:
    lengths = Lengths(idle_ms=600_000, most_ms=3_600_000)

    async def work(house: House) -> None:
        browser, _ = await settled(house)
        house.clock.ms = 599_000
        assert (await browser.get("/")).text.startswith("Pat")
        house.clock.ms = 3_600_000
        assert (await browser.get("/")).text == "nobody"
        house.clock.ms = 0
        stolen = browser.cookie()
        await browser.get("/account")
        await browser.post("/sign-out")
        thief = house.browser("192.0.2.66")
        thief.http.cookies.set("handrail", stolen)
        assert (await thief.get("/")).text == "nobody"

    housed(tmp_path, work, policy=Policy(lengths=lengths))


@pytest.mark.promise("SGN-2")
def test_a_session_that_somebody_fixed_before_is_not_the_one_that_signs_in(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        await added(house, Role.STAFF)
        mine = browser.cookie()
        victim = house.browser("203.0.113.9")
        victim.http.cookies.set("handrail", mine)  # the attacker's own, planted
        victim.http.cookies.delete("handrail")
        victim.http.cookies.set("handrail", "hs_aaaaaaaaaaaaaaaa_" + "A" * 43)
        assert (await victim.get("/")).text == "nobody"
        await victim.get("/sign-in")
        victim.http.cookies.delete("handrail")
        await victim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert (await victim.get("/")).text.startswith("Kim")
        assert victim.cookie() not in (mine, "hs_aaaaaaaaaaaaaaaa_" + "A" * 43)
        two = await victim.http.get("/", headers={"cookie": f"handrail={mine}; handrail={victim.cookie()}"})
        assert two.text == "nobody"  # two of one name: one was planted

    housed(tmp_path, work)


@pytest.mark.promise("SGN-2")
@pytest.mark.promise("SGN-7")
def test_a_gained_role_turns_the_secret_of_two_factors_and_ends_a_session_of_one(tmp_path: Path) -> None:
    async def gain(house: House, mail: str, role: Role) -> None:
        def change(tx: Any) -> None:
            person = tx.persons.by_mail(mail)
            tx.persons.swap(person, msgspec.structs.replace(person, roles=person.roles | {role}))

        await house.store.journal.run(change)

    async def work(house: House) -> None:
        admin, _ = await settled(house)
        kim = await added(house, Role.STAFF)
        before = admin.cookie()
        await gain(house, "pat@example.com", Role.ENGINEER)
        pages = await asyncio.gather(*(admin.get("/") for _ in range(4)))  # a page asks for several things at once
        assert all(page.text.startswith("Pat Lee") for page in pages)
        assert admin.cookie() != before
        await gain(house, "kim@example.com", Role.APPROVER)
        assert (await kim.get("/")).text == "nobody"
        await kim.get("/sign-in")
        page = await kim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert page.url.path == "/sign-in/set-up"

    housed(tmp_path, work)


@pytest.mark.promise("SGN-8")
def test_what_needs_a_fresh_sign_in_is_kept_and_sent_after_it_as_it_was(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        house.clock.ms = 6 * 60_000  # longer than fresh, shorter than idle
        before = browser.cookie()
        page = await browser.post("/change", amount="4000.00", note='a "quoted" note')
        assert page.url.path == "/sign-in/again"
        assert house.did == []
        page = await browser.post("/sign-in/again", then=field(page, "then"), next="/", password="wrong")
        assert page.status_code == 401
        house.clock.ms = 0
        page = await browser.post("/sign-in/again", then=field(page, "then"), next="/", password=PASSWORD)
        assert page.url.path == "/sign-in/continue"
        page_then = page.url.params["then"]
        assert house.did == []  # nothing is sent by itself
        assert browser.cookie() != before
        assert 'action="/change"' in page.text
        page = await browser.post(
            "/change", amount=field(page, "amount"), note=field(page, "note").replace("&#34;", '"')
        )
        assert house.did == [{"amount": "4000.00", "note": 'a "quoted" note'}]
        then = page_then
        await browser.get("/account")
        await browser.post("/sign-out")
        kim = await added(house, Role.STAFF)
        browser.http.cookies.delete("handrail")
        browser.http.cookies.set("handrail", kim.cookie())  # another person in the same browser
        assert (await browser.get(f"/sign-in/continue?then={then}")).status_code == 410

    housed(tmp_path, work)


def test_a_person_sees_and_ends_her_sessions_and_changes_what_she_signs_in_with(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        second = house.browser("192.0.2.20")
        await second.get("/sign-in")
        await second.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        page = await kim.get("/account")
        assert page.text.count("Firefox, Linux") == 2
        await kim.post("/account/sessions/end", session="others")
        assert (await second.get("/")).text == "nobody"
        assert (await kim.get("/")).text.startswith("Kim")
        await kim.get("/account")
        page = await kim.post("/account/app")
        secret = key_of(page)
        assert (await kim.post("/account/app/add", code="000000")).status_code == 422
        page = await kim.post("/account/app/add", code=pyotp.TOTP(secret).now())
        assert "set up" in page.text
        page = await kim.post("/account/recovery")
        codes = [line.split("<")[0] for line in page.text.split("<code>")[1:]]
        assert len(codes) == 10
        third = house.browser("192.0.2.21")
        await third.get("/sign-in")
        await third.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        page = await third.post("/sign-in/second", code=codes[3].upper())
        assert page.text.startswith("Kim")
        await third.get("/account")
        await third.post("/sign-out")
        await third.get("/sign-in")
        await third.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert (await third.post("/sign-in/second", code=codes[3])).status_code == 401  # used
        await kim.get("/account")
        await kim.post("/account/password", password="a kettle sings at noon", again="a kettle sings at noon")
        await kim.post("/account/taste", language="de", theme="dark")
        assert 'lang="de"' in (await kim.get("/account")).text

    housed(tmp_path, work)


def test_an_admin_resets_one_who_lost_everything_and_the_old_ways_end(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)

        def reset(tx: Any) -> str:
            person = tx.persons.by_mail("kim@example.com")
            return str(Reset(ids=IDS, person_id=person.id, token=admin_token(tx))(tx).text)

        text = await house.store.journal.run(reset)
        assert (await kim.get("/")).text == "nobody"
        await kim.get("/sign-in")
        assert (await kim.post("/sign-in", mail="kim@example.com", password=PASSWORD)).status_code == 401
        await kim.get(f"/sign-in/link?code={text}")
        page = await kim.post(
            "/sign-in/link", code=text, password="a kettle sings at noon", again="a kettle sings at noon"
        )
        assert page.url.path == "/account"

    housed(tmp_path, work)


@pytest.mark.promise("SGN-3")
def test_no_secret_stands_on_the_disk_in_clear(tmp_path: Path) -> None:
    found: list[bytes] = []

    async def work(house: House) -> None:
        browser, secret = await settled(house)
        text = browser.cookie().split("_", 2)[2]
        page = await browser.post("/account/recovery")
        code = page.text.split("<code>")[1].split("<")[0]
        held: Account = await house.store.journal.run(lambda tx: tx.accounts.get(tx.persons.all()[0].id))
        assert held.password.startswith("$argon2id$")
        found.extend(
            [PASSWORD.encode(), text.encode(), secret.encode(), pyotp.TOTP(secret).byte_secret(), code.encode()]
        )

    housed(tmp_path, work)
    data = data_of(tmp_path)
    assert b"pat@example.com" in data  # that the search finds what is there
    for each in found:
        assert each not in data


def test_cookies_over_https_belong_to_this_host_alone(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser = house.browser()
        page = await browser.http.get("/sign-in/link")
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-handrail-browser=")
        for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie
        admin, _ = await settled(house)
        taste = await admin.post("/account/taste", follow=False, theme="dark", language="de")
        for cookie in taste.headers.get_list("set-cookie"):
            assert "Secure" in cookie
            assert "SameSite=lax" in cookie

    housed(tmp_path, work, origin="https://console.example")
