"""Trials against a real server: what they show, that a probe has no effect and enters no figure, that a draft needs
them, golden answers, and the ways cases come from elsewhere."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from acting_house import ActingHouse, TillProcess, act, till
from house import House, Server, post, scripted_model, within

CLIENT = Path(__file__).parent.parent.parent / "clients" / "python" / "src"
REPLIES = {
    "replies": [
        {
            "id": "refund", "any": ["money back"], "text": "I asked for it: {result}",
            "tool_call": {"name": "refund", "arguments": {"order": "A-1", "amount": 4000}},
        },
        {
            "id": "note", "any": ["note"], "text": "Noted: {result}",
            "tool_call": {"name": "note", "arguments": {"order": "A-1", "text": "call back"}},
        },
        {"id": "where", "any": ["where is"], "text": "Which order number is it?"},
        {"id": "number", "any": ["A-1"], "text": "Order A-1 arrives on Thursday."},
        {"id": "json", "any": ["as json"], "text": "{\"order\": \"A-1\", \"days\": 2}"},
        {"id": "yes", "any": ["polite"], "text": "{\"pass\": true, \"why\": \"it is\"}"},
        {"id": "no", "any": ["rude"], "text": "{\"pass\": false, \"why\": \"it is not\"}"},
        {"id": "maybe", "any": ["helpful"], "text": "I would say it depends."},
    ],
    "fallback": {"id": "f", "text": "I will see to it and come back to you within two days, as always."},
}  # fmt: skip
CASES = """\
use_case: orders
trials:
  - id: refund-waits-for-a-person
    customer: c-9
    tools:
      refund: {action: till.refund, answer: {ok: true}, arguments: {type: object}}
    turns:
      - say: I want my money back.
        expect:
          - calls: {tool: refund, arguments: {amount: 4000}, verdict: hold}
          - contains: held
          - outcome: answered
  - id: note-is-taken
    customer: c-9
    tools:
      note: {action: till.note, answer: {id: n-1}}
    turns:
      - say: Please take a note that you call me back.
        expect:
          - calls: {tool: note, verdict: allow}
          - contains: n-1
          - {calls: {tool: note, verdict: hold}, not: true}
  - id: order-is-found
    persona:
      goal: learn when the order comes
      opens: where is my order?
      facts: {order: A-1}
      asked: [{about: order number, say: "It is {order}."}]
      until: Thursday
      turns: 4
    expect:
      - contains: Thursday
      - within_ms: 20000
      - cost_at_most: 1
  - id: card-stays-away
    turns:
      - say: My card is 4111 1111 1111 1111.
        expect:
          - finds: {kind: CARD, side: input}
          - {contains: 4111 1111 1111 1111, not: true}
          - verdict: change
  - id: fits-a-schema
    turns:
      - say: Tell me as json.
        expect: [{schema: {type: object, required: [order], properties: {days: {type: integer}}}}]
"""
RAMP = """
budget:
  requests: 2
ramp:
  stages:
    - {share: 0.5}
    - {share: 0.6}
