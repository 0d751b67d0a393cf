"""The starter, its schemas, and reading a folder."""

import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes.home import CHAT, ENGINES, HANDRAIL
from ruamel.yaml import YAML

from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.init import init
from handrail.home.read import read
from handrail.home.schema import FILES, schema
from handrail.policy.ruleset import Audience, Mode
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

KEK = bytes(range(32))


@pytest.mark.promise("HOM-10")
def test_the_starter_has_no_mistake_and_compiles(tmp_path: Path) -> None:
    init(tmp_path / "home", kek=KEK)
    text = read(tmp_path / "home")
    assert check(text) == []
    made = compile_home(text)
    assert {case.audience for case in made.ruleset.use_cases.values()} == {Audience.CUSTOMER, Audience.STAFF}
    assert all(case.mode is Mode.OBSERVE for case in made.ruleset.use_cases.values())
    assert set(made.releases) == set(made.ruleset.use_cases)


@pytest.mark.promise("HOM-10")
def test_every_line_commented_out_in_the_starter_is_good_too(tmp_path: Path) -> None:
    """The examples in comments are read as YAML, so that they cannot rot."""
    init(tmp_path, kek=KEK)
    path = tmp_path / "handrail.yaml"
    lines = path.read_text().split("\n")
    examples = (
        "# behind",
        "# public",
        "# tls",
        "#   cert",
        "#   key_file",
        "# keys",
        "#   kek",
        "#   log",
        "# log",
        "#   origin",
    )
    nested = ("  # azure", "  #   ", "  # own-vllm")
    shown = [
        line.replace("# ", "", 1) if line.startswith((*examples, *nested)) and "# api_version" not in line else line
        for line in lines
    ]
    path.write_text("\n".join(shown))
    (tmp_path / "company-ca.pem").write_text("-")
    assert shown != lines
    text = read(tmp_path)
    assert [str(found) for found in check(text)] == []
    assert {"azure", "own-vllm"} <= set(compile_home(text).ruleset.providers)


@pytest.mark.promise("HOM-10")
def test_the_data_folder_is_private_and_not_in_git(tmp_path: Path) -> None:
    started = init(tmp_path, kek=KEK)
    data = tmp_path / ".handrail"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "kek").stat().st_mode) == 0o600
    assert (data / "kek").read_bytes() == KEK
    assert "/.handrail/" in (tmp_path / ".gitignore").read_text().split("\n")
    assert ".handrail/kek" in started.files


def test_a_data_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".handrail").mkdir(mode=0o755)
    (tmp_path / ".handrail").chmod(0o755)
    init(tmp_path, kek=KEK)
    assert stat.S_IMODE((tmp_path / ".handrail").stat().st_mode) == 0o700


def test_a_home_is_never_overwritten(tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    (tmp_path / "handrail.yaml").write_text("organisation: Mine\n")
    with pytest.raises(HandrailError) as caught:
        init(tmp_path, kek=bytes(32))
    assert caught.value.code is Code.ALREADY
    assert (tmp_path / "handrail.yaml").read_text() == "organisation: Mine\n"
    assert (tmp_path / ".handrail" / "kek").read_bytes() == KEK


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    assert ".gitignore" not in init(tmp_path, kek=KEK).files
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


WHERE = {
    "handrail": "handrail.yaml",
    "use-case": "use-cases/*.yaml",
    "tools": "tools/*.yaml",
    "rules": "rules/shop.yaml",
    "cases": "rules/*.test.yaml",
    "trials": "tests/*.yaml",
}


def switch_on(home: Path) -> None:
    """Do what the starter says to have its example of tools and rules."""
    for path in (*home.glob("tools/*.yaml"), *home.glob("rules/*.yaml")):
        lines = path.read_text().split("\n")
        path.write_text("\n".join([*lines[:3], *(line[2:] for line in lines[3:])]))
    chat = home / "use-cases" / "support-chat.yaml"
    chat.write_text(chat.read_text().replace("# tools: [", "tools: [").replace("  # money: {", "  money: {"))


@pytest.mark.promise("HOM-10")
def test_the_starter_s_tools_and_rules_are_off_and_good_when_switched_on(tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    assert compile_home(read(tmp_path)).ruleset.tools == {}
    switch_on(tmp_path)
    made = compile_home(read(tmp_path), ENGINES).ruleset
    assert made.use_cases[UseCaseId("support-chat")].tools == (
        "shop.get_customer",
        "shop.get_order",
        "shop.refund_order",
    )
    assert {rule.id for rule in made.actions.rules} == {"order-read-first", "only-delivered", "large"}


def plain(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


@pytest.mark.promise("HOM-11")
@pytest.mark.parametrize("name", FILES)
def test_the_schema_is_json_schema_and_takes_the_starter(name: str, tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    jsonschema.Draft202012Validator.check_schema(schema(name))
    switch_on(tmp_path)
    files = sorted(tmp_path.glob(WHERE[name]))
    assert files
    for path in files:
        jsonschema.validate(plain(path), schema(name))
        first = path.read_text().split("\n", 1)[0]
        where = first.partition("$schema=")[2]
        assert (path.parent / where).resolve() == (tmp_path / "schemas" / f"{name}.schema.json").resolve()
        assert (path.parent / where).is_file()


@pytest.mark.promise("HOM-11")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("use-case", CHAT.replace("audience: customer", "audience: nobody")),
        ("use-case", CHAT + "langages: [en]\n"),
        ("use-case", CHAT.replace("id: chat", "id: Chat Bot")),
        ("use-case", CHAT + "findings: {input: {CARDS: mask}}\n"),
        ("use-case", CHAT + "budget: {requests: 0}\n"),
        ("handrail", HANDRAIL.replace("OPENAI_API_KEY", "openai-key")),
        ("handrail", HANDRAIL.replace("organisation: Example Shop\n", "")),
    ],
)
def test_the_schema_refuses_what_check_refuses_by_form(name: str, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe", pure=True).load(text), schema(name))


def test_the_schema_takes_an_empty_optional_field() -> None:
    jsonschema.validate(YAML(typ="safe", pure=True).load(CHAT + "budget:\nfindings:\n"), schema("use-case"))


def test_a_file_that_is_not_utf8_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    (tmp_path / "use-cases" / "old.yaml").write_bytes(b"id: old\nname: caf\xe9\n")
    found = check(read(tmp_path))
    assert [(each.file, each.line, each.column, each.code) for each in found] == [
        ("use-cases/old.yaml", 2, 10, "text.encoding")
    ]


def test_a_link_out_of_the_home_is_not_followed(tmp_path: Path) -> None:
    init(tmp_path / "home", kek=KEK)
    (tmp_path / "secret.yaml").write_text("id: stolen\n")
    (tmp_path / "home" / "use-cases" / "x.yaml").symlink_to(tmp_path / "secret.yaml")
    assert [str(each) for each in check(read(tmp_path / "home"))] == [
        "use-cases/x.yaml:0:0: leads out of the home; copy the file into the home"
    ]


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    (tmp_path / "prompts" / "big.md").write_text("x" * ((1 << 20) + 1))
    assert [each.code for each in check(read(tmp_path))] == ["file.unreadable"]


def test_no_folder_is_a_mistake_and_not_a_crash(tmp_path: Path) -> None:
    assert "file.unreadable" in [each.code for each in check(read(tmp_path / "nowhere"))]


def test_reading_a_home_knows_its_use_cases(tmp_path: Path) -> None:
    init(tmp_path, kek=KEK)
    made = compile_home(read(tmp_path))
    assert UseCaseId("support-chat") in made.ruleset.use_cases
