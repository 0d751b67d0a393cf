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
_MULTIPLES = {"million": 1_000_000, "billion": 1_000_000_000}
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}):(\d{2}))?")
_NUMERIC = re.compile(r"(\d{1,2})([./])(\d{1,2})(?:\2(\d{4}|\d{2})(?!\d)|\.(?!\d)|(?![\d./-]))")
_CLOCK = re.compile(r"(\d{1,2})(?:(?:[:.h](\d{2}))?\s?(a\.?m\b|p\.?m\b|uhr\b|h\b|uur\b|o'clock)|:(\d{2})(?![\d:]))")
_RANGE_WORDS = frozenset(("-", "to", "bis", "a", "al", "au", "tot", "t/m", "do", "through", "until", "-feira a"))
_LINKS = ("de", "of", "do", "th", "st", "nd", "rd")
_ALSO_WORDS = frozenset(("may", "march", "mars", "mar", "mai", "set", "dec", "maja"))
"""Months that are also other words: they need a day or a year."""
_PLAIN = re.compile(r"\d{1,18}(?:[.,]\d{1,18}){0,6}$")
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
    marks: frozenset[str]


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
    months, weekdays = ordered("months"), ordered("weekdays")
    working = frozenset(fold(rows["working"]).split())
    marks = frozenset((*numbers, *months, *weekdays))
    return _Words(numbers, months, weekdays, units, working, currencies, marks)


def _joined(numbers: dict[str, int], link: str) -> dict[str, int]:
    """`vierundzwanzig`, `vierentwintig`: units before tens in one word."""
    ones = {"ein": 1, "een": 1} | {w: n for w, n in numbers.items() if 2 <= n <= 9}
    tens = {w: n for w, n in numbers.items() if 20 <= n <= 90}
    return {one + link + ten: m + n for one, m in ones.items() for ten, n in tens.items()}


def readings(number: str) -> frozenset[object]:
    """The values that a written number can have: `1.234` is 1234 and 1.234; `1.234,56` is 1234.56 only."""
    if not _PLAIN.match(number):
        return frozenset({number})
    if number.isdecimal():
        return frozenset({float(number)})
    point, comma = number.rfind("."), number.rfind(",")
    if point >= 0 and comma >= 0:
        thousands = "," if point > comma else "."
        plain = number.replace(thousands, "").replace(",", ".")
        return frozenset({float(plain)}) if plain.count(".") == 1 else frozenset({number})
    found: set[object] = set()
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
    marks = known.marks
    hits = [n for n, t in enumerate(words) if t[0] in marks or t[0][0].isdecimal()]
    if not hits:
        return []
    taken = list(_written_dates(words, hits, known))
    blocked = _places(taken)
    for q in _formatted(folded, words, hits):
        if q.start not in blocked and q.end - 1 not in blocked:
            taken.append(q)
            blocked.update(range(q.start, q.end))
    taken += (q for q in _numbers(folded, words, hits, known) if q.start not in blocked)
    taken += _weekdays(words, hits, known, folded)
    taken.sort(key=_start)
    return taken


def _start(quantity: Quantity) -> int:
    return quantity.start


def _places(taken: Iterable[Quantity]) -> set[int]:
    return {place for q in taken for place in range(q.start, q.end)}


def _formatted(folded: str, words: list[Token], hits: list[int]) -> Iterator[Quantity]:
    """Dates and times that are written in digits."""
    done = 0
    for place in hits:
        start = words[place].start
        if start < done or not words[place].word[0].isdecimal():
            continue
        for read in (_iso_date, _numeric_date, _clock_time):
            made = read(folded, start)
            if made:
                done = made[-1].end
                yield from made
                break


