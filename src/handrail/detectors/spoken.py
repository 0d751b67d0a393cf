"""Numbers read out or typed as words: "four one double one", "vierzehn elf", "quatre-vingt-dix", as digits with the
way back to the words.

Source of the need: decisions.md, detectors (format rules miss 96-98 % of such spans). Pure; raises nothing. A run
counts from three digits made of at least two number words; in between may stand blanks, light punctuation and one
filler. The longest reading wins where languages share words.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from handrail.detectors.data.numbers import COMPOUND_STEMS, FILLERS, HUNDREDS, NUMBERS, Numbers
from handrail.detectors.normalise import View, unaccent

LEAST_DIGITS = 3
_WORD = re.compile(r"[^\W_]+")
_GAP = re.compile(r"[\s,.;:\-/()…]{0,4}")


class _Grammar(NamedTuple):
    """`phrases`: words to digits; `longest`: words in the longest phrase; `times`: words to a factor; `again`: what
    makes one of the number before; `articles`: what may stand behind a factor; `counted`: digits as things
    ("four fives")."""

    phrases: dict[tuple[str, ...], str]
    longest: int
    times: dict[str, int]
    first: frozenset[str]
    again: frozenset[str]
    articles: frozenset[str]
    counted: frozenset[str]


class Run(NamedTuple):
    """A spoken number in a view: `digits[i]` was said by the characters `spans[i]`."""

    digits: str
    spans: tuple[tuple[int, int], ...]


def _variants(words: str) -> list[list[str]]:
    return [entry.split("/") for entry in words.split()]


def _grammar(code: str, numbers: Numbers) -> _Grammar:
    phrases: dict[tuple[str, ...], str] = {}
    small: dict[int, list[tuple[str, ...]]] = {}
    for first, family in ((0, numbers.digits), (10, numbers.teens)):
        for value, names in enumerate(_variants(family), first):
            small[value] = [tuple(name.split("-")) for name in names]
    for ten, names in enumerate(_variants(numbers.tens), 2):
        for name in names:
            small.setdefault(ten * 10, []).append((name,))
            for unit in range(1, 10):
                small.setdefault(ten * 10 + unit, []).extend(_with_unit(code, name, unit, numbers, small[unit]))
    if code == "fr":
        _french(small)
    for entry in numbers.compounds.split():
        name, _, value_text = entry.partition("=")
        small.setdefault(int(value_text), []).append((name,))
    for value, forms in small.items():
        for form in forms:
            phrases.setdefault(form, str(value))
    for hundred, names in enumerate(_variants(HUNDREDS.get(code, "")), 1):
        for name in names:
            phrases.setdefault((name,), f"{hundred}00")
            for value, forms in small.items():
                for form in forms if value else ():
                    phrases.setdefault((name, *form), f"{hundred}{value:02d}")
                    if numbers.joiner and code == "pt":
                        phrases.setdefault((name, numbers.joiner, *form), f"{hundred}{value:02d}")
    times = {name: int(factor) for name, _, factor in (entry.partition("=") for entry in numbers.times.split())}
    for digit, names in enumerate(_variants(numbers.plural)):
        for count in (2, 3, 4):
            for name in names:
                phrases.update({(*form, name): str(digit) * count for form in small[count]})
    openers = frozenset(form[0] for form in phrases)
    again, articles = frozenset(numbers.again.split()), frozenset(numbers.articles.split())
    counted = frozenset(name for names in _variants(numbers.plural) for name in names)
    return _Grammar(phrases, max(map(len, phrases)), times, openers, again, articles, counted)


def _with_unit(code: str, ten: str, unit: int, numbers: Numbers, units: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Tens with a unit, the way each language builds them."""
    forms: list[tuple[str, ...]] = []
    for name, *_ in units:
        if code in ("de", "nl"):
            forms += [(name + numbers.joiner + ten,), (name, numbers.joiner, ten)]
        elif code == "it":
            forms += [((ten[:-1] if name[0] in "uo" else ten) + name,), (ten, name)]
        else:
            forms.append((ten, name))
            if numbers.joiner and (code != "fr" or unit == 1):
                forms.append((ten, numbers.joiner, name))
    return forms


