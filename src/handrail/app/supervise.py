"""One parent, several child processes: start them, restart one that dies, stop them together.

The parent forks before any thread or loop exists; what it has loaded by then is shared with the children. It holds the
listening socket; every worker accepts from it. A child learns of the parent's death by the end of a pipe and then
drains as after SIGTERM: nothing is left behind by a killed parent.

What a crash leaves: a dead worker's open interactions are found by the jobs process and closed as `interrupted`.
"""

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("handrail.server")
FAST_S = 2.0  # a child that lived shorter than this failed to start
FAST_LIMIT = 5  # so many failed starts in a row end the parent
BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Life:
    """Handed to a child. `parent`: a file descriptor that reaches its end when the parent is gone. `ready()` says once
    that the child serves. `want()`: the children on demand are needed now."""

    parent: int
    ready_fd: int

    def ready(self) -> None:
        os.write(self.ready_fd, b"r")

    def want(self) -> None:
        os.write(self.ready_fd, b"w")


@dataclass(slots=True)
class Child:
    """`main` runs in the child and returns its exit code. `needed`: the parent counts it towards readiness,
    and ends when it cannot be started.
    `last`: started only when the others are ready, and told to stop only when they have ended. `on_demand`: started
    when another child says so (`Life.want`); it never calls `ready`."""

    name: str
    main: Callable[[Life], int]
    needed: bool = True
    last: bool = False
    on_demand: bool = False
    pid: int = 0
    started: float = 0.0
    failed_starts: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """`drain_s`: seconds children get to end what they are doing. What becomes of them stands in the log."""

    children: list[Child]
    on_ready: Callable[[], None] = lambda: None
    drain_s: float = 30.0
    _stop: bool = False
    _ready: int = 0
    _wanted: bool = False
    _announced: bool = False
    _parent_end: int = -1
    _child_end: int = -1
    _ready_read: int = -1
    _ready_write: int = -1
    _code: int = field(default=0)

    def run(self) -> int:
        """Blocks until told to stop (SIGTERM, SIGINT) or a child cannot be started. Returns the exit code."""
        self._child_end, self._parent_end = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_stop)
        try:
            while not self._stop:
                self._start_due()
                self._wait_for_news(0.2)
                self._reap()
        finally:
            self._end_all()
        return self._code

    def _on_stop(self, *_: object) -> None:
        self._stop = True

    def _start(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os._exit(self._in_child(child))
        child.pid, child.started = pid, time.monotonic()

    def _in_child(self, child: Child) -> int:
        """Returns an exit code and never raises: an escape would run the parent's code in the child."""
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            os.close(self._parent_end)
            os.close(self._ready_read)
            return child.main(Life(self._child_end, self._ready_write))
        except KeyboardInterrupt:
            return 130
        except BaseException:
            log.exception("process.broken", extra={"child": child.name})
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _wait_for_news(self, seconds: float) -> None:
        readable, _, _ = select.select([self._ready_read], [], [], seconds)
        if readable:
            news = os.read(self._ready_read, 64)
            self._ready += news.count(b"r")
            self._wanted = self._wanted or b"w" in news
        if not self._announced and self._are_ready(self.children):
            self._announced = True
            self.on_ready()

    def _are_ready(self, children: list[Child]) -> bool:
        return self._ready >= sum(child.needed and not child.on_demand for child in children)

    def _reap(self) -> None:
        for child in self.children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            child.pid = 0
            lived = time.monotonic() - child.started
            child.failed_starts = child.failed_starts + 1 if lived < FAST_S else 0
            if self._stop:
                continue
            about = {"child": child.name, "code": os.waitstatus_to_exitcode(status), "lived_s": round(lived, 1)}
            log.warning("process.ended", extra=about)
            if child.failed_starts >= FAST_LIMIT and child.needed:
                about = {"child": child.name, "reason": f"it failed to start {FAST_LIMIT} times in a row: see above"}
                log.error("process.given_up", extra=about)
                self._stop, self._code = True, 1
            child.due = time.monotonic() + BACKOFF_S[min(child.failed_starts, len(BACKOFF_S) - 1)]

    def _start_due(self) -> None:
        now = time.monotonic()
        first_are_ready = self._are_ready([child for child in self.children if not child.last])
        for child in self.children:
            if child.on_demand and not self._wanted:
                continue
            if not self._stop and not child.pid and child.due <= now and (first_are_ready or not child.last):
                self._start(child)

    def _end_all(self) -> None:
        deadline = time.monotonic() + self.drain_s
        for last in (False, True):
            self._end([child for child in self.children if child.pid and child.last is last], deadline)

    def _end(self, alive: list[Child], deadline: float) -> None:
        for child in alive:
            _send(child.pid, signal.SIGTERM)
        while any(child.pid for child in alive) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for child in alive:
            if child.pid:
                log.warning(
                    "process.killed", extra={"child": child.name, "reason": f"not over in {self.drain_s:.0f} s"}
                )
                _send(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended in between; the next wait collects it
