"""Every command by its words: help, unknown words, and a folder, a key or a database that is not what it should be."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from house import House

from handrail.cli.main import COMMANDS, handrail


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


def words(command: click.Command, name: str) -> Iterator[list[str]]:
    yield [name]
    if isinstance(command, click.Group):
        for inner in command.commands:
            yield [name, inner]


def every_command() -> list[list[str]]:
    context = click.Context(handrail)
    found = []
    for name in COMMANDS:
        command = handrail.get_command(context, name)
        assert command is not None
        found += list(words(command, name))
    return found


@pytest.mark.promise("OPS-6")
def test_help_lists_every_command_in_one_line_each(house: House) -> None:
    said = house.said("--help")
    for name, (_, about) in COMMANDS.items():
        assert re.search(rf"^  {name}\s+\S", said, re.MULTILINE), name
        assert len(about) < 75
    assert house.said("-h") == said


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_each_help_is_short_and_says_what_it_does(house: House, command: list[str]) -> None:
    said = house.said(*command, "--help")
    assert said.startswith("Usage: ")
    assert len(said.splitlines()) <= 40
    assert len(said.splitlines()[2].strip()) > 15


@pytest.mark.promise("OPS-6")
@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_an_unknown_option_is_wrong_words(house: House, command: list[str]) -> None:
    assert "No such option" in house.said(*command, "--nonsense", code=2)


def test_an_unknown_command_is_wrong_words(house: House) -> None:
    assert "No such command" in house.said("pubish", code=2)


IN_A_HOME = [
    ["publish", "."], ["person", "list"], ["key", "list"], ["key", "create"], ["serve", "--port", "0"], ["find"],
    ["show", "in_1"], ["report"], ["log"], ["proof", "en_1"], ["export", "out"], ["log-key"], ["doctor"],
    ["rotate-keys"],
    ["erase", "--customer", "a", "--reason", "r 1", "--yes"], ["legal-hold", "set", "--customer", "a", "--reason", "r"],
    ["backup", "out"], ["restore", "in"], ["person", "first"], ["check", "."],
]  # fmt: skip


@pytest.mark.promise("OPS-6")
@pytest.mark.parametrize("command", IN_A_HOME, ids=" ".join)
def test_in_a_folder_that_is_no_home_it_says_how_to_start_one(tmp_path: Path, command: list[str]) -> None:
    house = House(tmp_path / "home")
    (house.root / "handrail.yaml").unlink()
    said = house.said(*command, code=1)
    assert "handrail.yaml" in said
    assert not (house.data / "handrail.db").exists()


@pytest.mark.parametrize("command", [["doctor"], ["serve", "--port", "0"], ["find"]], ids=" ".join)
def test_on_a_home_with_mistakes_it_says_which_and_names_the_check(tmp_path: Path, command: list[str]) -> None:
    house = House(tmp_path / "home")
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text().replace("listen: 127.0.0.1:8080", "listen: nowhere"))
    said = house.said(*command, code=1)
    assert '"listen" cannot be "nowhere"' in said
    assert f"handrail check {house.root}" in said


NEEDS_NO_KEK = {"check", "restore", "log-key", "export"}  # or says first that there is nothing to read


@pytest.mark.parametrize("command", [each for each in IN_A_HOME if each[0] not in NEEDS_NO_KEK], ids=" ".join)
def test_without_its_key_encryption_key_it_says_so_and_makes_none(house: House, command: list[str]) -> None:
    (house.data / "kek").unlink()
    said = house.said(*command, code=1)
    assert "key-encryption key" in said
    assert "cp kek .handrail/" in said
    assert "handrail init" not in said
    assert not (house.data / "kek").exists()


def test_a_key_encryption_key_of_the_wrong_length_is_told(house: House) -> None:
    (house.data / "kek").write_bytes(b"short")
    assert "32 bytes" in house.said("key", "list", code=1)


def test_the_keys_of_another_home_are_told(house: House) -> None:
    house.publish()
    (house.data / "kek").write_bytes(bytes(32))
    assert "does not open" in house.said("key", "list", code=1)


def test_a_database_of_another_home_is_told(house: House, tmp_path: Path) -> None:
    house.publish()
    other = House(tmp_path / "other")
    other.publish()
    (house.data / "handrail.db").write_bytes((other.data / "handrail.db").read_bytes())
    assert "does not belong to this database" in house.said("key", "list", code=1)


def test_a_file_that_is_no_database_is_told(house: House) -> None:
    (house.data / "handrail.db").write_bytes(b"no database at all, and long enough to be looked at" * 100)
    said = house.said("key", "list", code=1)
    assert "database" in said


def test_a_newer_database_is_told(house: House) -> None:
    import apsw

    house.publish()
    db = apsw.Connection(str(house.data / "handrail.db"))
    db.execute("INSERT INTO migration VALUES (999, '999_later', 'x', 0)")
    db.close()
    assert "newer handrail" in house.said("key", "list", code=1)
