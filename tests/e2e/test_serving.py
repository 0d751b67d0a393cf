"""A running server while a person publishes, revokes, stops and kills."""

import json
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, scripted_model, within

SCRIPT = {
    "replies": [{"id": "long", "any": ["count slowly"], "pause_ms": 150, "text": " ".join(map(str, range(20)))}],
    "fallback": {"id": "f", "text": "Noted."},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("model") / "script.json"
    script.write_text(json.dumps(SCRIPT))
    with scripted_model("--script", str(script)) as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, model: str) -> House:
    house = House(tmp_path / "home", model=model)
    house.publish()
    return house


def outcomes(house: House) -> list[str]:
    return [json.loads(line)["outcome"] for line in house.run("find", "--json").stdout.splitlines()]


@pytest.mark.promise("OPS-7")
def test_a_publish_is_taken_within_a_second_and_a_broken_home_changes_nothing(house: House) -> None:
    key = house.key()
    with house.serving() as server:
        card = "My card is 4111 1111 1111 1111"
        assert server.ask(key, card)[1]["choices"][0]["message"]["content"] == "Noted."
        house.use_case(more="findings: {input: {CARD: block}}\n")
        house.publish()
        within(1.0, lambda: server.ask(key, card)[2]["x-handrail-outcome"] == "blocked")
        house.use_case(more="findings: {input: {CARD: blokc}}\n")
        assert "blokc" in house.said("publish", str(house.root), code=1)
        time.sleep(1.1)
        assert server.ask(key, card)[2]["x-handrail-outcome"] == "blocked"


@pytest.mark.promise("OPS-7")
def test_a_revoked_key_is_refused_within_a_second(house: House) -> None:
    key = house.key()
    with house.serving("--workers", "2") as server:
        assert server.ask(key)[0] == 200
        house.run("key", "revoke", key.split("_")[1])
        within(1.0, lambda: server.ask(key)[0] == 401)
        time.sleep(0.5)
        assert {server.ask(key)[0] for _ in range(8)} == {401}  # on every worker


@pytest.mark.promise("INF-3")
def test_a_key_serves_from_the_moment_it_is_printed(house: House) -> None:
    with house.serving("--workers", "2") as server:
        for _ in range(6):
            assert server.ask(house.key())[0] == 200


@pytest.mark.promise("OPS-13")
def test_the_log_says_start_publish_each_request_failures_and_drain(house: House) -> None:
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text() + "log_requests: true\n")
    key = house.key()
    with house.serving() as server:
        good = server.ask(key, "My card is 4111 1111 1111 1111")[2]["x-handrail-interaction"]
        assert server.ask("hr_nobody")[0] == 401
        house.use_case(more="budget: {requests_per_minute: 600}\n")
        house.publish()
        within(1.5, lambda: house.said("log", "--kind", "ruleset").count("ruleset.published") == 2)
        time.sleep(0.5)
        server.process.terminate()
        assert server.process.stdout is not None
        said = server.process.stdout.read()
    rows = [json.loads(line) for line in (*server.lines, *said.splitlines()) if line.startswith("{")]
    events = [row["event"] for row in rows]
    assert events.count("publish.taken") >= 3  # two processes at the start, and at least the worker again
    for event in ("server.started", "request", "request.refused", "server.draining", "server.stopped"):
        assert events.count(event) == 1, (event, events)
    (request,) = [row for row in rows if row["event"] == "request"]
    assert (request["interaction"], request["verdict"], request["status"]) == (good, "change", 200)
    assert "4111" not in said
    assert key not in said


