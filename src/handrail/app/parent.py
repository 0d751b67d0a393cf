"""The process that `handrail serve` becomes: parent of the gateway workers and of the jobs process.

    python -P -m handrail.app.parent PLAN LISTENER WORKERS

PLAN and LISTENER are file descriptors (`app.plan`, the bound socket). It imports next to nothing, here and in
`supervise`, and stays small: a child loads what it needs after it was forked, so that neither this process nor the jobs
process holds the request path in memory. Several workers get it from here, since they share it. A child that is started
again after a crash loads it anew, half a second.
"""

import gc
import os
import sys
from collections.abc import Callable

from handrail.app.board import Board
from handrail.app.supervise import Child, Life, Supervisor

LOADING = 50_000
"""The collector's first threshold: loading modules makes objects that stay, and looking for garbage among them is a
tenth of a start. Each child sets its own afterwards (`app.child.settle`)."""


def main(arguments: list[str]) -> int:
    """Blocks until stopped; the exit code."""
    plan, listener, workers = (int(each) for each in arguments)
    os.set_inheritable(listener, False)
    with os.fdopen(plan, "rb") as pipe:
        told = pipe.read()
    board = Board(workers)
    children = [Child(f"gateway {place + 1}", _gateway(told, listener, board, place)) for place in range(workers)]
    children.append(Child("jobs", _jobs(told), last=True))
    if workers > 1:
        _load_for_all()
    gc.set_threshold(LOADING)
    gc.freeze()  # what is shared with the children stays untouched
    return Supervisor(children, _say, on_ready=lambda: _announce(told)).run()


def _gateway(told: bytes, listener: int, board: Board, place: int) -> Callable[[Life], int]:
    def run(life: Life) -> int:
        from handrail.app.worker import Worker  # deferred: see the head of this file

        return Worker(told, listener, board, place)(life)

    return run


def _jobs(told: bytes) -> Callable[[Life], int]:
    def run(life: Life) -> int:
        from handrail.app.jobs import Jobs  # deferred, as above

        return Jobs(told)(life)

    return run


def _announce(told: bytes) -> None:
    """Say what became of it, from a process of its own: asking the server takes modules that are needed once."""
    pid = os.fork()
    if pid == 0:
        try:
            from handrail.app.child import announced  # deferred, as above

            _say(announced(told))
        finally:
            os._exit(0)  # whatever happens, this is not the parent
    os.waitpid(pid, 0)


def _load_for_all() -> None:
    from handrail.app import worker  # deferred, as above

    worker.load()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
