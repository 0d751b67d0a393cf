"""Whether the end of a stream may still become a finding: one google-re2 pattern over the raw characters.

Wider than the gates of a whole text, since what is to come is not known: a word that may open a name, a number, an
address or a credential is enough. Read before folding, so letters may carry accents and characters that folding
changes count themselves. Raises nothing.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from handrail.detectors.data.numbers import FILLERS
from handrail.detectors.data.persons import GREETINGS, INTRODUCTIONS, LOOSE, PARTICLES, TITLES
from handrail.detectors.personal.gates import pattern_set
from handrail.detectors.spoken import again_words, article_words, factor_words, few_words, gate_pattern

if TYPE_CHECKING:
    import re2

_FORMS = {
    "e": "(?:e|è|é|ê|ë|ę)",
    "u": "(?:u|ü|ú)",
    "o": "(?:o|ó|ö|ò|ô)",
    "a": "(?:a|á|ã|à|ä|ą)",
    "c": "(?:c|ç|ć)",
    "n": "(?:n|ñ|ń)",
    "'": "['’]",
}


def _accents(words: str) -> str:
    return "".join(_FORMS.get(letter, letter) for letter in words.replace("\\.", "."))


_NUMBERS = rf"(?:{gate_pattern()})"
_FACTORS = (
    rf"(?:^|[^\pL])(?:{_accents('|'.join(sorted(factor_words())))}|"
    rf"(?:{_accents('|'.join(sorted(few_words())))})[\s\-]{{1,3}}(?:{'|'.join(sorted(again_words()))}))"
    rf"(?:[\s,.\-]+(?:{'|'.join(sorted(article_words()))}))?"
)
"""What makes several of the number behind it. "Three times a week" is over with "a week"."""
_WATCHED = (
    r"[0-9]",
    r"@",
    rf"(?:^|[^\pL]){_NUMBERS}[\s,.\-]{{1,3}}(?:(?:{_NUMBERS}|{'|'.join(sorted(FILLERS))})(?:[^\pL]|$)|[0-9])",
    rf"{_FACTORS}[\s,.\-]+(?:(?:{_NUMBERS})(?:[^\pL]|$)|[0-9])",
    rf"{_FACTORS}[\s,.\-]*(?:\s\pL*)?$",
    rf"(?:^|[^\pL])(?:{_accents(INTRODUCTIONS)})[ \t:,=\-]*\s*\pL",
    (
        rf"(?:^|[^\pL])(?:{_accents('|'.join((LOOSE, TITLES, GREETINGS)))})\.?,?\s+"
        rf"(?:(?:{PARTICLES}) ){{0,3}}(?-i:\p{{Lu}})"
    ),
    r"pass|pasw|pwd|\bpw\b|\bpsw|kennwort|mdp|contrase|clave|parola|senha|palavra|wachtwoord|has[lł]",
    (
        r"(?:[^\pL](?:at|dot|[aä]t|arobas|arobase|arroba|klammeraffe|chiocciola|apenstaartje|ma[lł]pa|punkt|kropka)[^\pL])|"
        r"[\[({](?:at|dot)|gmail|yahoo|hotmail|outlook|e-?mail|mail|correo|courriel|poczta|posta"
    ),
    (
        r"%[0-9a-f]{2}|&[#a-z]|-----|[\[({<](?:at|dot|punkt)|"
        r"[^\x00-\x7f\x{a0}-\x{17e}\x{2010}-\x{201f}\x{2026}\x{20ac}]|"
        r"[\x{aa}\x{b2}\x{b3}\x{b9}\x{ba}\x{bc}-\x{be}\x{ad}]"
    ),
    r"bearer|\S{20}",  # a long word may be a credential
)


@lru_cache(maxsize=1)
def _watch() -> "re2.Set":
    """Compiled at its first use, 40 ms: a server is ready before it."""
    return pattern_set(["|".join(f"(?:{pattern})" for pattern in _WATCHED)])


def may_open(tail: str) -> bool:
    """Whether a finding may begin in the last characters of a stream, as they arrived."""
    return bool(_watch().Match(tail))
