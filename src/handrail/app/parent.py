"""The process that `handrail serve` becomes: parent of the gateway workers, of the jobs process, and of the process of
the MCP door, which the jobs process asks for when it is needed.

    python -P -m handrail.app.parent PLAN LISTENER WORKERS
    python -P -m handrail.app.parent PLAN LISTENER WORKERS BOARD CHILD PARENT READY

PLAN, LISTENER and BOARD are file descriptors (`app.plan`, the bound socket, `app.board`). Before it forks it loads what
every child needs, storage and the log, so that they share it. Each child loads what is its own after it was forked, a
worker first, since customers wait for it; several workers get the request path from here and share it too. The console
starts when the gateway serves, and the gateway does not fall with it.

When all serve, this process has no more use for what it loaded, while each page that a child has written to since is
in memory twice: it goes on as `app.keep`. That one starts a child that died by the second form of the command: CHILD is
its name, PARENT and READY are the descriptors of `app.supervise.Life`.
"""

import contextlib
import gc
import logging
import os
import signal
import sys

from handrail.app.board import Board
from handrail.app.child import announced, give_back, log_lines
from handrail.app.keep import CONSOLE, DOORS, JOBS, Main, become, children
from handrail.app.plan import parsed
from handrail.app.supervise import ENDING, Life, Supervisor, ended

log = logging.getLogger("handrail.server")
LOADING = 50_000
"""The collector's first threshold: loading modules makes objects that stay, and looking for garbage among them is a
tenth of a start. Each child sets its own afterwards (`app.child.settle`)."""


def main(arguments: list[str]) -> int:
    """Blocks until stopped; the exit code."""
    gc.set_threshold(LOADING)
    log_lines()
    plan, listener, workers = (int(each) for each in arguments[:3])
    os.set_inheritable(listener, False)
    with os.fdopen(plan, "rb") as pipe:
        told = pipe.read()
    if len(arguments) > 3:
        board, name, *ends = arguments[3:]
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)  # as in a child that was forked from here
        life = Life(*map(int, ends))
        code = ended(name, lambda: _main_of(name, told, listener, Board(workers, int(board)))(life))
        os._exit(code)  # likewise: no thread that hangs keeps it
    return _serve(told, listener, workers)


def _serve(told: bytes, listener: int, workers: int) -> int:
    from handrail.app import wire  # noqa: F401  deferred, as all that is loaded for the children: they share it

    if workers > 1:
        from handrail.app import worker  # deferred: as above

        worker.load()
    board, console = Board(workers), parsed(told).settings.boot.console_serve
    those = children(lambda name: _main_of(name, told, listener, board), workers=workers, console=console)
    gc.freeze()  # what is shared with the children stays untouched
    give_back()
    return Supervisor(
        those,
        on_ready=lambda: _announce(told),
        smaller=lambda standing: become(told, listener, workers, board.descriptor, console, standing),
    ).run()


def _main_of(name: str, told: bytes, listener: int, board: Board) -> Main:
    """What a child does. Its modules are loaded when it runs: see the head of this file."""

    def run(life: Life) -> int:
        if name == JOBS:
            from handrail.app.jobs import Jobs

            return Jobs(told)(life)
        if name == DOORS:
            from handrail.app.doors import Doors

            return Doors(told)(life)
        if name == CONSOLE:
            from handrail.app.console import ConsoleProcess

            return ConsoleProcess(told)(life)
        from handrail.app.worker import Worker

        return Worker(told, listener, board, int(name.split()[1]) - 1)(life)

    return run


def _announce(told: bytes) -> None:
    """To a person on standard output, and as an event in the log."""
    url, missing = announced(told)
    with contextlib.suppress(OSError):  # whoever read it is gone; the server serves all the same
        print(f"handrail is up: {url}\n{missing}" if missing else f"handrail is ready: {url}", flush=True)
    if missing:
        log.warning("server.waiting", extra={"url": url, "reason": missing})
    else:
        log.info("server.ready", extra={"url": url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