"""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as process:
        yield process


@contextlib.contextmanager
def model(folder: Path, replies: Any = REPLIES, *words: str) -> Iterator[str]:
    script = folder / "script.json"
    script.write_text(json.dumps(replies))
    with scripted_model("--script", str(script), *words) as url:
        yield url


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with model(tmp_path_factory.mktemp("model")) as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, target: TillProcess, scripted: str) -> ActingHouse:
    made = ActingHouse(tmp_path / "home", target.url, model=scripted)
    cases(made, CASES)
    return made


def cases(house: House, text: str) -> None:
    (house.root / "tests").mkdir(exist_ok=True)
    (house.root / "tests" / "orders.yaml").write_text(text)


def rows(house: House, sql: str) -> list[Any]:
    with sqlite3.connect(house.data / "handrail.db") as db:
        return db.execute(sql).fetchall()


def entries(house: House, kind: str) -> list[Any]:
    return [json.loads(line) for line in house.run("log", "--kind", kind, "--json").stdout.splitlines()]


def run(house: House, server: Server, *words: str, code: int = 0) -> str:
    return house.said("trial", "run", "--url", server.url, *words, code=code)


def counted(server: Server) -> list[str]:
    """Figures of requests, tokens and findings, and of actions, as a scrape sees them."""
    text = server.get("/metrics")[1].decode()
    wanted = re.compile(r"handrail_(requests|request_seconds_count|tokens|findings|permits)")
    return [line for line in text.splitlines() if wanted.match(line)]


@pytest.mark.promise("TRI-1")
def test_a_probe_causes_no_effect_and_enters_no_figure(house: ActingHouse, target: TillProcess) -> None:
    path = house.root / "use-cases" / "orders.yaml"
    path.write_text(path.read_text() + RAMP)
    house.publish()
    release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
    with house.serving("--workers", "1") as server:
        run(house, server, "--release", release)
        house.run("release", "start", release)  # from here on conversations are drawn, and counted
        before = counted(server)
        said = run(house, server)
        assert "5 passed, 0 not" in said
        probe = house.key("--scope", "chat", "--scope", "act", "--scope", "probe").splitlines()[-1]
        asked = {"order": "A-1", "amount": 1}
        status, told = act(server, probe, "till.refund", arguments=asked)
        assert (status, told["status"], told["verdict"]) == (200, "would_be", "hold")
        root = server.url.removesuffix("/v1")
        permit = post(
            f"{root}/api/v1/decisions", probe, {"action": "till.note", "arguments": {"order": "A", "text": "b"}}
        )
        assert (permit[0], permit[1]["status"]) == (200, "would_be")
        assert "permit" not in permit[1]
        assert post(f"{root}/api/v1/runners", probe, {"runner": "r", "actions": []})[0] == 403
        event = {"type": "complaint", "conversation": "t", "id": "1", "source": "crm"}
        assert post(f"{root}/api/v1/events", probe, [event])[0] == 403
        assert "cannot also have events" in house.said(
            "key", "create", "--use-case", "orders", "--scope", "probe", "--scope", "events", code=1
        )
        assert server.ask(probe, model="nonsense")[0] >= 400  # what is refused of a probe is not counted either
        assert target.effects() == []
        within(3, lambda: entries(house, "probe.decided"))
        for table in ("action", "interaction", "unit", "notice", "payload"):
            assert rows(house, f"SELECT count(*) FROM {table}") == [(0,)], table
        assert rows(house, "SELECT coalesce(sum(requests + tokens + cost_micro_minor), 0) FROM spending") == [(0,)]
        assert counted(server) == before
        assert "no interactions" in house.said("report")
        assert house.said("find") == "nothing found\n"
        kinds = {row["kind"] for row in entries(house, "probe")}
        assert kinds == {"probe.answered", "probe.decided"}
        assert not entries(house, "interaction")
        assert not entries(house, "disclosure")
        assert not entries(house, "action")
        key = house.agent()  # and a customer's request is all of these
        statuses = [server.ask(key, model="orders")[0] for _ in range(3)]
        assert statuses == [200, 200, 429]  # the budget of two was not touched
        within(5, lambda: rows(house, "SELECT count(*) FROM unit") == [(2,)])
        within(5, lambda: counted(server) != before)
    assert sum(row["facts"]["count"] for row in entries(house, "call")) == 1  # the customer's that was refused
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.promise("TRI-2")
def test_only_a_key_for_probes_may_name_a_release(house: ActingHouse, target: TillProcess) -> None:
    house.publish()
    key = house.agent()
    probe = house.key("--scope", "chat", "--scope", "act", "--scope", "probe").splitlines()[-1]
    with house.serving("--workers", "1") as server:
        live = rows(house, "SELECT digest FROM release_live WHERE use_case = 'orders'")[0][0]
        body = json.dumps({"model": "orders", "messages": [{"role": "user", "content": "hello"}]}).encode()

        def ask(who: str, release: str, path: str = "/chat/completions", data: bytes = body) -> tuple[int, Any]:
            headers = {
                "authorization": f"Bearer {who}", "content-type": "application/json", "x-handrail-release": release,
            }  # fmt: skip
            url = server.url + path if path.startswith("/chat") else server.url.removesuffix("/v1") + path
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
                    return answer.status, json.loads(answer.headers.get("x-handrail-probe", "null"))
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.headers.get("x-handrail-code")

        assert ask(key, live) == (403, "key.scope")
        assert ask(key, "live") == (403, "key.scope")
        wanted = json.dumps({"action": "till.note", "arguments": {"order": "A-1", "text": "x"}}).encode()
        assert ask(key, "live", "/api/v1/actions", wanted)[0] == 403
        assert target.effects() == []
        assert ask(probe, live)[1]["release"] == live
        assert ask(probe, "live")[1]["release"] == live
        assert ask(probe, "0" * 64)[0] == 404
        assert "403 key.scope" in run(house, server, "--key", key, code=1)  # nor does a run with such a key
        assert target.effects() == []


@pytest.mark.promise("TRI-3")
def test_a_draft_is_tested_by_all_its_cases_on_its_own_digest(house: ActingHouse) -> None:
    path = house.root / "use-cases" / "orders.yaml"
    path.write_text(path.read_text() + RAMP.replace("budget:\n  requests: 2\n", ""))
    house.publish()
    release = house.said("release", "new", "--use-case", "orders", "--parameter", "temperature=0.1").split()[0]
    with house.serving("--workers", "1") as server:
        house.run("release", "start", release, code=1)
        assert "5 passed" in run(house, server)  # what is live was shown, not the draft
        house.run("release", "start", release, code=1)
        assert "1 passed" in run(house, server, "card-stays-away", "--release", release)  # one case is not all
        house.run("release", "start", release, code=1)
        cases(house, CASES + "  - id: wrong\n    turns: [{say: hello, expect: [{exact: no}]}]\n")
        said = run(house, server, "--release", release, code=1)
        line = len(CASES.splitlines()) + 1
        assert f"tests/orders.yaml:{line}, line {line + 1}: turn 1: expected exact: no; got" in said
        assert "is draft by these 6 cases" in said
        house.run("release", "start", release, code=1)
        cases(house, CASES)
        report = house.root / "out.xml"
        said = run(house, server, "--release", release[:12], "--junit", str(report))
        assert "is tested by these 5 cases" in said
        house.run("release", "start", release)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["failures"], len(suite)) == ("5", "0", 5)
    assert suite.attrib["release"] == release
    facts = [row["facts"] for row in entries(house, "trial")]
    assert [one["release"] == release for one in facts] == [True, True, True, False]
    tested = next(row for row in entries(house, "release.tested") if row["facts"]["state"] == "tested")
    assert tested["facts"]["results"] == facts[0]["results"]
    assert {row["release"] for row in entries(house, "probe.answered")} >= {release}
    listed = house.said("trial", "list", "--release", release[:12])
    assert "5 passed, 1 not: wrong" in listed
    assert "some cases" in listed


@pytest.mark.promise("TRI-5")
def test_an_answer_that_changes_without_a_release_is_noticed_by_the_second_time(tmp_path: Path) -> None:
    golden = "use_case: orders\ntrials:\n  - {id: usual, golden: true, turns: [{say: Anything else?}]}\n"
    golden += "  - {id: broken, turns: [{say: hello, expect: [{exact: no}]}]}\n"
    with model(tmp_path) as url:
        house = House(tmp_path / "home", model=url)
        cases(house, golden)
        house.use_case("enforce", "probes: {every_minutes: 1}\n")
        house.publish()
        port = url.rsplit(":", 1)[1].split("/")[0]
        with house.serving("--workers", "1") as server:
            assert "changed" not in run(house, server, "usual")
            assert "changed" not in run(house, server, "usual")
            looked = within(25, lambda: [row for row in entries(house, "trial") if row["facts"].get("scheduled")])
            assert (looked[0]["facts"]["passed"], looked[0]["facts"]["not_green"]) == (1, ["broken"])
            (alert,) = entries(house, "alert.raised")  # in the transaction of the round
            assert "The live probe broken failed: exact." in json.dumps(alert["facts"])
            assert "probe" in house.said("trial", "list")
            other = {**REPLIES, "fallback": {"id": "f", "text": "Nope, nothing of the sort can be had here, sorry."}}
            again = tmp_path / "again"
            again.mkdir()
            stop_listening(port)
            with model(again, other, "--port", port):
                assert "changed: " not in run(house, server, "usual")
                assert "changed: orders/usual: only 0.00 of it is as before" in run(house, server, "usual")
                assert "changed: " not in run(house, server, "usual")  # told once
        changed = entries(house, "probe.changed")
        assert [row["facts"]["case"] for row in changed] == ["usual"]
        assert rows(house, "SELECT count(*) FROM interaction") == [(0,)]


def stop_listening(port: str) -> None:
    """End the scripted model of this test, which is found by its port among the children of this process."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    for pid in children:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"handrail.app.scripted_model" in words and _listens(pid, int(port)):
            os.kill(int(pid), 15)
            within(10, lambda pid=pid: not _listens(pid, int(port)))


