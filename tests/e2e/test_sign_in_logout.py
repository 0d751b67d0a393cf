"""Signing out at the provider ends what it opened here: over HTTP, with tokens that a key signs for real."""

import asyncio
from pathlib import Path
from typing import Any

import pyotp
import pytest
from fakes.provider import EVENT, SigningProvider, now_s, provider, said, signed, through
from fakes.signing_in import PASSWORD, Browser, House, added, housed, key_of, settled
from fakes.storage import IDS
from joserfc.jwk import RSAKey

from handrail.people.role import Role

OTHER = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
PATH = "/sign-in/provider/logout"


def token(**claims: Any) -> dict[str, Any]:
    """A good one of Kim's account, with these claims; None: without."""
    return {**said(), "sub": "kim", "jti": IDS.new("jt"), "events": {EVENT: {}}, **claims}


async def tell(house: House, text: str, *, name: str = "logout_token", address: str = "192.0.2.80") -> Any:
    """As a provider sends it: no cookie, no Origin."""
    provider_ = Browser(house, address)
    return await provider_.http.post(PATH, data={name: text})


async def inside(browser: Browser) -> bool:
    return (await browser.get("/")).text != "nobody"


async def entries(house: House) -> list[tuple[str, str]]:
    rows = await house.store.journal.run(
        lambda tx: tx.fetch("SELECT kind, CAST(facts AS TEXT) FROM entry WHERE kind IN ($1, $2) ORDER BY seq", KINDS)
    )
    return [(str(kind), str(body)) for kind, body in rows]


KINDS = ("session.ended", "person.sign_in_failed")


