"""A message that is nothing but a number, or a name and a number: the answer to "what is your ...?".

In a chat such a turn gives an identifier; which one only the question before it says. The kind is the likeliest for the
form, and the reason names the form: 10 or 11 digits a telephone, 15 or 16 a card, 9 a national number, 5 or 6 a
postcode, any other length an account. Guesses are kinds that can be restored; the one exception is a single token that
is built like a password. Only whole messages of a user.
"""

import re

from handrail.detectors.data.persons import NOT_NAMES
from handrail.detectors.data.replies import AROUND, SET_PHRASES, UNITS
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_OTHER_WORDS = UNITS | NOT_NAMES
_LONGEST = 60
_NAMES = 3
_VALUE = re.compile(r"(?<![\w.,:/$€£#\-])\d(?:[ \-]?\d)*(?![\w%$€£]|[.,:/\-]\d)")
_SCIENTIFIC = re.compile(r"(?<![\w.])\d{1,4}(?:\.\d{1,6})? ?e ?\+?(1[2-8])(?![\w.])")
_WORD = re.compile(r"[^\W\d_]+")
_SSN = re.compile(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}")  # ranges the US gives out
_TOKEN = re.compile(r"[\w!@#$%^&*?~.\-]{6,40}", re.ASCII)
_SIGN = re.compile(r"\w(?:[!@^*~]|[$%&](?!\d))(?=[\w!@^*~$%&])|[a-z]\d{2,}!$|\d[a-z]+[!@]$", re.ASCII)
_YEAR = re.compile(r"19\d\d|20[0-4]\d")
_SET_PHRASES = re.compile(SET_PHRASES)


def find_replies(page: Page) -> list[Hit]:
    """CARD, PHONE or ACCOUNT for a bare number; nothing when any word says something else."""
    low = page.low.strip()
    if not low or len(page.text) > _LONGEST or "\n" in low:
        return []
    scientific = [Hit(Kind.CARD, *match.span(), 0.6, "scientific") for match in _SCIENTIFIC.finditer(page.low)]
    if scientific:
        return scientific
    if _password(page.text.strip()):
        start = page.text.index(page.text.strip())
        return [Hit(Kind.PASSWORD, start, start + len(page.text.strip()), 0.6, "reply_token")]
    words = _WORD.findall(_SET_PHRASES.sub(" ", low))
    others = [word for word in words if word not in AROUND]
    named = any(anchor.label is not Label.NUMBER for anchor in page.anchors)
    if named or len(others) > _NAMES or any(word in _OTHER_WORDS or len(word) == 1 for word in others):
        return []
    hits: list[Hit] = []
    for match in _VALUE.finditer(page.low):
        digits = "".join(letter for letter in match.group() if letter.isdigit())
        kind = _kind(digits, alone=not others)
        if kind is not None:
            hits.append(Hit(kind, *match.span(), 0.5, f"reply_{len(digits)}_digits"))
    return hits if len(hits) <= 2 else []


def _password(message: str) -> bool:
    """One token built the way passwords are: letters, digits and a sign between them; not an address, an amount or the
    number of something (`order#12345`)."""
    return (
        _TOKEN.fullmatch(message) is not None
        and any(map(str.isalpha, message))
        and any(map(str.isdigit, message))
        and _SIGN.search(message) is not None
        and not ("@" in message and "." in message.partition("@")[2])
    )


def _kind(digits: str, *, alone: bool) -> Kind | None:
    size = len(digits)
    if size < 4 or _YEAR.fullmatch(digits) is not None or not digits.strip("0"):
        return None
    if size in (5, 6):
        return Kind.POSTCODE
    if size == 9 and alone and _SSN.fullmatch(digits) is not None:
        return Kind.SSN
    if 10 <= size <= 11:
        return Kind.PHONE
    if 15 <= size <= 16:
        return Kind.CARD
    return Kind.ACCOUNT if size <= 19 else None
