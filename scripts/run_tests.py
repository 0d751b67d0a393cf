"""Run the checks: `check` (lint, types, contracts, promises, unit tests) or `all` (check plus every other test).

Two lanes run side by side, since most machines have two cores and much of the second lane waits. Each step prints one
line with its time; a step that fails prints what it said and its command, the others go on, and the exit code is 1.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest"]
LOUD = (" ABSENT at ", " ABSENT (")
NONE_RAN = 5
"""pytest's exit code when every test of a step was deselected; well only where a loud line says why."""

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
        ("browser", [*PYTEST, "tests/browser", "--durations=3", "--durations-min=20"]),
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
            loud = [line for line in lines if any(sign in line for sign in LOUD)]
            self.loud += loud
            ok = done.returncode == 0 or (done.returncode == NONE_RAN and bool(loud))
            if not ok:
                self.failed.append(name)
                print("\n".join([*lines, f"[{name}] command: {' '.join(command)}"]))
            last = lines[-1].strip("= ") if lines else ""
            print(f"[{name}] {'ok' if ok else 'FAILED'} in {seconds:.1f} s  {last[:90]}", flush=True)


def said_once(loud: list[str]) -> str:
    """One line for each thing that is absent: the promises that no step could show."""
    found: dict[str, tuple[str, set[str]]] = {}
    for line in loud:
        said, names = line.rsplit(": ", 1)
        found.setdefault(line.split(" ABSENT ")[0], (said, set()))[1].update(names.split(", "))
    return "\n".join(
        f"{said}: {', '.join(sorted(names - {'none selected', 'none named'})) or 'none selected'}"
        for said, names in found.values()
    )


def bring_chromium() -> None:
    """By Debian's package, where this may: as root, where apt is. Elsewhere the tests of pages say that they did not
    run."""
    if shutil.which("chromium") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("bringing Chromium by Debian's package, for the tests of pages", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", *words], env=env, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            print("apt-get could not bring Chromium; the tests of pages will not run", flush=True)
            return


def main(which: str) -> int:
    if which == "all":
        bring_chromium()
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
