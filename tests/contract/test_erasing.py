"""One suite for erasure, holds, retention and keys: SQLite and PostgreSQL keep the same promises."""

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fakes.storage import KEK, OPERATOR, ORDERS, Rig, begin, entry_of

from handrail.backends.erasing import SWEEP
from handrail.ledger.commitment import decode, read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.erase import Who
from handrail.ledger.read import Query
from handrail.ledger.seal import Unreadable, unseal, unwrap
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId

ANN = CustomerId("ann.heliotrope@example.org")
BOB = CustomerId("bob@example.org")
WHY = {"reason": "request 4711", "by": OPERATOR}


async def recorded(store: Any, **turn: Any) -> Any:
    """A conversation with one recorded interaction."""
    thread = await begin(store, **turn)
    await store.threads.close_turn(thread, history=[b"hello", b"hi"])
    entry = entry_of(thread)
    await store.journal.record(entry)
    return thread, entry


async def kinds(store: Any) -> list[str]:
    return [read_facts(facts).kind for _, facts in await store.reader.entries(0, 1_000)]


def test_an_erased_customer_is_gone_and_the_others_stay(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        ann, first = await recorded(store, customer=ANN)
        _, second = await recorded(store, customer=BOB)
        facts = await store.erasing.erase(Who(customer=ANN), **WHY)
        assert facts.subjects == (ann.subject.id,)
        assert (facts.conversations, facts.payloads, facts.shared) == (1, 1, ())
        shown = await store.reader.show(first.interaction)
        assert (shown.payload, shown.missing) == (None, "erased")
        assert read_facts(shown.facts).interaction == first.interaction
        assert (await store.reader.show(second.interaction)).payload == second.payload
        assert (await store.reader.find(Query(customer=ANN))).found == ()
        assert EntryKind.SUBJECT_ERASED.value in await kinds(store)

    durable.run(body())


def test_nothing_more_is_recorded_for_an_erased_subject_in_any_process(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        thread, _ = await recorded(two, customer=ANN)
        await one.erasing.erase(Who(customer=ANN), **WHY)
        for store in (one, two):
            for write in (
                store.journal.record(entry_of(thread)),
                store.journal.run(lambda tx: tx.append(entry_of(thread))),
            ):
                with pytest.raises(HandrailError) as caught:
                    await write
                assert caught.value.code is Code.NOT_FOUND
            assert store.keys.cached(thread.subject.id) is None
        fresh = await begin(two, customer=ANN)
        assert fresh.subject.id != thread.subject.id
        assert fresh.conversation != thread.conversation

    durable.run(body())


def test_an_erased_conversation_is_not_continued(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread, _ = await recorded(store)
        await store.erasing.erase(Who(conversation=thread.conversation), **WHY)
        with pytest.raises(HandrailError) as caught:
            await store.erasing.erase(Who(conversation=thread.conversation), **WHY)
        assert caught.value.code is Code.NOT_FOUND
        for turn in ({"history": [b"hello", b"hi", b"more"], "new_from": 2}, {"conversation": thread.conversation}):
            after = await begin(store, **turn)
            assert after.conversation != thread.conversation
            assert after.subject.id != thread.subject.id

    durable.run(body())


@pytest.mark.promise("STO-ERASE-LATE")
@pytest.mark.parametrize("by_other", [False, True], ids=["same process", "another process"])
def test_a_turn_under_way_writes_nothing_back_after_the_erasure(durable: Rig, by_other: bool) -> None:
    async def body() -> None:
        store = await durable.open()
        eraser = await durable.open() if by_other else store
        thread, _ = await recorded(store, customer=ANN, conversation="chat-of-ann")
        running = await begin(store, customer=ANN, conversation="chat-of-ann")
        fresh = await begin(store, customer=ANN, conversation="another-chat-of-ann")
        await store.journal.run(lambda tx: None)
        await eraser.erasing.erase(Who(customer=ANN), **WHY)

        for turn in (running, fresh):
            store.references.record(use_case=ORDERS, customer=ANN, name="response:1", conversation=turn.conversation)
            store.references.record(use_case=ORDERS, customer=None, name="response:2", conversation=turn.conversation)
            await store.threads.close_turn(turn, history=[b"hello", b"my name is Ann", b"hi Ann"])
            with pytest.raises(HandrailError) as caught:
                await store.journal.record(entry_of(turn))
            assert caught.value.code is Code.NOT_FOUND

        rows = await store.journal.run(lambda tx: tx.fetch("SELECT id, given, tail, seen FROM conversation"))
        assert {row[0] for row in rows} == {thread.conversation, fresh.conversation}
        assert all((given, tail, bytes(seen)) == (None, None, b"") for _, given, tail, seen in rows)
        assert await store.journal.run(lambda tx: tx.fetch("SELECT * FROM provider_object")) == []

        again = await begin(store, customer=ANN, conversation="chat-of-ann")
        store.references.record(use_case=ORDERS, customer=ANN, name="response:3", conversation=again.conversation)
        store.references.record(use_case=ORDERS, customer=ANN, name="response:1", conversation=running.conversation)
        await store.threads.close_turn(running, history=[b"hello", b"my name is Ann"])
        await recorded(store, customer=ANN, conversation="chat-of-ann")
        names = {"use_case": ORDERS, "customer": ANN}
        assert await store.references.known(names=["response:3"], **names)
        assert not await store.references.known(names=["response:1"], **names)
        assert (await begin(store, customer=ANN, conversation="chat-of-ann")).conversation == again.conversation

    durable.run(body())


@pytest.mark.promise("STO-ERASE-LATE")
def test_a_login_under_way_never_links_an_erased_customer(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        thread, _ = await recorded(two, conversation="c")
        old, _ = await recorded(two, customer=ANN)  # from now on known to this process
        await one.erasing.erase(Who(customer=ANN), **WHY)
        await begin(two, conversation="c", customer=ANN)
        parties = await two.journal.run(lambda tx: tx.fetch("SELECT conversation, subject FROM party"))
        assert [conversation for conversation, _ in parties] == [thread.conversation]
        assert parties[0][1] != old.subject.id
        facts = await one.erasing.erase(Who(customer=ANN), **WHY)
        assert set(facts.subjects) == {thread.subject.id, parties[0][1]}

    durable.run(body())


def test_erasing_follows_a_later_login_both_ways(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        for who in (Who(customer=ANN), Who(conversation="c")):
            thread, _ = await recorded(store, conversation="c")
            await begin(store, conversation="c", customer=ANN)
            ann, _ = await recorded(store, customer=ANN)
            facts = await store.erasing.erase(who, **WHY)
            assert set(facts.subjects) == {thread.subject.id, ann.subject.id}

    durable.run(body())


def test_a_conversation_of_two_customers_is_listed_and_left(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread, entry = await recorded(store, conversation="c")
        await begin(store, conversation="c", customer=ANN)
        await begin(store, conversation="c", customer=BOB)
        facts = await store.erasing.erase(Who(customer=ANN), **WHY)
        assert facts.shared == (thread.conversation,)
        assert thread.subject.id not in facts.subjects
        assert (await store.reader.show(entry.interaction)).payload == entry.payload

    durable.run(body())


async def of_two(store: Any) -> tuple[Any, Any, Any, Any]:
    """Ann's own conversation, then one that she begins and Bob goes on with: thread, Ann's entries, Bob's turn, his."""
    _, own = await recorded(store, customer=ANN, conversation="own")
    _, hers = await recorded(store, customer=ANN, conversation="sh")
    turn, his = await recorded(store, customer=BOB, conversation="sh")
    return turn, (own, hers), turn, his


async def readable(store: Any, entry: Any) -> bool:
    return (await store.reader.show(entry.interaction)).payload == entry.payload


@pytest.mark.promise("STO-SHARED")
def test_erasing_one_customer_leaves_the_words_of_another_alone(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        turn, (own, hers), _, his = await of_two(store)
        before = await kinds(store)
        with pytest.raises(HandrailError) as caught:
            await store.erasing.erase(Who(customer=ANN), **WHY)
        assert caught.value.code is Code.ERASE_SHARED
        assert f"handrail erase --conversation {turn.conversation}" in caught.value.message
        assert await kinds(store) == before
        for entry in (own, hers, his):
            assert await readable(store, entry)

        decided = await store.erasing.erase(Who(conversation=turn.conversation), **WHY)
        assert (decided.subjects, decided.shared, decided.conversations, decided.payloads) == ((), (), 1, 2)
        assert await readable(store, own)
        for entry in (hers, his):
            shown = await store.reader.show(entry.interaction)
            assert (shown.payload, shown.missing) == (None, "erased")
        with pytest.raises(HandrailError) as caught:
            await store.erasing.erase(Who(conversation=turn.conversation), **WHY)
        assert caught.value.code is Code.NOT_FOUND
        done = await store.erasing.erase(Who(customer=ANN), **WHY)
        assert (done.subjects, done.conversations, done.payloads) == ((turn.subject.id,), 1, 1)
        assert not await readable(store, own)

    durable.run(body())


@pytest.mark.promise("STO-SHARED")
def test_erasing_the_second_speaker_lists_what_is_left_and_it_can_be_decided_afterwards(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        turn, (own, hers), _, his = await of_two(store)
        facts = await store.erasing.erase(Who(customer=BOB), **WHY)
        assert (facts.shared, facts.conversations) == ((turn.conversation,), 0)
        assert await readable(store, his)
        with pytest.raises(HandrailError) as caught:  # it still names two
            await store.erasing.erase(Who(customer=ANN), **WHY)
        assert caught.value.code is Code.ERASE_SHARED
        await store.erasing.erase(Who(conversation=turn.conversation), **WHY)
        assert [await readable(store, entry) for entry in (own, hers, his)] == [True, False, False]

    durable.run(body())


@pytest.mark.promise("STO-SHARED")
def test_deciding_a_conversation_that_two_logged_in_to_erases_neither_of_them(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread, entry = await recorded(store, conversation="c")
        await begin(store, conversation="c", customer=ANN)
        await begin(store, conversation="c", customer=BOB)
        _, bobs = await recorded(store, customer=BOB)
        assert (await store.erasing.erase(Who(customer=ANN), **WHY)).shared == (thread.conversation,)
        decided = await store.erasing.erase(Who(conversation=thread.conversation), **WHY)
        assert (decided.subjects, decided.shared) == ((thread.subject.id,), ())
        assert [await readable(store, each) for each in (entry, bobs)] == [False, True]

    durable.run(body())


@pytest.mark.promise("STO-HOLD")
@pytest.mark.parametrize("held", [ANN, BOB])
def test_a_hold_on_either_speaker_keeps_their_conversation(durable: Rig, held: CustomerId) -> None:
    async def body() -> None:
        store = await durable.open()
        ann = await begin(store, customer=ANN, conversation="sh")
        await store.journal.record(old := entry_of(ann, at_ms=1_000))
        await begin(store, customer=BOB, conversation="sh")
        loose = await begin(store, conversation="c")
        await store.journal.record(other := entry_of(loose, at_ms=1_000))
        for customer in (ANN, BOB):
            await begin(store, conversation="c", customer=customer)
        await store.erasing.hold(Who(customer=held), **WHY)
        for conversation in (ann.conversation, "sh", "c"):
            with pytest.raises(HandrailError) as caught:
                await store.erasing.erase(Who(conversation=conversation), **WHY)
            assert caught.value.code is Code.LEGAL_HOLD
        applied = await store.erasing.expire(ORDERS, keep_days=1, minimum_days=0, by=OPERATOR)
        assert (applied.destroyed, applied.held) == (0, 2)
        assert await readable(store, old)
        assert await readable(store, other)

    durable.run(body())


@pytest.mark.promise("STO-ERASE-LATE")
@pytest.mark.parametrize("by_other", [False, True], ids=["same process", "another process"])
def test_a_turn_under_way_writes_nothing_back_to_a_conversation_erased_by_itself(durable: Rig, by_other: bool) -> None:
    async def body() -> None:
        store = await durable.open()
        eraser = await durable.open() if by_other else store
        turn, (own, _), running, _ = await of_two(store)
        await store.journal.run(lambda tx: None)
        await eraser.erasing.erase(Who(conversation=turn.conversation), **WHY)
        store.references.record(use_case=ORDERS, customer=BOB, name="response:1", conversation=turn.conversation)
        await store.threads.close_turn(running, history=[b"hello", b"my name is Bob"])
        with pytest.raises(HandrailError) as caught:
            await store.journal.record(entry_of(running))
        assert caught.value.code is Code.NOT_FOUND
        assert "su_" not in caught.value.message
        rows = await store.journal.run(
            lambda tx: tx.fetch("SELECT given, tail, seen FROM conversation WHERE id = $1", (turn.conversation,))
        )
        assert [(given, tail, bytes(seen)) for given, tail, seen in rows] == [(None, None, b"")]
        assert await store.journal.run(lambda tx: tx.fetch("SELECT * FROM provider_object")) == []
        for again in ("sh", turn.conversation):
            assert (await begin(store, customer=ANN, conversation=again)).conversation != turn.conversation
        assert await readable(store, own)
        await recorded(store, customer=ANN, conversation="own")

    durable.run(body())


@pytest.mark.promise("STO-SHARED")
def test_a_conversation_erased_by_itself_is_erased_again_in_a_restored_copy(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        turn, (own, hers), _, his = await of_two(store)
        await store.erasing.erase(Who(conversation=turn.conversation), **WHY)
        listed = await store.erasing.erased()
        assert [each.subject for each in listed] == [turn.conversation]
        again = await store.journal.run(lambda tx: store.erasing.again(tx, listed, reason="backup 1", by=OPERATOR))
        assert again == 0

        def undone(tx: Any) -> int:  # as an older copy has it
            tx.fetch("DELETE FROM erased")
            return store.erasing.again(tx, listed, reason="backup 1", by=OPERATOR)

        assert await store.journal.run(undone) == 1
        assert [await readable(store, entry) for entry in (own, hers, his)] == [True, False, False]

    durable.run(body())


@pytest.mark.promise("STO-HOLD")
def test_a_legal_hold_blocks_erasure_and_retention_until_it_is_lifted(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store, customer=ANN)
        await store.journal.record(entry := entry_of(thread, at_ms=1_000))
        await store.erasing.hold(Who(customer=ANN), **WHY)
        with pytest.raises(HandrailError) as caught:
            await store.erasing.erase(Who(customer=ANN), **WHY)
        assert caught.value.code is Code.LEGAL_HOLD
        applied = await store.erasing.expire(ORDERS, keep_days=1, minimum_days=0, by=OPERATOR)
        assert (applied.destroyed, applied.held) == (0, 1)
        assert (await store.reader.show(entry.interaction)).payload == entry.payload
        await store.erasing.lift(Who(customer=ANN), **WHY)
        await store.erasing.erase(Who(customer=ANN), **WHY)
        assert [kind for kind in await kinds(store) if "hold" in kind] == ["legal_hold.set", "legal_hold.lifted"]

    durable.run(body())


@pytest.mark.promise("STO-RETENTION")
def test_retention_destroys_what_is_due_and_nothing_else(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        await store.journal.record(old := entry_of(thread, at_ms=int(time.time() * 1000) - 31 * 86_400_000))
        await store.journal.record(young := entry_of(thread))
        applied = await store.erasing.expire(ORDERS, keep_days=30, minimum_days=7, by=OPERATOR)
        assert applied.destroyed == 1
        shown = await store.reader.show(old.interaction)
        assert (shown.payload, shown.missing) == (None, "expired")
        assert (await store.reader.show(young.interaction)).payload == young.payload
        assert (await store.erasing.expire(ORDERS, keep_days=30, minimum_days=7, by=OPERATOR)).destroyed == 0
        with pytest.raises(HandrailError, match="must keep"):
            await store.erasing.expire(ORDERS, keep_days=30, minimum_days=90, by=OPERATOR)
        assert (await kinds(store)).count("retention.applied") == 1

    durable.run(body())


@pytest.mark.parametrize("reason", ["", "because Ann asked (ann@example.org)", "x" * 121])
def test_a_reason_that_is_no_reference_is_refused(durable: Rig, reason: str) -> None:
    async def body() -> None:
        store = await durable.open()
        with pytest.raises(HandrailError) as caught:
            await store.erasing.erase(Who(customer=ANN), reason=reason, by=OPERATOR)
        assert caught.value.code is Code.REQUEST_INVALID

    durable.run(body())


def test_rotation_leaves_everything_readable_and_destroys_the_old_key(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        done = [await recorded(store, customer=CustomerId(f"c{at}")) for at in range(30)]
        before = store.keys.folder.names()
        facts = await store.erasing.rotate(by=OPERATOR)
        assert facts.subjects == 30
        assert set(facts.destroyed) <= set(before)
        assert facts.destroyed
        assert store.keys.folder.names() == sorted([facts.new, "lookup"])
        await recorded(store)
        again = await durable.open()
        for thread, entry in done:
            assert (await again.reader.show(entry.interaction)).payload == entry.payload
            assert (await begin(again, conversation=thread.conversation)).subject == thread.subject

    durable.run(body())


def test_what_stayed_open_behind_many_entries_is_closed_by_the_same_sweep(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        for _ in range(2):
            store.journal.queue(entry_of(thread, EntryKind.INTERACTION_OPENED, at_ms=1_000))
            for _ in range(SWEEP):
                store.journal.queue(entry_of(thread))
        await store.journal.run(lambda tx: None)
        sweep = {"older_than_ms": 900_000, "by": OPERATOR}
        assert await store.erasing.interrupted(**sweep) == 2
        assert await store.erasing.interrupted(**sweep) == 0

    durable.run(body())


def test_an_interaction_whose_process_died_is_closed_as_interrupted_once(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        opened = entry_of(thread, EntryKind.INTERACTION_OPENED, at_ms=1_000)
        store.journal.queue(opened)
        finished = entry_of(thread, EntryKind.INTERACTION_OPENED, at_ms=1_000)
        store.journal.queue(finished)
        await store.journal.record(entry_of(thread, interaction=finished.interaction))
        running = entry_of(thread, EntryKind.INTERACTION_OPENED)
        store.journal.queue(running)
        await store.journal.run(lambda tx: None)
        sweep = {"older_than_ms": 900_000, "by": OPERATOR}
        assert await store.erasing.interrupted(**sweep) == 1
        assert await store.erasing.interrupted(**sweep) == 0
        found = await store.reader.find(Query(outcome=Outcome.INTERRUPTED))
        assert [each.interaction for each in found.found] == [opened.interaction]
        await store.journal.record(entry_of(thread, interaction=running.interaction))
        assert await store.erasing.interrupted(**sweep) == 0

    durable.run(body())


def files(*folders: Path) -> bytes:
    """Every byte of every file."""
    return b"\0".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.promise("STO-ERASE")
def test_after_an_erasure_a_copy_of_every_file_and_the_kek_open_nothing_of_the_subject(
    durable: Rig, tmp_path: Path, postgres_server: Any
) -> None:
    planted = b"the card of Ann Heliotrope is 4929 1234 5678 9012"

    async def body() -> None:
        store = await durable.open()
        thread = await begin(store, customer=ANN, conversation="ticket-of-ann-heliotrope")
        await store.threads.close_turn(thread, history=[planted, b"hi"])
        await store.journal.record(entry := entry_of(thread, payload=planted))
        for at in range(40):
            await recorded(store, customer=CustomerId(f"other-{at}"))
        seq = (await store.reader.entries(0, 1))[0][0]
        sealed, wrapped, by = await store.journal.run(
            lambda tx: tx.fetch(
                "SELECT p.sealed, s.wrapped, s.wrapped_by FROM payload p JOIN subject s ON s.id = p.subject "
                "WHERE p.seq = $1",
                (seq,),
            )[0]
        )
        key = store.keys.folder.read(by)
        data_key = unwrap(AESGCM(key), wrapped, name=thread.subject.id)
        assert unseal(sealed, AESGCM(data_key), entry=entry.id, key=thread.subject.id) == planted
        leaf = (await store.reader.entry(entry.id)).commitment

        await store.erasing.erase(Who(customer=ANN), **WHY)
        shown = await store.reader.entry(entry.id)
        assert shown.commitment == leaf
        assert decode(leaf).payload_size == len(sealed)
        await store.close()
        durable._opened.clear()

        folders = [tmp_path] if durable.kind == "sqlite" else [tmp_path, postgres_server().folder]
        copy = files(*folders)
        lookup = store.keys.lookup
        for clear in (planted, b"Heliotrope", b"heliotrope", data_key, KEK):
            assert clear not in copy
        if durable.kind == "postgres":
            # old row versions stay in its pages and log, so the key that wrapped them is gone
            for name in store.keys.folder.names():
                with pytest.raises(Unreadable):
                    unwrap(AESGCM(store.keys.folder.read(name)), wrapped, name=thread.subject.id)
        if durable.kind == "sqlite":
            for old in (wrapped, sealed, lookup.customer(ANN), lookup.given("ticket-of-ann-heliotrope")):
                assert old not in copy
            assert lookup.message(planted) not in copy
            assert not list(tmp_path.rglob("*-wal"))

    durable.run(body())


@pytest.mark.promise("OPS-16")
def test_the_legal_holds_that_stand_are_listed_until_they_are_lifted(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        ann, _ = await recorded(store, customer=ANN)
        bob, _ = await recorded(store, customer=BOB)
        assert await store.reader.holds() == []
        await store.erasing.hold(Who(customer=ANN), **WHY)
        await store.erasing.hold(Who(customer=BOB), reason="case 8", by=OPERATOR)
        found = {each.subject: each for each in await store.reader.holds()}
        assert found.keys() == {ann.subject.id, bob.subject.id}
        mine = found[ann.subject.id]
        assert (mine.conversation, mine.by, mine.reason) == (ann.conversation, OPERATOR.id, "request 4711")
        await store.erasing.lift(Who(customer=ANN), **WHY)
        assert [each.subject for each in await store.reader.holds()] == [bob.subject.id]

    durable.run(body())
