"""Secrets of a sign-in: new each time, used once, in no log line and no address."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest
from fakes.signing_in import PASSWORD, House, added, admin_token, first_admin, housed, link, settled
from fakes.storage import CLOCK, IDS

from handrail.app.wire.console import ByToken
from handrail.people.acting import person_of
from handrail.people.desk import InviteAgain, Redeem
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError


@pytest.mark.promise("SGN-2")
def test_each_sign_in_has_a_secret_of_its_own(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        seen, forms = {kim.cookie().split("_", 2)[2]}, {kim.csrf}
        for number in range(3):
            browser = house.browser(f"192.0.2.{number + 1}")
            await browser.get("/sign-in")
            page = await browser.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/account")
            assert page.status_code == 200
            seen.add(browser.cookie().split("_", 2)[2])
            forms.add(browser.csrf)
        assert len(seen) == len(forms) == 4
        assert not any(one[:16] == other[:16] for one in seen for other in seen if one != other)

    housed(tmp_path, work)


@pytest.mark.promise("SGN-5")
def test_a_code_that_let_one_in_lets_nobody_else_in(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser = house.browser()
        secret = await first_admin(house, lambda: link(house), browser)
        code = pyotp.TOTP(secret).now()
        assert (await browser.post("/sign-in/second", setup="1", code=code)).url.path == "/account"
        used = []
        for number in range(2):
            thief = house.browser(f"192.0.2.{number + 60}")
            await thief.get("/sign-in")
            page = await thief.post("/sign-in", mail="pat@example.com", password=PASSWORD, next="/")
            assert page.url.path == "/sign-in/second"
            code = pyotp.TOTP(secret).at(CLOCK.now_ms() // 1000 + 30 * (number == 0))
            used.append((await thief.post("/sign-in/second", code=code)).status_code)
        assert used == [200, 401]  # the next one counts once, and then none before it

    housed(tmp_path, work)


@pytest.mark.promise("SGN-6")
def test_the_token_of_a_person_who_was_disabled_opens_nothing_however_that_came(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        await added(house, Role.STAFF)

        def mine(tx: Any) -> str:
            kim = tx.persons.by_mail("kim@example.com").id
            invited = InviteAgain(ids=IDS, person_id=kim, token=admin_token(tx))(tx)
            return str(Redeem(ids=IDS, code=invited.text)(tx).text)

        text = await house.store.journal.run(mine)
        by_token = ByToken(house.store)
        assert (await by_token(text)).name == "Kim Moss"

        def disable(tx: Any) -> None:  # as a restored backup or another process might leave it: her token is untouched
            kim = tx.persons.by_mail("kim@example.com")
            tx.persons.swap(kim, msgspec.structs.replace(kim, disabled_at=tx.now_ms))

        await house.store.journal.run(disable)
        for use in (by_token(text), house.store.journal.run(lambda tx: person_of(tx, text))):
            with pytest.raises(HandrailError) as refused:
                await use
            assert refused.value.code is Code.NOT_ALLOWED

    housed(tmp_path, work)


@pytest.mark.promise("SGN-3")
def test_no_log_line_and_no_address_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []
    addresses: list[str] = []

    async def work(house: House) -> None:
        browser = house.browser()

        async def asked(request: Any) -> None:
            addresses.append(str(request.url))

        browser.http.event_hooks["request"].append(asked)
        text = await link(house)

        async def same() -> str:
            return text

        secret = await first_admin(house, same, browser)
        page = await browser.post("/sign-in/second", setup="1", code="000000")
        assert page.status_code == 401
        await browser.post("/sign-in/second", setup="1", code=pyotp.TOTP(secret).now())
        await browser.get("/account")
        recovery = (await browser.post("/account/recovery")).text.split("<code>")[1].split("<")[0]
        await browser.post("/sign-in", mail="pat@example.com", password="a wrong password")
        secrets.extend([text, secret, recovery, PASSWORD, "a wrong password", browser.cookie(), browser.csrf])
        secrets.append(browser.cookie("handrail-browser"))

    housed(tmp_path, work)
    own = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in own)
    assert len(addresses) > 8
    given, *others = addresses  # the link as it was printed; nothing after it
    assert secrets[0] in given
    for each in secrets:
        assert each
        assert each not in said
        assert not any(each in address for address in others)
