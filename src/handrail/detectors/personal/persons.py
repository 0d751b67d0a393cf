"""PERSON where somebody is introduced: "my name is", "this is X speaking", greetings, titles. No list of names.

Lower-case text is read too: the words behind an introduction are a name unless they are common words.
"""

import re

from handrail.detectors.data.persons import CONNECTORS, GREETINGS, INTRODUCTIONS, LOOSE, NOT_NAMES, TITLES
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_NAME_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*\.?")
_NEXT = re.compile(r"[ ]{1,2}")
_INTRODUCED = re.compile(
    r"(?<!city )(?<!company )(?<!user )(?<!street )(?<!file )(?<!product )(?<!brand )(?<!domain )(?<!business )"
    r"(?<!town )"
    rf"(?<!\w)(?:{INTRODUCTIONS})(?:\s*[:,\-=]\s*|\s+)(?=[^\W\d_])"
)
_LOOSE = re.compile(rf"(?<!\w)(?:{LOOSE})\s+(?=[^\W\d_])")
_TITLE = re.compile(rf"(?<!\w)(?:{TITLES})\.?\s+(?=[^\W\d_])")
_GREETED = re.compile(rf"(?:^|[\n.!?]\s*)(?:{GREETINGS}),?\s+(?=[^\W\d_])")
_LONGEST = 4


def find_persons(page: Page, *, named: bool = True, strict: bool = True) -> list[Hit]:
    """PERSON behind an introduction (`named`); behind a title, greeting or "I'm" only with capitals (`strict`)."""
    hits: list[Hit] = []
    for start, end, reason in _introductions(page, named, strict):
        if end is not None and (reason != "introduced_loosely" or _full(page, start, end)):
            hits.append(Hit(Kind.PERSON, start, end, 0.85 if reason == "introduced" else 0.7, reason))
    return hits


def introduced(page: Page) -> list[tuple[int, int | None]]:
    """Where a name may begin behind an introduction, and its end so far, in order; for streams."""
    return sorted(((start, end) for start, end, _ in _introductions(page, True, True)), key=lambda span: span[0])


def _introductions(page: Page, named: bool, loose: bool) -> list[tuple[int, int | None, str]]:
    found: list[tuple[int, int | None, str]] = []
    for pattern, reason, strict in (
        (_INTRODUCED, "introduced", False),
        (_TITLE, "title", True),
        (_GREETED, "greeting", True),
        (_LOOSE, "introduced_loosely", True),
    ):
        if not (loose if strict else named):
            continue
        for match in pattern.finditer(page.low):
            if _sound(page, match.end(), reason):
                found.append((match.end(), _name(page, match.end(), strict=strict), reason))
    return found


def _full(page: Page, start: int, end: int) -> bool:
    """A loose introduction needs two names, or one and a sign of a call ("from", "here", "calling")."""
    if " " in page.text[start:end]:
        return True
    return (
        re.match(
            r"[ ,]+(?:from|here|calling|speaking|aus|hier|van|de|am apparat)\b|[.!,]?\s*$", page.low[end : end + 16]
        )
        is not None
    )


def _sound(page: Page, start: int, reason: str) -> bool:
    """Whether the word before a title or a dialect's article is no title: "dr" is a word in some dialects."""
    title = page.text[:start].split()[-1] if page.text[:start].split() else ""
    return reason != "title" or title[0].isupper() or title.endswith(".")


def _name(page: Page, start: int, *, strict: bool) -> int | None:
    """The end of a name that begins at `start`: up to four words; common words end it."""
    text, low = page.text, page.low
    at = start
    end: int | None = None
    capital = text[start : start + 1].isupper()
    if strict and not capital:
        return None
    for _ in range(_LONGEST):
        match = _NAME_WORD.match(text, at)
        if match is None:
            break
        word = low[match.start() : match.end()].rstrip(".")
        first = re.split(r"['’\-]", word)[0]
        stop = match.end() - (1 if match.group().endswith(".") and match.end() - match.start() > 2 else 0)
        connector = word in CONNECTORS and end is not None
        if not connector:
            if (word in NOT_NAMES or (first in NOT_NAMES and first != word)) and not (
                capital and match.group()[0].isupper() and end is not None
            ):
                break
            if capital and not match.group()[0].isupper():
                break
            end = stop
        if stop < match.end():
            break
        gap = _NEXT.match(text, match.end())
        if gap is None:
            break
        at = gap.end()
        if not capital and end is not None and _count(text, start, end) >= 2 and not connector:
            break
    return end


def _count(text: str, start: int, end: int) -> int:
    return len(text[start:end].split())


def gate() -> str:
    """An RE2 pattern that matches wherever somebody may be introduced by name, accents or not."""
    return r"(?:^|[^\pL])(?:" + _accents(INTRODUCTIONS) + r")[ \t:,=\-]*\s*\pL"


def strict_gate() -> str:
    """The same for titles, greetings and "I'm", before a capital letter."""
    return r"(?:^|[^\pL])(?:" + _accents("|".join((LOOSE, TITLES, GREETINGS))) + r")\.?,?\s+(?-i:\p{Lu})"


def _accents(words: str) -> str:
    return "".join(_FORMS.get(letter, letter) for letter in words.replace("\\.", "."))


_FORMS = {
    "e": "(?:e|è|é|ê|ë|ę)",
    "u": "(?:u|ü|ú)",
    "o": "(?:o|ó|ö|ò|ô)",
    "a": "(?:a|á|ã|à|ä|ą)",
    "c": "(?:c|ç|ć)",
    "n": "(?:n|ñ|ń)",
    "'": "['’]",
}
