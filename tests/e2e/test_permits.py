"""Permits through a real server of two workers and the real clock: a caller that executes itself, a service that checks
without asking, and everyone who may not."""

import concurrent.futures
import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from acting_house import ActingHouse, TillProcess, act, chat, till, told
from fakes.storage import PostgresServer
from house import House, Server, post, scripted_model, within

NOTE = {"order": "A-1", "text": "call back"}
REPORT_S = 2


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
    """Its agents execute notes themselves, and report within 2 s."""
    database = "sqlite" if request.param == "sqlite" else postgres().new_database()
    made = ActingHouse(tmp_path / "home", target.url, database=database, model=model)
    written(made, "  note:\n", f"  note:\n    report_within_s: {REPORT_S}\n")
    made.publish()
    made.hire()
    return made


def written(house: House, old: str, new: str) -> None:
    path = house.root / "tools" / "till.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def decide(server: Server, key: str, action: str = "till.note", **body: Any) -> tuple[int, Any]:
    """`POST /api/v1/decisions`."""
    body = {"action": action, "arguments": NOTE, **body}
    status, answer, _ = post(f"{root(server)}/api/v1/decisions", key, body)
    return status, answer


def redeem(server: Server, key: str, given: Any, **changes: Any) -> tuple[int, Any]:
    body = {"permit": given["permit"], "audience": given["audience"], "arguments": given["arguments"], **changes}
    status, answer, _ = post(f"{root(server)}/api/v1/decisions/{given['action_id']}/redeem", key, body)
    return status, answer


def report(server: Server, key: str, given: Any, **body: Any) -> tuple[int, Any]:
    status, answer, _ = post(f"{root(server)}/api/v1/decisions/{given['action_id']}/outcome", key, body)
    return status, answer


def root(server: Server) -> str:
    return server.url.removesuffix("/v1")


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


def checked(server: Server, token: str, audience: str) -> Any:
    """What a service finds that has only the public keys."""
    with urllib.request.urlopen(f"{root(server)}/api/v1/decisions/keys", timeout=10) as answer:
        keys = jwt.PyJWKSet.from_dict(json.load(answer))
    public = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, public, algorithms=["EdDSA"], audience=audience, issuer="handrail")


@pytest.mark.promise("PRM-1", "PRM-2", "PRM-3")
def test_a_caller_redeems_its_permit_once_and_its_report_is_the_receipt(
    house: ActingHouse, target: TillProcess
) -> None:
    key, other = house.agent(), house.agent()
    with house.serving("--workers", "2") as server:
        status, given = decide(server, key, conversation="t-1", audience="notes-service")
        assert (status, given["status"], given["audience"]) == (200, "approved", "notes-service")
        claims = checked(server, given["permit"], "notes-service")
        assert (claims["sub"], claims["tool"]) == (given["action_id"], "till.note")
        with pytest.raises(jwt.InvalidAudienceError):
            checked(server, given["permit"], "another-service")
        assert decide(server, key, conversation="t-1", audience="notes-service")[1] == given  # the answer was lost

        head, body, signature = given["permit"].split(".")
        forged = f"{head}.{body}.{signature[:-2]}{'AA' if signature[-2:] != 'AA' else 'BB'}"
        wrong = [{"permit": forged}, {"permit": f"{head}.{body}."}, {"permit": "no"}, {"audience": "another-service"},
                 {"arguments": {**NOTE, "order": "A-2"}}, {"arguments": {}}]  # fmt: skip
        for changes in wrong:
            status, answer = redeem(server, key, given, **changes)
            assert (status, code(answer)) == (403, "permit.invalid"), changes
        assert redeem(server, other, given)[0] == 403
        assert code(report(server, key, given, status="done")[1]) == "action.already_decided"

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            statuses = sorted(status for status, _ in pool.map(lambda _: redeem(server, key, given), range(64)))
        assert statuses == [200] + [409] * 63
        assert told(server, key, given["action_id"])["status"] == "claimed"
        assert code(report(server, other, given, status="done")[1]) == "permit.invalid"
        status, done = report(server, key, given, status="done", result={"id": "n-7"})
        assert (status, done["status"]) == (200, "done")
        assert report(server, key, given, status="done", result={"id": "n-7"})[0] == 200
        assert code(report(server, key, given, status="failed")[1]) == "action.already_decided"
        assert told(server, key, given["action_id"])["result"] == {"id": "n-7"}
        assert decide(server, key, conversation="t-1")[1]["result"] == {"id": "n-7"}
        once = 'handrail_permits_total{what="redeemed"} 1'
        within(5, lambda: once in server.get("/metrics")[1].decode())  # the other worker publishes each second
    assert target.effects() == []
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.promise("PRM-1")
def test_a_permit_dies_by_the_clock_and_by_a_stop(house: ActingHouse, target: TillProcess) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        given = decide(server, key, conversation="t-1", permit_s=1)[1]
        assert given["permit"]
        time.sleep(1.05)
        status, answer = redeem(server, key, given)
        assert status in (403, 409)
        assert code(answer) in ("permit.invalid", "action.already_decided")
        within(3, lambda: told(server, key, given["action_id"])["status"] == "lapsed")
        again = decide(server, key, conversation="t-1")[1]
        assert again["action_id"] != given["action_id"]
        assert redeem(server, key, {**again, "permit": given["permit"]})[0] == 403
        said = house.by("cleo", "stop", "tool", "till.note", "--reason", "odd notes")
        status, answer = redeem(server, key, again)
        assert (status, code(answer)) == (409, "action.already_decided")
        assert told(server, key, again["action_id"])["status"] == "revoked"
        assert decide(server, key, conversation="t-2")[1]["status"] == "denied"
        house.by("dora", "resume", said.split(":")[0])
        assert decide(server, key, conversation="t-2")[0] == 200
        assert decide(server, key, permit_s=31)[0] == 400
    assert target.effects() == []


