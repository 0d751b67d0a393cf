"""How long the crash tests run, and the storage they crash."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.storage import PostgresServer, Rig

FULL = os.environ.get("HANDRAIL_FAULTS") == "full"


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the long form was asked for."""
    return FULL


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


@pytest.fixture(params=["sqlite", "postgres"])
def durable(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], PostgresServer]
) -> Iterator[Rig]:
    """What outlives a process."""
    made = Rig(request.param, tmp_path, postgres_server)
    yield made
    made.end()
