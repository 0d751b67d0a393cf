"""Rollouts and units on both engines: moves with their entries, the draw kept with a conversation, outcomes into units,
and a judge that starts in the middle."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from fakes.gateway import PROVIDERS, use_case, world
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin, entry_of

from handrail.app.judging import Judging
from handrail.backends.rollouts import Units
from handrail.guard.assigned import assigned
from handrail.guard.caller import Caller, Draws, caller_of
from handrail.guard.turn import Turn
from handrail.in_force.follow import look
from handrail.in_force.running import Running
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.token import Token, TokenKind, new_token
from handrail.policy.evaluate import rules_of
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage, UnitKind
from handrail.policy.ruleset import PromptMode, Ruleset, digest
from handrail.releases import desk, lifecycle
from handrail.releases.assign import Arm, drawn
from handrail.releases.judge import Judge, Unit
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import Release, Target
from handrail.releases.units import plan_of
from handrail.review.outcome import OutcomeData, OutcomeEvent, OutcomeType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, Digest, PersonId, ProviderId, UseCaseId

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


def caller_with(rollout: Rollout) -> tuple[Caller, Draws]:
    """A caller of some use case in which this rollout runs."""
    snapshot = world().in_force.current
    assert snapshot is not None
    key = next(iter(snapshot.keys.values()))
    assert key.use_case is not None
    return caller_of(key, snapshot, rules_of(snapshot.ruleset)[key.use_case]), Draws(
        ramp=None, running=Running(rollout=rollout)
    )


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


@pytest.mark.promise("ROL-4")
def test_what_comes_after_a_unit_was_judged_changes_nothing_that_was_said(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        thread, _ = await one.converse()
        await store.journal.run(lambda tx: tx.fetch("UPDATE unit SET assigned_at = assigned_at - 60000"))
        await judged(Judging(store, InForce(), "j", ids=IDS, clock=Later()), one.rollout.release)
        (before,) = await store.units.folded(one.rollout)
        late = event(thread.conversation, OutcomeType.COMPLAINT, 1)
        await store.outcomes.save([late], key_id="k1", use_case=None)
        (after,) = await store.units.folded(one.rollout)
        assert before.metrics == after.metrics == {"complaint": 0.0, "csat_low": None}
        assert after.signals != before.signals, "it is kept"

    durable.run(main())


class Later:
    """The clock, so many milliseconds later."""

    def __init__(self, by_ms: int = 0) -> None:
        self._by_ms = by_ms

    def now_ms(self) -> int:
        return CLOCK.now_ms() + self._by_ms

    def monotonic(self) -> float:
        return 0.0


async def fill(one: Started, many: int, *, worse: bool = True) -> None:
    """Conversations: every twentieth control complains, and every second canary (not `worse`: as the control)."""
    events = []
    for number in range(many):
        thread, arm = await one.converse()
        bad = number % (2 if worse and arm is Arm.CANARY else 20) == 0
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


def someone(name: str, *roles: Role) -> tuple[Person, Token, str]:
    """A person with a personal token, and its text."""
    person = Person(
        id=PersonId(f"pe_{name}"), mail=f"{name}@shop.example", name=name, roles=frozenset(roles), created_at=0
    )  # fmt: skip
    token, text = new_token(TokenKind.PERSONAL, person.id, IDS.token(42), now_ms=0, expires_at=2**52)
    return person, token, text


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


@pytest.mark.promise("ROL-10")
def test_what_bars_a_release_keeps_it_where_it_is_for_the_judge_and_for_a_person(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        step = desk.Step(kind=EntryKind.RELEASE_ADVANCED)

        def judged(barred: bool) -> desk.Judged:
            return desk.Judged(
                ids=IDS, holder="j", lease_ms=1_000, before=one.rollout, folded=(), step=step,
                bars=lambda tx, rollout: "incident 7 is open" if barred else "",
            )  # fmt: skip

        assert (await store.journal.run(judged(True))).stage == 0
        with pytest.raises(HandrailError, match="incident 7"):
            await store.journal.run(
                desk.Advance(ids=IDS, release=digest(NEW)[:12], bars=lambda tx, rollout: "incident 7 is open")
            )
        assert (await store.journal.run(judged(False))).stage == 1

    durable.run(main())


@pytest.mark.promise("ROL-5")
def test_a_rollback_happens_also_when_its_incident_cannot_be_written(durable: Rig) -> None:
    def broken(tx: Any, rollout: Rollout) -> None:
        raise RuntimeError("no incident today")

    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        await fill(one, 600)
        await judged(Judging(store, InForce(), "j", ids=IDS, clock=Later(), beside=broken), one.rollout.release)
        assert (await one.now()).state is State.ROLLED_BACK

    durable.run(main())


@pytest.mark.promise("ROL-15")
def test_an_answer_of_a_release_a_minute_after_its_safety_rollback_is_an_alarm_once(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        thread, _ = await one.converse()
        await store.journal.run(lambda tx: desk.roll_back(tx, IDS, one.rollout, BY, safety=True))
        now = await one.now()
        assert now.ended_at is not None
        clock = Later(120_000)
        judging = Judging(store, InForce(), "j", ids=IDS, clock=clock)
        await judging.alarm()
        entry = entry_of(thread, release=digest(NEW), at_ms=now.ended_at + 30_000)
        await store.journal.record(entry)
        await judging.alarm()
        assert await kinds(store) == [], "it ended within its minute"
        await store.journal.record(entry_of(thread, release=digest(NEW), at_ms=now.ended_at + 119_000))
        await judging.alarm()
        await judging.alarm()
        assert await kinds(store) == ["release.still_answering"]

    async def kinds(store: Any) -> list[str]:
        found = await store.reading.rows("SELECT kind FROM entry WHERE kind = 'release.still_answering'")
        return [kind for (kind,) in found]

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


async def expired(store: Any) -> None:
    """The lease of whoever judges runs out."""
    await store.journal.run(lambda tx: tx.fetch("UPDATE judge SET until = 0"))


async def by_one_that_saw_everything(one: Started) -> Judge:
    """What the units as they are stored say, folded in the order of their numbers."""
    units = await one.store.units.folded(await one.now())
    assert [unit.folded for unit in units] == list(range(1, len(units) + 1)), "each number once"
    judge = Judge(plan_of(RAMP))
    for unit in units:
        judge.fold(
            Unit(canary=unit.arm == "canary", share=unit.share, stage=str(unit.stage), metrics=unit.metrics or {})
        )
    return judge


@pytest.mark.promise("ROL-5")
def test_a_judge_that_slept_while_another_judged_forgets_what_it_knew(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        slept = Judging(store, InForce(), "slept", ids=IDS, clock=Later())
        other = Judging(store, InForce(), "other", ids=IDS, clock=Later())
        await fill(one, 100, worse=False)
        await judged(slept, one.rollout.release)
        await expired(store)
        await fill(one, 100, worse=False)
        await judged(other, one.rollout.release)
        await expired(store)
        await fill(one, 100, worse=False)
        with pytest.raises(HandrailError) as caught:  # it finds that it is behind
            await judged(slept, one.rollout.release)
        assert caught.value.code is Code.LOST_RACE
        await judged(slept, one.rollout.release)
        judge = await by_one_that_saw_everything(one)
        assert judge.units == 300

    durable.run(main())


class Torn:
    """Ids that fail twice when an entry asks for one: with what belongs beside a move, and without."""

    def __init__(self) -> None:
        self.left = 2

    def new(self, kind: str) -> str:
        if self.left:
            self.left -= 1
            raise RuntimeError("torn")
        return IDS.new(kind)

    def token(self, size: int) -> bytes:
        return IDS.token(size)


@pytest.mark.promise("ROL-5")
def test_a_commit_that_broke_off_leaves_no_unit_counted_twice(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        await fill(one, 400)
        judging = Judging(store, InForce(), "j", ids=Torn(), clock=Later())
        with pytest.raises(RuntimeError):
            await judged(judging, one.rollout.release)
        await judged(judging, one.rollout.release)
        now, judge = await one.now(), await by_one_that_saw_everything(one)
        assert now.reached is not None
        assert now.reached.numbers == msgspec.json.encode(judge.conclude())

    durable.run(main())


@pytest.mark.promise("ROL-5")
def test_a_rollout_that_cannot_be_judged_keeps_no_other_from_its_rollback(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        await fill(one, 400)
        broken = msgspec.structs.replace(
            one.rollout, release=Digest("f" * 64), use_case=UseCaseId("aside"), stage=7, version=0
        )
        await store.journal.run(lambda tx: tx.rollouts.add(broken))
        snapshot = world(lambda request: None, case=use_case(id=ORDERS)).in_force.current
        assert snapshot is not None
        in_force = InForce()
        in_force.current = msgspec.structs.replace(
            snapshot, running={UseCaseId("aside"): Running(rollout=broken), ORDERS: Running(rollout=one.rollout)}
        )
        with pytest.raises(IndexError):
            await Judging(store, in_force, "j", ids=IDS, clock=Later()).round()
        assert (await one.now()).state is State.ROLLED_BACK

    durable.run(main())


def canary_of(store: Any, prompt: str, control: Release) -> Any:
    """A command: one more release, drafted, tested, started against `control`."""

    def start(tx: Any) -> Rollout:
        release = a_release(prompt)
        tx.releases.put(digest(release), release, by=BY, at_ms=tx.now_ms)
        desk.draft(tx, IDS, digest(release), ORDERS, BY)
        desk.RecordTests(ids=IDS, release=digest(release), passed=1, failed=0, digest=Digest("d" * 64))(tx)
        before = tx.rollouts.get(digest(release))
        after = lifecycle.started(
            before, RAMP, salt=IDS.token(16), control=digest(control), used=frozenset(), now=tx.now_ms
        )
        tx.rollouts.swap(before, after)
        return after

    return start


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


def test_a_judge_that_reads_a_long_past_keeps_its_lease_meanwhile(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        await fill(one, 60, worse=False)
        await judged(Judging(store, InForce(), "before", ids=IDS, clock=Later()), one.rollout.release)
        await expired(store)
        judging = Judging(store, InForce(), "after", ids=IDS, clock=Later(), portion=10)
        assert await judging._lead() is not None
        await store.journal.run(lambda tx: tx.fetch("UPDATE judge SET until = until - 9000"))
        await judging._canary(one.rollout)
        ((left,),) = await store.reading.rows("SELECT until FROM judge")
        assert left > await store.journal.run(lambda tx: tx.now_ms) + 5_000
        await expired(store)
        assert await Judging(store, InForce(), "third", ids=IDS, clock=Later())._lead() is not None
        late = Judging(store, InForce(), "late", ids=IDS, clock=Later(), portion=10)
        with pytest.raises(HandrailError, match="another process"):
            await late._canary(one.rollout)

    durable.run(main())


def test_many_units_are_folded_each_with_its_own_and_all_or_none(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        await fill(one, 120, worse=False)
        waiting = await store.units.waiting(one.rollout, limit=200)
        ready = [
            msgspec.structs.replace(unit, metrics={"complaint": number / 1000}, matured_at=number, folded=number)
            for number, unit in enumerate(waiting, 1)
        ]
        statements = 0

        def fold(tx: Any) -> bool:
            nonlocal statements
            fetch = tx.fetch

            class Counted:
                now_ms = tx.now_ms

                def fetch(self, sql: str, values: Any = ()) -> Any:
                    nonlocal statements
                    statements += 1
                    return fetch(sql, values)

            return Units(Counted()).fold(ready)

        assert await store.journal.run(fold)
        assert statements <= 3, "each is a way to the database while nobody else writes"
        assert await store.units.folded(one.rollout) == ready
        assert not await store.journal.run(lambda tx: tx.units.fold(ready[:1]))

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
