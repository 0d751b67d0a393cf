"""Reads over SQLite on a thread and a connection of their own: a long search never stops the event loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import apsw

from handrail.backends.sqlite.database import connect, rows, unavailable_on_error


class ReadThread:
    """`backends.rows.Reading`. The connection is opened at the first use."""

    HOLDS: ClassVar[str] = "instr({0}, {1}) > 0"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="handrail-reader")
        self._db: apsw.Connection | None = None

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        def read() -> list[tuple[Any, ...]]:
            if self._db is None:
                self._db = connect(self._path, read_only=True)
            with unavailable_on_error():
                return rows(self._db, sql, tuple(values))

        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    async def close(self) -> None:
        """Waits for what runs."""

        def close() -> None:
            if self._db is not None:
                self._db.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()
