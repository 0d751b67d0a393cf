"""Calls of agents from the door to the receipt, over real storage and a target on loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, begin, token
from contract.test_execute import executor, played
from contract.test_settling import refused
from fakes.actions import use_case
from fakes.storage import CLOCK, IDS, ORDERS, Rig
from fakes.target import REFUND, FitsAll, RemembersNothing, Shop, ask_tool, refund_tool, shop_upstream

from handrail.approvals.desk import Claim, Standing
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Cancel, Deny
from handrail.gateway.actions import answer
from handrail.gateway.mcp.shapes import outcome
from handrail.guard.again import Again, refused_now
from handrail.guard.tool_call import Called, ToolCalls
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey, Scope
from handrail.people.keys import CreateKey
from handrail.people.role import Role
from handrail.policy.action_rules import About as Look
from handrail.policy.action_rules import ActionRules, Limit, Match, Op, Per, Route, Rule, Within
from handrail.policy.decide_action import Prepared
from handrail.policy.ruleset import Autonomy, Mode, PromptMode, Ruleset
from handrail.releases.release import LiveRelease, Release
from handrail.terms.action import ActionType, Door
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, KeyId, PersonId
from handrail.tools.registry import Call, Reversibility

LEADS = Route(id="leads", roles=("approver",))
LIVE = Digest("cd" * 32)


class Desk:
    """A server's part for actions. `agent`: its key."""

    def __init__(self, store: Any, shop: Shop, *tools: Any, **more: Any) -> None:
        rules: ActionRules = more.pop("rules", ActionRules(routes=(LEADS,)))
        case = use_case(more.pop("autonomy", Autonomy.A3), more.pop("mode", Mode.ENFORCE))
        case = msgspec.structs.replace(
            case, id=ORDERS, owner="o@shop.example", deputy="d@shop.example", tools=tuple(tool.id for tool in tools)
        )
        self.agent = more.pop("agent", None) or ApiKey(
            id=KeyId("k1"), hash=b"k1", use_case=ORDERS, scopes=frozenset({Scope.ACT}), agent="a", created_at=0
        )
        made = Ruleset(
            organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={ORDERS: case},
            tools={tool.id: tool for tool in tools}, upstreams={"shop": shop_upstream(shop.port)}, actions=rules,
        )  # fmt: skip
        release = Release(use_case=ORDERS, alias="orders", route=(), prompt_mode=PromptMode.CLIENT)
        self.snapshot = Snapshot(
            epoch=1, ruleset_digest=Digest("0" * 64), ruleset=made, live={ORDERS: LiveRelease(LIVE, release)},
            keys={self.agent.hash: self.agent},
        )  # fmt: skip
        self.prepared = Prepared({ORDERS: case}, {ORDERS: tools}, rules)
        self.calls = ToolCalls(
            journal=store.journal, threads=store.threads, executor=executor(store, shop, *tools), schemas=FitsAll(),
            recollection=RemembersNothing(), hashing=store.keys.lookup, clock=CLOCK, ids=IDS, digits={"EUR": 2},
        )  # fmt: skip
        self.again = Again(self.calls, store.journal, IDS)

    async def call(self, tool: Any, conversation: str | None = "t-1", customer: str | None = "c-1", **args: Any) -> Any:
        asked = Called(
            key=self.agent, tool=tool.id, arguments=args, door=Door.HTTP, conversation=conversation, customer=customer
        )
        return await self.calls.call(asked, self.snapshot, self.prepared)


def note(**more: Any) -> Any:
    values = {"type": ActionType.WRITE_UNDOABLE, "money": None, "business_key": (), **more}
    return refund_tool(**values)


def at_desk(rig: Rig, play: Callable[[Any, Shop, Desk], Awaitable[None]], *tools: Any, **more: Any) -> None:
    async def run(store: Any, shop: Shop) -> None:
        await begin(store)
        await play(store, shop, Desk(store, shop, *tools, **more))

    played(rig, run)


