"""Lowered levels on SQLite and PostgreSQL: one trigger lowers once, whoever sees it; the move, its entry and the epoch
are one commit; no publish lifts it, and only persons raise it, on stated figures."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from contract.test_actions import hire, token
from contract.test_watch import raised
from fakes.actions import use_case
from fakes.storage import CLOCK, IDS, ORDERS, Rig

from handrail.app.demoting import Demoting, standing, tell
from handrail.approvals.drill import Drill, DrillState, Made, Plan
from handrail.governance.autonomy_desk import AutonomyFacts, DemoteByHand, Fall, Promote
from handrail.governance.demote import Demotion, Happened, replayed
from handrail.in_force.follow import look
from handrail.in_force.snapshot import InForce
from handrail.ledger.commitment import read_facts
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.autonomy import Again, Autonomy, Cause, Demote, Trigger
from handrail.policy.ruleset import Level, Risk, Ruleset, digest
from handrail.releases.lifecycle import Rollout, State
from handrail.review.incident import Severity
from handrail.review.incidents import NOBODY, Open
from handrail.terms.action import ActionType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId
from handrail.watch.alarm import Raise
from handrail.watch.alert import AlertState
from handrail.watch.measure import Cell

MONEY, WRITE = ActionType.MONEY, ActionType.WRITE_FINAL
S2 = Trigger(cause=Cause.INCIDENT, what="S2", types=(MONEY,))
RULE = Demote(triggers=(S2,), after_minutes=0, least_units=0)


def happened(key: str = "incident/in_1", **changes: Any) -> Happened:
    values = {"cause": Cause.INCIDENT, "what": "S1", "sentence": "incident in_1 (S1) was opened", "about": "in_1"}
    return Happened(**{**values, "key": key, **changes})


async def publish(store: Any, rule: Demote | None, money: Autonomy = Autonomy.A4, risk: Risk = Risk.R1) -> None:
    levels = {kind: Level(risk=risk, autonomy=money) for kind in (MONEY, WRITE, ActionType.ASSERT)}
    case = msgspec.structs.replace(use_case(), id=ORDERS, owner="olga@shop.example", levels=levels, demote=rule)
    made = Ruleset(organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={ORDERS: case})

    def put(tx: Any) -> None:
        tx.rulesets.put(digest(made), made, by=Actor(ActorKind.PERSON, "pe_e"), at_ms=tx.now_ms)
        tx.rulesets.set_current(digest(made), expected=tx.rulesets.current(), at_ms=tx.now_ms)
        tx.bump_epoch()

    await store.journal.run(put)


async def ready(durable: Rig, rule: Demote | None = RULE, **more: Any) -> Any:
    store = await durable.open()
    await store.journal.run(hire)
    await publish(store, rule, **more)
    return store


def fall(one: Happened | None = None) -> Fall:
    return Fall(ids=IDS, use_case=ORDERS, happened=one or happened(), beside=tell(IDS))


def promote(by: str | None = "pe_c", **changes: Any) -> Promote:
    values: dict[str, Any] = {"types": (), "reason": "looked at it", "override": False}
    return Promote(
        ids=IDS, use_case=ORDERS, token=None if by is None else token(by)[1], standing=standing, **{**values, **changes}
    )  # fmt: skip


async def lowered(store: Any) -> dict[ActionType, Autonomy]:
    snapshot = await store.in_force.load()
    return dict(snapshot.lowered.get(ORDERS, {}))


async def facts(store: Any) -> list[tuple[str, AutonomyFacts]]:
    rows = [read_facts(data) for _, data in await store.reader.entries(0, 1_000)]
    return [
        (row.kind, msgspec.json.decode(row.facts, type=AutonomyFacts))
        for row in rows
        if row.kind.startswith("autonomy.")
    ]


async def refused(store: Any, command: Any) -> HandrailError:
    with pytest.raises(HandrailError) as found:
        await store.journal.run(command)
    return found.value


@pytest.mark.promise("AUT-1")
def test_a_trigger_lowers_once_with_its_numbers_the_epoch_and_the_owners_alert_in_one_commit(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        before = await store.in_force.read_epoch()
        made = await store.journal.run(fall())
        assert [(move.type, move.before, move.after) for move in made.moves] == [(MONEY, Autonomy.A4, Autonomy.A3)]
        assert await store.journal.run(fall()) is None  # another process saw it too
        assert await store.in_force.read_epoch() == before + 1
        assert await lowered(store) == {MONEY: Autonomy.A3}
        ((kind, said),) = await facts(store)
        assert (kind, said.cause, said.what, said.about, said.number) == (
            "autonomy.demoted", Cause.INCIDENT, "S1", "in_1", 1
        )  # fmt: skip
        (alert,) = await store.watch.alerts(states=frozenset({AlertState.RAISED}), limit=9)
        assert alert.owner == "olga@shop.example"
        assert "money from A4 to A3" in alert.first.sentence

        def fails(tx: Any) -> None:
            fall(happened("incident/in_2"))(tx)
            raise HandrailError(Code.LOST_RACE, "meanwhile")

        await refused(store, fails)
        assert (await store.in_force.read_epoch(), len(await facts(store))) == (before + 1, 1)

    durable.run(run())


@pytest.mark.promise("AUT-2")
def test_a_publish_neither_lifts_nor_raises_what_is_lowered_and_what_it_lowers_holds(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable, msgspec.structs.replace(RULE, triggers=(msgspec.structs.replace(S2, levels=2),)))
        await store.journal.run(fall())
        assert await lowered(store) == {MONEY: Autonomy.A2}
        for rule, level in ((RULE, Autonomy.A3), (None, Autonomy.A4), (None, Autonomy.A1)):
            await publish(store, rule, level)
            assert await lowered(store) == {MONEY: Autonomy.A2}
        await publish(store, RULE, Autonomy.A3)  # the command goes by what is in force when it runs
        assert await store.journal.run(fall(happened("incident/in_9", what="S3"))) is None
        done = await store.journal.run(promote())
        assert [(move.after, move.lowered) for move in done.moves] == [(Autonomy.A3, None)]
        assert await lowered(store) == {}

    durable.run(run())


@pytest.mark.promise("AUT-3")
def test_only_persons_promote_with_the_role_for_it_two_from_r2_up_and_one_level_at_a_time(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable, msgspec.structs.replace(RULE, cool_down_minutes=0), risk=Risk.R2)

        def more(tx: Any) -> None:
            tx.persons.add(Person(id=PersonId("pe_o"), mail="o@shop.example", name="o", roles=frozenset({Role.OWNER}),
                                  created_at=0))  # fmt: skip
            tx.tokens.add(token("pe_o", tx.now_ms)[0])

        await store.journal.run(more)
        assert (await refused(store, promote())).code is Code.NOT_FOUND
        for key in ("incident/in_1", "incident/in_2"):
            await store.journal.run(fall(happened(key)))
        assert await lowered(store) == {MONEY: Autonomy.A2}
        for by in (None, "pe_a", "pe_admin"):
            assert (await refused(store, promote(by))).code is Code.NOT_ALLOWED
        assert (await refused(store, promote(reason=" "))).code is Code.REQUEST_INVALID
        assert (await store.journal.run(promote())).moves == ()
        assert await lowered(store) == {MONEY: Autonomy.A2}
        assert "another person" in (await refused(store, promote())).message
        await store.journal.run(promote("pe_o"))
        assert await lowered(store) == {MONEY: Autonomy.A3}
        await store.journal.run(promote("pe_o"))
        await store.journal.run(fall(happened("incident/in_3")))  # what was agreed to is not what is there now
        assert (await store.journal.run(promote("pe_d"))).moves == ()
        assert await lowered(store) == {MONEY: Autonomy.A2}
        said = await facts(store)
        assert [kind.split(".")[1] for kind, _ in said] == [
            "demoted", "demoted", "asked", "promoted", "asked", "demoted", "asked"
        ]  # fmt: skip
        assert said[3][1].first == "pe_c"
        moves = [move for _, one in said for move in one.moves]
        assert replayed(moves) == await lowered(store)

    durable.run(run())


@pytest.mark.promise("AUT-4")
def test_a_promotion_is_refused_with_its_figures_until_they_are_met_and_an_override_is_recorded_as_one(
    durable: Rig,
) -> None:
    async def run() -> None:
        rule = Demote(triggers=(S2,), after_minutes=0, least_units=300, below={"complaint": 0.02})
        store = await ready(durable, rule)
        await store.journal.run(fall())
        told = (await refused(store, promote())).message
        assert "0 conversations or actions since, 300 are needed" in told
        assert "complaint: 0 of 0, at most 100.00%; below 2.00% is needed" in told

        def count(tx: Any) -> None:
            hour = tx.now_ms // 3_600_000 + 1
            for cell, add in (
                (Cell(ORDERS, hour - 1, "", "", ""), 900),  # the hour of the demotion itself does not count
                (Cell(ORDERS, hour, "", "", ""), 300),
                (Cell("another", hour, "", "", ""), 900),
            ):
                tx.watch.count({cell: {"new_conversations": add, "conversations": add, "complaint": 0}})

        await store.journal.run(count)
        opening = Open(ids=IDS, use_case=ORDERS, title="t", severity=Severity.S1, token=token("pe_c")[1], scope=NOBODY)
        incident = await store.journal.run(opening)
        told = (await refused(store, promote())).message
        assert f"incident {incident.id} is open" in told
        assert "conversations" not in told
        done = await store.journal.run(promote(override=True))
        assert [bar.met for bar in done.bars] == [True, True, True, False]
        assert done.bars[1].said.startswith("300 conversations")
        kind, said = (await facts(store))[-1]
        assert (kind, said.reason, len(said.met), len(said.unmet)) == ("autonomy.overridden", "looked at it", 3, 1)
        assert await lowered(store) == {}

    durable.run(run())


@pytest.mark.promise("AUT-5")
def test_within_the_cool_down_nothing_or_one_more_level_once_and_the_wait_begins_anew(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        keys = [f"incident/in_{at}" for at in range(4)]
        for key in keys:
            await store.journal.run(fall(happened(key)))
        assert await lowered(store) == {MONEY: Autonomy.A3}
        await publish(store, msgspec.structs.replace(RULE, again=Again.ONE_LEVEL))
        epoch = await store.in_force.read_epoch()
        for key in keys:
            await store.journal.run(fall(happened(f"{key}/again")))
        assert await lowered(store) == {MONEY: Autonomy.A2}
        assert await store.in_force.read_epoch() == epoch + 1
        said = await facts(store)
        assert [kind.split(".")[1] for kind, _ in said] == ["demoted", *["kept"] * 3, "demoted", *["kept"] * 3]
        assert [one.number for _, one in said] == list(range(1, 9))
        demotion: Demotion = await store.journal.run(lambda tx: tx.autonomy.get(ORDERS))
        assert demotion.levels[MONEY].clean_ms > demotion.levels[MONEY].since_ms

    durable.run(run())


def test_anybody_but_an_auditor_lowers_by_hand_to_a1_at_the_lowest(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable, None)

        def by_hand(by: str | None, levels: int) -> DemoteByHand:
            text = None if by is None else token(by)[1]
            return DemoteByHand(ids=IDS, use_case=ORDERS, types=(), levels=levels, reason="odd refunds", token=text)

        assert (await refused(store, by_hand(None, 1))).code is Code.NOT_ALLOWED
        moves = await store.journal.run(by_hand("pe_a", 1))
        assert {move.type for move in moves} == {MONEY, WRITE}
        await store.journal.run(by_hand("pe_a", 4))
        assert await lowered(store) == {MONEY: Autonomy.A1, WRITE: Autonomy.A1}
        assert (await refused(store, by_hand("pe_a", 1))).code is Code.ALREADY

    durable.run(run())


def test_the_jobs_process_sees_an_open_incident_and_two_of_them_lower_once(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        in_force = InForce()
        await look(in_force, store.in_force, CLOCK)
        both = [Demoting(store, in_force, ids=IDS, clock=CLOCK) for _ in range(2)]
        for one in both:
            await one.round()
        assert await lowered(store) == {}
        opening = Open(ids=IDS, use_case=ORDERS, title="t", severity=Severity.S2, token=token("pe_c")[1], scope=NOBODY)
        await store.journal.run(opening)
        for one in (*both, *both):
            await one.round()
        assert await lowered(store) == {MONEY: Autonomy.A3}
        assert len(await facts(store)) == 1

    durable.run(run())


@pytest.mark.promise("AUT-5")
def test_a_rate_lowers_and_the_cases_that_did_never_lower_again_after_a_promotion(durable: Rig) -> None:
    async def run() -> None:
        override = Trigger(cause=Cause.RATE, what="override", above=0.1, least=50)
        store = await ready(durable, Demote(triggers=(override,), after_minutes=0, least_units=0, cool_down_minutes=0))
        in_force = InForce()
        await look(in_force, store.in_force, CLOCK)

        async def counted(hours: int, bad: int, cases: int) -> None:
            def count(tx: Any) -> None:
                cell = Cell(ORDERS, tx.now_ms // 3_600_000 + hours, "", "", "")
                tx.watch.count({cell: Counter({"conversations": cases, "override": bad})})

            await store.journal.run(count)
            await Demoting(store, in_force, ids=IDS, clock=CLOCK).round()

        await counted(-40, 6, 49)
        assert await lowered(store) == {}
        await counted(-39, 0, 1)
        assert await lowered(store) == {MONEY: Autonomy.A3, WRITE: Autonomy.A3}
        ((_, said),) = await facts(store)
        assert (said.cause, said.bad, said.cases, said.above, said.least) == (Cause.RATE, 6, 50, 0.1, 50)
        await counted(-38, 30, 60)  # from before the move, counted late
        await store.journal.run(promote())
        assert await lowered(store) == {}
        await counted(-37, 30, 60)
        assert await lowered(store) == {}

    durable.run(run())


@pytest.mark.promise("AUT-1")
def test_two_processes_and_a_publish_at_the_same_time_lower_once_for_each_trigger(durable: Rig) -> None:
    async def run() -> None:
        rule = msgspec.structs.replace(RULE, cool_down_minutes=0)
        store, other = await ready(durable, rule), await durable.open()
        for at in range(6):
            one = fall(happened(f"incident/in_{at}"))
            results = await asyncio.gather(
                store.journal.run(one),
                other.journal.run(one),
                publish(other, rule, (Autonomy.A4, Autonomy.A3)[at % 2]),
                return_exceptions=True,
            )
            wrong = [result for result in results if isinstance(result, BaseException)]
            assert all(isinstance(error, HandrailError) and error.code is Code.LOST_RACE for error in wrong)
            for each in (store, other):  # a lost race is seen again at the next round
                assert await each.journal.run(one) is None
        # entries of two processes have no order before they are in the log, so their numbers give it
        said = sorted(await facts(store), key=lambda row: row[1].number)
        assert [one.key for _, one in said] == [f"incident/in_{at}" for at in range(6)]
        assert [one.number for _, one in said] == [1, 2, 3, 4, 5, 6]
        assert replayed([move for _, one in said for move in one.moves]) == await lowered(other) == {MONEY: Autonomy.A1}

    durable.run(run())


@pytest.mark.promise("AUT-1")
def test_drift_a_rollback_findings_and_a_missed_drill_are_each_seen_in_what_is_stored(durable: Rig) -> None:
    async def run() -> None:
        kinds = (
            Trigger(cause=Cause.DRIFT, what="failed"), Trigger(cause=Cause.ROLLBACK),
            Trigger(cause=Cause.FINDINGS, what="LEGAL", least=3), Trigger(cause=Cause.DRILL),
        )  # fmt: skip
        store = await ready(durable, Demote(triggers=kinds, cool_down_minutes=0))
        in_force = InForce()
        await look(in_force, store.in_force, CLOCK)
        drill = Drill(
            id="dr_1", due_at=1, plan=Plan(run="dr", seed="s"), state=DrillState.PLANNED, action=None, made=None,
            made_at=None, decided_at=None, person="", caught=None, open=False,
        )  # fmt: skip

        def roll_back(tx: Any) -> None:
            for at, safety in (("a", True), ("b", False)):
                tx.rollouts.add(
                    Rollout(
                        release=Digest(at * 64), use_case=ORDERS, author="pe_x", created_at=1, safety=safety, run=1,
                        state=State.ROLLED_BACK, ended_at=tx.now_ms,
                    )
                )  # fmt: skip

        def find(tx: Any) -> None:
            hour = tx.now_ms // 86_400_000 * 24
            tx.watch.count({Cell(ORDERS, hour, "", "", ""): Counter({"finding.input.LEGAL": 3})})
            tx.watch.count({Cell(ORDERS, hour - 1, "", "", ""): Counter({"finding.input.LEGAL": 99})})

        def miss(tx: Any) -> None:
            tx.drills.plan(drill)
            made = msgspec.structs.replace(drill, made=Made(use_case=ORDERS), made_at=tx.now_ms)
            tx.drills.made(made)
            tx.drills.decided(msgspec.structs.replace(made, decided_at=tx.now_ms, person="pe_a", caught=False))

        for happens in (Raise(ids=IDS, found=(raised(),)), roll_back, find, miss):
            await store.journal.run(happens)
            for _ in range(2):
                await Demoting(store, in_force, ids=IDS, clock=CLOCK).round()
        said = sorted(await facts(store), key=lambda row: row[1].number)
        assert [one.cause for _, one in said] == [Cause.DRIFT, Cause.ROLLBACK, Cause.FINDINGS, Cause.DRILL]
        assert [one.bad for _, one in said] == [0, 0, 3, 1]
        assert await lowered(store) == {MONEY: Autonomy.A1, WRITE: Autonomy.A1}
        assert "pe_a" not in str(said)

    durable.run(run())


@pytest.mark.promise("AUT-6")
def test_a_lowered_level_that_cannot_be_read_never_gives_a_snapshot_without_it(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        await store.journal.run(fall())
        in_force = InForce()
        await look(in_force, store.in_force, CLOCK)
        held, seen_at = in_force.current, in_force.fresh_at

        def broken(tx: Any) -> None:
            tx.fetch("UPDATE autonomy SET body = $1 RETURNING use_case", (b"{",))
            tx.bump_epoch()

        await store.journal.run(broken)
        with pytest.raises(msgspec.DecodeError):
            await look(in_force, store.in_force, CLOCK)
        assert in_force.current is held
        assert in_force.fresh_at == seen_at  # it grows old, and then nothing acts on it

    durable.run(run())
