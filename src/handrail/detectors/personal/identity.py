"""Numbers and dates the state knows a person by: SSN, NINO, date of birth, passport.

Source: SSA, POMS RM 10201.030 (ranges never issued: 000, 666, 9xx; group 00; serial 0000); HMRC NIM39110 (prefixes of
a NINO). Dates and document numbers only where the words beside them say so.
"""

import re

from handrail.detectors.data.dates import DATE, PLAIN_DATE
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_SSN = re.compile(r"(?<![\w\-.#])(\d{3})([\- .])(\d{2})\2(\d{4})(?![\w\-]|\.\d)")
_NINO = re.compile(
    r"(?<![A-Za-z0-9])([A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z])[ \-]?"
    r"\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[A-Da-d](?![A-Za-z0-9])"
)
_NINO_NEVER = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
_DATE = re.compile(DATE)
_PLAIN_DATE = re.compile(PLAIN_DATE)
_DOCUMENT = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d[A-Za-z0-9]*\d[A-Za-z0-9]*\d)[A-Za-z0-9]{6,16}(?![A-Za-z0-9])"
)
_SPACED_DOCUMENT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,3}[ \-]?(?:\d[ \-]?){5,8}\d[A-Za-z]?(?![A-Za-z0-9])")
_BIRTH_ONLY = re.compile(r"\b(?:born|geboren|naci|nasci|nato|nata|urodzil\w*|nacid\w|ne|nee)\b")


def find_ssns(page: Page) -> list[Hit]:
    """SSN in its written form with an issued range."""
    hits: list[Hit] = []
    for match in _SSN.finditer(page.text):
        area, sign, group, serial = match.groups()
        if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
            continue
        label = page.label(*match.span())
        if label is Label.SSN or (sign != "." and label is not Label.OTHER and label is not Label.PHONE):
            hits.append(Hit(Kind.SSN, *match.span(), 0.95, "range"))
    return hits


def find_ninos(page: Page) -> list[Hit]:
    """NINO with a prefix that is given out."""
    return [
        Hit(Kind.NINO, *match.span(), 0.95, "prefix")
        for match in _NINO.finditer(page.text)
        if match.group(1).upper() not in _NINO_NEVER
    ]


def find_dates(page: Page) -> tuple[list[Hit], list[tuple[int, int]]]:
    """DOB where the words say birth, and the spans of all other dates (which are no telephone numbers)."""
    hits: list[Hit] = []
    others: list[tuple[int, int]] = []
    for match in _DATE.finditer(page.low):
        start, end = match.span()
        if page.label(start, end) is Label.DOB:
            hits.append(Hit(Kind.DOB, start, end, 0.95, "named"))
        else:
            others.append((start, end))
    return hits, others


def named_identity(page: Page, number: Number, label: Label) -> Hit | None:
    """SSN and its last digits, DOB without separators, where named."""
    start, end = number.start, number.end
    if not page.alone(start, end):
        return None
    digits = sum(stop - begin for begin, stop in number.groups)
    if label is Label.SSN:
        direct = page.direct_or_behind(start, end) is Label.SSN
        if 9 <= digits <= 15 or (3 <= digits < 9 and direct):
            return Hit(Kind.SSN, start, end, 0.9 if digits in (4, 9) else 0.7, "named")
    if label is Label.DOB and _PLAIN_DATE.fullmatch(page.text, start, end) is not None:
        return Hit(Kind.DOB, start, end, 0.8, "named")
    return None


def find_documents(page: Page) -> list[Hit]:
    """PASSPORT and identity card numbers where named: at least three digits, six characters."""
    hits: list[Hit] = []
    for pattern in (_DOCUMENT, _SPACED_DOCUMENT):
        for match in pattern.finditer(page.text):
            if page.label(*match.span()) is Label.PASSPORT and not any(
                hit.start < match.end() and match.start() < hit.end for hit in hits
            ):
                hits.append(Hit(Kind.PASSPORT, *match.span(), 0.85, "named"))
    return hits


def find_national_ids(page: Page) -> list[Hit]:
    """Letters and digits right behind the name of a national number (DNI, codice fiscale): SSN."""
    return [
        Hit(Kind.SSN, *match.span(), 0.8, "named")
        for match in _DOCUMENT.finditer(page.text)
        if not match.group().isdigit() and page.direct(match.start()) is Label.SSN
    ]
