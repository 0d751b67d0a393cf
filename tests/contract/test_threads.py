"""One suite for conversations: in memory, SQLite and PostgreSQL behave the same."""

import msgspec
import pytest
from fakes.storage import ORDERS, Rig, begin, entry_of

from handrail.guard.ports import Spent
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Query
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, UseCaseId


def test_a_first_turn_is_first_and_linked(rig: Rig) -> None:
    async def body() -> None:
        thread = await begin(await rig.open())
        assert thread.first
        assert not thread.unlinked
        assert thread.seen == frozenset()
        assert len(thread.subject.key) == 32

    rig.run(body())


def test_history_that_equals_one_stored_tail_continues_it(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await begin(store)
        await store.threads.close_turn(first, history=[b"hello", b"hi, how can I help?"])
        second = await begin(store, history=[b"hello", b"hi, how can I help?", b"my order"], new_from=2)
        assert second.conversation == first.conversation
        assert second.subject == first.subject
        assert not second.first
        assert not second.unlinked
        assert second.seen == {store.threads.fingerprint(b"hello"), store.threads.fingerprint(b"hi, how can I help?")}

    rig.run(body())


def test_history_that_fits_nothing_is_a_new_conversation_marked_unlinked(rig: Rig) -> None:
    async def body() -> None:
        thread = await begin(await rig.open(), history=[b"never seen", b"answer", b"more"], new_from=2)
        assert thread.unlinked
        assert thread.first

    rig.run(body())


@pytest.mark.promise("STO-THREADS")
def test_history_that_fits_two_is_not_guessed(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        for _ in range(2):
            await store.threads.close_turn(await begin(store), history=[b"hello", b"hi"])
        third = await begin(store, history=[b"hello", b"hi", b"and now?"], new_from=2)
        assert third.unlinked

    rig.run(body())


@pytest.mark.parametrize("change", [{"key_id": "k2"}, {"customer": "ann"}])
def test_history_of_another_key_or_customer_does_not_continue(rig: Rig, change: dict[str, str]) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await begin(store)
        await store.threads.close_turn(first, history=[b"hello", b"hi"])
        other = await begin(store, history=[b"hello", b"hi", b"more"], new_from=2, **change)
        assert other.conversation != first.conversation
        assert other.unlinked

    rig.run(body())


def test_a_given_id_is_one_conversation_within_its_use_case_and_key(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await begin(store, conversation="ticket-1")
        again = await begin(store, conversation="ticket-1", history=[b"anything", b"else", b"now"], new_from=2)
        assert again.conversation == first.conversation
        for change in ({"key_id": "k2"}, {"use_case": UseCaseId("refunds")}):
            other = await begin(store, conversation="ticket-1", **change)
            assert other.conversation != first.conversation

    rig.run(body())


def test_our_own_id_continues_only_within_its_use_case_and_key(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await begin(store)
        await store.threads.close_turn(first, history=[b"hello", b"hi"])
        again = await begin(store, conversation=first.conversation)
        assert again.conversation == first.conversation
        assert not again.first
        stolen = await begin(store, conversation=first.conversation, key_id="k2")
        assert stolen.conversation != first.conversation

    rig.run(body())


def test_seen_messages_grow_and_survive_a_client_that_forgets(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store, conversation="c")
        await store.threads.close_turn(thread, history=[b"one", b"two"])
        thread = await begin(store, conversation="c", history=[b"two", b"three"], new_from=1)
        await store.threads.close_turn(thread, history=[b"two", b"three", b"four"])
        thread = await begin(store, conversation="c")
        assert thread.seen == {store.threads.fingerprint(each) for each in (b"one", b"two", b"three", b"four")}

    rig.run(body())


def test_a_thread_knows_the_hashes_of_what_was_sent(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        first = await begin(store, history=[b"hello", b"are you there?"])
        assert first.sent == (store.threads.fingerprint(b"hello"), store.threads.fingerprint(b"are you there?"))
        await store.threads.close_turn(first, history=[b"hello", b"are you there?", b"yes"])
        second = await begin(store, history=[b"hello", b"are you there?", b"yes", b"good"], new_from=3)
        assert second.conversation == first.conversation
        assert [each in second.seen for each in second.sent] == [True, True, True, False]

    rig.run(body())


def test_a_caller_may_go_on_with_the_list_it_gave(rig: Rig) -> None:
    async def body() -> None:
        store, history = await rig.open(), [b"hello"]
        first = await begin(store, history=history)
        history.append(b"hi")
        await store.threads.close_turn(first, history=history)
        second = await begin(store, history=[b"hello", b"hi", b"more"], new_from=2)
        assert second.conversation == first.conversation

    rig.run(body())


def test_another_process_continues_a_conversation_once_the_turn_is_durable(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        first = await begin(one)
        await one.threads.close_turn(first, history=[b"hello", b"hi"])
        await one.journal.record(entry_of(first))
        second = await begin(two, history=[b"hello", b"hi", b"more"], new_from=2)
        assert second.conversation == first.conversation
        assert second.subject == first.subject
        await two.threads.close_turn(second, history=[b"hello", b"hi", b"more", b"yes"])
        await two.journal.record(entry_of(second))
        third = await begin(one, history=[b"hello", b"hi", b"more", b"yes", b"thanks"], new_from=4)
        assert third.conversation == first.conversation
        assert len(third.seen) == 4

    durable.run(body())


def test_a_customer_is_one_subject_in_every_conversation_and_process(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        first = await begin(one, customer="ann@example.org")
        second = await begin(two, customer="ann@example.org", use_case=UseCaseId("refunds"))
        other = await begin(one, customer="bob@example.org")
        assert first.subject == second.subject
        assert first.conversation != second.conversation
        assert other.subject != first.subject

    durable.run(body())


def test_a_conversation_without_a_customer_is_its_own_subject(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        first, second = await begin(store), await begin(store)
        assert first.subject.id != second.subject.id
        assert first.subject.key != second.subject.key

    durable.run(body())


def test_a_later_login_links_the_subjects_once_and_the_key_stays(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        first = await begin(store, conversation="c")
        for _ in range(2):
            again = await begin(store, conversation="c", customer="ann@example.org")
            assert again.subject == first.subject
        await store.journal.record(entry_of(first))
        kinds = [facts.count(b'"kind":"subject.linked"') for _, facts in await store.reader.entries(0, 100)]
        assert sum(kinds) == 1
        found = await store.reader.find(Query(customer="ann@example.org"))
        assert [each.conversation for each in found.found] == [first.conversation]

    durable.run(body())


def test_the_release_of_the_first_turn_is_remembered(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        first = await begin(store, conversation="c")
        await store.threads.close_turn(msgspec.structs.replace(first, release="ab" * 32), history=[b"hello", b"hi"])
        second = await begin(store, conversation="c")
        assert second.release == "ab" * 32
        await store.threads.close_turn(msgspec.structs.replace(second, release="cd" * 32), history=[b"x"])
        await store.journal.record(entry_of(second))
        await store.journal.record(entry_of(second))
        assert (await begin(store, conversation="c")).release == "ab" * 32

    durable.run(body())


def test_an_entry_of_a_first_turn_needs_no_commit_before_it(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        store.journal.queue(entry_of(thread, EntryKind.INTERACTION_OPENED))
        await store.journal.record(entry := entry_of(thread))
        assert (await store.reader.entry(entry.id)).payload == entry.payload

    durable.run(body())


def test_references_belong_to_their_use_case_and_customer(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store, customer=CustomerId("ann"))
        store.references.record(use_case=ORDERS, customer="ann", name="response:1", conversation=thread.conversation)
        if rig.kind != "memory":
            await store.journal.run(lambda tx: None)
        known = store.references.known
        assert await known(use_case=ORDERS, customer="ann", names=["response:1"])
        assert not await known(use_case=ORDERS, customer="ann", names=["response:1", "response:2"])
        assert not await known(use_case=ORDERS, customer="bob", names=["response:1"])
        assert not await known(use_case=ORDERS, customer=None, names=["response:1"])
        assert not await known(use_case=UseCaseId("refunds"), customer="ann", names=["response:1"])
        found = await store.references.conversation(use_case=ORDERS, customer="ann", name="response:1")
        assert found == thread.conversation

    rig.run(body())


def test_spending_adds_up_over_processes_and_periods(rig: Rig) -> None:
    async def body() -> None:
        one, two = await rig.open(), await rig.open()
        add = {"use_case": ORDERS, "period": "2026-11-21"}
        await one.spending.exchange(**add, added=Spent(1, 10, 100))
        assert await two.spending.exchange(**add, added=Spent(2, 20, 200)) == Spent(3, 30, 300)
        assert await two.spending.exchange(use_case=ORDERS, period="2026-11-22", added=Spent()) == Spent()

    rig.run(body())


def test_a_keys_folder_of_another_database_is_refused(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        await store.journal.run(lambda tx: tx.fetch("UPDATE control SET lookup_check = $1", (b"another database",)))
        with pytest.raises(HandrailError, match="does not belong") as caught:
            await durable.open()
        assert caught.value.code is Code.HOME_INVALID
        await store.journal.run(
            lambda tx: tx.fetch("UPDATE control SET lookup_check = $1", (store.keys.lookup.check(),))
        )

    durable.run(body())
