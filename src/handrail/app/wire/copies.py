"""What backups, restores, exports and looks at a log elsewhere need."""

import asyncio
from pathlib import Path

from handrail.app.settings import Settings
from handrail.backends.bundle import Bundle, Copied, Making, flush, flush_folder, put
from handrail.backends.log.export import Damaged, Export, Exported, export
from handrail.backends.log.http import HttpLog
from handrail.backends.sqlite import backup as sqlite_backup

__all__ = [
    "Bundle",
    "Copied",
    "Damaged",
    "Export",
    "Exported",
    "HttpLog",
    "Making",
    "export",
    "flush",
    "flush_folder",
    "put",
    "sqlite_backup",
]


async def copy_database(given: Settings, folder: Path) -> Copied:
    """A consistent copy of the database into `folder`, while others write. Raises HandrailError JOURNAL_UNAVAILABLE."""
    if given.database_url is None:
        return await asyncio.to_thread(sqlite_backup.copy_out, given.data_dir, folder)
    from handrail.backends.postgres import backup  # deferred: SQLite homes never load asyncpg

    return await backup.copy_out(given.database_url, folder)


async def require_room(given: Settings) -> None:
    """The database that a backup would be put into is empty. Raises HandrailError ALREADY or JOURNAL_UNAVAILABLE."""
    if given.database_url is not None:
        from handrail.backends.postgres import backup  # deferred, as above

        await backup.require_empty(given.database_url)


async def put_database(given: Settings, bundle: Bundle) -> None:
    """The database of a backup. SQLite: its file was extracted into the data folder, and is checked; PostgreSQL: filled
    in one transaction, unless an earlier attempt did. Raises HandrailError."""
    if given.database_url is None:
        await asyncio.to_thread(sqlite_backup.put_back, given.data_dir)
        return
    from handrail.backends.postgres import backup  # deferred, as above

    names = [name.removesuffix(".copy") for name in bundle.names("database")]
    await backup.copy_in(
        given.database_url, bundle.manifest.migrations, names, lambda table: bundle.chunks(f"database/{table}.copy")
    )
