"""A message that is nothing but a number, or a name and a number: the answer to "what is your ...?".

In a chat such a turn gives an identifier; which one only the question before it says. Long numbers show their kind
(telephone, card), short ones count as ACCOUNT with a low score. Only whole messages of a user.
"""

import re

from handrail.detectors.data.persons import NOT_NAMES
from handrail.detectors.data.replies import AROUND, UNITS
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_OTHER_WORDS = UNITS | NOT_NAMES
_LONGEST = 60
_NAMES = 3
_VALUE = re.compile(r"(?<![\w.,:/$€£#\-])\d(?:[ \-]?\d)*(?![\w%$€£]|[.,:/\-]\d)")
_SCIENTIFIC = re.compile(r"(?<![\w.])\d{1,4}(?:\.\d{1,6})? ?e ?\+?(1[2-8])(?![\w.])")
_WORD = re.compile(r"[^\W\d_]+")
_YEAR = re.compile(r"(?:19|20)\d\d")


def find_replies(page: Page) -> list[Hit]:
    """CARD, PHONE or ACCOUNT for a bare number; nothing when any word says something else."""
    low = page.low.strip()
    if not low or len(page.text) > _LONGEST or "\n" in low:
        return []
    scientific = [Hit(Kind.CARD, *match.span(), 0.6, "scientific") for match in _SCIENTIFIC.finditer(page.low)]
    if scientific:
        return scientific
    words = _WORD.findall(low)
    others = [word for word in words if word not in AROUND]
    if len(others) > _NAMES or any(word in _OTHER_WORDS or len(word) == 1 for word in others) or page.anchors:
        return []
    hits: list[Hit] = []
    for match in _VALUE.finditer(page.low):
        kind = _kind(match.group())
        if kind is not None:
            hits.append(Hit(kind, *match.span(), 0.5, "reply"))
    return hits if len(hits) <= 2 else []


def _kind(value: str) -> Kind | None:
    digits = "".join(letter for letter in value if letter.isdigit())
    if len(digits) < 4 or _YEAR.fullmatch(digits) is not None or not digits.strip("0"):
        return None
    if 10 <= len(digits) <= 11:
        return Kind.PHONE
    if 15 <= len(digits) <= 16:
        return Kind.CARD
    return Kind.ACCOUNT if len(digits) <= 19 else None
