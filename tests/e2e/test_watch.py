"""The watch of a real server: a threat of court becomes an alert to its owner's pager within seconds, is answered from
the command line, and an incident about it finds whom it concerns."""

import json
from pathlib import Path

import pytest
from house import House, scripted_model, within
from receivers import HttpReceiver, http_receiver

THREAT = "I will take you to court and my solicitor will sue you."
PLANTED = "heliotrope-77"
NOTICES = """\
notices:
  receivers:
    on-call: {{kind: pager, url: '{url}/v2/enqueue', secret_env: PAGER_KEY, private_network: true}}
"""


def events(pager: HttpReceiver) -> list[dict[str, str]]:
    return [json.loads(got.body) for got in pager.got]


@pytest.mark.promise("WAT-6")
@pytest.mark.promise("WAT-10")
def test_a_threat_of_court_reaches_the_pager_and_the_command_line(tmp_path: Path) -> None:
    with scripted_model() as model, http_receiver() as pager:
        house = House(tmp_path / "home", model=model)
        path = house.root / "handrail.yaml"
        path.write_text(path.read_text() + NOTICES.format(url=pager.url))
        house.env |= {"PAGER_KEY": "R0UT1NG"}
        house.publish()
        key = house.key()
        with house.serving() as server:
            _, _, headers = server.ask(key)
            plain = house.run("show", headers["x-handrail-interaction"]).stdout
            assert "answered_by" in plain
            assert "scripted-1" in plain.partition("answered_by")[2][:40]
            status, _, _ = server.ask(key, f"{THREAT} {PLANTED}")
            assert status == 200
            (event,) = within(30, lambda: events(pager))
            assert event["dedup_key"] == "trigger/orders/LEGAL"
            assert PLANTED not in json.dumps(event)
            listed = house.run("alerts", "list", "--json").stdout
            alert = json.loads(listed)
            assert (alert["first"]["metric"], alert["owner"]) == ("LEGAL", "owner@house.example")
            name = alert["id"]
            shown = house.run("alerts", "show", name).stdout
            assert "Told by rule" in shown
            assert "acknowledged" in house.run("alerts", "ack", name, "--note", "legal has it").stdout
            assert "acknowledged" in house.run("alerts", "list").stdout
            opened = house.run("incident", "open", "orders", "A customer may sue", "--finding", "LEGAL").stdout
            found = json.loads(house.run("incident", "affected", opened.split()[0], "--json").stdout)
            assert (found["interactions"], found["conversations"], found["unknown"]) == (1, 1, 1)
            timeline = house.run("incident", "show", opened.split()[0]).stdout
            assert [word for word in ("alert.raised", "alert.acknowledged", "incident.opened") if word in timeline] == [
                "alert.raised", "alert.acknowledged", "incident.opened",
            ]  # fmt: skip
            said = house.said("incident", "close", opened.split()[0], "--test", "refund-onse", code=1)
            assert "no case 'refund-onse'" in said
            said = house.said("incident", "close", opened.split()[0], "--test", "tests/shop.py::test_once", code=1)
            assert "cannot be closed" in said
            for command in ("alerts show", "alerts ack", "incident show", "incident affected", "incident contain"):
                said = house.said(*command.split(), "no_such_id", code=1)
                assert "there is no" in said
            assert "no use case ordrs" in house.said(
                "alerts", "silence", "--use-case", "ordrs", "--for", "1h", "--reason", "x", code=1
            )
        assert len(events(pager)) == 1
