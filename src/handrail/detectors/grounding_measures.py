"""What is measured of one claim against a context: the numbers that the model weighs.

A claim is a sentence. The comparisons are named in `NAMES`, in order; each is a plain number. No word of the text
itself is ever a measure: the model sees counts and shares only, so it carries to words it has not met.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final, NamedTuple

from handrail.detectors.grounding_context import PreparedContext, Statement
from handrail.detectors.grounding_quantities import Quantity
from handrail.detectors.grounding_words import Classes, Token, opposite, same, stem

NAMES: Final = (
    "uncovered_share", "new_words_share", "pairs_missing", "longest_run_share", "copied_share", "best_statement",
    "breaks", "first", "opinion", "evaluative", "second", "question", "numbers_missing", "dates_missing",
    "amounts_missing", "names_missing", "negation", "opposite", "universal", "dropped_condition", "added_condition",
    "late_uncovered", "numbers_carried", "mixed", "new_edge", "swapped", "near_only", "replaced", "exchanged",
    "rivals", "fully", "flaws", "flawed_copy",
)  # fmt: skip
_CALENDAR: Final = frozenset(("date", "weekday", "time"))
SAME_SUBJECT: Final = 0.6
"""Share of a claim's content that a statement must hold before a difference in polarity or scope counts."""
_SECOND = frozenset(("you", "your", "yourself"))
_MODALS = frozenset(("can", "could", "may", "might", "will", "would", "shall", "should", "must"))


class Claim(NamedTuple):
    """A sentence of the answer with what was found in it. `stems` runs along `words`; `content`: places of the words
    that carry content; `said`: the words as a set."""

    words: Sequence[Token]
    stems: Sequence[str]
    content: Sequence[int]
    quantities: Sequence[Quantity]
    missing: Sequence[Quantity]
    names: Sequence[Token]
    asks: bool
    said: frozenset[str]


class Alignment(NamedTuple):
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
    content = {claim.stems[place] for place in claim.content}
    best, count = _best_statement(content, claim.quantities, context)
    if best < 0:
        return Alignment(None, 0.0, False, (), (), False, (), ())
    statement, said = context.statements[best], claim.said
    against = opposite()
    opposed = {
        w for w in said & against.keys() if w not in statement.words and not against[w].isdisjoint(statement.words)
    }  # fmt: skip
    wide = (said & known.universal) - statement.words
    added = (said & known.condition) - context.words
    return Alignment(
        statement,
        min(1.0, (count + len(opposed)) / max(1, len(content) + 2 * len(claim.quantities))),
        said.isdisjoint(known.negation) is statement.negated,
        _those(claim, opposed),
        _those(claim, wide),
        bool(statement.conditions) and said.isdisjoint(known.condition),
        _those(claim, added),
        _rivals(claim, statement),
    )


def _best_statement(content: set[str], stated: Sequence[Quantity], context: PreparedContext) -> tuple[int, int]:
    """The place of the statement that shares most with the claim (a quantity counts double, a long statement a little
    less) and how much it shares; -1 for none."""
    counts: dict[int, int] = {}
    where, meanings = context.where, same()
    for each in content:
        places = where.get(each)
        if places is None and each in meanings:
            places = next((where[m] for m in meanings[each] if m in where), None)
        for place in places or ():
            counts[place] = counts.get(place, 0) + 1
    for q in stated:
        for value in q.values:
            for place in where.get((q.kind, value), ()):
                counts[place] = counts.get(place, 0) + 2
    best, count, top = -1, 0, 0.0
    for place, shared in counts.items():
        weight = shared * context.statements[place].brevity
        if weight > top or (weight == top and place < best):
            best, count, top = place, shared, weight
    return best, count


def _those(claim: Claim, chosen: AbstractSet[str]) -> tuple[Token, ...]:
    return tuple(t for t in claim.words if t[0] in chosen) if chosen else ()


