"""Ports of the journal: what the rest of handrail needs from storage. One contract suite judges every implementation.

One writer thread per process. A change is a command: a pure decision on what it reads, then compare-and-set statements
and entries. A batch is one commit, each command a SAVEPOINT; a lost race fails that command alone. Nothing awaits
between BEGIN and COMMIT. A command therefore runs synchronously against a Transaction.

Lifecycle of an entry: *journaled* (durable, acknowledged), *sequenced* (has its index), *integrated* (in the tree),
*published* (under a signed checkpoint).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from handrail.ledger.entry import Entry

T = TypeVar("T")


class Transaction(Protocol):
    """Inside one savepoint. Area repositories (`keys`, `people`, `rulesets`, ...) are further properties of the
    concrete transaction, each typed by the port of its area (`people.store`, `releases.store`, `in_force.store`)."""

    @property
    def now_ms(self) -> int:
        """The database's own clock, read once per batch."""
        ...

    def append(self, entry: Entry) -> None:
        """Add the entry; it becomes durable with this transaction or not at all. Raises HandrailError NOT_FOUND when
        its subject was erased."""
        ...


class Commit(asyncio.Future[None]):
    """One entry on its way. Nothing stops it: a task that is cancelled while it waits for it hears of that once the
    commit has ended, and can then ask how it ended. So no second task is needed to keep it from being cancelled."""

    def cancel(self, msg: object = None) -> bool:
        return False


class Journal(Protocol):
    """The one way to change anything."""

    async def run(self, command: Callable[[Any], T]) -> T:
        """Run on the writer; returns when the batch is durable. The command's own Protocol (a Transaction with the
        stores of its area, such as `people.store.PeopleTransaction`) says what it needs of the concrete one. Raises
        what the command raises (only its savepoint is undone), or HandrailError JOURNAL_UNAVAILABLE when the batch
        could not commit."""
        ...

    async def record(self, entry: Entry) -> None:
        """Append one entry; returns when durable. The fast path of `run`."""
        ...

    def commit(self, entry: Entry) -> Commit:
        """`record`, begun at once: for who must know how it ended even when nobody waits any more. Raises
        JOURNAL_UNAVAILABLE now or when awaited."""
        ...

    def queue(self, entry: Entry) -> None:
        """Append without waiting. Raises HandrailError JOURNAL_UNAVAILABLE when the bounded queue is full or the last
        commit failed: never drops silently."""
        ...

    def beside(self, command: Callable[[Any], object]) -> None:
        """Run a command soon, from any thread and with nobody waiting: in a transaction of its own that a batch of
        others neither loses nor delays. What it raises is counted and logged; one that cannot commit is dropped."""
        ...

    async def close(self) -> None:
        """Drain what is queued, commit, stop the writer."""
        ...
