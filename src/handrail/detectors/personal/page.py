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
_BREAK = re.compile(r"[.!?;](?:\s|$)|[!?;\n]")
_LIST_GAP = 6
"""Characters between two numbers of one name: "call 020 7946 0001 or 020 7946 0002"."""

_LINK_WORDS = (
    "is it its s are was no nr num number nummer numero numer the new old current and to for ist war lautet die der das "
    "meine est c le la les mon ma es el mi con e il lo mia o a meu minha do da mijn van het jest moj moja sort code full "
    "i think starts with my of last four 4 digits letzten vier ziffern on id bank in de di d mich me mi ok yes sure"
)
LINK = re.compile(
    r"(?:\.(?=[ \d]))?[ \t:=\-#,'\"(?]*(?::\s*\n)?[ \t]*(?:(?:"
    + "|".join(_LINK_WORDS.split())
    + r")(?![^\W_])\.?[ \t:=\-#,'\"(?]*(?::\s*\n\s*)?)*"
)
"""What may stand between a name and its value without changing what the value is."""

AFTER_WORDS = (
    "is it its it's this that that's was are my our the his her their new old current for as ist das mein meine unser unsere die der est c'est "
    "c mon ma le la notre es mi nuestro el mio mia il e o a meu minha mijn het de dat to jest moj moja s thats also number"
)
AFTER_LINK = re.compile(r"(?:[ \t,:\-(]*(?:" + "|".join(AFTER_WORDS.split()) + r")(?![^\W_]))*[ \t,:\-(]*")
"""What may stand between a value and its name behind it: "0170 1234567 ist meine Nummer"."""


class Page:
    """`text`: the view's text. `low`: the same characters in lower case without accents. `sides`: whether the words
    after a number may name it."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.text = view.text
        self._direct: dict[int, Label | None] = {}

    @cached_property
    def low(self) -> str:
        return unaccent(self.text)

    @cached_property
    def anchors(self) -> list[Anchor]:
        return find_anchors(self.low)

    @cached_property
    def lines(self) -> list[Number]:
        """The numbers, cut where a line ends: only a card may go on in the next line."""
        parts: list[Number] = []
        for number in self.numbers:
            if "\n" not in self.text[number.start : number.end]:
                parts.append(number)
                continue
            groups: list[tuple[int, int]] = []
            for group in number.groups:
                if groups and "\n" in self.text[groups[-1][1] : group[0]]:
                    parts.append(Number(groups[0][0], groups[-1][1], tuple(groups)))
                    groups = []
                groups.append(group)
            parts.append(Number(groups[0][0], groups[-1][1], tuple(groups)))
        return parts

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
        if start not in self._direct:
            self._direct[start] = self._linked(start)
        return self._direct[start]

    def _linked(self, start: int) -> Label | None:
        for anchor in reversed(self.anchors):
            if anchor.end <= start:
                if start - anchor.end > BEFORE or not self._joined(anchor, start):
                    return None
                if anchor.label is not Label.NUMBER:
                    return anchor.label
        return None

    def _joined(self, anchor: Anchor, start: int) -> bool:
        """Only linking words between; a full stop only behind a short form ("tel. 0170")."""
        if self.low[anchor.end : anchor.end + 1] == "." and anchor.end - anchor.start > 5:
            return False
        return LINK.fullmatch(self.low, anchor.end, start) is not None

    def label(self, start: int, end: int) -> Label | None:
        """What the words beside the characters `start` to `end` call them: words right before, else words right after
        ("is my mobile"), else the nearest before in the same sentence with no other number between."""
        best: Anchor | None = None
        nearest: Anchor | None = None
        after: Anchor | None = None
        for anchor in self.anchors:
            if anchor.end <= start:
                if start - anchor.end <= BEFORE:
                    best = self._nearer(best, anchor)
                    nearest = anchor
            elif anchor.start >= end:
                after = anchor
                break
        if nearest is not None and best is not None and self._joined(nearest, start):
            return best.label
        if (
            after is not None
            and after.start - end <= AFTER
            and AFTER_LINK.fullmatch(self.low, end, after.start) is not None
        ):
            return after.label
        if best is None or _BREAK.search(self.text, best.end, start) is not None:
            return None
        last = max((match.end() for match in _GROUP.finditer(self.text, best.end, start)), default=None)
        return best.label if last is None or start - last <= _LIST_GAP else None

    def _nearer(self, best: Anchor | None, anchor: Anchor) -> Anchor:
        """The later anchor, unless it only says "number" right behind one that says whose."""
        if (
            best is not None
            and anchor.label is Label.NUMBER
            and anchor.start - best.end <= 6
            and _BREAK.search(self.text, best.end, anchor.start) is None
        ):
            return best
        return anchor

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
