"""`handrail doctor`: each advice is provoked for real, and is not given without its cause."""

import asyncio
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from house import House, Server, scripted_model, within

from handrail.app.doctor import LITTLE_DISK, Level, Seen, diagnose
from handrail.app.examine import gather
from handrail.app.settings import settings


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model() as url:
        yield url


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, model: str) -> House:
    """A home with nothing to advise but what its one machine makes true; tests copy it."""
    house = House(tmp_path_factory.mktemp("sound") / "home", model=model, port=_free())
    house.publish()
    house.key()
    code = house.said("person", "first").split(": ", 1)[1].splitlines()[0]
    house.run("person", "redeem", code, "--mail", "ada@house.example", "--name", "Ada")
    return house


@pytest.fixture
def house(sound: House, tmp_path: Path) -> House:
    return sound.copy(tmp_path / "home")


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def edit(house: House, old: str, new: str) -> None:
    path = house.root / "handrail.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def port_of(house: House) -> int:
    return settings(house.root, os.environ).boot.port


def settled(house: House) -> str:
    """What doctor says once the server has published what waited for it."""

    def look() -> str:
        done = house.run("doctor", code=None)
        return done.stdout if done.returncode == 0 else ""

    said: str = within(10, look)
    return said


ALWAYS = {"log key, key-encryption key and database have one holder, and there is no witness"}


@pytest.mark.promise("OPS-9")
def test_a_sound_home_with_its_server_up_gets_no_advice_but_of_the_missing_witness(house: House) -> None:
    with house.serving("--port", str(port_of(house))):
        out = settled(house)
    said = {line.split("  ", 1)[1].strip() for line in out.splitlines() if not line.startswith(" ")}
    assert said == ALWAYS


@pytest.mark.promise("OPS-9")
def test_with_the_keys_apart_it_says_that_nothing_was_found(house: House) -> None:
    house.env["HOUSE_KEK"] = (house.data / "kek").read_bytes().hex()
    (house.data / "kek").unlink()
    edit(house, "providers:", "keys: {kek_env: HOUSE_KEK}\nproviders:")
    with house.serving("--port", str(port_of(house))):
        assert "nothing found" in settled(house)


def _broken_home(house: House) -> None:
    house.use_case(mode="enforced")


def _no_kek(house: House) -> None:
    (house.data / "kek").unlink()


def _other_kek(house: House) -> None:
    (house.data / "kek").write_bytes(bytes(32))


def _nothing_published(house: House) -> None:
    for path in house.data.glob("handrail.db*"):
        path.unlink()


def _no_secret(house: House) -> None:
    edit(house, "    private_network: true\n", "    private_network: true\n    key_env: HOUSE_ABSENT\n")
    _published(house)


def _no_secret_file(house: House) -> None:
    edit(house, "    private_network: true\n", "    private_network: true\n    key_file: absent.key\n")
    _published(house)


def _wide_open(house: House) -> None:
    (house.data / "kek").chmod(0o644)


def _not_ignored(house: House) -> None:
    (house.root / ".git").mkdir()


def _no_people(house: House) -> None:
    _nothing_published(house)
    house.publish()


def _edited(house: House) -> None:
    house.use_case(mode="observe")


def _published(house: House) -> None:
    """As the operator before anybody is registered."""
    for path in house.data.glob("handrail.db*"):
        path.unlink()
    house.publish()


def _observing(house: House) -> None:
    house.use_case(mode="observe")
    _published(house)


def _marking(house: House) -> None:
    path = house.root / "use-cases" / "orders.yaml"
    path.write_text(path.read_text().replace("refuse", "mark"))
    _published(house)


def _relaxed(house: House) -> None:
    house.use_case(more="durability: relaxed\n")
    _published(house)


def _no_key(house: House) -> None:
    _published(house)


def _ending_key(house: House) -> None:
    _published(house)
    house.key("--days", "3")


def _rotated_key(house: House) -> None:
    _published(house)
    house.run("key", "rotate", house.key().split("_")[1])


