"""The members of a line of `policy run`: which it has, which are misspelt, which are somebody else's; pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from handrail.home.questions import Question

LABELS = "labels"
"""The declared place for what a line carries for other tools; never read."""
MEMBERS = ("id", *Question.__struct_fields__, LABELS)


def question_of(row: Any) -> tuple[Question, tuple[str, ...]]:
    """The question, and the names of members that are none of ours. Raises ValueError naming a member that looks
    misspelt, or what cannot be read (msgspec.ValidationError)."""
    if not isinstance(row, Mapping):
        return msgspec.convert(row, Question), ()
    foreign = tuple([name for name in row if name not in MEMBERS])
    for name in foreign:
        meant = _meant(name)
        if meant:
            raise ValueError(
                f'a line has no member "{name}"; did you mean "{meant}"? What is yours goes below "{LABELS}"'
            )
    asked = {name: value for name, value in row.items() if name in Question.__struct_fields__}
    return msgspec.convert(asked, Question), foreign


def _meant(name: str) -> str:
    """The member of at least four letters that is at most two edits away, or begins like this; else empty."""
    low = name.lower().replace("-", "_")
    for known in MEMBERS:
        near = 1 if len(known) < 7 else 2
        begins = len(low) >= 3 and known.startswith(low)
        if low == known or begins or (len(known) >= 4 and _edits(low, known) <= near):
            return known
    return ""


def _edits(one: str, other: str) -> int:
    """Levenshtein's distance, with two neighbours in the wrong order as one edit."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        above, before_above, before = row, before, row
        row = [at]
        for to, wanted in enumerate(other, 1):
            cost = min(above[to] + 1, row[to - 1] + 1, above[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == wanted:
                cost = min(cost, before_above[to - 2] + 1)
            row.append(cost)
    return row[-1]
