"""The log's order in SQLite: rows get their number at commit and commits are serial, so they are taken in that order."""

import apsw

from handrail.backends.journal import BatchedJournal
from handrail.backends.sqlite.database import first, rows
from handrail.backends.sqlite.engine import SqliteTransaction
from handrail.backends.sqlite.read import ReadThread
from handrail.ledger.sequence import Head, Pending
from handrail.terms.errors import Code, HandrailError

LEASE_MS = 10_000
_SEQUENCED = "SELECT (SELECT coalesce(max(idx) + 1, 0) FROM sequenced), (SELECT coalesce(max(seq), 0) FROM sequenced)"


class SqliteSequencing:
    """`ledger.sequence.Sequencing`. Leading is a lease of 10 s in one row, judged by the database's clock."""

    def __init__(self, journal: BatchedJournal, reading: ReadThread, name: str) -> None:
        """`name`: of this process, new at each start."""
        self._journal = journal
        self._read = reading.run
        self._name = name

    async def lead(self) -> bool:
        def lead(tx: SqliteTransaction) -> bool:
            tx.db.execute(
                "UPDATE log_head SET leader = ?, leader_until = ? WHERE leader = ? OR leader_until <= ?",
                (self._name, tx.now_ms + LEASE_MS, self._name, tx.now_ms),
            )
            return bool(tx.db.changes())

        return await self._journal.run(lead)

    async def head(self) -> Head:
        found = await self._read(lambda db: first(db, "SELECT size, root, checkpoint FROM log_head"))
        assert found is not None
        return Head(*found)

    async def sequenced(self) -> int:
        return (await self._read(_sequenced))[0]

    async def take(self, limit: int) -> list[Pending]:
        def take(db: apsw.Connection) -> list[Pending]:
            count, last = _sequenced(db)
            found = rows(
                db,
                "SELECT seq, commitment FROM entry WHERE seq > ? "
                "AND NOT EXISTS (SELECT 1 FROM sequenced q WHERE q.seq = entry.seq) ORDER BY seq LIMIT ?",
                (count if last == count else 0, limit),  # seq has no gaps, so equal means: all below are sequenced
            )
            return [Pending(ref, commitment) for ref, commitment in found]

        return await self._read(take)

    async def assign(self, first_index: int, refs: list[int]) -> None:
        def assign(tx: SqliteTransaction) -> None:
            count, _ = _sequenced(tx.db)
            if count != first_index:
                raise HandrailError(Code.LOST_RACE, f"{count} entries are sequenced, not {first_index}")
            try:
                tx.db.executemany(
                    "INSERT INTO sequenced SELECT ?, seq FROM entry WHERE seq = ?",
                    [(first_index + at, ref) for at, ref in enumerate(refs)],
                )
            except apsw.ConstraintError:
                raise HandrailError(Code.LOST_RACE, "an entry has an index already") from None
            if _sequenced(tx.db)[0] != first_index + len(refs):
                raise HandrailError(Code.LOST_RACE, "an entry to be sequenced does not exist")

        await self._journal.run(assign)

    async def commitments(self, first_index: int, limit: int) -> list[bytes]:
        found = await self._read(
            lambda db: rows(
                db,
                "SELECT e.commitment FROM sequenced q CROSS JOIN entry e ON e.seq = q.seq "
                "WHERE q.idx >= ? ORDER BY q.idx LIMIT ?",
                (first_index, limit),
            )
        )
        return [commitment for (commitment,) in found]

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        def publish(tx: SqliteTransaction) -> None:
            count, _ = _sequenced(tx.db)
            found = first(tx.db, "SELECT size, root FROM log_head")
            assert found is not None
            if not found[0] <= size <= count or (found[0] == size and found[1] != root):
                raise HandrailError(Code.LOST_RACE, f"a head of size {size} does not follow {found[0]} of {count}")
            tx.db.execute("UPDATE log_head SET size = ?, root = ?, checkpoint = ?", (size, root, checkpoint))

        await self._journal.run(publish)


def _sequenced(db: apsw.Connection) -> tuple[int, int]:
    """How many entries have an index, and the highest row number among them."""
    found = first(db, _SEQUENCED)
    assert found is not None
    return found[0], found[1]
