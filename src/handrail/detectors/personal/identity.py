"""Numbers and dates the state knows a person by: SSN, NINO, date of birth, passport.

Source: SSA, POMS RM 10201.030 (ranges never issued: 000, 666, 9xx; group 00; serial 0000); HMRC NIM39110 (prefixes of
a NINO). Dates and document numbers only where the words beside them say so.
"""

import re

from handrail.detectors.data.dates import DATE, PLAIN_DATE
from handrail.detectors.data.links import BEFORE_WORDS
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_SSN = re.compile(r"(?<![\w\-.#])(\d{3})([\- .])(\d{2})\2(\d{4})(?![\w\-]|\.\d)")
_NINO = re.compile(r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z]")
_NINO_FORM = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})[ \-]?\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[A-Da-d](?![A-Za-z0-9])")
_NINO_NEVER = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
_DATE = re.compile(DATE)
_PLAIN_DATE = re.compile(PLAIN_DATE)
_DOCUMENT = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d[A-Za-z0-9]*\d[A-Za-z0-9]*\d)[A-Za-z0-9]{6,16}(?![A-Za-z0-9])"
)
_SPACED_DOCUMENT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,3}[ \-]?(?:\d[ \-]?){5,8}\d[A-Za-z]?(?![A-Za-z0-9])")
_SPACED_ID = re.compile(r"(?<![\w\-])[A-Z0-9]{1,8}(?:[ .\-/][A-Z0-9]{1,8}){1,6}(?![\w\-])")
"""A national number in groups, letters among them: a German insurance number, a codice fiscale."""
_LINKED = re.compile(rf"(?:{'|'.join(BEFORE_WORDS.split())})[ \-]")
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
    """NINO with a prefix that is given out, or any of its form right behind its name."""
    hits: list[Hit] = []
    for match in _NINO_FORM.finditer(page.text):
        prefix = match.group(1).upper()
        if _NINO.match(page.text, match.start()) is not None and prefix not in _NINO_NEVER:
            hits.append(Hit(Kind.NINO, *match.span(), 0.95, "prefix"))
        elif page.label(*match.span()) is Label.NINO:
            hits.append(Hit(Kind.NINO, *match.span(), 0.8, "named"))
    return hits


def find_dates(page: Page) -> tuple[list[Hit], list[tuple[int, int]]]:
    """DOB where the words say birth, and the spans of all other dates (which are no telephone numbers)."""
    hits: list[Hit] = []
    others: list[tuple[int, int]] = []
    for match in _DATE.finditer(page.low):
        start, end = match.span()
        if page.label(start, end) is Label.DOB:
            hits.append(Hit(Kind.DOB, start, end, 0.95, "named"))
        elif _SORT_LIKE.fullmatch(match.group()) is None or _has_month(match.group()):
            others.append((start, end))
    return hits, others


_SORT_LIKE = re.compile(r"\d{2}[\-]\d{2}[\-]\d{2}")


def _has_month(written: str) -> bool:
    """Whether three pairs of digits can be a date: one of the first two is a month. A sort code often has none."""
    first, second, _ = written.split("-")
    return int(first) <= 12 or int(second) <= 12


def named_identity(page: Page, number: Number, label: Label) -> Hit | None:
    """SSN and its last digits, DOB without separators, where named."""
    start, end = number.start, number.end
    if not page.listed(start, end):
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
            if _LINKED.match(page.low, match.start()) is not None:
                continue  # "is 2270": the word is no part of the number
            if page.label(*match.span()) is Label.PASSPORT and not any(
                hit.start < match.end() and match.start() < hit.end for hit in hits
            ):
                hits.append(Hit(Kind.PASSPORT, *match.span(), 0.85, "named"))
    return hits


def find_national_ids(page: Page) -> list[Hit]:
    """Letters and digits right behind the name of a national number (DNI, codice fiscale): SSN."""
    hits = [
        Hit(Kind.SSN, *match.span(), 0.8, "named")
        for match in _DOCUMENT.finditer(page.text)
        if not match.group().isdigit() and page.direct(match.start()) is Label.SSN
    ]
    for match in _SPACED_ID.finditer(page.text):
        signs = [sign for sign in match.group() if sign.isalnum()]
        digits = sum(sign.isdigit() for sign in signs)
        if 8 <= len(signs) <= 16 and 4 <= digits < len(signs) and page.direct(match.start()) is Label.SSN:
            hits.append(Hit(Kind.SSN, *match.span(), 0.8, "named"))
    return hits