def _listens(pid: str, port: int) -> bool:
    try:
        inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [line.split() for line in lines if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"]
    return any(f"socket:[{row[9]}]" in inodes for row in mine)


@pytest.mark.promise("TRI-4")
def test_what_fails_says_where_and_a_limit_of_cost_leaves_nothing_green(house: ActingHouse) -> None:
    cases(
        house,
        """\
use_case: orders
trials:
  - id: judged
    turns:
      - say: Anything else?
        expect:
          - judge: {asks: Is it polite?, use_case: orders}
          - judge: {asks: Is it rude?, use_case: orders}
          - {judge: {asks: Is it helpful?, use_case: orders}, not: true}
  - id: never-reached
    persona: {goal: get the moon, opens: "hello", until: moon, turns: 2}
""",
    )
    text = (house.root / "handrail.yaml").read_text()
    (house.root / "handrail.yaml").write_text(text + "prices:\n  mock/scripted-1: {input: 1000, output: 1000}\n")
    house.publish()
    with house.serving("--workers", "1") as server:
        said = run(house, server, code=1)
        assert "line 7" not in said
        assert 'line 8: turn 1: expected judge: Is it rude?; got the judge said: "{"pass": false' in said
        assert "line 9: turn 1: expected not judge: Is it helpful?; got the judge said" in said  # neither yes nor no
        assert "expected the goal: get the moon; got not reached in 2 turns" in said
        said = run(house, server, "--cost-limit", "0.001", "--parallel", "1", code=1)
        assert "not run: the cost limit of this run" in said
        assert "0 passed, 2 not" in said
        assert run(house, server, "no-such-case", code=1).startswith("handrail: there is no case no-such-case")
    said = house.said("trial", "run", "--url", "http://127.0.0.1:9", code=1)
    assert said.count("expected an answer; got the server cannot be reached") == 2
    assert "0 passed, 2 not" in said


@pytest.mark.promise("TRI-6")
def test_a_mistake_in_a_case_is_told_with_its_place_and_stops_a_publish(house: ActingHouse) -> None:
    cases(house, CASES.replace("till.refund,", "till.refnd,").replace("use_case: orders", "use_case: order"))
    path = house.root / "use-cases" / "orders.yaml"
    path.write_text(path.read_text() + "probes: {every_minutes: 5, cases: [card-stays-awry]}\n")
    said = house.said("check", code=1)
    assert 'tests/orders.yaml:1:11: there is no use case "order"; expected orders; did you mean "orders"?' in said
    assert 'tests/orders.yaml:6:24: no tool "till.refnd" is registered' in said
    assert 'did you mean "till.refund"?' in said
    cases(house, CASES)
    assert "there is no case card-stays-awry of this use case" in house.said("check", code=1)
    assert "nothing was published" in house.said("publish", str(house.root), code=1)


@pytest.mark.promise("TRI-7")
def test_a_recorded_conversation_becomes_a_case_without_its_personal_data(house: ActingHouse) -> None:
    house.publish()
    key = house.agent()
    with house.serving("--workers", "1") as server:
        text = "I am Dana Whitlock, dana@whitlock.example, card 4111 1111 1111 1111. Where is my parcel?"
        _, _, headers = server.ask(key, text, model="orders")
        name = headers["x-handrail-interaction"]
        assert house.said("trial", "import", "--from", name, code=2)
        draft = house.root / "tests" / "incident.yaml"
        said = house.said(
            "trial", "import", "--from", name, "--reason", "ticket 4711", "--name", "parcel", "--output", str(draft)
        )
        assert "cases: 1; parts that were not imported: 0" in said
        made = draft.read_text()
        assert "[CARD]" in made
        assert "[EMAIL]" in made
        assert not re.search(r"4111|whitlock\.example|Whitlock", made)
        assert [row["about"] for row in entries(house, "payload.read")] == [name]
        assert "1 passed" in run(house, server, "parcel")
        assert "nothing is overwritten" in house.said(
            "trial", "import", "--from", name, "--reason", "ticket 4711", "--output", str(draft), code=1
        )


@pytest.mark.promise("TRI-8")
def test_the_pytest_plug_in_collects_cases_and_writes_junit(house: ActingHouse, tmp_path: Path) -> None:
    house.publish()
    probe = house.key("--scope", "chat", "--scope", "act", "--scope", "probe").splitlines()[-1]
    project = tmp_path / "project"
    project.mkdir()
    (project / "orders.trial.yaml").write_text(CASES)
    wrong = "use_case: orders\ntrials:\n  - id: wrong\n    turns: [{say: hello, expect: [{contains: goodbye}]}]\n"
    (project / "wrong.trial.yaml").write_text(wrong)

    def pytest_there(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": f"{CLIENT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", **variables}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--junitxml",
            "out.xml",
            *words,
        ]
        return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=60)

    with house.serving("--workers", "1") as server:
        known = {"HANDRAIL_URL": server.url, "HANDRAIL_PROBE_KEY": probe}
        done = pytest_there(**known)
        assert "1 failed, 5 passed" in done.stdout, done.stdout + done.stderr
        assert 'wrong.trial.yaml:3, line 4: turn 1: expected contains: goodbye; got "I will see' in done.stdout
        root = ElementTree.parse(project / "out.xml").getroot()
        assert {case.attrib["name"] for case in root.iter("testcase")} >= {"card-stays-away", "wrong"}
        assert pytest_there("orders.trial.yaml", **known).returncode == 0
        live = pytest_there("orders.trial.yaml", **{**known, "HANDRAIL_PROBE_KEY": house.agent()})
        assert "5 failed" in live.stdout  # a key of customers' traffic runs no test
        assert rows(house, "SELECT count(*) FROM interaction") == [(0,)]
    unset = pytest_there("orders.trial.yaml", HANDRAIL_URL="", HANDRAIL_PROBE_KEY="")
    assert "set HANDRAIL_URL" in unset.stdout
    (project / "wrong.trial.yaml").write_text(wrong.replace("contains", "contain"))
    assert 'did you mean "contains"?' in pytest_there("wrong.trial.yaml").stdout
