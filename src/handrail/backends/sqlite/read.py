"""Reads over SQLite on threads and connections of their own: a long search never stops the event loop, and up to
`THREADS - 1` of them leave a thread for everybody else's short ones."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import apsw

from handrail.backends.sqlite.database import connect, rows, unavailable_on_error

THREADS = 3
"""At most; the first is made at the first use, another when all are busy."""


class ReadThread:
    """`backends.rows.Reading`. Each thread opens its connection at its first use."""

    HOLDS: ClassVar[str] = "instr({0}, {1}) > 0"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="handrail-reader")
        self._own = threading.local()
        self._opened: list[apsw.Connection] = []

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        def read() -> list[tuple[Any, ...]]:
            db: apsw.Connection | None = getattr(self._own, "db", None)
            if db is None:
                db = self._own.db = connect(self._path, read_only=True)
                self._opened.append(db)
            with unavailable_on_error():
                return rows(db, sql, tuple(values))

        return await asyncio.get_running_loop().run_in_executor(self._threads, read)

    async def close(self) -> None:
        """Waits for what runs."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        for db in self._opened:
            db.close()
