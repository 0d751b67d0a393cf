"""What an answer may rely on, read once: tool results and documents as sets that a claim is looked up in.

JSON text is read as statements, one per leaf (`order status: delivered`), so that a key gives its value meaning.
Reading is linear in the length of the context; the result is a value and can be kept for further answers.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from handrail.detectors.grounding_carried import Held, hold
from handrail.detectors.grounding_quantities import Quantity, quantities
from handrail.detectors.grounding_words import Token, classes, fold, same, sentences, service, spoken_keys, stem, tokens

_POSTINGS = 24
"""Statements remembered per stem: enough to find the one an answer speaks of, and a bound on the work."""
_KEEP = 32_768
"""Characters of context up to which a reading is kept for the next answer."""
_DEPTH = 32
_SEVERAL = 2
"""Balance of cues from which a context counts as service text."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of the context. `stems`: of its content words; `conditions`: of words that limit it;
    `brevity`: falls slowly with its length, so that of two equal fits the shorter is taken."""

    stems: frozenset[str]
    words: frozenset[str]
    negated: bool
    conditions: frozenset[str]
    universal: frozenset[str]
    quantities: tuple[Quantity, ...]
    brevity: float


@dataclass(frozen=True, slots=True)
class PreparedContext:
    """A context ready for comparison; see `prepare`. `near`: stems and whatever can stand for them. `pairs`,
    `triples`: stems in a row; `skips`: two stems with one between them. `where`: the statements that hold a stem or a
    (kind, value) of a quantity. `service`: a policy or a record rather than prose; the model weighs the two
    differently."""

    words: frozenset[str]
    stems: frozenset[str]
    near: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    triples: frozenset[tuple[str, str, str]]
    skips: frozenset[tuple[str, str]]
    statements: tuple[Statement, ...]
    where: dict[object, tuple[int, ...]]
    held: Held
    length: int
    service: bool


def prepare(context: tuple[str, ...], language: str = "en") -> PreparedContext:
    """Read `context`. A short one is remembered (bounded), so a second answer on it costs only the comparison."""
    return _kept(context, language) if sum(map(len, context)) <= _KEEP else _read(context, language)


@lru_cache(maxsize=64)
def _kept(context: tuple[str, ...], language: str) -> PreparedContext:
    return _read(context, language)


def _read(context: tuple[str, ...], language: str) -> PreparedContext:
    text = "\n".join(as_statements(part) for part in context)
    folded = fold(text)
    words = tokens(folded)
    stems = [stem(t.word) for t in words]
    found = quantities(folded, words, language)
    statements = _statements(text, words, stems, found, language)
    where: dict[object, list[int]] = {}
    for place, each in enumerate(statements):
        for one in (*each.stems, *((q.kind, v) for q in each.quantities for v in q.values)):
            places = where.setdefault(one, [])
            if len(places) < _POSTINGS:
                places.append(place)
    known, written, held = frozenset(stems), frozenset(t.word for t in words), hold(found, words, language)
    meanings = same()
    return PreparedContext(
        words=written,
        stems=known,
        near=known.union(*(meanings[s] for s in known if s in meanings)),
        pairs=frozenset(pairwise(stems)),
        triples=frozenset(zip(stems, stems[1:], stems[2:], strict=False)),
        skips=frozenset(zip(stems, stems[2:], strict=False)),
        statements=tuple(statements),
        where={key: tuple(places) for key, places in where.items()},
        length=len(words),
        service=_is_service(context, written, known, held),
        held=held,
    )


def _is_service(context: tuple[str, ...], words: frozenset[str], stems: frozenset[str], held: Held) -> bool:
    """Whether this reads as policy or record rather than as prose: words of customer service and the kinds of
    quantity that services state, less the words of encyclopedias and stories; JSON always."""
    if any(part.lstrip()[:1] in ("{", "[") for part in context):
        return True
    cues, prose = service()
    stated = bool(held.amounts) + bool(held.times) + bool(held.weekdays)
    stated += sum(kind in held.measured for kind in ("percent", "second", "month", "working", "gigabyte"))
    return len(stems & cues) + stated - len(words & prose) >= _SEVERAL


def _statements(
    text: str, words: list[Token], stems: list[str], found: list[Quantity], language: str
) -> list[Statement]:
    known = classes(language)
    read: list[Statement] = []
    place = at = 0
    for _, end in sentences(text):
        begin = place
        while place < len(words) and words[place].start < end:
            place += 1
        first = at
        while at < len(found) and found[at].start < end:
            at += 1
        inside = [t.word for t in words[begin:place]]
        held = frozenset(inside)
        read.append(
            Statement(
                stems=frozenset(s for w, s in zip(inside, stems[begin:place], strict=True) if w not in known.stop),
                words=held,
                negated=not held.isdisjoint(known.negation),
                conditions=held & known.condition,
                universal=held & known.universal,
                quantities=tuple(found[first:at]),
                brevity=(4 + len(held)) ** -0.25,
            )
        )
    return read


def as_statements(part: str) -> str:
    """`part`, or, where it is JSON, one line per leaf: the words of its keys, then its value."""
    head = part.lstrip()[:1]
    if head not in ("{", "["):
        return part
    try:
        value = json.loads(part)
    except ValueError:
        return part
    except RecursionError:
        return part
    lines: list[str] = []
    _leaves(value, (), lines, 0)
    return "\n".join(lines)


def _leaves(value: object, path: tuple[str, ...], lines: list[str], depth: int) -> None:
    """Below `_DEPTH` the rest stands as it is written: nothing of the context is lost."""
    if depth > _DEPTH:
        lines.append(" ".join(path[-3:]) + ": " + json.dumps(value, ensure_ascii=False))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _leaves(inner, (*path, spoken_keys(str(key))), lines, depth + 1)
    elif isinstance(value, list):
        lines.append(f"{' '.join(path[-3:])}: {len(value)}")
        for inner in value:
            _leaves(inner, path, lines, depth + 1)
    else:
        said = (
            "yes true"
            if value is True
            else "no not false"
            if value is False
            else "none not"
            if value is None
            else str(value)
        )
        lines.append(f"{' '.join(path[-3:])}: {said}")
