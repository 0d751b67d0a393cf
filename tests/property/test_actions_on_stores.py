"""Any order of events, clocks that jump, crashes and processes, on a real SQLite file and in memory: what may happen
does, what may not changes nothing, one effect at most (`fakes.action_machine`)."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fakes.acting import MemoryActing, SqliteActing
from fakes.action_machine import Desk
from fakes.action_staff import hire
from hypothesis import HealthCheck, Phase, settings

FAST = Path("/dev/shm")


class InMemory(Desk):
    store_of = MemoryActing()

    def make(self) -> Any:
        return _ready(InMemory)


class OnSqlite(Desk):
    store_of: Any = None

    def make(self) -> Any:
        if OnSqlite.store_of is None:
            folder = tempfile.mkdtemp(prefix="handrail-actions-", dir=FAST if FAST.is_dir() else None)
            OnSqlite.store_of = SqliteActing(Path(folder))
        return _ready(OnSqlite)


def _ready(kind: Any) -> Any:
    if not kind.store_of.do(lambda tx: bool(tx.persons.all()), 1):
        kind.store_of.do(hire, 1)
    return kind.store_of


PHASES = tuple(Phase) if "HANDRAIL_FAULT" not in os.environ else (Phase.generate,)
"""Whether a deliberate fault is caught is asked, not what the shortest way to it is."""
RUNS = settings(
    max_examples=80, stateful_step_count=40, phases=PHASES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
InMemory.TestCase.settings = settings(RUNS, max_examples=120)
OnSqlite.TestCase.settings = RUNS
PROMISES = pytest.mark.promise("ACT-1", "ACT-2", "ACT-3", "ACT-4", "APR-1")
TestInMemory = PROMISES(InMemory.TestCase)
TestOnSqlite = PROMISES(OnSqlite.TestCase)