@pytest.mark.promise("ACT-20")
def test_the_same_call_without_a_conversation_has_one_effect(durable: Rig) -> None:
    tool = note()

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        first = await desk.call(tool, None, order="A-1", amount=1)
        again = await desk.call(tool, None, order="A-1", amount=1)
        assert (first.progress.action, len(shop.effects)) == (again.progress.action, 1)
        await desk.call(tool, None, customer="c-2", order="A-1", amount=1)
        await desk.call(tool, None, order="A-2", amount=1)
        assert len(shop.effects) == 3

    at_desk(durable, play, tool)


@pytest.mark.promise("ACT-20")
def test_a_business_key_that_is_missing_makes_no_two_calls_equal(durable: Rig) -> None:
    tool = note(business_key=("ticket",))

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        await desk.call(tool, order="A-1", amount=1)
        await desk.call(tool, order="A-2", amount=1)
        assert len(shop.effects) == 2

    at_desk(durable, play, tool)


@pytest.mark.promise("ACT-20")
def test_where_the_tool_says_so_an_equal_call_of_another_conversation_has_no_second_effect(durable: Rig) -> None:
    tool = note(business_key=("order",), same_within_s=3_600)

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        await desk.call(tool, "t-1", order="A-1", amount=1)
        await desk.call(tool, "t-2", order="A-1", amount=1)
        assert len(shop.effects) == 1
        with pytest.raises(HandrailError) as other:
            await desk.call(tool, "t-3", customer="c-2", order="A-1", amount=1)
        assert other.value.code is Code.ALREADY

    at_desk(durable, play, tool)


@pytest.mark.promise("ACT-20")
def test_an_action_is_undone_once_whenever_it_is_asked_again(durable: Rig) -> None:
    back = note(id="shop.forget", name="forget", same_within_s=1)
    tool = note(reversibility=Reversibility.FREE, undo=Call(tool=back.id, arguments={"order": "$arguments.order"}))

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        done = await desk.call(tool, order="A-1", amount=1)
        undone = await desk.again.undo(done, desk.snapshot, desk.prepared, token=token("pe_a")[1])
        claimed = await store.journal.run(Claim(ids=IDS, action=undone.progress.action, owner="p1", lease_ms=60_000))
        await executor(store, shop, tool, back).carry_out(claimed)
        await asyncio.sleep(1.1)
        again = await desk.again.undo(done, desk.snapshot, desk.prepared, token=token("pe_a")[1])
        assert again.progress.action == undone.progress.action
        assert len(shop.effects) == 2

    at_desk(durable, play, tool, back)


def test_a_read_is_carried_out_each_time(durable: Rig) -> None:
    tool = ask_tool()

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        for _ in range(3):
            assert (await desk.call(tool, key="x")).progress.state is State.DONE
        assert len(shop.calls) == 3

    at_desk(durable, play, tool)


def test_a_limit_that_is_used_up_changes_nothing_in_observe_mode(durable: Rig) -> None:
    tool = refund_tool()
    cap = Limit(id="day", at_most=100, per=Per.FLEET, within=Within.DAY, currency="EUR")

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        for order in ("A-1", "A-2", "A-3"):
            assert (await desk.call(tool, order=order, amount=80)).progress.state is State.DONE
        assert len(shop.effects) == 3

    at_desk(durable, play, tool, rules=ActionRules(routes=(LEADS,), limits=(cap,)), mode=Mode.OBSERVE)


@pytest.mark.promise("ACT-2")
def test_a_stop_of_the_live_release_reaches_actions_of_conversations_that_never_talked_here(durable: Rig) -> None:
    tool = refund_tool()

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        held = await desk.call(tool, order="A-1", amount=150)
        assert held.progress.state is State.HELD
        assert held.about.facts.release == LIVE

    at_desk(durable, play, tool)


