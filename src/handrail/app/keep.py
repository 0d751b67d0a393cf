"""What the parent of the server's processes becomes when all of them serve: the same process and the same supervisor,
in an interpreter that has loaded nothing but them (4 MB instead of 15).

    python -P -m handrail.app.keep PLAN LISTENER WORKERS BOARD CONSOLE STANDING

PLAN, LISTENER, BOARD: file descriptors, as `app.parent` takes them; CONSOLE: `console` where the home has one;
STANDING: what `Supervisor.resumed` takes. A child that died is started as a program of its own: it shares nothing with
the others and takes its full memory.
"""

import os
import sys
from collections.abc import Callable

from handrail.app.supervise import Child, Life, Supervisor, say

CONSOLE, DOORS, GATEWAY, JOBS = "console", "doors", "gateway", "jobs"
Main = Callable[[Life], int]


def children(main_of: Callable[[str], Main], *, workers: int, console: bool) -> list[Child]:
    """Of a server; `main_of` takes a child's name."""
    names = [f"{GATEWAY} {place + 1}" for place in range(workers)]
    found = [Child(name, main_of(name)) for name in names]
    found.append(Child(DOORS, main_of(DOORS), on_demand=True))
    found.append(Child(JOBS, main_of(JOBS), last=True))
    if console:
        found.append(Child(CONSOLE, main_of(CONSOLE), needed=False, last=True))
    return found


def handed(data: bytes) -> int:
    """A file descriptor that survives exec and from which this can be read once. Raises OSError when it is longer than
    a pipe holds (64 KiB)."""
    end, start = os.pipe()
    os.set_blocking(start, False)
    try:
        if os.write(start, data) != len(data):
            raise OSError("the settings are longer than a pipe holds")
    finally:
        os.close(start)
    os.set_inheritable(end, True)
    return end


def become(told: bytes, listener: int, workers: int, board: int, console: bool, standing: str) -> None:
    """This process becomes the program above. Raises OSError when it cannot."""
    for descriptor in (listener, board):
        os.set_inheritable(descriptor, True)
    plan = handed(told)
    try:
        words = [str(each) for each in (plan, listener, workers, board)]
        _run("handrail.app.keep", *words, CONSOLE if console else "", standing)
    finally:
        os.close(plan)


def main(arguments: list[str]) -> int:
    """Blocks until stopped; the exit code."""
    plan, listener, workers, board, console, standing = arguments
    with os.fdopen(int(plan), "rb") as pipe:
        told = pipe.read()

    def main_of(name: str) -> Main:
        def start(life: Life) -> int:
            ends = (str(life.parent), str(life.ready_fd))
            try:
                _run("handrail.app.parent", str(handed(told)), listener, workers, board, name, *ends)
            except OSError as error:
                say("error", "process.broken", child=name, reason=error.strerror or str(error))
            return 1

        return start

    supervisor = Supervisor(children(main_of, workers=int(workers), console=bool(console)))
    supervisor.resumed(standing)
    return supervisor.run()


def _run(module: str, *arguments: str) -> None:
    # -P: a file in the current folder is no module of ours
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
