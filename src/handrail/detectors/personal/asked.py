"""What a question asks for, so that the bare value in the answer to it has a kind.

Pure; reads only the last sentences of what was said before (`ASKED` characters). Words of all eight languages count,
as everywhere in `personal`. What it cannot read asks for nothing, and the answer is judged by its form alone.
"""

import re
from typing import NamedTuple

import re2

from handrail.detectors.base import ASKED
from handrail.detectors.data.asked import CODES_SENT, NAMES, NOTE_WORDS, NUMBER_WORDS, REQUESTS
from handrail.detectors.data.replies import AROUND
from handrail.detectors.normalise import normalise
from handrail.detectors.personal.anchors import Anchor, Label, anchor_words, words_of
from handrail.detectors.personal.gates import pattern_set
from handrail.detectors.personal.page import Page

_REQUEST = re2.compile(REQUESTS)
_NUMBER_WORD = re.compile(NUMBER_WORDS)
_NAME = re2.compile(NAMES)
_CODE_SENT = re2.compile(CODES_SENT)
_SENTENCE = re.compile(r"[^.!?\n]*(?:\.(?!\s|$)[^.!?\n]*)*[.!?\n]*")
_GATE = pattern_set((REQUESTS, NAMES, CODES_SENT))
_ASKS, _NAMES, _CODES = 0, 1, 2
"""What the gate says of a text: where `_REQUEST`, `_NAME` or `_CODE_SENT` matches, all of them read by RE2."""
_NOTE = 10  # words of a message that asks by naming alone
_WORD = re.compile(r"[^\W_]+")
_BESIDE = 24  # characters before the name of a thing in which "last four digits of your" may stand
_VALUES = frozenset(
    {Label.CVV, Label.SSN, Label.NINO, Label.DOB, Label.PASSPORT, Label.PIN, Label.OTP, Label.PASSWORD, Label.ZIP}
)
"""Labels whose name is always the name of a value; a card or an account is also a thing one talks about."""
_PHONES = frozenset({"phone", "telephone", "mobile", "telefon", "telefono", "telefone", "telefoon", "handynummer"})


class Asked(NamedTuple):
    """`labels`: of values, in the order asked. `name`: the person's name too. `things`: only the number of a thing
    that is no personal data (an order, a flight)."""

    labels: tuple[Label, ...]
    name: bool
    things: bool


NOTHING = Asked((), False, False)


def asked_for(question: str) -> Asked:
    """What the sentences of a question that request something ask for."""
    tail = question[-ASKED:]
    if not tail or tail.isspace():
        return NOTHING
    page = Page(normalise(tail))
    low = page.low.replace("'", " ").replace("’", " ")
    seen = _GATE.Match(low) or ()
    asking: list[tuple[int, int]] = []
    if _ASKS in seen:
        if _NAMES not in seen and _CODES not in seen and not page.anchors:
            return NOTHING
        asking = [match.span() for match in _SENTENCE.finditer(low) if _REQUEST.search(match.group()) is not None]
    if not asking and _is_note(low):
        asking = [(0, len(low))]
    if not asking:
        return NOTHING
    anchors = [a for a in page.anchors if any(start <= a.start < end for start, end in asking)]
    sure = [a.label for a in anchors if a.label in _VALUES or _of_a_number(low, a)]
    labels = _named(sure, [a.label for a in anchors])
    if _CODES in seen and any(_CODE_SENT.search(low[start:end]) is not None for start, end in asking):
        labels = [Label.OTP, *(label for label in sure if label is not Label.PHONE)]  # the phone it was sent to
    wanted = tuple(dict.fromkeys(label for label in labels if label not in _NO_VALUES))
    name = _NAMES in seen and any(_NAME.search(low[start:end]) is not None for start, end in asking)
    return Asked(wanted, name, not wanted and not name and Label.OTHER in sure)


_NO_VALUES = frozenset({Label.OTHER, Label.EMAIL, Label.IP, Label.NINO})
"""Nothing to label: no personal data, or a form that names itself."""


def _named(sure: list[Label], all_named: list[Label]) -> list[Label]:
    """The labels of values. A bare "number" is that of what else is named ("the long number on your card"); a card or
    an account named beside another thing ("the amount on your card") is only talked about."""
    named: list[Label] = [label for label in sure if label is not Label.NUMBER]
    if not named and Label.OTHER not in all_named:
        named = [label for label in all_named if label is not Label.NUMBER]
    return named or sure


def _is_note(low: str) -> bool:
    """Whether the message is nothing but names of values: "account number and pin"."""
    if len(words_of(low).split()) > _NOTE:
        return False
    words = _WORD.findall(low)
    return 0 < len(words) <= _NOTE and anchor_words().union(AROUND, NOTE_WORDS).issuperset(words)


def _of_a_number(low: str, anchor: Anchor) -> bool:
    """Whether the number of the thing is asked for, in the name itself or in the words beside it."""
    start, end, _ = anchor
    word = low[start:end]
    if word in _PHONES or _NUMBER_WORD.search(word) is not None:
        return True
    before = low[max(0, start - _BESIDE) : start]
    return (
        _NUMBER_WORD.search(re.split(r"[,;]|\b(?:and|und|et|y|ed?|en|oraz)\b", before)[-1]) is not None
        or _NUMBER_WORD.match(low[end:].lstrip(" -:")) is not None
    )
