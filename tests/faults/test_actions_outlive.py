"""What waits outlives servers, databases and versions: it is approved and executed once afterwards. While the database
does not answer nothing is done."""

import asyncio
import contextlib
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from acting_house import ActingHouse, TillProcess, act, till, told
from fakes.storage import PostgresServer
from house import within

from handrail.app import wire
from handrail.app.settings import settings
from handrail.people.token import DAY_MS, TokenKind, new_token

UPGRADES = Path(__file__).parent / "upgrade"


@pytest.fixture
def own_postgres() -> Iterator[Callable[[], PostgresServer]]:
    """A server that a test may stop and freeze."""
    made: list[PostgresServer] = []

    def server() -> PostgresServer:
        made.append(PostgresServer())
        return made[-1]

    yield server
    for each in made:
        each.stop()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[TillProcess]:
    with till(tmp_path) as running:
        yield running


def refund(order: str) -> dict[str, Any]:
    return {"order": order, "amount": 4_000}


def hold(server: Any, key: str, order: str) -> str:
    status, answer = act(server, key, "till.refund", arguments=refund(order))
    assert (status, answer["status"]) == (202, "held")
    return str(answer["action_id"])


@pytest.mark.faults
@pytest.mark.promise("ACT-31")
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_hold_outlives_the_server_and_the_database(
    engine: str, tmp_path: Path, target: TillProcess, own_postgres: Callable[[], PostgresServer]
) -> None:
    postgres = own_postgres() if engine == "postgres" else None
    database = postgres.new_database() if postgres is not None else "sqlite"
    house = ActingHouse(tmp_path / "home", target.url, database=database)
    house.publish()
    house.hire()
    key = house.agent()
    with house.serving("--workers", "2") as server:
        first = hold(server, key, "A-1")
        server.kill()
    with house.serving("--workers", "2") as server:
        second = hold(server, key, "A-2")
        if postgres is not None:
            postgres.restart(lambda: nothing_is_done(server, key, "A-3"))
            within(30, lambda: answers(server, key))
        for action in (first, second):
            house.approve("ann", action)
            assert told(server, key, action, wait=20)["status"] == "done"
    assert sorted(row["path"] for row in target.effects("refunds")) == ["/orders/A-1/refunds", "/orders/A-2/refunds"]


def nothing_is_done(server: Any, key: str, order: str) -> None:
    """A call that could run at once and one that would wait are both refused."""
    time.sleep(1.2)
    for action, arguments in (("till.refund", refund(order)), ("till.note", {"order": order, "text": "x"})):
        began = time.monotonic()
        status, answer = act(server, key, action, arguments=arguments)
        assert status == 503, (status, answer)
        assert time.monotonic() - began < 8


