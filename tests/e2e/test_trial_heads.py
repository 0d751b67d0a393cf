"""A vendor changes what serves a model, and only the heads of its answers say so: kept with each interaction, streamed
ones too, and told by a golden answer."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from e2e.test_trials import stop_listening
from house import House, scripted_model, within

GOLDEN = """\
use_case: orders
stream: [false, true]
trials: [{id: usual, golden: true, turns: [{say: Anything else?}]}]
"""
USUAL = "I will see to it and come back to you within two days, as always."


def script(folder: Path, name: str, headers: dict[str, str]) -> str:
    path = folder / name
    path.write_text(json.dumps({"replies": [], "fallback": {"id": "f", "text": USUAL}, "headers": headers}))
    return str(path)


def entries(house: House, kind: str) -> list[Any]:
    return [json.loads(line) for line in house.run("log", "--kind", kind, "--json").stdout.splitlines()]


@pytest.mark.promise("TRI-13")
@pytest.mark.promise("TRI-5")
def test_what_the_head_of_an_answer_says_is_kept_and_one_never_seen_is_told_once(tmp_path: Path) -> None:
    west = {"x-ms-region": "West Europe", "openai-organization": "acme-4711", "x-request-id": "req_8f31"}
    north = {**west, "x-ms-region": "North Europe"}
    with scripted_model("--script", script(tmp_path, "a.json", west)) as url:
        house = House(tmp_path / "home", model=url)
        (house.root / "tests").mkdir()
        (house.root / "tests" / "orders.yaml").write_text(GOLDEN)
        house.publish()
        port = url.rsplit(":", 1)[1].split("/")[0]
        with house.serving("--workers", "1") as server:
            key = house.key()
            assert server.ask(key)[0] == 200
            with server.stream(key, "hello") as stream:
                stream.read()
            said = house.said("trial", "run", "--url", server.url)
            assert "2 passed" in said
            assert "changed" not in said
            stop_listening(port)
            with scripted_model("--script", script(tmp_path, "b.json", north), "--port", port):
                said = house.said("trial", "run", "--url", server.url)
                assert said.count("the head of the provider's answer says what it never said before") == 2
                assert "changed" not in house.said("trial", "run", "--url", server.url)  # told once
                assert server.ask(key)[0] == 200
            rows = within(5, lambda: found if len(found := entries(house, "interaction.closed")) == 3 else None)
    heads = [row["facts"].get("served_with") for row in rows]
    assert sorted(heads) == ["x-ms-region=North Europe", "x-ms-region=West Europe", "x-ms-region=West Europe"]
    changed = [row["facts"] for row in entries(house, "probe.changed")]
    assert {(one["served_before"], one["served_after"]) for one in changed} == {
        ("x-ms-region=West Europe", "x-ms-region=North Europe")
    }
    with sqlite3.connect(house.data / "handrail.db") as db:
        stored = b"".join(bytes(row[0]) for row in db.execute("SELECT facts FROM entry"))
    assert b"acme-4711" not in stored
    assert b"req_8f31" not in stored
