"""Passkeys, by an authenticator in software that signs for real."""

from pathlib import Path
from typing import Any

import pytest
from e2e.test_sign_in import added, housed, settled
from fakes.authenticator import Authenticator
from fakes.signing_in import PASSWORD, Browser, House

from handrail.people.role import Role


async def registered(browser: Browser, key: Authenticator, name: str = "Laptop") -> Any:
    await browser.get("/account")
    asked = (await browser.post("/account/passkeys/ask")).json()
    return await browser.post("/account/passkeys", ref=asked["ref"], credential=key.make(asked["options"]), name=name)


async def shown(browser: Browser, key: Authenticator, **fields: str) -> Any:
    asked = (await browser.post("/sign-in/passkey/ask")).json()
    return await browser.post("/sign-in/passkey", ref=asked["ref"], credential=key.show(asked["options"]), **fields)


@pytest.mark.promise("SGN-11")
def test_a_passkey_signs_in_alone_where_it_knows_its_person(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        key = Authenticator(house.origin)
        assert (await registered(admin, key)).json() == {"to": "/account"}
        assert "Laptop" in (await admin.get("/account")).text
        browser = house.browser("192.0.2.3")
        await browser.get("/sign-in")
        answer = await shown(browser, key, next="/account")
        assert answer.json() == {"to": "/account"}
        assert (await browser.get("/")).text.startswith("Pat Lee")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-11")
def test_a_passkey_that_does_not_know_its_person_is_one_factor(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        key = Authenticator(house.origin, verifies=False)
        await registered(admin, key)
        browser = house.browser("192.0.2.3")
        await browser.get("/sign-in")
        assert (await shown(browser, key)).json() == {"to": "/sign-in/second"}
        assert (await browser.get("/")).text == "nobody"
        other = house.browser("192.0.2.4")
        await other.get("/sign-in")
        page = await other.post("/sign-in", mail="pat@example.com", password=PASSWORD, next="/")
        assert page.url.path == "/sign-in/second"
        assert (await shown(other, key)).json() == {"to": "/"}  # as the second of two it is enough
        assert (await other.get("/")).text.startswith("Pat Lee")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-11")
def test_a_passkey_of_another_site_key_person_or_time_is_refused(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        key = Authenticator(house.origin)
        await registered(kim, key)
        browser = house.browser("192.0.2.3")
        await browser.get("/sign-in")
        asked = (await browser.post("/sign-in/passkey/ask")).json()
        good = key.show(asked["options"])
        thief = house.browser("192.0.2.66")
        await thief.get("/sign-in")
        assert (await thief.post("/sign-in/passkey", ref=asked["ref"], credential=good)).status_code == 401
        assert (await browser.post("/sign-in/passkey", ref=asked["ref"], credential=good)).status_code == 200
        await browser.get("/account")
        await browser.post("/sign-out")
        await browser.get("/sign-in")
        assert (await browser.post("/sign-in/passkey", ref=asked["ref"], credential=good)).status_code == 401  # again
        stranger = Authenticator(house.origin)
        stranger.id, stranger.handle = key.id, key.handle  # says it is hers, signs with another key
        assert (await shown(browser, stranger)).status_code == 401
        asked = (await browser.post("/sign-in/passkey/ask")).json()
        elsewhere = key.show(asked["options"], host="evil.example")
        assert (await browser.post("/sign-in/passkey", ref=asked["ref"], credential=elsewhere)).status_code == 401
        key.origin = "https://evil.example"
        assert (await shown(browser, key)).status_code == 401
        key.origin, key.count = house.origin, 0  # a copy, whose counter stayed behind
        assert (await shown(browser, key)).status_code == 401
        for rubbish in ("", "{}", "[]", '{"rawId": 1}', "x" * 20_000):
            asked = (await browser.post("/sign-in/passkey/ask")).json()
            answer = await browser.post("/sign-in/passkey", ref=asked["ref"], credential=rubbish)
            assert answer.status_code == 401
        assert (await browser.get("/")).text == "nobody"

    housed(tmp_path, work)


@pytest.mark.promise("SGN-11")
def test_an_answer_of_a_passkey_that_does_not_count_is_taken_once(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        key = Authenticator(house.origin, counts=False)
        await registered(kim, key)
        browser = house.browser("192.0.2.3")
        await browser.get("/sign-in")
        asked = (await browser.post("/sign-in/passkey/ask")).json()
        good = key.show(asked["options"])
        assert (await browser.post("/sign-in/passkey", ref=asked["ref"], credential=good)).status_code == 200
        await browser.get("/account")
        await browser.post("/sign-out")
        await browser.get("/sign-in")
        assert (await browser.post("/sign-in/passkey", ref=asked["ref"], credential=good)).status_code == 401
        assert (await shown(browser, key)).status_code == 200

    housed(tmp_path, work)


@pytest.mark.promise("SGN-8")
def test_a_passkey_confirms_her_who_is_signed_in_and_nobody_else(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        kim = await added(house, Role.STAFF)
        hers, admins = Authenticator(house.origin), Authenticator(house.origin, verifies=False)
        await registered(kim, hers)
        await registered(admin, admins)
        house.clock.ms = 6 * 60_000
        page = await kim.post("/change", amount="9")
        assert page.url.path == "/sign-in/again"
        then = page.url.params["then"]
        house.clock.ms = 0
        assert (await shown(kim, admins, use="again", then=then)).status_code == 401
        answer = await shown(kim, hers, use="again", then=then)
        assert answer.json() == {"to": f"/sign-in/continue?then={then}"}
        assert 'value="9"' in (await kim.get(answer.json()["to"])).text

    housed(tmp_path, work)


def test_the_last_second_factor_of_one_who_needs_it_stays(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        page = await admin.post("/account/app/remove")
        assert page.status_code == 403
        key = Authenticator(house.origin)
        await registered(admin, key)
        await admin.get("/account")
        assert (await admin.post("/account/app/remove")).status_code == 200
        page = await admin.get("/account")
        name = page.text.split('name="passkey" value="')[1].split('"')[0]
        assert (await admin.post("/account/passkeys/remove", passkey=name)).status_code == 403

    housed(tmp_path, work)
