"""PERSON where somebody is introduced: "my name is", "this is X speaking", greetings, titles. No list of names.

Lower-case text is read too: the words behind an introduction are a name unless they are common words.
"""

import re
from collections.abc import Sequence

import re2

from handrail.detectors.data.persons import CONNECTORS, GREETINGS, INTRODUCTIONS, LOOSE, NOT_NAMES, PARTICLES, TITLES
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_NAME_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*\.?")
_NEXT = re.compile(r"[ ]{1,2}")
_PARTICLES = re.compile(rf"(?:(?:{PARTICLES}) ){{1,3}}(?=[^\W\d_])")
"""What a family name may begin with in small letters: "mevrouw van den Broek"."""
_THINGS = ("city", "company", "user", "street", "file", "product", "brand", "domain", "business", "town")
_NOT_OF_A_PERSON = "".join(f"(?<!{word} )" for word in _THINGS)
_SHAPES = {
    "introduced": (rf"{_NOT_OF_A_PERSON}(?<!\w)", INTRODUCTIONS, r"(?:\s*[:,\-=]\s*|\s+)"),
    "title": (r"(?<!\w)", TITLES, r"\.?\s+"),
    "greeting": (r"(?:^|[\n.!?]\s*)", GREETINGS, r",?\s+"),
    "introduced_loosely": (r"(?<!\w)", LOOSE, r"\s+"),
}
"""By reason: what stands before, the words, what stands between them and the name."""
REASONS = tuple(_SHAPES)


_TITLE = re.compile(r"(?:mr|mrs|ms|dr|prof|sra?|srta|sig|dott|dhr|mevr|mme|mlle)(?![^\W_])")


def _patterns() -> "dict[str, tuple[re2.Pattern, re.Pattern[str]]]":
    """By reason: a sketch for RE2, which finds the places fast, and the exact pattern, tried only there."""
    options = re2.Options()
    options.log_errors = False
    return {
        reason: (
            re2.compile((before if reason == "greeting" else r"\b") + f"(?:{words}){between}", options),
            re.compile(rf"{before}(?:{words}){between}(?=[^\W\d_])"),
        )
        for reason, (before, words, between) in _SHAPES.items()
    }


_PATTERNS = _patterns()
_LONGEST = 4
_WHOLE_TITLE = 6  # letters of a title that is a word of its own, in small letters too: "mevrouw", "monsieur", "signora"
_TITLE_REACH = 48  # characters in which the last word ends


def find_persons(page: Page, reasons: Sequence[str] = REASONS) -> list[Hit]:
    """PERSON behind an introduction; behind a title, greeting or "I'm" only with capitals. `reasons`: which of them may
    stand in the text."""
    hits: list[Hit] = []
    for start, end, reason in _introductions(page, reasons):
        if end is not None and (reason != "introduced_loosely" or _full(page, start, end)):
            hits.append(Hit(Kind.PERSON, start, end, 0.85 if reason == "introduced" else 0.7, reason))
    return hits


def introduced(page: Page) -> list[tuple[int, int | None]]:
    """Where a name may begin behind an introduction, and its end so far, in order; for streams."""
    return sorted(((start, end) for start, end, _ in _introductions(page, REASONS)), key=lambda span: span[0])


def _introductions(page: Page, reasons: Sequence[str]) -> list[tuple[int, int | None, str]]:
    found: list[tuple[int, int | None, str]] = []
    for reason in REASONS:
        if reason not in reasons:
            continue
        sketch, exact = _PATTERNS[reason]
        for rough_match in sketch.finditer(page.low):
            match = exact.match(page.low, rough_match.start())
            if match is not None and _sound(page, match.end(), reason):
                found.append((match.end(), _name(page, match.end(), strict=reason != "introduced"), reason))
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
    if reason != "title":
        return True
    words = page.text[max(0, start - _TITLE_REACH) : start].split()
    if not words:
        return False
    return words[-1][0].isupper() or words[-1].endswith(".") or len(words[-1]) >= _WHOLE_TITLE


def _name(page: Page, start: int, *, strict: bool) -> int | None:
    """The end of a name that begins at `start`: up to four words; common words end it."""
    text, low = page.text, page.low
    at = start
    end: int | None = None
    particles = _PARTICLES.match(text, start)
    if particles is not None:
        at = particles.end()
    capital = text[at : at + 1].isupper()
    if strict and (not capital or _TITLE.match(low, at) is not None):
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
