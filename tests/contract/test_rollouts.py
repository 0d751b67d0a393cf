"""Rollouts and units on both engines: moves with their entries, the draw kept with a conversation, outcomes into units,
and a judge that starts in the middle."""

import json
from typing import Any

import msgspec
import pytest
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin

from handrail.app.judging import Judging
from handrail.in_force.follow import look
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.policy.ruleset import PromptMode, digest
from handrail.releases import desk
from handrail.releases.assign import Arm, drawn
from handrail.releases.judge import Judge, Unit
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import Release, Target
from handrail.releases.units import plan_of
from handrail.review.outcome import OutcomeData, OutcomeEvent, OutcomeType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, ProviderId

BY = Actor(ActorKind.SYSTEM, "operator")
RAMP = Ramp(
    stages=(Stage(share=0.2), Stage(share=0.5)), maturity_minutes=0.0, planned_units=2000,
    metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.05), RampMetric(name=Outcome.CSAT_LOW)),
)  # fmt: skip


def a_release(prompt: str) -> Release:
    return Release(
        use_case=ORDERS, alias="orders", route=(Target(provider=ProviderId("mock"), model="m"),),
        prompt_mode=PromptMode.MANAGED, prompt=prompt,
    )  # fmt: skip


OLD, NEW = a_release("Answer well."), a_release("Answer briefly.")


class Started:
    """A use case with a live release and a canary, on one store."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.rollout = Rollout(release=digest(NEW), use_case=ORDERS, author="operator", created_at=0)

    async def begin(self, ramp: Ramp = RAMP, *, tests: bool = True) -> "Started":
        def publish(tx: Any) -> None:
            for one in (OLD, NEW):
                tx.releases.put(digest(one), one, by=BY, at_ms=tx.now_ms)
            tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms)
            desk.draft(tx, IDS, digest(NEW), ORDERS, BY)

        def start(tx: Any) -> Rollout:
            before = tx.rollouts.get(digest(NEW))
            from handrail.releases import lifecycle

            after = lifecycle.started(
                before, ramp, salt=IDS.token(16), control=digest(OLD), used=frozenset(), now=tx.now_ms
            )
            tx.rollouts.swap(before, after)
            tx.bump_epoch()
            return after

        await self.store.journal.run(publish)
        if tests:
            await self.test(passed=3)
        self.rollout = await self.store.journal.run(start)
        return self

    async def test(self, *, passed: int, failed: int = 0) -> None:
        await self.store.journal.run(
            desk.RecordTests(
                ids=IDS, release=digest(NEW), passed=passed, failed=failed, digest=Digest("d" * 64), token=None
            )
        )

    async def converse(self) -> tuple[Any, Arm]:
        thread = await begin(self.store)
        found = drawn(self.rollout, thread.conversation, {})
        assert found is not None
        return self.store.threads.assign(thread, found), found.arm

    async def now(self) -> Rollout:
        return await self.store.journal.run(lambda tx: tx.rollouts.get(digest(NEW)))


class Wait:
    """The journal's clock is the database's, so a round waits for its units by asking for a later time."""


def event(conversation: str, kind: OutcomeType, number: int, **data: Any) -> OutcomeEvent:
    return OutcomeEvent(
        source="crm", id=f"{kind.value}-{conversation}-{number}", type=kind, occurred_at_ms=CLOCK.now_ms() + number,
        conversation=conversation, data=OutcomeData(**data),
    )  # fmt: skip


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


@pytest.mark.promise("ROL-4")
def test_outcomes_fill_their_unit_in_any_order_and_once(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        thread, _ = await one.converse()
        await store.journal.run(lambda tx: None)
        name = thread.conversation
        late, early = (
            event(name, OutcomeType.CSAT, 9, score=1.0), event(name, OutcomeType.CSAT, 1, score=5.0),
        )  # fmt: skip
        complaint = event(name, OutcomeType.COMPLAINT, 2)
        await store.outcomes.save([late, complaint, early, complaint], key_id="k1", use_case=None)
        await store.outcomes.save([complaint], key_id="k1", use_case=None)
        (unit,) = await store.units.waiting(one.rollout, limit=10)
        assert {name: value for name, (_, value) in unit.signals.items()} == {"csat": 0.8, "complaint": 1.0}
        store.threads.signal(thread, ["block"], 5)
        await store.journal.run(lambda tx: None)
        (unit,) = await store.units.waiting(one.rollout, limit=10)
        assert unit.signals["block"] == (5, 1.0)

    durable.run(main())


@pytest.mark.promise("ROL-5")
def test_a_judge_that_starts_in_the_middle_says_what_one_that_saw_everything_says(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        in_force = InForce()
        await store.journal.run(lambda tx: None)
        clock = Later()
        first = Judging(store, in_force, "first", ids=IDS, clock=clock)
        await fill(one, 300)
        release = one.rollout.release
        await judged(first, release)
        second = Judging(store, in_force, "second", ids=IDS, clock=clock)
        assert not await second._judge(release), "the first one holds the lease"
        await store.journal.run(lambda tx: tx.fetch("UPDATE judge SET until = 0"))
        await fill(one, 700)
        await judged(second, release)
        now = await one.now()
        assert now.state is State.ROLLED_BACK
        assert now.reached is not None
        units = await store.units.folded(now)
        judge = Judge(plan_of(RAMP))
        for unit in units:
            judge.fold(
                Unit(canary=unit.arm == "canary", share=unit.share, stage=str(unit.stage), metrics=unit.metrics or {})
            )
        assert now.reached.numbers == msgspec.json.encode(judge.conclude())
        assert judge.conclude().decided_at == len(units)
        (facts,) = await store.reading.rows("SELECT facts FROM entry WHERE kind = 'release.rolled_back'")
        told = json.loads(bytes(facts[0]))["facts"]
        assert told["verdict"] == "worse"
        assert "complaint" in told["sentence"]
        assert told["numbers"]["decided_at"] == len(units)

    durable.run(main())


class Later:
    def now_ms(self) -> int:
        return CLOCK.now_ms()

    def monotonic(self) -> float:
        return 0.0


async def fill(one: Started, many: int) -> None:
    """Conversations of which every second canary complains and every twentieth control."""
    events = []
    for number in range(many):
        thread, arm = await one.converse()
        bad = number % (2 if arm is Arm.CANARY else 20) == 0
        if bad:
            events.append(event(thread.conversation, OutcomeType.COMPLAINT, number))
        if number % 200 == 199:
            await one.store.journal.run(lambda tx: None)
    await one.store.journal.run(lambda tx: None)
    for at in range(0, len(events), 200):
        await one.store.outcomes.save(events[at : at + 200], key_id="k1", use_case=None)
    await one.store.journal.run(lambda tx: tx.fetch("UPDATE unit SET assigned_at = assigned_at - 60000"))


async def judged(judging: Judging, release: Digest) -> None:
    while await judging._judge(release):
        pass


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
