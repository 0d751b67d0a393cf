"""A mistake in the home folder: where it is, what is wrong, what was expected, and how to mend it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """`file`: relative to the home, with `/`. `line` and `column` start at 1; 0 = the file as a whole."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """`code`: stable, `area.what`, for tools and tests. `message` never repeats a value that may be a secret."""

    file: str
    line: int
    column: int
    code: str
    message: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """One line as editors and compilers write it: `file:line:column: message; expected …; hint`."""
        parts = [self.message]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        return f"{self.file}:{self.line}:{self.column}: {'; '.join(parts)}"


def mistake(place: Place, code: str, message: str, *, expected: str = "", hint: str = "") -> Mistake:
    return Mistake(place.file, place.line, place.column, code, message, expected, hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the closest known word, or empty."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not near:
        lowered = {name.lower(): name for name in names}
        near = [lowered[name] for name in difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)]
    return f'did you mean "{near[0]}"?' if near else ""
