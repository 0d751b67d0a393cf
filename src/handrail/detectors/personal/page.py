"""One text laid out for the finders: folded, in lower case without accents, its numbers and the words that name them."""

import re
from functools import cached_property
from typing import NamedTuple

from handrail.detectors.normalise import View, unaccent
from handrail.detectors.personal.anchors import AFTER, BEFORE, Anchor, Label, find_anchors
from handrail.terms.finding import Kind


class Hit(NamedTuple):
    """A finding in the coordinates of a view."""

    kind: Kind
    start: int
    end: int
    score: float
    reason: str


class Number(NamedTuple):
    """Groups of digits with light separators between them, such as `4111 1111-1111 1111`. `groups`: (start, end)."""

    start: int
    end: int
    groups: tuple[tuple[int, int], ...]


_NUMBER = re.compile(r"\d+(?:(?:[ \t\-./_()]|\r?\n){1,3}\d+)*")
_GROUP = re.compile(r"\d+")
_BREAK = re.compile(r"[.!?;\n](?:\s|$)|[!?;\n]")

LINK = re.compile(
    r"[\s:=\-#.,'\"(]*(?:(?:is|it|its|s|are|was|no|nr|num|number|nummer|numero|numer|the|new|old|current|and|to|for|ist|war|lautet|"
    r"die|der|das|meine|est|c|le|la|les|mon|ma|es|el|mi|con|e|il|lo|mia|o|a|meu|minha|do|da|mijn|van|het|jest|moj|moja|"
    r"sort|code|full|i|think|ending|starts|with|my|of|last|four|4|digits|letzten|vier|ziffern|on|id|bank|in|de|di|d)"
    r"\b[\s:=\-#.,'\"(]*)*"
)
"""What may stand between a name and its value without changing what the value is."""


class Page:
    """`text`: the view's text. `low`: the same characters in lower case without accents. `sides`: whether the words
    after a number may name it."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.text = view.text

    @cached_property
    def low(self) -> str:
        return unaccent(self.text)

    @cached_property
    def anchors(self) -> list[Anchor]:
        return find_anchors(self.low)

    @cached_property
    def numbers(self) -> list[Number]:
        return [
            Number(
                match.start(), match.end(), tuple(group.span() for group in _GROUP.finditer(self.text, *match.span()))
            )
            for match in _NUMBER.finditer(self.text)
        ]

    def direct(self, start: int) -> Label | None:
        """The anchor right before `start` with only linking words between ("is", "number", ":")."""
        for anchor in reversed(self.anchors):
            if anchor.end <= start:
                if start - anchor.end > BEFORE:
                    return None
                if LINK.fullmatch(self.low, anchor.end, start) is None:
                    return None
                if anchor.label is not Label.NUMBER:
                    return anchor.label
        return None

    def label(self, start: int, end: int) -> Label | None:
        """What the nearest words call the characters `start` to `end`: those before, else those after in the same
        sentence."""
        best: Anchor | None = None
        after: Anchor | None = None
        for anchor in self.anchors:
            if anchor.end <= start:
                if start - anchor.end <= BEFORE:
                    best = self._nearer(best, anchor, start)
            elif anchor.start >= end:
                after = anchor
                break
        if best is not None and not self._broken(best.end, start):
            return best.label
        if after is not None and after.start - end <= AFTER and _BREAK.search(self.text, end, after.start) is None:
            between = self.text[end : after.start]
            if not any(letter.isdigit() for letter in between):
                return after.label
        return best.label if best is not None else None

    def _nearer(self, best: Anchor | None, anchor: Anchor, start: int) -> Anchor:
        """The later anchor, unless it only says "number" right behind one that says whose."""
        if best is not None and anchor.label is Label.NUMBER and anchor.start - best.end <= 6:
            return best
        return anchor

    def _broken(self, end: int, start: int) -> bool:
        return _BREAK.search(self.text, end, start) is not None and ":" not in self.text[end:start]

    def named_before(self, start: int, reach: int = BEFORE) -> Label | None:
        """The nearest anchor before `start`, whatever lies between."""
        found: Label | None = None
        for anchor in self.anchors:
            if anchor.end > start:
                break
            if start - anchor.end <= reach:
                found = anchor.label
        return found

    def alone(self, start: int, end: int) -> bool:
        """No letter, digit or joining sign touches the span: it is not part of a longer code."""
        text = self.text
        if start and (text[start - 1].isalnum() or text[start - 1] in "_#"):
            return False
        if start > 1 and text[start - 1] in "-/.," and text[start - 2].isalnum():
            return False
        if end < len(text) and (text[end].isalnum() or text[end] == "_"):
            return False
        return not (end + 1 < len(text) and text[end] in "-/.@:," and text[end + 1].isalnum())
