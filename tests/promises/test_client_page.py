"""The client's page names every call, and its Python is Python."""

import ast
import re
from pathlib import Path

from handrail_client import Handrail

PAGE = (Path(__file__).parents[2] / "clients" / "python" / "README.md").read_text()


def test_every_call_of_the_client_stands_on_its_page() -> None:
    calls = {name for name in vars(Handrail) if not name.startswith("_")}
    assert {name for name in calls if f"`{name}(" not in PAGE and f"Handrail.{name}" not in PAGE} == set()


def test_what_the_page_calls_exists() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        ast.parse(block)
    for name in re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE):
        assert callable(getattr(Handrail, name))
