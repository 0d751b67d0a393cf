"""Backup and restore with real processes: under load, on both engines, after erasures, against an older log."""

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_house import ActingHouse, act, till, told
from fakes.storage import PostgresServer
from house import HANDRAIL, House, Server, scripted_model, within

from handrail.home.bootstrap import KEK_FILE


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model() as url:
        yield url


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path, model: str) -> House:
    database = "sqlite"
    if request.param == "postgres":
        database = request.getfixturevalue("postgres").new_database()
    house = House(tmp_path / "home", model=model, database=database)
    house.publish()
    return house


def elsewhere(house: House, tmp_path: Path, request: pytest.FixtureRequest, name: str = "other") -> House:
    """Another machine with the same configuration and key-encryption key, and an empty database."""
    database = "sqlite"
    if "HANDRAIL_TEST_DATABASE" in house.env:
        database = request.getfixturevalue("postgres").new_database()
    other = House(tmp_path / name, database=database)
    shutil.copy(house.root / "handrail.yaml", other.root / "handrail.yaml")
    (other.data / KEK_FILE).write_bytes((house.data / KEK_FILE).read_bytes())
    return other


class Load:
    """Callers that go on until told to stop, and remember every interaction that was acknowledged."""

    def __init__(self, server: Server, key: str, callers: int = 3) -> None:
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(server, key, n)) for n in range(callers)]
        for thread in self._threads:
            thread.start()

    def _call(self, server: Server, key: str, caller: int) -> None:
        while not self._stop.is_set():
            status, _, headers = server.ask(key, f"Where is my order? I am caller {caller}", user=f"customer-{caller}")
            assert status == 200
            self.acknowledged.append(headers["x-handrail-interaction"])

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


def payload(house: House, interaction: str) -> str:
    return house.run("show", interaction, "--payload", "--reason", "test 1").stdout


