"""Deliberate faults of sign-in and the frame, each in a copy of the source: the tests that keep the promises must fail
with it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import handrail

TESTS = Path(__file__).parent.parent
FAULTS: list[dict[str, str]] = tomllib.loads((TESTS / "mutants" / "console.toml").read_text())["fault"]
SHARE = 16
"""Every so many faults are tried in the short form."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: Any) -> Path:
    """The source, to be broken and mended."""
    folder: Path = tmp_path_factory.mktemp("mutants")
    shutil.copytree(Path(handrail.__file__).parent, folder / "handrail", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.faults
@pytest.mark.promise("CON-1", "CON-2", "CON-3", "CON-4", "SGN-1", "SGN-2", "SGN-3", "SGN-4", "SGN-5", "SGN-6")
@pytest.mark.promise("SGN-7", "SGN-8", "SGN-9", "SGN-11")
@pytest.mark.parametrize("fault", FAULTS, ids=[fault["name"] for fault in FAULTS])
def test_a_deliberate_fault_is_caught(fault: dict[str, str], copy: Path, full: bool) -> None:
    if not full and FAULTS.index(fault) % SHARE:
        pytest.skip("in the long form")
    path = copy / "handrail" / fault["file"]
    right = path.read_text()
    path.write_text(right.replace(fault["old"], fault["new"]))
    tests = [f"tests/{one}" for one in fault["caught_by"].split()]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-k", "not postgres", "--hypothesis-seed=1", *tests],
            capture_output=True,
            text=True,
            cwd=TESTS.parent,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
            timeout=600,
        )
    finally:
        path.write_text(right)
    assert done.returncode == 1, f"not caught:\n{done.stdout[-3_000:]}{done.stderr[-2_000:]}"
    assert "FAILED" in done.stdout, done.stdout[-3_000:]


def test_each_fault_is_one_change_of_the_source_as_it_is_and_their_names_differ(copy: Path) -> None:
    found = {fault["name"]: (copy / "handrail" / fault["file"]).read_text().count(fault["old"]) for fault in FAULTS}
    assert {name: times for name, times in found.items() if times != 1} == {}, "write these faults anew"
    assert len(found) == len(FAULTS) >= 60