@pytest.mark.promise("PRM-3")
def test_a_report_that_does_not_come_is_a_question_to_a_person_and_an_alarm(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    with house.serving("--workers", "2") as server:
        given = decide(server, key, conversation="t-1")[1]
        assert given["report_within_s"] == REPORT_S
        assert redeem(server, key, given)[0] == 200
        server.kill()
    with house.serving("--workers", "2") as server:
        within(6, lambda: told(server, key, given["action_id"])["status"] == "unknown")
        assert given["action_id"] in house.said("approvals", "list")
        within(12, lambda: "handrail_actions_unknown 1" in server.get("/metrics")[1].decode())
        late = decide(server, key, conversation="t-1")[1]
        assert (late["action_id"], late["status"]) == (given["action_id"], "unknown")
        house.by("ann", "approvals", "settle", given["action_id"], "--done")
        assert told(server, key, given["action_id"])["status"] == "done"
        assert code(report(server, key, given, status="failed")[1]) == "action.already_decided"
        # and one whose caller was only slow
        slow = decide(server, key, conversation="t-2")[1]
        assert redeem(server, key, slow)[0] == 200
        within(6, lambda: told(server, key, slow["action_id"])["status"] == "unknown")
        assert report(server, key, slow, status="failed")[1]["status"] == "failed"
    rows = [json.loads(line) for line in house.run("log", "--kind", "action", "--json").stdout.splitlines()]
    kinds = [row["kind"] for row in rows if row["about"] == given["action_id"]]
    assert sorted(kinds) == [
        "action.claimed", "action.decided", "action.permitted", "action.settled", "action.unknown",
    ]  # fmt: skip
    assert target.effects() == []


@pytest.mark.promise("PRM-4")
def test_money_gets_a_permit_only_where_its_registration_says_so_and_then_after_its_approval(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    call = {"action": "till.refund", "arguments": {"order": "A-1", "amount": 4_000}, "conversation": "t-1"}
    with house.serving("--workers", "2") as server:
        status, answer = decide(server, key, **call)
        assert (status, code(answer)) == (403, "permit.refused")
        written(house, "  refund:\n", "  refund:\n    permits: true\n")
        house.by("root", "publish", str(house.root))
        time.sleep(0.6)
        status, held = decide(server, key, **call)
        assert (status, held["status"]) == (202, "held")
        assert "permit" not in held
        house.approve("ann", held["action_id"])
        time.sleep(0.6)
        assert target.effects() == []  # the jobs process leaves it to its caller
        given = decide(server, key, **call)[1]
        assert given["action_id"] == held["action_id"]
        assert act(server, key, call["action"], arguments=call["arguments"], conversation="t-1")[0] == 202
        written(house, "    permits: true\n", "")
        house.by("root", "publish", str(house.root))
        time.sleep(0.6)
        status, answer = redeem(server, key, given)
        assert (status, code(answer)) == (403, "action.stopped")
        assert told(server, key, held["action_id"])["status"] == "revoked"
    assert target.effects() == []


@pytest.mark.promise("PRM-4")
def test_what_a_caller_says_that_a_read_showed_is_not_on_record(house: ActingHouse, target: TillProcess) -> None:
    key = house.agent()
    asked = {"conversation": "t-7", "customer": "c-1"}
    call = {"action": "till.refund", "arguments": {"order": "48213", "amount": 4_000}, **asked}
    with house.serving("--workers", "2") as server:
        chat(server, key, "t-7", "Hello, I want my money back, please.")
        read = decide(server, key, "till.refund_by_key", arguments={"key": "k-1"}, **asked)[1]
        assert redeem(server, key, read)[0] == 200
        said = {"found": True, "refund": {"order": "48213", "amount": 4_000}}
        assert report(server, key, read, status="done", result=said)[1]["status"] == "done"
        held = act(server, key, call["action"], arguments=call["arguments"], **asked)[1]
        assert held["status"] == "held"
        shown = json.loads(house.by("ann", "approvals", "show", held["action_id"], "--json"))
        assert shown["origins"]["order"] != "record"


@pytest.mark.promise("PRM-4")
def test_a_dry_run_says_what_would_be_decided_and_leaves_only_its_entry(
    house: ActingHouse, target: TillProcess
) -> None:
    key = house.agent()
    call = {"action": "till.refund", "arguments": {"order": "A-1", "amount": 4_000}, "conversation": "t-1"}
    with house.serving("--workers", "2") as server:
        status, said = decide(server, key, **call, dry_run=True)
        assert (status, said["status"], said["permits"], said["action_id"]) == (200, "held", False, "")
        assert said["reasons"]
        wrong = decide(server, key, "till.refund", arguments={"order": "A-1", "amount": 0}, dry_run=True)[1]
        assert wrong["status"] == "denied"
        note = decide(server, key, conversation="t-1", dry_run=True)[1]
        assert (note["status"], note["permits"], note["arguments"]) == ("approved", True, NOTE)
        assert "permit" not in note
        assert house.run("approvals", "list", "--json", "--state", "held", "--state", "approved").stdout == ""
        held = act(server, key, call["action"], arguments=call["arguments"], conversation="t-1")[1]
        assert decide(server, key, **call, dry_run=True)[1]["action_id"] == held["action_id"]
    rows = [json.loads(line) for line in house.run("log", "--kind", "action.tried", "--json").stdout.splitlines()]
    assert len(rows) == 3
    assert target.effects() == []


def test_the_signing_key_is_rotated_backed_up_and_restored(tmp_path: Path, target: TillProcess, model: str) -> None:
    house = ActingHouse(tmp_path / "home", target.url, model=model)
    house.publish()
    house.hire()
    key = house.agent()
    keys = house.data / "keys"
    with house.serving("--workers", "2") as server:
        assert json.loads(server.get("/api/v1/decisions/keys")[1]) == {"keys": []}
        given = decide(server, key)[1]
        house.by("root", "rotate-keys", "--permits")
        assert redeem(server, key, given)[0] == 200
        newer = decide(server, key, conversation="t-2")[1]
        kids = [jwt.get_unverified_header(one["permit"])["kid"] for one in (newer, given)]
        assert kids[0] != kids[1]
        assert [one["kid"] for one in json.loads(server.get("/api/v1/decisions/keys")[1])["keys"]] == kids
        house.by("root", "rotate-keys", "--permits")
        house.by("root", "rotate-keys", "--permits")
        assert redeem(server, key, newer)[0] == 403
        assert sorted(path.stem for path in keys.glob("permit-*.key")) == ["permit-3", "permit-4"]
        act(server, key, "till.note", arguments=NOTE, conversation="t-3")
        house.by("root", "backup", str(tmp_path / "copy"))
    before = {path.name: path.read_bytes() for path in keys.glob("*.key") if not path.stem.startswith("intermediate")}
    assert {"downstream.key", "lookup.key", "permit-3.key", "permit-4.key"} == before.keys()
    kek = (house.data / "kek").read_bytes()
    shutil.rmtree(house.data)
    house.data.mkdir(mode=0o700)
    (house.data / "kek").write_bytes(kek)
    (house.data / "kek").chmod(0o600)
    house.by("root", "restore", str(tmp_path / "copy"))
    after = {path.name: path.read_bytes() for path in keys.glob("*.key") if not path.stem.startswith("intermediate")}
    assert after == before
    with house.serving("--workers", "2") as server:
        assert redeem(server, key, decide(server, key, conversation="t-9")[1])[0] == 200
