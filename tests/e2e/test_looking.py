"""Looking back at what failed and at what was only observed, as a person types it."""

import json
import os
import pty
import subprocess

import pytest
from house import HANDRAIL, House


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str]:
    """A home that observes, whose provider is dead, after one call with a card number; the call's interaction."""
    house = House(tmp_path_factory.mktemp("observed") / "home", mode="observe")
    house.publish()
    key = house.key()
    with house.serving() as server:
        status, _, headers = server.ask(key, "My card is 4111 1111 1111 1111")
    assert status == 502
    return house, headers["x-handrail-interaction"]


def on_a_terminal(house: House, *words: str) -> str:
    ours, theirs = pty.openpty()
    try:
        env = {**os.environ, **house.env}
        subprocess.run(
            [*HANDRAIL, *words], stdout=theirs, stderr=subprocess.DEVNULL, env=env, cwd=house.root, timeout=60
        )
        return os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.promise("STO-FIND")
def test_what_enforcing_would_have_done_is_found_and_shown(observed: tuple[House, str]) -> None:
    house, interaction = observed
    said = house.said("find", "--would-be", "change")
    assert f"  {interaction}  orders  - (would be change)  failed  CARD" in said
    assert json.loads(house.run("find", "--would-be", "change", "--json").stdout)["would_be"] == "change"
    assert "nothing found" in house.said("find", "--would-be", "deny")


@pytest.mark.promise("RPT-4")
def test_a_failed_call_stands_in_the_report_with_its_code(observed: tuple[House, str]) -> None:
    house, interaction = observed
    said = house.said("report")
    assert "without an answer: 1 of 1 (100.0%)" in said
    assert "upstream.unreachable 1" in said
    facts = json.loads(house.run("show", interaction).stdout)["facts"]
    assert (facts["status"], facts["error"]) == (502, "upstream.unreachable")
    assert facts["attempts"] > 1


def test_a_terminal_gets_heads_of_columns_and_a_pipe_none(observed: tuple[House, str]) -> None:
    house, interaction = observed
    for words, head in ((["find"], "interaction  use case  verdict"), (["log"], "entry  kind  by  use case")):
        first, second = on_a_terminal(house, *words).splitlines()[:2]
        assert head in first
        assert head not in second
        assert head not in house.run(*words).stdout
    assert interaction in house.run("find").stdout
