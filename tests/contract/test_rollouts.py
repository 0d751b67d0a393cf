"""Rollouts on both engines: moves with their entries, and the draw kept with a conversation."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from fakes.gateway import PROVIDERS, use_case
from fakes.rollouts import (
    BY,
    NEW,
    OLD,
    RAMP,
    Later,
    Started,
    a_release,
    caller_with,
    canary_of,
    someone,
)
from fakes.storage import IDS, ORDERS, Rig, begin

from handrail.guard.assigned import assigned
from handrail.guard.turn import Turn
from handrail.in_force.follow import look
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.people.role import Role
from handrail.policy.ramp import Stage, UnitKind
from handrail.policy.ruleset import Ruleset, digest
from handrail.releases import desk
from handrail.releases.assign import Arm
from handrail.releases.lifecycle import State
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, Digest


@pytest.mark.promise("ROL-1")
def test_a_move_and_its_entry_are_one_and_a_lost_race_leaves_both_away(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        rollout = one.rollout
        await store.journal.run(lambda tx: desk.roll_back(tx, IDS, rollout, BY, safety=True))
        with pytest.raises(HandrailError) as caught:
            await store.journal.run(lambda tx: desk.roll_back(tx, IDS, rollout, BY, safety=True))
        assert caught.value.code is Code.LOST_RACE
        kinds = [kind for (kind,) in await store.reading.rows("SELECT kind FROM entry ORDER BY seq")]
        assert kinds == ["release.drafted", "release.tested", "release.rolled_back"]
        assert (await one.now()).state is State.ROLLED_BACK

    durable.run(main())


@pytest.mark.promise("ROL-2")
def test_without_green_tests_on_its_own_digest_nothing_starts(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = Started(store)
        with pytest.raises(HandrailError, match="cannot start"):
            await one.begin(tests=False)
        await one.test(passed=2, failed=1)
        assert (await one.now()).state is State.DRAFT
        green = desk.RecordTests(ids=IDS, release=digest(NEW), passed=2, failed=0, digest=Digest("d" * 64))
        with pytest.raises(HandrailError, match="results of release"):
            await store.journal.run(replace(green, answered=frozenset({digest(OLD)})))
        assert (await one.now()).state is State.DRAFT
        await store.journal.run(replace(green, answered=frozenset({digest(NEW)})))
        assert (await one.now()).state is State.TESTED

    durable.run(main())


@pytest.mark.promise("ROL-3")
def test_a_conversation_keeps_what_was_drawn_over_processes_and_a_unit_is_written_once(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        thread, arm = await one.converse()
        await store.threads.close_turn(thread, history=[b"hello", b"hi"])
        await store.journal.run(lambda tx: None)
        again = await begin(store, history=[b"hello", b"hi", b"and?"], new_from=2)
        assert again.conversation == thread.conversation
        assert again.drawn is not None
        assert (again.drawn.arm, again.release) == (arm, thread.release)
        units = await store.units.waiting(one.rollout, limit=10)
        assert [(unit.unit, unit.ordinal, unit.arm) for unit in units] == [(thread.conversation, 1, arm.value)]

    durable.run(main())


@pytest.mark.promise("ROL-3")
def test_a_customer_stays_in_the_arm_of_the_week_over_conversations_also_when_the_share_grows(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        ramp = msgspec.structs.replace(RAMP, unit=UnitKind.CUSTOMER_WEEK, stages=(Stage(share=0.3), Stage(share=0.99)))
        one = await Started(store).begin(ramp)
        grown = msgspec.structs.replace(one.rollout, stage=1, step=2)
        turn = Turn(route="r", body=b"", model="m", stream=False, messages=(), new_from=0)
        arms: dict[str, Arm] = {}
        for rollout, times in ((one.rollout, 1), (grown, 2)):
            caller, draws = caller_with(rollout)
            for number in range(20):
                name = CustomerId(f"u{number}")
                thread = await begin(store, customer=name)
                asked = msgspec.structs.replace(turn, customer=name)
                thread, _ = await assigned(caller, draws, store.threads, thread, asked, 1_000)
                assert thread.drawn is not None
                assert arms.setdefault(name, thread.drawn.arm) is thread.drawn.arm
                assert thread.release == (digest(NEW) if thread.drawn.arm is Arm.CANARY else digest(OLD))
            await store.journal.run(lambda tx: None)
            units = await store.units.waiting(one.rollout, limit=100)
            assert len(units) == 20
            assert {len(unit.conversations) for unit in units} == {times}
        assert set(arms.values()) == {Arm.CANARY, Arm.CONTROL}

    durable.run(main())


@pytest.mark.promise("ROL-8")
def test_who_wrote_a_release_neither_signs_it_off_nor_starts_it_and_each_sign_off_is_a_person_with_the_role(
    durable: Rig,
) -> None:
    ramp = msgspec.structs.replace(RAMP, sign_offs=("owner", "compliance"))
    case = use_case(id=ORDERS, ramp=ramp)
    ruleset = Ruleset(
        organisation="Test", time_zone="UTC", currency="EUR", providers=PROVIDERS, use_cases={ORDERS: case}
    )
    people = {
        name: someone(name, *roles)
        for name, roles in {
            "author": (Role.ENGINEER, Role.OWNER), "owner": (Role.OWNER,), "law": (Role.COMPLIANCE,),
            "staff": (Role.STAFF,), "auditor": (Role.AUDITOR,),
        }.items()
    }  # fmt: skip
    said = {name: text for name, (_, _, text) in people.items()}

    async def main() -> None:
        store = await durable.open()

        def begin(tx: Any) -> None:
            for person, token, _ in people.values():
                tx.persons.add(person)
                tx.tokens.add(token)
            tx.rulesets.put(digest(ruleset), ruleset, by=BY, at_ms=tx.now_ms)
            tx.rulesets.set_current(digest(ruleset), expected=None, at_ms=tx.now_ms)
            tx.releases.put(digest(OLD), OLD, by=BY, at_ms=tx.now_ms)
            tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms)

        run = store.journal.run
        await run(begin)
        made = await run(
            desk.NewDraft(ids=IDS, use_case=ORDERS, change=lambda _: NEW, digest=digest, token=said["author"])
        )
        name = made.release[:12]
        green = desk.RecordTests(
            ids=IDS, release=name, passed=1, failed=0, digest=Digest("d" * 64), token=said["author"]
        )
        await run(green)

        async def refused(command: Any) -> str:
            with pytest.raises(HandrailError) as caught:
                await run(command)
            return caught.value.message

        def sign(who: str, role: str) -> desk.Sign:
            return desk.Sign(ids=IDS, release=name, role=role, token=said[who])

        assert "you wrote this" in await refused(sign("author", "owner"))
        assert "do not have the role" in await refused(sign("owner", "compliance"))
        assert "roles do not allow" in await refused(sign("staff", "owner"))
        await run(sign("owner", "owner"))
        assert "lacks the sign-off" in await refused(desk.Start(ids=IDS, release=name, token=said["owner"]))
        signed = await run(sign("law", "compliance"))
        assert signed.state is State.SIGNED_OFF
        assert "author cannot" in await refused(desk.Start(ids=IDS, release=name, token=said["author"]))
        assert "needs a personal token" in await refused(desk.Start(ids=IDS, release=name))
        started = await run(desk.Start(ids=IDS, release=name, token=said["owner"]))
        assert (started.state, started.control) == (State.CANARY, digest(OLD))
        assert "roles do not allow" in await refused(desk.RollBack(ids=IDS, release=name, token=said["auditor"]))
        assert (await run(desk.RollBack(ids=IDS, release=name, token=said["staff"]))).state is State.ROLLED_BACK
        kinds = [kind for (kind,) in await store.reading.rows("SELECT kind FROM entry ORDER BY seq")]
        assert kinds == [
            "release.published", "release.drafted", "release.tested", "release.signed_off", "release.signed_off",
            "release.started", "release.rolled_back",
        ]  # fmt: skip
        again = await run(
            desk.NewDraft(ids=IDS, use_case=ORDERS, change=lambda _: NEW, digest=digest, token=said["owner"])
        )
        assert (again.release, again.author) == (made.release, "pe_owner")
        await run(green)
        assert "you wrote this" in await refused(sign("author", "owner")), "it is still the author's, whoever drafts it"
        assert "you wrote this" in await refused(sign("owner", "owner")), "and it is the one's who brings it back"

    durable.run(main())


@pytest.mark.promise("ROL-12")
def test_a_promoted_release_is_live_for_all_and_a_rollback_of_it_brings_the_one_before(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        run, live = store.journal.run, lambda tx: tx.releases.live()[ORDERS]
        rollout = one.rollout
        await run(lambda tx: desk.promote(tx, IDS, rollout, BY))
        assert await run(live) == digest(NEW)
        assert (await one.now()).state is State.LIVE
        now = await one.now()
        await run(lambda tx: desk.roll_back(tx, IDS, now, BY, safety=True))
        assert await run(live) == digest(OLD)

    durable.run(main())


@pytest.mark.promise("ROL-6")
def test_a_rollback_moves_the_epoch_so_that_every_process_reads_it(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        before = await store.in_force.read_epoch()
        rollout = one.rollout
        await store.journal.run(lambda tx: desk.roll_back(tx, IDS, rollout, BY, safety=True))
        assert await store.in_force.read_epoch() == before + 1
        in_force = InForce()
        await look(in_force, store.in_force, Later())

    durable.run(main())


def test_two_canaries_of_a_use_case_cannot_run_at_once(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await Started(store).begin()
        other = a_release("Answer at length.")

        def second(tx: Any) -> None:
            tx.releases.put(digest(other), other, by=BY, at_ms=tx.now_ms)
            desk.draft(tx, IDS, digest(other), ORDERS, BY)
            before = tx.rollouts.get(digest(other))
            tx.rollouts.swap(before, msgspec.structs.replace(before, state=State.CANARY, version=1))

        with pytest.raises(HandrailError, match="two at once"):
            await store.journal.run(second)

    durable.run(main())


def test_the_kinds_of_entries_of_a_move_are_those_that_are_listed() -> None:
    assert {kind.value for kind in EntryKind if kind.value.startswith("release.")} >= {
        "release.drafted", "release.tested", "release.signed_off", "release.started", "release.rolled_back",
    }  # fmt: skip


@pytest.mark.promise("ROL-16")
def test_a_rollback_of_what_is_live_ends_the_canary_that_is_compared_with_it(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        run = store.journal.run
        await run(lambda tx: desk.promote(tx, IDS, one.rollout, BY))
        next_ = await run(canary_of(store, "Answer at length.", NEW))
        await run(desk.RollBack(ids=IDS, release=digest(NEW)[:12]))
        assert await run(lambda tx: tx.releases.live()[ORDERS]) == digest(OLD)
        ended = await run(lambda tx: tx.rollouts.get(next_.release))
        assert (ended.state, ended.safety) == (State.ROLLED_BACK, False)

    durable.run(main())


@pytest.mark.promise("ROL-16")
def test_after_a_rollback_what_was_live_before_is_live_in_every_sense_and_can_go_back_too(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        run = store.journal.run
        await run(lambda tx: desk.promote(tx, IDS, one.rollout, BY))
        next_ = await run(canary_of(store, "Answer at length.", NEW))
        await run(lambda tx: desk.promote(tx, IDS, next_, BY))
        assert (await one.now()).state is State.RETIRED
        await run(desk.RollBack(ids=IDS, release=next_.release[:12]))
        assert (await one.now()).state is State.LIVE
        await run(desk.RollBack(ids=IDS, release=digest(NEW)[:12]))
        assert await run(lambda tx: tx.releases.live()[ORDERS]) == digest(OLD)

    durable.run(main())


@pytest.mark.promise("ROL-16")
def test_what_was_live_and_is_replaced_at_once_is_over_and_can_be_tried_again(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        run = store.journal.run
        await run(lambda tx: desk.promote(tx, IDS, one.rollout, BY))

        def replaced(tx: Any) -> bool:
            desk.end_canary(tx, IDS, ORDERS, BY, "another release went live at once")
            tx.releases.set_live(ORDERS, digest(OLD), expected=digest(NEW), at_ms=tx.now_ms)
            return desk.draft(tx, IDS, digest(NEW), ORDERS, BY)

        assert await run(replaced)
        assert (await one.now()).state is State.DRAFT

    durable.run(main())


def test_a_canary_of_a_backup_serves_nobody_once_it_is_restored(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        assert await store.journal.run(lambda tx: desk.end_restored(tx, IDS)) == 1
        now = await one.now()
        assert (now.state, now.safety) == (State.ROLLED_BACK, True)
        assert await store.journal.run(lambda tx: desk.end_restored(tx, IDS)) == 0
        (facts,) = await store.reading.rows("SELECT facts FROM entry WHERE kind = 'release.rolled_back'")
        assert "a backup was restored" in json.loads(bytes(facts[0]))["facts"]["why"]

    durable.run(main())
