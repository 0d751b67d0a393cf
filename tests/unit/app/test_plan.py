"""What the server's processes are told arrives as it was written, and through no command line."""

import os
from pathlib import Path

import pytest

from handrail.app.plan import Plan, parsed, written
from handrail.app.settings import settings
from handrail.home.init import init


def plan(tmp_path: Path) -> Plan:
    init(tmp_path / "home", kek=bytes(32))
    given = settings(tmp_path / "home", {})
    return Plan(settings=given, host="127.0.0.1", port=8080, lost_after_ms=1_000)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    ours = plan(tmp_path)
    with os.fdopen(written(ours), "rb") as pipe:
        assert parsed(pipe.read()) == ours


def test_a_plan_that_no_pipe_holds_is_refused_and_not_cut(tmp_path: Path) -> None:
    ours = plan(tmp_path)
    long = Plan(settings=ours.settings, host="x" * 100_000, port=1, lost_after_ms=1)
    with pytest.raises(OSError, match="longer than a pipe holds"):
        written(long)
