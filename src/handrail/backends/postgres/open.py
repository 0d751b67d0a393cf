"""Everything of one PostgreSQL home for one process, opened together and closed together."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg

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
from handrail.backends.postgres.database import LEAST, LOSING, PoolReading, connect, migrate, unreached
from handrail.backends.postgres.engine import PostgresEngine
from handrail.backends.postgres.lookups import PostgresLookups
from handrail.backends.postgres.register import PostgresInForce
from handrail.backends.reading import StoredReader
from handrail.backends.references import StoredReferences, StoredSpending
from handrail.backends.rollouts import StoredUnits
from handrail.backends.sequencing import StoredSequencing
from handrail.backends.signin import StoredSignIn
from handrail.backends.threads import StoredThreads
from handrail.backends.verdicts import StoredVerdicts
from handrail.backends.watching import StoredWatch
from handrail.backends.writer import CAPACITY, Writer, unavailable
from handrail.ledger.seal import KeyWrapper
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

POOL = 4
TAKE = "SELECT e.seq, e.commitment FROM unsequenced u JOIN entry e ON e.seq = u.seq ORDER BY u.seq LIMIT $1"


class PostgresStore:
    """`journal`, `threads`, `references`, `model_calls`, `spending`, `outcomes`, `reader`, `acts`, `notices`,
    `sequencing`, `erasing`, `in_force`: the ports. `keys.forget`: to be called when the epoch grew. Belongs to the
    event loop that opened it."""

    def __init__(self, dsn: str, keys: Keyring, pool: Any, *, ids: Ids, clock: Clock, capacity: int) -> None:
        self.keys = keys
        self.writer = Writer(lambda: PostgresEngine(dsn, keys, ids), on_lost=keys.forget, capacity=capacity)
        self.journal = BatchedJournal(self.writer)
        self.reading = reading = PoolReading(pool)  # for backends.log.records
        self.threads = StoredThreads(self.journal, keys, PostgresLookups(reading), ids, clock)
        self.references = StoredReferences(self.journal, reading, keys.lookup)
        self.model_calls = StoredModelCalls(self.journal, reading, keys.lookup, clock)
        self.spending = StoredSpending(self.journal)
        self.outcomes = StoredOutcomes(self.journal, reading, keys, ids)
        self.reader = StoredReader(reading, keys)
        self.filling = Filling(self.journal, reading)
        self.acts = StoredActs(reading, keys)
        self.notices = StoredNotices(reading)
        self.watch = StoredWatch(reading)
        self.openings = StoredOpenings(reading)
        self.incidents = StoredIncidents(reading)
        self.verdicts = StoredVerdicts(reading)
        self.autonomy = StoredAutonomy(reading)
        self.units = StoredUnits(reading)
        self.signin = StoredSignIn(reading)
        self.people = StoredPeople(reading)
        self.sequencing = StoredSequencing(self.journal, reading, ids.new("sq"), take=TAKE)
        self.erasing = StoredErasing(self.journal, reading, keys, ids, self.clean, rotates=True)
        self.in_force = PostgresInForce(dsn, clock)
        self._pool = pool

    @classmethod
    async def open(
        cls, dsn: str, wrapper: KeyWrapper, *, keys_dir: Path, ids: Ids, clock: Clock, capacity: int = CAPACITY
    ) -> "PostgresStore":
        """Connects and applies migrations. `keys_dir`: shared by every machine on this database. Raises HandrailError
        HOME_INVALID or JOURNAL_UNAVAILABLE."""
        keys = Keyring(KeyFolder(keys_dir, wrapper), ids)
        try:
            db = await connect(dsn)
            try:
                if int(await db.fetchval("SHOW server_version_num")) < LEAST:
                    raise HandrailError(Code.HOME_INVALID, "PostgreSQL 13 or later is needed")
                await migrate(db, keys, clock)
            finally:
                await db.close()
            pool = await asyncpg.create_pool(dsn, min_size=1, max_size=POOL, command_timeout=10)
        except LOSING as error:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, unreached(error)) from None
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: cls(dsn, keys, pool, ids=ids, clock=clock, capacity=capacity)
        )

    async def clean(self) -> None:
        """Vacuum what an erasure touched. PostgreSQL keeps old row versions in pages and in its own log for a while:
        they die with the intermediate key, which `erase` rotates at once here."""
        try:
            await self._pool.execute("VACUUM subject, customer, payload, conversation, party, outcome")
        except LOSING:
            raise unavailable("PostgreSQL did not clean up; old row versions wait for its next vacuum") from None

    async def close(self) -> None:
        """Commit what is queued, then close."""
        await self.journal.close()
        await self.in_force.close()
        await self._pool.close()
