"""What a reply says to a proposal: yes, no, wait, a question; and whether somebody spoke of everything. Pure.

Word families in eight languages (`data/assent.toml`). It reads the words only; whether the yes fits the action, its
object and its values is `policy.consent`'s. A word of yes counts in a clause that does not deny it ("absolutely not",
"nicht einverstanden" are a no), does not ask ("are you sure?") unless it begins with a plain yes ("yes, can you do
it?"), and does not make a condition of it ("if that is correct"). When it cannot tell, it hears nothing, and nothing
agrees to nothing.
"""

from functools import cached_property
from typing import NamedTuple

import re2

from handrail.detectors.cues import Cues, fold, load
from handrail.detectors.normalise import View, normalise, unaccent
from handrail.detectors.spoken import digits_view

_FAMILIES = ("wait", "everything", "cannot")
_CLAUSES = ("yes", "plain_yes", "lone_yes", "deny", "if", "unsure")
_TAKEN_BACK = ("no", "not_no", "compare", "not_compare")
_MARKS = str.maketrans({"？": "?", "؟": "?", "’": "'", "！": "!", "。": "."})
_DASHES = str.maketrans({"\u2014": " - ", "\u2015": " - "})
"""A dash between two thoughts joins no code to the next word."""
_CLAUSE = re2.compile(r"[^.!?;\n]+[.!?;\n]*")
_FOLLOWS = re2.compile(r"^\s*(?:$|[,.!:)]|please\b|por favor\b|bitte\b|gern|graag\b|per favore\b|prosze\b)")
_ACCENTED = frozenset({"sí", "sì"})
"""A yes by its accent, wherever it stands."""
"""What may stand after a yes that begins a question, or that is a common word in another language."""
_NEAR = 24
"""Letters before a yes, in the same part of a sentence, in which a word denies it."""


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
        accented = normalise(text).text.translate(_MARKS)
        plain = unaccent(accented)
        found = {family: self._patterns[family].search(plain) is not None for family in _FAMILIES}
        settled = self._patterns["not_no"].sub(_blank, plain)
        yes, denied = self._agrees(settled, accented.lower())
        compares = self._patterns["compare"].search(self._patterns["not_compare"].sub(" ", plain)) is not None
        return Heard(
            yes=yes,
            no=denied or self._patterns["no"].search(settled) is not None,
            wait=found["wait"],
            asks="?" in plain,
            everything=found["everything"],
            cannot=found["cannot"],
            compares=compares,
        )

    def _agrees(self, plain: str, accented: str) -> tuple[bool, bool]:
        """Whether a clause says yes, and whether one denies it."""
        yes = denied = False
        if self._patterns["yes"].search(plain) is None:
            return yes, denied
        for clause in _CLAUSE.finditer(plain):
            said, refused = self._clause(clause.group(), accented[clause.start() : clause.end()])
            yes, denied = yes or said, denied or refused
        return yes, denied

    def _clause(self, clause: str, accented: str) -> tuple[bool, bool]:
        patterns = self._patterns
        begun = len(clause) - len(clause.lstrip(" \t\"'¿¡-"))
        if "?" in clause:
            plain = patterns["plain_yes"].match(clause[begun:])
            asked = plain is None or _FOLLOWS.search(clause[begun + plain.end() :]) is None
            return not asked and any(sign.isalnum() for sign in clause[begun + (plain.end() if plain else 0) :]), False
        yes = denied = False
        for match in patterns["yes"].finditer(clause):
            before, after = clause[: match.start()].rpartition(",")[2], clause[match.end() :]
            if patterns["deny"].search(before[-_NEAR:]) or patterns["deny_behind"].match(after):
                denied = denied or patterns["unsure"].fullmatch(match.group()) is None
            elif patterns["lone_yes"].fullmatch(match.group().strip(" ,")):
                alone = match.start() == begun and _FOLLOWS.search(after.lstrip()) is not None
                yes = yes or alone or accented[match.start() : match.end()].strip(" ,") in _ACCENTED
            elif patterns["if"].search(before) is None:
                yes = True
        return yes, denied

    def plain(self, text: str) -> str:
        """Lower case without accents and disguises, spoken numbers as digits."""
        folded = fold(text.translate(_DASHES)).translate(_MARKS)
        spoken = digits_view(View(folded))
        return unaccent(spoken.text) if spoken is not None else folded

    @cached_property
    def _patterns(self) -> "dict[str, re2._Regexp]":
        options = re2.Options()
        options.log_errors = False
        names = (*_FAMILIES, *_TAKEN_BACK, *_CLAUSES)
        patterns = {name: re2.compile(self._cues.terms(name), options) for name in names}
        behind = rf"(?:\s+|,?\s+(?:que|che|ze)\s+){self._cues.terms('deny')}"
        patterns["deny_behind"] = re2.compile(behind, options)
        return patterns


def _blank(match: "re2._Match[str]") -> str:
    """As many blanks, so that places stay."""
    return " " * len(str(match.group()))


def assent_reader() -> Assent:
    """The reader with the shipped families."""
    return Assent(load("assent.toml"))
