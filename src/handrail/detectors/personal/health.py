"""HEALTH: a sentence in which somebody says that they, or somebody of theirs, are ill, pregnant or under treatment.

A word of illness alone is no finding: the sentence must also say whose it is and that it is so.
"""

import re

from handrail.detectors.data.health import CONDITIONS, NOT_OWN, OWN, STATED
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

CONDITION = "(?:" + CONDITIONS.replace("\n", "") + ")"
_CONDITION = re.compile(r"(?<!\w)" + CONDITION)
_OWN = frozenset(OWN.replace("\n", "").split("|"))
_STATED = frozenset(STATED.replace("\n", "").split("|"))
_NOT_OWN = re.compile(NOT_OWN)
_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"[.!?;\n]+(?:\s|$)|\n")


def find_health(page: Page) -> list[Hit]:
    """The sentences that state a condition of somebody of their own."""
    hits: list[Hit] = []
    low = page.low
    for match in _CONDITION.finditer(low):
        if hits and match.start() < hits[-1].end:
            continue
        start, end = _sentence(low, match.start(), match.end())
        before = _WORD.findall(low, start, match.start())
        words = set(before) | {match.group()}
        if _OWN.isdisjoint(before) or _STATED.isdisjoint(words) or _NOT_OWN.search(low, start, end) is not None:
            continue
        if end > start:
            hits.append(Hit(Kind.HEALTH, start, end, 0.7, "stated"))
    return hits


def _sentence(low: str, start: int, end: int) -> tuple[int, int]:
    first = 0
    for stop in _SENTENCE_END.finditer(low, 0, start):
        first = stop.end()
    last = _SENTENCE_END.search(low, end)
    stop_at = last.start() if last is not None else len(low)
    while first < start and low[first].isspace():
        first += 1
    while stop_at > end and low[stop_at - 1].isspace():
        stop_at -= 1
    return first, stop_at
