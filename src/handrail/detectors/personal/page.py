"""One text laid out for the finders: folded, lower case without accents, its numbers and the words that name them."""

import re
from bisect import bisect_right
from typing import NamedTuple

from handrail.detectors.data.links import AFTER_WORDS, BEFORE_WORDS, IS_WORDS
from handrail.detectors.normalise import View, unaccent, without_accents
from handrail.detectors.personal.anchors import AFTER, BEFORE, CODES, Anchor, Label, find_anchors, may_name, words_of
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


_NUMBER = re.compile(r"[0-9]+(?:(?!\. )[ \t\-/_().\r\n]{1,3}[0-9]+)*")
_UNCLEAR = Label.NUMBER
SHORTEST_UNNAMED = 6
"""Characters of the shortest value that nothing needs to name, a telephone."""
_LEAST = 3  # digits of the shortest value, a card's code
_GROUP = re.compile(r"[0-9]+")
_BREAK = re.compile(r"[.!?;](?:\s|$)|[!?;\n]")
_SHORT_FORM = 5  # letters of a name that a full stop may follow ("tel. 0170")
_OWNER_REACH = 16
"""Characters between whose number it is and the word "number": "my ID card has the number"."""
_PLAIN = re.compile(r"[a-z ]+")
_LAST_DIGIT = re.compile(r"\d(?!.*\d)", re.DOTALL)
_LIST_GAP = 6
"""Characters between two numbers of one name: "call 020 7946 0001 or 020 7946 0002"."""

_LIST_BEFORE = re.compile(
    r"(?<!\d)(\d[\d \-]*)[ \t\r]*[,;.:|/]?\s*(?:(?:and|und|or|oder|et|ou|y|e|o|en|of|i|lub)\s)?"
    r"(?:[^\w\s]|\d{1,2}[.)])?[ \t]*\Z"
)
"""Numbers of a list, up to where the next begins."""
_BESIDE_LEFT = re.compile(r"(?:[^\W\d],|\d[\d \-.()]{5,}[,:/])\Z")
_BESIDE_RIGHT = re.compile(r",[^\W\d]|[,:/]\(?\d[\d \-.()]{5,}")
_BESIDE = 16  # characters of the value beside

_LINK_WORDS = frozenset(BEFORE_WORDS.split())
"""What may stand between a name and its value without changing what the value is."""

_AFTER_WORDS = frozenset(AFTER_WORDS.replace("'", " ").split())
"""What may stand between a value and its name behind it: "0170 1234567 ist meine Nummer"."""
_IS_WORDS = frozenset(IS_WORDS.replace("'", " ").split())
_WHOLE_SIZES = CODES | {Label.CARD: (12, 19), Label.ACCOUNT: (6, 26), Label.SSN: (9, 15)}
"""Digits of a value that is too long for an amount or a count that happens to stand before the name."""
_APART = re.compile(r"[,:\-]")
_PAUSE = re.compile(r"[,;.\n]")
_SHORT = frozenset({"n", "no", "nr", "num", "tel", "ph", "mob", "acct", "ref"})
_WORDS = re.compile(r"[^\W_]+")
_BEFORE_STOP = re.compile(r"[^\w \t:=\-#.,'\"(?]|_")
_AFTER_STOP = re.compile(r"[^\w \t,:\-(']|_")


def _links_before(gap: str) -> bool:
    """Whether only linking words stand in the gap between a name and its value."""
    if gap == " ":
        return True
    if _BEFORE_STOP.search(gap) is not None and _BEFORE_STOP.search(gap.replace(":\n", ":")) is not None:
        return False
    words = _WORDS.findall(gap)
    if not _LINK_WORDS.issuperset(words):
        return False
    dot = gap.find(".", 1)
    return dot < 0 or all(piece.split()[-1:] and piece.split()[-1] in _SHORT for piece in gap.split(".")[:-1] if piece)


def _links_after(gap: str) -> bool:
    return _AFTER_STOP.search(gap) is None and _AFTER_WORDS.issuperset(_WORDS.findall(gap))


def _groups(text: str, start: int, end: int) -> tuple[tuple[int, int], ...]:
    return tuple([group.span() for group in _GROUP.finditer(text, start, end)])


_DIGITS = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_NAMES_REACH = 96
"""Characters before a digit in which words may name it: `BEFORE`, the longest phrase, and whose number it is."""
_NAMES_BEHIND = AFTER + 1


