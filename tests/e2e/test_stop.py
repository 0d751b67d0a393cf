"""The stop switch under load, over every process of a server: from the command to the last effect."""

import threading
import time
from pathlib import Path

import pytest
from acting_house import ActingHouse, act, till
from house import Server, open_stream, post, scripted_model

LIMIT_S = 1.0


class Agents:
    """Callers that ask without end, each for a new note."""

    def __init__(self, server: Server, key: str, count: int) -> None:
        self._server, self._key = server, key
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(lane,)) for lane in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, lane: int) -> None:
        at = 0
        while not self._ended.is_set():
            at += 1
            act(self._server, self._key, "till.note", arguments={"order": f"{lane}-{at}", "text": "x"})

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)


@pytest.mark.promise("ACT-2")
def test_no_effect_starts_after_a_stop_on_any_of_three_workers_and_none_after_a_restart(tmp_path: Path) -> None:
    took = []
    with till(tmp_path) as target:
        house = ActingHouse(tmp_path / "home", target.url)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving("--workers", "3") as server:
            for _ in range(3):
                agents = Agents(server, key, 8)
                try:
                    time.sleep(0.8)
                    began, count = time.time(), len(target.effects())
                    stop = house.by("cleo", "stop", "all", "--reason", "drill").split(":")[0]
                    stopped = time.time()
                    time.sleep(1.0)
                    effects = [row["at"] for row in target.effects()]
                finally:
                    agents.end()
                assert count
                took.append(max(effects) - began)
                # the command has returned, so the stop was committed: what was claimed before it may still be arriving
                assert max(effects) < stopped + 0.25, max(effects) - stopped
                assert act(server, key, "till.note", arguments={"order": "z", "text": "x"})[1]["status"] == "denied"
                if len(took) < 3:
                    house.by("dora", "resume", stop)
        before = len(target.effects())
        with house.serving("--workers", "3") as server:
            assert act(server, key, "till.note", arguments={"order": "y", "text": "x"})[1]["status"] == "denied"
        assert len(target.effects()) == before
    print(f"from the command to the last effect: {', '.join(f'{one * 1e3:.0f} ms' for one in took)}")
    assert max(took) < LIMIT_S


@pytest.mark.promise("ACT-23")
def test_a_stop_of_a_use_case_ends_its_model_answers_within_a_second_and_a_resume_brings_them_back(
    tmp_path: Path,
) -> None:
    body = {"model": "scripted-1", "messages": [{"role": "user", "content": "Where is my order?"}]}
    with till(tmp_path) as target, scripted_model() as model:
        house = ActingHouse(tmp_path / "home", target.url, model=model)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server:
            assert post(f"{server.url}/chat/completions", key, body)[0] == 200
            stop = house.by("cleo", "stop", "use-case", "orders", "--reason", "drill").split(":")[0]
            time.sleep(LIMIT_S)
            status, answer, headers = post(f"{server.url}/chat/completions", key, body)
            assert (status, answer["error"]["code"]) == (503, "gateway.stopped")
            assert stop in answer["error"]["message"]
            assert headers["x-should-retry"] == "false"
            house.by("dora", "resume", stop)
            time.sleep(LIMIT_S)
            assert post(f"{server.url}/chat/completions", key, body)[0] == 200


@pytest.mark.promise("ACT-23")
def test_a_stop_ends_an_answer_that_a_running_server_is_streaming(tmp_path: Path) -> None:
    body = {"model": "scripted-1", "stream": True, "messages": [{"role": "user", "content": "Where is my order?"}]}
    with till(tmp_path) as target, scripted_model("--pause-ms", "900") as model:
        house = ActingHouse(tmp_path / "home", target.url, model=model)
        house.publish()
        house.hire()
        key = house.agent()
        with house.serving() as server, open_stream(f"{server.url}/chat/completions", key, body) as answer:
            assert answer.readline().startswith(b"data: ")
            house.by("cleo", "stop", "all", "--reason", "drill")
            stopped = time.monotonic()
            rest = answer.read()
            assert time.monotonic() - stopped < LIMIT_S + 2.0  # one pause of the model's after the stop was seen
    assert b"gateway.stopped" in rest
    assert rest.endswith(b"data: [DONE]\n\n")
