"""A level that falls by itself, through a real server of three workers: within a second every worker drafts what would
have run, a publish does not lift it, and a person promotes it."""

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_house import ActingHouse, act, till, told
from house import Server, within

LIMIT_S = 1.0
DEMOTE = """
demote:
  on:
    - {incident: S2, levels: 2, types: [write-undoable]}
  promote: {after_hours: 0, least_units: 0}
"""


class Asking:
    """Notes, each of another order and over a connection of its own, so that every worker is met. `asked`: when, in
    Unix seconds, and what came of it."""

    def __init__(self, server: Server, key: str) -> None:
        self._server, self._key = server, key
        self._numbers = itertools.count()
        self.asked: list[tuple[float, str]] = []

    def note(self) -> str:
        at, order = time.time(), f"A-{next(self._numbers)}"
        status = str(act(self._server, self._key, "till.note", arguments={"order": order, "text": "x"})[1]["status"])
        self.asked.append((at, status))
        return status

    def drafted(self) -> str:
        """The id of one more."""
        asked = act(self._server, self._key, "till.note", arguments={"order": "D-1", "text": "x"})[1]
        return str(asked["action_id"])

    def notes(self, count: int) -> set[str]:
        return {self.note() for _ in range(count)}

    @contextlib.contextmanager
    def without_end(self, lanes: int = 4) -> Iterator[None]:
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                self.note()

        threads = [threading.Thread(target=ask) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(20)


@pytest.mark.promise("AUT-7")
def test_a_trigger_lowers_all_workers_within_a_second_no_publish_lifts_it_and_a_person_does(tmp_path: Path) -> None:
    with till(tmp_path) as target:
        house = ActingHouse(tmp_path / "home", target.url)
        path = house.root / "use-cases" / "orders.yaml"
        path.write_text(path.read_text() + DEMOTE)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving("--workers", "3") as server:
            ask = Asking(server, key)
            assert ask.notes(12) == {"done"}
            note = act(server, key, "till.note", arguments={"order": "U-1", "text": "x"})[1]
            with ask.without_end():
                incident = house.by("cleo", "incident", "open", "orders", "Notes on wrong orders", "--severity", "S1")
                within(10, lambda: "autonomy.demoted" in house.said("log", "--kind", "autonomy"))
                time.sleep(LIMIT_S)
            (row,) = [json.loads(line) for line in house.run("log", "--kind", "autonomy", "--json").stdout.splitlines()]
            late = max(at for at, status in ask.asked if status == "done") - row["at_ms"] / 1_000
            print(f"from the demotion to the last note that still ran: {late * 1e3:.0f} ms")
            assert late < LIMIT_S
            opened = max(at for at, _ in ask.asked) - row["at_ms"] / 1_000
            assert opened > 0.5  # it was asked long enough after
            undone = house.by("bob", "undo", note["action_id"]).split()[0]  # a person's own
            within(5, lambda: told(server, key, undone)["status"] == "done")
            drafted = ask.drafted()
            assert "The level was lowered; see handrail autonomy show." in house.said("policy", "explain", drafted)
            before = len(target.effects("notes"))
            assert ask.notes(24) == {"drafted"}
            path.write_text(path.read_text().replace("Where is", "Where then is") + "\nlinks_allowed: [shop.example]\n")
            said = house.by("root", "publish", str(house.root))
            assert "demoted: orders: write-undoable stays at A1 (the home says A3)" in said
            time.sleep(LIMIT_S)
            assert ask.notes(12) == {"drafted"}
            assert len(target.effects("notes")) == before
            shown = house.said("autonomy", "show", "orders")
            assert "A1, lowered since" in shown
            assert "Now in orders at most A1" in house.said("policy", "explain", "till.note")
            assert (
                "orders: autonomy was lowered (write-undoable at A1 at most)" in house.run("doctor", code=None).stdout
            )
            why = house.by("cleo", "autonomy", "promote", "orders", "--reason", "mended", code=1)
            assert f"incident {incident.split()[0]} is open" in why
            house.by("cleo", "incident", "contain", incident.split()[0])
            house.by("ann", "autonomy", "promote", "orders", "--reason", "mended", code=1)  # an approver may not
            assert "A1 to A2" in house.by("cleo", "autonomy", "promote", "orders", "--reason", "mended")
            assert "A2 to A3" in house.by("cleo", "autonomy", "promote", "orders", "--reason", "mended")
            time.sleep(LIMIT_S)
            assert ask.notes(12) == {"done"}
            time.sleep(2.5)  # the incident that is still not closed lowers nothing again
            assert ask.notes(3) == {"done"}
        assert house.said("verify", str(house.root)).startswith("OK: ")
