"""Split an answer into claims: sentences that say something a context could carry.

A sentence about the conversation itself (a greeting, thanks, empathy, an offer of help, what the agent does next) and
a question claim nothing, unless they name a quantity. Openings such as "yes," are taken off the front of a claim.
Data: `data/grounding/talk.json`, written for this project.
"""

import re
from bisect import bisect_left
from functools import lru_cache

from handrail.detectors.grounding_carried import carried
from handrail.detectors.grounding_context import PreparedContext
from handrail.detectors.grounding_measures import Claim
from handrail.detectors.grounding_quantities import Quantity, quantities
from handrail.detectors.grounding_words import Classes, Token, classes, data, fold, sentences, stem, tokens

_PAUSE = re.compile(r"\s*(?:[,.!;:]|- )|\s+- ")
_COUNTS: frozenset[object] = frozenset((2.0, 3.0, 4.0, 5.0))
_LONGEST = 6
_OWN = 2
"""Content words that a clause after talk ("thanks for waiting, ...") needs to be a claim."""


@lru_cache(maxsize=16)
def _openings(language: str) -> dict[str, tuple[tuple[tuple[str, ...], bool], ...]]:
    """For a first word, the openings that begin with it, longest first; True where the clause is talk as a whole."""
    rows = data("talk.json")
    by_word: dict[str, dict[tuple[str, ...], bool]] = {}
    for each in (rows["en"], rows.get(language) or rows["en"]):
        for name in ("lead", "whole"):
            for opening in each[name]:
                words = tuple(fold(opening).split())
                by_word.setdefault(words[0], {})[words] = name == "whole"
    return {word: tuple(sorted(held.items(), key=lambda o: -len(o[0]))) for word, held in by_word.items()}


def claims(answer: str, context: PreparedContext, language: str) -> list[Claim]:
    """The claims and questions of `answer` in order, linear in the answer. Talk is left out where the context is
    service text; on prose it counts as asserting no more than a question does."""
    known = classes(language)
    folded = fold(answer)
    found = tokens(folded)
    stated = quantities(folded, found, language)
    made: list[Claim] = []
    starts, low = [t[1] for t in found], [q[3] for q in stated]
    said = [t[0] for t in found]
    stems = list(map(stem, said))
    place = at = 0
    for begin, end in sentences(answer):
        first, since = place, at
        place, at = bisect_left(starts, end, first), bisect_left(low, end, since)
        asks = "?" in answer[begin:end] and answer[begin:end].rstrip(" \"'”’)").endswith("?")
        words = _without_lead(folded, found[first:place], stated[since:at], language, known)
        if not words and not context.service:
            words, asks = found[first:place], True
        if words:
            own = slice(place - len(words), place)
            made.append(_claim(answer, words, said[own], stems[own], stated[since:at], asks, context, known, language))
    return made


def _without_lead(
    folded: str, words: list[Token], stated: list[Quantity], language: str, known: Classes
) -> list[Token]:
    """The words that claim something: none for talk. A talking clause ends at the next pause; what follows it must
    say something of its own."""
    after_talk = False
    while words:
        length, whole = _opening(words, language, known)
        if whole:
            if stated and not _pause_before(folded, words, stated[0].start):
                break
            after_talk = True
            words = words[next((n for n in range(1, len(words)) if _paused(folded, words, n)), len(words)) :]
        elif length > 1 or (length and (_paused(folded, words, 1) or len(words) == 1)):
            words = words[length:]
        else:
            break
    if stated and words and words[-1].end > stated[0].start:
        return words
    content = [t for t in words if t[0] not in known.empty]
    if after_talk:
        return words if len(content) >= _OWN and len(words) > _OWN + 1 else []
    return words if content else []


def _paused(folded: str, words: list[Token], place: int) -> bool:
    """Whether a pause (comma, colon, dash) or the end stands before the word at `place`."""
    return place >= len(words) or _PAUSE.match(folded, words[place - 1].end) is not None


def _pause_before(folded: str, words: list[Token], limit: int) -> bool:
    return any(_paused(folded, words, n) for n in range(1, len(words)) if words[n].start <= limit)


def _opening(words: list[Token], language: str, known: Classes) -> tuple[int, bool]:
    """How many words the longest opening takes that the sentence begins with, and whether it is talk as a whole.
    Adverbs in between ("I completely understand") do not count."""
    openings = _openings(language)
    said = [t[0] for t in words[:_LONGEST]]
    for opening, whole in openings.get(said[0], ()):
        if tuple(said[: len(opening)]) == opening:
            return len(opening), whole
    if known.evaluative.isdisjoint(said):
        return 0, False
    kept = [place for place, word in enumerate(said) if word not in known.evaluative]
    if not kept:
        return 0, False
    plain = [said[place] for place in kept]
    for opening, whole in openings.get(plain[0], ()):
        if tuple(plain[: len(opening)]) == opening:
            return kept[len(opening) - 1] + 1, whole
    return 0, False


def _claim(
    answer: str, words: list[Token], said: list[str], stems: list[str], stated: list[Quantity], asks: bool,
    context: PreparedContext, known: Classes, language: str,
) -> Claim:  # fmt: skip
    stop = known.stop
    content = [n for n, word in enumerate(said) if word not in stop]
    if stated:
        taken = {place for q in stated for place in range(q.start, q.end)}
        content = [n for n in content if words[n][1] not in taken and not said[n][0].isdecimal()]
    missing = [q for q in stated if not carried(q, context.held) and not _is_count(q, words, stems, context)]
    names = _names(answer, words, content, stems, context, language)
    return Claim(words, stems, content, stated, missing, names, asks, frozenset(said))


def _start(token: Token) -> int:
    return token.start


def _is_count(quantity: Quantity, words: list[Token], stems: list[str], context: PreparedContext) -> bool:
    """`two options`: a small number in words that counts what the answer itself lists, nothing the context names."""
    if quantity.kind != "number" or not quantity.values <= _COUNTS:
        return False
    place = bisect_left(words, quantity.start, key=_start)
    if place >= len(words) or words[place].word[0].isdecimal():
        return False
    return all(s not in context.stems for s in stems[place + 1 : place + 3])


def _names(
    answer: str, words: list[Token], content: list[int], stems: list[str], context: PreparedContext, language: str
) -> list[Token]:
    """Capitalised words inside a sentence that the context does not know; the first word only if it is all capitals.
    In German, where every noun has a capital, only words with a further capital."""
    new = [n for n in content if stems[n] not in context.near and answer[words[n][1]].isupper()]
    if not new or answer.isupper():
        return []
    within = [(n, words[n], answer[words[n].start + 1 : words[n].end]) for n in new]
    if language == "de":
        return [t for _, t, rest in within if any(c.isupper() for c in rest)]
    return [t for n, t, rest in within if n > 0 or rest.isupper()]
