"""Metrics of several workers: one sum, whoever is asked, whoever died."""

import os
import signal
import time

import pytest

from handrail.app.board import HALF, Board
from handrail.gateway.metrics import Gauge, Metrics, Over


def worker(board: Board, place: int, gauges: dict[str, float] | None = None) -> Metrics:
    def share(own: bytes) -> list[bytes]:
        board.write(place, own)
        return board.all()

    metrics = Metrics(share)
    for name, value in (gauges or {}).items():
        over = Over.MOST if name == "age" else Over.SUM
        metrics.add(Gauge(name, "", (), lambda value=value: {(): value}, over))
    metrics.load(board.read(place))
    return metrics


def shown(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


ROUTE = 'handrail_requests_total{route="chat",outcome="answered",code=""}'


@pytest.mark.promise("OPS-METRICS")
def test_every_worker_shows_the_sum_of_all() -> None:
    board = Board(2)
    one, two = worker(board, 0), worker(board, 1)
    for metrics, count in ((one, 3), (two, 1_234_567)):
        metrics.requests.add(("chat", "answered", ""), count)
        metrics.seconds.observe(("chat",), 0.2)
    two.publish()
    assert shown(one)[ROUTE] == 1_234_570
    assert shown(two)[ROUTE] == 1_234_570
    assert shown(one)['handrail_request_seconds_count{route="chat"}'] == 2
    assert shown(one)['handrail_request_seconds_bucket{route="chat",le="0.25"}'] == 2
    assert shown(one)['handrail_request_seconds_bucket{route="chat",le="0.1"}'] == 0
    assert shown(one)['handrail_request_seconds_sum{route="chat"}'] == pytest.approx(0.4)


@pytest.mark.promise("OPS-METRICS")
def test_a_worker_started_again_goes_on_where_the_last_one_was() -> None:
    board = Board(2)
    one, two = worker(board, 0, {"busy": 4, "age": 9}), worker(board, 1, {"busy": 1, "age": 2})
    two.requests.add(("chat", "answered", ""), 5)
    two.seconds.observe(("chat",), 0.2)
    two.publish()
    assert shown(one)["busy"] == 5
    assert shown(one)["age"] == 9
    two = worker(board, 1, {"busy": 0, "age": 0})
    before = shown(one)
    two.requests.add(("chat", "answered", ""))
    two.publish()
    after = shown(one)
    assert before[ROUTE] == 5
    assert after[ROUTE] == 6
    assert after['handrail_request_seconds_count{route="chat"}'] == 1
    assert after["busy"] == 4


def test_a_snapshot_that_does_not_fit_leaves_the_last_one() -> None:
    board = Board(1)
    board.write(0, b"small")
    board.write(0, b"x" * (HALF + 1))
    assert board.all() == [b"small"]
    board.write(0, b"x" * HALF)
    assert board.read(0) == b"x" * HALF
    board.write(0, b"")
    assert board.read(0) == b""


def test_a_writer_killed_at_any_moment_leaves_a_whole_snapshot() -> None:
    board = Board(1)
    board.write(0, b"first")
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            for number in range(100_000):
                board.write(0, bytes([number % 256]) * 20_000)
                time.sleep(0.001)
            os._exit(0)
        try:
            found = [board.read(0) for _ in range(200)]
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert all(each == b"first" or len(set(each)) == 1 for each in [*found, board.read(0)])
