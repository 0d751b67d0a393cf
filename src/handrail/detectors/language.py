"""Which language a message is in: a cheap, deterministic guess from its common words, then its letters.

Returns ISO 639-1, `en` when nothing speaks for another. Short messages are guessed; give the language when you know it.
"""

import re

from handrail.detectors.data.languages import COMMON, LETTERS

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("ru", re.compile(r"[\u0400-\u04ff]")), ("el", re.compile(r"[\u0370-\u03ff]")), ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")), ("hi", re.compile(r"[\u0900-\u097f]")), ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")), ("th", re.compile(r"[\u0e00-\u0e7f]")), ("zh", re.compile(r"[\u4e00-\u9fff]")),
)  # fmt: skip
_READ = 400  # characters that decide; a longer text says nothing new


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    """Each word with the languages it speaks for; a word of several counts less for each."""
    owners: dict[str, list[str]] = {}
    for code, words in COMMON.items():
        for word in words.split():
            owners.setdefault(word, []).append(code)
    return {word: tuple((code, 1.0 / len(codes)) for code in codes) for word, codes in owners.items()}


_WEIGHTS = _weights()
_LETTER_OWNERS = {letter: codes.split() for letter, codes in LETTERS.items()}


def guess(text: str) -> str:
    """ISO 639-1 of the text. About 5 us for a message."""
    head = text[:_READ].lower()
    votes: dict[str, float] = {}
    for word in _WORD.findall(head):
        for code, weight in _WEIGHTS.get(word, ()):
            votes[code] = votes.get(code, 0.0) + weight
    if not head.isascii():
        for letter in head:
            if letter > "\x7f":
                for code in _LETTER_OWNERS.get(letter, ()):
                    votes[code] = votes.get(code, 0.0) + 0.4
        for code, pattern in _SCRIPTS:
            if 2 * len(pattern.findall(head)) > len(head.strip()):
                return code
    if not votes:
        return "en"
    return max(votes, key=lambda code: (votes[code], code == "en"))
