"""Connecting to PostgreSQL, and its migrations."""

from pathlib import Path
from typing import Any, ClassVar

import asyncpg

from handrail.backends.keyring import Keyring
from handrail.backends.migrations import load, missing
from handrail.backends.writer import unavailable
from handrail.ledger.tree import EMPTY_ROOT
from handrail.terms.clock import Clock

LEAST = 130_000
TIMEOUT_S = 10.0
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x68616E647261  # "handra", for the advisory lock of migrations

LOSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.InFailedSQLTransactionError,
    OSError,
    TimeoutError,
)
"""Errors that say the server or the connection failed, not the command: the whole batch is lost."""


def unreached(error: BaseException) -> str:
    """Why there is no connection and what to mend, for a person; nothing of the address is repeated."""
    match error:
        case asyncpg.InvalidCatalogNameError():
            return "PostgreSQL has no such database: create it, or mend the name at the end of `database`"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "PostgreSQL refuses the user or the password of `database`"
        case ValueError():
            return "`database` is no address of PostgreSQL: postgresql://user:password@host/name"
    return f"PostgreSQL does not answer ({type(error).__name__}); see `database`"


async def connect(dsn: str) -> Any:
    """One connection with our settings: a commit is on disk before it is acknowledged, and nothing waits for ever."""
    return await asyncpg.connect(
        dsn,
        timeout=TIMEOUT_S,
        command_timeout=TIMEOUT_S,
        server_settings={
            "application_name": "handrail",
            "synchronous_commit": "on",
            "lock_timeout": "8s",
            "idle_in_transaction_session_timeout": "60s",
        },
    )


async def migrate(db: Any, keys: Keyring, clock: Clock, folder: Path = MIGRATIONS) -> None:
    """Apply what is missing, all in one transaction, one process at a time; then check that the keys folder belongs to
    the database."""
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await db.execute(
            "CREATE TABLE IF NOT EXISTS migration "
            "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, at_ms BIGINT NOT NULL)"
        )
        applied = {row[0]: row[1] for row in await db.fetch("SELECT number, digest FROM migration")}
        for each in missing(load(folder), applied):
            await db.execute(each.sql)
            await db.execute(
                "INSERT INTO migration VALUES ($1, $2, $3, $4)", each.number, each.name, each.digest, clock.now_ms()
            )
        check = await db.fetchval("SELECT lookup_check FROM control")
        if check is None:
            await db.execute(
                "INSERT INTO control VALUES (1, 1, $1, $2, 0, 0)", keys.new_intermediate(), keys.lookup.check()
            )
            await db.execute("INSERT INTO log_head VALUES (1, 0, $1, $2, '', 0)", EMPTY_ROOT, b"")
        else:
            keys.belongs(bytes(check))


class PoolReading:
    """`backends.rows.Reading` over a pool of the event loop."""

    HOLDS: ClassVar[str] = "position({1}::bytea in {0}) > 0"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def rows(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in await self._pool.fetch(sql, *values)]
        except LOSING:
            raise unavailable("PostgreSQL does not answer") from None
