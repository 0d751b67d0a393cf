"""A canary on a real server: three workers, outcomes that come late, out of order and twice, the jobs process killed in
the middle, and a verdict that is the offline judge's on the exported units."""

import base64
import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from house import House, post, scripted_model, within

from handrail.releases.assign import point

RAMP = """
ramp:
  stages:
    - {share: 0.3}
    - {share: 0.5}
  maturity_minutes: 0.03
  planned_units: 5000
  metrics:
    complaint: {reference: 0.05}
    transfer: {reference: 0.1}
    csat_low: {}
"""
GREEN = '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>'
RED = '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'


class Canary:
    """A house with a live release and a started canary."""

    def __init__(self, house: House, *, start: bool = True) -> None:
        self.house = house
        house.use_case("enforce", RAMP)
        house.publish()
        self.key = house.key()
        self.events = house.run("key", "create", "--scope", "events").stdout.strip()
        self.release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
        (house.root / "green.xml").write_text(GREEN)
        if start:
            house.run("release", "test", self.release, "--junit", str(house.root / "green.xml"))
            house.run("release", "start", self.release)
            self.salt = self.rollout()["salt"]

    def rollout(self) -> dict[str, Any]:
        with sqlite3.connect(self.house.data / "handrail.db") as db:
            ((body,),) = db.execute("SELECT body FROM rollout WHERE release = ?", (self.release,))
        found: dict[str, Any] = json.loads(body)
        found["salt"] = base64.b64decode(found["salt"])
        return found

    def is_canary(self, conversation: str, share: float) -> bool:
        return point(self.salt, conversation) < share


class Customers(threading.Thread):
    """Conversations one after the other over one connection; what their first turns were answered as."""

    def __init__(self, canary: Canary, url: str, many: int) -> None:
        super().__init__(daemon=True)
        self.canary, self.url, self.many = canary, url, many
        self.conversations: list[str] = []

    def run(self) -> None:
        at = self.url.removeprefix("http://").removesuffix("/v1")
        line = http.client.HTTPConnection(at, timeout=30)
        body = json.dumps({"model": "orders", "messages": [{"role": "user", "content": "Where is my order?"}]})
        headers = {"authorization": f"Bearer {self.canary.key}", "content-type": "application/json"}
        for _ in range(self.many):
            line.request("POST", "/v1/chat/completions", body, headers)
            answer = line.getresponse()
            answer.read()
            if answer.status == 200:
                self.conversations.append(answer.headers["x-handrail-conversation"])
        line.close()


