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
_WORD = re.compile(r"\w+")


class _Index(NamedTuple):
    """`phrases`: by first word, the longest first. `known`: every word worth a look."""

    phrases: dict[str, list[tuple[str, Label]]]
    typos: dict[str, Label]
    known: frozenset[str]


@lru_cache(maxsize=1)
def _index() -> _Index:
    named: dict[tuple[str, ...], Label] = {}
    for label, family in _FAMILIES.items():
        for phrase in family.replace("\n", "").split("|"):
            named[tuple(phrase.split())] = label
    phrases: dict[str, list[tuple[str, Label]]] = {}
    for words, label in named.items():
        phrases.setdefault(words[0], []).append((" ".join(words), label))
    for entries in phrases.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    typos: dict[str, Label] = {}
    for words, label in named.items():
        if len(words) == 1 and label in _TYPO_FAMILIES and len(words[0]) >= 6:
            for slip in _slips(words[0]):
                typos.setdefault(slip, label)
    typos.update({"crad": Label.CARD, "phne": Label.PHONE, "pasword": Label.PASSWORD, "ssnn": Label.SSN})
    for word in [words[0] for words in named if len(words) == 1] + sorted(data.NOT_TYPOS):
        typos.pop(word, None)
    return _Index(phrases, typos, frozenset(phrases) | frozenset(typos))


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


_JOINTS = frozenset("-./'\t\n")
_SEPARATORS = str.maketrans(dict.fromkeys("-./'\t\n", " "))


def find_anchors(low: str) -> list[Anchor]:
    """The anchors of a text in lower case without accents, in order, longest phrase first."""
    index = _index()
    if "_" in low:
        low = low.replace("_", " ")  # names of fields: card_number
    phrases, typos, known = index.phrases, index.typos, index.known
    found: list[Anchor] = []
    spaced = ""
    skip = 0
    for match in _WORD.finditer(low):
        word = match.group()
        if word not in known or match.start() < skip:
            continue
        start = match.start()
        for phrase, label in phrases.get(word, ()):
            if phrase == word:
                found.append(Anchor(start, match.end(), label))
                break
            gap = low[match.end() : match.end() + 1]
            if gap != " ":
                if gap not in _JOINTS:
                    continue
                spaced = spaced or low.translate(_SEPARATORS)
            end = start + len(phrase)
            if (low if gap == " " else spaced).startswith(phrase, start) and not low[end : end + 1].isalnum():
                found.append(Anchor(start, end, label))
                skip = end
                break
        else:
            if word in typos:
                found.append(Anchor(start, match.end(), typos[word]))
    return found


@lru_cache(maxsize=1)
def anchor_words() -> frozenset[str]:
    """Every word of every phrase."""
    return frozenset(word for entries in _index().phrases.values() for phrase, _ in entries for word in phrase.split())
