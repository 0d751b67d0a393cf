"""Everything of one SQLite home for one process, opened together and closed together."""

from pathlib import Path

import apsw

from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import KeyFolder, Keyring
from handrail.backends.sqlite.database import connect, migrate, prepare
from handrail.backends.sqlite.engine import SqliteEngine
from handrail.backends.sqlite.epoch import SqliteEpoch
from handrail.backends.sqlite.lookups import SqliteLookups
from handrail.backends.sqlite.read import ReadThread, SqliteReader
from handrail.backends.sqlite.sequence import SqliteSequencing
from handrail.backends.threads import StoredThreads
from handrail.backends.writer import CAPACITY, Writer
from handrail.ledger.seal import KeyWrapper
from handrail.terms.clock import Clock
from handrail.terms.ids import Ids


class SqliteStore:
    """`journal`, `threads`, `reader`, `sequencing`, `epoch`: the ports. `db`: a read-only connection of the event
    loop's thread, for further repositories."""

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
    ) -> None:
        """Opens or makes the database and applies migrations. `keys_dir`: default `data_dir/keys`. `checkpoints`: this
        process moves the WAL into the database; exactly one of several should. Raises HandrailError HOME_INVALID or
        JOURNAL_UNAVAILABLE."""
        self.path = prepare(data_dir)
        self.keys = Keyring(KeyFolder(keys_dir or data_dir / "keys", wrapper), ids)
        first = connect(self.path, checkpoints=checkpoints)
        migrate(first, self.keys, clock)
        self.writer = Writer(lambda: SqliteEngine(first, self.keys, ids), on_lost=self.keys.forget, capacity=capacity)
        self.db: apsw.Connection = connect(self.path, read_only=True)
        self.journal = BatchedJournal(self.writer)
        self.threads = StoredThreads(self.journal, self.keys, SqliteLookups(self.db), ids, clock)
        self._reading = ReadThread(self.path)
        self.reader = SqliteReader(self._reading, self.keys)
        self.sequencing = SqliteSequencing(self.journal, self._reading, ids.new("sq"))
        self.epoch = SqliteEpoch(self.db)

    async def close(self) -> None:
        """Commit what is queued, then close."""
        await self.journal.close()
        await self._reading.close()
        self.db.close()