@pytest.mark.promise("APR-20")
def test_who_made_the_key_that_asks_does_not_decide(durable: Rig) -> None:
    tool = refund_tool()

    async def play(store: Any, shop: Shop) -> None:
        await begin(store)

        def promote(tx: Any) -> None:
            person = tx.persons.get(PersonId("pe_a"))
            tx.persons.swap(person, msgspec.structs.replace(person, roles=frozenset({Role.APPROVER, Role.ENGINEER})))

        await store.journal.run(promote)
        made = await store.journal.run(
            CreateKey(
                ids=IDS, use_case=ORDERS, registered=frozenset({ORDERS}), scopes=frozenset({Scope.ACT}),
                token=token("pe_a")[1],
            )
        )  # fmt: skip
        desk = Desk(store, shop, tool, agent=made.key)
        held = await desk.call(tool, order="A-1", amount=150)
        assert (await refused(store, approve(held, "pe_a"))).code is Code.NOT_ALLOWED
        assert (await store.journal.run(approve(held, "pe_b"))).progress.state is State.APPROVED

    played(durable, play)


@pytest.mark.promise("ACT-8")
def test_before_its_claim_an_action_is_decided_with_the_past_it_was_decided_with(durable: Rig) -> None:
    """A rule that lets pass by what happened before would otherwise hold at the claim what it let pass."""
    tool = note(cool_off_s=60)
    first_only = Rule(
        id="second", then=Verdict.HOLD, why="a second note", tools=(REFUND,),
        unless=(Match(about=Look.PAST, op=Op.AT_MOST, name="conversation.refund", value=0),),
    )  # fmt: skip

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        waits = await desk.call(tool, order="A-1", amount=1)
        assert waits.progress.state is State.APPROVED
        kept = await store.journal.run(lambda tx: tx.actions.get(waits.progress.action))
        standing = Standing((), lambda scope, period: 1)
        assert not refused_now(desk.snapshot, desk.prepared, CLOCK.now_ms())(kept, standing)
        tighter = Desk(store, shop, tool, rules=ActionRules(routes=(LEADS,)), autonomy=Autonomy.A1)
        assert refused_now(tighter.snapshot, tighter.prepared, CLOCK.now_ms())(kept, standing)

    at_desk(durable, play, tool, rules=ActionRules(routes=(LEADS,), rules=(first_only,)))


@pytest.mark.promise("ACD-10")
def test_a_limit_per_order_is_not_passed_by_writing_it_otherwise_or_naming_more(durable: Rig) -> None:
    tool = note(objects={"order": "order", "lines.*": "line"})
    once = Limit(id="once", at_most=1, per=Per.OBJECT, within=Within.EVER, over=Verdict.DENY)

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        states = []
        for lines, order in ((["x"], "A-1"), (["x", "y"], "A-1"), ([], " a-1"), (["x"], "A-2"), (["z"], "A-3")):
            states.append((await desk.call(tool, order=order, lines=lines, amount=1)).progress.state)
        assert states == [State.HELD, State.DENIED, State.DENIED, State.DENIED, State.HELD]  # what waits counts

    at_desk(durable, play, tool, rules=ActionRules(routes=(LEADS,), limits=(once,)))


@pytest.mark.promise("ACD-10")
def test_a_limit_per_customer_holds_when_nobody_knows_the_customer(durable: Rig) -> None:
    tool = note()
    cap = Limit(id="cap", at_most=1, per=Per.CUSTOMER, within=Within.DAY)

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        for nobody in (None, "", "  "):
            held = await desk.call(tool, f"t-{nobody!r}", nobody, order="A-1", amount=1)
            assert held.progress.state is State.HELD
        assert shop.effects == []

    at_desk(durable, play, tool, rules=ActionRules(routes=(LEADS,), limits=(cap,)), autonomy=Autonomy.A4)


@pytest.mark.promise("ACT-26")
def test_a_target_gets_no_more_calls_at_once_than_it_takes_and_the_rest_waits(durable: Rig) -> None:
    tool = note()

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        two = msgspec.structs.replace(shop_upstream(shop.port), max_in_flight=2)
        ruleset = msgspec.structs.replace(desk.snapshot.ruleset, upstreams={two.id: two})
        desk.snapshot = msgspec.structs.replace(desk.snapshot, ruleset=ruleset)
        shop.pause = 0.5
        calls = [asyncio.create_task(desk.call(tool, order=f"A-{at}", amount=1)) for at in range(5)]
        told = [one.progress.state for one in await asyncio.gather(*calls)]
        assert sorted(told) == [State.APPROVED] * 3 + [State.DONE] * 2
        assert len(shop.effects) == 2
        later = await desk.call(tool, order="A-9", amount=1)
        assert later.progress.state is State.DONE
        used = await store.journal.run(lambda tx: tx.limits.used("in-flight/shop", "now"))
        assert used == 0
        waits = next(one for one in await asyncio.gather(*calls) if one.progress.state is State.APPROVED)
        kept = await store.journal.run(lambda tx: tx.actions.get(waits.progress.action))
        assert kept.given is not None
        claimed = await store.journal.run(
            Claim(
                ids=IDS, action=waits.progress.action, owner="p1", lease_ms=60_000, in_flight={"shop": 1},
                refused=refused_now(desk.snapshot, desk.prepared, CLOCK.now_ms()),
            )
        )  # fmt: skip
        assert claimed.progress.state is State.CLAIMED

    at_desk(durable, play, tool)


