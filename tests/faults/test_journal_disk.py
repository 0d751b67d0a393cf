"""Failing writes and torn files: the journal says so, stays sound, and goes on when it can."""

import asyncio
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest
from fakes.storage import IDS, Rig, begin, entry_of

from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.terms.errors import Code, HandrailError


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig("sqlite", tmp_path, lambda: None)  # type: ignore[arg-type, return-value]  SQLite needs no server
    yield rig
    rig.end()


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Writes of this process past `size` bytes of any file fail, as they do on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def stored(store: Any) -> list[str]:
    return [read_facts(facts).id for _, facts in await store.reader.entries(0, 100_000)]


async def until_refused(store: Any, thread: Any) -> tuple[list[str], list[str]]:
    """Record until the journal refuses; what was acknowledged, and what was refused."""
    done: list[str] = []
    refused: list[str] = []

    async def client() -> None:
        while not refused:
            entry = entry_of(thread, payload=IDS.token(4_096))
            try:
                await store.journal.record(entry)
                done.append(entry.id)
            except HandrailError as error:
                refused.append(entry.id if error.code is Code.JOURNAL_UNAVAILABLE else f"wrong code {error.code}")

    await asyncio.gather(*(client() for _ in range(8)))
    return done, refused


@pytest.mark.faults
@pytest.mark.promise("STO-FULL")
def test_a_full_disk_refuses_every_waiter_loses_nothing_and_mends_itself(sqlite: Rig) -> None:
    async def body() -> None:
        store = await sqlite.open()
        thread = await begin(store)
        await store.journal.record(entry_of(thread))
        with no_file_beyond(1_500_000):
            done, refused = await until_refused(store, thread)
            assert done
            assert 1 <= len(refused) <= 8
        with no_file_beyond(100):
            with pytest.raises(HandrailError):
                await store.journal.record(entry_of(thread))
            with pytest.raises(HandrailError, match="last commit failed"):
                store.journal.queue(entry_of(thread, EntryKind.INTERACTION_OPENED))
            kept = set(await stored(store))
            assert set(done) <= kept
            assert not set(refused) & kept
        while store.writer.failed:  # the writer probes by itself
            await asyncio.sleep(0.01)
        after = await begin(store)
        store.journal.queue(entry_of(after, EntryKind.INTERACTION_OPENED))
        await store.journal.record(last := entry_of(after))
        assert (await store.reader.entry(last.id)).payload == last.payload
        assert await store.journal.run(lambda tx: tx.fetch("PRAGMA integrity_check")) == [("ok",)]

    sqlite.run(body())


@pytest.mark.faults
@pytest.mark.promise("STO-FULL")
def test_a_conversation_begun_in_a_lost_batch_leaves_no_entry_that_nobody_can_open(sqlite: Rig) -> None:
    async def body() -> None:
        store = await sqlite.open()
        with no_file_beyond(100):
            thread = await begin(store)
            with pytest.raises(HandrailError) as caught:
                await store.journal.record(entry_of(thread))
            assert caught.value.code is Code.JOURNAL_UNAVAILABLE
        with pytest.raises(HandrailError) as caught:
            await store.journal.record(entry_of(thread))
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE
        assert await stored(store) == []
        again = await begin(store)
        await store.journal.record(entry := entry_of(again))
        assert (await store.reader.entry(entry.id)).payload == entry.payload

    sqlite.run(body())


@pytest.mark.faults
@pytest.mark.promise("STO-FULL")
def test_a_database_locked_by_another_process_refuses_and_recovers(sqlite: Rig) -> None:
    async def body() -> None:
        import apsw

        store = await sqlite.open()
        thread = await begin(store)
        await store.journal.run(lambda tx: tx.db.set_busy_timeout(20))
        other = apsw.Connection(str(store.path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HandrailError) as caught:
            await store.journal.record(entry_of(thread))
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE
        other.execute("ROLLBACK")
        other.close()
        while store.writer.failed:
            await asyncio.sleep(0.01)
        await store.journal.record(entry_of(await begin(store)))

    sqlite.run(body())


@pytest.mark.faults
@pytest.mark.promise("STO-TORN")
def test_a_torn_tail_of_the_write_ahead_log_leaves_a_sound_prefix(sqlite: Rig, tmp_path: Path, full: bool) -> None:
    random = Random("torn tails")

    async def body() -> None:
        store = await sqlite.open(checkpoints=False)
        thread = await begin(store)
        sizes = []
        wal = store.path.with_name(store.path.name + "-wal")
        order = []
        for _ in range(60):
            await store.journal.record(entry := entry_of(thread))
            order.append(entry.id)
            sizes.append(wal.stat().st_size)
        for at in range(200 if full else 12):
            copy = tmp_path / f"copy-{at}"
            shutil.copytree(tmp_path / "data", copy / "data", ignore=shutil.ignore_patterns("*-shm"))
            torn = copy / "data" / wal.name
            cut = random.randint(sizes[0], sizes[-1])
            with torn.open("r+b") as file:
                file.truncate(cut)
                if at % 2:  # the tail holds bytes that never were a frame
                    file.seek(max(0, cut - 300))
                    file.write(random.randbytes(600))
                    cut = max(0, cut - 300)
            rig = Rig("sqlite", copy, lambda: None)  # type: ignore[arg-type, return-value]  as above
            after = await rig.open()
            try:
                kept = await stored(after)
                assert kept == order[: len(kept)]
                assert len(kept) >= sum(size <= cut for size in sizes)
                assert await after.journal.run(lambda tx: tx.fetch("PRAGMA integrity_check")) == [("ok",)]
                await after.journal.record(entry_of(await begin(after)))
            finally:
                await after.close()
                rig._opened.clear()
                rig.end()
                shutil.rmtree(copy)

    sqlite.run(body())


@pytest.mark.faults
@pytest.mark.promise("STO-LOST")
def test_while_another_process_holds_the_lock_every_caller_is_told_to_try_again(sqlite: Rig, tmp_path: Path) -> None:
    """The lock is held for longer than SQLite waits, then freed while the next batch waits: what began in the lost
    batch must not be taken for erased."""

    async def body() -> None:
        store = await sqlite.open()
        (path,) = tmp_path.rglob("handrail.db")
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        try:
            lost = await begin(store)  # its rows ride with a batch that nobody waits for
            while not store.journal.writer.failed:
                await asyncio.sleep(0.05)
        finally:
            other.execute("ROLLBACK")
            other.close()
        while store.journal.writer.failed:
            await asyncio.sleep(0.05)
        with pytest.raises(HandrailError) as caught:
            await store.journal.record(entry_of(lost))
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE
        assert caught.value.retry_after_s
        assert "su_" not in caught.value.message
        await store.journal.record(entry_of(await begin(store)))

    sqlite.run(body())
