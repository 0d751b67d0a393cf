"""The log's order, over statements that both engines understand. `ledger.sequence` says what a crash leaves."""

from collections.abc import Sequence
from typing import Any, Protocol

from handrail.backends.journal import BatchedJournal
from handrail.backends.rows import Reading
from handrail.ledger.sequence import Head, Pending
from handrail.ledger.store import Transaction
from handrail.terms.errors import Code, HandrailError

LEASE_MS = 10_000
_COUNT = "SELECT coalesce(max(idx) + 1, 0) FROM sequenced"


class SequencingTransaction(Transaction, Protocol):
    """What both concrete transactions have beside the port."""

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def sequence(self, first_index: int, refs: list[int]) -> None:
        """Insert the indices. Raises HandrailError LOST_RACE when a ref has one already or does not exist."""
        ...


class StoredSequencing:
    """`ledger.sequence.Sequencing`. Leading is a lease of 10 s in one row, judged by the database's clock."""

    def __init__(self, journal: BatchedJournal, reading: Reading, name: str, *, take: str) -> None:
        """`name`: of this process, new at each start. `take`: the engine's statement for entries without an index,
        (seq, commitment) by seq, at most $1."""
        self._journal = journal
        self._rows = reading.rows
        self._name = name
        self._take = take

    async def lead(self) -> bool:
        def lead(tx: SequencingTransaction) -> bool:
            sql = (
                "UPDATE log_head SET leader = $1, leader_until = $2 WHERE leader = $1 OR leader_until <= $3 "
                "RETURNING leader"
            )
            return bool(tx.fetch(sql, (self._name, tx.now_ms + LEASE_MS, tx.now_ms)))

        return await self._journal.run(lead)

    async def resign(self) -> None:
        def resign(tx: SequencingTransaction) -> None:
            tx.fetch("UPDATE log_head SET leader_until = 0 WHERE leader = $1", (self._name,))

        await self._journal.run(resign)

    async def head(self) -> Head:
        size, root, checkpoint = (await self._rows("SELECT size, root, checkpoint FROM log_head"))[0]
        return Head(size, bytes(root), bytes(checkpoint))

    async def sequenced(self) -> int:
        return int((await self._rows(_COUNT))[0][0])

    async def take(self, limit: int) -> list[Pending]:
        return [Pending(ref, bytes(commitment)) for ref, commitment in await self._rows(self._take, (limit,))]

    async def assign(self, first_index: int, refs: list[int]) -> None:
        def assign(tx: SequencingTransaction) -> None:
            count = tx.fetch(_COUNT)[0][0]
            if count != first_index:
                raise HandrailError(Code.LOST_RACE, f"{count} entries are sequenced, not {first_index}")
            tx.sequence(first_index, refs)

        await self._journal.run(assign)

    async def commitments(self, first_index: int, limit: int) -> list[bytes]:
        found = await self._rows(
            "SELECT e.commitment FROM sequenced q JOIN entry e ON e.seq = q.seq "
            "WHERE q.idx >= $1 AND q.idx < $2 ORDER BY q.idx",
            (first_index, first_index + limit),
        )
        return [bytes(commitment) for (commitment,) in found]

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        def publish(tx: SequencingTransaction) -> None:
            count = tx.fetch(_COUNT)[0][0]
            known, known_root = tx.fetch("SELECT size, root FROM log_head")[0]
            if not known <= size <= count or (known == size and bytes(known_root) != root):
                raise HandrailError(Code.LOST_RACE, f"a head of size {size} does not follow {known} of {count}")
            tx.fetch("UPDATE log_head SET size = $1, root = $2, checkpoint = $3", (size, root, checkpoint))

        await self._journal.run(publish)
