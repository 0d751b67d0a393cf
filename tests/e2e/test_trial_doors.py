"""Trials' actions at both doors: what a case asks for is decided like a customer's action, and nothing comes of it;
also at the MCP door, where nothing is held, counted or executed either."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_house import TillProcess, act, till
from house import scripted_model, within
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_house import McpHouse

CASES = """\
use_case: orders
trials:
  - id: both-doors
    customer: c-9
    tools:
      by_http: {action: till.refund}
      by_mcp: {action: till.refund, door: mcp}
      read: {action: till.refund_by_key, door: mcp}
    turns:
      - say: Good morning.
        does:
          - {tool: by_http, arguments: {order: A-1, amount: 4000}}
          - {tool: by_mcp, arguments: {order: A-1, amount: 4000}}
          - {tool: by_mcp, arguments: {order: A-1, amount: 600000}}
          - {tool: read, arguments: {key: k-1}}
        expect:
          - calls: {tool: by_http, verdict: hold}
          - calls: {tool: by_mcp, arguments: {amount: 4000}, verdict: hold}
          - calls: {tool: by_mcp, arguments: {amount: 600000}, verdict: deny}
          - {calls: {tool: by_mcp, verdict: allow}, not: true}
          - calls: {tool: read, verdict: allow}
"""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as process:
        yield process


@pytest.fixture
def house(tmp_path: Path, target: TillProcess) -> Iterator[McpHouse]:
    with scripted_model() as model:
        made = McpHouse(tmp_path / "home", target.url, {}, model=model)
        path = made.root / "handrail.yaml"
        path.write_text(path.read_text().replace("doors: { ", "doors: { serve: always, "))
        (made.root / "tests").mkdir()
        (made.root / "tests" / "orders.yaml").write_text(CASES)
        path = made.root / "rules" / "till.yaml"
        limit = "  - { id: once, at_most: 1, per: agent, within: day, tools: [till.refund] }\nroutes:"
        path.write_text(path.read_text().replace("routes:", limit))
        yield made


def rows(house: McpHouse, sql: str) -> list[Any]:
    with sqlite3.connect(house.data / "handrail.db") as db:
        return db.execute(sql).fetchall()


def entries(house: McpHouse, kind: str) -> list[Any]:
    return [json.loads(line) for line in house.run("log", "--kind", kind, "--json").stdout.splitlines()]


@pytest.mark.promise("TRI-1")
@pytest.mark.promise("TRI-10")
def test_an_action_of_a_trial_is_decided_at_both_doors_and_nothing_comes_of_it(
    house: McpHouse, target: TillProcess
) -> None:
    house.publish()
    with house.serving("--workers", "1") as server:
        house.opened()
        said = house.said("trial", "run", "--url", server.url, "--mcp-url", house.door)
        assert "1 passed, 0 not" in said
        within(3, lambda: len(entries(house, "probe.decided")) == 4)
        doors = [row["facts"]["door"] for row in entries(house, "probe.decided")]
        assert sorted(doors) == ["http", "mcp", "mcp", "mcp"]
        for table in ("action", "notice", "limit_use", "interaction"):
            assert rows(house, f"SELECT count(*) FROM {table}") == [(0,)], table
        assert target.effects() == []
        assert house.said("approvals", "list").strip() in ("", "nothing waits", "nothing is held")
        house.run("trial", "run", "--url", server.url, "--mcp-url", house.door)  # the limit of one was not used up
        key = house.agent()
        assert act(server, key, "till.refund", arguments={"order": "A-1", "amount": 4000})[1]["status"] == "held"
        assert len(rows(house, "SELECT * FROM action")) == 1  # a customer's is stored and waits


@pytest.mark.promise("TRI-2")
def test_at_the_mcp_door_too_only_a_key_for_probes_brings_a_conversation_and_it_reads_nothing_from_targets(
    house: McpHouse, target: TillProcess
) -> None:
    house.publish()
    key = house.agent()
    probe = house.key("--scope", "act", "--scope", "chat", "--scope", "probe").splitlines()[-1]
    asked = {"order": "A-1", "amount": 10}
    talk = [{"role": "user", "content": "Please pay 10 back for order A-1."}]

    async def tell(client: Client) -> str:
        try:
            await client.call_tool("till__refund", asked, meta={"handrail/said": talk})
        except MCPError as error:
            return json.dumps(error.error.data)
        return ""

    async def would_be(client: Client) -> Any:
        return (await client.call_tool("till__refund", asked, meta={"handrail/said": talk})).structured_content

    with house.serving("--workers", "1"):
        house.opened()
        assert "key.scope" in house.visit(key, tell)
        assert rows(house, "SELECT count(*) FROM action") == [(0,)]
        told = house.visit(probe, would_be)
        assert (told["status"], told["verdict"]) == ("would_be", "hold")
        assert "key.scope" in house.visit(key, tell, headers={"x-handrail-release": "live"})
        assert rows(house, "SELECT count(*) FROM action") == [(0,)]
    assert target.effects() == []


@pytest.mark.promise("TRI-4")
def test_an_action_that_could_not_be_put_to_the_rules_is_not_green(house: McpHouse) -> None:
    house.publish()
    with house.serving("--workers", "1") as server:
        house.opened()
        said = house.said("trial", "run", "--url", server.url, "--mcp-url", "http://127.0.0.1:9", code=1)
    assert "till.refund could not be put to the rules: the server cannot be reached" in said
    assert "0 passed, 1 not" in said
