"""Whether a text speaks of a value: literally, in another format, spoken, or by describing the object it names; pure.

What a text says is compared in a plain form that the reader gives (lower case, no accents, spoken numbers as digits).
It errs towards "not said": then a value counts as unknown and the action holds.
"""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Protocol

from handrail.policy.known import Thing

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,' ]\d{3})*(?:[.,]\d{1,2})?(?!\d)|\d+(?:\.\d+)?")
_CURRENCY = frozenset(
    {
        "eur", "euro", "euros", "usd", "us", "dollar", "dollars", "gbp", "pound", "pounds", "chf", "franken", "francs",
        "pln", "zloty", "zlotych", "cad", "aud", "sek", "nok", "dkk", "kr", "jpy", "yen", "czk", "huf", "rs", "inr",
        "rupees", "real", "reais", "brl",
    }
)  # fmt: skip
"""Letters that may touch an amount ("40eur")."""
_BEFORE = re.compile(r"([^\W\d_]+|[\w][-_/:.]|#\s*)$")
_AFTER = re.compile(r"([^\W\d_]+|\s*%|[-_/:]\w)")
_SQUEEZE = re.compile(r"[\W_]+")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})$")
_AT = re.compile(r"\s+(?:at|arroba|chiocciola|arobase|klammeraffe|apenstaartje|malpa)\s+")
_DOT = re.compile(r"\s+(?:dot|punto|punkt|point|ponto|punt|kropka)\s+")
LONG_ENOUGH = 5
"""Letters and digits from which an identifier is looked for without its separators."""
MOST_WORDS = 0.6
"""Share of the words by which an object is described that must stand in the text."""
_JOINS = frozenset("-_./@+")
_RUN = re.compile(r"\d+|\D+")
_SHORT = {
    "st": "street", "ave": "avenue", "av": "avenue", "rd": "road", "blvd": "boulevard", "dr": "drive", "ln": "lane",
    "ct": "court", "pl": "place", "sq": "square", "hwy": "highway", "pkwy": "parkway", "apt": "apartment",
    "ste": "suite", "fl": "floor", "n": "north", "s": "south", "e": "east", "w": "west", "str": "strasse",
    "straße": "strasse", "c": "calle",
}  # fmt: skip
"""Short forms in addresses."""


class HeardIn(Protocol):
    """What a reply says; `detectors.assent.Heard`."""

    @property
    def yes(self) -> bool: ...
    @property
    def no(self) -> bool: ...
    @property
    def wait(self) -> bool: ...
    @property
    def asks(self) -> bool: ...
    @property
    def everything(self) -> bool: ...
    @property
    def cannot(self) -> bool: ...
    @property
    def compares(self) -> bool: ...


class Reader(Protocol):
    """Reads natural language; `detectors.assent`."""

    def hear(self, text: str) -> HeardIn: ...

    def plain(self, text: str) -> str: ...


