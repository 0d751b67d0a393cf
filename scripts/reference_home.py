"""Write docs/reference/home.md from the declared fields; `tests/unit/home/test_reference.py` fails when it is old."""

from pathlib import Path

from handrail.home.reference import reference

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "home.md"

if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
