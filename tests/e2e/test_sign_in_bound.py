"""What was begun by one person ends for her alone: a passkey's challenge, a confirmation at the provider."""

from pathlib import Path
from typing import Any

import pytest
from fakes.authenticator import Authenticator
from fakes.provider import SigningProvider, asked_of, provider, through
from fakes.signing_in import Browser, House, added, housed, settled

from handrail.people.role import Role


def be(browser: Browser, other: Browser) -> None:
    """Another person comes in in this browser; what it began before is still its own."""
    browser.http.cookies.delete("handrail")
    browser.http.cookies.set("handrail", other.cookie(), domain="localhost.local", path="/")


async def begun(browser: Browser, **use: str) -> dict[str, str]:
    """What this browser was sent to the provider with."""
    await browser.get("/sign-in" if not use else "/account")
    return asked_of(await browser.post("/sign-in/provider", next="/", **use))


async def passkeys(house: House) -> list[str]:
    return [
        str(row[0]) for row in await house.store.journal.run(lambda tx: tx.fetch("SELECT person FROM signin_passkey"))
    ]


@pytest.mark.promise("SGN-11")
def test_a_challenge_for_a_new_passkey_is_its_persons_and_for_nothing_else(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        kim = await added(house, Role.STAFF)
        key = Authenticator(house.origin)
        await kim.get("/account")
        asked = (await kim.post("/account/passkeys/ask")).json()
        credential = key.make(asked["options"])
        own = kim.cookie()
        be(kim, admin)
        await kim.get("/account")
        answer = await kim.post("/account/passkeys", ref=asked["ref"], credential=credential, name="Mine")
        assert answer.status_code == 401
        assert await passkeys(house) == []
        kim.http.cookies.delete("handrail")
        kim.http.cookies.set("handrail", own, domain="localhost.local", path="/")
        await kim.get("/account")
        answer = await kim.post("/account/passkeys", ref=asked["ref"], credential=credential, name="Mine")
        assert answer.status_code == 200  # for her it is good still
        signing = (await kim.post("/sign-in/passkey/ask")).json()
        options = {**asked["options"], "challenge": signing["options"]["challenge"]}
        other = Authenticator(house.origin, verifies=False)
        answer = await kim.post("/account/passkeys", ref=signing["ref"], credential=other.make(options), name="Two")
        assert answer.status_code == 401  # was asked for signing in, which anybody may
        making = (await kim.post("/account/passkeys/ask")).json()
        shown = key.show({"rpId": "localhost", "challenge": making["options"]["challenge"]})
        assert (await kim.post("/sign-in/passkey", ref=making["ref"], credential=shown)).status_code == 401
        assert len(await passkeys(house)) == 1

    housed(tmp_path, work)


@pytest.mark.promise("SGN-8", "SGN-9")
def test_a_confirmation_at_the_provider_is_that_of_her_own_account(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def confirmed(browser: Browser, subject: str, **claims: Any) -> Any:
        await browser.get("/account")
        asked = asked_of(await browser.post("/sign-in/provider", again="1", next="/account"))
        assert (asked["prompt"], asked["max_age"]) == ("login", "0")
        code = fetch.code(subject, asked["nonce"], **claims)
        return await browser.get(f"/sign-in/provider/back?code={code}&state={asked['state']}")

    async def work(house: House) -> None:
        await settled(house)
        kim, lou = house.browser("203.0.113.1"), house.browser("203.0.113.2")
        assert (await through(kim, fetch, "kim")).text.startswith("Kim")
        assert (await through(lou, fetch, "lou")).text.startswith("Lou")
        before = kim.cookie()
        for subject in ("lou", "nobody"):  # another person's, and one that stands for nobody
            assert (await confirmed(kim, subject)).status_code == 401
            assert kim.cookie() == before
        old = await confirmed(kim, "kim", auth_time=1_000)
        assert old.status_code == 401  # she did not show there just now who she is
        assert kim.cookie() == before
        assert (await confirmed(kim, "kim")).url.path == "/account"
        assert kim.cookie() != before  # fresh, with a new secret

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-9")
def test_an_answer_counts_once_with_its_own_state(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        await settled(house)
        kim = house.browser("203.0.113.1")
        asked = await begun(kim)
        assert len(asked["code_challenge"]) == 43
        assert asked["redirect_uri"] == "http://localhost/sign-in/provider/back"
        code = fetch.code("kim", asked["nonce"])
        before = len(fetch.calls)
        for state in ("", "0" * 48, asked["state"][:-1]):
            page = await kim.get(f"/sign-in/provider/back?code={code}&state={state}")
            assert page.status_code == 401
        assert len(fetch.calls) == before  # the code was not even exchanged
        assert (await kim.get(f"/sign-in/provider/back?code={code}&state={asked['state']}")).text.startswith("Kim")
        code = fetch.code("kim", asked["nonce"])
        page = await kim.get(f"/sign-in/provider/back?code={code}&state={asked['state']}")
        assert page.status_code == 401

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-9")
def test_an_account_is_connected_to_who_asked_for_it(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        admin, _ = await settled(house)
        kim = await added(house, Role.STAFF)
        asked = await begun(kim, connect="1")
        code = fetch.code("evil", asked["nonce"])
        be(kim, admin)
        assert (await kim.get(f"/sign-in/provider/back?code={code}&state={asked['state']}")).status_code == 401
        assert await house.store.journal.run(lambda tx: tx.fetch("SELECT person FROM signin_identity")) == []

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-7", "SGN-9")
def test_the_provider_vouches_for_addresses_and_for_no_admin_and_no_second_factor(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.APPROVER, setup=True)
        assert kim.cookie() == ""
        page = await through(house.browser("203.0.113.1"), fetch, "kim", email_verified=False)
        assert page.status_code == 403
        page = await through(house.browser("203.0.113.2"), fetch, "pat")
        assert page.status_code == 403
        assert "connects an account herself" in page.text
        one, two = house.browser("203.0.113.3"), house.browser("203.0.113.4")
        assert (await through(one, fetch, "kim", amr=["pwd"])).url.path == "/sign-in/set-up"
        assert (await one.get("/")).text == "nobody"
        assert (await through(two, fetch, "kim", amr=["pwd", "otp"])).text.startswith("Kim")

    housed(tmp_path, work, provider=provider(fetch))
