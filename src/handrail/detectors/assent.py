"""What a reply says to a proposal: yes, no, wait, a question; and whether somebody spoke of everything. Pure.

Word families in eight languages (`data/assent.toml`). It reads the words only; whether the yes fits the action, its
object and its values is `policy.consent`'s. When it cannot tell, it hears nothing, and nothing agrees to nothing.
"""

from functools import cached_property
from typing import NamedTuple

import re2

from handrail.detectors.cues import Cues, fold, load
from handrail.detectors.normalise import View, unaccent
from handrail.detectors.spoken import digits_view

_FAMILIES = ("yes", "wait", "everything", "cannot")
_TAKEN_BACK = ("no", "not_no", "compare", "not_compare")
_MARKS = str.maketrans({"？": "?", "؟": "?", "’": "'"})


class Heard(NamedTuple):
    """`yes`, `no`, `wait`: cues of the text. `asks`: it puts a question. `everything`: it speaks of all there is, or
    asks whether there is more. `cannot`: something cannot be done. `compares`: it chooses by comparison."""

    yes: bool = False
    no: bool = False
    wait: bool = False
    asks: bool = False
    everything: bool = False
    cannot: bool = False
    compares: bool = False


class Assent:
    """Reads replies. Build once with `assent_reader()`."""

    def __init__(self, cues: Cues) -> None:
        self._cues = cues

    def hear(self, text: str) -> Heard:
        """Linear in the text."""
        plain = fold(text).translate(_MARKS)
        found = {family: self._patterns[family].search(plain) is not None for family in _FAMILIES}
        declines = self._patterns["no"].search(self._patterns["not_no"].sub(" ", plain)) is not None
        compares = self._patterns["compare"].search(self._patterns["not_compare"].sub(" ", plain)) is not None
        return Heard(
            yes=found["yes"],
            no=declines,
            wait=found["wait"],
            asks="?" in plain,
            everything=found["everything"],
            cannot=found["cannot"],
            compares=compares,
        )

    def plain(self, text: str) -> str:
        """Lower case without accents and disguises, spoken numbers as digits."""
        folded = fold(text).translate(_MARKS)
        spoken = digits_view(View(folded))
        return unaccent(spoken.text) if spoken is not None else folded

    @cached_property
    def _patterns(self) -> "dict[str, re2._Regexp]":
        options = re2.Options()
        options.log_errors = False
        return {name: re2.compile(self._cues.terms(name), options) for name in (*_FAMILIES, *_TAKEN_BACK)}


def assent_reader() -> Assent:
    """The reader with the shipped families."""
    return Assent(load("assent.toml"))
