"""One suite for the log's order: SQLite and PostgreSQL keep what `ledger.sequence` promises."""

import asyncio

import pytest
from fakes.storage import Rig, begin, entry_of

from handrail.terms.errors import Code, HandrailError


def test_every_entry_is_taken_once_and_keeps_its_place(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        entries = [entry_of(thread) for _ in range(7)]
        for entry in entries:
            await store.journal.record(entry)
        order = store.sequencing
        taken = await order.take(5)
        assert len(taken) == 5
        await order.assign(0, [each.ref for each in taken])
        rest = await order.take(5)
        assert len(rest) == 2
        await order.assign(5, [each.ref for each in rest])
        assert await order.take(5) == []
        assert await order.sequenced() == 7
        leaves = [each.commitment for each in taken + rest]
        assert await order.commitments(0, 100) == leaves
        assert await order.commitments(5, 1) == leaves[5:6]
        shown = await store.reader.entry(entries[0].id)
        assert shown.index == 0
        assert shown.commitment == leaves[0]

    durable.run(body())


def test_an_index_is_given_once_without_a_gap(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        for _ in range(3):
            await store.journal.record(entry_of(thread))
        order = store.sequencing
        refs = [each.ref for each in await order.take(10)]
        await order.assign(0, refs[:1])
        for first_index, chosen in ((0, refs[1:]), (2, refs[1:]), (1, refs[:1]), (1, [10**9]), (1, refs)):
            with pytest.raises(HandrailError) as caught:
                await order.assign(first_index, chosen)
            assert caught.value.code is Code.LOST_RACE
        assert await order.sequenced() == 1
        await order.assign(1, refs[:0:-1])
        assert await order.take(10) == []

    durable.run(body())


def test_the_published_head_never_goes_back(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await begin(store)
        for _ in range(3):
            await store.journal.record(entry_of(thread))
        order = store.sequencing
        assert (await order.head()).size == 0
        await order.assign(0, [each.ref for each in await order.take(3)])
        await order.published(2, b"r" * 32, b"checkpoint 2")
        for size, root in ((1, b"r" * 32), (2, b"x" * 32), (4, b"r" * 32)):
            with pytest.raises(HandrailError):
                await order.published(size, root, b"forged")
        await order.published(2, b"r" * 32, b"signed again")
        head = await order.head()
        assert (head.size, head.root, head.checkpoint) == (2, b"r" * 32, b"signed again")

    durable.run(body())


def test_one_process_leads(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        assert await one.sequencing.lead()
        assert await one.sequencing.lead()
        assert not await two.sequencing.lead()

    durable.run(body())


def test_entries_of_two_writers_are_all_taken(durable: Rig) -> None:
    async def body() -> None:
        one, two = await durable.open(), await durable.open()
        first, second = await begin(one), await begin(two)
        done: list[int] = []

        async def write(store, thread) -> None:
            for _ in range(60):
                await store.journal.record(entry_of(thread))
            done.append(1)

        async def sequence() -> None:
            while len(done) < 2 or await one.sequencing.take(1):
                count = await one.sequencing.sequenced()
                taken = await one.sequencing.take(17)
                await one.sequencing.assign(count, [each.ref for each in taken])

        await asyncio.gather(write(one, first), write(two, second), sequence())
        assert await one.sequencing.sequenced() == 120
        assert len(set(await one.sequencing.commitments(0, 200))) == 120

    durable.run(body())
