"""What is measured of one claim against a context: the numbers that the model weighs.

A claim is a sentence. The comparisons are named in `NAMES`, in order; each is a plain number. No word of the text
itself is ever a measure: the model sees counts and shares only, so it carries to words it has not met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Final

from handrail.detectors.grounding_context import PreparedContext, Statement
from handrail.detectors.grounding_quantities import Quantity
from handrail.detectors.grounding_words import Classes, Token, opposite, same, stem

NAMES: Final = (
    "words", "content", "uncovered", "uncovered_share", "new_words_share", "pairs_missing", "longest_run",
    "longest_run_share", "copied_share", "best_statement", "breaks", "first", "opinion", "evaluative", "second",
    "question", "numbers_missing", "dates_missing", "amounts_missing", "names_missing", "negation", "opposite",
    "universal", "dropped_condition", "added_condition", "context_length", "statement_carried", "late_uncovered",
    "numbers_carried", "mixed", "new_edge", "swapped", "near_only", "replaced", "exchanged", "rivals", "fully", "flaws", "flawed_copy", "stop_missing",
)  # fmt: skip
SAME_SUBJECT: Final = 0.6
"""Share of a claim's content that a statement must hold before a difference in polarity or scope counts."""
_MODALS = frozenset(("can", "could", "may", "might", "will", "would", "shall", "should", "must"))


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer with what was found in it. `stems` and `content` run along `words`."""

    words: Sequence[Token]
    stems: Sequence[str]
    content: Sequence[bool]
    quantities: Sequence[Quantity]
    missing: Sequence[Quantity]
    names: Sequence[Token]
    asks: bool


@dataclass(frozen=True, slots=True)
class Alignment:
    """The statement of the context that a claim speaks of, and how they differ."""

    statement: Statement | None
    overlap: float
    negation: bool
    opposites: tuple[Token, ...]
    universal: tuple[Token, ...]
    dropped: bool
    added: tuple[Token, ...]
    rivals: tuple[Quantity, ...]


def contradicts(aligned: Alignment) -> bool:
    """The statement of the same subject says the opposite word, or other days of the week."""
    return aligned.overlap >= SAME_SUBJECT and (
        bool(aligned.opposites) or any(q.kind == "weekday" for q in aligned.rivals)
    )


def align(claim: Claim, context: PreparedContext, known: Classes) -> Alignment:
    """Find the statement with most of the claim's content and compare polarity, scope and conditions with it."""
    counts: dict[int, int] = {}
    content = {s for s, is_content in zip(claim.stems, claim.content, strict=True) if is_content}
    meanings = same()
    for each in content:
        places = context.where.get(each)
        if places is None and each in meanings:
            places = next((context.where[m] for m in meanings[each] if m in context.where), None)
        for place in places or ():
            counts[place] = counts.get(place, 0) + 1
    for q in claim.quantities:
        for value in q.values:
            for place in context.where.get((q.kind, value), ()):
                counts[place] = counts.get(place, 0) + 2
    if not counts:
        return Alignment(None, 0.0, False, (), (), False, (), ())
    best = max(counts, key=lambda place: (counts[place] / (4 + len(context.statements[place].stems)) ** 0.25, -place))
    statement = context.statements[best]
    overlap = min(1.0, counts[best] / max(1, len(content) + 2 * len(claim.quantities)))
    said = {t.word for t in claim.words}
    negated = not said.isdisjoint(known.negation)
    against = opposite()
    opposites = tuple(
        t for t in claim.words
        if t.word in against and t.word not in statement.words and not against[t.word].isdisjoint(statement.words)
    )  # fmt: skip
    return Alignment(
        statement=statement,
        overlap=overlap,
        negation=negated != statement.negated,
        opposites=opposites,
        universal=tuple(t for t in claim.words if t.word in known.universal and t.word not in statement.words),
        dropped=bool(statement.conditions) and said.isdisjoint(known.condition),
        added=tuple(t for t in claim.words if t.word in known.condition and t.word not in context.words),
        rivals=_rivals(claim, statement),
    )


