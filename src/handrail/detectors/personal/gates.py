"""What a text has that some finder may look at: google-re2 `Set`s over the folded text, one bit for each finder.

Each bit holds wherever its finder can find, and as little beyond as a regular expression can say, so that an ordinary
text with an order number starts no search for e-mail addresses or streets. Read on text without accents (`plain`).
A text without candidates costs one pass; only one with a digit is read for the forms of numbers and for streets.
Three sets and not one: the states of an automaton multiply where patterns of different families overlap, and one set
spent 50 us on building states for each new text where three spend 3. Raises nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

import re2

from handrail.detectors.data.dates import BIRTH, MONTHS
from handrail.detectors.data.emails import AT, DOT, PROVIDERS, TOP
from handrail.detectors.data.numbers import FILLERS
from handrail.detectors.data.persons import GREETINGS, INTRODUCTIONS, LOOSE, PARTICLES, TITLES
from handrail.detectors.data.places import (
    DECLARED,
    STREET_NAMES_EN,
    STREET_WORDS_EN,
    STREET_WORDS_FIRST,
    STREET_WORDS_LAST,
    STREETS,
)
from handrail.detectors.personal import health
from handrail.detectors.personal.page import SHORTEST_UNNAMED
from handrail.detectors.spoken import again_words, article_words, counted_words, factor_words, gate_words

_LETTER = r"[a-z\x{80}-\x{10ffff}]"
_WORDLY = r"[a-z0-9_\x{80}-\x{10ffff}]"
_START = r"(?:^|[^a-z0-9_])"
_STOP = r"(?:[^a-z0-9_]|$)"
_CAPITAL = r"(?-i:[A-HJ-Z]|I[A-Za-z]|I?[^\x00-\x7f])"
"""The first letter of a name; "I" alone is none."""


def rough(pattern: str) -> str:
    """An RE2 pattern that matches wherever the Python pattern does: classes of letters widened, what only looks ahead
    or behind taken away."""
    pattern = pattern.replace(r"[^\W\d_]", _LETTER)
    out: list[str] = []
    at = 0
    while at < len(pattern):
        look = re.compile(r"\(\?<?[!=]").match(pattern, at)
        if look is None:
            step = 2 if pattern[at] == "\\" else 1
            out.append(_WORDLY if pattern[at : at + step] == r"\w" else pattern[at : at + step])
            at += step
            continue
        end = _closed(pattern, at)
        if pattern[at:end] == r"(?<!\w)":
            out.append(_START)
        elif pattern[at:end] == r"(?!\w)" and end == len(pattern):
            out.append(_STOP)
        at = end
    return "".join(out)


def _closed(pattern: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`."""
    depth, inside = 0, False
    while True:
        letter = pattern[at]
        if letter == "\\":
            at += 2
            continue
        if inside:
            inside = letter != "]"
        elif letter == "[":
            inside = True
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return at + 1
        at += 1


class Gate:
    """What each bit says. Words first, then the forms of numbers, then streets (`STREET` + place in STREETS). Plain
    numbers and no enumeration: reading a member of one costs 0.1 us in Python 3.11, twenty of them for each text."""

    DIGIT: Final = 0
    AT: Final = 1
    SPOKEN: Final = 2
    INTRODUCED: Final = 3
    TITLE: Final = 4
    GREETED: Final = 5
    LOOSE: Final = 6
    SECRET: Final = 7
    PASSWORD: Final = 8
    AT_WORD: Final = 9  # "at" or what stands for it, before a letter or digit
    TOP_LEVEL: Final = 10  # ".com", "dot com"
    PROVIDER: Final = 11  # "gmail com"
    LOST_SIGNS: Final = 12  # a word that ends in "com"
    MAIL: Final = 13
    HEALTH: Final = 14
    DECLARED: Final = 15
    STREET_WORD: Final = 16
    BIRTH: Final = 17  # a word of birth: a date may follow in words
    NUMBER: Final = 20  # three digits with light separators between them
    MIXED: Final = 21  # letters beside digits: codes and documents
    IBAN: Final = 22
    NINO: Final = 23
    DATE: Final = 24
    UK: Final = 25
    IP: Final = 26
    INTERNATIONAL: Final = 27
    SORT_CODE: Final = 28
    SSN: Final = 29
    LONG: Final = 30  # a number of `SHORTEST_UNNAMED` characters or more
    STREET: Final = 40