@pytest.mark.promise("SGN-13")
def test_who_signs_out_there_is_out_here_and_the_record_says_why(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        admin, _ = await settled(house)
        one, two, lou = (house.browser(f"203.0.113.{number}") for number in (1, 2, 3))
        await through(one, fetch, "kim", sid="s-1")
        await through(two, fetch, "kim", sid="s-2")
        await through(lou, fetch, "lou", sid="s-3")
        answer = await tell(house, signed(token(sid="s-1"), typ="logout+jwt"))
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert [await inside(each) for each in (one, two, lou, admin)] == [False, True, True, True]
        assert (await tell(house, signed(token()))).status_code == 200  # of the account, wherever
        assert [await inside(each) for each in (one, two, lou, admin)] == [False, False, True, True]
        assert (await tell(house, signed(token(sub=None, sid="s-3")))).status_code == 200  # a session alone
        assert [await inside(each) for each in (lou, admin)] == [False, True]
        assert (await tell(house, signed(token()))).status_code == 200  # nobody is left: no mistake
        assert (await tell(house, signed(token(sub="nobody")))).status_code == 200
        ended = [body for kind, body in await entries(house) if kind == "session.ended"]
        assert len(ended) == 3
        assert all("provider.logout" in body for body in ended)
        assert not any("s-1" in body or "kim" in body.lower() for body in ended)

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-13")
def test_what_the_provider_did_not_open_stays_and_what_waits_for_a_second_factor_ends(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        await settled(house)
        own = await added(house, Role.STAFF)
        theirs, nameless = house.browser("203.0.113.1"), house.browser("203.0.113.2")
        await through(theirs, fetch, "kim", sid="s-1")
        await through(nameless, fetch, "kim")  # its sign-in named no session there
        assert (await tell(house, signed(token(sub=None, sid="s-9")))).status_code == 200
        assert [await inside(each) for each in (own, theirs, nameless)] == [True, True, True]
        assert (await tell(house, signed(token(sid="s-9")))).status_code == 200
        assert [await inside(each) for each in (own, theirs, nameless)] == [True, True, False]
        await own.get("/account")
        secret = key_of(await own.post("/account/app"))
        await own.post("/account/app/add", code=pyotp.TOTP(secret).now())
        waits = house.browser("203.0.113.4")
        assert (await through(waits, fetch, "kim", sid="s-2")).url.path == "/sign-in/second"
        password = house.browser("203.0.113.5")
        await password.get("/sign-in")
        page = await password.post("/sign-in", mail="kim@example.com", password=PASSWORD)
        assert page.url.path == "/sign-in/second"
        assert (await tell(house, signed(token()))).status_code == 200
        code = pyotp.TOTP(secret).at(now_s() + 30)
        assert (await waits.post("/sign-in/second", code=code)).status_code == 401
        assert not await inside(waits)
        assert (await password.post("/sign-in/second", code=code)).status_code == 200  # and the code was not used up
        assert [await inside(each) for each in (own, theirs, password)] == [True, False, True]

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-13")
def test_a_token_that_is_not_a_good_logout_token_ends_nothing(tmp_path: Path) -> None:
    fetch = SigningProvider()
    changes: list[dict[str, Any]] = [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"exp": 1}, {"exp": None},
        {"iat": 1}, {"iat": None}, {"iat": now_s() + 400}, {"jti": None}, {"jti": ""}, {"jti": 7},
        {"jti": "j" * 256}, {"sub": None}, {"sub": 3}, {"sub": ""}, {"events": None}, {"events": {}},
        {"events": {EVENT: True}}, {"events": [EVENT]}, {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "n"}, {"nonce": ""},
    ]  # fmt: skip

    async def work(house: House) -> None:
        await settled(house)
        kim = house.browser("203.0.113.1")
        await through(kim, fetch, "kim", sid="s-1")
        good = signed(token())
        head, body, mark = good.split(".")
        bad = [signed(token(**change)) for change in changes]
        bad += [
            signed(token(), OTHER), signed(token(), kid="two"), signed(token(), typ="at+jwt"), f"{head}.{body}.",
            f"{head}.{body}.{mark[:-4]}AAAA", "", "x", "a.b.c", good + "x" * 20_000,
            signed({**said(), "sub": "kim", "nonce": "n", "jti": "j"}),  # an ID token is none
        ]  # fmt: skip
        for number, text in enumerate(bad):
            answer = await tell(house, text, address=f"192.0.2.{number + 1}")
            assert answer.status_code == 400, (number, answer.text)
            assert answer.json()["error"] == "invalid_request"
            assert "kim" not in answer.text
        assert (await tell(house, good, name="token", address="192.0.2.200")).status_code == 400
        assert (await kim.http.get(PATH)).status_code == 405
        assert await inside(kim)
        assert (await tell(house, good)).status_code == 200
        assert not await inside(kim)
        await through(kim, fetch, "kim", sid="s-1")
        again = await tell(house, good)
        assert (again.status_code, "jti" in again.text) == (400, True)  # she came in again after it
        assert await inside(kim)

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-13")
def test_bad_tokens_are_counted_and_wait_and_keep_no_good_one_out(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        await settled(house)
        kim = house.browser("203.0.113.1")
        await through(kim, fetch, "kim")
        answers = [await tell(house, "rubbish") for _ in range(36)]
        codes = [answer.status_code for answer in answers]
        assert codes[:30] == [400] * 30
        assert set(codes[30:]) <= {400, 429}
        assert 429 in codes
        assert 0 < int(next(each for each in answers if each.status_code == 429).headers["retry-after"]) <= 60
        told = [body for kind, body in await entries(house) if kind == "person.sign_in_failed"]
        assert len(told) == 5  # the 1st, 2nd, 4th, 8th, 16th
        assert all("provider.logout" in body for body in told)
        asked = len([url for url in fetch.calls if url.endswith("/keys")])
        assert asked <= 2  # and the provider was not asked for its keys each time
        assert (await tell(house, signed(token()))).status_code == 200  # from the same address
        assert not await inside(kim)

    housed(tmp_path, work, provider=provider(fetch))


@pytest.mark.promise("SGN-13")
def test_a_token_sent_many_times_at_once_counts_once_while_she_works(tmp_path: Path) -> None:
    fetch = SigningProvider()

    async def work(house: House) -> None:
        await settled(house)
        kim = house.browser("203.0.113.1")
        await through(kim, fetch, "kim", sid="s-1")
        house.clock.ms = 61_000  # each of her requests writes that she was seen
        good = signed(token(exp=now_s() + 500))
        pages = asyncio.gather(*(kim.http.get("/") for _ in range(6)))
        answers = await asyncio.gather(*(tell(house, good) for _ in range(6)))
        await pages
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
        assert not await inside(kim)
        ended = [body for kind, body in await entries(house) if kind == "session.ended"]
        assert len(ended) == 1

    housed(tmp_path, work, provider=provider(fetch))
