"""Every storage that a suite of this folder judges."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.storage import PostgresServer, Rig


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Callable[[], PostgresServer]]:
    """Started at the first use."""
    started: list[PostgresServer] = []

    def server() -> PostgresServer:
        if not started:
            started.append(PostgresServer())
        return started[0]

    yield server
    for each in started:
        each.stop()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], PostgresServer]) -> Iterator[Rig]:
    """Any implementation."""
    made = Rig(request.param, tmp_path, postgres_server)
    yield made
    made.end()


@pytest.fixture(params=["sqlite", "postgres"])
def durable(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], PostgresServer]
) -> Iterator[Rig]:
    """What outlives a process."""
    made = Rig(request.param, tmp_path, postgres_server)
    yield made
    made.end()