_SEPARATED = r"[ \t\-/_().\r\n]{0,3}"
_NUMBERS = "|".join(sorted(gate_words()))
_BEHIND = "|".join(sorted(FILLERS | again_words() | counted_words()))
_FACTORS, _ARTICLES = "|".join(sorted(factor_words())), "|".join(sorted(article_words()))
_WORDS: dict[int, str] = {
    Gate.DIGIT: r"[0-9]",
    Gate.AT: r"@",
    Gate.SPOKEN: (
        rf"(?:^|[^a-z])(?:{_NUMBERS})[\s,.;:\-/()]{{1,4}}(?:(?:{_NUMBERS}|{_BEHIND})(?:[^a-z]|$)|[0-9])|"
        rf"(?:^|[^a-z])(?:{_FACTORS})[\s,.;:\-/()]{{1,4}}(?:{_ARTICLES})[^a-z]"
    ),
    Gate.INTRODUCED: rf"{_START}(?:{INTRODUCTIONS})(?:\s*[:,\-=]\s*|\s+){_LETTER}",
    Gate.TITLE: rf"{_START}(?:{TITLES})\.?\s+(?:(?:{PARTICLES}) ){{0,3}}{_CAPITAL}",
    Gate.GREETED: rf"(?:^|[\n.!?]\s*)(?:{GREETINGS}),?\s+{_CAPITAL}",
    Gate.LOOSE: rf"{_START}(?:{LOOSE})\s+{_CAPITAL}",
    Gate.SECRET: (
        r"akia|asia[0-9a-z]|abia|acca|gh[pousr]_|github_pat|glpat-|xox[a-z]-|sk-|aiza|ya29|(?:sk|pk|rk|whsec)_|"
        r"sg\.[a-z0-9_\-]|npm_|pypi-|hf_|hr_|eyj|gl[a-z]{2,5}-|shp[acps][ats]_|do[opr]_v1|dapi[0-9a-f]|dckr_|hv[sbr]\.|age-secret|hooks\.slack|-----begin|bearer\s+[a-z0-9._~+/\-]|://[^\s:/@]+:|"
        r"(?:key|secret|token)[\"']?\s*(?:[:=]|is)\s*[\"']?[a-z0-9_\-./+=]"
    ),
    Gate.PASSWORD: r"pass|pasw|pwd|\bpw\b|\bpsw|pswd|kennwort|mdp|contrase|clave|parola|senha|palavra|wachtwoord|hasl",
    Gate.AT_WORD: rf"{AT}[a-z0-9]",
    Gate.TOP_LEVEL: rf"{DOT}{TOP}(?:[^a-z0-9]|$)",
    Gate.PROVIDER: rf"(?:{PROVIDERS}) ?(?:com|in|net|de|fr|it|es|pl|nl|co ?uk|com ?br){_STOP}",
    Gate.LOST_SIGNS: rf"(?:com|couk){_STOP}",
    Gate.MAIL: r"mail|correo|courriel|poczta|posta|correio",
    Gate.HEALTH: rough(health.CONDITION),
    Gate.DECLARED: rough(DECLARED),
    Gate.STREET_WORD: (
        rf" (?:{STREET_WORDS_EN}|{STREET_NAMES_EN}){_STOP}|{_START}(?:{STREET_WORDS_FIRST})(?:[^a-z]|$)|"
        rf"(?:{STREET_WORDS_LAST})[. ]|"
        rf"p\.? ?o\.? ?box|{_START}(?:c/|(?:an der|an den|unter den|auf de[rm]|hinter de[rm]|vor dem|am|im|zum|zur) )"
    ),
    Gate.BIRTH: rf"{_START}(?:{BIRTH})",
}
_FORMS: dict[int, str] = {
    Gate.NUMBER: rf"[0-9]{_SEPARATED}[0-9]{_SEPARATED}[0-9]",
    Gate.MIXED: r"[0-9][a-z]|[a-z]-?[0-9]",
    Gate.IBAN: r"(?:^|[^a-z0-9])(?:(?-i:[A-Z]{2})[ \-]?|[a-z]{2})[0-9][ \-]?[0-9][ \-.]?[a-z0-9]",
    Gate.NINO: r"(?:^|[^a-z0-9])[a-z]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[a-d](?:[^a-z0-9]|$)",
    Gate.DATE: (
        rf"[0-9][./\-]\s?[0-9]{{1,2}}[./\-]\s?[0-9]|"
        rf"[0-9](?:st|nd|rd|th|er|º|°|\.)?[ \-]?(?:of |de |den |d')?(?:{MONTHS})|(?:{MONTHS})\.? [0-9]"
    ),
    Gate.UK: r"(?:^|[^a-z0-9])[a-z]{1,2}(?:[0-9][a-z]|[0-9]{1,2}) ?[0-9][a-z]{2}(?:[^a-z0-9]|$)",
    Gate.IP: r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9a-f]:[0-9a-f]{0,4}:[0-9a-f]{0,4}",
    Gate.INTERNATIONAL: r"\+ ?[1-9]|(?:^|[^a-z0-9_])00 ?[1-9]",
    Gate.SORT_CODE: (
        r"sort(?: code)?(?: is|:)? [0-9]{2}[ \-][0-9]|"
        r"[0-9]{2}[ \-][0-9]{2}[ \-][0-9]{2}[\s,/;|]{1,3}[0-9]{8}"
    ),
    Gate.SSN: r"[0-9]{3}[\- .][0-9]{2}[\- .][0-9]{4}",
    Gate.LONG: rf"[0-9][0-9 \t\-/_().\r\n]{{{SHORTEST_UNNAMED - 2},}}[0-9]",
}
_MEMORY = 8 << 20  # octets each automaton may use; it grows as texts need it


