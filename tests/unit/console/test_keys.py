"""One table of keys: no two collide, and each badge of a template has its handler."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import handrail.console
from handrail.console.keys import GLOBAL, Does, Key, checked, shown
from handrail.console.page_files import keys, routes

ROOT = Path(handrail.console.__file__).parent
KEY = Key(name="thing.approve", keys=("a",), label="Approve")


def test_the_table_of_all_pages_holds() -> None:
    checked([*GLOBAL, *keys()])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([KEY, replace(KEY, name="thing.other")], "taken"),
        ([KEY, replace(KEY, keys=("b",))], "two keys have the name"),
        ([replace(KEY, keys=("j",))], "taken"),
        ([replace(KEY, keys=("g",))], "kept"),
        ([replace(KEY, keys=("Alt+a",))], "kept"),
    ],
)
def test_a_key_that_collides_is_refused_at_start(more: list[Key], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked([*GLOBAL, *more])


def test_two_pages_may_use_the_same_key() -> None:
    checked([*GLOBAL, KEY, replace(KEY, name="other.approve")])


@pytest.mark.promise("CON-8")
def test_every_key_of_a_page_has_its_element_in_a_template_and_no_template_names_an_unknown_one() -> None:
    written = "".join(path.read_text() for path in (ROOT / "templates").glob("**/*.html"))
    named = set(re.findall(r'\b(?:act|badge_of)\(\s*"(\w+\.\w+)"', written)) | set(
        re.findall(r'\bkey="(\w+\.\w+)"', written)
    )
    known = {key.name for key in [*GLOBAL, *keys()]}
    assert named <= known, named - known
    assert {key.name for key in keys()} <= named, "a key without an element to act on"


@pytest.mark.promise("CON-8")
def test_app_js_knows_everything_that_a_key_can_do() -> None:
    script = (ROOT / "static" / "app.js").read_text()
    handlers = script.split("const does = {")[1].split("\n};")[0]
    assert {does.value for does in Does} <= set(re.findall(r"^  (\w+): ", handlers, re.MULTILINE))


def test_app_js_listens_to_every_topic_and_makes_no_html_from_text() -> None:
    from handrail.console.live import TOPICS  # beside its test

    script = (ROOT / "static" / "app.js").read_text()
    assert set(re.findall(r'"([a-z_]+)"', script.split("const TOPICS = [")[1].split("]")[0])) == set(TOPICS)
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write", "new Function"):
        assert sink not in script


def test_a_key_to_a_page_is_one_letter_that_no_other_page_has() -> None:
    letters = [row.key for row in routes() if row.key]
    assert all(len(letter) == 1 and letter.isalpha() and letter.islower() for letter in letters)
    assert len(set(letters)) == len(letters)


def test_a_key_is_shown_as_it_stands_on_the_board() -> None:
    assert [shown(key) for key in ("a", "Control+Enter", "Escape", "?")] == ["A", "Ctrl ↵", "Esc", "?"]
