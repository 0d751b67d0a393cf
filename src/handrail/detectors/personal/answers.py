"""The answer to a question that asked for a value: the question names the bare number, word or date in it.

Only what stands bare counts: a number that the answer's own words name keeps that name, one inside a sentence about
something else stays alone, and a form that proves itself (a card by Luhn, an IBAN) outweighs the question by its score.
"""

import re
from collections.abc import Sequence

from handrail.detectors.data.asked import AFTER_A_NAME, HEDGES, JOINTS, NOT_AN_ANSWER
from handrail.detectors.data.codes import NOT_A_VALUE
from handrail.detectors.data.dates import DATE, PLAIN_DATE
from handrail.detectors.data.links import BEFORE_WORDS
from handrail.detectors.data.persons import CONNECTORS, NOT_NAMES
from handrail.detectors.data.replies import AROUND, UNITS
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.asked import Asked
from handrail.detectors.personal.births import find_said, may_be_said
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

SCORE = 0.8
"""Above a telephone by its form alone, below what the answer's own words name."""
REASON = "asked"

_KINDS = {
    Label.CARD: Kind.CARD, Label.CVV: Kind.CVV, Label.ACCOUNT: Kind.ACCOUNT, Label.PHONE: Kind.PHONE,
    Label.NUMBER: Kind.PHONE, Label.SSN: Kind.SSN, Label.DOB: Kind.DOB, Label.PASSPORT: Kind.PASSPORT,
    Label.PIN: Kind.PIN, Label.OTP: Kind.OTP, Label.PASSWORD: Kind.PASSWORD, Label.ZIP: Kind.POSTCODE,
}  # fmt: skip
KINDS = frozenset(_KINDS.values()) | {Kind.PERSON}
_SIZES = {
    Label.CARD: ((13, 19), (4, 19)), Label.CVV: ((3, 4), (3, 4)), Label.ACCOUNT: ((4, 18), (4, 26)),
    Label.PHONE: ((9, 12), (6, 15)), Label.NUMBER: ((9, 12), (7, 15)), Label.SSN: ((4, 11), (3, 15)),
    Label.PASSPORT: ((7, 9), (6, 14)), Label.PIN: ((4, 6), (4, 8)), Label.OTP: ((4, 8), (4, 10)),
    Label.PASSWORD: ((3, 12), (3, 20)), Label.ZIP: ((5, 8), (3, 9)),
}  # fmt: skip
"""Digits of each value: the usual ones, and the possible ones (the last four of a card, a national number)."""

_VALUE = re.compile(r"(?<![\w.,:/$€£#\-+])\(?\d(?:[ \-./()]{0,2}\d)*(?![\w%$€£]|[.,:/\-]\d)")
_CODE = re.compile(r"(?<![\w.@/\-])(?=[a-z0-9\-]*\d)(?=[a-z0-9\-]*[a-z])[a-z0-9\-]{5,20}(?![\w@/]|[.\-]\w)")
_DATE, _PLAIN_DATE = re.compile(DATE), re.compile(PLAIN_DATE)
_SAID_LEAST = 3  # words of a date: "no one may" is none
_YEAR = re.compile(r"(?:19|20)\d\d")
_WHEN = re.compile(r"\b(?:in|since|year|of|from|im|seit|jahr|en|depuis|desde|nel|dal|em|sinds|w|od)\W*\Z")
_WORD = re.compile(r"[^\W\d_]+")
_CLAUSE = re.compile(r"[.!?;\n]\s")
_FILLERS = AROUND | HEDGES | frozenset(BEFORE_WORDS.split())
_MEASURES = UNITS - JOINTS
_BEFORE_LIMIT = 5  # other words (a name) that may stand before the value
_AND = re.compile(r"\s*[,;:/\n]\s*|\s+(?:and|und|et|y|e|en|oraz|i)\s+")
_PARTING = frozenset(",;:/")
_BEFORE_A_WORD = AROUND | {"and", "und", "et", "y", "e", "en", "oraz", "i"}
"""What `_AND` parts at."""
_TOKEN = re.compile(r"\S+")
_NAME_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*\.?")
_I_AM = re.compile(
    r"\s*(?:(?:yes|sure|ok|hi|hello)\W+)?(?:i ?['’]?m|i am|ich bin|je suis|soy|sono|sou|ik ben|jestem|this is)\s+"
)
_ONWARD = AROUND - {"i"} - CONNECTORS | AFTER_A_NAME
"""Behind a name: what follows is something else."""
_FILLERS_READ = 6  # words
_CONTRACTED = re.compile(r"['’](?:m|s|t|d|re|ve|ll)$")
_NAME_LONGEST = 4
_PASSCODE = re.compile(r"\d{4,}")
_SECRET_LONGEST = 40
_SHORTEST_WORD = 5
"""Letters of a password that is one word."""
_MARKS = ".,;:!?\"'()"
_ENDS = _MARKS[:3] + " \n"
_NO_SECRET = AROUND | NOT_NAMES | NOT_A_VALUE | NOT_AN_ANSWER
_NO_NAME = NOT_NAMES | NOT_AN_ANSWER


