"""The one writer thread of a process: takes what is queued, commits it as one batch, answers every waiter.

A batch is whatever has gathered: while the last one was committed, and until `PACE_SECONDS` after that one began. So a
lone waiter is served at once, and under load a commit, whose cost hardly depends on its size, is shared. What nobody
waits for rides with the next batch, `LINGER_SECONDS` later at most. A batch is one transaction; each command in it has
a savepoint, so a lost race fails that command alone; plain rows need none. Waiters are answered on their event loop by
one call for each batch.

When it cannot answer: a batch that cannot commit (disk full, locked, connection lost) is rolled back whole and every
waiter gets JOURNAL_UNAVAILABLE; nothing is half done. `failed` then stays true, and nothing may be queued unwatched,
until a commit succeeds again; the thread probes for that by itself.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from handrail.backends.rows import ConversationRow, SubjectRow
from handrail.ledger.entry import Entry
from handrail.ledger.store import Transaction
from handrail.terms.errors import Code, HandrailError

log = logging.getLogger("handrail.journal")

CAPACITY = 8_192
MAX_BATCH = 512
LEND_MOST = 128
"""Rows that the event loop inserts before others have their turn. Each commit writes the last pages of a dozen b-trees
again, so a batch is larger than that."""
PROBE_SECONDS = 0.25
LINGER_SECONDS = 0.02
PACE_SECONDS = 0.0005
LEND_SECONDS = 0.25


class StorageError(Exception):
    """The engine could not do it: the transaction is lost. Carries a reason without content."""


class Engine(Protocol):
    """One connection that only the writer thread uses. Each method raises StorageError when the transaction is lost.
    `lends`: rows may be inserted from the event loop's thread while the writer's waits."""

    lends: bool

    def begin(self, *, exclusive: bool) -> Transaction:
        """Start the transaction; reads the database's clock, epoch and intermediate key once. `exclusive`: it holds a
        command, which may change them."""
        ...

    def subjects(self, rows: list[SubjectRow]) -> None: ...

    def conversations(self, rows: list[ConversationRow]) -> None: ...

    def entries(self, entries: list[Entry]) -> list[Exception | None]:
        """Seal and insert; for each None, or why that one alone was refused (subject erased, id taken, no subject)."""
        ...

    def command(self, command: Callable[[Transaction], Any]) -> Any:
        """Run in a savepoint. Whatever the command raises undoes only that savepoint and is raised on."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Never raises."""
        ...

    def probe(self) -> None:
        """Commit something small. Raises StorageError."""
        ...

    def close(self) -> None: ...


Op = tuple[Any, asyncio.Future[Any] | None]
"""An entry, a row or a command, and who waits for it."""
Answer = tuple[asyncio.Future[Any], Any, BaseException | None]


ROWS = frozenset({Entry, SubjectRow, ConversationRow})
"""What is inserted as it is; everything else that is queued is a command."""


