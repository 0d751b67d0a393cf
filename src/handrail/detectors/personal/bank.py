"""Bank accounts: IBAN by mod 97 and the length of its country, UK sort code with account, US routing with account,
and an account number the text calls one.

Source: ISO 13616-1 (IBAN, mod 97 of ISO 7064); the ABA check sum 3-7-1 (aba.com, routing numbers).
"""

import re
from functools import lru_cache
from string import ascii_letters

from handrail.detectors.data.ibans import IBAN_LENGTHS
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])(?:([A-Z]{2})[ \-]?|([A-Za-z]{2}))\d[ \-]?\d(?=[ \-.]?[A-Za-z0-9])")
_SORT_CODE = re.compile(r"\d{2}([ \-]?)\d{2}\1\d{2}")
_SORT_AND_ACCOUNT = re.compile(r"(?<![\w\-])(\d{2}([ \-])\d{2}\2\d{2})[\s,/;|]{1,3}(\d{8})(?![\w\-])")
_ABA_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7, 1)


def find_ibans(page: Page) -> list[Hit]:
    """IBAN; one that fails mod 97 only right behind the word IBAN."""
    hits: list[Hit] = []
    text = page.text
    for match in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(match.group()[:2].upper())
        if length is None:
            continue
        found = _collect(text, match.start(), length)
        if found is None:
            continue
        body, end = found
        if _mod97(body) == 1:
            hits.append(Hit(Kind.IBAN, match.start(), end, 0.99, "mod97"))
        elif "iban" in page.low[max(0, match.start() - 16) : match.start()]:
            hits.append(Hit(Kind.IBAN, match.start(), end, 0.7, "named"))
    return hits


def _collect(text: str, start: int, length: int) -> tuple[str, int] | None:
    """`length` letters and digits from `start`, single separators allowed, nothing alphanumeric right behind."""
    match = _body(length).match(text, start)
    if match is None or text[match.end() : match.end() + 1].isalnum():
        return None
    body = match.group().translate(_JOINTS)
    return (body, match.end()) if sum(map(str.isdigit, body)) * 2 >= length else None


@lru_cache(maxsize=64)
def _body(length: int) -> re.Pattern[str]:
    """So many letters and digits, with at most two separators between them."""
    return re.compile(rf"(?:[0-9A-Za-z][ \-.\n\t]{{0,2}}+){{{length - 1}}}[0-9A-Za-z]")


_JOINTS = dict.fromkeys(map(ord, " -.\n\t"))
_VALUES = {ord(letter): str(int(letter, 36)) for letter in f"0123456789{ascii_letters}"}


def _mod97(iban: str) -> int:
    rearranged = iban[4:] + iban[:4]
    try:
        return int(rearranged.translate(_VALUES)) % 97
    except ValueError:
        return 0


_SORT_NAMED = re.compile(r"(?<!\w)sort(?: code)?(?: is|:)? (\d{2}([ \-])\d{2}\2\d{2})(?![\w\-])")
_LETTERED = re.compile(r"(?<![\w\-])(?=[0-9A-Z]*[A-Z])(?=(?:[A-Z]*\d){6})[0-9A-Z]{8,14}(?![\w\-])")


def find_lettered_accounts(page: Page) -> list[Hit]:
    """An account with a letter or three among its digits, right behind its name: a RIB, some customer accounts."""
    return [
        Hit(Kind.ACCOUNT, *match.span(), 0.8, "named")
        for match in _LETTERED.finditer(page.text)
        if sum(letter.isalpha() for letter in match.group()) <= 3 and page.direct(match.start()) is Label.ACCOUNT
    ]


def find_sort_codes(page: Page) -> list[Hit]:
    """A UK sort code and an 8-digit account side by side, or a sort code by its short name."""
    hits = [Hit(Kind.ACCOUNT, *match.span(1), 0.9, "sort_code") for match in _SORT_NAMED.finditer(page.low)]
    for match in _SORT_AND_ACCOUNT.finditer(page.text):
        if page.label(match.start(), match.end()) is not Label.OTHER:
            hits.append(Hit(Kind.ACCOUNT, match.start(), match.end(), 0.9, "sort_code"))
    return hits


def named_account(page: Page, number: Number) -> Hit | None:
    """A number the nearest words call an account, a sort code or a routing number."""
    start, end = number.start, number.end
    if not page.listed(start, end):
        return None
    digits = "".join(page.text[begin:stop] for begin, stop in number.groups)
    direct = page.direct_or_behind(start, end) is Label.ACCOUNT
    if len(digits) == 9 and aba(digits):
        return Hit(Kind.ACCOUNT, start, end, 0.95, "aba")
    if _SORT_CODE.fullmatch(page.text, start, end) is not None and len(digits) == 6:
        return Hit(Kind.ACCOUNT, start, end, 0.9, "sort_code") if direct or "-" in page.text[start:end] else None
    if 6 <= len(digits) <= 26 and not _amount(page, start, end):
        return Hit(Kind.ACCOUNT, start, end, 0.85, "named")
    if 4 <= len(digits) < 6 and direct and not _amount(page, start, end):
        year = len(digits) == 4 and digits[:2] in ("19", "20") and "in" in page.low[max(0, start - 4) : start].split()
        return None if year else Hit(Kind.ACCOUNT, start, end, 0.7, "named_short")
    return None


def _amount(page: Page, start: int, end: int) -> bool:
    text = page.text
    return (start > 0 and text[start - 1] in "$€£¥") or re.match(
        r"[ ]?(?:[$€£¥%]|eur|usd|gbp|zl|pln|brl|dollars?|euros?|pounds?)\b|[ ]?[$€£%]", page.low[end : end + 9]
    ) is not None


def aba(digits: str) -> bool:
    """The check sum of a US routing number and its federal reserve range."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ABA_WEIGHTS, strict=True))
    prefix = int(digits[:2])
    return total % 10 == 0 and (1 <= prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80)
