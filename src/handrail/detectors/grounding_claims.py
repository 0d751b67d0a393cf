"""Split an answer into claims: sentences that say something a context could carry.

A sentence about the conversation itself (a greeting, thanks, empathy, an offer of help, what the agent does next) and
a question claim nothing, unless they name a quantity. Openings such as "yes," are taken off the front of a claim.
Data: `data/grounding/talk.json`, written for this project.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from handrail.detectors.grounding_carried import carried
from handrail.detectors.grounding_context import PreparedContext
from handrail.detectors.grounding_measures import Claim
from handrail.detectors.grounding_quantities import Quantity, quantities
from handrail.detectors.grounding_words import Classes, Token, classes, data, fold, sentences, stem, tokens

_PAUSE = re.compile(r"\s*(?:[,.!;:]|- )|\s+- ")
_COUNTS: frozenset[object] = frozenset((2.0, 3.0, 4.0, 5.0))
_OWN = 2
"""Content words that a clause after talk ("thanks for waiting, ...") needs to be a claim."""
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


@dataclass(frozen=True, slots=True)
class _Talk:
    lead: frozenset[tuple[str, ...]]
    whole: frozenset[tuple[str, ...]]


@lru_cache(maxsize=16)
def _talk(language: str) -> _Talk:
    rows = data("talk.json")
    own = rows.get(language) or rows["en"]
    english = rows["en"]

    def openings(name: str) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(fold(o).split()) for each in (own, english) for o in each[name])

    return _Talk(openings("lead"), openings("whole"))


def claims(answer: str, context: PreparedContext, language: str) -> list[Claim]:
    """The claims and questions of `answer` in order, linear in the answer. Talk is left out where the context is
    service text; on prose it counts as asserting no more than a question does."""
    known = classes(language)
    folded = fold(answer)
    found = tokens(folded)
    stated = quantities(folded, found, language)
    made: list[Claim] = []
    place = at = 0
    for begin, end in sentences(answer):
        first, low = place, at
        while place < len(found) and found[place].start < end:
            place += 1
        while at < len(stated) and stated[at].start < end:
            at += 1
        asks = answer[begin:end].rstrip(" \"'”’)").endswith("?")
        words = _without_lead(folded, found[first:place], stated[low:at], language, known)
        if not words and not context.service:
            words, asks = found[first:place], True
        if words:
            made.append(_claim(answer, words, stated[low:at], asks, context, known, language))
    return made


def _without_lead(
    folded: str, words: list[Token], stated: list[Quantity], language: str, known: Classes
) -> list[Token]:
    """The words that claim something: none for talk. A talking clause ends at the next pause; what follows it must
    say something of its own."""
    talk = _talk(language)
    after_talk = False
    while words:
        lead, whole = _opening(words, talk.lead, known), _opening(words, talk.whole, known)
        if whole and whole >= lead:
            if stated and not _pause_before(folded, words, stated[0].start):
                break
            after_talk = True
            words = words[next((n for n in range(1, len(words)) if _paused(folded, words, n)), len(words)) :]
        elif lead and (lead > 1 or _paused(folded, words, 1) or len(words) == 1):
            words = words[lead:]
        else:
            break
    if stated and words and words[-1].end > stated[0].start:
        return words
    content = sum(t.word not in known.stop and t.word not in known.evaluative for t in words)
    if after_talk:
        return words if content >= _OWN and len(words) > _OWN + 1 else []
    return words if content else []


def _paused(folded: str, words: list[Token], place: int) -> bool:
    """Whether a pause (comma, colon, dash) or the end stands before the word at `place`."""
    return place >= len(words) or _PAUSE.match(folded, words[place - 1].end) is not None


def _pause_before(folded: str, words: list[Token], limit: int) -> bool:
    return any(_paused(folded, words, n) for n in range(1, len(words)) if words[n].start <= limit)


def _opening(words: list[Token], openings: frozenset[tuple[str, ...]], known: Classes) -> int:
    """How many words the longest opening that the sentence begins with takes, adverbs in between not counted."""
    first = tuple(t.word for t in words[:6])
    exact = next((n for n in range(len(first), 0, -1) if first[:n] in openings), 0)
    if exact:
        return exact
    kept = [place for place, word in enumerate(first) if word not in known.evaluative]
    plain = tuple(first[place] for place in kept)
    return next((kept[n - 1] + 1 for n in range(len(plain), 0, -1) if plain[:n] in openings), 0)


def _claim(
    answer: str, words: list[Token], stated: list[Quantity], asks: bool,
    context: PreparedContext, known: Classes, language: str,
) -> Claim:  # fmt: skip
    stems = [stem(t.word) for t in words]
    numeric = {place for place, t in enumerate(words) if t.word[0].isdigit()}
    taken = [(q.start, q.end) for q in stated]
    content = [
        t.word not in known.stop
        and place not in numeric
        and not any(a <= t.start < b for a, b in taken)
        for place, t in enumerate(words)
    ]  # fmt: skip
    return Claim(
        words=words,
        stems=stems,
        content=content,
        quantities=stated,
        missing=[q for q in stated if not carried(q, context.held) and not _is_count(q, words, stems, context)],
        names=_names(answer, words, content, stems, context, language),
        asks=asks,
    )


def _is_count(quantity: Quantity, words: list[Token], stems: list[str], context: PreparedContext) -> bool:
    """`two options`: a small number in words that counts what the answer itself lists, nothing the context names."""
    if quantity.kind != "number" or not quantity.values <= _COUNTS:
        return False
    place = next((n for n, t in enumerate(words) if t.start >= quantity.start), len(words))
    if place >= len(words) or words[place].word[0].isdigit():
        return False
    return all(s not in context.stems for s in stems[place + 1 : place + 3])


def _names(
    answer: str, words: list[Token], content: list[bool], stems: list[str], context: PreparedContext, language: str
) -> list[Token]:
    """Capitalised words inside a sentence that the context does not know. In German, where every noun has a capital,
    only words with a further capital or in a row of two."""
    if answer.isupper():
        return []
    return [
        t
        for place, t in enumerate(words)
        if content[place]
        and answer[t.start].isupper()
        and stems[place] not in context.near
        and (place > 0 or answer[t.start + 1 : t.end].isupper())
        and (language != "de" or any(c.isupper() for c in answer[t.start + 1 : t.end]))
    ]
