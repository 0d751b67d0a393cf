"""The journal over a writer thread: seals on the caller's thread, hands rows to the writer. Both engines use it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from handrail.backends.keyring import Keyring
from handrail.backends.rows import ConversationRow, EntryRow, SubjectRow, entry_row
from handrail.backends.writer import Writer
from handrail.ledger.entry import Entry
from handrail.ledger.seal import Sealer
from handrail.ledger.store import Transaction
from handrail.terms.ids import Ids

T = TypeVar("T")


class BatchedJournal:
    """`ledger.store.Journal`. Use it from one event loop at a time: its sealer has state."""

    def __init__(self, writer: Writer, keys: Keyring, ids: Ids) -> None:
        self._writer = writer
        self._keys = keys
        self._ids = ids
        self._sealer = Sealer()

    @property
    def writer(self) -> Writer:
        """For metrics: waiting, failed, done, lost, refused, batches."""
        return self._writer

    async def run(self, command: Callable[[Any], T]) -> T:
        result: T = await self._writer.submit(command)
        return result

    async def record(self, entry: Entry) -> None:
        await self._writer.submit(self._row(entry))

    def queue(self, entry: Entry) -> None:
        self._writer.put(self._row(entry))

    def queue_row(self, row: SubjectRow | ConversationRow) -> int:
        """For `Threads`: ahead of the entry that follows, in the same commit or an earlier one. The ticket: durable
        once `writer.done` has reached it."""
        return self._writer.put(row)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)

    def _row(self, entry: Entry) -> EntryRow | Callable[[Transaction], None]:
        """A sealed row; or a command when the subject's key is not in memory, so that the writer looks it up."""
        if entry.payload is None:
            return entry_row(entry, None, sealer=self._sealer, ids=self._ids)
        key = self._keys.cached(entry.subject or "")
        if key is None:
            return lambda tx: tx.append(entry)
        return entry_row(entry, key, sealer=self._sealer, ids=self._ids)