CAUSES: list[tuple[Callable[[House], None], str, Level]] = [
    (_broken_home, "the home has 1 mistake", Level.BROKEN),
    (_no_kek, "key-encryption key could not be looked at", Level.BROKEN),
    (_other_kek, "database could not be looked at", Level.BROKEN),
    (_nothing_published, "nothing is published", Level.BROKEN),
    (_no_secret, "provider mock has no key", Level.BROKEN),
    (_no_secret_file, "provider mock has no key", Level.BROKEN),
    (lambda house: None, "the server does not answer", Level.BROKEN),
    (_wide_open, "others on this machine can read kek", Level.RISK),
    (_not_ignored, "the data folder is not in .gitignore", Level.RISK),
    (_no_people, "no person is registered", Level.RISK),
    (_marking, "orders: passes when a detector fails", Level.RISK),
    (_marking, "orders: images, audio and files pass unread", Level.NOTE),
    (_relaxed, "orders: answers may leave before they are recorded", Level.NOTE),
    (_observing, "orders: observes only", Level.NOTE),
    (_edited, "the home differs from what is in force", Level.NOTE),
    (_no_key, "orders: no API key", Level.NOTE),
    (_ending_key, "ends in 2 days", Level.NOTE),
    (_rotated_key, "was rotated and ends in 24 hours", Level.NOTE),
]


@pytest.mark.promise("OPS-9")
@pytest.mark.parametrize(("cause", "advice", "level"), CAUSES, ids=[row[1] for row in CAUSES])
def test_each_advice_is_given_for_its_cause(
    house: House, cause: Callable[[House], None], advice: str, level: Level
) -> None:
    cause(house)
    done = house.run("doctor", code=1)  # no server answers, so something is broken in any case
    found = [line for line in done.stdout.splitlines() if advice in line]
    assert len(found) == 1, done.stdout
    assert found[0].startswith(level.value)


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(7_200, "2 hours"), (3_600, "1 hour"), (3_599, "59 minutes"), (60, "1 minute"), (59, "less than a minute")],
)
def test_the_end_of_a_key_is_told_in_the_unit_of_a_person(house: House, left_s: int, said: str) -> None:
    _published(house)
    house.key("--days", "1")
    seen = asyncio.run(gather(settings(house.root, os.environ), os.environ, offline=True))
    assert seen.snapshot is not None
    (key,) = seen.snapshot.keys.values()
    assert key.expires_at is not None
    later = msgspec.structs.replace(seen, now_ms=key.expires_at - left_s * 1000)
    assert any(advice.what == f"API key {key.id} ends in {said}" for advice in diagnose(later))


def test_a_key_that_was_made_for_a_run_of_trials_ends_without_a_word(house: House) -> None:
    _published(house)
    house.run("key", "create", "--use-case", "orders", "--scope", "chat", "--scope", "probe", "--days", "1")
    seen = asyncio.run(gather(settings(house.root, os.environ), os.environ, offline=True))
    assert seen.snapshot is not None
    (key,) = seen.snapshot.keys.values()
    assert key.probe
    assert not any(key.id in advice.what for advice in diagnose(seen))


class Provider:
    """Answers every request with one status; keeps the heads that came."""

    def __init__(self, status: str) -> None:
        self.heads: list[bytes] = []
        self._status = status
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller:
                self.heads.append(caller.recv(4096))
                if self._status:
                    caller.sendall(f"HTTP/1.1 {self._status}\r\ncontent-length: 0\r\nlocation: /x\r\n\r\n".encode())

    def close(self) -> None:
        self._socket.close()


