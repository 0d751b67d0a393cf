"""DOB written in words: "born on the twelfth of August nineteen eighty-three", "geboren am dritten Mai 1990".

A month with a day in words before it or a year in words behind, where the words beside it say birth. Dates in figures
are `identity`'s. Source of the words: `data/dates` and `data/numbers`.
"""

import re

from handrail.detectors.data.dates import DATE_JOINERS, MONTHS, ORDINALS, YEAR_WORDS
from handrail.detectors.personal.anchors import Label, words_of
from handrail.detectors.personal.page import Hit, Page
from handrail.detectors.spoken import gate_words
from handrail.terms.finding import Kind

_MONTH = re.compile(rf"(?<![^\W_])(?:{MONTHS})(?![^\W_])")
_MONTHS = frozenset(MONTHS.encode().split(b"|"))
_WORD = re.compile(r"[^\W_]+")
_SAID = re.compile(rf"(?:{ORDINALS}|{YEAR_WORDS})")
_FIGURES = re.compile(r"\d{1,2}(?:st|nd|rd|th|er)?|(?:19|20)\d{2}")
_JOINERS = frozenset(DATE_JOINERS.split("|"))
_GAP = re.compile(r"[ \-,.']{1,3}")
_MOST = 9  # words on one side of the month
_REACH = 60  # characters on either side of it


def may_be_said(page: Page) -> bool:
    """Whether a month stands in the text, and so perhaps a date in words."""
    return not _MONTHS.isdisjoint(words_of(page.low).split())


def find_said(page: Page) -> list[tuple[int, int]]:
    """Dates with a day or year in words, whatever they are of."""
    found: list[tuple[int, int]] = []
    for month in _MONTH.finditer(page.low):
        start, before = _left(page.low, month.start())
        end, behind = _right(page.low, month.end())
        if (before or behind) and start != month.start():
            found.append((start, end))
    return found


def find_births(page: Page) -> list[Hit]:
    """DOB in words, where the words beside it say birth."""
    hits: list[Hit] = []
    wide: Page | None = None
    for start, end in find_said(page):
        if wide is None:
            wide = Page(page.view)  # all of its words: the shared page reads only those around digits
        if wide.label(start, end) is Label.DOB:
            hits.append(Hit(Kind.DOB, start, end, 0.85, "words"))
    return hits


def _said(word: str) -> bool:
    return word in gate_words() or _SAID.fullmatch(word) is not None


def _left(low: str, at: int) -> tuple[int, bool]:
    """Where the day begins, and whether words say it; `at` where none stands there."""
    begin, spoken = at, False
    edge = at
    for match in reversed(list(_WORD.finditer(low, max(0, at - _REACH), at))[-_MOST:]):
        if _GAP.fullmatch(low, match.end(), edge) is None:
            break
        word, edge = match.group(), match.start()
        if _said(word):
            begin, spoken = match.start(), True
        elif _FIGURES.fullmatch(word) is not None:
            begin = match.start()
        elif word not in _JOINERS:
            break
    return begin, spoken


def _right(low: str, at: int) -> tuple[int, bool]:
    """Where the year ends, and whether words say it; `at` where none stands there."""
    end, spoken = at, False
    edge = at
    for match in list(_WORD.finditer(low, at, at + _REACH))[:_MOST]:
        if _GAP.fullmatch(low, edge, match.start()) is None:
            break
        word, edge = match.group(), match.end()
        if _FIGURES.fullmatch(word) is not None:
            end = match.end()
        elif _said(word) and word not in _JOINERS:
            end, spoken = match.end(), True
        elif word not in _JOINERS:
            break
    return end, spoken
