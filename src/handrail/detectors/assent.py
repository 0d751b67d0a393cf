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

_MARKS = str.maketrans({"？": "?", "؟": "?", "’": "'"})


class Heard(NamedTuple):
    """`yes`, `no`, `wait`: cues of the text. `asks`: it puts a question. `everything`: it speaks of all there is, or
    asks whether there is more."""

    yes: bool = False
    no: bool = False
    wait: bool = False
    asks: bool = False
    everything: bool = False


class Assent:
    """Reads replies. Build once with `assent_reader()`."""

    def __init__(self, cues: Cues) -> None:
        self._cues = cues

    def hear(self, text: str) -> Heard:
        """Linear in the text."""
        plain = fold(text).translate(_MARKS)
        return Heard(
            yes=self._yes.search(plain) is not None,
            no=self._no.search(self._not_no.sub(" ", plain)) is not None,
            wait=self._wait.search(plain) is not None,
            asks="?" in plain,
            everything=self._everything.search(plain) is not None,
        )

    def plain(self, text: str) -> str:
        """Lower case without accents and disguises, spoken numbers as digits."""
        folded = fold(text).translate(_MARKS)
        spoken = digits_view(View(folded))
        return unaccent(spoken.text) if spoken is not None else folded

    def _pattern(self, family: str) -> "re2._Regexp":
        options = re2.Options()
        options.log_errors = False
        return re2.compile(self._cues.terms(family), options)

    @cached_property
    def _yes(self) -> "re2._Regexp":
        return self._pattern("yes")

    @cached_property
    def _no(self) -> "re2._Regexp":
        return self._pattern("no")

    @cached_property
    def _not_no(self) -> "re2._Regexp":
        return self._pattern("not_no")

    @cached_property
    def _wait(self) -> "re2._Regexp":
        return self._pattern("wait")

    @cached_property
    def _everything(self) -> "re2._Regexp":
        return self._pattern("everything")


def assent_reader() -> Assent:
    """The reader with the shipped families."""
    return Assent(load("assent.toml"))
