"""The watch of a real server: a threat of court becomes an alert to its owner's pager within seconds, is answered from
the command line, and an incident about it finds whom it concerns."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from house import House, scripted_model, within
from receivers import HttpReceiver, http_receiver

from handrail.app import wire
from handrail.app.openings import WatchingOpenings
from handrail.cli import options
from handrail.in_force.snapshot import InForce
from handrail.terms.ids import UseCaseId
from handrail.watch import mix
from handrail.watch.openings import Held

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
            said = house.said("incident", "close", opened.split()[0], "--test", "x", code=1)
            assert "cannot be closed" in said
            for command in ("alerts show", "alerts ack", "incident show", "incident affected", "incident contain"):
                said = house.said(*command.split(), "no_such_id", code=1)
                assert "there is no" in said
            assert "no use case ordrs" in house.said(
                "alerts", "silence", "--use-case", "ordrs", "--for", "1h", "--reason", "x", code=1
            )
        assert len(events(pager)) == 1


INTENTS = """\
intents:
  delivery: [Where is my order?, when does my parcel arrive, has my package been shipped, track my delivery]
  refund: [I want my money back, please refund my order, how do I get a refund, refund the payment]
watch: {metrics: [intents, declined, failed], cases_between_false_alarms: 50000}
"""
REFUNDS = ("I want my money back now", "can you refund my order please", "please refund the payment of last week")


class Ahead:
    def __init__(self, by_ms: int) -> None:
        self._by_ms = by_ms

    def now_ms(self) -> int:
        return wire.CLOCK.now_ms() + self._by_ms

    def monotonic(self) -> float:
        return wire.CLOCK.monotonic()


def learnt_mix() -> mix.Mix:
    """What the past was: nearly everybody asked for a delivery."""
    one = mix.begun(UseCaseId("orders"), ("delivery", "refund", "other"), "UTC", 50_000)
    for at in range(2_200):
        name = "refund" if at % 20 == 0 else "other" if at % 20 == 1 else "delivery"
        one, _ = mix.after(one, wire.CLOCK.now_ms() + at * 360_000 - 2_400 * 360_000, name, "")
    return one


@pytest.mark.promise("WAT-21")
def test_when_customers_come_with_something_else_the_alert_names_the_intent(tmp_path: Path) -> None:
    """The minutes are counted with a clock that is ahead, so that nobody waits for them."""
    with scripted_model() as model:
        house = House(tmp_path / "home", model=model)
        house.use_case(more=INTENTS)
        house.publish()
        key = house.key()

        async def seed(store: Any) -> None:
            await store.journal.run(lambda tx: tx.openings.keep("orders", Held(), Held(mix=learnt_mix())))

        async def count(store: Any) -> None:
            in_force = InForce(await store.in_force.load())
            clock = Ahead(5 * 60_000)
            await WatchingOpenings(store, in_force, ids=wire.IDS, clock=clock).round()

        options.with_store(house.root, seed)
        with house.serving() as server:
            for at in range(24):
                status, _, headers = server.ask(key, f"{REFUNDS[at % 3]} {PLANTED}")
                assert status == 200
            shown = house.run("show", headers["x-handrail-interaction"]).stdout
            assert "refund" in shown.partition("intent")[2][:40]
        options.with_store(house.root, count)
        listed = house.run("alerts", "list", "--json").stdout
        alert = json.loads(listed)
        assert alert["first"]["metric"] == "intents"
        assert "more customers come with the intent refund" in alert["first"]["sentence"]
        assert "at most once in 50,000" in alert["first"]["promise"]
        assert PLANTED not in listed
        figures = house.run("watch", "figures").stdout
        assert "refund              100.0% (24 of 24)" in figures
        assert "ALARM" in house.run("watch", "drift").stdout


@pytest.mark.promise("WAT-13")
def test_a_threat_that_came_just_before_every_process_was_killed_is_told_once_when_the_pager_answers_again(
    tmp_path: Path,
) -> None:
    with scripted_model() as model, http_receiver() as pager:
        house = House(tmp_path / "home", model=model)
        path = house.root / "handrail.yaml"
        path.write_text(path.read_text() + NOTICES.format(url=pager.url))
        house.env |= {"PAGER_KEY": "R0UT1NG"}
        house.publish()
        key = house.key()
        with house.serving() as server:
            assert server.ask(key)[0] == 200
            time.sleep(6)  # the watch has looked once
            pager.status = 503
            assert server.ask(key, THREAT)[0] == 200
            os.killpg(server.process.pid, signal.SIGKILL)
        with house.serving() as server:
            assert server.ask(key)[0] == 200
            begun = time.monotonic()
            within(30, lambda: events(pager))  # it is told, and the pager is down
            assert time.monotonic() - begun < 15
            pager.status = 200
            tried = len(pager.got)
            within(30, lambda: pager.got[tried:])
            time.sleep(7)  # another round of the watch
        assert len(pager.got) == tried + 1
        assert {event["dedup_key"] for event in events(pager)} == {"trigger/orders/LEGAL"}
        assert json.loads(house.run("alerts", "list", "--json").stdout).get("count", 1) == 1