def answers(server: Any, key: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        status, _ = act(server, key, "till.refund_by_key", arguments={"key": "none"})
        return status == 200
    return False


@pytest.mark.faults
@pytest.mark.promise("ACT-32")
def test_a_process_that_cannot_read_the_stops_for_a_second_refuses_every_action(
    tmp_path: Path, target: TillProcess, own_postgres: Callable[[], PostgresServer]
) -> None:
    postgres = own_postgres()
    house = ActingHouse(tmp_path / "home", target.url, database=postgres.new_database())
    house.publish()
    key = house.agent()
    with house.serving("--workers", "2") as server:
        assert act(server, key, "till.note", arguments={"order": "A-1", "text": "x"})[1]["status"] == "done"
        with postgres.frozen():
            time.sleep(1.2)
            for at in range(4):
                began = time.monotonic()
                status, answer = act(server, key, "till.note", arguments={"order": f"F-{at}", "text": "x"})
                assert (status, answer["error"]["code"]) == (503, "action.stop_unreadable")
                assert time.monotonic() - began < 3
        within(30, lambda: answers(server, key))
        time.sleep(0.5)
        assert [row["path"] for row in target.effects("notes")] == ["/notes/A-1"]
        assert act(server, key, "till.note", arguments={"order": "A-2", "text": "x"})[1]["status"] == "done"


@pytest.mark.faults
@pytest.mark.promise("ACT-32")
def test_while_another_has_the_database_file_to_itself_nothing_leaves(tmp_path: Path, target: TillProcess) -> None:
    house = ActingHouse(tmp_path / "home", target.url)
    house.publish()
    key = house.agent()
    with house.serving("--workers", "2") as server:
        assert act(server, key, "till.note", arguments={"order": "A-1", "text": "x"})[1]["status"] == "done"
        other = apsw.Connection(str(house.data / "handrail.db"))
        other.execute("BEGIN IMMEDIATE")
        status, answer = act(server, key, "till.note", arguments={"order": "A-2", "text": "x"})
        assert status == 503, answer
        assert len(target.effects("notes")) == 1
        other.execute("ROLLBACK")
        other.close()
        within(10, lambda: act(server, key, "till.note", arguments={"order": "A-3", "text": "x"})[0] == 200)
    assert [row["path"] for row in target.effects("notes")] == ["/notes/A-1", "/notes/A-3"]


class Restored(ActingHouse):
    """A home that an earlier version left."""

    def __init__(self, name: str, folder: Path, server: Callable[[], PostgresServer]) -> None:
        with tarfile.open(UPGRADES / f"{name}.tar.gz") as tar:
            tar.extractall(folder, filter="data")
        self.root, self.staff = folder / "home", {}
        self.data = self.root / ".handrail"
        self.data.chmod(0o700)
        self.env = {"HANDRAIL_HOME": str(self.root), "TILL_KEY": "till-secret"}
        self.api_key = (self.root / "key").read_text().strip()
        dump = self.root / "dump.sql"
        if dump.exists():
            self.env["HANDRAIL_TEST_DATABASE"] = server().restored(dump)
        for name in ("key", "dump.sql"):
            (self.root / name).unlink(missing_ok=True)

    def let_in(self, *names: str) -> None:
        """New personal tokens: the old ones ended with their time."""
        env = {**os.environ, **self.env}

        async def work() -> None:
            async with wire.opened(settings(self.root, env), env) as store:
                for name in names:
                    self.staff[name] = await store.journal.run(lambda tx, name=name: token(tx, name))

        asyncio.run(work())


def token(tx: Any, name: str) -> str:
    person = tx.persons.by_mail(f"{name}@house.example")
    row, text = new_token(
        TokenKind.PERSONAL, person.id, wire.IDS.token(42), now_ms=tx.now_ms, expires_at=tx.now_ms + DAY_MS
    )
    tx.tokens.add(row)
    return text


@pytest.mark.faults
@pytest.mark.promise("ACT-31")
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_the_version_before_actions_recorded_is_there_after_the_upgrade_and_actions_are_held_and_done(
    engine: str, tmp_path: Path, target: TillProcess, postgres_server: Callable[[], PostgresServer]
) -> None:
    house = Restored(f"conversations-{engine}", tmp_path, postgres_server)
    with house.serving("--workers", "1"):
        found = house.run("find", "--json").stdout.splitlines()
        assert len(found) == 3
        words = ("--payload", "--reason", "ticket 1")
        shown = house.said("show", json.loads(found[-1])["interaction"], *words)
        assert "Where is my order 48213?" in shown
    assert house.said("verify", str(house.root)).startswith("OK: ")
    house.equip(target.url)
    house.publish()
    house.hire()
    key = house.agent()
    with house.serving("--workers", "1") as server:
        held = hold(server, key, "A-1")
        house.approve("ann", held)
        assert told(server, key, held, wait=20)["status"] == "done"
    assert len(target.effects("refunds")) == 1
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.faults
@pytest.mark.promise("ACT-31")
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_hold_of_an_earlier_version_is_decided_and_executed_after_the_upgrade(
    engine: str, tmp_path: Path, target: TillProcess, postgres_server: Callable[[], PostgresServer]
) -> None:
    house = Restored(f"hold-{engine}", tmp_path, postgres_server)
    first, second = json.loads((house.root / "held.json").read_text())
    with house.serving("--workers", "1") as server:
        house.let_in("root", "ann", "bob")
        tools = house.root / "tools" / "till.yaml"
        tools.write_text(re.sub(r"base_url: \S+", f"base_url: {target.url}", tools.read_text()))
        house.by("root", "publish", str(house.root))
        time.sleep(0.6)
        assert first in house.said("approvals", "list")
        assert "A-0" in house.by("ann", "approvals", "show", first)
        house.approve("ann", first)
        assert told(server, house.api_key, first, wait=20)["status"] == "done"
        house.by("bob", "approvals", "deny", second, "--comment", "no")
        assert told(server, house.api_key, second)["status"] == "denied"
    assert [row["path"] for row in target.effects("refunds")] == ["/orders/A-0/refunds"]
    assert house.said("verify", str(house.root)).startswith("OK: ")
