"""A new key-encryption key: what was recorded stays readable, also when the command was stopped at any step."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from house import House, scripted_model

from handrail.app import wire
from handrail.app.rotate_kek import NEXT, Next
from handrail.app.settings import settings


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model() as url:
        yield url


@pytest.fixture
def lived(tmp_path: Path, model: str) -> tuple[House, str, str]:
    """A home with one interaction, whose text holds `marigold`; its id and an API key."""
    house = House(tmp_path / "home", model=model)
    house.publish()
    key = house.key()
    with house.serving() as server:
        said = server.ask(key, "The word is marigold", user="ada")[2]["x-handrail-interaction"]
    return house, said, key


def readable(house: House, interaction: str) -> bool:
    return "marigold" in house.said("show", interaction, "--payload", "--reason", "ticket 1")


def rotations(house: House) -> list[dict[str, object]]:
    said = house.run("log", "--kind", "key_encryption_key", "--json").stdout
    return [json.loads(line)["facts"] for line in said.splitlines()]


@pytest.mark.promise("OPS-14")
def test_a_new_key_opens_what_was_recorded_and_the_old_one_nothing(lived: tuple[House, str, str]) -> None:
    house, said, key = lived
    old = (house.data / "kek").read_bytes()
    assert "wrapped by a new key-encryption key" in house.said("rotate-keys", "--kek")
    new = (house.data / "kek").read_bytes()
    assert new != old
    assert not (house.data / NEXT).exists()
    assert (house.data / "kek").stat().st_mode & 0o077 == 0
    assert readable(house, said)
    (facts,) = rotations(house)
    assert facts["before"] != facts["now"]
    house.run("rotate-keys")
    with house.serving() as server:
        assert server.ask(key)[0] == 200
    assert house.said("verify", str(house.root), "--payloads").startswith("OK: ")
    (house.data / "kek").write_bytes(old)
    assert "does not open" in house.said("find", code=1)


@pytest.mark.promise("OPS-14")
@pytest.mark.parametrize("done", ["planned", "recorded", "lookup", "all", "replaced"])
def test_a_run_that_stopped_at_any_step_goes_on(lived: tuple[House, str, str], done: str) -> None:
    """Each step is done by hand up to where the crash is, as the command does it."""
    house, said, _ = lived
    given = settings(house.root, os.environ)
    old = (house.data / "kek").read_bytes()
    plan = Next(entry=wire.IDS.new("en"), key=os.urandom(32))
    backup = {path: path.read_bytes() for path in [house.data / "kek", *(house.data / "keys").glob("*.key")]}
    (house.data / NEXT).write_bytes(msgspec.json.encode(plan))
    if done != "planned":
        house.run("rotate-keys", "--kek")  # writes the entry; then the files go back to before
        for path, data in backup.items():
            path.write_bytes(data)
        (house.data / NEXT).write_bytes(msgspec.json.encode(plan))
    before = wire.key_folder(given, old)
    names = {"lookup": ["lookup"], "all": before.names(), "replaced": before.names()}.get(done, [])
    for name in names:
        before.rewrap(name, wire.kek(plan.key), wire.IDS)
    if done == "replaced":
        (house.data / "kek").write_bytes(plan.key)
    elif names:
        assert "rotate-keys --kek" in house.said("find", code=1)
    if done == "replaced":
        assert readable(house, said)
    house.run("rotate-keys", "--kek")
    assert (house.data / "kek").read_bytes() == plan.key
    assert not (house.data / NEXT).exists()
    assert readable(house, said)
    assert len(rotations(house)) == 1


def test_while_the_server_runs_it_is_refused(lived: tuple[House, str, str]) -> None:
    house, said, _ = lived
    with house.serving():
        assert "stop it first" in house.said("rotate-keys", "--kek", code=1)
    assert readable(house, said)


@pytest.mark.promise("OPS-14")
def test_a_key_in_the_environment_is_replaced_by_one_in_another_variable(lived: tuple[House, str, str]) -> None:
    house, said, _ = lived
    kek = house.data / "kek"
    house.env |= {"OLD_KEK": kek.read_bytes().hex(), "NEW_KEK": os.urandom(32).hex()}
    kek.unlink()
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text() + "keys: {kek_env: OLD_KEK}\n")
    assert "--new-env" in house.said("rotate-keys", "--kek", code=1)
    assert "no NOWHERE" in house.said("rotate-keys", "--kek", "--new-env", "NOWHERE", code=1)
    assert "the present one" in house.said("rotate-keys", "--kek", "--new-env", "OLD_KEK", code=1)
    house.run("rotate-keys", "--kek", "--new-env", "NEW_KEK")
    house.said("find", code=1)
    house.env["OLD_KEK"] = house.env["NEW_KEK"]
    assert readable(house, said)


def test_only_who_may(lived: tuple[House, str, str]) -> None:
    house, _, _ = lived
    before = (house.data / "kek").read_bytes()
    house.run("person", "first")
    code = house.run("person", "first").stdout.split(": ", 1)[1].splitlines()[0].strip()
    house.run("person", "redeem", code, "--mail", "ada@house.example", "--name", "Ada")
    assert "personal token" in house.said("rotate-keys", "--kek", code=1)
    assert (house.data / "kek").read_bytes() == before
    assert not (house.data / NEXT).exists()
