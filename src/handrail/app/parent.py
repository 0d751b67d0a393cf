"""The process that `handrail serve` becomes: parent of the gateway workers, of the jobs process, and of the process of
the MCP door, which the jobs process asks for when it is needed.

    python -P -m handrail.app.parent PLAN LISTENER WORKERS

PLAN and LISTENER are file descriptors (`app.plan`, the bound socket). Before it forks it loads what every child needs,
storage and the log, so that they share it. The console starts when the gateway serves, and the gateway does not fall
with it. A worker loads the request path after it was forked, so that neither this
process nor the jobs process holds that in memory; several workers get it from here and share it too.
"""

import gc
import logging
import os
import sys
from collections.abc import Callable

from handrail.app.board import Board
from handrail.app.child import announced, give_back, log_lines
from handrail.app.jobs import Jobs
from handrail.app.plan import parsed
from handrail.app.supervise import Child, Life, Supervisor

log = logging.getLogger("handrail.server")
LOADING = 50_000
"""The collector's first threshold: loading modules makes objects that stay, and looking for garbage among them is a
tenth of a start. Each child sets its own afterwards (`app.child.settle`)."""


def main(arguments: list[str]) -> int:
    """Blocks until stopped; the exit code."""
    gc.set_threshold(LOADING)
    log_lines()
    plan, listener, workers = (int(each) for each in arguments)
    os.set_inheritable(listener, False)
    with os.fdopen(plan, "rb") as pipe:
        told = pipe.read()
    _load_for_all(workers)
    board = Board(workers)
    children = [Child(f"gateway {place + 1}", _gateway(told, listener, board, place)) for place in range(workers)]
    children.append(Child("doors", _doors(told), on_demand=True))
    children.append(Child("jobs", Jobs(told), last=True))
    if parsed(told).settings.boot.console_serve:
        children.append(Child("console", _console(told), needed=False, last=True))
    gc.freeze()  # what is shared with the children stays untouched
    give_back()
    return Supervisor(children, on_ready=lambda: _announce(told)).run()


def _gateway(told: bytes, listener: int, board: Board, place: int) -> Callable[[Life], int]:
    def run(life: Life) -> int:
        from handrail.app.worker import Worker  # deferred: see the head of this file

        return Worker(told, listener, board, place)(life)

    return run


def _doors(told: bytes) -> Callable[[Life], int]:
    def run(life: Life) -> int:
        from handrail.app.doors import Doors  # deferred: see the head of this file

        return Doors(told)(life)

    return run


def _console(told: bytes) -> Callable[[Life], int]:
    def run(life: Life) -> int:
        from handrail.app.console import ConsoleProcess  # deferred: see the head of this file

        return ConsoleProcess(told)(life)

    return run


def _load_for_all(workers: int) -> None:
    if workers > 1:
        from handrail.app import worker  # deferred, as above

        worker.load()


def _announce(told: bytes) -> None:
    """To a person on standard output, and as an event in the log."""
    url, missing = announced(told)
    if missing:
        print(f"handrail is up: {url}\n{missing}", flush=True)
        log.warning("server.waiting", extra={"url": url, "reason": missing})
    else:
        print(f"handrail is ready: {url}", flush=True)
        log.info("server.ready", extra={"url": url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
