"""Everything of one SQLite home for one process, opened together and closed together."""

import asyncio
from pathlib import Path

import apsw

from handrail.backends.acted import StoredActs
from handrail.backends.autonomy import StoredAutonomy
from handrail.backends.erasing import StoredErasing
from handrail.backends.filling import Filling
from handrail.backends.incidents import StoredIncidents
from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import KeyFolder, Keyring
from handrail.backends.model_calls import StoredModelCalls
from handrail.backends.notices import StoredNotices
from handrail.backends.openings import StoredOpenings
from handrail.backends.outcomes import StoredOutcomes
from handrail.backends.people import StoredPeople
from handrail.backends.reading import StoredReader
from handrail.backends.references import StoredReferences, StoredSpending
from handrail.backends.rollouts import StoredUnits
from handrail.backends.sequencing import StoredSequencing
from handrail.backends.signin import StoredSignIn
from handrail.backends.sqlite.database import checkpoint, connect, migrate, prepare
from handrail.backends.sqlite.engine import SqliteEngine
from handrail.backends.sqlite.lookups import SqliteLookups
from handrail.backends.sqlite.read import ReadThread
from handrail.backends.sqlite.register import SqliteInForce
from handrail.backends.threads import StoredThreads
from handrail.backends.verdicts import StoredVerdicts
from handrail.backends.watching import StoredWatch
from handrail.backends.writer import CAPACITY, PACE_SECONDS, Writer, unavailable
from handrail.ledger.seal import KeyWrapper
from handrail.terms.clock import Clock
from handrail.terms.ids import Ids

TAKE = (
    "SELECT seq, commitment FROM entry WHERE seq > "
    "(SELECT CASE WHEN (SELECT max(idx) + 1 FROM sequenced) = (SELECT max(seq) FROM sequenced) "
    "THEN (SELECT max(seq) FROM sequenced) ELSE 0 END) "
    "AND NOT EXISTS (SELECT 1 FROM sequenced q WHERE q.seq = entry.seq) ORDER BY seq LIMIT $1"
)
"""Rows get their number at commit, commits are serial and leave no gap: when as many entries have an index as the
highest of their numbers says, all below it have one."""


class SqliteStore:
    """`journal`, `threads`, `references`, `model_calls`, `spending`, `outcomes`, `reader`, `acts`, `notices`,
    `sequencing`, `erasing`, `in_force`: the ports. `db`: a read-only connection of the event loop's thread, for further
    repositories. `keys.forget`: to be called when the epoch grew."""

    def __init__(
        self,
        data_dir: Path,
        wrapper: KeyWrapper,
        *,
        ids: Ids,
        clock: Clock,
        keys_dir: Path | None = None,
        checkpoints: bool = True,
        capacity: int = CAPACITY,
        pace_s: float = PACE_SECONDS,
    ) -> None:
        """Opens or makes the database and applies migrations. `keys_dir`: default `data_dir/keys`. `checkpoints`: this
        process moves the WAL into the database; exactly one of several should. Raises HandrailError HOME_INVALID or
        JOURNAL_UNAVAILABLE."""
        self.path = prepare(data_dir)
        self.keys = Keyring(KeyFolder(keys_dir or data_dir / "keys", wrapper), ids)
        first = connect(self.path, checkpoints=checkpoints)
        migrate(first, self.keys, clock)
        self.writer = Writer(
            lambda: SqliteEngine(first, self.keys, ids), on_lost=self.keys.forget, capacity=capacity, pace_s=pace_s
        )
        self.db: apsw.Connection = connect(self.path, read_only=True)
        self.journal = BatchedJournal(self.writer)
        self.threads = StoredThreads(self.journal, self.keys, SqliteLookups(self.db), ids, clock)
        self.reading = self._reading = ReadThread(self.path)  # `reading`: for backends.log.records
        self.references = StoredReferences(self.journal, self._reading, self.keys.lookup)
        self.model_calls = StoredModelCalls(self.journal, self._reading, self.keys.lookup, clock)
        self.spending = StoredSpending(self.journal)
        self.outcomes = StoredOutcomes(self.journal, self._reading, self.keys, ids)
        self.reader = StoredReader(self._reading, self.keys)
        self.filling = Filling(self.journal, self._reading)
        self.acts = StoredActs(self._reading, self.keys)
        self.notices = StoredNotices(self._reading)
        self.watch = StoredWatch(self._reading)
        self.openings = StoredOpenings(self._reading)
        self.incidents = StoredIncidents(self._reading)
        self.verdicts = StoredVerdicts(self._reading)
        self.autonomy = StoredAutonomy(self._reading)
        self.units = StoredUnits(self._reading)
        self.signin = StoredSignIn(self._reading)
        self.people = StoredPeople(self._reading)
        self.sequencing = StoredSequencing(self.journal, self._reading, ids.new("sq"), take=TAKE)
        self.erasing = StoredErasing(self.journal, self._reading, self.keys, ids, self.clean, rotates=False)
        self.in_force = SqliteInForce(self.db, clock)

    async def clean(self) -> None:
        """Move every page to the database file and cut the WAL, so that no overwritten byte is left in it. Waits up to
        the busy timeout for readers. Raises HandrailError JOURNAL_UNAVAILABLE when one of them does not end: what was
        destroyed stays destroyed, its old bytes stay in the WAL until the next checkpoint."""

        def clean() -> bool:
            db = connect(self.path)
            try:
                return checkpoint(db, truncate=True)
            finally:
                db.close()

        if not await asyncio.get_running_loop().run_in_executor(None, clean):
            raise unavailable("a reader keeps old pages in the write-ahead log; run the clean-up again")

    async def close(self) -> None:
        """Commit what is queued, then close."""
        await self.journal.close()
        await self._reading.close()
        self.db.close()
