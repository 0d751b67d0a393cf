"""The outbox of notices on SQLite and PostgreSQL: a notice is there if and only if its move is, each goes out at least
once under one id or is recorded as given up, and nobody's silence delays another."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, claim, finish, kinds, request, token
from contract.test_settling import SENIOR, TWO, deny, edited, pull
from fakes.actions import use_case
from fakes.storage import IDS, ORDERS, Rig

from handrail.approvals.desk import Ruled, Standing, Sweep
from handrail.approvals.facts import ActionFacts
from handrail.approvals.halt import LiftStop
from handrail.approvals.lifecycle import State
from handrail.approvals.notices import Notice, NoticeState, Posted
from handrail.approvals.outbox import ClaimNotices, ForgetNotices, NoticeMissed, NoticeSent, RetryNotice
from handrail.approvals.settle import Cancel, HandOn, Settle
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import ActionRules, Route
from handrail.policy.notices import Detail, Event, Notices, Receiver, ReceiverKind
from handrail.policy.ruleset import Ruleset, digest
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError

ALL = frozenset(NoticeState)
SECRET_WORDS = ("heliotrope", "A-77-secret-order", "cust-secret-9")


def receiver(name: str, **changes: Any) -> Receiver:
    values = {"id": name, "kind": ReceiverKind.WEBHOOK, "url": "https://hooks.shop.example/x", "secret_env": "S"}
    return Receiver(**{**values, **changes})


async def publish(store: Any, *receivers: Receiver, **changes: Any) -> None:
    made = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={},
        use_cases={ORDERS: msgspec.structs.replace(use_case(), id=ORDERS, owner="olga@shop.example")},
        actions=ActionRules(routes=(TWO, SENIOR)),
        notices=Notices(receivers={one.id: one for one in receivers}, **changes),
    )  # fmt: skip

    def put(tx: Any) -> None:
        tx.rulesets.put(digest(made), made, by=Actor(ActorKind.PERSON, "pe_engineer"), at_ms=tx.now_ms)
        tx.rulesets.set_current(digest(made), expected=tx.rulesets.current(), at_ms=tx.now_ms)

    await store.journal.run(put)


async def events(store: Any, name: str | None = None) -> list[str]:
    """Of all notices, reminders aside, in the order they were made."""
    rows: list[Posted] = await store.notices.listed(ALL, limit=1_000)
    return [
        one.notice.event
        for one in rows
        if name in (None, one.notice.receiver) and one.notice.event != "action.expiring"
    ]


def take(owner: str = "p1", lease_ms: int = 60_000, **changes: Any) -> ClaimNotices:
    return ClaimNotices(owner=owner, lease_ms=lease_ms, **{"room": 2, "running": {}, **changes})


def missed(one: Posted, owner: str = "p1", **changes: Any) -> NoticeMissed:
    return NoticeMissed(ids=IDS, notice=one.notice.id, owner=owner, **{"code": "http.503", "wait_ms": 0, **changes})


async def pass_time(store: Any, action: Any, **fields: Any) -> None:
    """Times of an action moved into the past, as the clock would."""

    def move(tx: Any) -> None:
        before = tx.actions.get(action.progress.action).progress
        tx.actions.move(before, msgspec.structs.replace(before, version=before.version + 1, **fields))

    await store.journal.run(move)


@pytest.mark.promise("NOT-1")
def test_each_move_that_concerns_people_leaves_its_notice(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("leads"))
        steps = Route(id="leads", roles=("approver",), steps=(), decide_within_s=60)
        held = await store.journal.run(ask(thread, route=steps))
        assert await events(store) == ["action.held"]
        await pass_time(store, held, escalate_at=1)
        await store.journal.run(Sweep(ids=IDS))
        hand_on = HandOn(ids=IDS, action=held.progress.action, route="senior", token=token("pe_a")[1])
        await store.journal.run(hand_on)
        await pass_time(store, held, decide_by=1)
        await store.journal.run(Sweep(ids=IDS))
        unsure = await store.journal.run(ask(thread, Verdict.ALLOW))
        await store.journal.run(finish(unsure, state=State.UNKNOWN))
        permitted = await store.journal.run(ask(thread, Verdict.ALLOW))
        await pass_time(store, permitted, report_within_ms=1, lease_until=1)
        await store.journal.run(Sweep(ids=IDS))
        stop, _ = await store.journal.run(pull(by="pe_c"))
        await store.journal.run(LiftStop(ids=IDS, stop=stop.id, token=token("pe_d")[1]))
        assert await events(store) == [
            "action.held", "action.escalated", "action.handed_on", "action.expired", "action.unknown",
            "permit.unreported", "stop.set", "stop.lifted",
        ]  # fmt: skip

    durable.run(run())


@pytest.mark.promise("NOT-4")
def test_when_nobody_decides_the_case_is_handed_to_a_person_by_a_notice_of_its_own(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await publish(store, receiver("desk"))
        route = Route(id="leads", roles=("approver",), decide_within_s=60, otherwise="handover")
        held = await store.journal.run(ask(await begin(store), route=route))
        await pass_time(store, held, decide_by=1)
        await store.journal.run(Sweep(ids=IDS))
        assert await events(store) == ["action.held", "action.handover"]

    durable.run(run())


@pytest.mark.promise("NOT-1")
def test_a_command_that_fails_leaves_no_notice(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("leads"))

        def fails(tx: Any) -> None:
            stored = ask(thread)(tx)
            assert tx.notices.due_receivers() == ["leads"]
            raise HandrailError(Code.LOST_RACE, stored.progress.action)

        with pytest.raises(HandrailError):
            await store.journal.run(fails)
        assert await store.notices.listed(ALL, limit=10) == []

    durable.run(run())


def test_a_receiver_is_told_only_its_events_use_cases_and_routes(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(
            store, receiver("all"), receiver("stops", events=(Event.STOP_SET,)), receiver("other", use_cases=("chat",)),
            receiver("senior", routes=("senior",)),
        )  # fmt: skip
        held = await store.journal.run(ask(thread))
        await store.journal.run(HandOn(ids=IDS, action=held.progress.action, route="senior", token=token("pe_a")[1]))
        await store.journal.run(pull(by="pe_c"))
        rows = await store.notices.listed(ALL, limit=100)
        told = {(one.notice.receiver, one.notice.event) for one in rows}
        assert told == {
            ("all", "action.held"), ("all", "action.expiring"), ("all", "action.handed_on"), ("all", "stop.set"),
            ("stops", "stop.set"), ("other", "stop.set"), ("senior", "stop.set"), ("senior", "action.handed_on"),
            ("senior", "action.expiring"),
        }  # fmt: skip

    durable.run(run())


@pytest.mark.promise("NOT-2")
def test_a_notice_holds_nothing_of_customers_and_the_money_only_as_far_as_its_receiver_says(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store, customer=SECRET_WORDS[2])
        await publish(
            store, receiver("none"), receiver("band", detail=Detail.BAND), receiver("amount", detail=Detail.AMOUNT),
            ended={ORDERS: ("none",)},
        )  # fmt: skip
        made = request(thread, arguments={"order": SECRET_WORDS[1], "amount": 4_210, "note": SECRET_WORDS[0]})

        def decide(_: Standing) -> Ruled:
            facts = ActionFacts(action=made.id, tool=made.tool, amount_minor=4_210, currency="EUR")
            return Ruled(decision=ActionDecision(verdict=Verdict.HOLD), payload=b"{}", facts=facts, route=TWO)

        held = await store.journal.run(ask(thread, request=made, decide=decide))
        await store.journal.run(deny(held))
        rows: list[Posted] = await store.notices.listed(ALL, limit=100)
        kept = b"".join(msgspec.json.encode(one.notice) for one in rows).decode()
        for word in (*SECRET_WORDS, str(thread.conversation), str(thread.subject.id), "pe_b"):
            assert word not in kept
        by = {one.notice.receiver: one.notice for one in rows if one.notice.event == "action.held"}
        assert (by["none"].amount_minor, by["none"].low, by["none"].currency) == (None, None, "")
        assert (by["band"].amount_minor, by["band"].low, by["band"].high) == (None, 1_000, 10_000)
        assert (by["amount"].amount_minor, by["amount"].currency) == (4_210, "EUR")
        ended = next(one.notice for one in rows if one.notice.event == "action.denied")
        assert ended == Notice(
            id=ended.id, receiver="none", event="action.denied", about=made.id, at_ms=ended.at_ms, due_ms=ended.due_ms,
            status="denied",
        )  # fmt: skip

    durable.run(run())


def test_the_agents_receiver_is_told_how_each_action_ended_and_never_of_one_denied_at_once(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("agent", events=()), ended={ORDERS: ("agent",)})
        done = await store.journal.run(ask(thread, Verdict.ALLOW))
        await store.journal.run(finish(done))
        unsure = await store.journal.run(ask(thread, Verdict.ALLOW))
        await store.journal.run(finish(unsure, state=State.UNKNOWN))
        settle = Settle(ids=IDS, action=unsure.progress.action, done=False, token=token("pe_a")[1])
        await store.journal.run(settle)
        taken_back = await store.journal.run(ask(thread))
        await store.journal.run(Cancel(ids=IDS, action=taken_back.progress.action, key="k1"))
        await store.journal.run(ask(thread, Verdict.DENY))
        drill = await store.journal.run(ask(thread, drill=True))
        await pass_time(store, drill, decide_by=1)
        await store.journal.run(Sweep(ids=IDS))
        assert await events(store) == ["action.done", "action.failed", "action.cancelled"]

    durable.run(run())


def test_an_edit_that_lands_on_another_route_is_told_to_its_people(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("senior", routes=("senior",)), receiver("two", routes=("two",)))
        held = await store.journal.run(ask(thread, route=TWO))
        same = await store.journal.run(edited(held))
        change = edited(same, name="pe_b")
        inner = change.decide

        def decide(standing: Standing) -> Ruled:
            ruled = inner(standing)
            return Ruled(decision=ruled.decision, payload=b"{}", facts=ruled.facts, route=SENIOR)

        await store.journal.run(replace(change, decide=decide))
        assert await events(store, "two") == ["action.held"]
        assert await events(store, "senior") == ["action.handed_on"]

    durable.run(run())


@pytest.mark.promise("NOT-3")
def test_who_dies_while_sending_leaves_the_notice_to_another_under_the_same_id(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await publish(store, receiver("leads"))
        await store.journal.run(ask(await begin(store)))
        (first,) = await store.journal.run(take("dead", lease_ms=0))
        (again,) = await store.journal.run(take("alive"))
        assert again.notice == first.notice
        assert again.tries == 2
        assert await store.journal.run(take("third")) == []
        with pytest.raises(HandrailError) as late:
            await store.journal.run(NoticeSent(notice=first.notice.id, owner="dead"))
        assert late.value.code is Code.LOST_RACE
        await store.journal.run(NoticeSent(notice=first.notice.id, owner="alive"))
        listed = await store.notices.listed(frozenset({NoticeState.SENT}), limit=9)
        assert [one.notice.id for one in listed] == [first.notice.id]

    durable.run(run())


@pytest.mark.promise("NOT-3")
def test_of_several_processes_that_claim_at_once_each_notice_has_one(durable: Rig) -> None:
    async def run() -> None:
        stores = [await durable.open() for _ in range(3)]
        thread = await begin(stores[0])
        await publish(stores[0], receiver("leads", events=(Event.HELD,)))
        held = [await stores[0].journal.run(ask(thread)) for _ in range(30)]
        claimed: list[str] = []
        while True:
            commands = [store.journal.run(take(f"p{at}")) for at, store in enumerate(stores)]
            rows = [one for found in await asyncio.gather(*commands) for one in found]
            if not rows:
                break
            claimed += [one.notice.about for one in rows]
        assert sorted(claimed) == sorted(one.progress.action for one in held)

    durable.run(run())


@pytest.mark.promise("NOT-3")
def test_a_notice_that_nobody_takes_is_given_up_with_an_entry_and_a_person_can_send_it_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await publish(store, receiver("leads"), give_up_after_s=3_600)
        await store.journal.run(ask(await begin(store)))
        (first,) = await store.journal.run(take())
        waits = await store.journal.run(missed(first))
        assert (waits.state, waits.code) == (NoticeState.WAITING, "http.503")
        (second,) = await store.journal.run(take())
        over = await store.journal.run(missed(second, wait_ms=3_600_001))
        assert over.state is NoticeState.GIVEN_UP
        assert await store.journal.run(take()) == []
        assert "notice.given_up" in await kinds(store)
        retry = RetryNotice(ids=IDS, notice=first.notice.id, token=token("pe_admin")[1])
        denied = RetryNotice(ids=IDS, notice=first.notice.id, token=token("pe_a")[1])
        with pytest.raises(HandrailError) as error:
            await store.journal.run(denied)
        assert error.value.code is Code.NOT_ALLOWED
        await store.journal.run(retry)
        (third,) = await store.journal.run(take())
        with pytest.raises(HandrailError) as error:
            await store.journal.run(retry)
        assert error.value.code is Code.LOST_RACE
        final = await store.journal.run(missed(third, code="http.410", final=True))
        assert final.state is NoticeState.GIVEN_UP
        assert Counter(await kinds(store))["notice.given_up"] == 2
        assert "notice.retried" in await kinds(store)

    durable.run(run())


@pytest.mark.promise("NOT-3")
def test_a_receiver_with_thousands_of_notices_due_delays_no_other(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("dead", events=(Event.UNKNOWN,)), receiver("alive", events=(Event.HELD,)))

        def many(tx: Any) -> None:
            for at in range(2_000):
                tx.notices.add(
                    Notice(
                        id=f"nt_{at:05}", receiver="dead", event="action.unknown", about="x", at_ms=0, due_ms=at,
                    )
                )  # fmt: skip

        await store.journal.run(many)
        await store.journal.run(ask(thread))
        claimed = await store.journal.run(take())
        assert Counter(one.notice.receiver for one in claimed) == {"dead": 2, "alive": 1}
        assert await store.journal.run(take(running={"dead": 2, "alive": 1})) == []
        assert await store.journal.run(take(quiet=frozenset({"dead"}))) == []
        more = await store.journal.run(take(running={"dead": 1}))
        assert [one.notice.receiver for one in more] == ["dead"]

    durable.run(run())


def test_a_reminder_comes_before_the_time_is_over_and_never_for_what_was_decided(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("leads", events=(Event.EXPIRING,)), expiring_s=1)
        waits = await store.journal.run(ask(thread, route=Route(id="x", roles=("approver",), decide_within_s=600)))
        (posted,) = await store.notices.listed(ALL, limit=9)
        assert posted.due_at == waits.progress.decide_by - 1_000
        assert await store.journal.run(take()) == []
        decided = await store.journal.run(ask(thread))
        await store.journal.run(approve(decided))
        await store.journal.run(claim(decided))

        def due_now(tx: Any) -> None:
            tx.fetch("UPDATE notice SET due_at = 1 WHERE due_at IS NOT NULL")

        await store.journal.run(due_now)
        claimed = await store.journal.run(take())
        assert [one.notice.about for one in claimed] == [waits.progress.action]
        moot = await store.notices.listed(frozenset({NoticeState.MOOT}), limit=9)
        assert [one.notice.about for one in moot] == [decided.progress.action]

    durable.run(run())


def test_what_is_over_is_forgotten_and_what_waits_is_kept(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await publish(store, receiver("leads", events=(Event.HELD,)))
        for _ in range(2):
            await store.journal.run(ask(thread))
        first, _ = await store.journal.run(take())
        await store.journal.run(NoticeSent(notice=first.notice.id, owner="p1"))
        assert await store.journal.run(ForgetNotices(keep_ms=60_000)) == 0
        assert await store.journal.run(ForgetNotices(keep_ms=-60_000)) == 1
        assert len(await store.notices.listed(ALL, limit=9)) == 1

    durable.run(run())


def test_nothing_is_kept_where_nobody_wants_notices(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(ask(await begin(store)))
        assert await store.notices.next_due() is None

    durable.run(run())
