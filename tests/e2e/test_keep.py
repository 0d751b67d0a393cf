"""The parent of a real server after it has gone on as a small program: who died comes back, numbers and listener stay,
and nobody is left behind."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import HANDRAIL, House, scripted_model, within


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, model: str) -> House:
    house = House(tmp_path / "home", model=model)
    house.publish()
    return house


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def is_small(parent: int) -> bool:
    return b"handrail.app.keep" in Path(f"/proc/{parent}/cmdline").read_bytes()


def anonymous_mb(process: int) -> float:
    found = re.search(r"^Pss_Anon:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def answered(url: str) -> float:
    """Requests that all workers together have answered, as the metrics say."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=5) as answer:
        found = re.findall(r"^handrail_requests_total\S* (\S+)$", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def serves(server: object, key: str) -> bool:
    try:
        return bool(server.ask(key)[0] == 200)  # type: ignore[attr-defined]  # the house's server
    except OSError:
        return False


def over(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.promise("OPS-1")
def test_who_died_is_started_again_by_the_small_parent_and_its_numbers_go_on(house: House) -> None:
    key = house.key()
    with house.serving() as server:
        parent = server.process.pid
        within(20, lambda: is_small(parent))
        assert anonymous_mb(parent) < 8
        before = children(parent)
        assert len(before) == 2
        for _ in range(3):
            assert server.ask(key)[0] == 200
        counted = answered(server.url)
        time.sleep(1.2)  # a worker publishes its numbers each second
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        within(20, lambda: len(children(parent)) == 2 and not set(before) & set(children(parent)))
        within(20, lambda: serves(server, key))
        assert answered(server.url) > counted
        after = children(parent)
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert over(after)
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.promise("OPS-1")
def test_a_killed_small_parent_leaves_neither_a_first_child_nor_one_started_again(house: House) -> None:
    with house.serving() as server:
        parent = server.process.pid
        within(20, lambda: is_small(parent))
        worker, jobs = children(parent)
        os.kill(worker, signal.SIGKILL)
        within(20, lambda: len(children(parent)) == 2 and worker not in children(parent))
        assert jobs in children(parent)
        time.sleep(1.5)  # the new one has loaded what it needs
        left = children(parent)
        server.process.kill()
        within(20, lambda: over(left))


def test_a_server_that_is_told_to_stop_while_its_parent_changes_stops(house: House) -> None:
    """At moments around the change, a second after the start; each time all of it ends, and well."""
    for step in range(6):
        with house.serving() as server:
            parent = server.process.pid
            time.sleep(0.8 + 0.08 * step)
            there = children(parent)
            server.process.terminate()
            assert server.process.wait(20) == 0
            assert over(there)


def test_a_server_that_is_told_to_stop_while_it_loads_stops_well(house: House) -> None:
    """Process 1 of a container would lose a signal that nobody has asked for."""
    command, env = [*HANDRAIL, "serve", "--port", "0"], {**os.environ, **house.env}
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            within(20, lambda: b"handrail.app.parent" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
            process.send_signal(number)
            said = process.communicate(timeout=20)[0]
            assert (process.returncode, said) == (0, "")


def test_a_child_that_breaks_when_it_is_started_again_says_so_in_the_log_and_comes_back(house: House) -> None:
    key = house.key()
    with house.serving() as server, server.heard():
        parent = server.process.pid
        within(20, lambda: is_small(parent))
        kek, aside = house.data / "kek", house.data / "kek-aside"
        kek.rename(aside)
        os.kill(children(parent)[0], signal.SIGKILL)
        within(20, lambda: '"event":"process.broken"' in "".join(server.lines))
        aside.rename(kek)
        within(20, lambda: serves(server, key))
    assert "Traceback" not in "".join(server.lines)