class Page:
    """`text`: the view's text. `plain`: the same characters without accents. `low`: in lower case too. `wide`: the
    words that name a value without digits are wanted as well (passwords, e-mail), so all of the text is read. `long`:
    there may be a number of `SHORTEST_UNNAMED` characters or more."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.text = view.text
        self.plain = without_accents(view.text)
        low = self.plain.lower()
        self.low = low if len(low) == len(self.text) else unaccent(view.text)
        self.wide = self.long = True
        self._anchors: list[Anchor] | None = None
        self._ends: list[int] | None = None
        self._marks: bytes | None = None
        self._words: tuple[int, bytes] | None = None
        self._numbers: list[Number] | None = None
        self._direct: dict[int, Label | None] = {}

    @property
    def anchors(self) -> list[Anchor]:
        if self._anchors is None:
            self._anchors = find_anchors(self.low, *self._near)
        return self._anchors

    @property
    def bare(self) -> bool:
        """Whether every number is short and nothing near one may name it: an order number, a time, a quantity."""
        if self.long and any(number.end - number.start >= SHORTEST_UNNAMED for number in self.numbers):
            return False
        return not may_name(self._near[1])

    @property
    def _near(self) -> tuple[int, bytes]:
        """Where the part of the text begins whose words may name something, and its words."""
        if self._words is None:
            start, stop = self._around_digits()
            self._words = start, words_of(self.low, start, stop)
        return self._words

    def _around_digits(self) -> tuple[int, int]:
        size = len(self.low)
        if self.wide or size <= _NAMES_REACH:
            return 0, size
        marks = self.marks
        first = marks.find(b"0") - _NAMES_REACH
        last = self.low.find(" ", marks.rfind(b"0") + _NAMES_BEHIND)
        return (self.low.rfind(" ", 0, first) + 1 if first > 0 else 0), (last if last >= 0 else size)

    @property
    def marks(self) -> bytes:
        """One octet for each character: `0` for an ASCII digit, a blank for the rest."""
        if self._marks is None:
            self._marks = self.text.encode("latin-1", "replace").translate(_DIGITS)
        return self._marks

    @property
    def numbers(self) -> list[Number]:
        if self._numbers is None:
            text, marks = self.text, self.marks
            self._numbers = []
            start = marks.find(b"0")
            while start >= 0:
                match = _NUMBER.match(text, start)
                end = match.end() if match is not None else start + 1
                if end - start >= _LEAST:
                    groups = ((start, end),) if text[start:end].isdigit() else _groups(text, start, end)
                    self._numbers.append(Number(start, end, groups))
                start = marks.find(b"0", end)
        return self._numbers

    @property
    def lines(self) -> list[Number]:
        """The numbers, cut where a line ends: only a card may go on in the next line."""
        if "\n" not in self.text:
            return self.numbers
        parts: list[Number] = []
        for number in self.numbers:
            groups: list[tuple[int, int]] = []
            for group in number.groups:
                if groups and "\n" in self.text[groups[-1][1] : group[0]]:
                    parts.append(Number(groups[0][0], groups[-1][1], tuple(groups)))
                    groups = []
                groups.append(group)
            parts.append(Number(groups[0][0], groups[-1][1], tuple(groups)))
        return parts

    def direct(self, start: int) -> Label | None:
        """The anchor right before `start` with only linking words between ("is", "number", ":")."""
        if start not in self._direct:
            self._direct[start] = self._linked(start)
        return self._direct[start]

    def _linked(self, start: int) -> Label | None:
        for place in range(self._before(start) - 1, -1, -1):
            anchor = self.anchors[place]
            if start - anchor.end > BEFORE or not self._joined(anchor, start):
                return None
            if anchor.label is not _UNCLEAR:
                return anchor.label
        return None

    def _before(self, start: int) -> int:
        """How many anchors end before `start`."""
        if self._ends is None:
            self._ends = [anchor.end for anchor in self.anchors]
        return bisect_right(self._ends, start)

    def _joined(self, anchor: Anchor, start: int) -> bool:
        """Only linking words between; a full stop only behind a short form ("tel. 0170")."""
        if self.low[anchor.end : anchor.end + 1] == "." and not self._short(anchor):
            return False
        return _links_before(self.low[anchor.end : start])

    def label(self, start: int, end: int) -> Label | None:
        """What the words beside the characters `start` to `end` call them: words right before, else words right after
        ("is my mobile"), else the nearest before in the same sentence with no other number between."""
        anchors = self.anchors
        if not anchors:
            return None
        count = self._before(start)
        best: Label | None = None
        gap = ""
        if count:
            near = anchors[count - 1]
            if start - near.end <= BEFORE:
                best = near.label
                if best is _UNCLEAR and count > 1:
                    best = self._owner(anchors[count - 2], near)
                gap = self.low[near.end : start]
                if (gap[:1] != "." or self._short(near)) and _links_before(gap):
                    return self._rather_behind(start, end, count) or best
        behind = self._behind(start, end, count)
        if behind is not None:
            return behind
        if best is None:
            return None
        if _BREAK.search(gap) is not None:
            return best if self._goes_on(gap, start, end) else None
        last = _LAST_DIGIT.search(gap)
        return best if last is None or len(gap) - last.end() <= _LIST_GAP else None

    def _goes_on(self, gap: str, start: int, end: int) -> bool:
        """Whether the number goes on with a list: over each break only signs, between numbers of as many digits, which
        may be several side by side."""
        digits = self.marks.count(b"0", start, end)
        while _BREAK.search(gap) is not None:
            before = _LIST_BEFORE.search(gap)
            many = 0 if before is None else sum(map(str.isdigit, before.group(1)))
            if before is None or max(many, digits) % min(many, digits):
                return False
            gap = gap[: before.start()]
        return True

    def direct_or_behind(self, start: int, end: int) -> Label | None:
        """The name right before the characters `start` to `end`, else right behind: "4556 is the account number"."""
        place = self._before(start)
        return self._rather_behind(start, end, place) or self.direct(start) or self._behind(start, end, place)

    def _rather_behind(self, start: int, end: int, place: int) -> Label | None:
        """The name behind, where the one before belongs to the number before it: "4556 is the pin, 123 is the cvv"."""
        if not place:
            return None
        name = self.anchors[place - 1]
        if "," not in self.low[name.end : start]:
            return None
        digit = self.marks.rfind(b"0", max(0, name.start - AFTER), name.start) + 1
        gap = self.low[digit : name.start]
        taken = digit > 0 and _links_after(gap) and _APART.search(gap) is None
        return self._behind(start, end, place) if taken else None

    def _behind(self, start: int, end: int, place: int) -> Label | None:
        """The anchor at `place`, when only linking words stand between `end` and it."""
        if place >= len(self.anchors):
            return None
        after = self.anchors[place]
        linked = 0 <= after.start - end <= AFTER and _links_after(self.low[end : after.start])
        return after.label if linked and self._names_back(start, end, after) else None

    def _names_back(self, start: int, end: int, name: Anchor) -> bool:
        """Whether the name is that of the number before it although another may follow ("84318931431, pin 3941"): the
        sentence says so ("123 is the cvv, 12/27 the expiry date"), or it is long enough and no sign stands between. A
        code may never rest, so its name means both numbers: "123, my cvc 415"."""
        digit = self.marks.find(b"0", name.end, name.end + BEFORE)
        if digit < 0 or not _links_before(self.low[name.end : digit]):
            return True
        gap = self.low[end : name.start]
        apart = _APART.search(gap) is not None
        told = not _IS_WORDS.isdisjoint(_WORDS.findall(gap)) or _PAUSE.search(self.low, name.end, digit) is not None
        if told and not apart:
            return True
        least, most = _WHOLE_SIZES.get(name.label, (0, -1))
        return (name.label in CODES or not apart) and least <= self.marks.count(b"0", start, end) <= most

    def _short(self, anchor: Anchor) -> bool:
        """Whether the name ends in a short form, which a full stop may follow: "tel.", "Ausweisnr."."""
        name = self.low[anchor.start : anchor.end]
        return len(name.rpartition(" ")[2]) <= _SHORT_FORM or name.endswith("nr")

    def _owner(self, before: Anchor, near: Anchor) -> Label:
        """ "Number" right behind a word that says whose number takes that word's label."""
        gap = self.low[before.end : near.start]
        plain = len(gap) <= _OWNER_REACH and _PLAIN.fullmatch(gap) is not None and _links_before(gap)
        if plain or (len(gap) <= 6 and _BREAK.search(gap) is None):
            return before.label
        return near.label

    def named_before(self, start: int, reach: int = BEFORE) -> Label | None:
        """The nearest anchor before `start`, whatever lies between."""
        count = self._before(start)
        near = self.anchors[count - 1] if count else None
        return near.label if near is not None and start - near.end <= reach else None

    def alone(self, start: int, end: int) -> bool:
        """No letter, digit or joining sign touches the span: it is not part of a longer code."""
        return self.begins(start) and self.ends(end)

    def listed(self, start: int, end: int) -> bool:
        """`alone`, where a comma, colon or slash may part the span from another value as long as a telephone: a list
        without blanks, and no amount or path."""
        if self.alone(start, end):
            return True
        left = self.begins(start) or _BESIDE_LEFT.search(self.text, max(0, start - _BESIDE), start) is not None
        return left and (self.ends(end) or _BESIDE_RIGHT.match(self.text, end) is not None)

    def begins(self, start: int) -> bool:
        """Nothing touches the character `start` from the left."""
        text = self.text
        if start and (text[start - 1].isalnum() or text[start - 1] in "_#"):
            return False
        return not (start > 1 and text[start - 1] in "-/.," and text[start - 2].isalnum())

    def ends(self, end: int) -> bool:
        """Nothing touches the characters before `end` from the right."""
        text = self.text
        if end < len(text) and (text[end].isalnum() or text[end] == "_"):
            return False
        return not (end + 1 < len(text) and text[end] in "-/.@:," and text[end + 1].isalnum())
