"""What of a limit may wait for a person has a cap of its own: taken while it waits, given back when it does not, never
above it with callers at once, on SQLite and PostgreSQL."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from contract.test_actions import ROUTE, approve, ask, begin, request
from contract.test_settling import deny, edited, refused
from fakes.actions import DIGITS, SHOP, prepared, rules, shop
from fakes.storage import IDS, Rig
from hypothesis import given
from hypothesis import strategies as st

from handrail.approvals.desk import Claim, Finish, Ruled, Standing, waiting_scope
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Cancel
from handrail.policy.action import ActionDecision, ActionInput, Agreed, Origin, Room, Traced, Why
from handrail.policy.check_rules import Ground, check_rules
from handrail.policy.decide_action import decide_action
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

SCOPE, DAY = "refund-day:9f", "2026-11-21"
WAITING = (waiting_scope(SCOPE), DAY, 3_000, 10_000)
SPENT = (SCOPE, DAY, 3_000, 2**40)


def deciding(made: Any, at_most: int = 10_000) -> Any:
    """As the guard decides: denied when no more of it may wait."""

    def decide(standing: Standing) -> Ruled:
        full = standing.used(WAITING[0], DAY) + WAITING[2] > at_most
        verdict = Verdict.DENY if full else Verdict.HOLD
        facts = ActionFacts(action=made.id, tool=made.tool, agent=made.agent)
        return Ruled(
            decision=ActionDecision(verdict=verdict), payload=b"{}", facts=facts, reserve=(SPENT,), waiting=(WAITING,),
            route=None if full else ROUTE,
        )  # fmt: skip

    return decide


async def waits(store: Any, thread: Any) -> Any:
    made = request(thread)
    base = ask(thread, request=made)
    return await store.journal.run(replace(base, decide=deciding(made)))


async def used(store: Any) -> tuple[int, int]:
    """What waits, and what is spent or reserved."""
    return await store.journal.run(lambda tx: (tx.limits.used(WAITING[0], DAY), tx.limits.used(SCOPE, DAY)))


@pytest.mark.promise("APR-5")
def test_what_waits_counts_until_it_is_decided_whatever_the_decision(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        one, two, three = [await waits(store, thread) for _ in range(3)]
        assert await used(store) == (9_000, 9_000)
        full = await waits(store, thread)
        assert full.progress.state is State.DENIED
        await store.journal.run(approve(one))
        assert await used(store) == (6_000, 9_000)
        await store.journal.run(deny(two))
        assert await used(store) == (3_000, 6_000)
        await store.journal.run(Cancel(ids=IDS, action=three.progress.action, key="k1"))
        assert await used(store) == (0, 3_000)
        await store.journal.run(Claim(ids=IDS, action=one.progress.action, owner="p1", lease_ms=60_000))
        finish = Finish(
            ids=IDS, action=one.progress.action, owner="p1", state=State.FAILED, result=b"{}", receipt=b"{}",
            facts=ActionFacts(action=one.progress.action),
        )  # fmt: skip
        four = await waits(store, thread)
        await store.journal.run(finish)
        assert await used(store) == (3_000, 3_000)  # given back once: four still waits
        assert four.progress.state is State.HELD

    durable.run(run())


@pytest.mark.promise("APR-5")
def test_64_callers_at_once_never_wait_for_more_than_the_cap_and_each_gets_an_answer(durable: Rig) -> None:
    async def run() -> None:
        store, other = await durable.open(), await durable.open()
        thread = await begin(store)
        await store.journal.run(lambda tx: None)

        async def call(at: int) -> Any:
            for _ in range(40):
                try:
                    return await waits(store if at % 2 else other, thread)
                except HandrailError as error:
                    if error.code is not Code.LOST_RACE:
                        raise
            raise AssertionError("no answer")

        found = [(await one).progress.state for one in asyncio.as_completed([call(at) for at in range(64)])]
        assert found.count(State.HELD) == 3
        assert found.count(State.DENIED) == 61
        assert await used(store) == (9_000, 9_000)

    durable.run(run())


def test_an_edited_call_waits_for_its_new_amount(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        stored = await waits(store, thread)
        change = edited(stored)

        def decide(standing: Standing) -> Ruled:
            return replace(change.decide(standing), waiting=((WAITING[0], DAY, 8_000, 10_000),))

        await store.journal.run(replace(change, decide=decide))
        assert (await used(store))[0] == 8_000
        again = await store.acts.get(stored.progress.action)
        more = edited(again, name="pe_b")

        def too_much(standing: Standing) -> Ruled:
            return replace(more.decide(standing), waiting=((WAITING[0], DAY, 11_000, 10_000),))

        assert (await refused(store, replace(more, decide=too_much))).code is Code.LOST_RACE
        assert (await used(store))[0] == 8_000

    durable.run(run())


CAPPED = prepared("""
rules: [{ id: may, allow: within, tools: [refund] }]
limits: [{ id: day, at_most: 10000, per: use-case, within: day, currency: EUR, held_at_most: 6000, tools: [refund] }]
""")
ROOM = st.integers(-10, 10_000)


@given(ROOM, ROOM)
def test_a_call_that_would_wait_is_denied_with_its_reason_when_no_more_may(left: int, room: int) -> None:
    given_ = ActionInput(
        use_case=UseCaseId("shop"), tool=ToolId("shop.refund"), arguments={"order_id": "A", "amount": 40}, linked=True,
        session=True, amount_minor=4_000, currency="EUR", own=("order_id",), agreed=Agreed.OTHER,
        traced=(Traced("order_id", Origin.CUSTOMER),), room=(Room("day", left, room),),
    )  # fmt: skip
    decision = decide_action(given_, CAPPED)
    codes = {reason.code for reason in decision.reasons}
    assert (decision.verdict is Verdict.DENY) is (room < 4_000)
    assert (Why.WAITING_FULL in codes) is (room < 4_000)
    calm = decide_action(msgspec.structs.replace(given_, agreed=Agreed.ASKED), CAPPED)
    assert (calm.verdict is Verdict.ALLOW) is (left >= 4_000)


def test_a_cap_on_what_waits_belongs_to_a_limit_that_adds_up() -> None:
    text = "limits: [{ id: one, at_most: 5, per: action, within: day, held_at_most: 3, tools: [refund] }]"
    wrong = list(check_rules(rules(text), Ground(tools={SHOP: shop()[1]}, digits=DIGITS)))
    assert [one.what.partition(":")[0] for one in wrong] == ["`held_at_most` belongs to a limit that adds up"]
