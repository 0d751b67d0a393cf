"""The register in SQLite: repositories on a transaction's connection, and what is in force for the request path."""

from collections.abc import Sequence
from typing import Any

import apsw

from handrail.backends import register
from handrail.backends.register import Fetch, Keys, Persons, Releases, Rulesets, Tokens
from handrail.backends.signin import SignInOf
from handrail.backends.sqlite.database import unavailable_on_error
from handrail.in_force.snapshot import Snapshot
from handrail.policy.ruleset import Ruleset
from handrail.releases.release import Release
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest


def fetching(db: apsw.Connection) -> Fetch:
    """Run a statement on this connection. SQLite numbers `$1`, `$2` by their first use, as `Fetch` asks."""

    def fetch(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return list(db.execute(sql, tuple(values)))

    return fetch


class RegisterOf(SignInOf):
    """Repositories for a transaction that has `db`; a base of `SqliteTransaction`."""

    db: apsw.Connection

    def _fetching(self) -> Fetch:
        return fetching(self.db)

    @property
    def keys(self) -> Keys:
        return Keys(fetching(self.db))

    @property
    def persons(self) -> Persons:
        return Persons(fetching(self.db))

    @property
    def tokens(self) -> Tokens:
        return Tokens(fetching(self.db))

    @property
    def releases(self) -> Releases:
        return Releases(fetching(self.db))

    @property
    def rulesets(self) -> Rulesets:
        return Rulesets(fetching(self.db))


class SqliteInForce:
    """`in_force.store.InForceStore` on a read-only connection of the event loop's thread: a look at the epoch is a
    point look-up of some microseconds, a load a few milliseconds after a publish."""

    def __init__(self, db: apsw.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._fetch = fetching(db)

    async def read_epoch(self) -> int:
        with unavailable_on_error():
            return register.epoch(self._fetch)

    async def load(self) -> Snapshot | None:
        with unavailable_on_error():
            self._db.execute("BEGIN")
            try:
                return register.snapshot(self._fetch, self._clock.now_ms())
            finally:
                self._db.execute("COMMIT")

    async def ruleset(self, digest: Digest) -> Ruleset:
        with unavailable_on_error():
            return Rulesets(self._fetch).get(digest)

    async def release(self, digest: Digest) -> Release:
        with unavailable_on_error():
            return Releases(self._fetch).get(digest)
