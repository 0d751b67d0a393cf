"""Notices of a real server, its jobs process and command line: to a webhook, a chat and a mail server on loopback."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from acting_house import ActingHouse, act, till
from house import Server, within
from receivers import HttpReceiver, http_receiver, mail_receiver
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLANTED = ("heliotrope-77", "conversation-9-mira", "c-mira.k@customer.example", "48213-planted")
"""A comment, the conversation, the customer, an order."""
NOTICES = """\
notices:
  receivers:
    desk: {{kind: webhook, url: '{desk}/hooks', secret_env: HOOK_SECRET, private_network: true, detail: amount}}
    leads: {{kind: chat, url_env: CHAT_URL, hosts: ['{chat}'], private_network: true, language: de}}
    duty:
      kind: email
      hosts: [127.0.0.1]
      port: {mail}
      encryption: none
      private_network: true
      sender: handrail@house.example
      to: [duty@house.example]
      events: [action.held, action.handover]
    agent: {{kind: webhook, url: '{agent}/ended', secret_env: HOOK_SECRET, private_network: true, events: []}}
"""


def house_with_notices(root: Path, till_url: str, notices: str, *, decide_within_s: int = 600) -> ActingHouse:
    house = ActingHouse(root, till_url)
    path = root / "handrail.yaml"
    path.write_text(path.read_text() + "public_url: http://127.0.0.1:8080\n" + notices)
    rules = root / "rules" / "till.yaml"
    rules.write_text(
        rules.read_text().replace("decide_within_s: 600", f"decide_within_s: {decide_within_s}, otherwise: handover")
    )
    use_case = root / "use-cases" / "orders.yaml"
    use_case.write_text(use_case.read_text() + "tell_ended: [agent]\n")
    house.env |= {"HOOK_SECRET": SECRET}
    return house


def types(hook: HttpReceiver) -> list[str]:
    return [json.loads(got.body)["type"] for got in hook.got]


@pytest.mark.promise("NOT-2")
@pytest.mark.promise("NOT-4")
@pytest.mark.promise("NOT-9")
def test_people_and_the_agent_are_told_and_nothing_of_the_customer_goes_out(tmp_path: Path) -> None:
    with (
        till(tmp_path) as target,
        http_receiver() as desk,
        http_receiver() as room,
        http_receiver() as agent,
        mail_receiver(None) as (mail, port),
    ):
        written = NOTICES.format(desk=desk.url, chat=f"127.0.0.1:{room.port}", mail=port, agent=agent.url)
        house = house_with_notices(tmp_path / "home", target.url, written, decide_within_s=6)
        house.env["CHAT_URL"] = f"{room.url}/secret-path"
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server:
            wanted = {"order": PLANTED[3], "amount": 4_210}
            _, held = act(server, key, "till.refund", arguments=wanted, conversation=PLANTED[1], customer=PLANTED[2])
            assert held["status"] == "held"
            within(20, lambda: len(mail.letters) == 1 and "action.held" in types(desk) and bool(room.got))
            house.by("ann", "approvals", "deny", held["action_id"], "--comment", PLANTED[0])
            within(20, lambda: types(agent) == ["action.denied"])
            _, left = act(
                server, key, "till.refund", arguments={"order": "other", "amount": 99}, conversation=PLANTED[1]
            )
            within(40, lambda: "action.handover" in types(desk) and len(mail.letters) >= 3)
            within(20, lambda: types(agent) == ["action.denied", "action.expired"])
            customer_is_passed_on(server, key, left["action_id"])
            link_changes_nothing(desk, server.url.removesuffix("/v1"), house, left["action_id"])
        sent = house.said("notices", "list", "--state", "sent")
        assert "nothing waits" in house.said("notices", "list")
    for got in (*desk.got, *agent.got):
        Webhook(SECRET).verify(got.body, got.headers)
    told = json.loads(agent.got[0].body)["data"]
    assert told == {"action_id": held["action_id"], "status": "denied"}
    first = json.loads(desk.got[0].body)["data"]
    assert first["amount"] == {"minor": 4_210, "currency": "EUR"}
    assert (first["use_case"], first["tool"], first["route"]) == ("orders", "till.refund", "leads")
    went_out = b"".join([got.body + got.path.encode() for got in (*desk.got, *room.got, *agent.got)]).decode()
    went_out += b"".join(mail.letters).decode()
    for word in PLANTED:
        assert word not in went_out
    for money in (b"4210", b"42.10", b"42,10"):
        assert money not in b"".join([got.body for got in (*room.got, *agent.got)]) + b"".join(mail.letters)
    assert "wartet auf eine Entscheidung" in json.loads(room.got[0].body)["text"]
    assert held["action_id"] in went_out
    assert "secret-path" not in sent + "".join(server.lines)


def customer_is_passed_on(server: Server, key: str, action: str) -> None:
    """What the agent hears of a case that nobody decided and a person takes over."""
    request = urllib.request.Request(
        f"{server.url.removesuffix('/v1')}/api/v1/actions/{action}", headers={"authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["x-handrail-outcome"] == "handover"
        told = json.load(answer)
    assert told["status"] == "expired"
    assert "passed this to a colleague" in told["message"]


def link_changes_nothing(desk: HttpReceiver, root: str, house: ActingHouse, action: str) -> None:
    """The link of a notice, opened where the server listens; and one of an action that was never there."""
    link = json.loads(desk.got[0].body)["data"]["link"]
    before = house.said("approvals", "list", "--state", "expired")
    pages = []
    for path in (link.removeprefix("http://127.0.0.1:8080"), f"/approvals/{action}", "/approvals/ac_" + "0" * 26):
        with urllib.request.urlopen(root + path, timeout=10) as answer:
            assert answer.status == 200
            pages.append(answer.read().decode().replace(path.rpartition("/")[2], "ID"))
    assert len(set(pages)) == 1
    assert house.said("approvals", "list", "--state", "expired") == before


@pytest.mark.promise("NOT-8")
def test_a_dead_receiver_keeps_no_other_waiting_and_what_it_missed_arrives_when_it_is_back(tmp_path: Path) -> None:
    with till(tmp_path) as target, http_receiver() as desk, http_receiver() as room, http_receiver() as agent:
        desk.status, desk.headers = 503, {"retry-after": "1"}
        agent.hangs.set()
        written = NOTICES.format(desk=desk.url, chat=f"127.0.0.1:{room.port}", mail=9, agent=agent.url)
        house = house_with_notices(tmp_path / "home", target.url, written)
        house.env["CHAT_URL"] = f"{room.url}/x"
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server:
            for at in range(6):
                body: dict[str, Any] = {"order": f"o-{at}", "amount": 100 + at}
                assert act(server, key, "till.refund", arguments=body, conversation=PLANTED[1])[1]["status"] == "held"
            within(20, lambda: len(room.got) == 6)
            waits = house.said("notices", "list")
            assert waits.count("  desk  action.held") == 6
            assert "http.503" in waits
            desk.status = 200
            within(30, lambda: "  desk  action.held" not in house.said("notices", "list"))
            ids = [got.headers["webhook-id"] for got in desk.got]
            assert len(set(ids)) == 6
            assert len(ids) > 6


def test_a_receiver_is_tested_given_up_ones_are_listed_and_sent_again(tmp_path: Path) -> None:
    with till(tmp_path) as target, http_receiver() as desk, http_receiver() as room:
        written = NOTICES.format(desk=desk.url, chat=f"127.0.0.1:{room.port}", mail=9, agent=desk.url)
        house = house_with_notices(tmp_path / "home", target.url, written)
        assert "nothing is published" in house.said("notices", "test", "desk", code=1)
        house.publish()
        assert "desk: answered 200" in house.said("notices", "test", "desk")
        got = json.loads(desk.got[0].body)
        assert (got["type"], got["data"]) == ("test", {})
        assert 'did you mean "desk"' in house.said("notices", "test", "deks", code=1)
        assert "CHAT_URL, which is not set" in house.said("notices", "test", "leads", code=1)
        assert "nothing can be sent to leads" in house.run("doctor", "--offline", code=None).stdout
        assert "smtp.unreachable" in house.said("notices", "test", "duty", code=1)
        desk.status = 410
        house.hire()
        key = house.agent()
        house.env["CHAT_URL"] = f"{room.url}/x"
        with house.serving() as server:
            act(server, key, "till.refund", arguments={"order": "1", "amount": 100}, conversation=PLANTED[1])
            within(20, lambda: "given_up" in house.said("notices", "list"))
            row = next(line for line in house.said("notices", "list").splitlines() if "given_up" in line)
            assert "http.410" in row
            assert row.split()[0] in house.said("log", "--kind", "notice.given_up", "--json")
            advice = house.run("doctor", "--offline", code=None).stdout
            assert "notices did not reach desk" in advice
            assert "nothing can be sent to leads" not in advice
            with urllib.request.urlopen(server.url.removesuffix("/v1") + "/metrics", timeout=10) as numbers:
                assert b"handrail_notices_delayed" in numbers.read()
            desk.status = 200
            assert "person" in house.by("ann", "notices", "retry", row.split()[0], code=1)
            assert "due now" in house.by("root", "notices", "retry", row.split()[0])
            within(20, lambda: desk.got[-1].headers["webhook-id"] == row.split()[0])
            within(20, lambda: "given_up" not in house.said("notices", "list"))


def test_a_reminder_of_an_action_that_was_decided_does_not_wait_and_is_told(tmp_path: Path) -> None:
    with till(tmp_path) as target, http_receiver() as desk:
        written = NOTICES.format(desk=desk.url, chat="127.0.0.1:9", mail=9, agent=desk.url)
        house = house_with_notices(tmp_path / "home", target.url, written)
        house.env["CHAT_URL"] = "http://127.0.0.1:9/"
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server:
            _, held = act(server, key, "till.refund", arguments={"order": "A-1", "amount": 99})
            assert "action.expiring" in house.said("notices", "list")
            house.by("ann", "approvals", "deny", held["action_id"])
            said = house.run("notices", "list")
    assert "action.expiring" not in said.stdout
    assert "reminders of actions that wait no more; nobody is sent them" in said.stderr