def find_answers(page: Page, asked: Asked) -> list[Hit]:
    """The values of what was asked for; nothing where the message answers something else."""
    hits: list[Hit] = []
    if Label.DOB in asked.labels:
        hits += [Hit(Kind.DOB, *span, SCORE, REASON) for span in _dates(page)]
    if Label.PASSWORD in asked.labels:
        hits += _secret(page, asked)
    taken = [(hit.start, hit.end) for hit in hits]
    hits += _numbers(page, [label for label in asked.labels if label in _SIZES], taken)
    return hits + (_names(page) if asked.name else [])


def may_answer(page: Page) -> bool:
    """Whether an ASCII message without a digit may answer any question: with a name, a date in words, or a password of
    one word. Spares the look at the question for most messages."""
    return _may_hold_word(page) or may_be_said(page) or (not _begins_as_no_name(page.low) and bool(_names(page)))


def _begins_as_no_name(low: str) -> bool:
    """Whether `_names` stops at its first word: the first that is no filler is one of the language."""
    for word in low.split(maxsplit=_FILLERS_READ)[:_FILLERS_READ]:
        if word.strip(_MARKS) not in AROUND:
            return word in _NO_NAME and word.isalpha() and _I_AM.match(low) is None
    return False


def _may_hold_word(page: Page) -> bool:
    """Whether `_secret` may take letters alone: the last word is none of the language, and nothing but a filler, a sign
    or an "and" stands before it."""
    words = page.low.rstrip(_ENDS).rsplit(maxsplit=2)[-2:]
    if not words or not _PARTING.isdisjoint(words[-1]):
        return bool(words)
    if len(words[-1]) < _SHORTEST_WORD or words[-1].strip(_MARKS) in _NO_SECRET:
        return False
    before = words[0]
    return (
        len(words) == 1 or before.strip(_MARKS) in _BEFORE_A_WORD or not _PARTING.isdisjoint(before) or "\n" in page.low
    )


def _dates(page: Page) -> list[tuple[int, int]]:
    """Dates in figures or in words, else a message that is nothing but the figures of one."""
    written = [match.span() for match in _DATE.finditer(page.low)]
    said = [
        (start, end)
        for start, end in find_said(page)
        if len(page.low[start:end].split()) >= _SAID_LEAST
        and all(end <= begin or stop <= start for begin, stop in written)
    ]
    return written + said or [match.span() for match in [_PLAIN_DATE.fullmatch(page.low.strip(" ."))] if match]


def _numbers(page: Page, labels: Sequence[Label], taken: Sequence[tuple[int, int]]) -> list[Hit]:
    if not labels:
        return []
    found: list[Hit] = []
    free = list(labels)
    for start, end in _bare(page, labels):
        if any(start < stop and begin < end for begin, stop in taken):
            continue
        label = _fitting(sum(map(str.isdigit, page.text[start:end])), free) or _fitting(
            sum(map(str.isdigit, page.text[start:end])), labels
        )
        if label is not None:
            found.append(Hit(_KINDS[label], start, end, SCORE, REASON))
            if label in free:
                free.remove(label)
    return found


def _bare(page: Page, labels: Sequence[Label]) -> list[tuple[int, int]]:
    """Numbers that answer, and codes with letters where an account or a document was asked for."""
    spans = [match.span() for match in _VALUE.finditer(page.low) if _answers(page, *match.span())]
    if not {Label.ACCOUNT, Label.PASSPORT, Label.SSN, Label.OTP, Label.ZIP}.isdisjoint(labels):
        spans += [match.span() for match in _CODE.finditer(page.low) if _answers(page, *match.span())]
    return sorted(spans)


