"""The reference page says what the declarations say."""

from pathlib import Path

import pytest

from handrail.home.fields import HomeFile, UseCaseFile
from handrail.home.reference import reference
from handrail.terms.finding import Kind

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "home.md"


@pytest.mark.promise("HOM-11")
def test_the_page_is_as_new_as_the_fields() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: .venv/bin/python scripts/reference_home.py"


@pytest.mark.parametrize("declared", [HomeFile, UseCaseFile])
def test_every_field_has_a_row(declared: type) -> None:
    page = reference()
    for name in declared.__struct_fields__:  # type: ignore[attr-defined]  # both are Structs
        assert f"| `{name}` |" in page


def test_every_kind_has_its_default_actions() -> None:
    for kind in Kind:
        assert f"| `{kind.value}`" in reference()
