"""Similar holds decided together: each by itself, as it was seen, within what the route allows."""

from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, kinds, request, token
from contract.test_drills import seeded
from contract.test_settling import edited, published, refused
from fakes.storage import IDS, Rig

from handrail.approvals.batch import Member, alike, decide_batch, in_batch
from handrail.approvals.desk import Ruled, Standing
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import State
from handrail.policy.action import ActionDecision, Why
from handrail.policy.action_rules import Route
from handrail.terms.action import ToolId
from handrail.terms.decision import Reason, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

LEADS = Route(id="leads", roles=("approver",), batch=4, batch_up_to=5_000, currency="EUR", up_to=90_000)


async def held(store: Any, thread: Any, amount: int | None = 4_000, **changes: Any) -> Any:
    """`reason`, `route`, `excluded`, `tool`."""
    made = request(thread, **({"tool": changes["tool"]} if "tool" in changes else {}))
    facts = ActionFacts(
        action=made.id, tool=made.tool, amount_minor=amount, currency="EUR" if amount is not None else "",
        reasons=(Reason(changes.get("reason", "rule"), "rules: big", ""),),
    )  # fmt: skip

    def decide(_: Standing) -> Ruled:
        return Ruled(
            decision=ActionDecision(verdict=Verdict.HOLD), payload=b"{}", facts=facts,
            route=changes.get("route", LEADS), excluded=changes.get("excluded", frozenset()),
        )  # fmt: skip

    return await store.journal.run(ask(thread, request=made, decide=decide))


def members(*stored: Any) -> list[Member]:
    return [Member(one.progress.action, one.progress.digest) for one in stored]


async def decide(store: Any, batch: list[Member], like: Any, name: str = "pe_a", **changes: Any) -> list[Any]:
    values = {"ids": IDS, "approve": True, "token": token(name)[1], **changes}
    return await decide_batch(store.journal, batch, alike(like), **values)


@pytest.mark.promise("APR-6")
def test_each_of_a_batch_is_decided_by_itself_and_what_changed_is_left_out_and_told(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        one, two, three, four = [await held(store, thread) for _ in range(4)]
        await store.journal.run(edited(two, name="pe_b"))
        await store.journal.run(approve(three, "pe_b"))
        found = await decide(store, members(one, two, three, four), one, comment="as agreed")
        assert [one.stored is not None for one in found] == [True, False, False, True]
        assert "arguments have changed" in found[1].left_out
        assert "pe_b" in found[2].left_out
        assert all(one.stored.progress.state is State.APPROVED for one in found if one.stored is not None)
        assert (await kinds(store)).count("action.approved") == 3
        wrong = Member(four.progress.action, one.progress.digest)
        assert (await decide(store, [wrong], one))[0].stored is None

    durable.run(run())


@pytest.mark.promise("APR-6")
def test_only_what_is_alike_and_small_enough_goes_together_and_never_more_than_the_route_says(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        first = await held(store, thread)
        unlike = [
            await held(store, thread, reason="consent.other"),
            await held(store, thread, tool=ToolId("shop.pay")),
            await held(store, thread, 5_001),
        ]
        found = await decide(store, members(first, *unlike), first)
        assert [bool(one.left_out) for one in found] == [False, True, True, True]
        assert "above 5000" in found[3].left_out
        many = [await held(store, thread) for _ in range(5)]
        assert all("at most 4" in one.left_out for one in await decide(store, members(*many), many[0]))
        assert all(one.stored is not None for one in await decide(store, members(*many[:4]), many[0], below=4_000))
        for route, why in (
            (Route(id="leads", roles=("approver",), batch=0), "one by one"),
            (Route(id="leads", roles=("approver",)), "what moves money one by one"),
        ):
            alone = await held(store, thread, route=route)
            assert why in (await decide(store, members(alone), alone))[0].left_out
        free = await held(store, thread, None, route=Route(id="leads", roles=("approver",)))
        assert in_batch(free) == ""
        with pytest.raises(HandrailError) as twice:
            await decide(store, members(free, free), free)
        assert twice.value.code is Code.REQUEST_INVALID

    durable.run(run())


@pytest.mark.promise("APR-6")
def test_four_eyes_hold_in_a_batch_and_one_comment_denies_them_all(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await published(store)
        mine = await held(store, thread, excluded=frozenset({PersonId("pe_a")}))
        two = await held(store, thread, route=msgspec.structs.replace(LEADS, persons=2))
        found = await decide(store, members(mine, two), mine)
        assert [one.stored is None for one in found] == [True, False]
        assert found[1].stored.progress.state is State.HELD
        assert (await decide(store, members(two), two))[0].stored is None  # the same person again
        others = [await held(store, thread) for _ in range(3)]
        found = await decide(store, members(*others), others[0], "pe_b", approve=False, comment="not like this")
        assert {one.stored.progress.state for one in found} == {State.DENIED}

    durable.run(run())


@pytest.mark.promise("DRL-2")
def test_a_drill_in_a_batch_that_is_approved_was_missed(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        route = Route(id="leads", roles=("approver",))
        drill = await seeded(store, thread, route=route)
        real = await store.journal.run(ask(thread, route=route))
        found = await decide(store, members(real, drill), real)
        assert found[0].stored.progress.state is State.APPROVED
        assert found[0].stored.drilled is None
        assert found[1].stored.drilled.caught is False

    durable.run(run())


@pytest.mark.promise("APR-6")
def test_what_moves_nobody_knows_how_much_is_decided_by_itself(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        free = Route(id="free", roles=("approver",), batch=4, batch_up_to=5_000, currency="EUR")
        low = Route(id="low", roles=("approver",), up_to=90_000, currency="EUR")
        one = await held(store, thread, None, reason=Why.AMOUNT.value, route=free)
        other = await held(store, thread, None, reason=Why.AMOUNT.value, route=free)
        assert [bool(each.left_out) for each in await decide(store, members(one, other), one)] == [True, True]
        bounded = await held(store, thread, None, reason=Why.AMOUNT.value, route=low)
        assert (await refused(store, approve(bounded))).code is Code.NOT_ALLOWED
        assert (await store.journal.run(approve(one))).progress.state is State.APPROVED

    durable.run(run())
