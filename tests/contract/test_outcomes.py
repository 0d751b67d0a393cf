"""One suite for outcome events: in memory, SQLite and PostgreSQL keep the same promises."""

import asyncio
import itertools
import json
from typing import Any

import msgspec
import pytest
from fakes.log import LOG_KEY, TRUST
from fakes.storage import CLOCK, IDS, OPERATOR, ORDERS, MemoryStore, Rig, begin, entry_of

from handrail.backends.log.files import LogFolder
from handrail.backends.log.records import StoredRecords
from handrail.backends.log.sequencer import Sequencer
from handrail.ledger.commitment import read_facts
from handrail.ledger.erase import Who
from handrail.ledger.verify import verify
from handrail.review.outcome import OutcomeData, OutcomeEvent, OutcomeFacts, OutcomeType
from handrail.review.store import Taken
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, UseCaseId

ANN = CustomerId("ann.heliotrope@example.org")
REFUNDS = UseCaseId("refunds")
TEXTS = OutcomeData(proposed="Dear Ann Heliotrope", sent="Dear Ms Heliotrope", comment="heliotrope was rude")
WHY = {"reason": "request 4711", "by": OPERATOR}


def event(**changes: Any) -> OutcomeEvent:
    given = {"source": "crm", "id": IDS.new("ev"), "type": OutcomeType.COMPLAINT, "occurred_at_ms": CLOCK.now_ms()}
    return OutcomeEvent(**{**given, **changes})


async def save(store: Any, *events: OutcomeEvent, use_case: str | None = None) -> list[Taken]:
    return await store.outcomes.save(events, key_id="k9", use_case=use_case)


async def begun(store: Any, **turn: Any) -> Any:
    """A conversation whose first interaction is durable."""
    thread = await begin(store, **turn)
    await store.threads.close_turn(thread, history=[b"hello", b"hi"])
    entry = entry_of(thread, facts={"use_case": turn.get("use_case", ORDERS)})
    await store.journal.record(entry)
    return thread, entry


async def outcomes(store: Any) -> list[tuple[Any, OutcomeFacts]]:
    """(entry, its facts) of every entry about an outcome."""
    rows = [read_facts(facts) for _, facts in await store.reader.entries(0, 1_000)]
    return [(row, msgspec.json.decode(row.facts, type=OutcomeFacts)) for row in rows if row.kind.startswith("outcome.")]