def measure(
    claim: Claim, aligned: Alignment, context: PreparedContext, known: Classes, question: frozenset[str] = frozenset()
) -> list[float]:
    """The measures of one claim, in the order of `NAMES`. `question`: stems of what was asked, empty if unknown."""
    stems, content, said, statement = claim.stems, claim.content, claim.said, aligned.statement
    words, weight = len(stems), len(content) or 1
    near, exact = context.near, context.stems
    new = [s not in near for s in stems]
    if question:
        new = [fresh and s not in question for fresh, s in zip(new, stems, strict=True)]
    open_ = [n for n in content if new[n]]
    met = [stems[n] for n in content if not new[n]]
    hit = list(map(context.pairs.__contains__, pairwise(stems)))
    longest, copied, breaks = _runs(stems, context, hit)
    dates = amounts = 0
    for q in claim.missing:
        dates += q.kind in _CALENDAR
        amounts += q.kind == "amount"
    replaced = _replaced(stems, open_, context) if open_ else 0
    flaws = len(claim.missing) + len(claim.names) + len(aligned.opposites) + replaced + len(aligned.rivals)
    flaws += aligned.negation and aligned.overlap >= SAME_SUBJECT
    inside = statement.stems if statement is not None else frozenset()
    return [
        len(open_) / weight,
        sum(new) / words,
        1 - sum(hit) / len(hit) if hit else float(new[0]),
        longest / words,
        copied / words,
        aligned.overlap,
        breaks / words,
        float(len(said & known.first)),
        float(_fresh(said & known.opinion, exact)),
        float(_fresh(said & known.evaluative, exact)),
        float(len(said & _SECOND)),
        float(claim.asks),
        float(len(claim.missing) - dates - amounts),
        float(dates),
        float(amounts),
        float(len(claim.names)),
        aligned.overlap if aligned.negation else 0.0,
        float(len(aligned.opposites)),
        float(len(aligned.universal)),
        aligned.overlap if aligned.dropped else 0.0,
        len(aligned.added) + 0.5 * len((said & _MODALS) - context.words),
        len([n for n in open_ if n * 2 >= words]) / len(open_) if open_ else 0.0,
        float(len(claim.quantities) - len(claim.missing)),
        len([s for s in met if s not in inside]) / weight if inside else 0.0,
        (new.index(False) if False in new else words) / words,
        len([n for n, h in enumerate(hit) if not h and not new[n] and not new[n + 1]]) / words,
        len([s for s in met if s not in exact]) / weight,
        float(replaced),
        float(_exchanged(stems, content, hit, context)),
        float(len(aligned.rivals)),
        float(not open_ and not flaws),
        float(flaws),
        copied / words if flaws else -1.0,
    ]


def _fresh(words: AbstractSet[str], known: AbstractSet[str]) -> int:
    """How many of a few words the context does not have."""
    return len([w for w in words if stem(w) not in known]) if words else 0


def _replaced(stems: Sequence[str], open_: Sequence[int], context: PreparedContext) -> int:
    """New words that stand where the context has another one between the same neighbours."""
    last = len(stems) - 1
    return len([p for p in open_ if 0 < p < last and (stems[p - 1], stems[p + 1]) in context.skips])


def _exchanged(stems: Sequence[str], content: Sequence[int], hit: Sequence[bool], context: PreparedContext) -> int:
    """Words of the context that stand between two neighbours that have another word between them there."""
    last = len(stems) - 1
    alone = [p for p in content if 0 < p < last and not hit[p - 1] and not hit[p] and stems[p] in context.near]
    return len([p for p in alone if (stems[p - 1], stems[p + 1]) in context.skips])


def _rivals(claim: Claim, statement: Statement) -> tuple[Quantity, ...]:
    """Quantities that the context states elsewhere, while the statement in question has others of their kind."""
    if not statement.quantities or not claim.quantities:
        return ()
    missing = {q.start for q in claim.missing}
    held: dict[tuple[str, str], set[object]] = {}
    for q in statement.quantities:
        held.setdefault((q.kind, q.unit), set()).update(q.values)
    return tuple(
        q
        for q in claim.quantities
        if q.start not in missing
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
