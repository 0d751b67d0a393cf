"""Memory does not grow with requests, only with bounded caches, which the warm-up fills."""

from pathlib import Path

import pytest
from faults.running import held_kib, load, running

LIMIT_KIB = 5 * 1024


def text(n: int) -> str:
    """Different words, customers' data and digits each time, so that caches fill as they would."""
    order, line = n * 7919 % 1_000_003, n % 10_000
    return f"Where is my order {order}? Write to person{n}@mail.example or call +44 20 7946 {line:04}."


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("OPS-2")
def test_memory_stays_where_the_warm_up_left_it(tmp_path: Path, full: bool) -> None:
    warm_up, measured = (40_000, 200_000) if full else (3_000, 3_000)
    with running(tmp_path) as server:
        assert load(server, text, warm_up).keys() == {200}
        processes = [server.server.pid, *server.workers()]
        before = held_kib(processes)
        statuses = load(server, lambda n: text(n + warm_up), measured)
        after = held_kib(processes)
    print(f"memory: {before} KiB after {warm_up} requests, {after - before:+} KiB over {measured} more")
    assert statuses == {200: measured}
    # in the short form caches still fill: 3,000 conversations of at most 4 KiB each
    assert after - before <= (LIMIT_KIB if full else LIMIT_KIB + 12 * 1024)
