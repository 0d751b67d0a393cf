"""Rollouts on both engines: outcomes into units, a judge that starts in the middle, sleeps, breaks off or is kept."""

import json
from typing import Any

import msgspec
import pytest
from fakes.gateway import use_case, world
from fakes.rollouts import (
    BY,
    NEW,
    RAMP,
    Later,
    Started,
    Torn,
    by_one_that_saw_everything,
    event,
    expired,
    fill,
    judged,
)
from fakes.storage import IDS, ORDERS, Rig, entry_of

from handrail.app import judging
from handrail.app.judging import Judging
from handrail.backends.rollouts import Units
from handrail.in_force.running import Running
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.policy.ruleset import digest
from handrail.releases import desk
from handrail.releases.judge import Judge, Unit
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.units import plan_of
from handrail.review.outcome import OutcomeType
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId
from handrail.watch.alert import AlertState


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


@pytest.mark.promise("CAL-20")
@pytest.mark.promise("ROL-10")
def test_alerts_that_ask_for_what_a_move_has_done_are_closed_with_it_and_no_other(durable: Rig) -> None:
    """Else the deputy is woken for a release that was rolled back half an hour ago."""

    async def open_alerts(store: Any) -> list[str]:
        states = frozenset(AlertState) - {AlertState.CLOSED}
        return sorted(one.first.metric for one in await store.watch.alerts(states=states, limit=9))

    async def main() -> None:
        store = await durable.open()
        one = await Started(store).begin()
        release = one.rollout.release

        def held(tx: Any) -> Rollout:
            after = desk.freeze(tx, IDS, tx.rollouts.get(release), desk.JUDGE, "the draw is off")
            judging.beside(tx, after)
            return after

        await store.journal.run(held)
        assert await open_alerts(store) == ["release.frozen"]
        await store.journal.run(desk.Thaw(ids=IDS, release=release, beside=judging.incident))
        assert await open_alerts(store) == []
        await store.journal.run(held)
        assert await open_alerts(store) == ["release.frozen"], "a second time is told anew"
        await fill(one, 600)
        await judged(Judging(store, InForce(), "j", ids=IDS, clock=Later(), beside=judging.beside), release)
        assert (await one.now()).state is State.ROLLED_BACK
        assert await open_alerts(store) == ["release.rolled_back"]
        closed = await store.watch.alerts(states=frozenset({AlertState.CLOSED}), limit=9)
        assert {alert.note for alert in closed} == {"The release is going on.", "The release is rolled back."}
        rows = await store.reading.rows("SELECT facts FROM entry WHERE kind = 'alert.closed'")
        assert len(rows) == 2

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
