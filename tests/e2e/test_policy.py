"""`handrail policy` and `handrail tools` as a person types them, and a publish with tools and rules."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_house import ActingHouse, act, chat, till
from fakes.shop_home import CASES, RULES, SHOP, TOOLS
from house import House, scripted_model

TALK = [
    {"role": "user", "content": "I am ann@shop.example. Please refund order A1, 20 euros."},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "function": {"name": "get_customer", "arguments": '{"email": "ann@shop.example"}'}},
            {"id": "2", "function": {"name": "get_order", "arguments": '{"order_id": "A1"}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": '{"id": "C1", "orders": ["A1"]}'},
    {"role": "tool", "tool_call_id": "2", "content": '{"id": "A1", "customer_id": "C1", "status": "delivered"}'},
]
REFUND = {"use_case": "orders", "action": "refund_order", "arguments": {"order_id": "A1", "amount": 20}}
LEVELS = """levels:
  read: {risk: R1, autonomy: A3}
  assert: {risk: R1, autonomy: A3}
  money: {risk: R3, autonomy: A3}
tools: [get_customer, get_order, refund_order]
"""


@pytest.fixture
def shop(tmp_path: Path) -> House:
    """A home with the starter's tools and rules switched on."""
    house = House(tmp_path / "home")
    for name in (TOOLS, RULES, CASES):
        path = house.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SHOP[name])
    use_case = house.root / "use-cases" / "orders.yaml"
    use_case.write_text(use_case.read_text().replace("levels: {assert: {risk: R1, autonomy: A3}}\n", LEVELS))
    return house


