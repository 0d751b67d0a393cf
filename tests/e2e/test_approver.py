"""The approver's desk by commands: the whole case in plain text that steers no terminal, and similar holds together."""

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from acting_house import ActingHouse, TillProcess, act, chat, till, told
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
    rules = made.root / "rules" / "till.yaml"
    band = "decide_within_s: 600, currency: EUR, batch_up_to: 9000, otherwise: handover"
    rule = "rules: [{ id: look, hold: refunds are looked at, tools: [till.refund] }]\n"
    rules.write_text(rule + rules.read_text().replace("decide_within_s: 600", band))
    made.publish()
    made.hire()
    return made


@pytest.mark.promise("APR-7")
def test_a_case_says_all_that_a_decision_needs_and_steers_no_terminal(house: ActingHouse) -> None:
    key = house.agent()
    with house.serving("--workers", "1") as server:
        chat(server, key, "t-1", "please refund order A-1\x1b[2J with 40 EUR \u202egnol")
        first = act(server, key, "till.refund", arguments={"order": "A-9", "amount": 900}, conversation="t-0")
        house.by("bob", "approvals", "deny", first[1]["action_id"])
        order = "A-1\x1b]0;x\x07\u202e\u2066"
        body = {"arguments": {"order": order, "amount": 4_000}, "conversation": "t-1", "customer": "c-1"}
        held = act(server, key, "till.refund", **body)[1]["action_id"]
        said = house.by("ann", "approvals", "show", held)
        raw = house.by("ann", "approvals", "show", held, "--json")
    for text in (said, raw):
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066")
    assert json.loads(raw)["arguments"] == body["arguments"]
    for part in (
        "what: till.refund  (Pay money back), money, 40.00 EUR",
        "to whom: customer c-1",
        "rule: refunds are looked at [rules/till.yaml: rules.look",
        "how far it reaches: money in till",
        "undo: never",
        first[1]["action_id"],
        "order = ",
        "user | please refund order A-1",
        "the case goes to a person",
        "who decides: route leads, 1 of approver",
        "digest: ",
    ):
        assert part in said, part
    assert "(rules unknown)" not in said
    about = house.run("log", "--about", held).stdout
    assert [line.split()[2] for line in about.splitlines()] == ["payload.read", "payload.read", "action.decided"]
    assert house.run("log", "--about", held, "--kind", "action").stdout.count("\n") == 1
    assert f"log --about {held}" in house.by("ann", "show", held, code=1)
    assert "actions decided (handrail log --kind action): hold 2" in house.run("report").stdout


@pytest.mark.promise("APR-22")
def test_similar_holds_are_read_and_approved_together_and_one_that_was_edited_is_left_out(
    house: ActingHouse, target: TillProcess, tmp_path: Path
) -> None:
    key = house.agent()
    with house.serving("--workers", "1") as server:
        held = [
            act(server, key, "till.refund", arguments={"order": f"A-{at}", "amount": 1_000 * at})[1]["action_id"]
            for at in (1, 2, 3, 8)
        ]
        big = act(server, key, "till.refund", arguments={"order": "B-1", "amount": 9_500})[1]["action_id"]
        assert "one by one" in house.by("ann", "approvals", "similar", big, code=1)
        seen = house.by("ann", "approvals", "similar", held[0], "--below", "3000")
        assert [line.split()[0] for line in seen.splitlines()] == held[:3]
        (tmp_path / "seen").write_text(seen)
        house.by("bob", "approvals", "edit", held[1], "--arguments", json.dumps({"order": "A-2", "amount": 1_500}))
        answer = house.by("ann", "approvals", "approve", "--batch", str(tmp_path / "seen"), code=1)
        assert f"{held[1]} is left out" in answer
        assert told(server, key, held[0], wait=10)["status"] == "done"
        assert told(server, key, held[2], wait=10)["status"] == "done"
        house.by("ann", "approvals", "approve", code=2)
        rest = house.by("ann", "approvals", "similar", held[3])
        (tmp_path / "seen").write_text(rest)
        house.by("ann", "approvals", "deny", "--batch", str(tmp_path / "seen"), "--comment", "not like this")
        within(3, lambda: told(server, key, held[3])["status"] == "denied")
        done = house.run("log", "--about", held[0], "--kind", "action.done").stdout.split()[1]
        assert "--unmask" in house.by("cleo", "show", done, "--payload", "--reason", "audit 1", code=2)
        shown = json.loads(house.by("cleo", "show", done, "--payload", "--unmask", "--reason", "audit 1"))
        salt = base64.b64decode(shown["payload"]["salt"])
        for part in ("request", "response"):
            data = shown["payload"][part].encode()
            assert hashlib.sha256(salt + data).hexdigest() == shown["facts"][part]
        assert house.run("log", "--about", done, "--kind", "payload.read").stdout.count("\n") == 1
        assert sorted(row["body"]["amount"] for row in target.effects("refunds")) == [1_000, 3_000]


@pytest.mark.promise("APR-5")
def test_callers_at_once_wait_for_no_more_than_the_limit_lets_wait_and_room_comes_back(
    house: ActingHouse, target: TillProcess
) -> None:
    rules = house.root / "rules" / "till.yaml"
    cap = (
        "limits:\n  - { id: waits, at_most: 900000, per: use-case, within: day, currency: EUR, held_at_most: 9000, "
        "tools: [till.refund] }\n"
    )
    rules.write_text(rules.read_text().replace("limits:\n", cap))
    house.by("root", "publish")
    key = house.agent()
    with house.serving("--workers", "2") as server, ThreadPoolExecutor(12) as pool:

        def call(at: int) -> str:
            return str(act(server, key, "till.refund", arguments={"order": f"A-{at}", "amount": 4_000})[1]["status"])

        found = list(pool.map(call, range(12)))
        assert sorted(found) == ["denied"] * 10 + ["held"] * 2
        rows = [json.loads(line) for line in house.run("approvals", "list", "--json").stdout.splitlines()]
        assert len(rows) == 2
        decided = [json.loads(line) for line in house.run("log", "--kind", "action", "--json").stdout.splitlines()]
        reasons = {reason["code"] for row in decided for reason in row["facts"].get("reasons", ())}
        assert "limit.waiting" in reasons
        house.by("ann", "approvals", "deny", str(rows[0]["action"]))
        assert call(20) == "held"
        assert call(21) == "denied"
    assert target.effects() == []