@pytest.mark.promise("OPS-10")
def test_a_backup_under_load_is_restored_elsewhere_with_everything_acknowledged_before_it(
    house: House, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    key = house.key()
    with house.serving() as server:
        load = Load(server, key)
        within(10, lambda: len(load.acknowledged) >= 20)
        before = list(load.acknowledged)
        house.run("backup", str(tmp_path / "b.zip"))
        after = len(load.acknowledged)
        within(10, lambda: len(load.acknowledged) >= after + 10)  # nobody was locked out
        load.stop()
    other = elsewhere(house, tmp_path, request)
    said = other.said("restore", str(tmp_path / "b.zip"))
    assert "verify" in said
    assert other.said("verify", str(other.root), "--payloads").startswith("OK: ")
    for interaction in before:
        assert json.loads(other.run("show", interaction).stdout)["index"] is not None
    assert "Where is my order" in payload(other, before[0])
    with other.serving() as server:  # it serves again, with the same keys
        assert server.ask(key)[0] == 200


@pytest.mark.promise("OPS-3")
def test_an_erasure_made_after_the_backup_does_not_come_back(
    house: House, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    key = house.key()
    with house.serving() as server:
        gone = server.ask(key, "The word is heliotrope", user="gone")[2]["x-handrail-interaction"]
        stays = server.ask(key, "The word is marigold", user="stays")[2]["x-handrail-interaction"]
    house.run("backup", str(tmp_path / "b"))
    assert "heliotrope" in payload(house, gone)
    house.run("erase", "--customer", "gone", "--reason", "request 1", "--yes")
    house.run("backup", "--only-erasures", str(tmp_path / "erased.jsonl"))
    other = elsewhere(house, tmp_path, request)
    said = other.said("restore", str(tmp_path / "b"), "--erasures", str(tmp_path / "erased.jsonl"))
    assert "1 subjects erased again" in said
    assert "heliotrope" not in payload(other, gone)
    assert "(erased)" in payload(other, gone)
    assert "marigold" in payload(other, stays)
    assert other.said("verify", str(other.root), "--payloads").startswith("OK: ")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, model: str) -> tuple[House, Path, str, str]:
    """A home with a conversation, a backup, and an erasure and another conversation after it; the backup, the key and
    the erased interaction."""
    folder = tmp_path_factory.mktemp("life")
    house = House(folder / "home", model=model)
    house.publish()
    key = house.key()
    with house.serving() as server:
        gone = server.ask(key, "The word is heliotrope", user="gone")[2]["x-handrail-interaction"]
    house.run("backup", str(folder / "b"))
    with house.serving() as server:
        server.ask(key, "The word is marigold")
    house.run("erase", "--customer", "gone", "--reason", "request 1", "--yes")
    return house, folder / "b", key, gone


@pytest.fixture
def lived(life: tuple[House, Path, str, str], tmp_path: Path) -> tuple[House, str, str]:
    """A copy of that home and its backup `b`."""
    house, backup, key, gone = life
    shutil.copytree(backup, tmp_path / "b")
    return house.copy(tmp_path / "home"), key, gone


@pytest.mark.promise("ACT-39")
def test_what_was_approved_when_a_backup_was_made_does_not_leave_once_it_is_restored(tmp_path: Path) -> None:
    with till(tmp_path) as target:
        house = ActingHouse(tmp_path / "home", target.url)
        tools = house.root / "tools" / "till.yaml"
        tools.write_text(tools.read_text().replace("  note:\n", "  note:\n    cool_off_s: 5\n"))
        house.publish()
        key = house.agent()
        with house.serving() as server:
            asked = act(server, key, "till.note", arguments={"order": "A-1", "text": "x"})[1]
            assert asked["status"] == "approved"
            house.run("backup", str(tmp_path / "b.zip"))
        house.run("restore", str(tmp_path / "b.zip"), "--replace", "--accept-older", "drill 1")
        with house.serving() as server:
            time.sleep(6)
            assert told(server, key, asked["action_id"])["status"] == "unknown"
        assert target.effects() == []


@pytest.mark.promise("OPS-4")
def test_a_backup_older_than_the_log_that_is_there_is_refused_and_changes_nothing(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, _, _ = lived
    before = house.said("verify", str(house.root))
    said = house.said("restore", str(tmp_path / "b"), "--replace", code=1)
    assert "would be lost unseen" in said
    assert house.said("verify", str(house.root)) == before
    assert sorted(path.name for path in house.root.iterdir()) == [".handrail", "handrail.yaml", "use-cases"]


@pytest.mark.promise("OPS-4")
def test_an_older_log_is_accepted_only_under_a_new_key_and_erasures_of_the_old_one_are_made_again(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, key, gone = lived
    old = house.said("log-key")
    said = house.said("restore", str(tmp_path / "b"), "--replace", "--accept-older", "incident 12")
    assert "NEW KEY" in said
    assert house.said("log-key") != old
    assert "(erased)" in payload(house, gone)
    assert house.said("verify", str(house.root)).startswith("OK: ")
    aside = [path for path in house.root.iterdir() if ".replaced-" in path.name]
    assert len(aside) == 1
    with house.serving() as server:
        assert server.ask(key)[0] == 200


@pytest.mark.promise("OPS-4")
def test_a_checkpoint_kept_elsewhere_is_enough_to_refuse_an_older_log(
    lived: tuple[House, str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    house, _, _ = lived
    other = elsewhere(house, tmp_path, request)
    kept = tmp_path / "kept"
    kept.write_bytes((house.data / "log" / "checkpoint").read_bytes())
    said = other.said("restore", str(tmp_path / "b"), "--known-checkpoint", str(kept), code=1)
    assert "would be lost unseen" in said
    assert not (other.data / "handrail.db").exists()


def test_a_log_of_another_home_is_refused(lived: tuple[House, str, str], tmp_path: Path, model: str) -> None:
    house, _, _ = lived
    stranger = House(tmp_path / "stranger", model=model)
    stranger.publish()
    with stranger.serving():
        pass
    (stranger.data / KEK_FILE).write_bytes((house.data / KEK_FILE).read_bytes())
    shutil.move(stranger.data / "handrail.db", tmp_path / "gone.db")
    said = stranger.said("restore", str(tmp_path / "b"), "--replace", code=1)
    assert "another log" in said


def test_what_is_there_is_never_overwritten(lived: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = lived
    assert "holds data already" in house.said("restore", str(tmp_path / "b"), code=1)
    assert "never overwrites" in house.said("backup", str(tmp_path / "b"), code=1)
    assert "lost with it" in house.said("backup", str(house.data / "b"), code=1)
    assert "no folder" in house.said("backup", str(tmp_path / "nowhere" / "b"), code=1)


def test_a_restore_while_the_server_runs_is_refused(lived: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = lived
    with house.serving():
        house.run("backup", str(tmp_path / "newer"))
        assert "stop it" in house.said("restore", str(tmp_path / "newer"), "--replace", code=1)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.promise("OPS-10")
@pytest.mark.parametrize("piece", ["database/handrail.db", "keys/lookup.key", "log/checkpoint", "manifest.json"])
def test_a_changed_or_missing_piece_is_refused_and_nothing_is_left(
    lived: tuple[House, str, str], tmp_path: Path, request: pytest.FixtureRequest, piece: str
) -> None:
    house, _, _ = lived
    other = elsewhere(house, tmp_path, request)
    for spoil in (_flip, Path.unlink):
        copy = tmp_path / f"copy-{spoil.__name__}"
        shutil.copytree(tmp_path / "b", copy)
        spoil(copy / piece)
        other.run("restore", str(copy), code=1)
        assert [path.name for path in other.data.iterdir()] == [KEK_FILE]
        assert sorted(path.name for path in other.root.iterdir()) == [".handrail", "handrail.yaml", "use-cases"]


def test_a_manifest_made_to_fit_a_changed_database_is_refused_because_of_its_seal(
    lived: tuple[House, str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    house, _, _ = lived
    other = elsewhere(house, tmp_path, request)
    database = tmp_path / "b" / "database" / "handrail.db"
    _flip(database)
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    for piece in manifest["pieces"]:
        if piece["path"] == "database/handrail.db":
            piece["sha256"] = hashlib.sha256(database.read_bytes()).hexdigest()
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(manifest))
    assert "was changed" in other.said("restore", str(tmp_path / "b"), code=1)


def test_without_the_key_encryption_key_a_backup_does_not_open_unless_it_is_inside(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, _, _ = lived
    stranger = House(tmp_path / "stranger")
    shutil.copy(house.root / "handrail.yaml", stranger.root / "handrail.yaml")
    said = house.said("backup", str(tmp_path / "whole.zip"), "--with-kek")
    assert "WARNING" in said
    assert "key-encryption key" in stranger.said("restore", str(tmp_path / "b"), code=1)
    stranger.run("restore", str(tmp_path / "whole.zip"))
    assert stranger.said("verify", str(stranger.root)).startswith("OK: ")
    clear = (house.data / KEK_FILE).read_bytes()
    assert all(clear not in path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())
    log_key = (house.data / "log.key").read_text().strip().encode()
    assert all(log_key not in path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["../evil", "keys/../../evil", "/etc/evil", ".hidden", "keys/.hidden"])
def test_a_manifest_that_names_files_outside_is_refused(tmp_path: Path, name: str) -> None:
    house = House(tmp_path / "home")
    manifest = {
        "format": 1, "id": "bk", "handrail": "0", "engine": "sqlite", "migrations": [], "made_at_ms": 0,
        "log_size": 0, "log_root": "", "kek": False, "pieces": [{"path": name, "size": 1, "sha256": ""}],
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("manifest.json", json.dumps(manifest))
        file.writestr(name, b"x")
    assert "outside the backup" in house.said("restore", str(tmp_path / "b.zip"), code=1)


def test_only_who_may_backs_up(lived: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = lived
    code = house.run("person", "first").stdout.split(": ", 1)[1].split("\n", 1)[0].strip()
    token = house.run("person", "redeem", code, "--mail", "ada@house.example", "--name", "Ada").stdout
    assert "personal token" in house.said("backup", str(tmp_path / "refused"), code=1)
    assert not (tmp_path / "refused").exists()
    token = token.split(": ", 1)[1].split("\n", 1)[0].strip()
    house.run("backup", str(tmp_path / "allowed"), "--token", token)
    assert (tmp_path / "allowed" / "manifest.json").exists()


def _token(house: House, *words: str) -> str:
    return house.run("person", *words).stdout.split(": ", 1)[1].split("\n", 1)[0].strip()


@pytest.mark.promise("OPS-12")
def test_a_restore_over_a_folder_asks_the_persons_of_that_folder(lived: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = lived
    ada = _token(house, "redeem", _token(house, "first"), "--mail", "ada@house.example", "--name", "Ada")
    with house.serving():
        house.run("backup", str(tmp_path / "now"), "--token", ada)
    code = _token(house, "add", "--mail", "bo@house.example", "--name", "Bo", "--role", "engineer", "--token", ada)
    bo = _token(house, "redeem", code)
    code = _token(house, "add", "--mail", "cy@house.example", "--name", "Cy", "--role", "admin", "--token", ada)
    cy = _token(house, "redeem", code)
    house.run("person", "revoke", ada.split("_")[1], "--token", cy)
    asked = ["restore", str(tmp_path / "now"), "--replace", "--accept-older", "incident 3"]
    assert "personal token" in house.said(*asked, code=1)
    assert "revoked" in house.said(*asked, "--token", ada, code=1)
    assert "not known" in house.said(*asked, "--token", "hp_nobody_x", code=1)
    assert not [path for path in house.root.iterdir() if path.name.startswith(".handrail.")]
    house.run(*asked, "--token", bo)
    restored = json.loads(house.run("log", "--kind", "backup.restored", "--limit", "1", "--json").stdout)
    assert restored["actor"]["kind"] == "person"
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.promise("OPS-12")
def test_a_restore_over_a_database_that_cannot_be_read_asks_the_persons_of_the_backup(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, _, _ = lived
    ada = _token(house, "redeem", _token(house, "first"), "--mail", "ada@house.example", "--name", "Ada")
    with house.serving():
        house.run("backup", str(tmp_path / "now"), "--token", ada)
    for name in ("handrail.db-wal", "handrail.db-shm"):
        (house.data / name).unlink(missing_ok=True)
    (house.data / "handrail.db").write_bytes(b"no database at all" * 400)
    (tmp_path / "none.jsonl").write_bytes(b"")
    asked = ["restore", str(tmp_path / "now"), "--replace", "--accept-older", "incident 4"]
    asked += ["--erasures", str(tmp_path / "none.jsonl")]
    assert "personal token" in house.said(*asked, code=1)
    house.run(*asked, "--token", ada)
    assert house.said("verify", str(house.root)).startswith("OK: ")


def _killed(house: House, after_s: float, *words: str) -> bool:
    """Run a command in a process of its own and kill it; whether it was still running."""
    process = subprocess.Popen(
        [*HANDRAIL, *words], env={**os.environ, **house.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
        return True
    return False


@pytest.mark.faults
@pytest.mark.promise("OPS-10")
def test_killed_at_any_moment_a_backup_is_whole_or_not_there(lived: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = lived
    kills = 0
    began = time.monotonic()
    assert not _killed(house, 60, "backup", str(tmp_path / "whole.zip"))
    took = time.monotonic() - began
    for step in range(8):
        target = tmp_path / f"b{step}.zip"
        kills += _killed(house, took * (0.3 + 0.1 * step), "backup", str(target))
        if target.exists():
            with zipfile.ZipFile(target) as file:
                assert file.testzip() is None
                assert "manifest.seal" in file.namelist()
    assert kills >= 2
    assert house.said("verify", str(house.root)).startswith("OK: ")


@pytest.mark.faults
@pytest.mark.promise("OPS-10")
def test_killed_at_any_moment_a_restore_is_done_or_goes_on_when_asked_again(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, _, gone = lived
    house.run("backup", "--only-erasures", str(tmp_path / "erased.jsonl"))
    words = ("restore", str(tmp_path / "b"), "--erasures", str(tmp_path / "erased.jsonl"))
    kills, took = 0, 0.0
    for step in range(9):  # the first one is not killed: it says how long a whole one takes
        other = House(tmp_path / f"other{step}")
        shutil.copy(house.root / "handrail.yaml", other.root / "handrail.yaml")
        (other.data / KEK_FILE).write_bytes((house.data / KEK_FILE).read_bytes())
        began = time.monotonic()
        kills += _killed(other, took * (0.2 + 0.1 * step) if step else 60, *words)
        took = took or time.monotonic() - began
        again = other.run(*words, code=None)
        assert again.returncode == 0 or "holds data already" in again.stderr
        assert "(erased)" in payload(other, gone)
        assert other.said("verify", str(other.root), "--payloads").startswith("OK: ")
        assert sorted(path.name for path in other.root.iterdir()) == [".handrail", "handrail.yaml", "use-cases"]
    assert kills >= 2


def test_a_restore_that_stopped_before_its_last_rename_goes_on(lived: tuple[House, str, str], tmp_path: Path) -> None:
    """The state between the two renames, made by hand: the old folder is aside, the new one complete."""
    house, _, gone = lived
    house.run("backup", str(tmp_path / "newer"))
    house.run("restore", str(tmp_path / "newer"), "--replace")
    (aside,) = [path for path in house.root.iterdir() if ".replaced-" in path.name]
    manifest = hashlib.sha256((tmp_path / "newer" / "manifest.json").read_bytes()).hexdigest()
    plan = {"manifest": manifest, "entry": "en_hand", "erasures": [], "known_size": 0, "accepted": ""}
    house.data.rename(house.root / ".handrail.restored")
    (house.root / ".handrail.restored" / "restore.json").write_text(json.dumps(plan))
    house.run("restore", str(tmp_path / "newer"))
    assert house.data.exists()
    assert not (house.data / "restore.json").exists()
    assert aside.exists()
    assert "(erased)" in payload(house, gone)
    assert "left from restoring another" in _other_left(house, tmp_path)


def _other_left(house: House, tmp_path: Path) -> str:
    left = house.root / ".handrail.restored"
    left.mkdir()
    plan = {"manifest": "another", "entry": "en_1", "erasures": [], "known_size": 0, "accepted": ""}
    (left / "restore.json").write_text(json.dumps(plan))
    return house.said("restore", str(tmp_path / "newer"), "--replace", code=1)
