"""Actions through a real server of two workers, a real target, real commands: at once, held, denied, stopped, undone,
and after every process that could die did."""

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from acting_house import ActingHouse, TillProcess, act, chat, till, told
from fakes.storage import PostgresServer
from house import Server, scripted_model, within


@pytest.fixture(scope="module")
def postgres() -> Iterator[Callable[[], PostgresServer]]:
    started: list[PostgresServer] = []

    def server() -> PostgresServer:
        if not started:
            started.append(PostgresServer())
        return started[0]

    yield server
    for each in started:
        each.stop()


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


@pytest.fixture(params=["sqlite", "postgres"])
def house(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    target: TillProcess,
    model: str,
    postgres: Callable[[], PostgresServer],
) -> ActingHouse:
    database = "sqlite" if request.param == "sqlite" else postgres().new_database()
    made = ActingHouse(tmp_path / "home", target.url, database=database, model=model)
    made.publish()
    made.hire()
    return made


def refund(order: str = "A-1", amount: int = 4_000) -> dict[str, object]:
    return {"order": order, "amount": amount}


def workers(server: Server) -> list[int]:
    """Process ids of the server's two gateway workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children][:2]


def kinds(house: ActingHouse, action: str) -> list[str]:
    """The action's entries, sorted: entries of two processes have no order before they are in the log."""
    rows = [json.loads(line) for line in house.run("log", "--kind", "action", "--json").stdout.splitlines()]
    return sorted(row["kind"] for row in rows if row["about"] == action)


