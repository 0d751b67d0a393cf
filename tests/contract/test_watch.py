"""The watch on SQLite and PostgreSQL: each minute counted once, drift told once to its owner, alerts answered,
escalated and silenced, each with its entry; what a person must see at once is told at once."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from contract.test_actions import hire, token
from contract.test_notices import ALL, events, publish, receiver
from contract.test_outcomes import event, save
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin, entry_of

from handrail.app.watching import MINUTE_MS, TRIGGERS, Watching
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import FoundFact
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.notices import Event
from handrail.review.outcome import OutcomeType
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import PersonId
from handrail.watch.alarm import Acknowledge, Escalate, Raise, Silencing, unanswered_drift_of
from handrail.watch.alert import AGAIN_MS, TRIGGER_AGAIN_MS, Alert, AlertKind, AlertState, Raised, Severity
from handrail.watch.drift import HOURS
from handrail.watch.fold import CONVERSATIONS, INTERACTIONS, Folded, Keep, LearnAnew
from handrail.watch.measure import MATURITY_MS
from handrail.watch.series import LEAST_CASES, Series

OPEN = frozenset({AlertState.RAISED, AlertState.ACKNOWLEDGED})
LEGAL = FoundFact(Kind.LEGAL, "input", 0.9, "words", "mark")


class Late:
    """A clock that is ahead by what a test says."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return CLOCK.now_ms() + self.ahead_ms

    def monotonic(self) -> float:
        return CLOCK.monotonic()


def raised(**changes: Any) -> Raised:
    values = {
        "cause": "drift/orders/failed", "kind": AlertKind.DRIFT, "severity": Severity.WARNING, "use_case": ORDERS,
        "metric": "failed", "sentence": "Worse than its past.", "promise": "Once in 100,000.", "at_ms": CLOCK.now_ms(),
    }  # fmt: skip
    return Raised(**{**values, **changes})


async def ask(store: Any, times: int = 1, **changes: Any) -> Any:
    """Interactions of one new conversation; the first of it is its first."""
    thread = await begin(store)
    for at in range(times):
        facts = {"first": at == 0, "latency_ms": 100, **changes.get("facts", {})}
        await store.journal.record(entry_of(thread, **{**changes, "facts": facts}))
    return thread


async def alerts(store: Any, *states: AlertState) -> list[Alert]:
    found: list[Alert] = await store.watch.alerts(states=frozenset(states) or OPEN, limit=100)
    return found


async def kinds(store: Any) -> list[str]:
    return [read_facts(facts).kind for _, facts in await store.reader.entries(0, 1_000)]


async def overdue(store: Any, alert: Alert) -> None:
    def move(tx: Any) -> None:
        before = tx.alerts.get(alert.id)
        tx.alerts.swap(before, msgspec.structs.replace(before, version=before.version + 1, due_at=1))

    await store.journal.run(move)


async def long_ago(store: Any, alert: Alert, ms: int) -> None:
    """Told and answered so long ago."""

    def move(tx: Any) -> None:
        before = tx.alerts.get(alert.id)
        answered = None if before.acknowledged_at is None else before.acknowledged_at - ms
        then = msgspec.structs.replace(
            before, version=before.version + 1, told_ms=before.told_ms - ms, acknowledged_at=answered
        )
        tx.alerts.swap(before, then)

    await store.journal.run(move)


@pytest.mark.promise("WAT-1")
def test_one_cause_is_told_once_however_often_it_happens(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await publish(store, receiver("leads"), receiver("other", use_cases=("elsewhere",)))
        for _ in range(3):
            await store.journal.run(Raise(ids=IDS, found=(raised(), raised())))
        (one,) = await alerts(store)
        assert one.count == 6
        assert one.owner == "olga@shop.example"
        rows = await store.notices.listed(ALL, limit=100)
        assert [(row.notice.receiver, row.notice.event) for row in rows] == [("leads", "alert.raised")]
        assert rows[0].notice.said == "Worse than its past. Once in 100,000."
        assert (await kinds(store)).count("alert.raised") == 1

    durable.run(run())


@pytest.mark.promise("WAT-2")
def test_what_nobody_answers_goes_to_the_deputy_and_then_to_the_escalation_address_and_no_further(
    durable: Rig,
) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert await store.journal.run(Escalate(ids=IDS)) == 0
        told = []
        for _ in range(2):
            await overdue(store, one)
            assert await store.journal.run(Escalate(ids=IDS)) == 1
            told.append((await store.watch.alert(one.id)).owner)
        use_case = (await store.in_force.load()).ruleset.use_cases[ORDERS]
        assert told == [use_case.deputy, use_case.escalation]
        assert (await store.watch.alert(one.id)).due_at is None
        assert await events(store) == ["alert.raised", "alert.escalated", "alert.escalated"]
        assert (await kinds(store)).count("alert.escalated") == 2

    durable.run(run())


@pytest.mark.promise("WAT-2")
def test_who_acknowledges_stops_the_escalation_and_a_closed_cause_may_be_told_anew(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        me = token("pe_a")[1]
        got = await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=me, note="looking"))
        assert (got.state, got.by, got.due_at) == (AlertState.ACKNOWLEDGED, "pe_a", None)
        with pytest.raises(HandrailError) as twice:
            await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=me))
        assert twice.value.code is Code.ALREADY_DECIDED
        await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert len(await alerts(store)) == 1
        await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=me, close=True))
        await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert [each.id == one.id for each in await alerts(store)] == [False]
        assert [kind for kind in await kinds(store) if kind.startswith("alert.")] == [
            "alert.raised", "alert.acknowledged", "alert.closed", "alert.raised",
        ]  # fmt: skip

    durable.run(run())