def _french(small: dict[int, list[tuple[str, ...]]]) -> None:
    """60 + 10..19, 80 and 80 + 1..19: soixante-dix, soixante et onze, quatre-vingt-dix-sept."""
    for extra in range(10, 20):
        for form in list(small[extra]):
            small.setdefault(60 + extra, []).append(("soixante", *form))
    small[71].append(("soixante", "et", "onze"))
    for extra in range(20):
        for form in [()] if extra == 0 else list(small[extra]):
            for eighty in ("vingt", "vingts"):
                small.setdefault(80 + extra, []).append(("quatre", eighty, *form))


@lru_cache(maxsize=1)
def _grammars() -> dict[str, _Grammar]:
    return {code: _grammar(code, numbers) for code, numbers in NUMBERS.items()}


@lru_cache(maxsize=1)
def gate_words() -> frozenset[str]:
    """Every word that may open a number, lower case without accents."""
    return frozenset(word for grammar in _grammars().values() for word in grammar.first | set(grammar.times))


@lru_cache(maxsize=1)
def counted_words() -> frozenset[str]:
    """Digits as counted things: "four fives"."""
    return frozenset().union(*(grammar.counted for grammar in _grammars().values()))


def again_words() -> frozenset[str]:
    """What makes a factor of the number before it: "two times four"."""
    return frozenset().union(*(numbers.again.split() for numbers in NUMBERS.values()))


def factor_words() -> frozenset[str]:
    """Words that are a factor: "double four"."""
    return frozenset().union(*(grammar.times for grammar in _grammars().values()))


def few_words() -> frozenset[str]:
    """The numbers that may be a factor before one of `again_words`: two, three and four."""
    return frozenset(name for numbers in NUMBERS.values() for names in _variants(numbers.digits)[2:5] for name in names)


def article_words() -> frozenset[str]:
    """What may stand between a factor and its number: "viermal die Eins"."""
    return frozenset().union(*(numbers.articles.split() for numbers in NUMBERS.values()))


def gate_pattern() -> str:
    """An RE2 pattern of the words that may open a number, with accents or not; the long compounds by their stems."""
    words: set[str] = set()
    for code, numbers in NUMBERS.items():
        names = f"{numbers.digits} {numbers.teens} {numbers.tens} {HUNDREDS.get(code, '')} {numbers.plural}"
        simple = names.replace("/", " ").split()
        simple += [entry.partition("=")[0] for entry in f"{numbers.times} {numbers.compounds}".split()]
        accents = _ACCENTS.get(code, {})
        words |= {"".join(accents.get(letter, letter) for letter in word.split("-")[0]) for word in simple}
    return "|".join([*sorted(words), *COMPOUND_STEMS])


_ACCENTS = {
    "de": {"u": "[uü]", "o": "[oö]"},
    "fr": {"e": "[eé]"},
    "es": {"e": "[eé]", "o": "[oó]"},
    "pt": {"e": "[eê]"},
    "nl": {"e": "[eéë]"},
    "pl": {"c": "[cć]", "e": "[eę]", "s": "[sś]", "a": "[aą]", "o": "[oó]"},
}
"""The accents that number words carry when they are spelled in full."""


def runs(view: View) -> list[Run]:
    """Spoken numbers of a view in order, not overlapping."""
    text = unaccent(view.text)
    words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]
    best: list[Run] = []
    openers = gate_words() | counted_words()
    said = [word for word, _, _ in words if word in openers]
    for grammar in _grammars().values() if len(said) > 1 else ():
        if sum([word in grammar.first or word in grammar.times or word in grammar.counted for word in said]) >= 2:
            best += _read(text, words, grammar)
    best.sort(key=lambda run: (-len(run.spans), run.spans[0]))
    kept: list[Run] = []
    for run in best:
        if all(run.spans[-1][1] <= other.spans[0][0] or other.spans[-1][1] <= run.spans[0][0] for other in kept):
            kept.append(run)
    return sorted(kept, key=lambda run: run.spans[0])