@pytest.mark.promise("ACT-5")
def test_a_call_within_the_rules_runs_at_once_and_a_held_one_once_after_a_second_person(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        status, note = act(server, key, "till.note", arguments={"order": "A-1", "text": "call back"})
        assert (status, note["status"]) == (200, "done")
        status, held = act(server, key, "till.refund", arguments=refund(), conversation="t-1")
        assert (status, held["status"]) == (202, "held")
        assert held["message"]
        assert (
            act(server, key, "till.refund", arguments=refund(), conversation="t-1")[1]["action_id"] == held["action_id"]
        )
        assert target.effects("refunds") == []
        assert held["action_id"] in house.said("approvals", "list")
        shown = json.loads(house.by("ann", "approvals", "show", held["action_id"], "--json"))
        assert shown["arguments"] == refund()
        seen = ("approvals", "approve", held["action_id"], "--digest", shown["digest"])
        house.by("root", *seen, code=1)  # an admin is no approver
        house.by("ann", *seen)
        assert told(server, key, held["action_id"], wait=10)["status"] == "done"
        late = house.by("bob", "approvals", "deny", held["action_id"], code=1)  # who decided
        assert re.search(r"decided by ann, pe_\w+, at ", late), late
        status, again = act(server, key, "till.refund", arguments=refund(), conversation="t-1")
        assert (status, again["action_id"], again["result"]["amount"]) == (200, held["action_id"], 4_000)
        assert len(target.effects("refunds")) == 1
        undone = house.by("bob", "undo", note["action_id"]).split()[0]
        within(5, lambda: told(server, key, undone)["status"] == "done")
        assert [row["path"] for row in target.effects("forget")] == [f"/forget/{note['result']['id']}"]
        assert house.by("ann", "undo", note["action_id"]).split()[0] == undone
    assert kinds(house, held["action_id"]) == ["action.approved", "action.claimed", "action.decided", "action.done"]
    assert house.said("verify", str(house.root)).startswith("OK: ")


def test_what_is_denied_or_outside_its_schema_is_an_answer_and_has_no_effect(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        status, wrong = act(server, key, "till.refund", arguments={"order": "A-1", "amount": "all"})
        assert (status, wrong["status"]) == (200, "denied")
        assert wrong["why"] == ["argument amount does not fit the tool's schema"]
        assert act(server, key, "till.open_drawer")[0] == 403
        status, short = act(server, key, "refund", arguments=refund())
        assert status == 403
        assert "called by its full name: till.refund;" in short["error"]["message"]
        held = act(server, key, "till.refund", arguments=refund())[1]["action_id"]
        house.by("bob", "approvals", "deny", held, "--comment", "asked twice")
        assert told(server, key, held)["status"] == "denied"
        mine = act(server, key, "till.refund", arguments=refund("A-2"))[1]["action_id"]
        root = server.url.removesuffix("/v1")
        request = urllib.request.Request(
            f"{root}/api/v1/actions/{mine}", method="DELETE", headers={"authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["status"] == "cancelled"
        time.sleep(0.5)
        assert target.effects("refunds") == []


def test_an_edit_starts_over_and_the_edited_call_is_what_happens(house: ActingHouse, target: TillProcess) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        held = act(server, key, "till.refund", arguments=refund())[1]["action_id"]
        seen = json.loads(house.by("ann", "approvals", "show", held, "--json"))["digest"]
        wrong = json.dumps({"order": "A-1", "amount": -1})
        assert "deny" in house.by("ann", "approvals", "edit", held, "--arguments", wrong, code=1)
        house.by("ann", "approvals", "edit", held, "--arguments", json.dumps(refund(amount=2_500)))
        house.by("bob", "approvals", "approve", held, "--digest", seen, code=1)
        assert f"approvals show {held}" in house.by("bob", "approvals", "approve", held, code=1)  # say what you saw
        case = json.loads(house.by("bob", "approvals", "show", held, "--json"))
        again = case["digest"]
        assert [(case["names"][edit["by"]], edit["before"]) for edit in case["edits"]] == [("ann", refund())]
        shown = house.by("bob", "approvals", "show", held)
        assert re.search(r'edited by ann at \S+ \S+; before that:\n  amount: 4000\n  order: "A-1"\n', shown), shown
        house.by("bob", "approvals", "approve", held, "--digest", again)
        assert told(server, key, held, wait=10)["status"] == "done"
        assert [row["body"]["amount"] for row in target.effects("refunds")] == [2_500]


@pytest.mark.promise("ACT-2")
def test_a_stop_ends_what_waits_and_refuses_what_comes_until_another_person_lifts_it(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        held = act(server, key, "till.refund", arguments=refund())[1]["action_id"]
        assert "there is no such tool" in house.by("cleo", "stop", "tool", "refunds", "--reason", "odd", code=1)
        said = house.by("cleo", "stop", "tool", "refund", "--reason", "odd refunds")  # its own name, in full below
        listed = house.said("stop", "--list")
        assert "  tool  till.refund  by " in listed
        assert re.search(r"by \S.* \(pe_\w+\)", listed), listed
        assert "1 waiting actions revoked" in said
        assert told(server, key, held)["status"] == "revoked"
        house.approve("ann", held, code=1)
        assert act(server, key, "till.refund", arguments=refund("A-9"))[1]["status"] == "denied"
        assert act(server, key, "till.note", arguments={"order": "A-1", "text": "x"})[1]["status"] == "done"
        stop = said.split(":")[0]
        house.by("cleo", "resume", stop, code=1)
        house.by("dora", "resume", stop)
        assert act(server, key, "till.refund", arguments=refund("A-9"))[1]["status"] == "held"
    assert target.effects("refunds") == []


def test_a_hold_survives_a_restart_and_is_executed_after_it(house: ActingHouse, target: TillProcess) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        held = act(server, key, "till.refund", arguments=refund())[1]["action_id"]
        server.kill()
    house.approve("ann", held)
    with house.serving("--workers", "2") as server:
        assert told(server, key, held, wait=10)["status"] == "done"
    assert len(target.effects("refunds")) == 1


@pytest.mark.promise("ACT-6")
def test_a_worker_killed_between_claim_and_answer_leaves_one_effect_and_a_receipt(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        before = workers(server)
        held = act(server, key, "till.refund", arguments=refund())[1]["action_id"]
        assert held
        import threading

        def call() -> None:
            try:
                act(server, key, "till.note", arguments={"order": "slow-2500-1", "text": "x"})
            except OSError:
                return

        caller = threading.Thread(target=call)
        caller.start()
        within(5, lambda: len(target.effects("notes")) == 1)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        caller.join()
        rows = within(8, lambda: [row for row in listed(house) if row["state"] == "done"])
        took = time.monotonic() - killed
        assert len(rows) == 1
        print(f"known {took:.1f} s after the kill, the commands that asked included")
        assert took < 6, took
        assert len(target.effects("notes")) == 1
    assert kinds(house, rows[0]["action"]) == [
        "action.claimed", "action.decided", "action.done", "action.taken_over",
    ]  # fmt: skip


@pytest.mark.promise("ACT-7")
def test_money_that_the_customer_asked_for_in_these_words_moves_at_once_and_other_money_waits(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        chat(server, key, "t-7", "Hello, please refund 40 euros for order 48213.")
        asked = {"conversation": "t-7", "customer": "c-1"}
        status, paid = act(server, key, "till.refund", arguments=refund("48213"), **asked)
        assert (status, paid["status"]) == (200, "done"), house.said("approvals", "list")
        assert act(server, key, "till.refund", arguments=refund("48214"), **asked)[1]["status"] == "held"
        other = {"conversation": "t-8", "customer": "c-1"}
        assert act(server, key, "till.refund", arguments=refund("48213", 3_999), **other)[1]["status"] == "held"
    assert [row["path"] for row in target.effects("refunds")] == ["/orders/48213/refunds"]


@pytest.mark.promise("ACT-8")
def test_what_is_no_longer_allowed_when_it_is_approved_is_revoked(house: ActingHouse, target: TillProcess) -> None:
    key, other = house.agent(), house.agent()
    with house.serving("--workers", "2") as server:
        first = act(server, key, "till.refund", arguments=refund("A-1"))[1]["action_id"]
        second = act(server, other, "till.refund", arguments=refund("A-2"))[1]["action_id"]
        house.by("root", "key", "revoke", key.split("_")[1])
        time.sleep(0.6)
        house.approve("ann", first)
        within(5, lambda: first in house.said("approvals", "list", "--state", "revoked"))
        path = house.root / "use-cases" / "orders.yaml"
        path.write_text(path.read_text().replace("tools: [till.refund, ", "tools: ["))
        rules = house.root / "rules" / "till.yaml"
        rules.write_text("routes: " + rules.read_text().partition("routes:")[2])
        house.by("root", "publish", str(house.root))
        time.sleep(0.6)
        house.approve("ann", second)
        assert told(server, other, second, wait=5)["status"] == "revoked"
    assert target.effects("refunds") == []


def test_rules_ask_what_happened_before_and_what_was_denied_never_happened(
    house: ActingHouse, target: TillProcess
) -> None:
    rules = house.root / "rules" / "till.yaml"
    when = "when: [{ past: object.refund, at-least: 1 }]"
    once = f"  - {{ id: once, deny: an order is refunded once, tools: [refund], {when} }}\n"
    rules.write_text("rules:\n" + once + rules.read_text())
    tools = house.root / "tools" / "till.yaml"
    tools.write_text(tools.read_text().replace("    asks: { en", "    objects: { order: order }\n    asks: { en", 1))
    house.by("root", "publish", str(house.root))
    key = house.agent()
    with house.serving("--workers", "2") as server:
        first = act(server, key, "till.refund", arguments=refund("48213", 100))[1]
        assert first["status"] == "held"
        assert act(server, key, "till.refund", arguments=refund("48213", 200))[1]["status"] == "denied"
        assert act(server, key, "till.refund", arguments=refund("48214", 200))[1]["status"] == "held"
        house.by("ann", "approvals", "deny", first["action_id"])
        again = act(server, key, "till.refund", arguments=refund("48213", 300))[1]
        assert again["status"] == "held"
        house.approve("ann", again["action_id"])
        assert told(server, key, again["action_id"], wait=10)["status"] == "done"
        assert act(server, key, "till.refund", arguments=refund("48213", 400))[1]["status"] == "denied"
    assert len(target.effects("refunds")) == 1


def test_two_servers_on_one_database_execute_each_approved_action_once(house: ActingHouse, target: TillProcess) -> None:
    key = house.agent()
    with house.serving("--workers", "1") as one, house.serving("--workers", "1"):
        held = [act(one, key, "till.refund", arguments=refund(f"A-{at}"))[1]["action_id"] for at in range(6)]
        for action in held:
            house.approve("ann", action)
        assert {told(one, key, action, wait=10)["status"] for action in held} == {"done"}
        time.sleep(0.6)
    assert sorted(row["path"] for row in target.effects()) == [f"/orders/A-{at}/refunds" for at in range(6)]


def listed(house: ActingHouse) -> list[dict[str, str]]:
    said = house.run("approvals", "list", "--json", *(f"--state={state}" for state in ("done", "claimed", "unknown")))
    return [json.loads(line) for line in said.stdout.splitlines()]
