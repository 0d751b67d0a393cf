"""Run the checks: `check` (lint, types, contracts, promises, unit tests) or `all` (check plus every other test).

Prints one line per step with its time, stops at the first that fails, and names the step and its command.
"""

import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PY = sys.executable

CHECK = [
    ("lint", [str(BIN / "ruff"), "check", "."]),
    ("format", [str(BIN / "ruff"), "format", "--check", "."]),
    ("types", [str(BIN / "mypy")]),
    ("contracts", [str(BIN / "lint-imports"), "--no-cache"]),
    ("unit", [PY, "-m", "pytest", "tests/unit", "tests/property", "tests/promises", "-m", "not slow"]),
]
ALL = [
    *CHECK[:-1],
    ("tests", [PY, "-m", "pytest", "tests"]),
]


def main(which: str) -> int:
    started = time.monotonic()
    for name, command in CHECK if which == "check" else ALL:
        begun = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        print(f"[{name}] {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - begun:.1f} s", flush=True)
        if code:
            print(f"[{name}] command: {' '.join(command)}", file=sys.stderr)
            return 1
    print(f"all steps passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
