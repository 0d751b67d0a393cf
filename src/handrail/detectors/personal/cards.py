"""Payment cards: numbers that pass Luhn with an issuer's prefix and length, and numbers the text calls a card.

Never inside a longer run of digits, so IMEI, ICCID and tracking numbers stay alone; a card may be followed by its
expiry and security code. Source: ISO/IEC 7812-1 annex B (Luhn).
"""

import re
from collections.abc import Iterator

from handrail.detectors.data.issuers import ISSUERS, RARE
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_INSIDE = re.compile(r"[ \-.\t]{1,3}|[ \t]?\r?\n[ \t]?")
_EXPIRY = re.compile(r"(?:0?[1-9]|1[0-2])(?:[ /\-.]{0,3})(?:20)?[2-4]\d")
_AFTER_CARD = re.compile(
    r"[\s,;.]*(?:and|exp\w*|valid\w*|until|thru|date|gultig|bis|ablauf\w*|caduca|vence|scad\w*|validade|geldig|tot|wazna|do|"
    r"\s|[:,;.\-])*(?:0?[1-9]|1[0-2])[ /\-.]{0,3}(?:20)?[2-4]\d[\s,;.\-]{1,3}(\d{3,4})(?![\w/.\-]*\d)"
)
_LISTED_BEHIND = re.compile(r"(?:[^\W0]|\w0),\Z")
_LISTED_BEFORE = re.compile(r"[,:](?!\d{1,2}(?![\d/\-]))\w")
"""A comma between two values of a list; not the sign of a fraction: "0,4111", "4111,50"."""
_ENDING = re.compile(
    r"(?:last|final|letzten?|dernier\w*|ultim\w*|laatste|ostatni\w*)\s+(?:4|four|vier|quatre|cuatro|quattro|quatro|cztery)"
)
_REST = 64
"""Characters behind a card in which an expiry and a code may stand, however they are set apart."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether the check digit of ISO/IEC 7812-1 holds and the number is not one digit repeated."""
    if len(set(digits)) == 1:
        return False
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0


def _prefixes(rows: tuple[tuple[str, str, tuple[int, ...]], ...]) -> dict[str, frozenset[int]]:
    """Every prefix of the ranges with the lengths of its cards."""
    lengths: dict[str, frozenset[int]] = {}
    for first, last, sizes in rows:
        for value in range(int(first), int(last) + 1):
            prefix = str(value).zfill(len(first))
            lengths[prefix] = lengths.get(prefix, frozenset()) | frozenset(sizes)
    return lengths


_ISSUED, _RARE = _prefixes(ISSUERS), _prefixes(RARE)
_NONE: frozenset[int] = frozenset()


def _issued(digits: str, prefixes: dict[str, frozenset[int]]) -> bool:
    return any(len(digits) in prefixes.get(digits[:size], _NONE) for size in (1, 2, 3, 4, 6))


def _shaped(sizes: tuple[int, ...]) -> bool:
    """Whether people group card numbers like this."""
    if len(sizes) == 1 or sizes in ((4, 6, 5), (4, 6, 4), (6, 13), (8, 8), (6, 10), (4, 5, 6)):
        return True
    if sum(sizes) == 15 and sizes == (4, 4, 4, 3):
        return True
    return all(size == sizes[0] for size in sizes[:-1]) and sizes[-1] <= sizes[0] and sizes[0] in (1, 2, 4, 5)


def find_cards(page: Page) -> list[Hit]:
    """CARD by Luhn, with the CVV that follows an expiry date."""
    hits: list[Hit] = []
    for number in page.numbers:
        if number.end - number.start < 12:
            continue
        found = _cards(page, number)
        hits += found
        for hit in found:
            code = _AFTER_CARD.match(page.low, hit.end)
            if code is not None and all(other.end <= code.start(1) or code.end(1) <= other.start for other in found):
                hits.append(Hit(Kind.CVV, code.start(1), code.end(1), 0.9, "after_card"))
    return hits


