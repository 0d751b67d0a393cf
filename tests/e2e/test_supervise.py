"""Real processes: a dead child comes back, a parent's death ends the children, a child that cannot start ends all."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import os, select, sys, time, pathlib
from handrail.app.child import log_lines
from handrail.app.supervise import Child, Supervisor
out = pathlib.Path(sys.argv[1])
def worker(life):
    with out.open("a") as f: f.write(f"{os.getpid()}\\n")
    life.ready()
    select.select([life.parent], [], [])
    return 0
def broken(life):
    raise RuntimeError("no such thing")
def slow(life):
    time.sleep(0.5)
    return worker(life)
which = {"worker": [worker], "broken": [broken], "slow then last": [slow, worker]}[sys.argv[2]]
children = [Child(str(at), main, last=at > 0) for at, main in enumerate(which)]
log_lines()
boss = Supervisor(children, on_ready=lambda: print("READY", flush=True), drain_s=0.5, {more})
sys.exit(boss.run())
"""


def start(
    tmp_path: Path, which: str, *, first: str = "", more: str = "", errors: int = subprocess.PIPE
) -> tuple[subprocess.Popen[str], Path]:
    """`first`: what the program does before all else. `more`: of how its supervisor is made."""
    out = tmp_path / "pids"
    out.touch()
    program = textwrap.dedent(first) + PROGRAM.replace("{more}", more)
    command = [sys.executable, "-c", program, str(out), which]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True), out


@contextlib.contextmanager
def over(boss: subprocess.Popen[str]) -> Iterator[None]:
    """However the test ends."""
    with boss:
        try:
            yield
        finally:
            boss.kill()


def log_of(boss: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Each line of standard error is one JSON object."""
    assert boss.stderr is not None
    return [json.loads(line) for line in boss.stderr.read().splitlines()]


def pids(out: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [int(line) for line in out.read_text().split()]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"expected {count} starts, saw {out.read_text()!r}")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.promise("OPS-1")
def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    boss, out = start(tmp_path, "worker")
    with over(boss):
        first = pids(out, 1)[0]
        os.kill(first, signal.SIGKILL)
        second = pids(out, 2)[1]
        assert second != first
        boss.terminate()
        assert boss.wait(5) == 0
        assert gone(second)
        said = log_of(boss)
    assert [(one["event"], one["child"], one["code"]) for one in said] == [("process.ended", "0", -9)]


@pytest.mark.promise("OPS-1")
def test_a_killed_parent_leaves_no_child_behind(tmp_path: Path) -> None:
    boss, out = start(tmp_path, "worker")
    with over(boss):
        child = pids(out, 1)[0]
        boss.kill()
        boss.wait(5)
        assert gone(child)


def test_the_last_child_is_started_when_the_others_are_ready(tmp_path: Path) -> None:
    boss, out = start(tmp_path, "slow then last")
    with over(boss):
        first, last = pids(out, 2)
        children = Path(f"/proc/{boss.pid}/task/{boss.pid}/children").read_text().split()
        assert [str(first), str(last)] == children  # the slow one wrote its id first, so it was ready first
        boss.terminate()
        assert boss.wait(5) == 0


def test_a_child_that_cannot_start_ends_the_parent_with_an_error(tmp_path: Path) -> None:
    boss, _ = start(tmp_path, "broken")
    with over(boss):
        assert boss.wait(15) == 1
        said = log_of(boss)
    assert {one["event"] for one in said} == {"process.broken", "process.ended", "process.given_up"}
    assert "RuntimeError" in said[0]["trace"]
    assert "failed to start" in said[-1]["reason"]


SCARCE = """
import os, errno
calls = []
def scarce():
    calls.append(1)
    if len(calls) == 2:
        raise OSError(errno.EAGAIN, "no process is left")
    return os.fork()
"""


def test_where_no_process_is_left_those_that_run_go_on_and_it_is_tried_again(tmp_path: Path) -> None:
    boss, out = start(tmp_path, "worker", first=SCARCE, more="fork=scarce")
    with over(boss):
        os.kill(pids(out, 1)[0], signal.SIGKILL)
        second = pids(out, 2)[1]
        boss.terminate()
        assert boss.wait(5) == 0
        assert gone(second)
        said = log_of(boss)
    assert [(one["event"], one["child"]) for one in said] == [("process.ended", "0"), ("process.not_started", "0")]
    assert said[1]["reason"] == "no process is left"


def test_a_log_that_nobody_reads_any_more_ends_no_server(tmp_path: Path) -> None:
    read, write = os.pipe()
    boss, out = start(tmp_path, "worker", errors=write)
    os.close(write)
    os.close(read)
    with over(boss):
        os.kill(pids(out, 1)[0], signal.SIGKILL)
        second = pids(out, 2)[1]
        boss.terminate()
        assert boss.wait(5) == 0
        assert gone(second)


def test_how_a_child_ended_is_heard_where_the_signal_of_it_was_left_ignored(tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    boss, out = start(tmp_path, "worker", first=ignoring)
    with over(boss):
        os.kill(pids(out, 1)[0], signal.SIGKILL)
        pids(out, 2)
        boss.terminate()
        assert boss.wait(5) == 0
        said = log_of(boss)
    assert [(one["event"], one["code"]) for one in said] == [("process.ended", -9)]


INHERITING = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as process 1 of a container is
if os.fork() == 0:
    if os.fork() == 0:
        with open(sys.argv[1] + ".orphan", "w") as file: file.write(str(os.getpid()))
        time.sleep(0.5)
    os._exit(0)
os.wait()
"""


def test_who_outlived_its_parent_does_not_stay_as_a_dead_process(tmp_path: Path) -> None:
    boss, out = start(tmp_path, "worker", first=INHERITING)
    with over(boss):
        worker = pids(out, 1)[0]
        orphan = int(Path(f"{out}.orphan").read_text())
        assert gone(orphan)
        os.kill(worker, 0)
        boss.terminate()
        assert boss.wait(5) == 0
        assert log_of(boss) == []
