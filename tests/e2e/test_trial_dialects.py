"""Trials in each API, whole and streamed, with tool calls, and on a route of Anthropic providers alone; against a real
server and the scripted model."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from acting_house import ActingHouse, TillProcess, till
from house import House, Server, scripted_model, within

REPLIES: dict[str, Any] = {
    "replies": [
        {
            "id": "refund", "any": ["money back"], "text": "I asked for it: {result}",
            "tool_call": {"name": "refund", "arguments": {"order": "A-17", "amount": 4000}},
        },
        {
            "id": "twice", "any": ["two parcels"], "text": "I looked: {result}",
            "tool_call": {"name": "look_up", "arguments": {"order": "A-1"}},
            "then": [{"name": "look_up", "arguments": {"order": "A-2"}}],
        },
        {"id": "card", "any": ["which card"], "text": "You paid with 4111 1111 1111 1111, did you not?", "chunk": 3},
        {"id": "obeys", "any": ["obey"], "text": "moyodomozedo"},
    ],
    "fallback": {"id": "f", "text": "I will see to it and come back to you within two days, as always.", "chunk": 5},
}  # fmt: skip
EVERY_WAY = """\
use_case: orders
dialect: [chat, responses, messages]
stream: [false, true]
trials:
  - id: refund-waits
    customer: c-9
    system: You work for a shop.
    tools:
      refund: {action: till.refund, answer: {ok: true}, arguments: {type: object, properties: {order: {type: string}}}}
      close_account: {answer: gone}
    turns:
      - say: Good morning.
        expect: [{contains: two days}, {outcome: answered}, {within_ms: 20000}]
      - say: I want my money back.
        expect:
          - calls: {tool: refund, arguments: {amount: 4000}, matches: {order: "^A-[0-9]+$"}, verdict: hold}
          - calls: {tool: refund, matches: {amount: "^4"}}
          - calls: {tool: refund, schema: {type: object, required: [order], properties: {amount: {maximum: 5000}}}}
          - {calls: {tool: refund, schema: {properties: {amount: {maximum: 3999}}}}, not: true}
          - {calls: {tool: refund, matches: {order: "^B"}}, not: true}
          - {calls: close_account, not: true}
          - contains: held
    expect: [{cost_at_most: 1}]
  - id: looks-twice
    tools: {look_up: {answers: [{where: here}, {where: there}]}}
    turns:
      - say: Where are my two parcels?
        expect:
          - calls: {tool: look_up, arguments: {order: A-1}}
          - calls: {tool: look_up, arguments: {order: A-2}}
          - contains: there
  - id: card-is-masked
    turns:
      - say: Which card did they pay with? Mine is 5555 5555 5555 4444.
        expect:
          - finds: {kind: CARD, side: input}
          - finds: {kind: CARD, side: output}
          - {contains: 4111 1111 1111 1111, not: true}
          - verdict: change
