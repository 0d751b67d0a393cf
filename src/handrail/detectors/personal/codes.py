"""What opens an account or pays: CVV, PIN, one-time codes, passwords. Only where named; none of these may ever rest.

Source: PCI DSS 4.0.1 requirement 3.3.1 (CVV, PIN).
"""

import re

from handrail.detectors.data.codes import CLAUSE, LINKS, NOT_A_VALUE
from handrail.detectors.personal.anchors import CODES, Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_TOKEN = re.compile(r"\S+")
_TRIM = "\"'`<>()[]{},;"
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9\-]*\d)(?:[A-Za-z]-)?[A-Za-z0-9]{2,6}-?[A-Za-z0-9]{2,6}(?![A-Za-z0-9])"
)
_SPELLED = re.compile(r"[a-z\d](?: [a-z\d]{1,3}){2,12}(?![^\W_])")
"""A value typed or said character by character: "1 g 2 g"."""
_LOGIN = re.compile(
    r"\b(?:user ?name|user|login|name|benutzername|benutzer|utilisateur|identifiant|usuario|utente|gebruikersnaam)\b"
)
"""Words that begin a pair of a name and a password: "user anna password kitten"."""
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(Kind)})(?:_[A-Z2-7]{{8}})?\]")
"""What `detectors.mask` put there: "my password is [PASSWORD]" names no password any more."""
_KINDS = {Label.CVV: Kind.CVV, Label.PIN: Kind.PIN, Label.OTP: Kind.OTP}


def named_code(page: Page, number: Number, label: Label) -> Hit | None:
    """CVV, PIN or OTP: a number of its length that the nearest words name."""
    start, end = number.start, number.end
    digits = sum(stop - begin for begin, stop in number.groups)
    low, high = CODES[label]
    if not page.alone(start, end) or "," in page.text[start:end] or "/" in page.text[start:end]:
        return None
    if low <= digits <= high:
        return Hit(_KINDS[label], start, end, 0.9, "named")
    return None


_GLUED = re.compile(r"(?<![a-z0-9])(?:(cv[vc]2?)|(pin)|(otp))-?(\d{3,10})(?![a-z0-9]|[.\-]\w)")
_GLUED_LABELS = (Label.CVV, Label.PIN, Label.OTP)


def find_glued(page: Page) -> list[Hit]:
    """CVV, PIN or OTP where nothing but a dash parts it from its name: "cvv123"."""
    hits: list[Hit] = []
    for match in _GLUED.finditer(page.low):
        label = next(label for label, name in zip(_GLUED_LABELS, match.groups()[:3], strict=True) if name)
        low, high = CODES[label]
        if low <= len(match[4]) <= high:
            hits.append(Hit(_KINDS[label], match.start(4), match.end(4), 0.9, "named"))
    return hits


def find_letter_codes(page: Page) -> list[Hit]:
    """OTP with letters (`G-482913`, `AB12CD`) right behind its name."""
    return [
        Hit(Kind.OTP, *match.span(), 0.8, "named")
        for match in _CODE.finditer(page.text)
        if not match.group().isdigit() and page.direct(match.start()) is Label.OTP
    ]


def find_passwords(page: Page) -> list[Hit]:
    """PASSWORD: the value behind "password is", "password:", or a value with digits right behind the word."""
    hits: list[Hit] = []
    for anchor in page.anchors:
        if anchor.label is Label.PASSWORD:
            span = _value(page, anchor.end)
            if span is not None:
                hits.append(Hit(Kind.PASSWORD, *span, 0.85, "named"))
    return hits


_CLAUSE = re.compile(rf"{CLAUSE}(?=,? (?:is|was|ist|war|est|es|era|e|to|jest|:)[ :]|:)")
"""Whose or which password, between the word and its value: "the password I set is"."""
_QUOTED = re.compile(
    r"[ ]?(?:(?:is|was|ist|war|est|es|era|e|to|jest|:|=) ?)?"
    r"(?:\"([^\"\n]{3,60})\"|“([^”\n]{3,60})”|«\s?([^»\n]{3,60}?)\s?»)"
)


def _quoted(page: Page, at: int) -> tuple[int, int] | None:
    """A value in quotation marks right behind, which may hold blanks; not one that is plain words of a sentence."""
    match = _QUOTED.match(page.low, at)
    if match is None:
        return None
    start, end = match.span(match.lastindex or 0)
    words = page.low[start:end].split()
    return (start, end) if len(words) > 1 and not NOT_A_VALUE.issuperset(words) else None


def _value(page: Page, at: int) -> tuple[int, int] | None:
    linked = False
    clause = _CLAUSE.match(page.low, at)
    if clause is not None:
        at = clause.end()
    quoted = _quoted(page, at)
    if quoted is not None:
        return quoted
    for step, match in enumerate(_TOKEN.finditer(page.text, at, min(len(page.text), at + 80))):
        start, end = match.span()
        token = page.low[start:end]
        if step == 0 and start == at:
            sign = re.match(r"[:=]+|[^\w\s]", token)
            if sign is None:
                return None
            if sign.group()[0] in ":=":
                linked = True
                start += sign.end()
                if start == end:
                    continue
                return _taken(page, start, end, linked=True)
            if sign.group() in ".?!":
                return None
            if token.strip(".,!?\"')") == "":
                continue
        bare = token.strip(_TRIM)
        if bare in LINKS or bare in (":", "=", "->", "-"):
            linked = True
            continue
        if bare in ("number", "code", "nummer") and step == 0:
            continue
        return _taken(page, start, end, linked=linked)
    return None


def _taken(page: Page, start: int, end: int, *, linked: bool) -> tuple[int, int] | None:
    """The value token, with the digits that follow a word ("arun 487"), or None when it is plain prose."""
    text = page.text
    while start < end and text[start] in _TRIM:
        start += 1
    while end > start and text[end - 1] in _TRIM + (".?" if end == len(text) or text[end : end + 1].isspace() else ""):
        end -= 1
    value = page.low[start:end]
    if not value or (start and _PLACEHOLDER.match(text, start - 1) is not None):
        return None
    spelled = _SPELLED.match(page.low, start)
    if spelled is not None and linked and any(letter.isdigit() for letter in spelled.group()):
        return start, spelled.end()
    digits = any(letter.isdigit() for letter in value)
    signs = any(not letter.isalnum() and letter not in "'-." for letter in value)
    more = re.compile(r"(?: [\w]*\d[\w]*){1,3}(?![\w%$€£])").match(page.low, end)
    if digits:
        if not value.isdigit() or len(value) >= 3 or more is not None:
            return start, more.end() if more is not None and end - start < 12 else end
        return None
    if value in NOT_A_VALUE or value.split("'")[0] in NOT_A_VALUE:
        return None
    if more is not None and len(value) <= 24 and "-" not in value:
        return start, more.end()
    if not linked:
        return (start, end) if not page.low[end:].strip(" .!") and _LOGIN.search(page.low, 0, start) else None
    if signs or len(value) >= 3:
        rest = page.low[end : end + 14].strip()
        last = (
            not rest
            or rest[0] in ".,;!?\n"
            or rest.split()[0] in ("and", "und", "et", "y", "e", "en", "i", "thanks", "but", "my")
        )
        shouted = value != text[start:end] and not text[start:end].istitle()
        if signs or last or shouted:
            return start, end
    return None
