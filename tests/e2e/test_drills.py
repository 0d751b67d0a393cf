"""Drills through commands and a real server: made up by the rules in force, in the queue, decided, never executed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_house import ActingHouse, TillProcess, act, till, told
from house import scripted_model, within


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as process:
        yield process


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("model") / "script.json"
    script.write_text(json.dumps({"replies": [], "fallback": {"id": "f", "text": "I will see to it."}}))
    with scripted_model("--script", str(script)) as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, target: TillProcess, model: str) -> ActingHouse:
    made = ActingHouse(tmp_path / "home", target.url, model=model)
    made.publish()
    made.hire()
    return made


def waiting(house: ActingHouse) -> list[dict[str, object]]:
    return [json.loads(line) for line in house.run("approvals", "list", "--json").stdout.splitlines()]


@pytest.mark.promise("DRL-1")
@pytest.mark.promise("DRL-3")
def test_drills_stand_in_the_queue_like_other_holds_and_nothing_of_them_reaches_the_target(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "1") as server:
        real = act(server, key, "till.refund", arguments={"order": "A-1", "amount": 4_000})[1]["action_id"]
        house.by("ann", "drill", "approvals", code=1)
        house.by("root", "drill", "approvals", code=1)
        said = house.by("cleo", "drill", "approvals", "--count", "4", "--seed", "x")
        assert "4 drills are in the queue" in said
        rows = waiting(house)
        assert len(rows) == 5
        assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(rows[0]))}
        assert {row["agent"] for row in rows} == {"shop-agent"}
        drills = [str(row["action"]) for row in rows if row["action"] != real]
        seen = json.loads(house.by("ann", "approvals", "show", drills[0], "--json"))
        plain = json.loads(house.by("ann", "approvals", "show", real, "--json"))
        assert seen.keys() == plain.keys()
        assert seen.pop("was_drill") is plain.pop("was_drill") is False
        assert "drill" not in json.dumps(seen)
        assert seen["excluded"] == plain["excluded"]
        missed = house.by("ann", "approvals", "approve", drills[0], "--digest", str(seen["digest"]))
        assert "you missed it" in missed
        assert "you caught it" in house.by("bob", "approvals", "deny", drills[1])
        other = json.dumps({"order": "Z-1", "amount": 100})
        assert "this was a drill" in house.by("bob", "approvals", "edit", drills[2], "--arguments", other)
        house.by("cleo", "stop", "tool", "till.refund", "--reason", "odd")
        house.approve("ann", drills[3], code=1)
        for drill in drills:
            house.by("ann", "undo", drill, code=1)
        within(3, lambda: told(server, key, real)["status"] == "revoked")
    assert target.effects() == []
    report = house.said("report")
    assert "0 interactions" in report
    assert "hold 1\n" in report  # the real one alone
    said = house.by("cleo", "drill", "results")
    assert "0 of 1 caught" in said
    assert "too few to judge" in said
    assert "1 undecided" in said
    mine = house.by("ann", "drill", "results")
    assert "0 of 1 caught" in mine
    assert "2 of" not in mine
    assert house.said("verify", str(house.root)).startswith("OK: ")
    assert "drill.decided" in house.said("log", "--kind", "drill")


def test_drills_that_come_over_time_are_put_into_the_queue_by_the_server(house: ActingHouse) -> None:
    house.by("cleo", "drill", "approvals", "--count", "3", "--over", "0.0005")
    assert waiting(house) == []
    with house.serving("--workers", "1"):
        within(20, lambda: len(waiting(house)) == 3)


def test_the_schedule_of_a_route_is_planned_once_for_a_week(house: ActingHouse) -> None:
    rules = house.root / "rules" / "till.yaml"
    rules.write_text(rules.read_text().replace("decide_within_s: 600", "decide_within_s: 600, drills_a_week: 100"))
    house.by("root", "publish")
    for _ in range(2):
        with house.serving("--workers", "1"):
            within(10, lambda: "drill.started" in house.said("log", "--kind", "drill"))
    rows = [json.loads(line) for line in house.run("log", "--kind", "drill", "--json").stdout.splitlines()]
    assert len([row for row in rows if row["kind"] == "drill.started"]) == 1


def test_where_nothing_would_be_held_no_drill_is_made_and_it_says_so(house: ActingHouse) -> None:
    path = house.root / "use-cases" / "orders.yaml"
    path.write_text(path.read_text().replace("mode: enforce", "mode: observe"))
    house.by("root", "publish")
    said = house.by("cleo", "drill", "approvals", code=1)
    assert "observe mode" in said
    assert waiting(house) == []
