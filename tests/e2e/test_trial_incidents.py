"""One test for each closed incident: drafted from what was recorded, reviewed by a person, named at the end of the
incident, and shown by every release of its use case before it starts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_house import ActingHouse, TillProcess, till
from house import House, Server, scripted_model, within

RAMP = "ramp:\n  stages:\n    - {share: 0.5}\n"
PLAIN = "use_case: orders\ntrials:\n  - {id: plain, turns: [{say: hello}]}\n"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as process:
        yield process


@pytest.fixture
def house(tmp_path: Path, target: TillProcess) -> Iterator[ActingHouse]:
    with scripted_model() as model:
        made = ActingHouse(tmp_path / "home", target.url, model=model)
        (made.root / "tests").mkdir()
        (made.root / "tests" / "plain.yaml").write_text(PLAIN)
        path = made.root / "use-cases" / "orders.yaml"
        path.write_text(path.read_text() + RAMP)
        yield made


def run(house: House, server: Server, *words: str, code: int = 0) -> str:
    return house.said("trial", "run", "--url", server.url, *words, code=code)


def entries(house: House, kind: str) -> list[Any]:
    return [json.loads(line) for line in house.run("log", "--kind", kind, "--json").stdout.splitlines()]


def reviewed(house: House, live: str) -> str:
    opened = house.said("incident", "open", "orders", "wrong promises", "--release", live[:12])
    found = re.search(r"ic_\w+", opened)
    assert found is not None, opened
    house.run("incident", "contain", found[0])
    house.run("incident", "note", found[0], "the prompt lost a line")
    house.run("incident", "review", found[0])
    return found[0]


@pytest.mark.promise("TRI-12")
def test_an_incident_becomes_a_reviewed_case_that_every_release_must_show(house: ActingHouse) -> None:
    house.publish()
    key = house.agent()
    with house.serving("--workers", "1") as server:
        text = "I am Dana Whitlock, card 4111 1111 1111 1111. Where is my parcel?"
        _, _, headers = server.ask(key, text, model="orders")
        name = headers["x-handrail-interaction"]
        row = within(5, lambda: next(iter(entries(house, "interaction.closed")), None))
        incident = reviewed(house, row["release"])
        draft = house.root / "tests" / "incident.yaml"
        words = ("--from-incident", incident, "--name", "promises", "--output", str(draft))
        house.said("trial", "import", *words, code=2)  # reading it needs a reason
        assert "cases: 1;" in house.said("trial", "import", *words, "--reason", "ticket 4711")
        assert [one["about"] for one in entries(house, "payload.read")] == [name]
        made = draft.read_text()
        assert f"incident: {incident}" in made
        assert "draft: true" in made
        assert not re.search(r"4111|Whitlock", made)
        said = run(house, server)
        assert "1 passed, 0 not" in said  # a draft shows nothing, and nothing of it is run
        assert "not run: promises-1 is a draft" in said
        assert "is a draft" in house.said("incident", "close", incident, "--test", "promises-1", code=1)
        draft.write_text(made.replace("    draft: true\n", ""))
        assert "does not say what it is for" in house.said("incident", "close", incident, "--test", "plain", code=1)
        release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
        house.run("incident", "close", incident, "--test", "promises-1")

        assert "2 passed, 0 not" in run(house, server, "--release", release)
        draft.rename(house.root / "elsewhere.yaml")
        said = run(house, server, "--release", release)
        assert f"missing: the case promises-1 of incident {incident}" in said
        assert "is draft by these" in said
        said = house.said("release", "start", release, code=1)
        (house.root / "elsewhere.yaml").rename(draft)
        assert "is tested by these 2 cases" in run(house, server, "--release", release)
        house.run("release", "start", release)


@pytest.mark.promise("TRI-12")
def test_an_incident_closed_after_the_tests_keeps_the_release_from_starting_until_its_case_was_shown(
    house: ActingHouse,
) -> None:
    house.publish()
    key = house.agent()
    with house.serving("--workers", "1") as server:
        server.ask(key, "Where is my parcel?", model="orders")
        row = within(5, lambda: next(iter(entries(house, "interaction.closed")), None))
        release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
        assert "is tested by these 1 cases" in run(house, server, "--release", release)
        incident = reviewed(house, row["release"])
        house.run("incident", "close", incident, "--no-test", "the courier was late")
        assert f"incident {incident} was closed without a case: the courier was late" in house.said(
            "release", "status", release
        )
        (house.root / "tests" / "late.yaml").write_text(
            f"use_case: orders\ntrials:\n  - {{id: late, incident: {incident}, turns: [{{say: hello}}]}}\n"
        )
        house.run("incident", "retest", incident, "--test", "late")
        said = house.said("release", "start", release, code=1)
        assert f"incident {incident} was closed by the test late, and no run of all cases showed it green" in said
        assert "no run of all cases showed it green" in house.said("release", "status", release)
        run(house, server, "late", "--release", release)  # one case is not all
        house.run("release", "start", release, code=1)
        assert "is tested by these 2 cases" in run(house, server, "--release", release)
        assert "without a case" not in house.said("release", "start", release)