@pytest.mark.promise("WAT-3")
def test_a_silence_hides_the_notice_and_not_the_alert_and_has_an_end(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        me = token("pe_a")[1]
        quiet = Silencing(ids=IDS, use_case=ORDERS, metric="failed", for_ms=3_600_000, reason="load test", token=me)
        await store.journal.run(quiet)
        await store.journal.run(Raise(ids=IDS, found=(raised(), raised(cause="x", metric="blocked"))))
        by = {one.first.metric: one for one in await alerts(store)}
        assert by["failed"].silent
        (silence,) = await store.watch.silences(CLOCK.now_ms())
        assert by["failed"].due_at == silence.until_ms
        assert not by["blocked"].silent
        assert await events(store) == ["alert.raised"]
        for broken in ({"for_ms": 0}, {"for_ms": 31 * 86_400_000}, {"reason": " "}):
            with pytest.raises(HandrailError) as refused:
                await store.journal.run(Silencing(ids=IDS, **{
                    "use_case": ORDERS, "metric": "", "for_ms": 1_000, "reason": "why", "token": me, **broken
                }))  # fmt: skip
            assert refused.value.code is Code.REQUEST_INVALID
        for misspelt in ({"use_case": "ordrs"}, {"metric": "faild"}):
            with pytest.raises(HandrailError) as unknown:
                await store.journal.run(Silencing(ids=IDS, **{
                    "use_case": ORDERS, "metric": "", "for_ms": 1_000, "reason": "why", "token": me, **misspelt
                }))  # fmt: skip
            assert unknown.value.code is Code.NOT_FOUND

    durable.run(run())


@pytest.mark.promise("WAT-11")
def test_what_was_raised_under_a_silence_is_told_when_the_silence_is_over_and_then_escalates(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        me = token("pe_a")[1]
        await store.journal.run(
            Silencing(ids=IDS, use_case=ORDERS, metric="", for_ms=3_600_000, reason="load test", token=me)
        )
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        await overdue(store, one)
        await store.journal.run(Escalate(ids=IDS))  # the silence still covers it
        (silence,) = await store.watch.silences(CLOCK.now_ms())
        assert (await store.watch.alert(one.id)).due_at == silence.until_ms
        assert await events(store) == []
        await store.journal.run(lambda tx: tx.fetch("UPDATE silence SET until_ms = 1"))
        await overdue(store, one)
        await store.journal.run(Escalate(ids=IDS))
        told = await store.watch.alert(one.id)
        assert (told.silent, told.step, told.owner) == (False, 0, "olga@shop.example")
        await overdue(store, one)
        await store.journal.run(Escalate(ids=IDS))
        assert await events(store) == ["alert.raised", "alert.escalated"]

    durable.run(run())


@pytest.mark.promise("WAT-11")
def test_a_silence_of_a_use_case_keeps_no_threat_of_court_from_its_owner(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        me = token("pe_a")[1]
        legal = raised(cause="trigger/orders/LEGAL", metric="LEGAL", kind=AlertKind.TRIGGER, severity=Severity.CRITICAL)
        for metric, told in (("", ["alert.raised"]), ("LEGAL", ["alert.raised"])):
            await store.journal.run(
                Silencing(ids=IDS, use_case=ORDERS, metric=metric, for_ms=60_000, reason="why", token=me)
            )
            cause = legal.cause + metric
            await store.journal.run(Raise(ids=IDS, found=(msgspec.structs.replace(legal, cause=cause),)))
            assert await events(store) == told

    durable.run(run())


@pytest.mark.promise("WAT-12")
def test_a_threat_of_court_after_one_that_somebody_took_is_told_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        legal = raised(cause="t", metric="LEGAL", kind=AlertKind.TRIGGER, severity=Severity.CRITICAL)
        angry = raised(cause="c", metric="COMPLAINT", kind=AlertKind.TRIGGER)
        me = token("pe_a")[1]
        for one in await store.journal.run(Raise(ids=IDS, found=(legal, angry, raised()))):
            await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=me))
        assert len(await events(store)) == 3
        again = (legal, angry, raised())
        assert [one.first for one in await store.journal.run(Raise(ids=IDS, found=again))] == [legal]
        by = {one.first.cause: one for one in await alerts(store)}
        assert {cause: one.count for cause, one in by.items()} == {"t": 2, "c": 2, "drift/orders/failed": 2}
        assert (by["t"].state, by["t"].by, by["t"].acknowledged_at) == (AlertState.RAISED, "", None)
        assert by["t"].due_at is not None
        for cause, ago in (("c", TRIGGER_AGAIN_MS), ("drift/orders/failed", AGAIN_MS)):
            await long_ago(store, by[cause], ago)
        assert len(await store.journal.run(Raise(ids=IDS, found=again))) == 2
        assert (await kinds(store)).count("alert.raised") == 6

    durable.run(run())


@pytest.mark.promise("WAT-12")
def test_what_goes_on_a_day_after_the_last_escalation_that_nobody_answered_is_told_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        for _ in range(2):
            await overdue(store, one)
            await store.journal.run(Escalate(ids=IDS))
        assert await store.journal.run(Raise(ids=IDS, found=(raised(),))) == []
        await long_ago(store, await store.watch.alert(one.id), AGAIN_MS)
        (again,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert (again.id, again.count, again.step, again.owner) == (one.id, 3, 0, "olga@shop.example")

    durable.run(run())


@pytest.mark.promise("WAT-2")
def test_an_alert_about_what_is_two_days_old_leaves_its_owner_half_an_hour_all_the_same(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        await store.journal.run(Raise(ids=IDS, found=(raised(at_ms=CLOCK.now_ms() - MATURITY_MS),)))
        assert await store.journal.run(Escalate(ids=IDS)) == 0

    durable.run(run())


@pytest.mark.promise("WAT-2")
def test_nobody_who_was_disabled_is_told_while_somebody_else_is_named(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        use_case = (await store.in_force.load()).ruleset.use_cases[ORDERS]
        gone = Person(
            id=PersonId("pe_gone"), mail=use_case.owner, name="Gone", roles=frozenset({Role.OWNER}), created_at=1,
            disabled_at=2,
        )  # fmt: skip
        await store.journal.run(lambda tx: tx.persons.add(gone))
        (one,) = await store.journal.run(Raise(ids=IDS, found=(raised(),)))
        assert one.owner == use_case.deputy
        assert (await store.watch.alert(one.id)).owner == use_case.deputy

    durable.run(run())


@pytest.mark.promise("WAT-4")
def test_each_minute_is_counted_once_whoever_counts_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        await ask(store, 3)
        await ask(store, 1, facts={"outcome": Outcome.FAILED})
        clock = Late()
        first = Watching(store, "p1", ids=IDS, clock=clock)
        second = Watching(store, "p2", ids=IDS, clock=clock)
        await first.round()
        clock.ahead_ms = 5 * MINUTE_MS
        await first.round()
        await second.round()
        await first.round()
        total: Counter[str] = Counter()
        for cell, counts in await store.watch.measured(0, 10**9):
            assert cell.use_case == ORDERS
            total.update(counts)
        assert (total["interactions"], total["new_conversations"], total["failed"]) == (4, 2, 1)
        series = {one.metric: one for one in await store.watch.series()}
        assert (sum(series["failed"].bad), sum(series["failed"].cases)) == (1, 4)
        await ask(store, 2, at_ms=clock.now_ms())
        clock.ahead_ms = 20 * MINUTE_MS
        await first.round()
        series = {one.metric: one for one in await store.watch.series()}
        assert sum(series["failed"].cases) == 6

    durable.run(run())


def test_what_was_read_by_a_process_that_lost_the_watch_is_not_kept(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        keep = {"ids": IDS, "lease_ms": 60_000, "stream": INTERACTIONS, "folded": Folded()}
        await store.journal.run(Keep(holder="p1", before_ms=None, until_ms=60_000, **keep))
        with pytest.raises(HandrailError) as other:
            await store.journal.run(Keep(holder="p2", before_ms=60_000, until_ms=120_000, **keep))
        assert other.value.code is Code.LOST_RACE
        with pytest.raises(HandrailError) as stale:
            await store.journal.run(Keep(holder="p1", before_ms=0, until_ms=120_000, **keep))
        assert stale.value.code is Code.LOST_RACE
        assert await store.watch.cursors() == {INTERACTIONS: 60_000}

    durable.run(run())


@pytest.mark.promise("WAT-5")
def test_outcomes_are_counted_for_the_conversation_once_they_are_complete(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        threads = [await ask(store) for _ in range(4)]
        await save(
            store,
            event(conversation=threads[0].conversation, type=OutcomeType.TRANSFER),
            event(conversation=threads[0].conversation, type=OutcomeType.TRANSFER),
            event(conversation=threads[1].conversation, type=OutcomeType.REPEAT_CONTACT),
        )
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        clock.ahead_ms = 10 * MINUTE_MS
        await watching.round()
        assert not any(counts["conversations"] for _, counts in await store.watch.measured(0, 10**9))
        clock.ahead_ms = MATURITY_MS + 10 * MINUTE_MS
        await watching.round()
        total: Counter[str] = Counter()
        for _, counts in await store.watch.measured(0, 10**9):
            total.update(counts)
        assert (total["conversations"], total["transfer"], total["repeat_contact"], total["contained"]) == (4, 1, 1, 2)
        assert (await store.watch.cursors())[CONVERSATIONS] > 0

    durable.run(run())


@pytest.mark.promise("WAT-6")
def test_a_legal_threat_is_told_at_once_by_rule(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        await ask(store, facts={"findings": (LEGAL,)})
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        clock.ahead_ms = 3_000
        await watching.round()
        assert await alerts(store) == []  # the past before the first look is no news
        thread = await begin(store)
        entry = entry_of(thread, at_ms=clock.now_ms(), facts={"findings": (LEGAL,)})
        await store.journal.record(entry)
        clock.ahead_ms += 5_000
        await watching.round()
        (one,) = await alerts(store)
        assert (one.first.metric, one.first.severity, one.latest) == ("LEGAL", Severity.CRITICAL, entry.interaction)
        assert await events(store) == [Event.ALERT.value]
        assert TRIGGERS in await store.watch.cursors()

    durable.run(run())


def settled(**changes: Any) -> Series:
    values = {
        "use_case": ORDERS, "metric": "failed", "bad": (1,) * HOURS, "cases": (100,) * HOURS, "first_ms": 0,
        "learnt_ms": 1, "bounds": (0.012,) * HOURS,
    }  # fmt: skip
    return Series(**{**values, **changes})


@pytest.mark.promise("WAT-7")
def test_a_rate_that_has_become_worse_than_its_past_is_told_with_its_promise_and_waits_for_an_answer(
    durable: Rig,
) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        await store.journal.run(lambda tx: tx.watch.keep([settled()]))
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await ask(store, 40, facts={"language": "", "outcome": Outcome.FAILED})
        clock.ahead_ms = 3 * MINUTE_MS
        await watching.round()
        (one,) = await alerts(store)
        assert one.first.cause == "drift/orders/failed"
        assert "40 of 40 interactions (100.0%)" in one.first.sentence
        assert "once in 100,000 interactions" in one.first.promise
        await ask(store, 40, at_ms=clock.now_ms(), facts={"language": "", "outcome": Outcome.FAILED})
        clock.ahead_ms += 3 * MINUTE_MS
        await watching.round()
        assert (await store.watch.alert(one.id)).count == 1  # it stands still until somebody answers
        assert one.id in await store.journal.run(lambda tx: unanswered_drift_of(tx, ORDERS))
        await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=token("pe_a")[1]))
        assert await store.journal.run(lambda tx: unanswered_drift_of(tx, ORDERS)) == ""
        await ask(store, 40, at_ms=clock.now_ms(), facts={"language": "", "outcome": Outcome.FAILED})
        clock.ahead_ms += 3 * MINUTE_MS
        await watching.round()
        assert (await store.watch.alert(one.id)).count == 2
        learnt = await store.journal.run(LearnAnew(ids=IDS, use_case=ORDERS, metric="failed", token=token("pe_a")[1]))
        assert (learnt.learnt_ms, sum(learnt.cases)) == (None, 0)

    durable.run(run())


@pytest.mark.promise("WAT-8")
def test_a_language_never_seen_before_is_told_once_and_not_while_a_use_case_is_new(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, receiver("leads"))
        clock = Late()
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        await ask(store, facts={"language": "en"})
        clock.ahead_ms = 3 * MINUTE_MS
        await watching.round()
        assert await alerts(store) == []
        known = settled(cases=(LEAST_CASES,) * HOURS)
        await store.journal.run(lambda tx: tx.watch.keep([known]))
        watching = Watching(store, "p1", ids=IDS, clock=clock)
        for language in ("en", "pl", "pl"):
            await ask(store, at_ms=clock.now_ms(), facts={"language": language})
        clock.ahead_ms += 3 * MINUTE_MS
        await watching.round()
        assert [one.first.cause for one in await alerts(store)] == ["new/orders/language/pl"]

    durable.run(run())
