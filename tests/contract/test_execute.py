"""The executor against a real target on loopback, on SQLite and PostgreSQL: one effect, whatever breaks."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from contract.test_actions import approve, ask, begin, claim, request
from fakes.storage import CLOCK, IDS, Rig
from fakes.target import Registry, Shop, ask_tool, refund_tool, shop_upstream

from handrail.approvals.desk import TakeOver
from handrail.approvals.lifecycle import State
from handrail.backends.egress import Egress, parse_url
from handrail.backends.tools.http import HttpTargets
from handrail.guard.execute import LEASE_MS, Executor
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError


def targets(shop: Shop) -> HttpTargets:
    async def resolve(host: str, port: int) -> list[str]:
        return [host]

    origin, _ = parse_url(f"http://127.0.0.1:{shop.port}")
    egress = Egress(resolve=resolve, published=lambda: {origin}, monotonic=CLOCK.monotonic)
    made = HttpTargets(egress=egress, secret=lambda provider: "")
    shop.clients.append(made)
    return made


def executor(store: Any, shop: Shop, *tools: Any, owner: str = "p1", timeout_ms: int = 1_000) -> Executor:
    return Executor(
        journal=store.journal, targets=targets(shop), registry=Registry(shop.port, *tools, timeout_ms=timeout_ms),
        clock=CLOCK, ids=IDS, secret=bytes(32), owner=owner,
    )  # fmt: skip


def played(rig: Rig, play: Callable[[Any, Shop], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        store = await rig.open()
        async with Shop(**options) as shop:
            return await play(store, shop)

    return rig.run(run())


async def claimed(store: Any, **changes: Any) -> Any:
    return await store.journal.run(ask(await begin(store), Verdict.ALLOW, **changes))


@pytest.mark.promise("ACT-5")
def test_an_approved_call_happens_once_with_a_key_the_agent_never_saw(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        held = await store.journal.run(ask(await begin(store)))
        await store.journal.run(approve(held))
        work = executor(store, shop, refund_tool())
        done = await work.carry_out(await store.journal.run(claim(held)))
        assert done.progress.state is State.DONE
        assert shop.effects == [(work.key_of(held.request), {"refund": "re_0", "amount": 4000})]
        assert shop.calls == ["POST /orders/A-1/refunds"]
        assert work.key_of(held.request) != work.key_of(request(await begin(store)))

    played(durable, play)


def test_a_refused_call_has_no_effect_and_is_failed(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.status = 422
        done = await executor(store, shop, refund_tool()).carry_out(await claimed(store))
        assert done.progress.state is State.FAILED
        assert shop.effects == []

    played(durable, play)


@pytest.mark.parametrize("trouble", ["silent", "status", "late"])
def test_an_answer_that_is_lost_leaves_the_action_unknown_and_is_never_sent_again(durable: Rig, trouble: str) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.silent = trouble == "silent"
        shop.status = 500 if trouble == "status" else 200
        shop.pause = 2.0 if trouble == "late" else 0.0
        done = await executor(store, shop, refund_tool(honours=False)).carry_out(await claimed(store))
        assert done.progress.state is State.UNKNOWN
        assert len(shop.calls) == 1

    played(durable, play)


def test_a_lost_answer_is_asked_for_where_the_target_can_tell(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.pause = 1.5
        working = asyncio.create_task(executor(store, shop, refund_tool()).carry_out(await claimed(store)))
        await asyncio.sleep(0.5)
        shop.pause = 0.0
        assert (await working).progress.state is State.DONE
        assert len(shop.effects) == 1
        assert len(shop.calls) == 2

    played(durable, play)


@pytest.mark.promise("ACT-6")
@pytest.mark.parametrize("acted", [True, False], ids=["after the effect", "before the call"])
@pytest.mark.parametrize("way", ["key", "question", "neither"])
def test_a_claim_whose_holder_died_is_asked_about_and_never_doubled(durable: Rig, acted: bool, way: str) -> None:
    async def play(store: Any, shop: Shop) -> None:
        tool = refund_tool(honours=way == "key", asks=way == "question")
        work = executor(store, shop, tool, ask_tool(), owner="p2")
        left = await claimed(store, lease_ms=1)
        if acted:
            key = work.key_of(left.request)
            await targets(shop).call(tool, shop_upstream(shop.port), left.request.arguments, key=key)
        await asyncio.sleep(0.01)
        done = await work.reconcile(left.progress)
        expected = {"key": State.DONE, "question": State.DONE if acted else State.FAILED, "neither": State.UNKNOWN}
        assert done.progress.state is expected[way]
        assert len(shop.effects) == (1 if acted or way == "key" else 0)

    played(durable, play, honours=way == "key")


@pytest.mark.promise("ACT-6")
def test_a_call_that_is_still_on_its_way_is_not_taken_for_absent(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        work = executor(store, shop, refund_tool(asks=True), ask_tool(), owner="p2")
        left = await claimed(store, lease_ms=1)
        await asyncio.sleep(0.01)
        asking = asyncio.create_task(work.reconcile(left.progress))
        await asyncio.sleep(0.6)
        key = work.key_of(left.request)
        await targets(shop).call(refund_tool(), shop_upstream(shop.port), left.request.arguments, key=key)
        assert (await asking).progress.state is State.DONE
        assert len(shop.effects) == 1

    played(durable, play)


def test_a_claim_that_is_alive_is_left_alone(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        left = await claimed(store, lease_ms=60_000)
        with pytest.raises(HandrailError) as refused:
            await executor(store, shop, refund_tool(), owner="p2").reconcile(left.progress)
        assert refused.value.code is Code.LOST_RACE
        assert shop.calls == []

    played(durable, play)


def test_a_slow_target_keeps_its_claim_while_the_holder_lives(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.pause = 0.9
        first = executor(store, shop, refund_tool())
        left = await claimed(store, lease_ms=700)
        working = asyncio.create_task(first.carry_out(left))
        await asyncio.sleep(0.75)
        with pytest.raises(HandrailError):
            await executor(store, shop, refund_tool(), owner="p2").reconcile(left.progress)
        assert (await working).progress.state is State.DONE
        assert len(shop.effects) == 1

    played(durable, play)


STALL_S = 3.0


def taken_over(rig: Rig, left: Any, tries: list[Any]) -> None:
    """Another process, as a thread with its own storage and loop: it tries to take the claim over while we stall."""

    async def run() -> None:
        store = await rig.open()
        over = TakeOver(ids=IDS, action=left.progress.action, owner="p2", lease_ms=LEASE_MS)
        ends = CLOCK.monotonic() + STALL_S - 0.2
        while CLOCK.monotonic() < ends:
            try:
                tries.append(await store.journal.run(over))
            except HandrailError as error:
                tries.append(error.code)
            await asyncio.sleep(0.1)
        await rig.close(store)

    asyncio.run(run())


@pytest.mark.promise("ACT-30")
def test_a_process_whose_loop_stalls_keeps_the_claim_of_what_it_carries_out(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        shop.pause = 0.5
        left = await claimed(store, lease_ms=LEASE_MS)
        work = executor(store, shop, refund_tool(), timeout_ms=10_000)
        working = asyncio.create_task(work.carry_out(left))
        while not shop.effects:
            await asyncio.sleep(0.01)
        tries: list[Any] = []
        other = threading.Thread(target=taken_over, args=(durable, left, tries))
        other.start()
        time.sleep(STALL_S)  # the loop does nothing for twice as long as the lease holds
        other.join()
        assert set(tries) == {Code.LOST_RACE}
        assert len(tries) > 5
        assert (await working).progress.state is State.DONE
        assert len(shop.calls) == len(shop.effects) == 1

    played(durable, play)


@pytest.mark.promise("ACT-30")
def test_nobody_else_asks_while_one_process_waits_long_to_be_sure_that_there_was_no_effect(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        tools = (refund_tool(asks=True), ask_tool())
        left = await claimed(store, lease_ms=1)
        await asyncio.sleep(0.01)
        asking = asyncio.create_task(executor(store, shop, *tools, timeout_ms=2_000).reconcile(left.progress))
        await asyncio.sleep((LEASE_MS + 300) / 1_000)
        assert not asking.done()
        with pytest.raises(HandrailError) as refused:
            await executor(store, shop, *tools, owner="p2").reconcile(left.progress)
        assert refused.value.code is Code.LOST_RACE
        assert (await asking).progress.state is State.FAILED

    played(durable, play)


def test_other_arguments_than_those_approved_are_never_sent(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        thread = await begin(store)
        held = await store.journal.run(ask(thread))
        await store.journal.run(approve(held))
        other = request(thread, id=held.request.id, arguments={"order": "A-1", "amount": 9_999})

        def tamper(tx: Any) -> None:
            before = tx.actions.get(held.request.id).progress
            tx.actions.move(before, before, request=other)

        await store.journal.run(tamper)
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(claim(held))
        assert refused.value.code is Code.LOST_RACE
        assert shop.calls == []

    played(durable, play)