def _answers(page: Page, start: int, end: int) -> bool:
    """Whether the value is what the clause says: fillers and a name before it, no unit beside it, no other name."""
    label = page.label(start, end)
    if label is not None and label is not Label.NUMBER:
        return False
    if _YEAR.fullmatch(page.text, start, end) is not None and _WHEN.search(page.low, 0, start) is not None:
        return False
    breaks = [match.end() for match in _CLAUSE.finditer(page.low, 0, start)]
    before = _WORD.findall(page.low[breaks[-1] if breaks else 0 : start])
    others = [word for word in before if word not in _FILLERS]
    if len(others) > _BEFORE_LIMIT or any(word in UNITS for word in others[-2:]):
        return False
    behind = _WORD.search(page.low[end : end + 16])
    return (
        behind is None
        or behind.group() not in _MEASURES
        or _CLAUSE.search(page.low, end, end + behind.start()) is not None
    )


def _fitting(digits: int, labels: Sequence[Label]) -> Label | None:
    """The label asked first among those the number has the usual length of, else a possible one."""
    for place in (0, 1):
        for label in labels:
            low, high = _SIZES[label][place]
            if low <= digits <= high:
                return label
    return None


def _secret(page: Page, asked: Asked) -> list[Hit]:
    """The password: what stands behind fillers and, where a name was asked for too, behind the name. Letters alone only
    as the one word of the message, and never a word of the language."""
    if any(anchor.label is Label.PASSWORD for anchor in page.anchors):
        return []
    start, stop = 0, len(page.text.rstrip(_ENDS))
    parts = [match.end() for match in _AND.finditer(page.low, 0, stop)]
    if parts:
        start = parts[-1]
    tokens = [match.span() for match in _TOKEN.finditer(page.low, start, stop)]
    while tokens and page.low[slice(*tokens[0])].strip(_MARKS) in AROUND:
        tokens.pop(0)
    if asked.name and not parts and len(tokens) > 1:
        tokens = tokens[-1:] if _PASSCODE.fullmatch(page.low, *tokens[-1]) is not None else tokens[1:]
    if not tokens or stop - tokens[0][0] > _SECRET_LONGEST:
        return []
    words = [page.low[slice(*token)].strip(_MARKS) for token in tokens]
    value = page.low[tokens[0][0] : stop]
    if any(map(str.isdigit, value)):
        prose = sum(len(word) > 1 and word in _NO_SECRET | UNITS for word in words)
        sound = prose == 0 and len(value) >= 3
    else:
        sound = len(words) == 1 and not asked.name and len(asked.labels) == 1 and len(value) >= _SHORTEST_WORD
        sound = sound and words[0] not in _NO_SECRET
    return [Hit(Kind.PASSWORD, tokens[0][0], stop, SCORE, REASON)] if sound else []


def _names(page: Page) -> list[Hit]:
    """PERSON: up to four words at the beginning of the answer behind fillers, up to a sign or a word that links on;
    nothing where a word of the language is among them. Behind "I am", which opens any sentence, only with a capital."""
    opening = _I_AM.match(page.low)
    start = opening.end() if opening else 0
    for filler in _TOKEN.finditer(page.low, start):
        start = filler.start()
        if filler.group().strip(_MARKS) not in AROUND:
            break
    end, place, count = start, start, 0
    while (match := _NAME_WORD.match(page.text, place)) is not None:
        word = page.low[match.start() : match.end()].rstrip(".")
        if count and word in _ONWARD:
            break
        count += 1
        linked = count > 1 and word in CONNECTORS
        if (word in _NO_NAME and not linked) or _CONTRACTED.search(word) or count > _NAME_LONGEST:
            return []
        end = match.end() - match.group().endswith(".")
        place = match.end() + 1
        if page.text[match.end() : place] != " ":
            break
    if end - start < 2 or page.text[end : end + 1] in ("!", "?") or (opening and page.text[start].islower()):
        return []
    return [Hit(Kind.PERSON, start, end, 0.6, REASON)]
