"""Which language a message is in: a cheap, deterministic guess from its common words, then its letters.

Returns ISO 639-1, `en` when nothing speaks for another. Short messages are guessed; give the language when you know it.
"""

import re

from handrail.detectors.data.languages import COMMON, LETTERS, SCRIPTS

_WORD = re.compile(r"[^\W\d_]+")
_BLANKS = {code: " " for code in range(128) if not chr(code).isalpha()}
_LETTERS = bytes(code if code < 128 and chr(code).isalpha() else 32 for code in range(256))
"""ASCII letters as they are, a blank for the rest."""
_SCRIPTS = tuple((code, re.compile(f"[{first}-{last}]")) for code, first, last in SCRIPTS)
_FOREIGN = re.compile(f"[{''.join(f'{first}-{last}' for _, first, last in SCRIPTS)}]")
_KANA = re.compile("[\u3040-\u30ff]")
_READ = 150  # characters that decide; a longer text says nothing new


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    """Each word with the languages it speaks for; a word of several counts less for each."""
    owners: dict[str, list[str]] = {}
    for code, words in COMMON.items():
        for word in words.split():
            owners.setdefault(word, []).append(code)
    return {word: tuple((code, 1.0 / len(codes)) for code in codes) for word, codes in owners.items()}


_WEIGHTS = _weights()
_ONLY_ENGLISH = frozenset(word.encode() for word, votes in _WEIGHTS.items() if votes == (("en", 1.0),))
_AGAINST_ENGLISH = frozenset(word.encode() for word, votes in _WEIGHTS.items() if "en" not in dict(votes))
_LETTER_OWNERS = {letter: codes.split() for letter, codes in LETTERS.items()}


def guess(text: str) -> str:
    """ISO 639-1 of the text. About 2 us for a message in English, 5 for another."""
    head = text[:_READ].lower()
    return "en" if head.isascii() and _surely_english(head) else vote(head)


def _surely_english(head: str) -> bool:
    """Whether the vote on ASCII text can only be for English: each word that speaks against it has one vote at most,
    and there are more words that speak for English alone. Words of both count as much for English as for another."""
    words = head.encode().translate(_LETTERS).split()
    spoken = _AGAINST_ENGLISH.intersection(words)
    if not spoken:
        return True
    against = sum(map(words.count, spoken))
    for word in words:  # the first few settle it
        if word in _ONLY_ENGLISH:
            against -= 1
            if against < 0:
                return True
    return False


def vote(head: str) -> str:
    """The language most words and letters of a text in lower case speak for, or that of its script."""
    plain = head.isascii()
    votes: dict[str, float] = {}
    for word in head.translate(_BLANKS).split() if plain else _WORD.findall(head):
        if word in _WEIGHTS:
            for code, weight in _WEIGHTS[word]:
                votes[code] = votes.get(code, 0.0) + weight
    if not plain:
        script = _script(head)
        if script is not None:
            return script
        for letter in head:
            if letter > "\x7f":
                for code in _LETTER_OWNERS.get(letter, ()):
                    votes[code] = votes.get(code, 0.0) + 0.4
    if not votes:
        return "en"
    return max(votes, key=lambda code: (votes[code], code == "en"))


def _script(head: str) -> str | None:
    """The language of the script that most letters are in, when that is not the Latin one."""
    foreign = len(_FOREIGN.findall(head))
    if 2 * foreign <= sum(map(str.isalpha, head)):
        return None
    if _KANA.search(head) is not None:
        return "ja"
    return max(_SCRIPTS, key=lambda script: len(script[1].findall(head)))[0]
