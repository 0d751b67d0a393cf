"""The reference page says what the declarations say."""

from pathlib import Path

import pytest

from handrail.guard.screen import WANTED
from handrail.home.defaults import LOOKED_FOR
from handrail.home.fields import HomeFile, UseCaseFile
from handrail.home.reference import reference
from handrail.policy.evaluate import Side
from handrail.terms.finding import Kind, Role

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "home.md"


@pytest.mark.promise("HOM-11")
def test_the_page_is_as_new_as_the_fields() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: .venv/bin/python scripts/reference_home.py"


@pytest.mark.parametrize("declared", [HomeFile, UseCaseFile])
def test_every_field_has_a_row(declared: type) -> None:
    page = reference()
    for name in declared.__struct_fields__:  # type: ignore[attr-defined]  # both are Structs
        assert f"| `{name}` |" in page


def test_every_kind_that_is_looked_for_has_its_default_actions() -> None:
    looked_for = frozenset().union(*LOOKED_FOR.values())
    for kind in Kind:
        assert (f"| `{kind.value}`" in reference()) == (kind in looked_for)
    assert set(Kind) - looked_for == {Kind.UNREADABLE, Kind.UNSCREENED}


def test_what_a_home_may_rule_on_is_what_the_guard_looks_for() -> None:
    input_, output = Side.INPUT, Side.OUTPUT
    assert LOOKED_FOR["input"] == WANTED[input_, Role.USER] | WANTED[input_, Role.ASSISTANT] | {Kind.UNSEEN_PROMPT}
    assert LOOKED_FOR["sources"] == WANTED[input_, Role.TOOL] | WANTED[input_, Role.DOCUMENT]
    assert LOOKED_FOR["answers"] == WANTED[output, Role.ASSISTANT]
