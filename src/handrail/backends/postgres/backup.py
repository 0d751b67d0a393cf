"""Every table of one snapshot out of PostgreSQL by COPY, and back into an empty database in one transaction."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from handrail.backends.bundle import ERASED_SQL, FREE_LEASE_SQL, HEAD_SQL, MIGRATIONS_SQL, WRAPS_SQL, Copied
from handrail.backends.migrations import load, missing
from handrail.backends.postgres.database import LEAST, LOSING, MIGRATIONS, TIMEOUT_S, unreached
from handrail.backends.postgres.engine import BLOCK
from handrail.backends.writer import unavailable
from handrail.ledger.backup import Erasure
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import SubjectId

_LOCK = 0x68616E647261  # as in `database.migrate`
_CREATED = re.compile(r"CREATE TABLE (\w+)")


def tables() -> list[str]:
    """Ours, each after those that it references."""
    return ["migration", *(name for each in load(MIGRATIONS) for name in _CREATED.findall(each.sql))]


async def copy_out(dsn: str, folder: Path) -> Copied:
    """Write `folder/TABLE.copy` for each table, all of one REPEATABLE READ snapshot; writers go on meanwhile. Raises
    HandrailError JOURNAL_UNAVAILABLE."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        db = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
        try:
            async with db.transaction(isolation="repeatable_read", readonly=True):
                said = await _said(db)
                there = {row[0] for row in await db.fetch("SELECT relname FROM pg_class WHERE relkind = 'r'")}
                for table in tables():
                    if table in there:
                        path = folder / f"{table}.copy"
                        path.unlink(missing_ok=True)
                        await db.copy_from_query(f"SELECT * FROM {table}", output=path)  # noqa: S608  our own names
                        path.chmod(0o600)
                return said
        finally:
            await db.close()
    except LOSING as error:
        raise unavailable(f"PostgreSQL did not give its tables ({type(error).__name__})") from None


async def require_empty(dsn: str) -> None:
    """Raises HandrailError ALREADY when the database holds entries, HOME_INVALID when it is too old."""
    try:
        db = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
        try:
            if int(await db.fetchval("SHOW server_version_num")) < LEAST:
                raise HandrailError(Code.HOME_INVALID, "PostgreSQL 13 or later is needed")
            await _require_empty(db)
        finally:
            await db.close()
    except LOSING as error:
        raise unavailable(unreached(error)) from None


async def copy_in(
    dsn: str, migrations: tuple[tuple[int, str], ...], names: list[str], chunks: Callable[[str], Iterator[bytes]]
) -> None:
    """Make the tables as they were and fill them, in one transaction: all or nothing. `names`: of the tables in the
    backup; `chunks`: bytes of one. Raises HandrailError ALREADY, HOME_INVALID (a newer handrail made the backup),
    REQUEST_INVALID or JOURNAL_UNAVAILABLE."""
    known = load(MIGRATIONS)
    missing(known, dict(migrations))
    wanted = {number for number, _ in migrations}
    try:
        db = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
        try:
            async with db.transaction():
                await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                await _require_empty(db)
                for table in reversed(tables()):
                    await db.execute(f"DROP TABLE IF EXISTS {table}")
                await db.execute("DROP SEQUENCE IF EXISTS entry_block")
                await db.execute(
                    "CREATE TABLE migration "
                    "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, at_ms BIGINT NOT NULL)"
                )
                for each in known:
                    if each.number in wanted:
                        await db.execute(each.sql)
                for table in tables():
                    if table in names:
                        await db.execute(f"DELETE FROM {table}")  # noqa: S608  our own names: rows a migration made
                        await db.copy_to_table(table, source=_source(chunks(table)))
                await db.execute(FREE_LEASE_SQL)
                newest = await db.fetchval("SELECT coalesce(max(seq), 0) FROM entry")
                await db.execute("SELECT setval('entry_block', $1)", newest // BLOCK + 1)
        finally:
            await db.close()
    except LOSING as error:
        raise unavailable(f"PostgreSQL did not take the tables ({type(error).__name__}); nothing was changed") from None
    except asyncpg.DataError as error:
        raise HandrailError(
            Code.REQUEST_INVALID, f"a table of the backup does not fit ({type(error).__name__}); nothing was changed"
        ) from None


async def lookup_check(dsn: str) -> bytes | None:
    """What stands in the database for its keys folder; None in an empty database."""
    db = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
    try:
        if await db.fetchval("SELECT to_regclass('control')") is None:
            return None
        found = await db.fetchval("SELECT lookup_check FROM control")
        return None if found is None else bytes(found)
    finally:
        await db.close()


async def _require_empty(db: Any) -> None:
    if await db.fetchval("SELECT to_regclass('entry')") is None:
        return
    if await db.fetchval("SELECT 1 FROM entry LIMIT 1") is not None:
        raise HandrailError(
            Code.ALREADY, "the PostgreSQL database holds entries; make an empty one and name it in handrail.yaml"
        )


async def _source(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _said(db: Any) -> Copied:
    head = await db.fetchrow(HEAD_SQL)
    return Copied(
        migrations=tuple((row[0], row[1]) for row in await db.fetch(MIGRATIONS_SQL)),
        wraps=frozenset(row[0] for row in await db.fetch(WRAPS_SQL)),
        log_size=head[0],
        log_root=bytes(head[1]),
        checkpoint=bytes(head[2]),
        erasures=[Erasure(SubjectId(row[0]), row[1], row[2]) for row in await db.fetch(ERASED_SQL)],
    )