_GAP = r"(?P<gap>[^0-9A-Za-z]{1,8})"
_ALONE = r"(?<![0-9A-Za-z].)"
"""Behind the first digit: no letter or digit before it. The digit comes first, so that the rest is skipped fast."""
_PARTED = (
    re.compile(rf"[0-9]{_ALONE}[0-9]{{3}}{_GAP}[0-9]{{4}}(?P=gap)[0-9]{{4}}(?P=gap)[0-9]{{4}}(?![0-9A-Za-z])"),
    re.compile(rf"3{_ALONE}[0-9]{{3}}{_GAP}[0-9]{{6}}(?P=gap)[0-9]{{5}}(?![0-9A-Za-z])"),
    re.compile(rf"[0-9]{_ALONE}{_GAP}[0-9](?:(?P=gap)[0-9]){{11,17}}(?![0-9A-Za-z])"),
)
"""A card whose groups stand apart by one sign or more, each time the same."""
_LISTS = re.compile(r"[,;:|\n]|\A\s+\Z")
"""Signs that part the values of a list or a table as well."""
LEAST_DIGITS = 12
_LONG = re.compile(r"\d{13,19}(?![a-z0-9])")
_NAME_BEFORE = re.compile(
    r"(?<![a-z0-9])(?:(?:credit|debit|kredit|bank)?(?:card|karte|kaart)|visa|mastercard|amex|cc|pan|carte|tarjeta|carta|cartao|"
    r"karta|karten)[ _\-]?(?:no|nr|num|number|nummer|numero)?\.?\Z"
)
_NAME_LONGEST = 32  # characters
_RUN = b"0" * 13
"""The shortest number of `find_glued`, in `Page.marks`."""
_TRACK = re.compile(r"(?:b(\d{13,19})\^[^\^?]{2,26}\^|(?<![a-z0-9])(\d{13,19})=)(\d{7,40})")
"""A magnetic stripe as a reader types it, ISO/IEC 7813: the number, and what stands behind it, which may never rest."""


def find_glued(page: Page) -> list[Hit]:
    """CARD by Luhn where nothing parts it from the word before, and magnetic stripes."""
    hits: list[Hit] = []
    if _RUN not in page.marks and page.text.isascii():
        return hits
    low = page.low
    for match in _LONG.finditer(low):
        start, end = match.span()
        named = _NAME_BEFORE.search(low, max(0, start - _NAME_LONGEST), start) is not None
        if named and _issued(match.group(), _ISSUED) and luhn(match.group()):
            hits.append(Hit(Kind.CARD, start, end, 0.95, "luhn_named"))
    for match in _TRACK.finditer(low) if "^" in low or "=" in low else ():
        number = 1 if match[1] else 2
        if luhn(match[number]):
            hits.append(Hit(Kind.CARD, match.start(number), match.end(number), 0.99, "luhn"))
            hits.append(Hit(Kind.CVV, match.start(3), match.end(3), 0.95, "track"))
    return hits


def find_parted(page: Page) -> list[Hit]:
    """CARD by Luhn where its groups stand apart by other signs than those of one number: `**4111** **1111** ...`. Where
    the signs are those of a list, only what is called a card."""
    hits: list[Hit] = []
    for pattern in _PARTED:
        for match in pattern.finditer(page.text):
            gap = match["gap"]
            digits = "".join(filter(str.isdigit, match.group()))
            if (
                (_INSIDE.fullmatch(gap) is not None and gap[:2] != ". ")
                or not _issued(digits, _ISSUED)
                or not luhn(digits)
            ):
                continue
            start, end = match.span()
            after = end + len(gap)
            more = page.text[end:after] == gap and page.text[after : after + 1].isdigit()
            listed = more or _LISTS.search(gap) is not None
            if not listed or page.label(start, end) is Label.CARD:
                hits.append(Hit(Kind.CARD, start, end, 0.95, "luhn_parted"))
    return hits


def _cards(page: Page, number: Number) -> list[Hit]:
    """The cards of a run, one behind the other. Behind a card, any group may begin the next."""
    sizes = tuple([end - start for start, end in number.groups])
    hits: list[Hit] = []
    first = 0
    while first < len(sizes):
        found = None
        if hits or not first or _own(page.text, number.groups, first, sizes):
            found = _card(page, number, first, sizes, behind=bool(hits))
        if found is not None:
            hits.append(found[0])
        first = first + 1 if found is None else found[1]
    return hits


def _card(page: Page, number: Number, first: int, sizes: tuple[int, ...], *, behind: bool) -> tuple[Hit, int] | None:
    """The card that begins at the group `first`, and the group behind it. `behind`: another card stands before it."""
    start = number.groups[first][0]
    for after, issued in _numbered(page.text, number, first, sizes):
        end = number.groups[after - 1][1]
        if not _free(page, number, first, after, sizes, behind=behind):
            continue
        if issued and (sum(sizes[first:after]) == 16 or page.direct(start) is not Label.OTHER):
            return Hit(Kind.CARD, start, end, 0.99, "luhn"), after
        if not issued and page.label(start, end) is Label.CARD:
            return Hit(Kind.CARD, start, end, 0.95, "luhn_named"), after
    return None


