"""What somebody tries who has one thing too many: a password, a link, an old session, a place in the middle."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest
from fakes.signing_in import PASSWORD, House, added, admin_token, housed, key_of, link, settled
from fakes.storage import CLOCK, IDS

from handrail.app.wire.console import ByToken
from handrail.console.signin.desk import AT_ONCE, WAITING
from handrail.people.account import Identity, identity_id
from handrail.people.desk import ChangePerson, InviteAgain, Redeem
from handrail.people.factors import Reset
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

NEW = "a kettle sings at noon"


async def promoted(house: House, mail: str = "kim@example.com") -> None:
    """She is given a role that needs two factors."""
    await house.store.journal.run(
        lambda tx: ChangePerson(
            ids=IDS, person_id=tx.persons.by_mail(mail).id, roles=frozenset({Role.STAFF, Role.APPROVER}),
            token=admin_token(tx),
        )(tx)
    )  # fmt: skip


async def by_password(house: House, address: str, password: str = PASSWORD) -> Any:
    browser = house.browser(address)
    await browser.get("/sign-in")
    return browser, await browser.post("/sign-in", mail="kim@example.com", password=password, next="/")


@pytest.mark.promise("SGN-7")
def test_who_waits_to_set_up_an_app_does_not_replace_the_one_that_she_set_up_meanwhile(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.get("/account")
        await promoted(house)
        thief, page = await by_password(house, "192.0.2.66")  # knows the password alone
        assert page.url.path == "/sign-in/set-up"
        stolen = key_of(await thief.post("/sign-in/set-up"))
        own, page = await by_password(house, "203.0.113.9")
        secret = key_of(await own.post("/sign-in/set-up"))
        page = await own.post("/sign-in/second", setup="1", code=pyotp.TOTP(secret).now())
        assert page.text.startswith("Kim")
        page = await thief.post("/sign-in/second", setup="1", code=pyotp.TOTP(stolen).now())
        assert page.status_code == 401
        assert (await thief.get("/")).text == "nobody"
        assert (await own.get("/")).text.startswith("Kim")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-7")
def test_a_first_factor_that_was_changed_opens_no_second_step_any_more(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.get("/account")
        secret = key_of(await kim.post("/account/app"))
        await kim.post("/account/app/add", code=pyotp.TOTP(secret).now())
        thief, page = await by_password(house, "192.0.2.66")
        assert page.url.path == "/sign-in/second"
        await kim.get("/account")
        page = await kim.post("/account/password", password=NEW, again=NEW)
        assert page.url.path == "/account", page.text
        page = await thief.post("/sign-in/second", code=pyotp.TOTP(secret).at(CLOCK.now_ms() // 1000 + 30))
        assert page.status_code == 401
        assert (await thief.get("/")).text == "nobody"

    housed(tmp_path, work)


@pytest.mark.promise("SGN-1")
def test_a_password_that_a_link_sets_ends_the_sessions_before_it(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        thief = await added(house, Role.STAFF)
        assert (await thief.get("/")).text.startswith("Kim")

        def again(tx: Any) -> str:
            person = tx.persons.by_mail("kim@example.com")
            return str(InviteAgain(ids=IDS, person_id=person.id, token=admin_token(tx))(tx).text)

        text = await house.store.journal.run(again)
        own = house.browser("203.0.113.50")
        await own.get(f"/sign-in/link?code={text}")
        page = await own.post("/sign-in/link", code=text, password=NEW, again=NEW)
        assert page.url.path == "/account", page.text
        assert (await own.get("/")).text.startswith("Kim")
        assert (await thief.get("/")).text == "nobody"

    housed(tmp_path, work)


def test_a_reset_parts_her_from_accounts_at_a_provider_that_were_connected_by_hand(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        await added(house, Role.STAFF)
        planted, made = identity_id("https://id.example", "eve"), identity_id("https://id.example", "kim")

        def connect(tx: Any) -> PersonId:
            person = tx.persons.by_mail("kim@example.com").id
            for name, managed in ((planted, False), (made, True)):
                tx.identities.add(
                    Identity(id=name, person=person, issuer="https://id.example", created_at=1, managed=managed)
                )
            return PersonId(person)

        person = await house.store.journal.run(connect)
        await house.store.journal.run(lambda tx: Reset(ids=IDS, person_id=person, token=admin_token(tx))(tx))
        left = await house.store.journal.run(lambda tx: [each.id for each in tx.identities.of(person)])
        assert left == [made]

    housed(tmp_path, work)


def test_no_password_is_hashed_for_a_link_that_is_not_good(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        hashed: list[str] = []
        real = house.desk.hashed

        async def counted(given: str) -> str:
            hashed.append(given)
            return await real(given)

        house.desk.hashed = counted  # type: ignore[method-assign]  # counts, and does what it did
        await settled(house)
        good = await link_of(house)
        before = len(hashed)
        stranger = house.browser("192.0.2.66")
        await stranger.get("/sign-in/link")
        for code in ("", "ho_aaaaaaaaaaaaaaaa_" + "b" * 43, "hs_x_y", good + "x"):
            page = await stranger.post("/sign-in/link", code=code, password=NEW, again=NEW, name="Eve", mail="e@x.com")
            assert page.status_code == 422, page.text
        assert len(hashed) == before

    housed(tmp_path, work)


async def link_of(house: House) -> str:
    await added(house, Role.STAFF)

    def again(tx: Any) -> str:
        person = tx.persons.by_mail("kim@example.com")
        return str(InviteAgain(ids=IDS, person_id=person.id, token=admin_token(tx))(tx).text)

    return str(await house.store.journal.run(again))


@pytest.mark.promise("SGN-1")
def test_a_page_that_renews_itself_and_its_style_keep_nobody_signed_in(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        minute = 60_000
        sat_ms = CLOCK.now_ms() - 20 * minute

        def sit(tx: Any) -> None:
            for session in tx.sessions.of(tx.persons.by_mail("pat@example.com").id):
                tx.sessions.swap(session, msgspec.structs.replace(session, seen_at=sat_ms))

        async def seen() -> set[int]:
            rows = await house.store.journal.run(lambda tx: tx.fetch("SELECT body FROM signin_session"))
            return {msgspec.json.decode(bytes(body))["seen_at"] for (body,) in rows}

        await house.store.journal.run(sit)
        for path in ("/?part=list", "/static/console.css", "/live"):
            await browser.get(path)
        assert await seen() == {sat_ms}
        assert (await browser.get("/")).text.startswith("Pat")
        await seen()  # what is written beside is written with the next command
        assert min(await seen()) > sat_ms

    housed(tmp_path, work)


@pytest.mark.parametrize("path", ["//[", "/\\\\[", "http://[", "//a:b:c"])
def test_a_nonsense_address_to_go_to_is_the_first_page(tmp_path: Path, path: str) -> None:
    async def work(house: House) -> None:
        page = await house.browser().get("/sign-in", params={"next": path})
        assert page.status_code == 200

    housed(tmp_path, lambda house: _with_somebody(house, work))


async def _with_somebody(house: House, work: Any) -> None:
    await settled(house)
    await work(house)


def test_too_long_a_form_is_told_so_also_where_one_signs_in(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        browser = house.browser("192.0.2.9")
        await browser.get("/sign-in")

        async def pieces() -> Any:
            yield b"mail="
            for _ in range(20):
                yield b"x" * 65_536

        headers = {"origin": house.origin, "content-type": "application/x-www-form-urlencoded"}
        answer = await browser.http.post("/sign-in", content=pieces(), headers=headers)
        assert answer.status_code == 413

    housed(tmp_path, work)


def test_the_link_and_its_code_still_work_for_whom_they_are(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        text = await link(house)
        browser = house.browser()
        await browser.get(f"/sign-in/link?code={text}")
        page = await browser.post(
            "/sign-in/link", code=f" {text} ", password=NEW, again=NEW, name="Pat", mail="pat@example.com"
        )
        assert page.url.path == "/sign-in/set-up"

    housed(tmp_path, work)


@pytest.mark.promise("CON-1")
def test_a_sign_in_of_a_browser_is_no_token_for_json(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        by_token = ByToken(house.store)
        with pytest.raises(HandrailError) as refused:
            await by_token(browser.cookie())
        assert refused.value.code is Code.TOKEN_INVALID

        def mine(tx: Any) -> str:
            pat = tx.persons.by_mail("pat@example.com").id
            invited = InviteAgain(ids=IDS, person_id=pat, token=admin_token(tx))(tx)
            return str(Redeem(ids=IDS, code=invited.text)(tx).text)

        found = await by_token(await house.store.journal.run(mine))
        assert found.name == "Pat Lee"

    housed(tmp_path, work)


def test_where_one_was_is_kept_whole_when_a_change_is_too_long_to_be_kept(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        house.clock.ms = 6 * 60_000
        page = await browser.post(
            "/change?back=%2Fthings%3Fstate%3Dopen%26then%3Dx%26tag%3D%25C3%25A9", text="x" * 70_000
        )
        assert page.url.path == "/sign-in/again"
        assert page.url.params["next"] == "/things?state=open&then=x&tag=%C3%A9"
        assert "then" not in page.url.params

    housed(tmp_path, work)


@pytest.mark.promise("SGN-4")
def test_wrong_codes_are_counted_over_all_sign_ins_of_a_person_and_wait(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.get("/account")
        secret = key_of(await kim.post("/account/app"))
        await kim.post("/account/app/add", code=pyotp.TOTP(secret).now())
        said = []
        for number in range(7):  # each from a browser of its own, with the right password
            thief, page = await by_password(house, f"192.0.2.{number + 1}")
            assert page.url.path == "/sign-in/second"
            said.append((await thief.post("/sign-in/second", code="000000")).status_code)
        assert said[:5] == [401] * 5
        assert 429 in said[5:]
        rows = await house.store.journal.run(
            lambda tx: tx.fetch("SELECT id FROM signin_failure WHERE id LIKE 'second:%'")
        )
        assert len(rows) == 1

    housed(tmp_path, work)


@pytest.mark.promise("SGN-1")
def test_a_disabled_person_is_out_with_her_next_request(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        assert (await kim.get("/")).text.startswith("Kim")
        await house.store.journal.run(
            lambda tx: ChangePerson(
                ids=IDS, person_id=tx.persons.by_mail("kim@example.com").id, disable=True, token=admin_token(tx)
            )(tx)
        )
        assert (await kim.get("/")).text == "nobody"
        _, page = await by_password(house, "192.0.2.9")
        assert page.status_code == 401

    housed(tmp_path, work)


def test_many_passwords_at_once_are_told_to_come_again_and_hold_nobody_for_long(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        browsers = [house.browser(f"192.0.2.{number}") for number in range(AT_ONCE + WAITING + 12)]
        for browser in browsers:
            await browser.get("/sign-in")
        tried = (
            browser.post("/sign-in", mail=f"m{number}@example.com", password="wrong", next="/")
            for number, browser in enumerate(browsers)
        )
        said = [page.status_code for page in await asyncio.gather(*tried)]
        assert set(said) == {401, 503}
        assert said.count(401) >= WAITING

    housed(tmp_path, work)


@pytest.mark.parametrize("path", ["/account/app", "/account/app/add", "/account/app/remove", "/account/recovery",
                                  "/account/passkeys/remove", "/account/password"])  # fmt: skip
def test_nothing_that_one_signs_in_with_is_changed_by_an_old_proof(tmp_path: Path, path: str) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        await browser.get("/account")
        if path == "/account/app/add":
            key_of(await browser.post("/account/app"))

        def age(tx: Any) -> None:
            for session in tx.sessions.of(tx.persons.by_mail("pat@example.com").id):
                old = session.authenticated_at - 6 * 60_000
                tx.sessions.swap(session, msgspec.structs.replace(session, authenticated_at=old))

        await house.store.journal.run(age)
        page = await browser.post(path, code="123456", password=NEW, again=NEW, passkey="x")
        assert page.url.path == "/sign-in/again"

    housed(tmp_path, work)


def test_a_cookie_that_is_there_twice_is_nobodys(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser, _ = await settled(house)
        good = f"handrail={browser.cookie()}"
        for cookies, who in ((good, "Pat"), (f"{good}; handrail=planted", "nobody"), (f"handrail=x; {good}", "nobody")):
            stranger = house.browser("192.0.2.30")
            page = await stranger.get("/", headers={"cookie": cookies})
            assert page.text.startswith(who)

    housed(tmp_path, work)


def test_nobody_ends_the_session_of_another_but_an_admin(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        pat, _ = await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.get("/account")
        session = (await pat.get("/")).text.split()[-1]
        assert (await kim.post("/account/sessions/end", session=session)).status_code == 403
        assert (await pat.get("/")).text.startswith("Pat")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-1")
def test_a_changed_password_ends_her_other_sessions_and_keeps_this_one(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        thief, page = await by_password(house, "192.0.2.66")
        assert page.text.startswith("Kim")
        await kim.get("/account")
        await kim.post("/account/password", password=NEW, again=NEW)
        assert (await thief.get("/")).text == "nobody"
        assert (await kim.get("/")).text.startswith("Kim")

    housed(tmp_path, work)


def test_a_password_that_was_changed_while_it_was_looked_at_opens_nothing(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        await added(house, Role.STAFF)
        real = house.desk.is_right

        async def slow(stored: str, given: str, *, known: bool = False) -> bool:
            right = await real(stored, given, known=known)
            other = await house.desk.hashed(NEW)

            def change(tx: Any) -> None:
                old = tx.accounts.get(tx.persons.by_mail("kim@example.com").id)
                tx.accounts.swap(old, msgspec.structs.replace(old, password=other))

            await house.store.journal.run(change)
            return right

        house.desk.is_right = slow  # type: ignore[method-assign]  # the same check, and what happens meanwhile
        _, page = await by_password(house, "192.0.2.66")
        assert page.status_code == 401

    housed(tmp_path, work)


@pytest.mark.promise("SGN-4")
def test_who_knows_her_password_keeps_her_own_browser_from_no_second_factor(tmp_path: Path) -> None:
    """One who approves must get in also while somebody with her password tries codes all the time."""

    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.get("/account")
        secret = key_of(await kim.post("/account/app"))
        await kim.post("/account/app/add", code=pyotp.TOTP(secret).now())
        await kim.post("/sign-out")
        said = []
        for number in range(8):
            thief, _ = await by_password(house, f"192.0.2.{number + 1}")
            said.append((await thief.post("/sign-in/second", code="000000")).status_code)
        assert said[-1] == 429
        await kim.get("/sign-in")
        page = await kim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
        assert page.url.path == "/sign-in/second"
        for _ in range(5):
            assert (await kim.post("/sign-in/second", code="111111")).status_code == 401
        assert (await kim.post("/sign-in/second", code="111111")).status_code == 429  # her own tries have an end too

        def forget(tx: Any) -> None:
            for name in (
                f"second-browser:{each.id}" for each in tx.browsers.of(tx.persons.by_mail("kim@example.com").id)
            ):
                if tx.failures.get(name):
                    tx.failures.remove(tx.failures.get(name))

        await house.store.journal.run(forget)  # a minute later
        code = pyotp.TOTP(secret).at(CLOCK.now_ms() // 1000 + 30)
        assert (await kim.post("/sign-in/second", code=code)).text.startswith("Kim")

    housed(tmp_path, work)


@pytest.mark.promise("SGN-2")
def test_who_comes_in_where_somebody_is_in_ends_that_session(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        pat, _ = await settled(house)
        await added(house, Role.STAFF)
        before = pat.cookie()
        shown = await house.store.journal.run(
            lambda tx: InviteAgain(
                ids=IDS, person_id=tx.persons.by_mail("kim@example.com").id, token=admin_token(tx)
            )(tx)
        )  # fmt: skip
        await pat.get(f"/sign-in/link?code={shown.text}")  # on a shared machine where pat never signed out
        await pat.post("/sign-in/link", code=shown.text, password=NEW, again=NEW)
        assert (await pat.get("/")).text.startswith("Kim")
        stolen = house.browser("192.0.2.66")
        stolen.http.cookies.set("handrail", before)
        assert (await stolen.get("/")).text == "nobody"  # pat's is over, and does not lie about

    housed(tmp_path, work)
