"""The writer thread and the event loop that it lends row inserts to: an engine in memory, real threads, a real loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from handrail.backends.rows import ConversationRow, SubjectRow
from handrail.backends.writer import LEND_MOST, Writer
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Transaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId

PATIENCE_S = 10


class Nothing(msgspec.Struct, frozen=True):
    """No facts."""


class MemoryEngine:
    """`backends.writer.Engine`: what was committed, and which thread did what. `before`: called before rows go in."""

    lends = True

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.done: list[tuple[str, int]] = []
        self.before: Callable[[], None] = lambda: None
        self.began, self.ended = threading.Event(), threading.Event()
        self.clash = self.closed = False
        self.batch: list[str] = []
        self._inside = threading.Lock()

    def begin(self, *, exclusive: bool) -> Transaction:
        self._note("begin")
        self.batch = []
        self.began.set()
        return self  # type: ignore[return-value]  the commands of these tests ask for no more

    def subjects(self, rows: list[SubjectRow]) -> None:
        raise AssertionError("nothing here queues one")

    def conversations(self, rows: list[ConversationRow]) -> None:
        raise AssertionError("nothing here queues one")

    def entries(self, entries: list[Entry]) -> list[Exception | None]:
        self.clash |= not self._inside.acquire(blocking=False)
        try:
            self._note("rows")
            self.before()
            self.batch += [entry.id for entry in entries]
        finally:
            self._inside.release()
        return [None] * len(entries)

    def command(self, command: Callable[[Transaction], Any]) -> Any:
        self._note("command")
        return command(self)  # type: ignore[arg-type]  as in `begin`

    def commit(self) -> None:
        self._note("commit")
        self.committed += self.batch
        self.ended.set()

    def rollback(self) -> None:
        self._note("rollback")
        self.batch = []

    def probe(self) -> None:
        return

    def close(self) -> None:
        self.closed = True

    def where(self, *what: str) -> set[int]:
        """The threads that did it."""
        return {thread for each, thread in self.done if each in what}

    def _note(self, what: str) -> None:
        self.done.append((what, threading.get_ident()))


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def writer(engine: MemoryEngine) -> Iterator[Writer]:
    made = Writer(lambda: engine, on_lost=lambda: None)
    yield made
    made.close()
    assert engine.closed
    assert not engine.clash


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def entry(name: str) -> Entry:
    return Entry(
        id=EntryId(name),
        kind=EntryKind.SERVER_STARTED,
        at_ms=0,
        actor=Actor(ActorKind.SYSTEM, "test"),
        facts=Nothing(),
    )


async def recorded(writer: Writer, name: str) -> None:
    await writer.submit(entry(name))


def test_rows_go_in_on_the_loops_thread_and_whatever_comes_with_a_command_on_the_writers(
    engine: MemoryEngine, writer: Writer
) -> None:
    here = threading.get_ident()

    async def body() -> None:
        await recorded(writer, "a")
        assert engine.where("rows") == {here}
        engine.done.clear()
        seen = await writer.submit(lambda tx: [*tx.committed, *tx.batch])
        assert seen == ["a"]
        tickets = [writer.put(entry(name)) for name in "bcd"]
        assert await writer.submit(lambda tx: [*tx.committed, *tx.batch]) == ["a", "b", "c", "d"]
        assert writer.done > tickets[-1]

    asyncio.run(body())
    assert here not in engine.where("begin", "command", "commit")
    assert engine.committed == ["a", "b", "c", "d"]


def test_a_busy_loop_holds_an_open_transaction_only_for_a_moment(engine: MemoryEngine, writer: Writer) -> None:
    async def body() -> None:
        waiter = writer.submit(entry("a"))
        assert engine.ended.wait(PATIENCE_S), "the writer waits for a loop that waits for it"
        assert await waiter is None

    asyncio.run(body())
    assert engine.committed == ["a"]
    assert [what for what, _ in engine.done].count("rows") == 1
    assert threading.get_ident() not in engine.where("rows")


def test_a_large_batch_is_one_commit_and_the_loop_has_its_turn_between_its_parts(
    engine: MemoryEngine, writer: Writer, loop: asyncio.AbstractEventLoop
) -> None:
    names = [f"en_{at}" for at in range(3 * LEND_MOST)]
    turns: list[int] = []
    entered = 0

    def rows_go_in() -> None:
        nonlocal entered
        entered += 1
        loop.call_soon(lambda: turns.append(entered))

    async def all_at_once() -> None:
        waiting = [writer.submit(entry(name)) for name in names]
        release.set()
        await asyncio.gather(*waiting)

    release = threading.Event()
    writer.beside(lambda tx: release.wait(PATIENCE_S))  # so that all of them wait for the same batch
    engine.before = rows_go_in
    loop.run_until_complete(all_at_once())

    assert engine.committed == names
    assert writer.batches == 2  # the command beside, and one batch
    assert turns == [1, 2, 3]


def test_closing_from_the_loops_own_thread_commits_what_is_queued(engine: MemoryEngine, writer: Writer) -> None:
    async def body() -> None:
        waiter = writer.submit(entry("a"))
        assert engine.began.wait(PATIENCE_S)
        writer.put(entry("b"))
        writer.close()
        assert engine.committed == ["a", "b"]
        assert await waiter is None
        with pytest.raises(HandrailError) as caught:
            writer.submit(entry("c"))
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE

    thread = threading.Thread(target=lambda: asyncio.run(body()), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_what_a_stopped_loop_left_is_done_once_also_when_it_runs_again(
    engine: MemoryEngine, writer: Writer, loop: asyncio.AbstractEventLoop
) -> None:
    async def stops() -> None:
        writer.submit(entry("a"))
        assert engine.began.wait(PATIENCE_S)

    loop.run_until_complete(stops())
    assert engine.ended.wait(PATIENCE_S)
    for name in "bc":
        engine.ended.clear()
        writer.put(entry(name))
        assert engine.ended.wait(PATIENCE_S)
    loop.run_until_complete(asyncio.sleep(0))
    assert engine.committed == ["a", "b", "c"]
    loop.close()
    writer.put(entry("d"))
    writer.close()
    assert engine.committed == ["a", "b", "c", "d"]
    assert [what for what, _ in engine.done].count("rows") == 4


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_signal_in_the_midst_of_lent_work_loses_the_batch_and_not_the_writer(
    engine: MemoryEngine, writer: Writer, loop: asyncio.AbstractEventLoop, end: type[BaseException]
) -> None:
    def signal() -> None:
        raise end

    engine.before = signal
    waiting = loop.create_task(recorded(writer, "a"))
    with pytest.raises(end):
        loop.run_until_complete(waiting)
    engine.before = lambda: None
    with pytest.raises(HandrailError) as caught:
        loop.run_until_complete(asyncio.wait_for(waiting, PATIENCE_S))
    assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    loop.run_until_complete(asyncio.wait_for(recorded(writer, "b"), PATIENCE_S))
    assert engine.committed == ["b"]
    assert not writer.failed
    assert writer.lost == 1
