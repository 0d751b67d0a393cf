"""Drills on SQLite and PostgreSQL: they look like holds, end with the first decision, are executed by nothing, and
count for nobody but the person who decided."""

import asyncio
from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, claim, finish, kinds, token
from contract.test_settling import TWO, deny, edited, published, pull, refused
from fakes.storage import IDS, ORDERS, Rig

from handrail.approvals import lifecycle
from handrail.approvals.desk import Sweep, TakeOver
from handrail.approvals.drill import Drill, Made, Plan, Wrong, results
from handrail.approvals.drills import ForgetResults, ReadResults, ScheduleDrills, Seed, SkipDrill, StartDrills
from handrail.approvals.lifecycle import State
from handrail.approvals.redeem import Issue
from handrail.approvals.settle import Cancel, HandOn, Settle, Undo
from handrail.approvals.stop import StopScope
from handrail.policy.action_rules import Route
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

WRONG = Made(use_case=ORDERS, tool=ToolId("shop.refund"), route="leads", wrong=Wrong.ABOVE_RECORD, path="amount")
CAP = ("refund-day", "2026-11-21", 4_000, 100_000)


async def seeded(store: Any, thread: Any, by: str | None = "pe_c", **changes: Any) -> Any:
    """A drill in the queue, started by somebody in compliance."""
    run = IDS.new("dr")
    plan = Plan(run=run, seed="s", by=None if by is None else PersonId(by))
    drill = Drill(id=f"{run}.0", due_at=0, plan=plan)

    def put(tx: Any) -> Any:
        assert tx.drills.plan(drill)
        customer = changes.pop("customer", b"nobody")
        return Seed(drill=drill, ask=ask(thread, **changes), made=WRONG, customer=customer)(tx)

    return await store.journal.run(put)


async def register(store: Any) -> list[Drill]:
    return list(await store.journal.run(lambda tx: tx.drills.since(0, 2**53)))


