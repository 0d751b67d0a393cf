"""What strangers may cost: places for passwords, requests of one network."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes.signing_in import PASSWORD, House, added, housed, settled

from handrail.console.signin.pace import MOST, Pace
from handrail.people.role import Role


@pytest.mark.promise("SGN-15")
def test_a_person_gets_in_by_her_own_browser_while_strangers_fill_every_place(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        kim = await added(house, Role.STAFF)
        await kim.post("/sign-out")
        await kim.get("/sign-in")
        strangers = [house.browser(f"192.0.2.{number}") for number in range(30)]
        for each in strangers:
            await each.get("/sign-in")
        gate = threading.Event()
        real = house.desk._slow

        async def slow(work: Any, *, known: bool) -> Any:
            def behind() -> Any:
                if not known:
                    assert gate.wait(20)
                return work()

            return await real(behind, known=known)

        house.desk._slow = slow  # type: ignore[method-assign]
        tries = [
            asyncio.create_task(each.post("/sign-in", mail=f"m{number}@example.com", password="wrong", next="/"))
            for number, each in enumerate(strangers)
        ]
        try:
            done, _ = await asyncio.wait(tries, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert {each.result().status_code for each in done} == {503}  # the line of strangers is full
            mine = kim.post("/sign-in", mail="kim@example.com", password=PASSWORD, next="/")
            assert (await asyncio.wait_for(mine, 10)).text.startswith("Kim Moss")
        finally:
            gate.set()
            await asyncio.gather(*tries)

    housed(tmp_path, work)


@pytest.mark.promise("SGN-15")
def test_one_network_begins_no_more_sign_ins_than_it_may_and_others_go_on(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        admin, _ = await settled(house)
        stranger = house.browser("192.0.2.66")
        await stranger.get("/sign-in")
        said = [(await stranger.post("/sign-in/passkey/ask")).status_code for _ in range(MOST + 20)]
        assert said == [200] * MOST + [429] * 20
        rows = await house.store.journal.run(lambda tx: tx.fetch("SELECT id FROM signin_step"))
        assert len(rows) <= MOST + 1
        refused = await stranger.post("/sign-in", mail="pat@example.com", password="wrong")
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        neighbour = house.browser("192.0.2.67")
        await neighbour.get("/sign-in")
        assert (await neighbour.post("/sign-in/passkey/ask")).status_code == 200
        await admin.get("/account")
        assert (await admin.post("/account/taste", theme="dark")).status_code == 200  # who is in is not counted
        house.clock.ms = 61_000
        assert (await stranger.post("/sign-in/passkey/ask")).status_code == 200

    housed(tmp_path, work)


def test_a_pace_forgets_the_oldest_networks_and_never_grows() -> None:
    pace = Pace(most=2, window_s=60.0, networks=3)
    assert [pace.wait_s("a", now=0.0), pace.wait_s("a", now=1.0), pace.wait_s("a", now=2.5)] == [0, 0, 58]
    assert pace.wait_s("a", now=59.9) == 1
    assert pace.wait_s("a", now=60.0) == 0
    for name in "bcde":
        assert pace.wait_s(name, now=61.0) == 0
    assert len(pace._counted) == 3
