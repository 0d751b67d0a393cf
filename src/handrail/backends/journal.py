"""The journal over a writer thread. Both engines use it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from handrail.backends.rows import ConversationRow, SubjectRow
from handrail.backends.writer import Writer
from handrail.ledger.entry import Entry
from handrail.ledger.store import Commit

T = TypeVar("T")


class BatchedJournal:
    """`ledger.store.Journal`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @property
    def writer(self) -> Writer:
        """For metrics: waiting, failed, done, lost, refused, batches."""
        return self._writer

    async def run(self, command: Callable[[Any], T]) -> T:
        result: T = await self._writer.submit(command)
        return result

    async def record(self, entry: Entry) -> None:
        await self._writer.submit(entry)

    def commit(self, entry: Entry) -> Commit:
        commit = Commit(loop=asyncio.get_running_loop())
        self._writer.submit(entry, commit)
        return commit

    def queue(self, entry: Entry) -> None:
        self._writer.put(entry)

    def queue_row(self, row: SubjectRow | ConversationRow) -> int:
        """For `Threads`: ahead of the entry that follows, in the same commit or an earlier one. The ticket: durable
        once `writer.done` has reached it."""
        return self._writer.put(row)

    def queue_command(self, command: Callable[[Any], object]) -> None:
        """Run on the writer without waiting; a failure is counted and logged."""
        self._writer.put(command)

    def beside(self, command: Callable[[Any], object]) -> None:
        self._writer.beside(command)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)