def _numbered(text: str, number: Number, first: int, sizes: tuple[int, ...]) -> Iterator[tuple[int, bool]]:
    """Behind which groups a card number that begins at the group `first` may end, and whether its issuer is common."""
    groups = number.groups
    digits = ""
    for last in range(first, len(groups)):
        if last > first and not _joined(text, groups[last - 1][1], groups[last][0]):
            return
        digits += text[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            return
        if len(digits) < 12 or not _shaped(sizes[first : last + 1]):
            continue
        issued = _issued(digits, _ISSUED)
        if (issued or _issued(digits, _RARE)) and luhn(digits):
            yield last + 1, issued


def _alone(page: Page, start: int, end: int, *, behind: bool) -> bool:
    """`Page.alone`, where a comma or a colon may part the values of a list; so many digits are no amount."""
    begins = behind or page.begins(start) or _numbered_card(page, start)
    begins = begins or _LISTED_BEHIND.search(page.text, max(0, start - 3), start) is not None
    return begins and (page.ends(end) or _LISTED_BEFORE.match(page.text, end) is not None)


def _joined(text: str, end: int, start: int) -> bool:
    """Whether two groups may belong to one card."""
    return (start - end == 1 and text[end] in " -.") or _INSIDE.fullmatch(text, end, start) is not None


def _own(text: str, groups: tuple[tuple[int, int], ...], first: int, sizes: tuple[int, ...]) -> bool:
    """Whether a card may begin at a later group: a long group of its own, or after a line break or a comma."""
    before = text[groups[first - 1][1] : groups[first][0]]
    return sizes[first] >= 13 or "," in before or ("\n" in before and _line_ends(text, groups, first, sizes))


def _line_ends(text: str, groups: tuple[tuple[int, int], ...], first: int, sizes: tuple[int, ...]) -> bool:
    """Whether the line before held a number of its own, not one group of a card split over lines."""
    return sizes[first - 1] != sizes[first] or (
        first > 1 and "\n" not in text[groups[first - 2][1] : groups[first - 1][0]]
    )


def _free(page: Page, number: Number, first: int, after: int, sizes: tuple[int, ...], *, behind: bool) -> bool:
    """Whether the rest of the run is something else: nothing, a long group before, an expiry, code or card after."""
    groups = number.groups
    start, end = groups[first][0], groups[after - 1][1]
    text = page.text
    if start and (text[start - 1].isalpha() or text[start - 1] in "_#") and not _numbered_card(page, start):
        return False
    if start > 1 and text[start - 1] in "-." and text[start - 2].isalnum() and first == 0:
        return False
    if after == len(groups):
        ends = end < len(text) and text[end] in ".-:@" and not text[end : end + 2].isalnum()
        return ends or _alone(page, start, end, behind=behind)
    between = text[end : groups[after][0]]
    if behind or after - first == 1 or "\n" in between or "/" in between:
        return True
    tail = text[groups[after][0] : min(number.end, end + _REST)].split("\n", 1)[0]
    if _EXPIRY.match(tail) is not None or sum(map(str.isdigit, tail)) in (3, 10, 11):
        return True
    code = sizes[after] in (3, 4) and after + 1 < len(sizes)
    return _begins_card(text, number, after, sizes) or (code and _begins_card(text, number, after + 1, sizes))


def _numbered_card(page: Page, start: int) -> bool:
    """Whether the sign before is that of the card's number: "card #4111 1111 1111 1111"."""
    return start > 0 and page.text[start - 1] == "#" and page.direct(start) is Label.CARD


def _begins_card(text: str, number: Number, first: int, sizes: tuple[int, ...]) -> bool:
    return any(issued for _, issued in _numbered(text, number, first, sizes))


def named_card(page: Page, number: Number) -> Hit | None:
    """A number right behind "card number is" that does not pass Luhn, or only its first digits."""
    start, end = number.start, number.end
    digits = sum(stop - begin for begin, stop in number.groups)
    if not page.alone(start, end):
        return None
    if 12 <= digits <= 19:
        return Hit(Kind.CARD, start, end, 0.7, "named")
    if 4 <= digits < 12 and page.direct(start) is Label.CARD and "." not in page.text[start:end]:
        before = page.low[max(0, start - 40) : start]
        year = digits == 4 and page.text[start:end][:2] in ("19", "20")
        if _ENDING.search(before) is None and not year and _EXPIRY.fullmatch(page.text[start:end]) is None:
            return Hit(Kind.CARD, start, end, 0.5, "partial")
    return None
