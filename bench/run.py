"""`make bench`: every measurement in turn, each by a command of its own; figures go to standard output.

    .venv/bin/python bench/run.py [NAME ...]

Names: gateway, guard, serving, upstream, detectors, injection, triggers, grounding, journal, sequencer, verify, find.
The gateway bench needs the harness (`HANDRAIL_BENCH`); the detectors need the data packs (`HANDRAIL_PACKS`). What
cannot run says why, and the end counts it.
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = (
    "gateway", "guard", "serving", "upstream", "detectors", "injection", "triggers", "grounding", "journal",
    "sequencer", "verify", "find",
)  # fmt: skip


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no bench {unknown[0]}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or NAMES:
        print(f"\n== {name}: .venv/bin/python bench/{name}.py", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode
        print(f"== {name} took {time.monotonic() - began:.0f} s", flush=True)
        if code:
            failed.append(name)
    if failed:
        print(f"\nnot measured: {', '.join(failed)}; the reason stands above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
