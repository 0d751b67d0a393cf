"""One parent, several child processes: start them, restart one that dies, stop them together.

The parent forks before any thread or loop exists; what it has loaded by then is shared with the children. It holds the
listening socket; every worker accepts from it. A child learns of the parent's death by the end of a pipe and then
drains as after SIGTERM: nothing is left behind by a killed parent.

When all stand, the parent may go on as a smaller program (`Supervisor.smaller`, `app.keep`): the children stay its
children. For that this module imports nothing that takes memory, neither dataclasses nor logging.

What a crash leaves: a dead worker's open interactions are found by the jobs process and closed as `interrupted`.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable

FAST_S = 2.0  # a child that lived shorter than this failed to start
FAST_LIMIT = 5  # so many failed starts in a row end the parent
BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0)
SETTLED_S = 1.0
"""All have been ready for so long before the parent goes on as a smaller program."""
ENDING = (signal.SIGTERM, signal.SIGINT)


class Life:
    """Handed to a child. `parent`: a file descriptor that reaches its end when the parent is gone. `ready()` says once
    that the child serves. `want()`: the children on demand are needed now."""

    __slots__ = ("parent", "ready_fd")

    def __init__(self, parent: int, ready_fd: int) -> None:
        self.parent, self.ready_fd = parent, ready_fd

    def ready(self) -> None:
        os.write(self.ready_fd, b"r")

    def want(self) -> None:
        os.write(self.ready_fd, b"w")


class Child:
    """`main` runs in the child and returns its exit code. `needed`: the parent counts it towards readiness,
    and ends when it cannot be started.
    `last`: started only when the others are ready, and told to stop only when they have ended. `on_demand`: started
    when another child says so (`Life.want`); it never calls `ready`."""

    __slots__ = ("due", "failed_starts", "last", "main", "name", "needed", "on_demand", "pid", "started")

    def __init__(
        self,
        name: str,
        main: Callable[[Life], int],
        *,
        needed: bool = True,
        last: bool = False,
        on_demand: bool = False,
    ) -> None:
        self.name, self.main = name, main
        self.needed, self.last, self.on_demand = needed, last, on_demand
        self.pid = self.failed_starts = 0
        self.started = self.due = 0.0


class Supervisor:
    """`on_ready`: called once. `drain_s`: seconds children get to end what they are doing. `smaller`: takes what
    `resumed` needs and becomes another program, or raises OSError; then this one goes on. What becomes of the children
    stands in the log."""

    def __init__(
        self,
        children: list[Child],
        on_ready: Callable[[], None] = lambda: None,
        drain_s: float = 30.0,
        smaller: Callable[[str], None] | None = None,
        fork: Callable[[], int] = os.fork,
    ) -> None:
        self._children, self._on_ready, self._drain_s, self._smaller = children, on_ready, drain_s, smaller
        self._fork = fork
        self._stop = self._wanted = False
        self._ready = self._code = 0
        self._ready_since: float | None = None
        self._child_end = self._parent_end = self._ready_read = self._ready_write = -1

    def resumed(self, standing: str) -> None:
        """Go on where the program before stood."""
        told = json.loads(standing)
        self._child_end, self._parent_end, self._ready_read, self._ready_write = told["ends"]
        self._ready, self._wanted, self._ready_since = told["ready"], told["wanted"], time.monotonic()
        for child in self._children:
            child.pid, child.failed_starts, child.started, child.due = told["children"][child.name]

    def run(self) -> int:
        """Blocks until told to stop (SIGTERM, SIGINT) or a child cannot be started. Returns the exit code."""
        if self._child_end < 0:
            self._child_end, self._parent_end = os.pipe()
            self._ready_read, self._ready_write = os.pipe()
        for name in ENDING:
            signal.signal(name, self._on_stop)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it was left ignored, nobody hears how a child ended
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        try:
            while not self._stop:
                self._start_due()
                self._wait_for_news(0.2)
                self._reap()
                self._shrink()
        finally:
            self._end_all()
        return self._code

    def _on_stop(self, *_: object) -> None:
        self._stop = True

    def _start(self, child: Child) -> None:
        """Where the system makes no further process, those that run go on, and it is tried again. Signals wait until
        the child takes them itself: one of the parent's would be lost in it."""
        _flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            pid = self._fork()
        except OSError as error:
            child.due = time.monotonic() + BACKOFF_S[-1]
            say("warning", "process.not_started", child=child.name, reason=error.strerror)
        else:
            if pid == 0:
                code = 1
                try:
                    code = ended(child.name, lambda: self._in_child(child))
                finally:  # nothing escapes: it would run the parent's code in the child
                    os._exit(code)
            child.pid, child.started = pid, time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _in_child(self, child: Child) -> int:
        for name in ENDING:
            signal.signal(name, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.close(self._parent_end)
        os.close(self._ready_read)
        return child.main(Life(self._child_end, self._ready_write))

    def _wait_for_news(self, seconds: float) -> None:
        readable, _, _ = select.select([self._ready_read], [], [], seconds)
        if readable:
            news = os.read(self._ready_read, 64)
            self._ready += news.count(b"r")
            self._wanted = self._wanted or b"w" in news
        if self._ready_since is None and self._are_ready(self._children):
            self._ready_since = time.monotonic()
            self._on_ready()

    def _are_ready(self, children: list[Child]) -> bool:
        return self._ready >= sum(child.needed and not child.on_demand for child in children)

    def _shrink(self) -> None:
        """Signals wait while the program changes: the next one takes them."""
        if self._smaller is None or self._ready_since is None or time.monotonic() < self._ready_since + SETTLED_S:
            return
        become, self._smaller = self._smaller, None
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            if not self._stop:
                become(self._standing())
        except OSError as error:
            say("warning", "process.stays_large", reason=error.strerror or str(error))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _standing(self) -> str:
        ends = (self._child_end, self._parent_end, self._ready_read, self._ready_write)
        for end in ends:
            os.set_inheritable(end, True)
        children = {one.name: (one.pid, one.failed_starts, one.started, one.due) for one in self._children}
        return json.dumps({"ends": ends, "ready": self._ready, "wanted": self._wanted, "children": children})

    def _reap(self) -> None:
        for child in self._children:
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
            code = os.waitstatus_to_exitcode(status)
            say("warning", "process.ended", child=child.name, code=code, lived_s=round(lived, 1))
            if child.failed_starts >= FAST_LIMIT and child.needed:
                reason = f"it failed to start {FAST_LIMIT} times in a row: see above"
                say("error", "process.given_up", child=child.name, reason=reason)
                self._stop, self._code = True, 1
            child.due = time.monotonic() + BACKOFF_S[min(child.failed_starts, len(BACKOFF_S) - 1)]
        self._bury()

    def _bury(self) -> None:
        """As the first process of a container this one inherits whoever outlives its parent, such as a program that a
        killed child had started: it ends for good only when it is waited for."""
        if not hasattr(os, "waitid"):  # macOS, which has no containers of its own
            return
        ours = [child.pid for child in self._children]
        try:
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid not in ours:
                os.waitpid(found.si_pid, 0)
        except ChildProcessError:
            return  # there is nobody

    def _start_due(self) -> None:
        now = time.monotonic()
        first_are_ready = self._are_ready([child for child in self._children if not child.last])
        for child in self._children:
            if child.on_demand and not self._wanted:
                continue
            if not self._stop and not child.pid and child.due <= now and (first_are_ready or not child.last):
                self._start(child)

    def _end_all(self) -> None:
        deadline = time.monotonic() + self._drain_s
        for last in (False, True):
            self._end([child for child in self._children if child.pid and child.last is last], deadline)

    def _end(self, alive: list[Child], deadline: float) -> None:
        for child in alive:
            _send(child.pid, signal.SIGTERM)
        while any(child.pid for child in alive) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for child in alive:
            if child.pid:
                say("warning", "process.killed", child=child.name, reason=f"not over in {self._drain_s:.0f} s")
                _send(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended in between; the next wait collects it


def ended(child: str, run: Callable[[], int]) -> int:
    """The exit code of a child, whatever happens in it: what it broke with stands in the log."""
    try:
        return run()
    except KeyboardInterrupt:
        return 130
    except BaseException:
        import logging  # deferred: see the head of this file

        logging.getLogger("handrail.server").exception("process.broken", extra={"child": child})
        return 1
    finally:
        _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue  # whoever read it is gone, or the disk is full: no reason to end


def say(level: str, event: str, **about: object) -> None:
    """A line of the log as `app.child.Lines` writes it. One that cannot be written is lost, and nothing else."""
    now_ms = time.time_ns() // 1_000_000  # noqa: TID251  the time of a log line, as logging takes it
    line = {"at_ms": now_ms, "level": level, "event": event, "process": os.getpid(), **about}
    try:
        os.write(sys.stderr.fileno(), (json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n").encode())
    except OSError:
        return
