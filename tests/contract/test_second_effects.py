"""Ways to a second effect, and past the no of a person or a rule, that a reviewer looked for: each ends here."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from contract.test_actions import ROUTE, approve, ask, begin, claim, finish, request, token
from contract.test_execute import claimed, executor, played
from contract.test_settling import TWO, deny, edited, published, pull, refused
from fakes.storage import IDS, Rig
from fakes.target import Shop, refund_tool

from handrail.approvals.desk import Ruled, Standing
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import State
from handrail.approvals.restored import doubt_approved
from handrail.approvals.settle import Edit, HandOn, Settle, Undo
from handrail.approvals.stop import StopScope
from handrail.guard.execute import LEASE_MS
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError


async def found(store: Any, stored: Any) -> Any:
    return await store.journal.run(lambda tx: tx.actions.get(stored.progress.action))


UNDO = b"u" * 32
FUTURE = 2**53
"""A window that is over for everything."""


@pytest.mark.promise("ACT-20")
@pytest.mark.parametrize("state", [State.HELD, State.CLAIMED, State.UNKNOWN])
def test_what_is_not_over_answers_an_equal_call_however_old_it_is(durable: Rig, state: State) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        verdict = Verdict.HOLD if state is State.HELD else Verdict.ALLOW
        first = await store.journal.run(ask(thread, verdict, business=business))
        if state is State.UNKNOWN:
            await store.journal.run(finish(first, state=State.UNKNOWN))
        again = await store.journal.run(ask(thread, verdict, business=business, same_since_ms=FUTURE))
        assert again.progress.action == first.progress.action

    durable.run(run())


def test_the_window_of_equal_calls_begins_when_the_first_one_ended(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        first = await store.journal.run(ask(thread, business=business))
        await asyncio.sleep(0.05)
        await store.journal.run(approve(first))
        await store.journal.run(claim(first))
        done = await store.journal.run(finish(first))
        assert done.progress.ended_at > first.progress.created_at
        since = first.progress.created_at + 1
        again = await store.journal.run(ask(thread, business=business, same_since_ms=since))
        assert again.progress.action == first.progress.action
        later = await store.journal.run(ask(thread, business=business, same_since_ms=FUTURE))
        assert later.progress.action != first.progress.action

    durable.run(run())


@pytest.mark.promise("ACT-20")
def test_an_equal_call_of_another_conversation_is_answered_by_the_first_where_its_tool_says_so(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        one, other = await begin(store), await begin(store)
        assert one.conversation != other.conversation
        business = IDS.token(32)
        first = await store.journal.run(ask(one, business=business, anywhere=True))
        again = await store.journal.run(ask(other, business=business, anywhere=True))
        assert again.progress.action == first.progress.action
        theirs = request(other, customer="c-9")
        leaked = await refused(store, ask(other, business=business, anywhere=True, request=theirs))
        assert leaked.code is Code.ALREADY

    durable.run(run())


@pytest.mark.promise("ACT-38")
@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.UNKNOWN])
def test_what_was_undone_may_be_asked_for_anew_and_what_only_perhaps_was_may_not(durable: Rig, state: State) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        first = await store.journal.run(ask(thread, Verdict.ALLOW, business=business))
        first = await store.journal.run(finish(first))

        async def equal() -> Any:
            return await store.journal.run(ask(thread, Verdict.ALLOW, business=business))

        back = Undo(
            ask=ask(thread, Verdict.ALLOW, request=request(thread, parent=first.progress.action), business=UNDO),
            token=token("pe_a")[1], undo_within_s=None,
        )  # fmt: skip
        undo = await store.journal.run(back)
        assert (await equal()).progress.action == first.progress.action  # not undone yet
        await store.journal.run(finish(undo, state=state))
        again = await equal()
        assert (again.progress.action != first.progress.action) is (state is State.DONE)
        assert (await equal()).progress.action == again.progress.action  # once
        if state is not State.FAILED:
            assert (await store.journal.run(back)).progress.action == undo.progress.action  # an undo is one for good
        kept = await found(store, first)
        assert kept.progress.undone_by == (undo.progress.action if state is State.DONE else "")

    durable.run(run())


def test_a_read_is_read_again_and_a_held_one_waits(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        first = await store.journal.run(ask(thread, Verdict.ALLOW, business=business, repeats=True))
        same = await store.journal.run(ask(thread, Verdict.ALLOW, business=business, repeats=True))
        assert same.progress.action == first.progress.action
        await store.journal.run(finish(first))
        again = await store.journal.run(ask(thread, Verdict.ALLOW, business=business, repeats=True))
        assert again.progress.action != first.progress.action

    durable.run(run())


def test_a_draft_reserves_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        made = request(thread)

        def draft(_: Standing) -> Ruled:
            return Ruled(
                decision=ActionDecision(verdict=Verdict.HOLD, draft=True), payload=b"{}",
                facts=ActionFacts(action=made.id), reserve=(("cap", "2026-11-21", 4_000, 100_000),),
            )  # fmt: skip

        stored = await store.journal.run(ask(thread, request=made, decide=draft))
        assert stored.progress.state is State.DRAFTED
        assert await store.journal.run(lambda tx: tx.limits.used("cap", "2026-11-21")) == 0

    durable.run(run())


@pytest.mark.promise("APR-20")
def test_a_case_that_needs_two_persons_is_not_handed_on_to_a_route_of_one(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store, routes=(TWO, Route(id="one", roles=("approver",))))
        stored = await store.journal.run(ask(await begin(store), route=TWO))
        hand_on = HandOn(ids=IDS, action=stored.progress.action, route="one", token=token("pe_a")[1])
        moved = await store.journal.run(hand_on)
        assert moved.progress.needs == 2
        assert (await store.journal.run(approve(stored, "pe_a"))).progress.state is State.HELD

    durable.run(run())


@pytest.mark.promise("APR-20")
def test_who_edits_a_call_does_not_approve_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        again = await store.journal.run(edited(stored, name="pe_a"))
        assert (await refused(store, approve(again, "pe_a"))).code is Code.NOT_ALLOWED
        assert (await store.journal.run(approve(again, "pe_b"))).progress.state is State.APPROVED

    durable.run(run())


def test_what_the_rules_change_is_changed_in_an_edited_call_too(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        plain = edited(stored, Verdict.CHANGE, amount=9_000)

        def decide(standing: Standing) -> Ruled:
            return replace(plain.decide(standing), arguments={"order": "A-1", "amount": 5_000})

        changed = Edit(
            ids=IDS, request=plain.request, before=plain.before, decide=decide, token=plain.token,
        )  # fmt: skip
        again = await store.journal.run(changed)
        kept = await found(store, again)
        assert kept.request.arguments == {"order": "A-1", "amount": 5_000}
        assert (await store.journal.run(approve(kept, "pe_b"))).progress.state is State.APPROVED
        assert (await store.journal.run(claim(kept))).progress.state is State.CLAIMED

    durable.run(run())


def test_the_escalations_of_one_route_open_nothing_on_another(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))

        def escalated(tx: Any) -> None:
            before = tx.actions.get(stored.progress.action).progress
            tx.actions.move(before, msgspec.structs.replace(before, step=1, version=before.version + 1))

        await store.journal.run(escalated)
        other = Route(id="other", roles=("approver",), steps=())
        plain = edited(await found(store, stored))

        def decide(standing: Standing) -> Ruled:
            return replace(plain.decide(standing), route=other)

        again = await store.journal.run(
            Edit(ids=IDS, request=plain.request, before=plain.before, decide=decide, token=plain.token)
        )
        assert (again.progress.route, again.progress.step) == ("other", 0)

    durable.run(run())


def test_the_deputy_of_a_use_case_decides_as_little_as_its_owner(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store, deputy="pe_a@shop.example")
        stored = await store.journal.run(ask(await begin(store)))
        assert (await refused(store, approve(stored, "pe_a"))).code is Code.NOT_ALLOWED
        assert (await refused(store, deny(stored, "pe_a"))).code is Code.NOT_ALLOWED

    durable.run(run())


@pytest.mark.promise("ACT-21")
@pytest.mark.parametrize("why", ["stopped", "lapsed"])
def test_a_claim_that_nobody_carried_out_is_not_begun_by_who_takes_it_over_after_a_stop_or_its_time(
    durable: Rig, why: str
) -> None:
    async def play(store: Any, shop: Shop) -> None:
        short = msgspec.structs.replace(ROUTE, execute_within_s=1)
        held = await store.journal.run(ask(await begin(store), route=short))
        await store.journal.run(approve(held))
        left = await store.journal.run(claim(held, lease_ms=1))
        if why == "stopped":
            await store.journal.run(pull(StopScope.ALL, ""))
        else:
            await asyncio.sleep(1.1)
        await asyncio.sleep(0.01)
        done = await executor(store, shop, refund_tool(), owner="p2").reconcile(left.progress)
        assert done.progress.state is State.UNKNOWN
        assert shop.effects == []

    played(durable, play)


@pytest.mark.promise("ACT-21")
def test_a_lost_answer_is_not_followed_by_the_call_again_after_a_stop(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.status = 503
        shop.pause = 0.3
        working = asyncio.create_task(executor(store, shop, refund_tool()).carry_out(await claimed(store)))
        await asyncio.sleep(0.1)
        await store.journal.run(pull(StopScope.ALL, ""))
        shop.status = 200
        assert (await working).progress.state is State.UNKNOWN
        assert shop.effects == []

    played(durable, play)


def test_a_process_that_slept_over_its_lease_sends_nothing(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        slept = await claimed(store, lease_ms=1)
        await asyncio.sleep(0.01)
        taken = await executor(store, shop, refund_tool(honours=False), owner="p2").reconcile(slept.progress)
        assert taken.progress.state is State.UNKNOWN
        with pytest.raises(HandrailError) as lost:
            await executor(store, shop, refund_tool(honours=False)).carry_out(slept)
        assert lost.value.code is Code.LOST_RACE
        assert shop.calls == []

    assert LEASE_MS > 1
    played(durable, play)


@pytest.mark.parametrize(
    ("scope", "value"), [(StopScope.TOOL, "refunt"), (StopScope.USE_CASE, "order"), (StopScope.PROVIDER, "shops")]
)
def test_a_stop_of_something_that_does_not_exist_is_refused(durable: Rig, scope: StopScope, value: str) -> None:
    async def run() -> None:
        store = await durable.open()
        await begin(store)
        await published(store)
        error = await refused(store, pull(scope, value))
        assert error.code is Code.REQUEST_INVALID

    durable.run(run())


@pytest.mark.promise("ACT-39")
def test_what_was_approved_when_a_backup_was_made_is_a_persons_to_settle_once_it_is_restored(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        cap = ("cap", "2026-11-21", 4_000, 100_000)
        waits = await store.journal.run(
            ask(thread, Verdict.ALLOW, business=business, cool_off_ms=60_000, reserve=(cap,))
        )
        held = await store.journal.run(ask(thread))
        ends = await store.journal.run(ask(thread, Verdict.ALLOW))
        assert (await store.journal.run(lambda tx: doubt_approved(tx, IDS))) == 1
        assert (await found(store, waits)).progress.state is State.UNKNOWN
        assert [(await found(store, one)).progress.state for one in (held, ends)] == [State.HELD, State.CLAIMED]
        assert (await refused(store, claim(waits))).code is Code.ALREADY_DECIDED
        again = await store.journal.run(ask(thread, Verdict.ALLOW, business=business))
        assert again.progress.action == waits.progress.action
        settle = Settle(ids=IDS, action=waits.progress.action, done=False, token=token("pe_a")[1])
        assert (await store.journal.run(settle)).progress.state is State.FAILED
        assert await store.journal.run(lambda tx: tx.limits.used("cap", "2026-11-21")) == 0
        assert (await store.journal.run(lambda tx: doubt_approved(tx, IDS))) == 0

    durable.run(run())
