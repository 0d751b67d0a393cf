"""A claim whose caller gets its turn late, on a loaded loop, is still its own; one that nobody takes up is not."""

import time
from typing import Any

import pytest
from contract.test_execute import played
from contract.test_tool_calls import Desk, note
from fakes.guard import HandClock
from fakes.storage import CLOCK, Rig
from fakes.target import Shop

from handrail.approvals.lifecycle import State
from handrail.guard.execute import LEASE_MS
from handrail.guard.lease import BEGUN_S, Leases
from handrail.terms.action import ActionId


@pytest.mark.promise("ACT-6")
def test_a_claim_is_kept_alive_until_its_caller_gets_its_turn(durable: Rig) -> None:
    tool = note()

    async def play(store: Any, shop: Shop) -> None:
        desk = Desk(store, shop, tool)
        carry_out = desk.calls._executor.carry_out
        left: list[int] = []

        async def late(claimed: Any) -> Any:
            time.sleep(LEASE_MS / 1_000 + 0.4)
            left.append((await store.acts.get(claimed.progress.action)).progress.lease_until - CLOCK.now_ms())
            return await carry_out(claimed)

        desk.calls._executor.carry_out = late  # type: ignore[method-assign]  # the stall is the test
        done = await desk.call(tool, order="A-1", amount=1)
        assert left[0] > 0
        assert done.progress.state is State.DONE
        assert len(shop.effects) == 1

    played(durable, play)


class Counts:
    """A journal that counts what is renewed."""

    def __init__(self) -> None:
        self.renewed = 0

    def beside(self, command: Any) -> None:
        self.renewed += 1


def test_a_claim_that_nobody_takes_up_is_let_go() -> None:
    clock, journal = HandClock(), Counts()
    leases = Leases(journal, clock, owner="p1", lease_ms=30)  # type: ignore[arg-type]  # all that it needs
    leases.begin(ActionId("ac_1"))
    clock.pass_s(0.02)
    until = time.monotonic() + 5
    while not journal.renewed and time.monotonic() < until:
        time.sleep(0.005)
    assert journal.renewed
    clock.pass_s(BEGUN_S)
    while leases._due and time.monotonic() < until:
        time.sleep(0.005)
    assert not leases._due
    assert not leases._begun
