"""Promises both ways: each has a test, each test's promise exists, no id twice."""

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def rows(section: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted((ROOT / "docs" / "promises").glob("*.toml")):
        found += tomllib.loads(path.read_text()).get(section, [])
    return found


def promised() -> set[str]:
    return {row["id"] for row in rows("promise")}


def shown() -> dict[str, list[str]]:
    """Promise id to the places of `pytest.mark.promise("ID")`, read from the source so that no test need run."""
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "promise":
                for arg in node.args:
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
                        places.setdefault(arg.value, []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return places


@pytest.mark.promise("FRM-1")
def test_every_promise_has_a_test() -> None:
    assert promised() - shown().keys() == set()


def test_every_test_names_a_promise_that_exists() -> None:
    assert {name: where for name, where in shown().items() if name not in promised()} == {}


def test_no_id_is_used_twice() -> None:
    counts = Counter(row["id"] for row in [*rows("promise"), *rows("gap")])
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("row", rows("promise"), ids=lambda row: row["id"])
def test_a_promise_says_what_and_why(row: dict[str, str]) -> None:
    assert row["text"].strip()
    assert row["source"].strip()


@pytest.mark.parametrize("row", rows("gap"), ids=lambda row: row["id"])
def test_a_gap_says_what_and_why(row: dict[str, str]) -> None:
    assert row["text"].strip()
    assert row["why"].strip()