def converse(canary: Canary, url: str, many: int, lines: int = 6) -> list[str]:
    crowd = [Customers(canary, url, many // lines) for _ in range(lines)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    return [name for one in crowd for name in one.conversations]


def outcomes(canary: Canary, url: str, names: list[str], *, share: float, seed: int) -> None:
    """Complaints of half of the canary's customers and of a twentieth of the others, some of them twice, in any
    order."""
    draw = random.Random(seed)
    events = []
    for name in names:
        bad = draw.random() < (0.5 if canary.is_canary(name, share) else 0.05)
        if bad:
            events.append({"type": "complaint", "conversation": name, "id": f"c-{name}", "source": "crm"})
        if draw.random() < 0.3:
            score = 5 if draw.random() < 0.8 else 1
            events.append(
                {"type": "csat", "conversation": name, "id": f"s-{name}", "source": "crm", "data": {"score": score}}
            )
    events += draw.sample(events, len(events) // 3)
    draw.shuffle(events)
    for at in range(0, len(events), 200):
        status, _, _ = post(f"{url.removesuffix('/v1')}/api/v1/events", canary.events, events[at : at + 200])
        assert status in (200, 202)


def api(url: str, path: str, key: str) -> Any:
    asked = urllib.request.Request(url.removesuffix("/v1") + path, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


def kill_a_worker_and_the_judge(server: int) -> None:
    """The server's children are its workers, then the jobs process; each is started again."""
    path = Path(f"/proc/{server}/task/{server}/children")
    before = path.read_text().split()
    assert len(before) == 4
    for pid in (before[0], before[3]):
        os.kill(int(pid), signal.SIGKILL)
    within(
        20, lambda: len(path.read_text().split()) == 4 and not {before[0], before[3]} & set(path.read_text().split())
    )


@pytest.mark.promise("ROL-5")
@pytest.mark.slow
def test_a_bad_release_goes_back_with_the_offline_judges_verdict_though_the_judge_was_killed(tmp_path: Path) -> None:
    with scripted_model() as model:
        canary = Canary(House(tmp_path / "home", model=model))
        house = canary.house
        with house.serving("--workers", "3") as server:
            first = converse(canary, server.url, 90)
            outcomes(canary, server.url, first, share=0.3, seed=1)
            kill_a_worker_and_the_judge(server.process.pid)
            within(20, lambda: server.get("/readyz")[0] == 200)
            deadline = time.monotonic() + 90
            seed = 2
            while canary.rollout()["state"] == "canary" and time.monotonic() < deadline:
                names = converse(canary, server.url, 60)
                outcomes(canary, server.url, names, share=0.3, seed=seed)
                seed += 1
            now = within(10, lambda: canary.rollout()["state"] == "rolled_back" and canary.rollout())
            read = house.run("key", "create", "--use-case", "orders", "--scope", "read").stdout.strip()
            shown = api(server.url, f"/api/v1/releases/{canary.release}", read)
            assert (shown["state"], shown["verdict"], shown["sentence"]) == (
                "rolled_back", "worse", now["reached"]["sentence"],
            )  # fmt: skip
            assert "Worse: complaint" in house.said("alerts", "list")
            assert "Worse: complaint" in house.said("incident", "list", "--all")
            assert [row["release"] for row in api(server.url, "/api/v1/releases", read)["releases"]] == [canary.release]
            told = json.loads(base64.b64decode(now["reached"]["numbers"]))
        units = house.root / "units.jsonl"
        said = house.run("release", "export", canary.release, "--output", str(units))
        words = said.stderr.split()[1:]
        judged = json.loads(house.run(*words, "--input", str(units)).stdout)
        assert judged["verdict"] == "worse"
        assert judged["decided_at"] == told["decided_at"] == units.read_text().count("\n")
        assert judged["log_e"] == pytest.approx(told["log_e"], abs=1e-9)
        assert "complaint" in now["reached"]["sentence"]
        assert "rolled back" in house.said("release", "status", canary.release)
        with sqlite3.connect(house.data / "handrail.db") as db:
            db.execute("DELETE FROM unit")
        assert "its totals give this evidence again" in house.said("release", "status", canary.release)
        entries = house.said("log", "--kind", "release.rolled_back")
        assert canary.release[:12] in entries or "release.rolled_back" in entries


@pytest.mark.promise("ROL-2")
def test_a_release_without_green_tests_does_not_start(tmp_path: Path) -> None:
    canary = Canary(House(tmp_path / "home"), start=False)
    house = canary.house
    assert "cannot start" in house.said("release", "start", canary.release, code=1)
    (house.root / "red.xml").write_text(RED)
    assert "1 failed" in house.said("release", "test", canary.release, "--junit", str(house.root / "red.xml"), code=1)
    assert "cannot start" in house.said("release", "start", canary.release, code=1)
    house.run("release", "test", canary.release, "--junit", str(house.root / "green.xml"))
    assert "stage 1 of 2" in house.said("release", "start", canary.release)
    assert "temperature" in house.said("release", "diff", canary.release)
    assert "canary" in house.said("release", "list")
    house.run("incident", "open", "orders", "Wrong prices")
    assert "incident" in house.said("release", "promote", canary.release, code=1)
    said = house.said("release", "rollback", canary.release, "--finish")
    assert "rolled back" in said
    assert "is live" in said
    assert "without a verdict against it" in house.said("release", "status", canary.release)


@pytest.mark.promise("ROL-7")
def test_with_a_ramp_publish_makes_a_draft_and_what_is_live_stays(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    house.use_case("enforce", RAMP)
    house.publish()
    file = house.root / "use-cases" / "orders.yaml"
    file.write_text(file.read_text().replace("model:\n", "model:\n  parameters: {temperature: 0.3}\n"))
    said = house.said("publish", str(house.root))
    assert "is a draft" in said
    assert "is live" not in said
    assert "draft" in house.said("release", "list")
    listed = house.said("release", "list")
    assert "live  orders" in listed
    assert "nothing changed" in house.said("publish", str(house.root))
    (house.root / "green.xml").write_text(GREEN)
    release = listed.split()[0]
    assert "before it may start: green tests" in house.said("release", "status", release)
    house.run("release", "test", release, "--junit", str(house.root / "green.xml"))
    house.run("release", "start", release)
    house.run("release", "rollback", release)
    assert release in house.said("incident", "list")
    assert "it was rolled back before and is a draft again" in house.said("publish", str(house.root))


def test_a_person_is_called_by_name_wherever_a_command_says_who(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    house.use_case("enforce", RAMP)
    code = house.said("person", "first").split(": ", 1)[1].splitlines()[0].strip()
    redeemed = house.said("person", "redeem", code, "--name", "Ada", "--mail", "ada@house.example")
    token = next(word for word in redeemed.split() if word.startswith("hp_"))
    house.run("publish", str(house.root), "--token", token)
    file = house.root / "use-cases" / "orders.yaml"
    file.write_text(file.read_text().replace("model:\n", "model:\n  parameters: {temperature: 0.3}\n"))
    house.run("publish", str(house.root), "--token", token)
    release = house.said("release", "list").split()[0]
    assert "written by Ada (pe_" in house.said("release", "status", release)