def measure(
    claim: Claim, aligned: Alignment, context: PreparedContext, known: Classes, question: frozenset[str] = frozenset()
) -> list[float]:
    """The measures of one claim, in the order of `NAMES`. `question`: stems of what was asked, empty if unknown."""
    stems, near = claim.stems, context.near | question if question else context.near
    n = len(stems)
    content = [place for place in range(n) if claim.content[place]]
    open_ = [place for place in content if stems[place] not in near]
    exact_miss = sum(stems[place] not in context.stems for place in content) - len(open_)
    pairs = list(pairwise(stems))
    hit = [pair in context.pairs for pair in pairs]
    longest, copied, breaks = _runs(stems, context, hit)
    words = [t.word for t in claim.words]
    statement = aligned.statement
    carried_share = 0.0
    if statement is not None and statement.stems:
        held = set(stems)
        carried_share = sum(s in held for s in statement.stems) / len(statement.stems)
    missing = [q.kind for q in claim.missing]
    dates = sum(kind in ("date", "weekday", "time") for kind in missing)
    amounts = missing.count("amount")
    replaced, rivals = _replaced(stems, open_, context), len(aligned.rivals)
    flaws = len(missing) + len(claim.names) + len(aligned.opposites) + replaced + rivals
    flaws += aligned.negation and aligned.overlap >= SAME_SUBJECT
    edge = 0
    while edge < n and stems[edge] not in near:
        edge += 1
    return [
        min(n, 50),
        min(len(content), 30),
        min(len(open_), 10),
        len(open_) / max(1, len(content)),
        sum(s not in near for s in stems) / max(1, n),
        1 - sum(hit) / max(1, len(pairs)) if pairs else float(stems[0] not in near) if n else 0.0,
        min(longest, 30),
        longest / max(1, n),
        copied / max(1, n),
        aligned.overlap,
        breaks / max(1, n),
        min(sum(w in known.first for w in words), 4),
        min(sum(w in known.opinion and stem(w) not in context.stems for w in words), 4),
        min(sum(w in known.evaluative and stem(w) not in context.stems for w in words), 4),
        min(sum(w in ("you", "your", "yourself") for w in words), 3),
        float(claim.asks),
        min(len(missing) - dates - amounts, 3),
        min(dates, 3),
        min(amounts, 3),
        min(len(claim.names), 4),
        float(aligned.negation) * aligned.overlap,
        min(len(aligned.opposites), 2),
        min(len(aligned.universal), 3),
        float(aligned.dropped) * aligned.overlap,
        min(len(aligned.added), 2) + 0.5 * sum(w in _MODALS and w not in context.words for w in words),
        log(1 + context.length),
        carried_share,
        sum(place * 2 >= n for place in open_) / max(1, len(open_)) if open_ else 0.0,
        min(len(claim.quantities) - len(missing), 4),
        sum(stems[p] not in statement.stems and stems[p] in near for p in content) / max(1, len(content))
        if statement
        else 0.0,
        edge / max(1, n),
        sum(not h and a in near and b in near for h, (a, b) in zip(hit, pairs, strict=True)) / max(1, n),
        exact_miss / max(1, len(content)),
        min(replaced, 3),
        min(_exchanged(stems, content, hit, context), 3),
        min(rivals, 3),
        float(not open_ and not flaws),
        min(flaws, 4),
        copied / max(1, n) if flaws else -1.0,
        sum(stems[p] not in near for p in range(n) if not claim.content[p]) / max(1, n - len(content)),
    ]


def _replaced(stems: Sequence[str], open_: Sequence[int], context: PreparedContext) -> int:
    """New words that stand where the context has another one between the same neighbours."""
    last = len(stems) - 1
    return sum(0 < p < last and (stems[p - 1], stems[p + 1]) in context.skips for p in open_)


def _exchanged(stems: Sequence[str], content: Sequence[int], hit: Sequence[bool], context: PreparedContext) -> int:
    """Words of the context that stand between two neighbours that have another word between them there."""
    last = len(stems) - 1
    return sum(
        0 < p < last and not hit[p - 1] and not hit[p] and stems[p] in context.near
        and (stems[p - 1], stems[p + 1]) in context.skips
        for p in content
    )  # fmt: skip


def _rivals(claim: Claim, statement: Statement) -> tuple[Quantity, ...]:
    """Quantities that the context states elsewhere, while the statement in question has others of their kind."""
    if not statement.quantities or not claim.quantities:
        return ()
    held: dict[tuple[str, str], set[object]] = {}
    for q in statement.quantities:
        held.setdefault((q.kind, q.unit), set()).update(q.values)
    return tuple(
        q
        for q in claim.quantities
        if q not in claim.missing
        and (values := held.get((q.kind, q.unit))) is not None
        and (not q.values <= values if q.kind == "weekday" else q.values.isdisjoint(values))
    )


def _runs(stems: Sequence[str], context: PreparedContext, hit: list[bool]) -> tuple[int, int, int]:
    """Longest run of words that stands in the context in this order, words in runs of three or more, breaks."""
    if not stems:
        return 0, 0, 0
    longest, copied, breaks = int(stems[0] in context.stems), 0, 0
    triples, run = context.triples, 0
    for place in range(len(hit)):
        if hit[place] and (run < 2 or (stems[place - 1], stems[place], stems[place + 1]) in triples):
            run = run + 1 if run else 2
            longest = max(longest, run)
            continue
        if run >= 3:
            copied += run
        if run:
            breaks += 1
        run = 2 if hit[place] else 0
    if run >= 3:
        copied += run
    return longest, copied, breaks
