"""The register in PostgreSQL: repositories on a transaction, and what is in force for the request path."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from handrail.backends import register
from handrail.backends.postgres.database import LOSING, connect
from handrail.backends.register import Fetch, Keys, Persons, Releases, Rulesets, Tokens
from handrail.backends.signin import SignInOf
from handrail.backends.writer import unavailable
from handrail.in_force.snapshot import Snapshot
from handrail.policy.ruleset import Ruleset
from handrail.releases.release import Release
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest

T = TypeVar("T")


class RegisterOf(SignInOf, ABC):
    """Repositories for a transaction that has `fetch`; a base of `PostgresTransaction`."""

    @abstractmethod
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement with values for `$1`, `$2`, ...; its rows."""

    def _fetching(self) -> Fetch:
        return self.fetch

    @property
    def keys(self) -> Keys:
        return Keys(self.fetch)

    @property
    def persons(self) -> Persons:
        return Persons(self.fetch)

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.fetch)

    @property
    def releases(self) -> Releases:
        return Releases(self.fetch)

    @property
    def rulesets(self) -> Rulesets:
        return Rulesets(self.fetch)


class PostgresInForce:
    """`in_force.store.InForceStore` on a thread with a connection and an event loop of its own, so that the statements
    of the register run as written."""

    def __init__(self, dsn: str, clock: Clock) -> None:
        self._dsn = dsn
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="handrail-in-force")
        self._loop = asyncio.new_event_loop()
        self._db: Any = None

    async def read_epoch(self) -> int:
        return await self._run(register.epoch)

    async def load(self) -> Snapshot | None:
        return await self._run(lambda fetch: register.snapshot(fetch, self._clock.now_ms()))

    async def ruleset(self, digest: Digest) -> Ruleset:
        return await self._run(lambda fetch: Rulesets(fetch).get(digest))

    async def release(self, digest: Digest) -> Release:
        return await self._run(lambda fetch: Releases(fetch).get(digest))

    async def close(self) -> None:
        """Waits for what runs."""

        def close() -> None:
            if self._db is not None:
                self._loop.run_until_complete(self._db.close(timeout=5))
            self._loop.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[Fetch], T]) -> T:
        """In one read-only snapshot. Raises HandrailError JOURNAL_UNAVAILABLE."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, work)

    def _read(self, work: Callable[[Fetch], T]) -> T:
        wait = self._loop.run_until_complete

        def fetch(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in wait(self._db.fetch(sql, *values))]

        try:
            if self._db is None or self._db.is_closed():
                self._db = wait(connect(self._dsn))
            wait(self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            try:
                return work(fetch)
            finally:
                wait(self._db.execute("COMMIT"))
        except LOSING:
            if self._db is not None:
                self._db.terminate()
            raise unavailable("PostgreSQL does not answer") from None
