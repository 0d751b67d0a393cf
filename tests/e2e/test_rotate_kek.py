"""A new key-encryption key: what was recorded stays readable, also when the command was stopped at any step."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from house import House, scripted_model

from handrail.app import wire
from handrail.app.rotate_kek import NEXT, Next, rotate_kek
from handrail.app.running import LOCK, alone
from handrail.app.settings import settings
from handrail.terms.errors import Code, HandrailError

STOPPING = """
import asyncio, os, sys
from pathlib import Path
from handrail.app.rotate_kek import rotate_kek
from handrail.app.settings import settings
home, stop, new_env = Path(sys.argv[1]), sys.argv[2], sys.argv[3] or None
seen = 0
def step(event, args):
    global seen
    if event in ("os.rename", "os.remove", "os.chmod") and str(args[0]).startswith(f"{home}{os.sep}"):
        seen += 1
        name = f"{event} {Path(args[0]).name}"
        if stop == str(seen) or name.startswith(stop):
            print(name, flush=True)
            os._exit(9)
sys.addaudithook(step)
asyncio.run(rotate_kek(settings(home, os.environ), os.environ, token=None, new_env=new_env))
"""
"""Rotates, and dies just before its n-th step on the files of the home, or the first that begins so; says which."""


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


def stopped(house: House, stop: int | str, new_env: str = "") -> str:
    """Before which step it died; empty when it came to its end."""
    words = [sys.executable, "-c", STOPPING, str(house.root), str(stop), new_env]
    done = subprocess.run(words, env={**os.environ, **house.env}, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 9), done.stderr
    return done.stdout.strip()


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
        before.rewrap(name, wire.kek(plan.key))
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


@pytest.mark.promise("OPS-14")
def test_a_process_that_dies_before_any_step_on_a_file_leaves_a_home_that_the_next_call_makes_whole(
    lived: tuple[House, str, str], tmp_path: Path
) -> None:
    house, said, _ = lived
    steps = []
    while True:
        one = house.copy(tmp_path / f"stopped-{len(steps)}")
        step = stopped(one, len(steps) + 1)
        if step:
            steps.append(step)
            one.run("rotate-keys", "--kek")
        assert readable(one, said), step
        ended = step == f"os.remove {NEXT}"  # all was done: the next call was a rotation of its own
        assert len(rotations(one)) == (2 if ended else 1), step
        assert {path.name for path in one.data.glob("kek*")} == {"kek"}, step
        left = {path.name for path in (one.data / "keys").iterdir() if path.suffix != ".key"}
        assert left == {LOCK}, step
        if not step:
            break
    renamed = [step.split()[1] for step in steps if step.startswith("os.rename")]
    assert renamed[:2] == ["kek.next.part", "lookup.fresh"]
    assert renamed[-2:] == ["kek.fresh.part", "kek.fresh"]
    assert sum(name.startswith("intermediate-") for name in renamed) >= 1
    between = steps[steps.index("os.rename kek.next.part") + 1 : steps.index("os.rename lookup.fresh")]
    assert between  # the storage is opened and the entry written: it died there too


@pytest.mark.promise("OPS-14")
def test_a_key_file_that_nothing_opens_is_told_before_anything_is_changed(lived: tuple[House, str, str]) -> None:
    house, said, _ = lived
    keys, old = house.data / "keys", (house.data / "kek").read_bytes()
    stray = keys / "intermediate-ik_old.key"
    stray.write_bytes(bytes(60))  # as a crash leaves one that was being destroyed
    told = house.said("rotate-keys", "--kek", code=1)
    assert f"opens {stray.name} in the keys folder; nothing that is recorded needs it: remove this file" in told
    (used,) = keys.glob("intermediate-ik_0*.key")
    wrapped = used.read_bytes()
    used.write_bytes(b"torn")
    stray.unlink()
    told = house.said("rotate-keys", "--kek", code=1)
    assert f"opens {used.name} in the keys folder; what is recorded needs it: put this file back from a backup" in told
    used.write_bytes(wrapped)
    lookup = (keys / "lookup.key").read_bytes()
    (keys / "lookup.key").write_bytes(b"torn")
    assert "opens lookup.key in the keys folder; what is recorded needs it" in house.said(
        "rotate-keys", "--kek", code=1
    )
    (keys / "lookup.key").write_bytes(lookup)
    (house.data / "kek").write_bytes(bytes(32))
    assert "opens nothing in the keys folder" in house.said("rotate-keys", "--kek", code=1)
    (house.data / "kek").write_bytes(old)
    assert rotations(house) == []
    assert not (house.data / NEXT).exists()
    assert readable(house, said)
    house.run("rotate-keys", "--kek")
    assert readable(house, said)


def test_a_key_file_that_was_torn_half_way_is_told_and_the_run_goes_on_without_it(
    lived: tuple[House, str, str],
) -> None:
    house, said, _ = lived
    assert stopped(house, "os.rename intermediate-")
    stray = house.data / "keys" / "intermediate-ik_old.key"
    stray.write_bytes(b"torn")
    assert "nothing that is recorded needs it: remove this file" in house.said("rotate-keys", "--kek", code=1)
    assert (house.data / NEXT).exists()
    stray.unlink()
    house.run("rotate-keys", "--kek")
    assert readable(house, said)


@pytest.mark.promise("OPS-14")
def test_a_process_that_has_the_keys_open_and_the_replacing_exclude_each_other(lived: tuple[House, str, str]) -> None:
    house, said, _ = lived
    given = settings(house.root, os.environ)

    async def while_open() -> None:
        async with wire.opened(given, os.environ, checkpoints=False):
            assert "nothing found" not in house.said("find")  # others may open it too
            with pytest.raises(HandrailError) as refused:
                await rotate_kek(given, os.environ, token=None, new_env=None)
            assert refused.value.code is Code.LOG_CONFLICT
            assert "has the keys of this data folder open" in house.said("rotate-keys", "--kek", code=1)

    asyncio.run(while_open())
    assert rotations(house) == []
    with alone(given):
        for words in (["rotate-keys"], ["find"], ["backup", str(house.root.parent / "copy")]):
            assert "is being replaced" in house.said(*words, code=1)
    house.run("rotate-keys", "--kek")
    house.run("rotate-keys")
    assert readable(house, said)


def test_an_interrupted_run_goes_on_with_the_same_new_key_only(lived: tuple[House, str, str]) -> None:
    house, said, _ = lived
    kek = house.data / "kek"
    house.env |= {"OLD_KEK": kek.read_bytes().hex(), "NEW_KEK": os.urandom(32).hex(), "OTHER": os.urandom(32).hex()}
    kek.unlink()
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text() + "keys: {kek_env: OLD_KEK}\n")
    assert stopped(house, "os.rename intermediate-", "NEW_KEK")
    assert "same new key as then" in house.said("rotate-keys", "--kek", "--new-env", "OTHER", code=1)
    house.run("rotate-keys", "--kek", "--new-env", "NEW_KEK")
    house.env["OLD_KEK"] = house.env["NEW_KEK"]
    assert readable(house, said)
    assert len(rotations(house)) == 1
