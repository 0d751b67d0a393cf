"""What a number is called: the nearest word that names it, in any of the languages, mistyped or not."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from handrail.detectors.data import anchors as data

BEFORE, AFTER = 48, 30
"""How far, in characters, a name may stand before or after its number."""


class Label(StrEnum):
    """What an anchor says the value beside it is."""

    CARD = "card"
    CVV = "cvv"
    ACCOUNT = "account"
    PHONE = "phone"
    NUMBER = "number"  # "my number is": a telephone if it looks like one
    SSN = "ssn"
    NINO = "nino"
    DOB = "dob"
    PASSPORT = "passport"
    PIN = "pin"
    OTP = "otp"
    PASSWORD = "password"  # noqa: S105  the name of a label, not a password
    ZIP = "zip"
    IP = "ip"
    EMAIL = "email"
    OTHER = "other"


CODES = {Label.CVV: (3, 4), Label.PIN: (4, 8), Label.OTP: (4, 10)}
"""Digits of the codes that may never rest, so each number that a name may mean is taken for one."""


class Anchor(NamedTuple):
    """`label` named by the characters `start` to `end`."""

    start: int
    end: int
    label: Label


_FAMILIES = {
    Label.OTHER: data.OTHER, Label.NUMBER: data.NUMBER, Label.EMAIL: data.EMAIL, Label.IP: data.IP,
    Label.ZIP: data.ZIP, Label.PHONE: data.PHONE, Label.ACCOUNT: data.ACCOUNT, Label.CARD: data.CARD,
    Label.PASSPORT: data.PASSPORT, Label.DOB: data.DOB, Label.NINO: data.NINO, Label.SSN: data.SSN,
    Label.OTP: data.OTP, Label.CVV: data.CVV, Label.PIN: data.PIN, Label.PASSWORD: data.PASSWORD,
}  # fmt: skip
"""Later families win where two name the same phrase."""
_TYPO_FAMILIES = frozenset({Label.CARD, Label.ACCOUNT, Label.PHONE, Label.PASSWORD, Label.ZIP, Label.PASSPORT})
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: row[max(0, at - 1) : at] + row[at + 1 : at + 2] for row in _ROWS for at, letter in enumerate(row)
}
"""Keys beside a key on the same row."""


class _Index(NamedTuple):
    """By word, in Latin-1. `longer`: its phrases of several words, the longest first. `alone`: what it says by itself,
    slips too. `labels`: by phrase. `known`: every word worth a look. `personal`: those that may begin the
    name of a personal value."""

    longer: "dict[bytes, re.Pattern[str]]"
    alone: dict[bytes, Label]
    labels: dict[str, Label]
    known: frozenset[bytes]
    personal: frozenset[bytes]


@lru_cache(maxsize=1)
def _index() -> _Index:
    named: dict[tuple[str, ...], Label] = {}
    for label, family in _FAMILIES.items():
        for phrase in family.replace("\n", "").split("|"):
            named[tuple(phrase.split())] = label
    typos: dict[str, Label] = {}
    for words, label in named.items():
        if len(words) == 1 and label in _TYPO_FAMILIES and len(words[0]) >= 6:
            for slip in _slips(words[0]):
                typos.setdefault(slip, label)
    typos.update({"crad": Label.CARD, "phne": Label.PHONE, "pasword": Label.PASSWORD, "ssnn": Label.SSN})
    for word in [words[0] for words in named if len(words) == 1] + sorted(data.NOT_TYPOS):
        typos.pop(word, None)
    longer: dict[str, list[tuple[str, ...]]] = {}
    for words in sorted(named, key=lambda words: -len(" ".join(words))):
        if len(words) > 1:
            longer.setdefault(words[0], []).append(words)
    alone = {words[0]: label for words, label in named.items() if len(words) == 1} | typos
    return _Index(
        {word.encode("latin-1"): re.compile(_either(phrases)) for word, phrases in longer.items()},
        {word.encode("latin-1"): label for word, label in alone.items()},
        {" ".join(words): label for words, label in named.items()},
        frozenset(word.encode("latin-1") for word in [*longer, *alone]),
        frozenset(
            words[0].encode("latin-1") for words, label in named.items() if label not in (Label.OTHER, Label.NUMBER)
        )
        | frozenset(word.encode("latin-1") for word in typos),
    )


def words_of(low: str, start: int = 0, stop: int | None = None) -> bytes:
    """The characters between `start` and `stop`, letters and digits in Latin-1 and a blank for the rest."""
    return low[start:stop].encode("latin-1", "replace").translate(_WORDS)


def may_name(octets: bytes) -> bool:
    """Whether any of the words may begin the name of a personal value."""
    return not _index().personal.isdisjoint(octets.split())


def _either(phrases: list[tuple[str, ...]]) -> str:
    """A pattern of phrases with the same first word; any joint between words ("card-number")."""
    rests = "|".join(r"[ \-./'\t\n]".join(words[1:]) for words in phrases)
    return phrases[0][0] + rf"[ \-./'\t\n](?:{rests})(?![^\W_])"


def _slips(word: str) -> set[str]:
    """The slips of a finger that keep the first letter: a letter lost, doubled, swapped, or its neighbour hit."""
    slips = {word[:i] + word[i + 1 :] for i in range(1, len(word))}
    slips |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
    slips |= {word[:i] + word[i] + word[i:] for i in range(1, len(word))}
    for i in range(1, len(word)):
        for near in _NEIGHBOURS.get(word[i], ""):
            slips.add(word[:i] + near + word[i + 1 :])
            slips.add(word[: i + 1] + near + word[i + 1 :])
    return slips


_SEPARATORS = str.maketrans(dict.fromkeys("-./'\t\n", " "))
_WORDS = bytes(code if chr(code).isalnum() and chr(code) != "_" else 32 for code in range(256))
"""Letters and digits of Latin-1 as they are, a blank for the rest: places stay."""


def find_anchors(low: str, start: int = 0, octets: bytes | None = None) -> list[Anchor]:
    """The anchors of a text in lower case without accents, in order, longest phrase first. `octets`: only these words,
    which begin at `start`."""
    index = _index()
    if octets is None:
        octets = words_of(low, start)
    words = [word for word in octets.split() if word in index.known]
    if not words:
        return []
    if "_" in low:
        low = low.replace("_", " ")  # names of fields: card_number
    octets = b" %b " % octets
    found: list[Anchor] = []
    at = skip = 0
    for word in words:
        at = octets.find(b" %b " % word, at)
        begin = start + at
        at += len(word) + 1
        if begin >= skip:
            anchor = _anchor(index, low, begin, word)
            if anchor is not None:
                found.append(anchor)
                skip = anchor.end
    return _refined(found, low)


def _anchor(index: _Index, low: str, start: int, word: bytes) -> Anchor | None:
    """The longest phrase that begins with `word` at `start`, else what the word says alone or is a slip of."""
    longer = index.longer.get(word)
    if longer is not None:
        match = longer.match(low, start)
        if match is not None:
            return Anchor(start, match.end(), index.labels[match.group().translate(_SEPARATORS)])
    label = index.alone.get(word)
    return None if label is None else Anchor(start, start + len(word), label)


_OF = re.compile(rf"[ ]+(?:(?:{data.OF})[ ]+){{0,4}}")
"""Between a code and the card that it belongs to: "the PIN of my card"."""
_BY = re.compile(rf"[ ]+(?:(?:{data.BY})[ ]+){{1,3}}")
"""Between a code and the telephone it came to: "the code by SMS"."""
_ENDING = re.compile(
    r"[ ]+(?:number[ ]+|nummer[ ]+)?(?:ends?|ending|endet|finit|termina|terminada|terminado|finisce|eindigt|konczy)\b"
)
_OWN_NUMBERS = frozenset({Label.SSN, Label.NINO, Label.PIN, Label.OTP, Label.PASSPORT})
"""What "security number" belongs to right behind their name: "the last 4 of my social security number"."""
_BESIDE = re.compile(r"[ \-./'\t\n]")
_LOOSE_CVV = frozenset(data.LOOSE_CVV.replace("\n", "").split("|"))
_CODE_WORDS = frozenset({"code", "codigo", "codice", "kod", "codes", "codigos", "codici", "kodu"})
_SENT = re.compile(rf"\b(?:{data.SENT})\b")
"""How a code that was sent is spoken of."""
_SENT_BEFORE, _SENT_AFTER = 28, 26
"""Characters before and after the word "code" in which it may say that it was sent."""


def _refined(found: list[Anchor], low: str) -> list[Anchor]:
    """Anchors that say more together: "the PIN of my card" names a PIN, "my SSN ends in" the end of an SSN, "the code
    you texted me" a one-time code, "security number" behind "social" an SSN and no card's code."""
    refined: list[Anchor] = []
    for anchor in found:
        last = refined[-1] if refined else None
        if anchor.label is Label.CARD and last is not None and last.label in CODES:
            if _OF.fullmatch(low, last.end, anchor.start) is not None:
                refined[-1] = Anchor(last.start, anchor.end, last.label)
                continue
        elif anchor.label is Label.PHONE and last is not None and last.label is Label.OTP:
            if _BY.fullmatch(low, last.end, anchor.start) is not None or _between(low, last, anchor):
                refined[-1] = Anchor(last.start, anchor.end, Label.OTP)
                continue
        elif anchor.label is Label.CVV and last is not None and last.label in _OWN_NUMBERS:
            if _BESIDE.fullmatch(low, last.end, anchor.start) is not None and _is_loose(low, anchor):
                refined[-1] = Anchor(last.start, anchor.end, last.label)
                continue
        elif anchor.label is Label.OTHER:
            if last is not None and last.label is Label.SSN and _ENDING.match(low, last.end, anchor.end) is not None:
                refined[-1] = Anchor(last.start, anchor.end, Label.SSN)
                continue
            if low[anchor.start : anchor.end] in _CODE_WORDS and _was_sent(low, anchor):
                anchor = anchor._replace(label=Label.OTP)
        refined.append(anchor)
    return refined


def _is_loose(low: str, anchor: Anchor) -> bool:
    """Whether the name of a card's code names none by itself."""
    return low[anchor.start : anchor.end].translate(_SEPARATORS) in _LOOSE_CVV


def _between(low: str, code: Anchor, phone: Anchor) -> bool:
    """Whether the words between say that the code was sent to the telephone: "the code received by SMS"."""
    gap = low[code.end : phone.start]
    return len(gap) <= _SENT_AFTER and re.search(r"[.!?;,\n\d]", gap) is None and _SENT.search(gap) is not None


def _was_sent(low: str, code: Anchor) -> bool:
    """Whether the words around, up to a digit or the end of the sentence, say that the code was sent."""
    before = re.split(r"[.!?;\n\d]", low[max(0, code.start - _SENT_BEFORE) : code.start])[-1]
    after = re.split(r"[.!?;\n\d]", low[code.end : code.end + _SENT_AFTER])[0]
    return _SENT.search(before) is not None or _SENT.search(after) is not None


@lru_cache(maxsize=1)
def anchor_words() -> frozenset[str]:
    """Every word of every phrase."""
    return frozenset(word for phrase in _index().labels for word in phrase.split())