class Wording:
    """One text, ready to be asked. Built once per message and decision."""

    def __init__(self, plain: str) -> None:
        self.plain = plain

    @cached_property
    def _spelled(self) -> str:
        """With addresses as they are spelled ("jo at example dot com") in signs."""
        return self.plain if "@" in self.plain else _DOT.sub(".", _AT.sub("@", self.plain))

    @cached_property
    def words(self) -> frozenset[str]:
        found = _WORD.findall(self.plain)
        return frozenset(found) | {word[:-1] for word in found if len(word) > 3 and word.endswith("s")}

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(_stem(word) for word in self.words)

    @cached_property
    def _without_separators(self) -> tuple[str, list[int]]:
        """The letters and digits alone, and where each stands."""
        places = [place for place, sign in enumerate(self.plain) if sign.isalnum()]
        return "".join([self.plain[place] for place in places]), places

    @cached_property
    def numbers(self) -> frozenset[Decimal]:
        return frozenset(number for text in _NUMBER.findall(self.plain) for number in readings(text))

    @cached_property
    def amounts(self) -> frozenset[Decimal]:
        """Numbers that may be sums of money: no part of a code ("A1001", "#1001"), of a date or time, no per cent."""
        found = [match for match in _NUMBER.finditer(self.plain) if self._stands_alone(match.start(), match.end())]
        return frozenset(number for match in found for number in readings(match.group()))

    def _stands_alone(self, start: int, end: int) -> bool:
        before, after = _BEFORE.search(self.plain[max(0, start - 12) : start]), _AFTER.match(self.plain, end)
        return (before is None or before.group(1) in _CURRENCY) and (after is None or after.group(1) in _CURRENCY)

    def states(self, amount: Decimal) -> bool:
        """Whether the text states the sum, in major units."""
        return amount in self.amounts

    def says(self, value: Any) -> bool:
        """Whether the text states the value itself."""
        if isinstance(value, bool) or value is None:
            return False
        if isinstance(value, int | float):
            return Decimal(str(value)) in self.numbers
        text = str(value).casefold().strip()
        if not text:
            return False
        if any(sign.isspace() for sign in text):
            return self._says_phrase(text)
        squeezed = _SQUEEZE.sub("", text)
        if "@" in text:
            return self._says_word(text)
        if any(sign.isdigit() for sign in squeezed):
            return self._says_code(text, squeezed)
        return self._says_word(text)

    def _says_code(self, text: str, squeezed: str) -> bool:
        dated = _DATE.match(text)
        if dated is not None and self._says_date(*dated.groups()):
            return True
        if len(squeezed) >= LONG_ENOUGH:
            return self._says_spaced(squeezed)
        parts = _RUN.findall(squeezed)
        if len(parts) > 1:
            return self._says_short(parts)
        if squeezed in self.words:
            return True
        number = _decimal(text)
        return number is not None and number in self.numbers

    def _says_spaced(self, squeezed: str) -> bool:
        """The code with whatever people put between its signs, and nothing of a longer one around it."""
        text, places = self._without_separators
        at = text.find(squeezed)
        while at >= 0:
            start, end = places[at], places[at + len(squeezed) - 1] + 1
            if _bounded(self.plain, start, end) and not (squeezed.isdigit() and self._grouped(start, end)):
                return True
            at = text.find(squeezed, at + 1)
        return False

    def _grouped(self, start: int, end: int) -> bool:
        """Whether a number written in groups goes on before or after: `1111 1111` of a card."""
        apart = not self.plain[start:end].isalnum()
        return apart and (_digit_at(self.plain, start - 2) or _digit_at(self.plain, end + 1))

    def _says_short(self, parts: Sequence[str]) -> bool:
        """A short code such as A-77: its letters and digits side by side, or with one sign between them."""
        pattern = re.compile(r"[-_./#]?".join(parts))
        return any(_bounded(self.plain, found.start(), found.end()) for found in pattern.finditer(self.plain))

    def _says_date(self, year: str, month: str, day: str) -> bool:
        figures = {word.lstrip("0").rstrip("stndrh") for word in self.words if word[:1].isdigit()}
        named = any(word in self.words for word in _MONTHS[int(month) - 1]) if 1 <= int(month) <= 12 else False
        return day.lstrip("0") in figures and (named or (month.lstrip("0") in figures and year in figures))

    def _says_word(self, text: str) -> bool:
        """A word as it stands: `new_password` is not said by "a new password", nor an address by a longer one."""
        ends, plain = _bounded if not text.isalpha() else _apart, self._spelled if "@" in text else self.plain
        start = plain.find(text)
        while start >= 0:
            if ends(plain, start, start + len(text)):
                return True
            start = plain.find(text, start + 1)
        return text in self.words

    def _says_phrase(self, text: str) -> bool:
        """Every word of it, in any order; of an address also by its usual short form."""
        parts = _WORD.findall(text)
        return bool(parts) and all(part in self.words or _SHORT.get(part, part) in self._in_full for part in parts)

    @cached_property
    def _in_full(self) -> frozenset[str]:
        return frozenset(_SHORT.get(word, word) for word in self.words)

    def quotes(self, value: Any) -> bool:
        """Whether the text states the value as a record does: like `says`, a phrase in its own words and order."""
        if not isinstance(value, str) or not any(sign.isspace() for sign in value.strip()):
            return self.says(value)
        wanted = " ".join(value.casefold().split())
        text = " ".join(self.plain.split())
        at = text.find(wanted)
        while at >= 0:
            if _bounded(text, at, at + len(wanted)):
                return True
            at = text.find(wanted, at + 1)
        return False

    def _hints(self, word: str) -> bool:
        """Whether a text describes an object by this: of several words most, its numbers all."""
        parts = _WORD.findall(word.casefold())
        if len(parts) < 2 or not any(sign.isspace() for sign in word):
            return self.says(word)
        figures = [part for part in parts if part[0].isdigit()]
        return all(part in self.words for part in figures) and (
            sum(part in self.words for part in parts) >= MOST_WORDS * len(parts)
        )

    def fit(self, thing: Thing) -> int:
        """How well the text describes the object; 0 = not at all. Its label counts 2 (3 in full), each other thing that
        describes it 1. An object without a label is described by any of its words."""
        if not thing.label:
            return sum(self._calls(word) > 0 for word in thing.words)
        return self._calls(thing.label) + sum(self._hints(word) for word in thing.words)

    def _calls(self, name: str) -> int:
        """3 for the full name, 2 for its last word ("the lamp"), else 0."""
        parts = [_stem(part) for part in _WORD.findall(name.casefold().replace("_", " "))]
        if not parts or parts[-1] not in self._stems:
            return 0
        return 3 if all(part in self._stems for part in parts) else 2

    def names(self, thing: Thing) -> bool:
        """Whether the text says what the object is called, or all of two and more things that describe it ("Mastercard
        ending in 1531")."""
        if not thing.label:
            return self.fit(thing) > 0
        return self._calls(thing.label) > 0 or (len(thing.words) > 1 and all(self._hints(word) for word in thing.words))

    def designates(self, thing: Thing, rivals: Sequence[Thing]) -> bool:
        """Whether the text describes this object better than any other that could have been meant. Among others of the
        same label the label may be left out ("the silver one")."""
        if not rivals:
            return self.names(thing)
        fit = self.fit(thing)
        return fit > 0 and all(self.fit(rival) < fit for rival in rivals)


