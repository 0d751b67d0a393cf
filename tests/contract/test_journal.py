"""One suite for the journal: in memory, SQLite and PostgreSQL behave the same."""

import asyncio
import threading
from typing import Any

import pytest
from fakes.storage import OPERATOR, Rig, begin, entry_of

from handrail.ledger.commitment import commit, decode, facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.read import Query, derive
from handrail.ledger.store import Transaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId


def plain(name: str) -> Entry:
    return Entry(id=EntryId(name), kind=EntryKind.SERVER_STARTED, at_ms=1, actor=OPERATOR)


def ids_of(rows: list[tuple[int, bytes]]) -> list[str]:
    return [read_facts(facts).id for _, facts in rows]


def test_recorded_entries_are_read_back_in_order(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store)
        for name in ("en_a", "en_b", "en_c"):
            await store.journal.record(entry_of(thread, id=EntryId(name)))
        assert ids_of(await store.reader.entries(0, 10)) == ["en_a", "en_b", "en_c"]

    rig.run(body())


def test_a_queued_entry_is_durable_once_a_later_one_is(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        store.journal.queue(plain("en_first"))
        await store.journal.record(plain("en_second"))
        assert ids_of(await store.reader.entries(0, 10)) == ["en_first", "en_second"]

    rig.run(body())


def test_an_id_is_recorded_once_and_its_neighbours_in_the_batch_stay(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        await store.journal.record(plain("en_one"))
        names = ["en_two", "en_one", "en_three", "en_two", "en_four"]
        answers = await asyncio.gather(*(store.journal.record(plain(name)) for name in names), return_exceptions=True)
        codes = [answer.code if isinstance(answer, HandrailError) else answer for answer in answers]
        assert codes == [None, Code.ALREADY, None, Code.ALREADY, None]
        assert sorted(ids_of(await store.reader.entries(0, 10))) == ["en_four", "en_one", "en_three", "en_two"]

    rig.run(body())


@pytest.mark.promise("STO-ONE-COMMIT")
def test_a_command_that_raises_leaves_nothing_and_the_others_of_its_batch_commit(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()

        def fails(tx: Transaction) -> None:
            tx.append(plain("en_undone"))
            raise HandrailError(Code.LOST_RACE, "somebody else was quicker")

        def works(tx: Transaction) -> str:
            tx.append(plain("en_done"))
            return "answer"

        answers = await asyncio.gather(
            store.journal.record(plain("en_before")),
            store.journal.run(fails),
            store.journal.run(works),
            store.journal.record(plain("en_after")),
            return_exceptions=True,
        )
        assert isinstance(answers[1], HandrailError)
        assert answers[1].code is Code.LOST_RACE
        assert answers[2] == "answer"
        assert ids_of(await store.reader.entries(0, 10)) == ["en_before", "en_done", "en_after"]

    rig.run(body())


def test_a_command_reads_the_databases_clock(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await store.journal.run(lambda tx: tx.now_ms)
        second = await store.journal.run(lambda tx: tx.now_ms)
        assert 1_700_000_000_000 < first <= second

    rig.run(body())


def test_a_command_that_had_to_wait_for_another_process_reads_the_clock_after_it(durable: Rig) -> None:
    async def run() -> None:
        store, other = await durable.open(), await durable.open()
        began = threading.Event()

        def slow(tx: Any) -> int:
            began.set()
            threading.Event().wait(0.3)
            return int(tx.now_ms)

        first = asyncio.ensure_future(store.journal.run(slow))
        await asyncio.to_thread(began.wait)
        second = await other.journal.run(lambda tx: tx.now_ms)
        assert second >= await first + 250

    durable.run(run())


def test_a_payload_without_a_subject_is_refused(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store)
        with pytest.raises(ValueError, match="needs the subject"):
            await store.journal.record(entry_of(thread, subject=None))

    rig.run(body())


@pytest.mark.promise("STO-LOST")
def test_an_entry_whose_subject_was_lost_with_a_batch_is_to_be_sent_again(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        await store.journal.run(lambda tx: tx.fetch("DELETE FROM subject WHERE id = $1", (thread.subject.id,)))
        await store.journal.run(lambda tx: tx.bump_epoch())
        writes = (
            store.journal.record(entry_of(thread)),
            store.journal.run(lambda tx: tx.append(entry_of(thread))),
            store.journal.run(lambda tx: tx.party(thread.conversation, thread.subject.id)),
        )
        for write in writes:
            with pytest.raises(HandrailError) as caught:
                await write
            assert caught.value.code is Code.JOURNAL_UNAVAILABLE
            assert caught.value.retry_after_s
            assert thread.subject.id not in caught.value.message

    durable.run(body())


def test_a_commit_says_how_it_ended(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        await store.journal.commit(plain("en_one"))
        again = store.journal.commit(plain("en_one"))
        with pytest.raises(HandrailError) as refused:
            await again
        assert refused.value.code is Code.ALREADY
        assert ids_of(await store.reader.entries(0, 10)) == ["en_one"]

    rig.run(body())


def test_a_commit_goes_on_when_who_waits_for_it_is_cancelled(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        commit = store.journal.commit(plain("en_one"))

        async def wait() -> None:
            await commit

        waiter = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert commit.done()
        assert commit.exception() is None
        assert ids_of(await store.reader.entries(0, 10)) == ["en_one"]

    durable.run(body())


def test_close_commits_what_is_queued(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        for at in range(100):
            store.journal.queue(plain(f"en_{at}"))
        await store.journal.close()
        again = await durable.open()
        assert len(await again.reader.entries(0, 1_000)) == 100
        with pytest.raises(HandrailError, match="closed"):
            store.journal.queue(plain("en_late"))

    durable.run(body())


def test_a_full_queue_refuses_and_says_so(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open(capacity=8)
        refused = 0
        for at in range(1_000):
            try:
                store.journal.queue(plain(f"en_{at}"))
            except HandrailError as error:
                refused += error.code is Code.JOURNAL_UNAVAILABLE
        assert refused > 0
        while store.writer.waiting:
            await asyncio.sleep(0)
        await store.journal.record(plain("en_last"))
        assert len(await store.reader.entries(0, 2_000)) == 1_001 - refused

    durable.run(body())


def test_two_processes_write_to_one_database(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        thread, other = await begin(one), await begin(two)
        await asyncio.gather(
            *(one.journal.record(entry_of(thread)) for _ in range(100)),
            *(two.journal.record(entry_of(other)) for _ in range(100)),
        )
        assert len(await one.reader.entries(0, 1_000)) == 200

    durable.run(body())


@pytest.mark.promise("STO-PROJECTION")
def test_what_is_stored_is_what_the_commitment_covers_and_the_columns_follow_from_it(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        entry = entry_of(thread)
        await store.journal.record(entry)
        shown = await store.reader.entry(entry.id)
        facts = read_facts(shown.facts)
        assert facts_bytes(entry, facts.salt) == shown.facts
        known = decode(shown.commitment)
        assert known.facts == commit(entry, shown.facts).facts
        assert known.key == thread.subject.id
        projection = derive(shown.facts)
        assert projection is not None
        found = (await store.reader.find(Query())).found[0]
        assert (found.interaction, found.at_ms, found.use_case, found.conversation, found.language) == (
            projection.interaction, projection.at_ms, projection.use_case, projection.conversation, projection.language
        )  # fmt: skip

    durable.run(body())


def test_salts_and_nonces_are_never_used_twice(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        await asyncio.gather(*(store.journal.record(entry_of(thread)) for _ in range(200)))
        salts = {read_facts(facts).salt for _, facts in await store.reader.entries(0, 1_000)}
        assert len(salts) == 200

    durable.run(body())