@pytest.mark.promise("EVT-3")
def test_an_event_about_an_interaction_a_conversation_or_a_given_id_finds_it(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread, entry = await begun(store, conversation="ticket-1")
        names = [
            {"interaction": entry.interaction},
            {"conversation": thread.conversation},
            {"conversation": "ticket-1"},
        ]
        assert await save(store, *(event(**name) for name in names)) == [Taken.ACCEPTED] * 3
        for row, facts in await outcomes(store):
            assert row.conversation == thread.conversation
            assert row.use_case == ORDERS
            assert facts.matched
            assert row.actor.id == "k9"
        assert await store.outcomes.unmatched() == 0

    rig.run(body())


@pytest.mark.promise("EVT-3")
def test_a_customer_means_the_latest_conversation_begun_before_the_time(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        early = CLOCK.now_ms() - 1
        first, _ = await begun(store, customer=ANN)
        while CLOCK.now_ms() <= early + 1:
            pass
        between = CLOCK.now_ms()
        while CLOCK.now_ms() <= between:
            pass
        second, _ = await begun(store, customer=ANN)
        taken = await save(
            store,
            event(customer=ANN, occurred_at_ms=early),
            event(customer=ANN, occurred_at_ms=between),
            event(customer=ANN),
            event(customer="nobody"),
        )
        assert taken == [Taken.UNMATCHED, Taken.ACCEPTED, Taken.ACCEPTED, Taken.UNMATCHED]
        found = [row.conversation for row, _ in await outcomes(store)]
        assert found == [None, first.conversation, second.conversation, None]

    rig.run(body())


@pytest.mark.promise("EVT-4")
def test_the_same_source_and_id_count_once_whatever_they_say(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread, _ = await begun(store)
        one = event(conversation=thread.conversation, id="1")
        again = event(conversation="other", id="1", type=OutcomeType.TRANSFER)
        other_source = event(conversation=thread.conversation, id="1", source="helpdesk")
        assert await save(store, one, one, again) == [Taken.ACCEPTED, Taken.DUPLICATE, Taken.DUPLICATE]
        assert await save(store, one, other_source) == [Taken.DUPLICATE, Taken.ACCEPTED]
        assert len(await outcomes(store)) == 2

    rig.run(body())


@pytest.mark.promise("EVT-5")
def test_a_key_of_one_use_case_neither_speaks_for_another_nor_silences_it(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread, entry = await begun(store, conversation="ticket-1")
        names = [
            {"conversation": "ticket-1"},
            {"conversation": thread.conversation},
            {"interaction": entry.interaction},
        ]
        theirs = [event(**name, id=str(at)) for at, name in enumerate(names)]
        assert await save(store, *theirs, use_case=REFUNDS) == [Taken.UNMATCHED] * 3
        said = event(conversation="ticket-1", use_case=ORDERS)
        assert await save(store, said, use_case=REFUNDS) == [Taken.UNMATCHED]
        await store.outcomes.match(limit=100)
        assert await store.outcomes.unmatched() == 4
        assert await save(store, *theirs, use_case=ORDERS) == [Taken.ACCEPTED] * 3
        assert await save(store, *theirs) == [Taken.DUPLICATE] * 3

    rig.run(body())


def test_a_given_id_of_two_use_cases_is_not_guessed(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        await begun(store, conversation="7")
        refunds, _ = await begun(store, conversation="7", use_case=REFUNDS)
        assert await save(store, event(conversation="7")) == [Taken.UNMATCHED]
        assert await save(store, event(conversation="7", use_case=REFUNDS)) == [Taken.ACCEPTED]
        assert (await outcomes(store))[-1][0].conversation == refunds.conversation

    rig.run(body())


@pytest.mark.promise("EVT-6")
def test_what_came_before_its_conversation_is_kept_counted_and_matched_later(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        early = event(conversation="ticket-9", type=OutcomeType.CSAT, data=OutcomeData(score=4, comment="fine"))
        assert await save(store, early) == [Taken.UNMATCHED]
        assert await store.outcomes.match(limit=100) == 0
        assert await store.outcomes.unmatched() == 1
        thread, _ = await begun(store, conversation="ticket-9")
        await due(rig, store)
        assert await store.outcomes.match(limit=100) == 1
        assert await store.outcomes.match(limit=100) == 0
        assert await store.outcomes.unmatched() == 0
        (first, before), (second, after) = await outcomes(store)
        assert (first.kind, second.kind) == ("outcome.reported", "outcome.matched")
        assert (before.matched, after.matched) == (False, True)
        assert second.conversation == thread.conversation
        assert after.score == 4
        assert after.outcome == before.outcome
        assert await save(store, early) == [Taken.DUPLICATE]

    rig.run(body())


async def due(rig: Rig, store: Any) -> None:
    """As if the time to try again had come."""
    if rig.kind != "memory":
        await store.journal.run(lambda tx: tx.fetch("UPDATE outcome SET next_at_ms = 0"))


def test_an_unmatched_event_is_tried_less_and_less_often(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        await save(store, event(conversation="nowhere"))
        waits = []
        for _ in range(16):
            await due(durable, store)
            now = await store.journal.run(lambda tx: tx.now_ms)
            await store.outcomes.match(limit=10)
            found = await store.reading.rows("SELECT next_at_ms FROM outcome")
            waits.append(found[0][0] - now)
        assert 10_000 <= waits[0] < 12_000
        assert waits[-1] <= 6 * 3_600_000 + 2_000
        assert all(later >= earlier - 2_000 for earlier, later in itertools.pairwise(waits))

    durable.run(body())


@pytest.mark.promise("EVT-7")
def test_facts_carry_numbers_and_no_text_and_the_texts_are_sealed(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        await begun(store, customer=ANN)
        late = event(
            customer=ANN,
            type=OutcomeType.OVERRIDE,
            data=TEXTS,
            occurred_at_ms=CLOCK.now_ms() - 60_000,
            source="ann@crm",
        )
        assert await save(store, late) == [Taken.UNMATCHED]  # she had no conversation a minute ago
        ((row, facts),) = await outcomes(store)
        raw = b"".join(facts for _, facts in await store.reader.entries(0, 100))
        assert b"eliotrope" not in raw
        assert b"ann@crm" not in raw
        assert 60_000 <= facts.late_ms < 90_000
        assert (facts.proposed_chars, facts.sent_chars, facts.same) == (19, 18, False)
        shown = await store.reader.entry(row.id)
        payload = json.loads(shown.payload)
        assert payload["sent"] == TEXTS.sent
        assert payload["comment"] == TEXTS.comment
        assert payload["source"] == "ann@crm"

    rig.run(body())


def test_nothing_is_taken_when_the_journal_is_away() -> None:
    async def body() -> None:
        store = MemoryStore()
        store.journal.away = True
        with pytest.raises(HandrailError) as caught:
            await save(store, event(conversation="x"))
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE
        store.journal.away = False
        assert await save(store, event(conversation="x")) == [Taken.UNMATCHED]

    asyncio.run(body())


async def texts(store: Any) -> list[str]:
    """Of each outcome entry that had texts: `open`, or why they are gone."""
    found = []
    for row, facts in await outcomes(store):
        if facts.texts and row.kind == "outcome.reported":
            shown = await store.reader.entry(row.id)
            found.append("open" if shown.payload else shown.missing or facts.texts)
    return found


async def planted(store: Any) -> Any:
    """Ann's conversation, and texts that came by every name: before, after, and of somebody else."""
    await save(store, event(conversation="ann-1", data=TEXTS), event(customer=ANN, data=TEXTS))
    thread, entry = await begun(store, conversation="ann-1", customer=ANN)
    await save(
        store,
        event(conversation="ann-1", data=TEXTS),
        event(conversation=thread.conversation, data=TEXTS),
        event(interaction=entry.interaction, data=TEXTS),
        event(customer=ANN, data=TEXTS),
    )
    await begun(store, conversation="bob-1", customer=CustomerId("bob"))
    await save(store, event(conversation="bob-1", data=TEXTS), event(conversation="bob-2", data=TEXTS))
    return thread


@pytest.mark.promise("EVT-8")
@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("by", ["customer", "given", "ours"])
def test_an_erasure_takes_the_texts_of_events_with_it(durable: Rig, by: str, matched: bool) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await planted(store)
        if matched:
            await due(durable, store)
            await store.outcomes.match(limit=100)
        assert await texts(store) == ["open"] * 8
        who = {"customer": Who(customer=ANN), "given": Who(conversation="ann-1")}.get(by)
        await store.erasing.erase(who or Who(conversation=thread.conversation), **WHY)
        assert await texts(store) == ["erased"] * 6 + ["open"] * 2
        hashed = (store.keys.lookup.customer(ANN), store.keys.lookup.given("ann-1"))
        left = await store.reading.rows("SELECT named FROM outcome WHERE named IS NOT NULL")
        assert not {bytes(named) for (named,) in left} & set(hashed)
        assert len(left) == 2

    durable.run(body())


@pytest.mark.promise("EVT-8")
def test_texts_about_somebody_erased_before_are_not_kept(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        _, entry = await begun(store, customer=ANN)
        before = event(interaction=IDS.new("in"), data=TEXTS)
        await save(store, before)
        await store.erasing.erase(Who(customer=ANN), **WHY)
        late = event(interaction=entry.interaction, data=TEXTS)
        assert await save(store, late) == [Taken.ACCEPTED]
        row, facts = (await outcomes(store))[-1]
        assert facts.texts == "erased"
        assert (await store.reader.entry(row.id)).payload is None
        # one that waited under a name of ours is found to be about her
        await store.journal.run(
            lambda tx: tx.fetch(
                "UPDATE outcome SET ours = $1, next_at_ms = 0 WHERE conversation IS NULL", (entry.interaction,)
            )
        )
        assert await store.outcomes.match(limit=10) == 1
        assert (await texts(store))[0] == "erased"
        assert (await outcomes(store))[-1][1].texts == "erased"

    durable.run(body())


@pytest.mark.promise("EVT-8")
def test_texts_that_never_found_their_conversation_can_be_erased_by_its_name(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        await save(store, *(event(conversation="lost-1", data=TEXTS) for _ in range(2)))
        await save(store, event(customer="carl", data=TEXTS))
        await store.erasing.erase(Who(conversation="lost-1"), **WHY)
        assert await texts(store) == ["erased", "erased", "open"]
        await store.erasing.erase(Who(customer=CustomerId("carl")), **WHY)
        assert await texts(store) == ["erased"] * 3

    durable.run(body())


def test_retention_and_legal_hold_mean_the_texts_of_events_too(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        await save(store, event(conversation="ann-1", data=TEXTS), event(conversation="bob-1", data=TEXTS))
        await begun(store, conversation="ann-1")
        await begun(store, conversation="bob-1")
        await due(durable, store)
        assert await store.outcomes.match(limit=10) == 2
        await store.erasing.hold(Who(conversation="ann-1"), **WHY)
        await store.journal.run(
            lambda tx: [
                tx.fetch(f"UPDATE {table} = 1") for table in ("outcome SET received_at_ms", "interaction SET at_ms")
            ]
        )
        applied = await store.erasing.expire(ORDERS, keep_days=30, minimum_days=0, by=OPERATOR)
        assert (applied.destroyed, applied.held) == (2, 2)
        assert await texts(store) == ["open", "expired"]
        folder = LogFolder(durable.folder / "log")
        sequencer = Sequencer(store.sequencing, folder, [LOG_KEY], batch=250)
        while await sequencer.step(1_700_000_000_000):
            pass
        await sequencer.close()
        records = StoredRecords(store.reading, asyncio.get_running_loop(), payloads=True)
        report = await asyncio.to_thread(verify, folder.read, TRUST, records=records)
        assert (report.payloads_gone, report.payloads_absent) == (2, 2)

    durable.run(body())


def test_several_processes_take_an_event_once(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        events = [event(conversation=f"c{at}") for at in range(120)]
        results = await asyncio.gather(save(one, *events), save(two, *events), save(one, *events))
        taken = [list(each) for each in zip(*results, strict=True)]
        assert all(sorted(each) == [Taken.DUPLICATE, Taken.DUPLICATE, Taken.UNMATCHED] for each in taken)
        assert len(await outcomes(one)) == 120

    durable.run(body())
