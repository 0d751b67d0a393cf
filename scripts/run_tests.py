"""Run the checks: `check` (lint, types, contracts, promises, unit tests) or `all` (check plus every other test).

Two lanes run side by side, since most machines have two cores and much of the second lane waits. Each step prints one
line with its time; a step that fails prints what it said and its command, the others go on, and the exit code is 1.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest"]
LOUD = "DATA PACKS ABSENT"

Lane = list[tuple[str, list[str]]]

STATIC: Lane = [
    ("lint", [str(BIN / "ruff"), "check", "."]),
    ("format", [str(BIN / "ruff"), "format", "--check", "."]),
    ("types", [str(BIN / "mypy")]),
    ("contracts", [str(BIN / "lint-imports"), "--no-cache"]),
]
QUICK = ["-m", "not slow"]
CHECK: list[Lane] = [
    [
        *STATIC,
        ("promises", [*PYTEST, "tests/promises"]),
        ("unit: all but detectors", [*PYTEST, "tests/unit", "--ignore=tests/unit/detectors", *QUICK]),
    ],
    [
        ("unit: detectors", [*PYTEST, "tests/unit/detectors", *QUICK]),
        ("properties", [*PYTEST, "tests/property", *QUICK]),
    ],
]
ALL: list[Lane] = [
    [
        *STATIC,
        ("promises, units, properties", [*PYTEST, "tests/promises", "tests/unit", "tests/property"]),
        ("storage contracts", [*PYTEST, "tests/contract"]),
        ("faults", [*PYTEST, "tests/faults"]),
    ],
    [
        ("end to end", [*PYTEST, "tests/e2e", "--durations=5", "--durations-min=5"]),
        ("agents of the examples", [*PYTEST, "tests/examples"]),
    ],
]


class Run:
    """What the lanes found. `loud`: lines that must be seen even when all is well."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.loud: list[str] = []
        self._lock = threading.Lock()

    def lane(self, steps: Lane) -> None:
        for name, command in steps:
            begun = time.monotonic()
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self._tell(name, command, done, time.monotonic() - begun)

    def _tell(self, name: str, command: list[str], done: "subprocess.CompletedProcess[str]", seconds: float) -> None:
        lines = done.stdout.rstrip().splitlines()
        with self._lock:
            self.loud += [line for line in lines if LOUD in line]
            if done.returncode:
                self.failed.append(name)
                print("\n".join([*lines, f"[{name}] command: {' '.join(command)}"]))
            last = lines[-1].strip("= ") if lines else ""
            print(f"[{name}] {'ok' if done.returncode == 0 else 'FAILED'} in {seconds:.1f} s  {last[:90]}", flush=True)


def said_once(loud: list[str]) -> str:
    """One line of all: the promises that no step could show."""
    names = {name for line in loud for name in line.rsplit(": ", 1)[1].split(", ")} - {"none selected"}
    return f"{loud[0].rsplit(': ', 1)[0]}: {', '.join(sorted(names)) or 'none selected'}"


def main(which: str) -> int:
    started = time.monotonic()
    run = Run()
    lanes = [threading.Thread(target=run.lane, args=(steps,)) for steps in (CHECK if which == "check" else ALL)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    if run.loud:
        print(said_once(run.loud))
    took = f"{time.monotonic() - started:.0f} s"
    if run.failed:
        print(f"FAILED in {took}: {', '.join(run.failed)}", file=sys.stderr)
        return 1
    print(f"all steps passed in {took}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