class Readings:
    """What was read of one conversation's texts, each once; thrown away with it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._wordings: dict[str, Wording] = {}
        self._heard: dict[str, HeardIn] = {}

    def wording(self, text: str) -> Wording:
        found = self._wordings.get(text)
        if found is None:
            found = self._wordings[text] = Wording(self._reader.plain(text))
        return found

    def hear(self, text: str) -> HeardIn:
        found = self._heard.get(text)
        if found is None:
            found = self._heard[text] = self._reader.hear(text)
        return found


def _apart(text: str, start: int, end: int) -> bool:
    return not (_alnum_at(text, start - 1) or _alnum_at(text, end))


def _bounded(text: str, start: int, end: int) -> bool:
    """Whether what stands there is whole: no letter or digit around it, nor one joined by a sign that codes and
    addresses have."""
    if not _apart(text, start, end):
        return False
    before = start > 1 and text[start - 1] in _JOINS and _alnum_at(text, start - 2)
    after = end < len(text) and text[end] in _JOINS and _alnum_at(text, end + 1)
    return not before and not after


def _digit_at(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isdigit()


def _alnum_at(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isalnum()


def readings(text: str) -> set[Decimal]:
    """What a written number may mean: `1,000.50`, `1.000,50`, `1 000`."""
    bare = text.replace(" ", "").replace("'", "")
    candidates = {bare.replace(",", ""), bare.replace(".", "").replace(",", ".")}
    return {number for candidate in candidates if (number := _decimal(candidate)) is not None}


def mentioned(value: Any, wordings: Sequence[Wording]) -> int | None:
    """Place of the last of the texts that states the value, or None."""
    return next((place for place in range(len(wordings) - 1, -1, -1) if wordings[place].says(value)), None)


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _stem(word: str) -> str:
    for ending in ("es", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)]
    return word.removesuffix("e")


_MONTHS = tuple(
    frozenset(names.split())
    for names in (
        "january jan januar janvier enero gennaio janeiro januari stycznia",
        "february feb februar fevrier febrero febbraio fevereiro februari lutego",
        "march mar marz maerz mars marzo marco maart marca",
        "april apr avril abril aprile kwietnia",
        "may mai mayo maggio maio mei maja",
        "june jun juni juin junio giugno junho czerwca",
        "july jul juli juillet julio luglio julho lipca",
        "august aug aout agosto augustus sierpnia",
        "september sep sept septembre septiembre settembre setembro wrzesnia",
        "october oct oktober octobre octubre ottobre outubro pazdziernika",
        "november nov novembre noviembre novembro listopada",
        "december dec dezember decembre diciembre dicembre dezembro grudnia",
    )
)