def _iso_date(folded: str, start: int) -> list[Quantity]:
    m = _ISO.match(folded, start)
    if m is None:
        return []
    year, month, day = int(m[1]), int(m[2]), int(m[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return []
    made = [Quantity("date", frozenset({(year, month, day)}), "", start, start + 10)]
    if m[4]:
        made.append(Quantity("time", frozenset({int(m[4]) * 60 + int(m[5])}), "", m.start(4), m.end(5)))
    return made


def _numeric_date(folded: str, start: int) -> list[Quantity]:
    """`12.03.2026`, `12/03/2026` (both orders where both are possible), `12.03.`; without a year never where the pair
    can be a decimal number or a range."""
    m = _NUMERIC.match(folded, start)
    if m is None or (start and folded[start - 1] in "/-"):
        return []
    one, two, mark = int(m[1]), int(m[3]), m[2]
    if m[4] is None and (len(m[3]) == 1 or (mark == "." and not m.group().endswith("."))):
        return []
    year = 0 if m[4] is None else int(m[4]) + (2000 if len(m[4]) == 2 else 0)
    orders = {(year, two, one), (year, one, two)} if mark == "/" else {(year, two, one)}
    values = frozenset(v for v in orders if 1 <= v[1] <= 12 and 1 <= v[2] <= 31)
    return [Quantity("date", values, "", start, m.end())] if values else []


def _clock_time(folded: str, start: int) -> list[Quantity]:
    m = _CLOCK.match(folded, start)
    if m is None:
        return []
    hour, minute, half = int(m[1]), int(m[2] or m[4] or 0), m[3] or ""
    if hour > 24 or minute > 59:
        return []
    if half[:1] == "p" and hour < 12:
        hour += 12
    elif half[:1] == "a" and hour == 12:
        hour = 0
    return [Quantity("time", frozenset({hour * 60 + minute}), "", start, m.end())]


def _written_dates(words: list[Token], hits: list[int], known: _Words) -> Iterator[Quantity]:
    """A month by name with a day before or after it, and a year within two words."""
    months = known.months
    for place in [n for n in hits if words[n][0] in months]:
        token = words[place]
        month, day, start, end = months[token.word], 0, token.start, token.end
        for near in (place - 1, place - 2):
            if near >= 0 and not day:
                day, start = (_day(words[near].word), words[near].start) if _day(words[near].word) else (0, start)
                if words[near].word not in _LINKS:
                    break
        after = place + 1
        if not day and after < len(words) and _day(words[after].word):
            day, end = _day(words[after].word), words[after].end
            after += 2 if after + 1 < len(words) and words[after + 1].word in ("th", "st", "nd", "rd") else 1
        year = 0
        for near in (after, after + 1):
            if near < len(words) and len(words[near].word) == 4 and words[near].word.isdecimal():
                year, end = int(words[near].word), words[near].end
                break
            if near < len(words) and words[near].word not in _LINKS:
                break
        if day or year or len(token.word) > 3:
            if not day and not year and token.word in _ALSO_WORDS:
                continue
            yield Quantity("date", frozenset({(year, month + 1, day)}), "", start, end)


def _day(word: str) -> int:
    return int(word) if word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 31 else 0


def _weekdays(words: list[Token], hits: list[int], known: _Words, folded: str) -> Iterator[Quantity]:
    """Days of the week; `Monday to Friday` is all five. A short name counts only when it stands in a range."""
    days = known.weekdays
    found = [words[n] for n in hits if words[n][0] in days]
    for place, token in enumerate(found):
        day = days[token.word]
        if place:
            before = found[place - 1]
            first = days[before.word]
            if folded[before.end : token.start].strip(" .") in _RANGE_WORDS:
                span = frozenset((first + step) % 7 for step in range((day - first) % 7 + 1))
                yield Quantity("weekday", span, "", before.start, token.end)
                continue
        after = found[place + 1] if place + 1 < len(found) else None
        ranged = after is not None and folded[token.end : after.start].strip(" .") in _RANGE_WORDS
        if len(token.word) > 3 and not ranged:
            yield Quantity("weekday", frozenset({day}), "", token.start, token.end)


def _numbers(folded: str, words: list[Token], hits: list[int], known: _Words) -> Iterator[Quantity]:
    """Numbers in digits or words with the unit, currency or percent sign that stands by them."""
    spoken, done = known.numbers, 0
    for place in hits:
        if place < done or not (words[place][0] in spoken or words[place][0][0].isdecimal()):
            continue
        values, done = _value(words, place, known)
        yield _measured(folded, words, place, done, values, known)


def _measured(
    folded: str, words: list[Token], place: int, following: int, values: frozenset[object], known: _Words
) -> Quantity:
    """The number at `place` (up to `following`) with its measure."""
    start, end = words[place].start, words[following - 1].end
    sign, rest = folded[max(0, start - 2) : start].strip()[-1:], folded[end : end + 2].strip()[:1]
    after, second = (words[n] if n < len(words) else None for n in (following, following + 1))
    if after is not None and after.start - end > 3:
        after = None
    if sign and sign in _SIGNS:
        return Quantity("amount", values, known.currencies[sign], start, end)
    if rest and rest in _SIGNS:
        return Quantity("amount", values, known.currencies[rest], start, folded.index(rest, end) + 1)
    if rest == "%":
        return Quantity("percent", values, "", start, folded.index("%", end) + 1)
    if after is not None and after.word in known.currencies:
        return Quantity("amount", values, known.currencies[after.word], start, after.end)
    before = words[place - 1] if place and start - words[place - 1].end <= 2 else None
    if before is not None and before.word in known.currencies:
        return Quantity("amount", values, known.currencies[before.word], start, end)
    kind, factor = known.units.get(after.word, ("number", 1)) if after is not None else ("number", 1)
    if after is not None and second is not None and _working_days(after.word, second.word, known):
        return Quantity("working", values, "", start, second.end)
    if kind in _MULTIPLES:
        kind, factor = "number", _MULTIPLES[kind]
    if factor != 1:
        values = frozenset(v * factor if isinstance(v, float) else v for v in values)
    return Quantity(kind, values, "", start, end if after is None or kind == "number" else after.end)


def _working_days(one: str, two: str, known: _Words) -> bool:
    """`working days`, `jours ouvrés`: the adjective on either side of the unit."""
    return (one in known.working and known.units.get(two, ("", 0))[0] == "second") or (
        two in known.working and known.units.get(one) == ("second", 86400)
    )


def _value(words: list[Token], place: int, known: _Words) -> tuple[frozenset[object], int]:
    """The number that begins at `place` and the place after it. Joins `twenty four`, `two hundred`."""
    word = words[place].word
    if word[0].isdecimal():
        return readings(word), place + 1
    value = known.numbers[word]
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