@pytest.mark.promise("OPS-13")
def test_a_dead_provider_stands_in_the_log_without_any_setting(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    house.publish()
    key = house.key()
    with house.serving() as server:
        assert server.ask(key)[0] == 502
        server.process.terminate()
        assert server.process.stdout is not None
        said = server.process.stdout.read()
    (line,) = [json.loads(row) for row in said.splitlines() if "provider.failed" in row]
    assert (line["provider"], line["use_case"], line["code"]) == ("mock", "orders", "upstream.unreachable")


@pytest.mark.promise("HOM-12")
def test_a_change_that_is_read_at_start_only_asks_for_a_restart(house: House) -> None:
    path = house.root / "handrail.yaml"
    before = path.read_text()
    changed = before.replace("listen: 127.0.0.1:8080", "listen: 127.0.0.1:8099")
    with house.serving():
        assert "nothing changed" in house.said("publish", str(house.root))
        path.write_text(changed + "public_url: https://ai.house.example\n")
        said = house.said("publish", str(house.root))
        assert "restart handrail serve to take listen, public_url" in said
        assert "nothing changed" not in said
        assert "started with another listen" in house.run("doctor", code=None).stdout
        house.use_case(mode="observe")
        said = house.said("publish", str(house.root))
        assert "restart handrail serve" in said
        assert "is in force" in said
    assert "nothing changed" in house.said("publish", str(house.root))


@pytest.mark.promise("OPS-11")
def test_a_server_that_started_before_the_first_publish_says_so_and_takes_it(tmp_path: Path, model: str) -> None:
    house = House(tmp_path / "home", model=model)
    with house.serving() as server:
        assert server.get("/readyz")[0] == 503
        assert not any("is ready" in line for line in server.lines)
        assert server.process.stdout is not None
        said = "".join(server.lines)  # whatever of it came with the address
        if "handrail publish" not in said or not said.endswith("\n"):
            said += server.process.stdout.readline()
        assert "nothing is published yet" in said
        assert f"handrail publish {house.root}" in said
        house.publish()
        within(1.5, lambda: server.get("/readyz")[0] == 200)
        key = house.key()
        within(1.0, lambda: server.ask(key)[0] == 200)


@pytest.mark.promise("OPS-8")
def test_sigterm_lets_a_running_stream_end_and_records_it(house: House) -> None:
    key = house.key()
    with house.serving() as server:
        stream = server.stream(key, "count slowly")
        first = stream.readline()
        assert first.startswith(b"data: ")
        server.process.terminate()
        body = first + stream.read()
        stream.close()
        assert server.process.wait(20) == 0
    assert body.rstrip().endswith(b"data: [DONE]")
    said = "".join(
        choice["delta"].get("content") or ""
        for line in body.splitlines()
        if line.startswith(b"data: {")
        for choice in json.loads(line[6:])["choices"]
    )
    assert said == SCRIPT["replies"][0]["text"]
    assert outcomes(house) == ["answered"]
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.promise("OPS-8")
def test_while_it_drains_new_calls_are_refused_and_may_be_tried_again(house: House) -> None:
    key = house.key()
    with house.serving() as server:
        stream = server.stream(key, "count slowly")
        stream.readline()
        server.process.terminate()

        def refused() -> bool:
            try:
                return server.ask(key)[0] == 503
            except (urllib.error.URLError, ConnectionError):
                return True  # it does not listen any more

        within(2, refused)
        stream.read()
        stream.close()


@pytest.mark.promise("OPS-8")
def test_after_kill_9_the_open_interaction_is_recorded_as_interrupted(house: House) -> None:
    key = house.key()
    with house.serving() as server:
        assert server.ask(key)[0] == 200
        stream = server.stream(key, "count slowly")
        stream.readline()
        time.sleep(0.2)  # its first entry is queued, not awaited
        server.kill()
        stream.close()
    with house.serving(sweep_s=1):
        within(10, lambda: "interrupted" in outcomes(house))
    assert sorted(outcomes(house)) == ["answered", "interrupted"]
    assert house.said("verify", str(house.root)).startswith("OK: ")


def test_a_port_that_is_taken_is_told_and_nothing_is_started(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = house.said("serve", "--port", str(taken.getsockname()[1]), code=1)
    assert "cannot listen" in said
    assert "--port" in said


def test_a_public_address_without_tls_is_refused(house: House) -> None:
    home = house.root / "handrail.yaml"
    home.write_text(home.read_text().replace("127.0.0.1:8080", "0.0.0.0:8080"))
    said = house.said("serve", code=1)
    assert "behind_proxy" in said


def test_two_servers_on_one_home_both_answer_and_one_log_is_written(house: House) -> None:
    key = house.key()
    with house.serving() as one, house.serving() as two:
        threads = [threading.Thread(target=server.ask, args=(key,)) for server in (one, two) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes(house) == ["answered"] * 10
    assert house.said("verify", str(house.root)).startswith("OK: ")