@pytest.mark.promise("DRL-1")
def test_no_path_executes_a_drill(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await published(store)

        async def gone(stored: Any) -> None:
            """Nothing leads from where it is to a claim."""
            for command in (
                claim(stored),
                TakeOver(ids=IDS, action=stored.progress.action, owner="p2", lease_ms=1),
                finish(stored),
                Settle(ids=IDS, action=stored.progress.action, done=True, token=token("pe_a")[1]),
            ):
                await refused(store, command)
            undo = Undo(
                ask=ask(thread, request=msgspec.structs.replace(stored.request, parent=stored.progress.action)),
                token=token("pe_a")[1], undo_within_s=None,
            )  # fmt: skip
            assert (await refused(store, undo)).code in (Code.ALREADY_DECIDED, Code.NOT_ALLOWED)

        waiting = await seeded(store, thread)
        await gone(waiting)
        two = await store.journal.run(approve(await seeded(store, thread, route=TWO)))
        ends = [
            await store.journal.run(approve(waiting)),
            two,
            await store.journal.run(deny(await seeded(store, thread))),
            await store.journal.run(edited(await seeded(store, thread))),
            await store.journal.run(
                Cancel(ids=IDS, action=(await seeded(store, thread)).progress.action, key="k1")
            ),
        ]  # fmt: skip
        handed = await seeded(store, thread)
        handed = await store.journal.run(
            HandOn(ids=IDS, action=handed.progress.action, route="two", token=token("pe_a")[1])
        )
        ends.append(await store.journal.run(approve(handed)))
        stopped = await seeded(store, thread)
        await store.journal.run(pull())
        ends.append(await store.journal.run(lambda tx: tx.actions.get(stopped.progress.action)))
        for ended in ends:
            assert ended.progress.state not in (State.APPROVED, State.CLAIMED, State.DONE, State.UNKNOWN)
            await gone(ended)
        waiting, _ = await store.journal.run(Sweep(ids=IDS))
        assert waiting == []
        assert not {"action.claimed", "action.done", "action.taken_over"} & set(await kinds(store))

    durable.run(run())


def test_a_drill_that_was_approved_in_an_older_form_is_still_claimed_by_nobody(durable: Rig) -> None:
    """Were a drill ever left approved, the claim itself refuses it."""

    async def run() -> None:
        store = await durable.open()
        stored = await seeded(store, await begin(store))
        left = msgspec.structs.replace(
            stored.progress, state=State.APPROVED, version=stored.progress.version + 1, execute_by=2**53
        )
        await store.journal.run(lambda tx: tx.actions.move(stored.progress, left))
        assert (await refused(store, claim(stored))).code is Code.NOT_ALLOWED
        assert (await store.journal.run(Sweep(ids=IDS)))[0] == []
        issue = Issue(
            ids=IDS, action=left.action, key="k1", keys=frozenset({"k1"}), audience="caller", life_ms=30_000
        )  # fmt: skip
        assert (await store.journal.run(issue)).progress.permit is None
        permitted = msgspec.structs.replace(left, version=left.version + 1, report_within_ms=60_000)
        await store.journal.run(lambda tx: tx.actions.move(left, permitted))
        assert (await store.journal.run(issue)).progress.permit is None
        for redeeming in (True, False):
            with pytest.raises(HandrailError) as drill:
                lifecycle.claim(permitted, "p", permitted.digest, now=0, lease_ms=1, permit=redeeming)
            assert drill.value.code is Code.NOT_ALLOWED

    durable.run(run())


@pytest.mark.promise("DRL-2")
def test_who_approves_is_told_that_she_missed_it_and_who_denies_or_mends_it_that_she_caught_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        missed = await store.journal.run(approve(await seeded(store, thread, route=TWO)))
        caught = await store.journal.run(deny(await seeded(store, thread)))
        mended = await store.journal.run(edited(await seeded(store, thread), amount=2_000))
        kept = await store.journal.run(edited(await seeded(store, thread), amount=4_000))
        assert [one.drilled.caught for one in (missed, caught, mended, kept)] == [False, True, True, False]
        assert "amount is above what the record shows" in missed.drilled.sentence()
        late = await refused(store, deny(missed))
        assert late.code is Code.ALREADY_DECIDED
        assert "pe_a" in late.message
        found = {(row.person, row.rate.caught, row.rate.cases) for row in results(await register(store))}
        assert found == {("pe_a", 1, 3), ("pe_b", 1, 1), (None, 2, 4)}
        said = await kinds(store)
        assert said.count("drill.decided") == 4

    durable.run(run())


@pytest.mark.promise("DRL-3")
def test_a_drill_looks_like_any_other_hold_in_the_queue_and_its_entry_says_what_it_is(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        real = await store.journal.run(ask(thread))
        drill = await seeded(store, thread)
        lines = {one.action: one for one in await store.acts.queue(frozenset({State.HELD}), limit=10)}
        unlike = {"action": "", "created_at": 0, "decide_by": 0}
        assert msgspec.structs.replace(lines[real.progress.action], **unlike) == msgspec.structs.replace(
            lines[drill.progress.action], **unlike
        )
        entries = [msgspec.json.decode(facts) for _, facts in await store.reader.entries(0, 500)]
        marked = {one["about"]: one["facts"].get("drill", False) for one in entries if one["kind"] == "action.decided"}
        assert marked == {real.progress.action: False, drill.progress.action: True}

    durable.run(run())


@pytest.mark.promise("DRL-4")
def test_a_drill_reserves_nothing_and_is_no_similar_case(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        real = await store.journal.run(ask(thread, reserve=(CAP,)))
        first = await seeded(store, thread, reserve=(CAP,))
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 4_000
        await store.journal.run(deny(first))
        await store.journal.run(approve(await seeded(store, thread, reserve=(CAP,))))
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 4_000
        assert await store.acts.past(real.about, most=5) == ()

    durable.run(run())


@pytest.mark.promise("DRL-5")
def test_only_owners_and_compliance_start_drills_and_never_decide_their_own(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await published(store)

        def start(name: str, **changes: Any) -> StartDrills:
            values = {"ids": IDS, "token": token(name)[1], "offsets_ms": (0, 60_000), "seed": "s", **changes}
            return StartDrills(**values)

        for name in ("pe_a", "pe_admin"):
            assert (await refused(store, start(name))).code is Code.NOT_ALLOWED
        made = await store.journal.run(start("pe_c"))
        assert [drill.plan.by for drill in made] == ["pe_c", "pe_c"]
        due = await store.journal.run(lambda tx: tx.drills.due(limit=9))
        assert [drill.id for drill in due] == [made[0].id]
        for wrong in ({"route": "nobody"}, {"use_case": "other"}, {"offsets_ms": ()}):
            assert (await refused(store, start("pe_c", **wrong))).code is Code.REQUEST_INVALID
        senior = Route(id="senior", roles=("compliance",))
        own = await seeded(store, thread, route=senior)
        for command in (approve(own, "pe_c"), deny(own, "pe_c")):
            assert (await refused(store, command)).code is Code.NOT_ALLOWED
        assert (await store.journal.run(deny(own, "pe_d"))).drilled.caught

        def fire(tx: Any) -> None:
            person = tx.persons.get(PersonId("pe_d"))
            tx.persons.swap(person, msgspec.structs.replace(person, disabled_at=tx.now_ms))

        await store.journal.run(fire)
        alone = await refused(store, start("pe_c", route="senior"))
        assert "nobody but you" in alone.message

    durable.run(run())


def test_one_planned_drill_enters_the_queue_once_and_never_under_a_customer_who_exists(durable: Rig) -> None:
    async def run() -> None:
        store, other = await durable.open(), await durable.open()
        thread = await begin(store, customer="c-17")
        hashed = store.keys.lookup.customer("c-17")
        with pytest.raises(HandrailError) as exists:
            await seeded(store, thread, customer=hashed)
        assert exists.value.code is Code.ALREADY
        drill = Drill(id="leads:2026-47:0", due_at=2**45, plan=Plan(run="w", seed="s", route="leads"))
        schedule = ScheduleDrills(ids=IDS, drills=(drill,))
        planned = await asyncio.gather(store.journal.run(schedule), other.journal.run(schedule))
        assert sorted(planned) == [0, 1]
        seeds = [Seed(drill=drill, ask=ask(thread), made=WRONG, customer=b"nobody") for _ in range(2)]
        made = await asyncio.gather(
            store.journal.run(seeds[0]), other.journal.run(seeds[1]), return_exceptions=True
        )  # fmt: skip
        assert [one.code for one in made if isinstance(one, HandrailError)] == [Code.LOST_RACE]
        assert len(await store.acts.queue(frozenset({State.HELD}), limit=10)) == 1
        assert (await refused(store, SkipDrill(drill=drill, why_not="x"))).code is Code.LOST_RACE

    durable.run(run())


def test_a_drill_is_not_made_under_a_stop_nor_of_a_call_that_would_not_be_held(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        with pytest.raises(HandrailError) as allowed:
            await seeded(store, thread, verdict=Verdict.ALLOW)
        assert allowed.value.code in (Code.LOST_RACE, Code.NOT_ALLOWED)
        await store.journal.run(pull(StopScope.ALL, ""))
        with pytest.raises(HandrailError) as stopped:
            await seeded(store, thread)
        assert stopped.value.code is Code.STOPPED
        assert await store.acts.queue(frozenset({State.HELD}), limit=10) == []

    durable.run(run())


@pytest.mark.promise("DRL-6")
def test_results_are_shown_to_owners_and_compliance_or_to_the_person_and_can_be_forgotten(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await store.journal.run(approve(await seeded(store, thread)))
        await store.journal.run(deny(await seeded(store, thread)))

        async def seen(name: str) -> set[str | None]:
            return {drill.person for drill in await store.journal.run(ReadResults(token=token(name)[1]))}

        assert await seen("pe_c") == {"pe_a", "pe_b"}
        assert await seen("pe_a") == {"pe_a"}
        assert await seen("pe_admin") == set()

        def forget(name: str, person: str = "pe_a") -> ForgetResults:
            return ForgetResults(ids=IDS, token=token(name)[1], person=PersonId(person), reason="request 12")

        assert (await refused(store, forget("pe_a"))).code is Code.NOT_ALLOWED
        assert await store.journal.run(forget("pe_c")) == 1
        assert await seen("pe_c") == {"", "pe_b"}
        assert (await refused(store, forget("pe_c"))).code is Code.NOT_FOUND
        assert "drill.forgotten" in await kinds(store)

    durable.run(run())


def test_what_nobody_decided_counts_for_no_person_and_is_no_pass(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        await seeded(store, thread, route=Route(id="leads", roles=("approver",), decide_within_s=1))
        await asyncio.sleep(1.05)
        _, changed = await store.journal.run(Sweep(ids=IDS))
        assert [one.progress.state for one in changed] == [State.EXPIRED]
        (row,) = results(await register(store))
        assert (row.person, row.undecided, row.rate.cases, row.rate.low) == (None, 1, 0, None)
        assert not (await register(store))[0].open

    durable.run(run())