def _read(text: str, words: list[tuple[str, int, int]], grammar: _Grammar) -> list[Run]:
    found: list[Run] = []
    digits: list[str] = []
    spans: list[tuple[int, int]] = []
    spelled = at = 0

    def close() -> None:
        nonlocal digits, spans, spelled
        if len(digits) >= LEAST_DIGITS and spelled >= 2:
            found.append(Run("".join(digits), tuple(spans)))
        digits, spans, spelled = [], [], 0

    while at < len(words):
        word = words[at][0]
        if not spans and word not in grammar.first and word not in grammar.times and not word.isdigit():
            at += 1  # prose
            continue
        if spans and not _near(text, spans[-1][1], words[at][1]):
            close()
        if spans and words[at][0] in FILLERS and at + 1 < len(words) and (words[at][0],) not in grammar.phrases:
            taken, _ = _one(text, words, at + 1, grammar)
            if taken and _near(text, words[at][2], words[at + 1][1]):
                spans[-1] = (spans[-1][0], words[at][2])
                at += 1
        taken, said = _one(text, words, at, grammar)
        if not taken:
            close()
            at += 1
            continue
        span = (words[at][1], words[at + taken - 1][2])
        spelled += sum(not word.isdigit() for word, _, _ in words[at : at + taken])
        digits += said
        spans += [span] * len(said)
        at += taken
    close()
    return found


def _near(text: str, end: int, start: int) -> bool:
    return _GAP.fullmatch(text, end, start) is not None


def _one(text: str, words: list[tuple[str, int, int]], at: int, grammar: _Grammar) -> tuple[int, str]:
    """One number at word `at`, with the factor before it: (how many words, digits), or (0, "")."""
    factor, used = grammar.times.get(words[at][0]), 1
    if factor is None and at + 1 < len(words) and words[at + 1][0] in grammar.again:
        said = grammar.phrases.get((words[at][0],), "")
        factor, used = (int(said), 2) if said in ("2", "3", "4") else (None, 1)
    if factor is not None:
        for skipped in (used + 1, used) if _article(text, words, at + used, grammar) else (used,):
            gap = slice(words[at + skipped - 1][2], words[at + skipped][1]) if at + skipped < len(words) else slice(0)
            if text[gap].isspace() or (used == 1 and gap.stop and _near(text, gap.start, gap.stop)):
                taken, said = _plain(text, words, at + skipped, grammar)
                if taken and len(said) == 1:
                    return skipped + taken, said * factor
    return _plain(text, words, at, grammar)


def _article(text: str, words: list[tuple[str, int, int]], at: int, grammar: _Grammar) -> bool:
    """Whether word `at` is an article and not the number itself: "quatre fois un, quatre fois le deux"."""
    if (
        at + 1 >= len(words)
        or words[at][0] not in grammar.articles
        or not text[words[at][2] : words[at + 1][1]].isspace()
    ):
        return False
    return words[at][0] not in grammar.first or at + 2 >= len(words) or words[at + 2][0] not in grammar.again


def _plain(text: str, words: list[tuple[str, int, int]], at: int, grammar: _Grammar) -> tuple[int, str]:
    """The same without a factor."""
    word = words[at][0]
    if word.isdigit() and word.isascii():
        return 1, word
    if word not in grammar.first:
        return 0, ""
    for size in range(min(grammar.longest, len(words) - at), 0, -1):
        said_digits = grammar.phrases.get(tuple(word for word, _, _ in words[at : at + size]))
        if said_digits and all(_near(text, words[i][2], words[i + 1][1]) for i in range(at, at + size - 1)):
            return size, said_digits
    return 0, ""


def digits_view(view: View) -> View | None:
    """The view with spoken numbers written as digits, or None when there are none."""
    found = runs(view)
    if not found:
        return None
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0

    def copy(upto: int) -> None:
        for index in range(at, upto):
            start, end = view.span(index, index + 1)
            out.append(view.text[index])
            starts.append(start)
            ends.append(end)

    for run in found:
        copy(run.spans[0][0])
        for digit, span in zip(run.digits, run.spans, strict=True):
            start, end = view.span(*span)
            out.append(digit)
            starts.append(start)
            ends.append(end)
        at = run.spans[-1][1]
    copy(len(view.text))
    return View("".join(out), tuple(starts), tuple(ends))