def pattern_set(patterns: Iterable[str], memory: int = _MEMORY) -> "re2.Set":
    """A compiled `Set`, letters of either case. Raises re2.error for a pattern RE2 does not know."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    compiled = re2.Set.SearchSet(options)
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled


_WORD_SET, _FORM_SET = pattern_set(_WORDS.values()), pattern_set(_FORMS.values())
_STREET_SET = pattern_set([rough(pattern) for _, pattern in STREETS])
_FORM_BITS = tuple(_FORMS)
STREET_GATES = frozenset({Gate.DECLARED, *range(Gate.STREET, Gate.STREET + len(STREETS))})
"""Any of these: there may be an address."""
EVERY_GATE = frozenset(_WORDS) | frozenset(_FORMS) | STREET_GATES


def gates_of(plain: str) -> frozenset[int]:
    """The bits of a folded text without accents, in either case."""
    octets = plain.encode()
    words = _WORD_SET.Match(octets)
    if not words:
        # A month, a street or a postcode counts only beside a digit, so nothing else is left but an IPv6 address.
        return _NO_BITS if plain.count(":") < _COLONS else _ONLY_IP
    if Gate.DIGIT in words or plain.count(":") >= _COLONS:
        forms = _FORM_SET.Match(octets)
        if forms:
            words += [_FORM_BITS[at] for at in forms]
        streets = _STREET_SET.Match(octets) if Gate.STREET_WORD in words else None
        if streets:
            words += [Gate.STREET + at for at in streets]
    return frozenset(words)


_NO_BITS: frozenset[int] = frozenset()
_ONLY_IP = frozenset({Gate.IP})
_COLONS = 2
