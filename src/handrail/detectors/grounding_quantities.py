"""Quantities in a text, in one measure for all languages: numbers, amounts, durations, dates, weekdays, times.

`1.234,56` and `1,234.56` are read both ways where both are possible; `two weeks`, `zwei Wochen` and `14 days` are one
duration; `12 March`, `12. März`, `2026-03-12` and `12.03.` are one date. Data: `data/grounding/quantities.json`.
Pure and linear in the length of the text.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from handrail.detectors.grounding_words import LANGUAGES, Token, data, fold

_SIGNS = "€$£₹"
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}):(\d{2}))?")
_NUMERIC = re.compile(r"(?<![\d.,/-])(\d{1,2})([./-])(\d{1,2})(?:\2(\d{4}|\d{2})(?!\d)|\.(?!\d)|(?![\d./-]))")
_CLOCK = re.compile(
    r"(?<![\d.,])(\d{1,2})(?:[:.h](\d{2}))?\s*(a\.?m\.?|p\.?m\.?|uhr|h\b|uur|o'clock)|(?<![\d.,:])(\d{1,2}):(\d{2})(?![\d:])"
)
_GROUPED = re.compile(r"^\d{1,3}(?:[.,]\d{3})+$")


class Quantity(NamedTuple):
    """One quantity. `kind`: number, amount, date, weekday, time, or the measure of a unit (`second`, `month`, ...).
    `values`: the readings it may have; dates are (year or 0, month, day or 0), times minutes of the day.
    `unit`: an ISO 4217 code for amounts, else empty. `start`, `end`: where it stands."""

    kind: str
    values: frozenset[object]
    unit: str
    start: int
    end: int


class _Words(NamedTuple):
    numbers: dict[str, int]
    months: dict[str, int]
    weekdays: dict[str, int]
    units: dict[str, tuple[str, int]]
    working: frozenset[str]
    currencies: dict[str, str]


@lru_cache(maxsize=16)
def _words(language: str) -> _Words:
    rows = data("quantities.json")
    spoken = language if language in LANGUAGES else "en"

    def ordered(name: str) -> dict[str, int]:
        both = {}
        for each in dict.fromkeys(("en", spoken)):
            for place, names in enumerate(fold(rows[name][each]).split("|")):
                both.update({word: place for word in names.split() if len(word) > 2 or each != "en"})
        return both

    numbers = {}
    for each in dict.fromkeys(("en", spoken)):
        numbers.update({w: int(n) for w, n in (pair.split("=") for pair in fold(rows["numbers"][each]).split())})
    if spoken in ("de", "nl"):
        numbers.update(_joined(numbers, "und" if spoken == "de" else "en"))
    units = {}
    for measure, names in rows["units"].items():
        kind, factor = measure.split(":")
        units.update({word: (kind, int(factor)) for word in fold(names).split()})
    currencies = {word: code for code, names in rows["currencies"].items() for word in fold(names).split()}
    return _Words(
        numbers, ordered("months"), ordered("weekdays"), units, frozenset(fold(rows["working"]).split()), currencies
    )


def _joined(numbers: dict[str, int], link: str) -> dict[str, int]:
    """`vierundzwanzig`, `vierentwintig`: units before tens in one word."""
    ones = {"ein": 1, "een": 1} | {w: n for w, n in numbers.items() if 2 <= n <= 9}
    tens = {w: n for w, n in numbers.items() if 20 <= n <= 90}
    return {one + link + ten: m + n for one, m in ones.items() for ten, n in tens.items()}


def readings(number: str) -> frozenset[object]:
    """The values that a written number can have: `1.234` is 1234 and 1.234; `1.234,56` is 1234.56 only."""
    found: set[object] = set()
    point, comma = number.rfind("."), number.rfind(",")
    if point >= 0 and comma >= 0:
        thousands = "," if point > comma else "."
        number = number.replace(thousands, "").replace(",", ".")
        return frozenset({float(number)}) if number.count(".") <= 1 else frozenset()
    if point < 0 and comma < 0:
        return frozenset({float(number)}) if number.isdigit() and len(number) < 19 else frozenset({number})
    if _GROUPED.match(number):
        found.add(float(number.replace(".", "").replace(",", "")))
    plain = number.replace(",", ".")
    if plain.count(".") == 1:
        found.add(float(plain))
    return frozenset(found or {number})


@lru_cache(maxsize=16)
def ordinals(language: str) -> dict[str, float]:
    """Words that can carry a number without stating a quantity: `first`, `both`, and the article that is also one."""
    rows = data("quantities.json")["ordinals"]
    spoken = language if language in LANGUAGES else "en"
    pairs = (pair.split("=") for each in dict.fromkeys(("en", spoken)) for pair in fold(rows[each]).split())
    return {word: float(value) for word, value in pairs}


def quantities(folded: str, words: list[Token], language: str) -> list[Quantity]:
    """Every quantity of a folded text, by place. `words`: its tokens, with offsets into `folded`."""
    known = _words(language)
    taken: list[Quantity] = []
    if any(c.isdigit() for c in folded):
        taken = [*_written_dates(words, known), *_iso_dates(folded)]
        taken += [q for q in _numeric_dates(folded, language) if not _within(q, taken)]
        taken += [q for q in _clock_times(folded) if not _within(q, taken)]
    numbers = [q for q in _numbers(folded, words, known) if not _within(q, taken)]
    return sorted([*taken, *numbers, *_weekdays(words, known, folded)], key=lambda q: q.start)


def _within(quantity: Quantity, taken: Iterable[Quantity]) -> bool:
    return any(q.start < quantity.end and quantity.start < q.end for q in taken)


def _iso_dates(folded: str) -> Iterator[Quantity]:
    for m in _ISO.finditer(folded):
        year, month, day = int(m[1]), int(m[2]), int(m[3])
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield Quantity("date", frozenset({(year, month, day)}), "", m.start(), m.start() + 10)
            if m[4]:
                yield Quantity("time", frozenset({int(m[4]) * 60 + int(m[5])}), "", m.start(4), m.end(5))


def _numeric_dates(folded: str, language: str) -> Iterator[Quantity]:
    """`12.03.2026`, `12/03/2026` (both orders where both are possible), `12.03.`; without a year only with dots or
    slashes and never where the pair can be a decimal number in this language."""
    for m in _NUMERIC.finditer(folded):
        one, two, mark = int(m[1]), int(m[3]), m[2]
        if m[4] is None and (mark == "-" or (mark == "." and not m.group().endswith("."))):
            continue
        if m[4] is None and (len(m[3]) == 1 or (mark == "/" and two > 12 and one > 12)):
            continue
        year = 0 if m[4] is None else int(m[4]) + (2000 if len(m[4]) == 2 else 0)
        orders = {(year, two, one), (year, one, two)} if mark == "/" else {(year, two, one)}
        values = frozenset(v for v in orders if 1 <= v[1] <= 12 and 1 <= v[2] <= 31)
        if values:
            yield Quantity("date", values, "", m.start(), m.end())


def _written_dates(words: list[Token], known: _Words) -> Iterator[Quantity]:
    """A month by name with a day before or after it, and a year within two words."""
    for place, token in enumerate(words):
        month = known.months.get(token.word)
        if month is None:
            continue
        day, start, end = 0, token.start, token.end
        for near in (place - 1, place - 2):
            if near >= 0 and not day:
                day, start = (_day(words[near].word), words[near].start) if _day(words[near].word) else (0, start)
                if words[near].word not in ("de", "of", "th", "st", "nd", "rd"):
                    break
        after = place + 1
        if not day and after < len(words) and _day(words[after].word):
            day, end = _day(words[after].word), words[after].end
            after += 2 if after + 1 < len(words) and words[after + 1].word in ("th", "st", "nd", "rd") else 1
        year = 0
        for near in (after, after + 1):
            if near < len(words) and len(words[near].word) == 4 and words[near].word.isdigit():
                year, end = int(words[near].word), words[near].end
                break
            if near < len(words) and words[near].word not in ("de", "of", "do"):
                break
        if day or year or len(token.word) > 3:
            if not day and not year and token.word in ("may", "march", "mars", "mar", "mai", "set", "dec", "maja"):
                continue
            yield Quantity("date", frozenset({(year, month + 1, day)}), "", start, end)


def _day(word: str) -> int:
    return int(word) if word.isdigit() and len(word) <= 2 and 1 <= int(word) <= 31 else 0


def _clock_times(folded: str) -> Iterator[Quantity]:
    for m in _CLOCK.finditer(folded):
        hour, minute, half = int(m[1] or m[4]), int(m[2] or m[5] or 0), m[3] or ""
        if hour > 24 or minute > 59:
            continue
        if half[:1] == "p" and hour < 12:
            hour += 12
        elif half[:1] == "a" and hour == 12:
            hour = 0
        yield Quantity("time", frozenset({hour * 60 + minute}), "", m.start(), m.end())


def _weekdays(words: list[Token], known: _Words, folded: str) -> Iterator[Quantity]:
    """Days of the week; `Monday to Friday` is all five. A short name counts only when it stands in a range."""
    last: tuple[int, Token] | None = None
    for token in words:
        day = known.weekdays.get(token.word)
        if day is None:
            continue
        between = folded[last[1].end : token.start].strip(" .") if last else ""
        ranged = last is not None and between in (
            "-",
            "to",
            "bis",
            "a",
            "al",
            "au",
            "tot",
            "t/m",
            "do",
            "through",
            "until",
            "-feira a",
        )
        if last is not None and ranged:
            span = frozenset((last[0] + step) % 7 for step in range((day - last[0]) % 7 + 1))
            yield Quantity("weekday", span, "", last[1].start, token.end)
        elif len(token.word) > 3:
            yield Quantity("weekday", frozenset({day}), "", token.start, token.end)
        last = (day, token)


def _numbers(folded: str, words: list[Token], known: _Words) -> Iterator[Quantity]:
    """Numbers in digits or words with the unit, currency or percent sign that stands by them."""
    place = 0
    while place < len(words):
        token = words[place]
        values, following = _value(words, place, known)
        if values is None:
            place = following
            continue
        last = words[following - 1]
        kind, unit, factor, end = "number", "", 1, last.end
        sign_before = folded[max(0, token.start - 2) : token.start].strip()[-1:]
        rest = folded[last.end : last.end + 2].strip()[:1]
        after = words[following] if following < len(words) and words[following].start - last.end <= 3 else None
        before = words[place - 1] if place and token.start - words[place - 1].end <= 2 else None
        measure = None
        if after is not None and after.word in known.working:
            nxt = words[following + 1] if following + 1 < len(words) else None
            if nxt is not None and known.units.get(nxt.word, ("", 0))[0] == "second":
                measure, end = ("working", 1), nxt.end
        elif after is not None and after.word in known.units:
            measure, end = known.units[after.word], after.end
            nxt = words[following + 1] if following + 1 < len(words) else None
            if measure == ("second", 86400) and nxt is not None and nxt.word in known.working:
                measure, end = ("working", 1), nxt.end
        if rest == "%":
            measure, end = ("percent", 1), folded.index("%", last.end) + 1
        if sign_before and sign_before in _SIGNS:
            kind, unit = "amount", known.currencies[sign_before]
        elif rest and rest in _SIGNS:
            kind, unit, end = "amount", known.currencies[rest], last.end + 2
        elif after is not None and after.word in known.currencies:
            kind, unit, end = "amount", known.currencies[after.word], after.end
        elif before is not None and before.word in known.currencies:
            kind, unit = "amount", known.currencies[before.word]
        elif measure is not None:
            kind, factor = measure
            if kind in ("million", "billion"):
                kind, factor = "number", 1_000_000 if kind == "million" else 1_000_000_000
        if factor != 1:
            values = frozenset(v * factor if isinstance(v, float) else v for v in values)
        yield Quantity(kind, values, unit, token.start, min(end, len(folded)))
        place = following


def _value(words: list[Token], place: int, known: _Words) -> tuple[frozenset[object] | None, int]:
    """The number that begins at `place`, or None; and the place after it. Joins `twenty four`, `two hundred`."""
    word = words[place].word
    if word[0].isdigit():
        return readings(word), place + 1
    value = known.numbers.get(word)
    if value is None:
        return None, place + 1
    following = place + 1
    while following < len(words) and words[following].start - words[following - 1].end <= 1:
        more = known.numbers.get(words[following].word)
        if more is None:
            break
        if more in (100, 1000) and value < more:
            value *= more
        elif (value >= 20 and more < 10 and value % 10 == 0) or (value >= 100 and more < 100):
            value += more
        else:
            break
        following += 1
    return frozenset({float(value)}), following