def test_what_waits_for_its_cool_off_is_taken_back_by_a_person(durable: Rig) -> None:
    tool = note(cool_off_s=60)

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        waits = await desk.call(tool, order="A-1", amount=1)
        assert waits.progress.state is State.APPROVED
        back = await desk.again.undo(waits, desk.snapshot, desk.prepared, token=token("pe_a")[1])
        assert (back.progress.state, back.progress.settled_by) == (State.CANCELLED, "pe_a")
        assert shop.calls == []

    at_desk(durable, play, tool)


def test_an_undo_is_neither_decided_nor_executed_after_its_window(durable: Rig) -> None:
    back = note(id="shop.forget", name="forget", type=ActionType.WRITE_FINAL)
    tool = note(
        reversibility=Reversibility.WINDOW, undo_within_s=2,
        undo=Call(tool=back.id, arguments={"order": "$arguments.order"}),
    )  # fmt: skip

    async def play(store: Any, shop: Shop, desk: Desk) -> None:
        done = await desk.call(tool, order="A-1", amount=1)
        end = done.progress.ended_at + 2_000
        held = await desk.again.undo(done, desk.snapshot, desk.prepared, token=token("pe_a")[1])
        assert (held.progress.state, held.progress.decide_by) == (State.HELD, end)
        assert (await refused(store, Cancel(ids=IDS, action=held.progress.action, key="k1"))).code is Code.NOT_ALLOWED
        approved = await store.journal.run(approve(held, "pe_b"))
        assert approved.progress.execute_by == end

    at_desk(durable, play, tool, back)


@pytest.mark.promise("ACT-57")
def test_what_an_author_says_reaches_the_agent_and_nothing_of_a_persons_denial(durable: Rig) -> None:
    read = (Match(about=Look.FACT, name="order.status", op=Op.EXISTS, value=False),)
    read_first = Rule(id="r", then=Verdict.DENY, why="three chargebacks", say="look it up", when=read)
    far = Rule(id="far", then=Verdict.HOLD, why="far", say="look up how far", tools=(refund_tool().id,), when=(
        Match(about=Look.FACT, name="order.km", op=Op.ABOVE, value=9),
    ))  # fmt: skip
    tool = note()

    async def denied(store: Any, shop: Shop, desk: Desk) -> None:
        stored = await desk.call(tool, order="A-1", amount=1)
        assert stored.progress.state is State.DENIED
        stored = await store.acts.get(stored.progress.action)
        assert told_of(answer(stored, "en").body)["why"] == ["look it up"]
        assert outcome(stored, tool, "en").structured_content["why"] == ["look it up"]

    async def held(store: Any, shop: Shop, desk: Desk) -> None:
        stored = await desk.call(tool, order="A-1", amount=1)
        assert stored.progress.state is State.HELD
        assert told_of(answer(stored, "en").body)["why"] == ["look up how far"]
        await store.journal.run(Deny(ids=IDS, action=stored.progress.action, token=token("pe_a")[1]))
        assert "why" not in told_of(answer(await store.acts.get(stored.progress.action), "en").body)

    at_desk(durable, denied, tool, rules=ActionRules(rules=(read_first,), routes=(LEADS,)))
    at_desk(durable, held, tool, rules=ActionRules(rules=(far,), routes=(LEADS,)))


def told_of(body: bytes) -> Any:
    return msgspec.json.decode(body)
