"""Words for grounding: folding, tokens, sentences, and the closed word classes of each language.

Folding keeps every offset (one character in, one out), so a token's place is its place in the text as given.
Data: `data/grounding/words.json` and `meanings.json`, written for this project.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, repeat
from pathlib import Path
from typing import Any, Final, NamedTuple

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "nl", "pt", "pl")
_TOKEN = re.compile(r"[a-z]++(?![^\x00-\x7f])|[^\W\d_]+|\d+(?:[.,:]\d+)*")
"""Letters, or a number. Plain letters come first because a set of them is read faster than "no sign"."""
_PARTS = re.compile(f"({_TOKEN.pattern})")
_STOP = re.compile(r"[.!?…\n]+[ \t\n\"'”’)\]]*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_ABBREVIATIONS = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "st",
        "vs",
        "no",
        "nr",
        "etc",
        "bzw",
        "ca",
        "approx",
        "inc",
        "ltd",
        "co",
        "jr",
        "sr",
        "str",
    )
)
_SUFFIX = re.compile(r"(?:ations?|ingly|ings?|edly|ness|ers?|ies|ied|est|ed|es|en|em|ly|[sey])$")


def _folded(character: str) -> str:
    """One character for one: lower case without its accent; letters that would become two keep their first."""
    plain = unicodedata.normalize("NFKD", character.lower())[:1]
    return plain if plain and not plain.isspace() else character


_FOLD: Final = {code: _folded(chr(code)) for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))} | {
    ord("’"): "'", ord("‘"): "'", ord("ß"): "s", ord("ł"): "l", ord("Ł"): "l", ord("ø"): "o", ord("Ø"): "o",
    0xA0: " ", 0x202F: " ", ord("‑"): "-", ord("–"): "-", ord("—"): "-",
}  # fmt: skip


_FOLDABLE = re.compile(r"[\u00a0\u00c0-\u024f\u1e00-\u1eff\u2011\u2013\u2014\u2018\u2019\u202f]+")


def fold(text: str) -> str:
    """`text` in lower case, without accents, with plain apostrophes, dashes and blanks; never of another length."""
    lower = _FOLDABLE.sub(_narrow, text).lower() if not text.isascii() else text.lower()
    return lower if len(lower) == len(text) else "".join(_FOLD.get(ord(c), c.lower()[:1]) for c in text)


def _narrow(found: re.Match[str]) -> str:
    return found.group().translate(_FOLD)


def data(name: str) -> Any:
    """One JSON file of `data/grounding`, as parsed."""
    return json.loads((Path(__file__).parent / "data" / "grounding" / name).read_text("utf-8"))


@lru_cache(maxsize=32768)
def stem(word: str) -> str:
    """The part of a folded word that its inflections share: a common ending off, then at most six letters."""
    if len(word) <= 3 or not word.isalpha():
        return word
    if len(word) > 5:
        cut = _SUFFIX.sub("", word)
        return cut[:6] if len(cut) >= 4 else word[:6]
    return word[:-1] if word[-1] == "s" and word[-2] != "s" else word


class Token(NamedTuple):
    """A word or a number. `word` folded; `start`, `end` in the text as given."""

    word: str
    start: int
    end: int


def tokens(folded: str) -> list[Token]:
    """The tokens of a folded text."""
    parts = _PARTS.split(folded)  # what is between, a token, what is between, ...
    ends = list(accumulate(map(len, parts)))
    return list(map(_new, repeat(Token), zip(parts[1::2], ends[::2], ends[1::2], strict=False)))


_new = tuple.__new__  # calls no Python for each token


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of `text` stand; blank ones left out. Linear."""
    spans, begin, last = [], 0, len(text)
    for found in _STOP.finditer(text):
        stop, end = found.span()
        inside = text[stop] == "." and end < last
        if inside and (not _ends(text, stop, end) or (end == stop + 1 and not text[end].isupper())):
            continue
        spans.append((begin, end))
        begin = end
    spans.append((begin, last))
    return [span for span in spans if _TOKEN.search(text, *span)]


def _ends(text: str, dot: int, after: int) -> bool:
    """Whether a full stop ends a sentence: not in `12. March`, `e.g.`, `3.5`; yes after `17:00.` and `2026.`"""
    before = text[dot - 1 : dot]
    if after == dot + 1:
        return before.islower() and text[after].isupper()
    if before.isdecimal():
        mark = text[dot - 3 : dot - 2]
        return text[dot - 3 : dot].isdecimal() or (mark in ".,:" and mark != "" and text[dot - 2 : dot].isdecimal())
    return not _is_abbreviation(text, dot)


def _is_abbreviation(text: str, dot: int) -> bool:
    begin = max(text.rfind(" ", max(0, dot - 8), dot), text.rfind("(", max(0, dot - 8), dot)) + 1
    word = text[begin:dot].lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and text[begin:dot].isupper())


def spoken_keys(text: str) -> str:
    """A key of JSON as words: `refundStatus` and `refund_status` become `refund Status` and `refund status`."""
    return _CAMEL.sub(" ", text)


@dataclass(frozen=True, slots=True)
class Classes:
    """The closed word classes of one language, folded. `empty`: words that alone claim nothing."""

    stop: frozenset[str]
    negation: frozenset[str]
    condition: frozenset[str]
    universal: frozenset[str]
    first: frozenset[str]
    opinion: frozenset[str]
    evaluative: frozenset[str]
    empty: frozenset[str]


@lru_cache(maxsize=16)
def classes(language: str) -> Classes:
    """The word classes of `language`; English for a language that has none here."""
    words = data("words.json")
    rows = words.get(language) or words["en"]
    held = {name: frozenset(fold(words).split()) for name, words in rows.items()}
    return Classes(**held, empty=held["stop"] | held["evaluative"])


@lru_cache(maxsize=1)
def same() -> dict[str, frozenset[str]]:
    """For a stem, the stems that can stand for it."""
    meaning: dict[str, set[str]] = {}
    for row in data("meanings.json")["same"]:
        group = {stem(w) for w in fold(row).replace("_", " ").split()}
        for each in group:
            meaning.setdefault(each, set()).update(group)
    return {key: frozenset(value) for key, value in meaning.items()}


@lru_cache(maxsize=1)
def opposite() -> dict[str, frozenset[str]]:
    """For a folded word, the words that say the contrary."""
    against: dict[str, set[str]] = {}
    for left, right in data("meanings.json")["opposite"]:
        ones, others = fold(left).split(), fold(right).split()
        for one in ones:
            against.setdefault(one, set()).update(others)
        for other in others:
            against.setdefault(other, set()).update(ones)
    return {key: frozenset(value) for key, value in against.items()}


@lru_cache(maxsize=1)
def service() -> tuple[frozenset[str], frozenset[str]]:
    """Stems of the words that policies and records are made of, and the words of encyclopedias and stories."""
    rows = data("service.json")
    return frozenset(stem(w) for w in fold(rows["words"]).split()), frozenset(fold(rows["prose"]).split())