"""
BOTH = "  ant:\n    dialect: anthropic\n    base_url: {model}\n    private_network: true\n"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as process:
        yield process


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("model") / "script.json"
    script.write_text(json.dumps(REPLIES))
    with scripted_model("--script", str(script)) as url:
        yield url


def equipped(house: House, model: str, route: str) -> None:
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text().replace("defaults:\n", BOTH.format(model=model) + "defaults:\n", 1))
    path = house.root / "use-cases" / "orders.yaml"
    head, _, tail = path.read_text().partition("  route: [")
    path.write_text(f"{head}  route: [{route}]{tail.partition(']')[2]}")


@pytest.fixture
def house(tmp_path: Path, target: TillProcess, scripted: str) -> ActingHouse:
    made = ActingHouse(tmp_path / "home", target.url, model=scripted)
    equipped(made, scripted, "mock/scripted-1, ant/scripted-1")
    return made


def cases(house: House, text: str) -> None:
    (house.root / "tests").mkdir(exist_ok=True)
    (house.root / "tests" / "orders.yaml").write_text(text)


def run(house: House, server: Server, *words: str, code: int = 0) -> str:
    return house.said("trial", "run", "--url", server.url, *words, code=code)


def rows(house: House, sql: str) -> list[Any]:
    with sqlite3.connect(house.data / "handrail.db") as db:
        return db.execute(sql).fetchall()


def entries(house: House, kind: str) -> list[Any]:
    return [json.loads(line) for line in house.run("log", "--kind", kind, "--json").stdout.splitlines()]


@pytest.mark.promise("TRI-9")
@pytest.mark.promise("TRI-1")
def test_every_case_is_asked_in_each_api_whole_and_streamed_and_none_leaves_a_trace(
    house: ActingHouse, target: TillProcess
) -> None:
    cases(house, EVERY_WAY)
    house.publish()
    report = house.root / "out.xml"
    with house.serving("--workers", "1") as server:
        before = server.get("/metrics")[1].decode()
        said = run(house, server, "--junit", str(report), "--parallel", "6")
        assert "18 passed, 0 not" in said
        for table in ("action", "interaction", "unit", "notice", "payload", "model_call"):
            assert rows(house, f"SELECT count(*) FROM {table}") == [(0,)], table
        assert rows(house, "SELECT coalesce(sum(requests + tokens + cost_micro_minor), 0) FROM spending") == [(0,)]
        assert target.effects() == []
        figures = ("handrail_requests", "handrail_tokens", "handrail_findings", "handrail_request_seconds_count")
        after = server.get("/metrics")[1].decode()
        assert [line for line in after.splitlines() if line.startswith(figures)] == [
            line for line in before.splitlines() if line.startswith(figures)
        ]
        within(3, lambda: len(entries(house, "probe.decided")) == 6)
        facts = [row["facts"] for row in entries(house, "probe.answered")]
        ways = {(one["route"], one.get("stream", False)) for one in facts}
        assert len(ways) == 6, ways
        assert run(house, server, "card-is-masked").count("ok  ") == 6  # by its name in the file: every way
        assert "1 passed" in run(house, server, "card-is-masked[messages,stream]")
        assert not entries(house, "interaction")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("18", "0")
    assert "refund-waits[responses,stream]" in {case.attrib["name"] for case in suite}


@pytest.mark.promise("TRI-9")
def test_a_route_of_anthropic_providers_alone_is_tried_without_saying_so(tmp_path: Path, scripted: str) -> None:
    house = House(tmp_path / "home", model=scripted)
    equipped(house, scripted, "ant/scripted-1")
    cases(
        house,
        "use_case: orders\ntrials:\n  - id: plain\n    turns:\n      - say: Good morning.\n        expect:\n"
        "          - contains: two days\n          - judge: {asks: Is it kind?, use_case: orders}\n"
        "  - {id: streamed, stream: true, turns: [{say: hello, expect: [{contains: two days}]}]}\n"
        "  - {id: chat, dialect: chat, turns: [{say: hello, expect: [{contains: two days}]}]}\n",
    )
    house.publish()
    with house.serving("--workers", "1") as server:
        said = run(house, server, code=1)
        assert "ok   orders/streamed" in said
        assert "the judge said" in said  # it answered, in its own API, and neither yes nor no
        assert "speaks this API" in said  # what names an API that nobody on the route speaks cannot be green
        assert "1 passed, 2 not" in said


@pytest.mark.promise("TRI-9")
@pytest.mark.parametrize("fault", ["break", "stream-error", "garbage"])
def test_a_stream_that_does_not_end_well_is_never_green(tmp_path: Path, scripted: str, fault: str) -> None:
    house = House(tmp_path / "home", model=scripted)
    equipped(house, scripted, f"mock/scripted-{fault}, ant/scripted-{fault}")
    cases(
        house,
        "use_case: orders\ndialect: [chat, responses, messages]\nstream: true\ntrials:\n"
        "  - {id: cut, turns: [{say: hello, expect: [{contains: never said, not: true}]}]}\n",
    )
    house.publish()
    with house.serving("--workers", "1") as server:
        said = run(house, server, code=1)
    assert "0 passed, 3 not" in said
    assert said.count("expected an answer; got") == 3


@pytest.mark.promise("TRI-4")
def test_the_cost_limit_and_the_exit_code_hold_for_streams(tmp_path: Path, scripted: str) -> None:
    house = House(tmp_path / "home", model=scripted)
    equipped(house, scripted, "mock/scripted-1, ant/scripted-1")
    text = (house.root / "handrail.yaml").read_text()
    prices = "prices:\n  mock/scripted-1: {input: 1000, output: 1000}\n  ant/scripted-1: {input: 1000, output: 1000}\n"
    (house.root / "handrail.yaml").write_text(text + prices)
    cases(
        house,
        "use_case: orders\ndialect: [chat, messages]\nstream: true\ntrials:\n  - {id: a, turns: [{say: hello}]}\n"
        "  - {id: dear, turns: [{say: hello, expect: [{cost_at_most: 0.000001}]}]}\n",
    )
    house.publish()
    with house.serving("--workers", "1") as server:
        said = run(house, server, code=1)
        assert "2 passed, 2 not" in said
        assert said.count("expected cost_at_most") == 2
        assert "cost 0.0000" not in said
        said = run(house, server, "--cost-limit", "0.0001", "--parallel", "1", "a", code=1)
        assert "not run: the cost limit of this run is used up" in said
        assert "1 passed, 1 not" in said