def lines(house: House, *rows: object, code: int = 0) -> list[dict[str, object]]:
    (house.root / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = house.run("policy", "run", "--input", str(house.root / "in.jsonl"), code=code).stdout
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.promise("HAC-5")
def test_each_line_gets_its_verdict_with_reasons_and_rules(shop: House) -> None:
    allowed, held, denied, unknown = lines(
        shop,
        {"id": 1, **REFUND, "conversation": TALK},
        {"id": 2, **REFUND, "arguments": {"order_id": "A1", "amount": 80}, "conversation": TALK},
        {"id": 3, **REFUND},
        {"id": 4, **REFUND, "action": "open_drawer", "facts": None, "conversation": None, "history": None},
    )
    assert allowed == {"id": 1, "verdict": "allow", "reasons": [], "rules": []}
    assert (held["verdict"], held["rules"], held["route"]) == ("hold", ["large"], "leads")
    large = {"code": "rule", "rule": "rules/shop.yaml: rules.large", "why": "refunds above 50.00 EUR wait for a lead"}
    assert isinstance(held["reasons"], list)
    assert large in held["reasons"]
    assert (denied["verdict"], denied["rules"]) == ("deny", ["order-read-first"])
    assert (unknown["verdict"], unknown["reasons"]) == ("deny", [{"code": "tool.unregistered"}])


@pytest.mark.promise("HAC-5")
def test_a_misspelt_member_is_an_error_and_what_others_wrote_is_ignored_and_named_once(shop: House) -> None:
    right = {**REFUND, "conversation": TALK}
    rows = [
        {"id": 1, "use_case": "orders", "action": "refund_order", "argument": {}, "conversation": TALK},
        {"id": 2, **right, "histroy": {}},
        {"id": 3, **right, "labels": {"expect": "allow"}},
        {"id": 4, **right, "category": "A", "expected": "allow", "source": 7},
        {"id": 5, **right, "category": "B"},
        {"id": 6, **right, "use_case": "ordres"},
    ]
    (shop.root / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = shop.run("policy", "run", "--input", str(shop.root / "in.jsonl"), code=1)
    one, two, three, four, five, six = (json.loads(line) for line in done.stdout.splitlines())
    assert one["error"].startswith('a line has no member "argument"; did you mean "arguments"?')
    assert 'did you mean "history"?' in two["error"]
    assert [each["verdict"] for each in (three, four, five)] == ["allow"] * 3
    assert done.stderr.count("category, expected, source;") == 1
    assert (six["verdict"], six["reasons"][0]["code"]) == ("deny", "use_case.unregistered")
    assert 'no use case "ordres"; did you mean "orders"?' in six["reasons"][0]["why"]


def test_recorded_actions_are_decided_again_while_a_case_fails_and_a_file_of_lines_is_not(shop: House) -> None:
    path = shop.root / CASES
    path.write_text(path.read_text().replace("expect: hold", "expect: allow", 1))
    said = shop.run("policy", "run", "--since", "1h").stderr
    assert "warning: rules/" in said
    assert "0 actions" in said
    shop.run("policy", "run", "--input", "-", stdin="", code=1)


@pytest.mark.promise("HAC-5")
def test_a_line_that_cannot_be_read_is_told_in_its_place_and_the_rest_is_decided(shop: House) -> None:
    good = json.dumps({"id": "b", **REFUND, "conversation": TALK})
    rows = f'oops\n{good}\n{{"id": "c"}}\n[1]\n'
    said = shop.run("policy", "run", "--input", "-", stdin=rows, code=1).stdout
    first, second, third, fourth = (json.loads(line) for line in said.splitlines())
    assert (first["line"], third["id"], fourth["line"]) == (1, "c", 4)
    assert all("error" in one and "verdict" not in one for one in (first, third, fourth))
    assert second["verdict"] == "allow"


def test_run_takes_one_source(shop: House) -> None:
    assert "--input" in shop.said("policy", "run", code=2)
    assert "--since" in shop.said("policy", "run", "--input", "-", "--since", "1h", code=2)


@pytest.mark.promise("HAC-4")
def test_cases_are_played_and_a_wrong_one_stops_check_and_publish(shop: House) -> None:
    said = shop.said("policy", "test")
    assert "3 cases, 0 failed; 3 of 3 rules matched" in said
    shop.publish()
    path = shop.root / CASES
    path.write_text(path.read_text().replace("expect: hold", "expect: allow"))
    said = shop.said("policy", "test", code=1)
    assert "FAILED  a large refund of a delivered order waits" in said
    assert "allow was expected and hold came out" in said
    assert "rules/shop.test.yaml:" in shop.said("check", str(shop.root), code=1)
    assert "nothing was published" in shop.said("publish", str(shop.root), code=1)


@pytest.mark.promise("HAC-4")
def test_a_rule_that_no_case_matches_is_named(shop: House) -> None:
    text = SHOP[CASES]
    (shop.root / CASES).write_text(text[: text.index("  - name: an order on its way")])
    assert "in no case: only-delivered" in shop.said("policy", "test")
    shop.run("policy", "test", "--all", code=1)


@pytest.mark.promise("HAC-1")
def test_a_wrong_rule_is_told_with_its_place_by_every_command(shop: House) -> None:
    path = shop.root / RULES
    path.write_text(path.read_text().replace("order.status, exists", "order.statu, exists"))
    place = re.compile(r"rules/shop\.yaml:\d+:\d+: .*did you mean \"order\.status\"")
    for words in (["check", str(shop.root)], ["policy", "test"], ["policy", "run", "--input", "-"], ["publish", "."]):
        assert place.search(shop.said(*words, code=1, stdin="")), words


def test_explain_says_what_stands_about_a_tool(shop: House) -> None:
    said = shop.said("policy", "explain", "refund_order")
    for part in ("R3, A3", "only a delivered order is refunded", "refunds-a-day", "leads: one person (approver)"):
        assert part in said
    assert 'did you mean "refund_order"' in shop.said("policy", "explain", "refund_ordr", code=2)
    assert "no action" in shop.said("policy", "explain", "ac_nothing", code=1)


@pytest.mark.promise("HAC-6")
def test_a_route_that_nobody_could_settle_is_told_first_and_refused_once_persons_exist(shop: House) -> None:
    assert "0 of 1 persons have its roles; no persons yet" in shop.said("publish", str(shop.root))
    code = re.search(r"ho_\S+", shop.said("person", "first"))
    assert code is not None
    token = shop.said("person", "redeem", code[0], "--mail", "root@house.example", "--name", "Root").split()
    root = next(word for word in token if word.startswith("hp_"))
    (shop.root / RULES).write_text(SHOP[RULES].replace("within: ever", "within: month"))
    assert "nobody could settle a hold of 'orders'" in shop.said("publish", str(shop.root), "--token", root, code=1)
    words = ("--mail", "ann@house.example", "--name", "Ann", "--role", "approver", "--token", root)
    shop.run("person", "add", *words)
    shop.run("publish", str(shop.root), "--token", root)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("model") / "script.json"
    script.write_text(json.dumps({"replies": [], "fallback": {"id": "f", "text": "I will see to it."}}))
    with scripted_model("--script", str(script)) as url:
        yield url


@pytest.mark.promise("HAC-5")
def test_recorded_actions_are_decided_again_and_the_difference_is_told(tmp_path: Path, model: str) -> None:
    with till(tmp_path) as target:
        house = ActingHouse(tmp_path / "home", target.url, model=model)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server:
            chat(server, key, "t-1", "Please refund 4000 cents for order A-1.")
            held = act(server, key, "till.refund", arguments={"order": "A-1", "amount": 4_000})[1]
            note = act(server, key, "till.note", arguments={"order": "A-1", "text": "call back"})[1]
    told = house.said("policy", "explain", held["action_id"])
    assert "The action waits for a person." in told
    assert "No conversation is linked to it." in told

    def again() -> dict[str, dict[str, object]]:
        said = house.run("policy", "run", "--since", "1h").stdout
        return {row["id"]: row for row in map(json.loads, said.splitlines())}

    same = again()
    assert {one["differs"] for one in same.values()} == {False}
    assert same[held["action_id"]]["verdict"] == "hold"
    path = house.root / "rules" / "till.yaml"
    rule = "rules:\n  - {id: no-notes, deny: no notes any more, tools: [note]}\n"
    path.write_text(rule + path.read_text())
    other = again()[note["action_id"]]
    assert (other["verdict"], other["rules"], other["differs"]) == ("deny", ["no-notes"], True)
    assert other["before"] == {"verdict": "allow", "rules": []}


@pytest.mark.promise("HAC-3")
def test_tools_are_drafted_into_a_file_that_is_good_and_never_overwritten(shop: House) -> None:
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "https://desk.example.com"}],
        "paths": {"/tickets": {"get": {"operationId": "listTickets"}, "delete": {"operationId": "dropTickets"}}},
    }
    (shop.root / "openapi.json").write_text(json.dumps(document))
    output = shop.root / "tools" / "desk.yaml"
    words = ("tools", "import", str(shop.root / "openapi.json"), "--upstream", "desk", "--output", str(output))
    assert "2 tools drafted" in shop.said(*words)
    said = shop.said("check", str(shop.root))
    assert "no use case lists dropTickets" in said
    assert "is there already" in shop.said(*words, code=1)
    assert "neither an OpenAPI 3 document" in shop.said("tools", "import", "-", stdin="a: 1\n", code=1)
    assert "neither JSON nor YAML" in shop.said("tools", "import", "-", stdin="{a: [\n", code=1)
    said = shop.said("tools", "import", "--stdio", "--", "/bin/false", code=1)
    assert "did not list its tools" in said or "needs the extra" in said
