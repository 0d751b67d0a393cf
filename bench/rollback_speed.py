"""How soon a safety rollback reaches every process: a real server with 3 workers under steady load, from the commit of
the rollback to the start of the last request that the rolled-back release answered.

    PYTHONPATH=src:tests python bench/rollback_speed.py --rounds 60

Clients go on with conversations that began on the canary, and begin new ones, all the time. Start of a request: the end
and the latency that its entry records, so all times are of one clock. Prints JSON, milliseconds.
"""

import argparse
import http.client
import itertools
import json
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

from house import House, scripted_model

RAMP = "\nramp:\n  stages: [{share: 0.5}]\n  maturity_minutes: 60\n"
LINES = 6


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=60)
    asked.add_argument("--workers", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, scripted_model() as model:
        house = House(Path(folder) / "home", model=model)
        house.use_case("enforce", RAMP)
        house.publish()
        key = house.key()
        release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
        green = house.root / "green.xml"
        green.write_text('<testsuite><testcase name="a"/></testsuite>')
        stop = threading.Event()
        with house.serving("--workers", str(given.workers)) as server:
            crowd = [threading.Thread(target=talk, args=(server.url, key, stop, at)) for at in range(LINES)]
            for one in crowd:
                one.start()
            for number in range(given.rounds):
                if number:
                    again(house, release)
                house.run("release", "test", release, "--junit", str(green))
                house.run("release", "start", release)
                time.sleep(0.8)
                house.run("release", "rollback", release)
                time.sleep(1.5)
            stop.set()
            for one in crowd:
                one.join()
        print(json.dumps(measured(house, release), indent=2))


def again(house: House, release: str) -> None:
    """The same release as a draft once more."""
    made = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
    assert made == release


def talk(url: str, key: str, stop: threading.Event, line: int) -> None:
    """Ten conversations at a time, turn by turn, each of eight turns, over one connection each ten."""
    at = url.removeprefix("http://").removesuffix("/v1")
    body = json.dumps({"model": "orders", "messages": [{"role": "user", "content": "Where is my order?"}]})
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    for batch in itertools.count():
        open_line = http.client.HTTPConnection(at, timeout=30)
        for turn in range(80):
            if stop.is_set():
                open_line.close()
                return
            named = f"talk-{line}-{batch}-{turn % 10}"
            open_line.request("POST", "/v1/chat/completions", body, {**headers, "x-handrail-conversation": named})
            open_line.getresponse().read()
        open_line.close()


def measured(house: House, release: str) -> dict[str, object]:
    with sqlite3.connect(house.data / "handrail.db") as db:
        moves = [
            (kind, at_ms)
            for kind, at_ms in db.execute(
                "SELECT kind, at_ms FROM entry WHERE kind IN ('release.started', 'release.rolled_back') ORDER BY seq"
            )
        ]
        answered = []
        others = 0
        for at_ms, facts in db.execute("SELECT at_ms, facts FROM entry WHERE kind = 'interaction.closed'"):
            told = json.loads(facts)
            if told.get("release") == release:
                answered.append((at_ms - told["facts"].get("latency_ms", 0), told["facts"].get("first", False)))
            else:
                others += 1
    found, counts = [], []
    for (kind, at_ms), following in itertools.zip_longest(moves, moves[1:]):
        if kind != "release.rolled_back":
            continue
        until = following[1] if following else float("inf")
        late = [start - at_ms for start, _ in answered if at_ms <= start < until]
        found.append(max(late, default=0))
        counts.append(len(late))
    found.sort()
    return {
        "rollbacks": len(found),
        "last_request_started_ms": {
            "p50": found[len(found) // 2], "p99": found[min(len(found) - 1, int(len(found) * 0.99))], "max": found[-1],
        },
        "requests_after_commit_mean": sum(counts) / len(counts),
        "interactions": {"canary": len(answered), "other": others},
    }  # fmt: skip


if __name__ == "__main__":
    main()
