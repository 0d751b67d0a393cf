"""The watch through late commits, wrong clocks, restarts, storms and broken minutes, on SQLite and PostgreSQL."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from contract.test_actions import hire, token
from contract.test_notices import events, publish, receiver
from contract.test_outcomes import event, save
from contract.test_watch import LEGAL, Late, alerts, ask, raised, settled
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin, entry_of

from handrail.app.watching import AT_ONCE, MINUTE_MS, Watching
from handrail.backends.watching import MEASURED
from handrail.review.outcome import OutcomeType
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.watch.alarm import Acknowledge, EndSilence, Escalate, Raise, Silencing
from handrail.watch.alert import AlertState
from handrail.watch.drift import Drift
from handrail.watch.fold import (
    CONVERSATIONS,
    FORCED,
    MANY,
    Answered,
    Asked,
    Folded,
    Gathered,
    Keep,
    LearnAnew,
    fold_interactions,
)  # fmt: skip
from handrail.watch.measure import HOUR_MS, MATURITY_MS, Cell, Counts

DAY_MS = 24 * HOUR_MS


async def ready(durable: Rig) -> Any:
    store = await durable.open()
    await store.journal.run(hire)
    await publish(store, receiver("leads"))
    return store


async def threat(store: Any, at_ms: int, **facts: Any) -> Any:
    thread = await begin(store)
    await store.journal.record(entry_of(thread, at_ms=at_ms, facts={"findings": (LEGAL,), **facts}))
    return thread


async def counts(store: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for _, more in await store.watch.measured(0, 10**9):
        total.update(more)
    return total


@pytest.mark.promise("WAT-13")
@pytest.mark.parametrize("off_ms", [-120_000, 0, 300_000])
def test_a_threat_that_is_committed_late_or_by_a_wrong_clock_is_told_all_the_same_and_once(
    durable: Rig, off_ms: int
) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await watching.round()
        clock.ahead_ms = DAY_MS
        await threat(store, clock.now_ms())
        await watching.round()
        (one,) = await alerts(store)
        await threat(store, clock.now_ms() + off_ms)
        for _ in range(3):
            clock.ahead_ms += 5_000
            await watching.round()
        assert (await store.watch.alert(one.id)).count == 2

    durable.run(run())


@pytest.mark.promise("WAT-13")
def test_a_process_that_has_just_begun_tells_at_once_what_came_while_none_ran(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        first = Watching(store, "p1", ids=IDS, clock=clock)
        await first.round()  # before anything was ever asked: what comes is news from now on
        await ask(store)
        clock.ahead_ms = 3 * MINUTE_MS
        await first.round()  # and holds the lease, and is killed
        await threat(store, clock.now_ms())
        clock.ahead_ms += 2 * HOUR_MS
        await Watching(store, "p2", ids=IDS, clock=clock).round()
        assert [one.first.metric for one in await alerts(store)] == ["LEGAL"]

    durable.run(run())


@pytest.mark.promise("WAT-13")
def test_a_threat_between_the_beginning_of_a_process_and_its_first_look_is_told(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        clock.ahead_ms = 2_000
        await threat(store, clock.now_ms() - 1_000)
        await watching.round()
        assert len(await alerts(store)) == 1

    durable.run(run())


@pytest.mark.promise("WAT-13")
def test_one_conversation_counts_once_and_is_told_again_when_its_alert_was_closed(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await watching.round()
        thread = await begin(store)
        for _ in range(3):
            clock.ahead_ms += 5_000
            await store.journal.record(entry_of(thread, at_ms=clock.now_ms(), facts={"findings": (LEGAL, LEGAL)}))
            await watching.round()
        (one,) = await alerts(store)
        assert one.count == 1
        await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=token("pe_a")[1]))
        clock.ahead_ms += 5_000
        await watching.round()
        assert (await store.watch.alert(one.id)).state is AlertState.ACKNOWLEDGED  # nothing new was said
        await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=token("pe_a")[1], close=True))
        clock.ahead_ms += 5_000
        await store.journal.record(entry_of(thread, at_ms=clock.now_ms(), facts={"findings": (LEGAL,)}))
        await watching.round()
        assert [each.state for each in await alerts(store)] == [AlertState.RAISED]

    durable.run(run())


@pytest.mark.promise("WAT-13")
def test_a_flood_of_threats_is_told_whole_in_one_alert(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await watching.round()
        clock.ahead_ms = 1_000
        for _ in range(520):
            await threat(store, clock.now_ms())
        await watching.round()
        assert [one.count for one in await alerts(store)] == [520]

    durable.run(run())


@pytest.mark.promise("WAT-7")
def test_what_a_person_lets_learn_anew_is_not_put_back_by_a_server_that_remembers_the_old(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        await store.journal.run(lambda tx: tx.watch.keep([settled()]))
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await ask(store, 3)
        clock.ahead_ms = 3 * MINUTE_MS
        await watching.round()
        await store.journal.run(LearnAnew(ids=IDS, use_case=ORDERS, metric="failed", token=token("pe_a")[1]))
        for _ in range(2):
            await ask(store, 2, at_ms=clock.now_ms())
            clock.ahead_ms += 3 * MINUTE_MS
            await watching.round()
        (failed,) = [one for one in await store.watch.series() if one.metric == "failed"]
        assert (failed.learnt_ms, sum(failed.cases), failed.generation) == (None, 4, 1)

    durable.run(run())


@pytest.mark.promise("WAT-4")
def test_evidence_outlives_the_process_that_gathered_it(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        await store.journal.run(lambda tx: tx.watch.keep([settled()]))
        clock = Late()
        seen = []
        for at in range(3):
            await ask(store, 1, at_ms=clock.now_ms(), facts={"language": "", "outcome": Outcome.FAILED})
            clock.ahead_ms += 3 * MINUTE_MS
            watching = Watching(store, f"p{at}", ids=IDS, clock=clock)
            await watching.round()
            await watching.close()  # its lease is nobody's: the next one counts at once
            (failed,) = [one for one in await store.watch.series() if one.metric == "failed"]
            seen.append((failed.drift.value, failed.watched))
        assert [watched for _, watched in seen] == [1, 2, 3]
        assert seen[2][0] > 4 * seen[0][0]

    durable.run(run())


def test_what_a_process_remembers_does_not_overwrite_what_another_has_counted_since(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        stale, now = settled(alarmed=True), settled(alarmed=True, watched=7)
        await store.journal.run(lambda tx: tx.watch.keep([now]))
        (kept,) = await store.journal.run(Answered(series=(stale,)))
        assert (kept.alarmed, kept.watched) == (False, 7)

    durable.run(run())


@pytest.mark.promise("WAT-11")
def test_a_silence_that_was_a_mistake_is_ended_and_what_it_hid_is_told(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        me = token("pe_a")[1]
        values = {"ids": IDS, "use_case": ORDERS, "metric": "", "for_ms": 30 * DAY_MS, "reason": "why", "token": me}
        made = await store.journal.run(Silencing(**values))
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert one.silent
        ended = await store.journal.run(EndSilence(ids=IDS, silence=made.id, token=me))
        assert await store.watch.silences(ended.until_ms) == []
        assert await store.journal.run(Escalate(ids=IDS)) == 1
        assert await events(store) == ["alert.raised"]
        assert (await store.watch.alert(one.id)).silent is False
        with pytest.raises(HandrailError) as over:
            await store.journal.run(EndSilence(ids=IDS, silence=made.id, token=me))
        assert over.value.code is Code.NOT_FOUND

    durable.run(run())


@pytest.mark.promise("WAT-4")
def test_minutes_of_one_hour_add_up(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        begun = CLOCK.now_ms() // HOUR_MS * HOUR_MS - DAY_MS
        for minute in (0, 1, 59):
            thread = await begin(store)
            await store.journal.record(entry_of(thread, at_ms=begun + minute * MINUTE_MS, facts={"first": True}))
        await Watching(store, "p1", ids=IDS, clock=Late()).round()
        rows = await store.watch.measured(0, 10**9)
        assert [(cell.hour, more["interactions"]) for cell, more in rows] == [(begun // HOUR_MS, 3)]

    durable.run(run())


def test_of_two_who_move_an_alert_at_once_one_is_told_that_it_moved(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        later = msgspec.structs.replace(one, version=one.version + 1, note="mine")
        await store.journal.run(lambda tx: tx.alerts.swap(one, later))
        with pytest.raises(HandrailError) as lost:
            await store.journal.run(lambda tx: tx.alerts.swap(one, msgspec.structs.replace(later, note="theirs")))
        assert lost.value.code is Code.LOST_RACE
        assert (await store.watch.alert(one.id)).note == "mine"

    durable.run(run())


@pytest.mark.promise("WAT-14")
def test_a_provider_that_names_itself_anew_with_each_answer_makes_no_storm(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        for at in range(30):
            await ask(store, facts={"provider": "p", "model": "m", "answered_by": f"m fp_{at:03}"})
        clock.ahead_ms = 3 * MINUTE_MS
        await watching.round()
        found = await alerts(store)
        many = [one for one in found if one.first.cause.endswith("/many")]
        assert sorted(one.first.cause.rpartition("/")[2] for one in found) == [
            *(f"m fp_{at:03}" for at in range(1, MANY)),
            "many",
        ]  # of the first one nobody is told: it is what answers
        assert [one.count for one in many] == [30 - MANY]
        assert "more than 5" in many[0].first.sentence

    durable.run(run())


@pytest.mark.promise("WAT-15")
def test_a_minute_that_cannot_be_counted_keeps_no_other_part_from_its_work(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await watching.round()
        thread = await ask(store)
        await save(store, event(conversation=thread.conversation, type=OutcomeType.TRANSFER))
        await store.journal.run(lambda tx: tx.fetch("UPDATE outcome SET facts = $1", (b"{",)))
        clock.ahead_ms = MATURITY_MS + 10 * MINUTE_MS
        await threat(store, clock.now_ms())
        for _ in range(2):
            clock.ahead_ms += 3 * MINUTE_MS
            await watching.round()
        assert [one.first.metric for one in await alerts(store)] == ["LEGAL"]
        total = await counts(store)
        assert (total["interactions"], total["conversations"]) == (2, 0)

    durable.run(run())


@pytest.mark.promise("WAT-5")
def test_a_conversation_that_a_rule_handed_over_later_is_neither_contained_nor_a_transfer(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        kept = await ask(store)
        forced = await begin(store)
        at = CLOCK.now_ms()
        await store.journal.record(entry_of(forced, at_ms=at, facts={"first": True}))
        over = {"first": False, "outcome": Outcome.HANDOVER}
        await store.journal.record(entry_of(forced, at_ms=at + 40 * HOUR_MS, facts=over))
        await save(
            store,
            event(conversation=forced.conversation, type=OutcomeType.TRANSFER),
            event(conversation=kept.conversation, type=OutcomeType.COMPLAINT, occurred_at_ms=at + 3 * DAY_MS),
        )
        clock = Late()
        clock.ahead_ms = MATURITY_MS + 10 * MINUTE_MS
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await watching.round()  # after a pause: the later part is counted before the earlier conversation is
        await watching.round()
        total = await counts(store)
        assert (total["conversations"], total["contained"], total["transfer"], total["forced"]) == (2, 1, 0, 1)
        assert total["told.transfer"] == 1
        await ask(store, at_ms=at + 5 * DAY_MS)
        clock.ahead_ms += 10 * DAY_MS
        for _ in range(3):
            await watching.round()
        assert (await store.watch.cursors())[CONVERSATIONS] > at + 4 * DAY_MS
        await store.journal.run(lambda tx: tx.watch.forget(FORCED, 2**53))

    durable.run(run())


@pytest.mark.promise("WAT-5")
def test_after_a_pause_a_conversation_waits_until_all_of_its_two_days_are_counted(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        begun = CLOCK.now_ms() - 5 * DAY_MS
        thread, other = await begin(store), await begin(store)
        await store.journal.record(entry_of(thread, at_ms=begun, facts={"first": True}))
        for minute in range(1, AT_ONCE + 5):
            await store.journal.record(entry_of(other, at_ms=begun + minute * MINUTE_MS))
        over = {"first": False, "outcome": Outcome.HANDOVER}
        await store.journal.record(entry_of(thread, at_ms=begun + 40 * HOUR_MS, facts=over))
        watching = Watching(store, "p1", ids=IDS, clock=Late())
        await watching.round()
        assert (await counts(store))["conversations"] == 0
        await watching.round()
        total = await counts(store)
        assert (total["conversations"], total["forced"], total["contained"]) == (1, 1, 0)

    durable.run(run())


@pytest.mark.promise("WAT-5")
def test_what_happens_after_two_days_counts_as_little_when_the_counting_is_late(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        clock = Late()
        begun = CLOCK.now_ms() - 5 * DAY_MS
        threads = []
        for _ in range(2):
            thread = await begin(store)
            threads.append(thread)
            await store.journal.record(entry_of(thread, at_ms=begun, facts={"first": True}))
        for thread, after_ms in zip(threads, (47 * HOUR_MS, 49 * HOUR_MS), strict=True):
            await save(
                store,
                event(
                    conversation=thread.conversation, type=OutcomeType.REPEAT_CONTACT, occurred_at_ms=begun + after_ms
                ),
            )
        await Watching(store, "p1", ids=IDS, clock=clock).round()
        total = await counts(store)
        assert (total["conversations"], total["repeat_contact"], total["contained"]) == (2, 1, 1)

    durable.run(run())


def test_a_busy_minute_is_read_in_portions_each_interaction_once_in_the_order_of_time(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        for at_ms in (HOUR_MS + 2, HOUR_MS, HOUR_MS + 1, HOUR_MS, HOUR_MS + 9):
            await ask(store, 2, at_ms=at_ms)
        read = [some async for some in store.watch.asked(HOUR_MS, HOUR_MS + 9, portion=3)]
        assert [len(some) for some in read] == [3, 3, 2]
        rows = [one for some in read for one in some]
        assert [one.at_ms - HOUR_MS for one in rows] == [0, 0, 0, 0, 1, 1, 2, 2]
        assert [some async for some in store.watch.asked(HOUR_MS, HOUR_MS + 9, portion=8)] == [rows]
        assert await store.watch.began(HOUR_MS, HOUR_MS + 9) == [one for one in rows if one.facts.first]
        gathered = Gathered({})
        for some in read:
            gathered.take(some)
        assert gathered.folded(HOUR_MS) == fold_interactions({}, HOUR_MS, rows)

    durable.run(run())


def test_hours_are_found_by_the_key_for_every_use_case(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        assert await store.watch.measured(3, 5) == []
        cells = {Cell(name, hour, "", "en", "chat"): Counts(conversations=hour) for name in "cab" for hour in range(9)}
        await store.journal.run(lambda tx: tx.watch.count(cells))
        found = await store.watch.measured(3, 5)
        assert [(cell.use_case, cell.hour) for cell, _ in found] == [(name, hour) for name in "abc" for hour in (3, 4)]
        assert [counts["conversations"] for _, counts in found] == [3, 4] * 3
        if durable.kind == "sqlite":
            plan = [row[3] for row in store.db.execute("EXPLAIN QUERY PLAN " + MEASURED, (3, 5))]
            assert not any(step.startswith(("SCAN m", "SCAN measure")) for step in plan), plan
            assert any("use_case=? AND hour>? AND hour<?" in step for step in plan), plan

    durable.run(run())


def test_a_minute_is_read_the_same_way_from_both_stores(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await ask(store, 2, at_ms=HOUR_MS)
        rows: list[Asked] = [one async for some in store.watch.asked(HOUR_MS, HOUR_MS + 1) for one in some]
        folded = fold_interactions({}, HOUR_MS, rows)
        await store.journal.run(
            Keep(
                ids=IDS, holder="p", lease_ms=1, stream="s", before_ms=None, until_ms=1,
                folded=Folded(cells=folded.cells, series=folded.series),
            )
        )  # fmt: skip
        ((cell, counts),) = await store.watch.measured(1, 2)
        assert (cell, dict(counts)) == (next(iter(folded.cells)), dict(folded.cells[cell]))
        kept = {one.metric: one for one in await store.watch.series()}
        assert kept == {one.metric: one for one in folded.series}
        assert kept["failed"].drift == Drift()

    durable.run(run())