class Writer:
    """Owns the engine from construction to `close`. `on_lost`: called on the writer thread when a batch was lost, so
    that caches forget what never became durable."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        *,
        on_lost: Callable[[], None],
        capacity: int = CAPACITY,
        max_batch: int = MAX_BATCH,
        pace_s: float = PACE_SECONDS,
    ) -> None:
        """`engine` is called on the new thread. Raises what it raises."""
        self._make = engine
        self._on_lost = on_lost
        self._capacity = capacity
        self._max_batch = max_batch
        self._pace_s = pace_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = 0.0  # monotonic seconds of the last batch
        self._ops: deque[Op] = deque()
        self._beside: deque[Op] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = False
        self._closed = False
        self._started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._taken = 0
        self.failed = False
        self.done = 0  # operations settled, durable or lost, in the order they were queued
        self.lost = 0  # batches
        self.refused = 0
        self.batches = 0
        self._thread = threading.Thread(target=self._run, name="handrail-writer", daemon=True)
        self._thread.start()
        if (error := self._started.get()) is not None:
            raise error

    @property
    def waiting(self) -> int:
        """How many operations wait for the next batch."""
        return len(self._ops)

    def put(self, item: Any) -> int:
        """Queue without a waiter; its ticket: it is settled once `done` has reached it. Raises HandrailError
        JOURNAL_UNAVAILABLE."""
        if self.failed:
            raise unavailable("the last commit failed")
        if self._closed or len(self._ops) >= self._capacity:
            raise unavailable("its queue is full" if not self._closed else "it is closed")
        self._ops.append((item, None))
        if len(self._ops) == self._max_batch:
            self._ring()
        self._taken += 1
        return self._taken

    def submit(self, item: Any, waiter: asyncio.Future[Any] | None = None) -> asyncio.Future[Any]:
        """Queue with a waiter of the running event loop. Raises HandrailError JOURNAL_UNAVAILABLE."""
        if self._closed or len(self._ops) >= self._capacity:
            raise unavailable("its queue is full" if not self._closed else "it is closed")
        loop = self._loop = asyncio.get_running_loop()
        future = loop.create_future() if waiter is None else waiter
        self._ops.append((item, future))
        if not self._rung:
            self._ring()
        self._taken += 1
        return future

    def beside(self, command: Callable[[Transaction], Any]) -> None:
        """Queue from any thread, without a ticket or a waiter; a transaction of its own, after the batch that runs."""
        self._beside.append((command, None))
        self._ring()

    def close(self) -> None:
        """Commit what is queued, then stop. Blocks; may be called twice."""
        self._closed = True
        self._ring()
        self._thread.join()

    def _ring(self) -> None:
        self._rung = True
        self._bell.put(None)

    def _run(self) -> None:
        try:
            engine = self._make()
        except BaseException as error:  # noqa: BLE001  whoever constructs the writer raises it
            self._started.put(error)
            return
        self._started.put(None)
        try:
            while self._batch(engine):
                pass
        finally:
            engine.close()

    def _batch(self, engine: Engine) -> bool:
        """One turn of the thread. False: stop."""
        try:
            self._bell.get(timeout=PROBE_SECONDS if self.failed else LINGER_SECONDS)
        except queue.Empty:
            if self.failed and not self._ops:
                self._probe(engine)
        wait = self._began + self._pace_s - time.monotonic()
        if wait > 0 and self._ops and not self._closed:
            time.sleep(wait)
        self._rung = False  # from here on a new waiter rings again; one too many does no harm
        ops = [self._ops.popleft() for _ in range(min(len(self._ops), self._max_batch))]
        if ops:
            self._began = time.monotonic()
            self._commit(engine, ops, tickets=len(ops))
        if beside := [self._beside.popleft() for _ in range(len(self._beside))]:
            self._commit(engine, beside, tickets=0)
        if self._ops and not self._rung:
            self._ring()
        return bool(self._ops) or not self._closed

    def _commit(self, engine: Engine, ops: list[Op], *, tickets: int) -> None:
        answers: list[Answer] = []
        try:
            commands = not ROWS.issuperset([type(item) for item, _ in ops])
            engine.begin(exclusive=commands)
            if commands or not engine.lends:
                self._apply(engine, ops, answers)
            else:
                for at in range(0, len(ops), LEND_MOST):
                    self._lend(partial(self._apply, engine, ops[at : at + LEND_MOST], answers))
            engine.commit()
        except Exception as error:  # noqa: BLE001  the thread must outlive anything: the batch is lost, whole
            engine.rollback()
            self._lost(error)
            lost = unavailable("the batch could not be committed")
            answers = [(future, None, lost) for _, future in ops if future is not None]
        else:
            self.failed = False
            self.batches += 1
        self.done += tickets
        settle(answers)

    def _lend(self, work: Callable[[], None]) -> None:
        """Run `work` on the event loop, between two of its callbacks, while this thread waits. Two threads that work at
        once pass the interpreter lock to and fro at every statement, and each pass can take milliseconds while the loop
        is busy: one after the other is several times cheaper.

        It is done here, and once, when no loop runs, while the writer is being closed (by the loop's own thread,
        maybe), and when the loop has not begun with it for `LEND_SECONDS`: the open transaction keeps others out."""
        turn = threading.Lock()  # whoever takes it does the work
        done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def run() -> None:
            if not turn.acquire(blocking=False):
                return
            try:
                work()
            except Exception as error:  # noqa: BLE001  raised again on the writer's thread
                done.put(error)
            except BaseException:  # the loop's own end, such as a signal: the batch is lost, the thread is not
                done.put(StorageError("interrupted"))
                raise
            else:
                done.put(None)

        loop = self._loop
        if loop is None or self._closed or not loop.is_running():
            run()
        else:
            try:
                loop.call_soon_threadsafe(run)
            except RuntimeError:  # the loop was closed
                run()
        while True:
            try:
                error = done.get(timeout=LEND_SECONDS)
                break
            except queue.Empty:
                run()
        if error is not None:
            raise error

    def _apply(self, engine: Engine, ops: list[Op], answers: list[Answer]) -> None:
        """Rows gather until a command comes, which must see them."""
        subjects: list[SubjectRow] = []
        conversations: list[ConversationRow] = []
        entries: list[Entry] = []
        waiting: list[asyncio.Future[Any] | None] = []

        def flush() -> None:
            if subjects:
                engine.subjects(subjects)
                subjects.clear()
            if conversations:
                engine.conversations(conversations)
                conversations.clear()
            if entries:
                for future, error in zip(waiting, engine.entries(entries), strict=True):
                    if future is not None:
                        answers.append((future, None, error))
                    elif error is not None:
                        self._refuse(error)
                entries.clear()
                waiting.clear()

        for item, future in ops:
            kind = type(item)
            if kind is Entry:
                entries.append(item)
                waiting.append(future)
            elif kind is ConversationRow:
                conversations.append(item)
            elif kind is SubjectRow:
                subjects.append(item)
            else:
                flush()
                answer = self._command(engine, item, future)
                if answer is not None:
                    answers.append(answer)
        flush()

    def _command(
        self, engine: Engine, command: Callable[[Transaction], Any], future: asyncio.Future[Any] | None
    ) -> Answer | None:
        try:
            result = engine.command(command)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001  handed to whoever waits for the command
            if future is None:
                self._refuse(error)
                return None
            return future, None, error
        return None if future is None else (future, result, None)

    def _refuse(self, error: BaseException) -> None:
        """An operation nobody waits for was refused: it is counted and said, never dropped silently."""
        self.refused += 1
        log.error("journal.refused", extra={"code": getattr(error, "code", type(error).__name__)})

    def _lost(self, error: Exception) -> None:
        if not self.failed:
            reason = str(error) if isinstance(error, StorageError) else type(error).__name__
            log.error("journal.unavailable", extra={"reason": reason})
        self.failed = True
        self.lost += 1
        self._on_lost()

    def _probe(self, engine: Engine) -> None:
        try:
            engine.probe()
        except StorageError:
            engine.rollback()
            return
        self.failed = False
        log.warning("journal.available")


def unavailable(why: str) -> HandrailError:
    """What every waiter gets when the journal cannot take something."""
    return HandrailError(Code.JOURNAL_UNAVAILABLE, f"the journal cannot record this now: {why}", retry_after_s=1.0)


def gone() -> HandrailError:
    """A turn ends after an erasure of what it belongs to."""
    return HandrailError(Code.NOT_FOUND, "whom this belongs to was erased meanwhile; nothing more is recorded of it")


def lost() -> HandrailError:
    """A row that this needs never became durable: its batch was lost."""
    return unavailable("what came before it could not be committed")


def taken(entry: str) -> HandrailError:
    """An entry id was used twice."""
    return HandrailError(Code.ALREADY, f"entry {entry} is recorded already")


def settle(answers: list[Answer]) -> None:
    """Answer every waiter with one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in answers:
        by_loop.setdefault(answer[0].get_loop(), []).append(answer)
    for loop, its in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, its)
        except RuntimeError:
            log.warning("journal.nobody_waits")  # the loop was closed; what it asked for is durable


def _settle(answers: list[Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # cancelled
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
