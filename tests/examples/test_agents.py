"""The example agents, each in its framework from the package index, against a real handrail."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.promise("CLI-4")
def test_two_agents_of_other_peoples_frameworks_are_held_approved_paid_once_and_told() -> None:
    assert (ROOT / ".venv-examples" / "bin" / "python").exists(), "the environment of the examples: make examples"
    run = [sys.executable, str(ROOT / "examples" / "agents" / "run.py")]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the shop paid 2 refunds, 178.00 EUR" in done.stdout
    assert done.stdout.count("handrail: done") == 2
