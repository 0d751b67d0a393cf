"""SIGKILL while a notice has arrived and is not yet marked as sent: it arrives again under the same id."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from acting_house import act, till
from e2e.test_notices import NOTICES, house_with_notices
from fakes.storage import PostgresServer
from faults.test_actions_killed import LIVED_S, children, ready
from house import within
from receivers import http_receiver


@pytest.mark.faults
@pytest.mark.promise("NOT-3")
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_notice_that_arrived_at_the_moment_of_a_crash_arrives_again_under_its_id(
    engine: str, tmp_path: Path, postgres_server: Callable[[], PostgresServer]
) -> None:
    with till(tmp_path) as target, http_receiver() as desk, http_receiver() as room:
        desk.hangs.set()
        written = NOTICES.format(desk=desk.url, chat=f"127.0.0.1:{room.port}", mail=9, agent=room.url)
        house = house_with_notices(tmp_path / "home", target.url, written)
        if engine == "postgres":
            path = house.root / "handrail.yaml"
            path.write_text(path.read_text().replace("database: sqlite", "database: {env: HANDRAIL_TEST_DATABASE}"))
            house.env["HANDRAIL_TEST_DATABASE"] = postgres_server().new_database()
        house.env["CHAT_URL"] = f"{room.url}/x"
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving("--workers", "2") as server:
            time.sleep(LIVED_S)
            act(server, key, "till.refund", arguments={"order": "1", "amount": 100})
            within(20, lambda: len(desk.got) == 1)
            for pid in children(server):
                os.kill(pid, signal.SIGKILL)
            desk.hangs.clear()
            desk.released.set()
            within(60, lambda: ready(server))
            within(60, lambda: len(desk.got) == 2)
            within(20, lambda: "  desk  action.held" not in house.said("notices", "list"))
        first, second = desk.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
