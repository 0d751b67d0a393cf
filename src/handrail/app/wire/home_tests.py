"""The cases of a home, for pages: read from the folder when they are asked for."""

import asyncio
from pathlib import Path

from handrail.trials.case import Trial


class FolderTests:
    """`console.ports.HomeTests`. A console on another machine than the home's sees the cases of its own copy."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def cases(self) -> tuple[Trial, ...]:
        return await asyncio.to_thread(self._read)

    def _read(self) -> tuple[Trial, ...]:
        from handrail.home.read import read  # deferred: a server process keeps no YAML reader in memory
        from handrail.trials.reading import read_trials  # deferred, as above

        return tuple(read_trials(read(self._home).tests).trials)
