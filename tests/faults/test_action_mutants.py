"""Deliberate faults of actions, each in a copy of the source: the tests that keep the promises must fail with it."""

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
FAULTS: list[dict[str, str]] = tomllib.loads((TESTS / "mutants" / "actions.toml").read_text())["fault"]
CAUGHT_BY = "property/test_actions.py property/test_actions_on_stores.py"
SHARE = 7
"""Every so many faults are tried in the short form."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: Any) -> Path:
    """The source, to be broken and mended."""
    folder: Path = tmp_path_factory.mktemp("mutants")
    shutil.copytree(Path(handrail.__file__).parent, folder / "handrail", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def tried(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-k",
            "not postgres",
            "--hypothesis-seed=1",
            *(f"tests/{one}" for one in test.split()),
        ],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "HANDRAIL_FAULT": "1"},
        check=False,
        timeout=600,
    )


@pytest.mark.faults
@pytest.mark.promise("ACT-1", "ACT-2", "ACT-3", "ACT-4", "APR-1")
@pytest.mark.parametrize("fault", FAULTS, ids=[fault["name"] for fault in FAULTS])
def test_a_deliberate_fault_is_caught(fault: dict[str, str], copy: Path, full: bool) -> None:
    if not full and FAULTS.index(fault) % SHARE:
        pytest.skip("in the long form")
    path = copy / "handrail" / fault["file"]
    right = path.read_text()
    assert right.count(fault["old"]) == 1, "the source has changed: write this fault anew"
    path.write_text(right.replace(fault["old"], fault["new"]))
    try:
        done = tried(copy, fault.get("caught_by", CAUGHT_BY))
    finally:
        path.write_text(right)
    assert done.returncode == 1, f"not caught:\n{done.stdout[-3_000:]}{done.stderr[-2_000:]}"
    assert "FAILED" in done.stdout, done.stdout[-3_000:]


@pytest.mark.faults
def test_without_a_fault_the_same_tests_pass(copy: Path, full: bool) -> None:
    if not full:
        pytest.skip("in the long form; make test runs them as they are")
    for test in sorted({fault.get("caught_by", CAUGHT_BY) for fault in FAULTS}):
        done = tried(copy, test)
        assert done.returncode == 0, done.stdout[-3_000:]


def test_the_list_is_long_enough_and_its_names_differ() -> None:
    assert len({fault["name"] for fault in FAULTS}) == len(FAULTS) >= 20


def test_each_fault_is_one_change_of_the_source_as_it_is(copy: Path) -> None:
    found = {fault["name"]: (copy / "handrail" / fault["file"]).read_text().count(fault["old"]) for fault in FAULTS}
    assert {name: times for name, times in found.items() if times != 1} == {}, "write these faults anew"
    assert len(found) == len(FAULTS)