@pytest.mark.promise("OPS-15")
@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("401 Unauthorized", "does not accept the key (status 401)"),
        ("403 Forbidden", "not for a list of models (status 403)"),
        ("302 Found", "redirect"),
        ("503 Away", "status 503"),
        ("", "provider mock"),
        ("404 Not Found", None),
        ("200 OK", None),
    ],
)
def test_a_provider_that_cannot_be_used_is_told(house: House, model: str, status: str, why: str | None) -> None:
    provider = Provider(status)
    try:
        edit(house, model, provider.url)
        edit(house, "    private_network: true\n", "    private_network: true\n    key_env: HOUSE_KEY\n")
        house.env["HOUSE_KEY"] = "sk-house-1"
        _published(house)
        said = house.said("doctor", code=1)  # no server answers
        assert ("provider mock cannot be used" in said) is (why is not None)
        assert why is None or why in said
        assert "sk-house-1" not in said
        assert provider.heads[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
        assert b"authorization: Bearer sk-house-1" in provider.heads[0]
        count = len(provider.heads)
        assert "provider mock" not in house.said("doctor", "--offline", code=1)
        assert len(provider.heads) == count
    finally:
        provider.close()


@pytest.mark.promise("OPS-15")
def test_a_dead_provider_is_broken_and_the_exit_code_says_so(house: House, model: str) -> None:
    edit(house, model, f"http://127.0.0.1:{_free()}/v1")
    _published(house)
    with house.serving("--port", str(port_of(house))):
        time.sleep(1.2)
        done = house.run("doctor", code=1)
        assert "broken  provider mock cannot be used" in done.stdout
        assert "cannot be reached" in done.stdout
        assert "mend: providers.mock in handrail.yaml" in done.stdout
        house.run("doctor", "--offline", code=0)


@pytest.mark.promise("OPS-15")
def test_serve_warns_at_its_start_of_a_provider_without_a_key(house: House) -> None:
    _no_secret(house)
    with house.serving("--port", str(port_of(house))) as server:
        assert "provider.no_key" in "".join(server.lines)
    assert "HOUSE_ABSENT is not set" in "".join(server.lines)


def test_nothing_is_made_by_looking(house: House) -> None:
    shutil.rmtree(house.data)
    said = house.said("doctor", code=1)
    assert "key-encryption key" in said
    assert not house.data.exists()


def test_another_program_on_the_port_is_told(house: House) -> None:
    with ExitStack() as stack:
        taken = stack.enter_context(socket.create_server(("127.0.0.1", port_of(house))))

        def answer() -> None:
            caller, _ = taken.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

        thread = threading.Thread(target=answer)
        thread.start()
        said = house.said("doctor", code=1)
        thread.join(5)
    assert "another program listens" in said


def test_a_server_that_runs_at_another_port_than_the_homes_is_found_there(house: House) -> None:
    _published(house)
    assert "nothing listens on" in house.said("doctor", code=1)
    with house.serving("--port", "0"):
        said = house.run("doctor", code=None).stdout
    assert "the server" not in said


def test_a_server_that_is_not_ready_is_told(house: House) -> None:
    _nothing_published(house)
    with house.serving("--port", str(port_of(house))):
        assert "it is not ready" in house.said("doctor", code=1)


def test_many_unlinked_interactions_are_told(house: House) -> None:
    _published(house)
    key = house.key()
    with house.serving("--port", str(port_of(house))) as server:
        _unlinked(server, key)
        time.sleep(1.2)
        said = settled(house)
    assert "could not be linked to a conversation" in said


def _unlinked(server: Server, key: str) -> None:
    """A history that handrail never saw: no conversation can be inferred."""
    for n in range(4):
        history = [
            {"role": "user", "content": f"hello {n}"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "and now?"},
        ]
        assert server.ask(key, messages=history)[0] == 200


def test_a_log_left_behind_by_a_jobs_process_that_does_not_run_is_told(house: House) -> None:
    """Entries wait while no server publishes them."""
    seen = asyncio.run(gather(settings(house.root, os.environ), os.environ))
    assert seen.log_behind_ms is not None
    assert any("behind the journal" in one.what for one in diagnose(_later(seen, 20_000)))
    oldest = min(json.loads(line)["at_ms"] for line in house.said("log", "--json").splitlines())
    assert seen.log_behind_ms == seen.now_ms - oldest  # newer entries do not hide that it waits
    with house.serving("--port", str(port_of(house))):
        time.sleep(1.5)
        seen = asyncio.run(gather(settings(house.root, os.environ), os.environ))
    assert seen.log_behind_ms is None


def _later(seen: Seen, behind_ms: int) -> Seen:
    return msgspec.structs.replace(seen, log_behind_ms=behind_ms)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"disk_free": LITTLE_DISK - 1}, "of disk are left"),
        ({"clock_off_ms": 2_001}, "differ by 2001 ms"),
        ({"clock_off_ms": -2_001}, "differ by -2001 ms"),
    ],
)
def test_what_this_machine_cannot_be_made_to_do_is_judged_on_what_was_seen(change: dict[str, int], advice: str) -> None:
    """A full disk and a wrong clock."""
    assert any(advice in one.what for one in diagnose(Seen(**change)))
    assert not any(advice in one.what for one in diagnose(Seen(disk_free=LITTLE_DISK, clock_off_ms=2_000)))


def test_the_worst_stands_first(house: House) -> None:
    _marking(house)
    levels = [line.split()[0] for line in house.run("doctor", code=1).stdout.splitlines() if line[0] != " "]
    assert levels == sorted(levels, key=["broken", "risk", "note"].index)
    assert len(set(levels)) == 3


def test_an_answer_that_comes_in_pieces_is_read_to_its_end(house: House) -> None:
    with socket.create_server(("127.0.0.1", port_of(house))) as ours:

        def answer() -> None:
            caller, _ = ours.accept()
            with caller:
                caller.recv(4096)
                for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 18\r\n\r\n", b'{"status":', b'"ready"}'):
                    caller.sendall(piece)
                    time.sleep(0.05)

        thread = threading.Thread(target=answer)
        thread.start()
        said = house.run("doctor", code=None).stdout
        thread.join(5)
    assert "another program" not in said
    assert "server" not in said
