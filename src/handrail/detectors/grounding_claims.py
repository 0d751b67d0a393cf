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

_PAUSE = re.compile(r"\s*[,.!;:-]")
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
    """The claims and questions of `answer` in order; talk is left out. Linear in the answer."""
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
        if words:
            made.append(_claim(answer, words, stated[low:at], asks, context, known, language))
    return made


def _without_lead(
    folded: str, words: list[Token], stated: list[Quantity], language: str, known: Classes
) -> list[Token]:
    """The words that claim something: none for talk."""
    talk = _talk(language)
    if not stated and _opening(words, talk.whole):
        return []
    while words and (length := _opening(words, talk.lead)):
        if length == 1 and not _PAUSE.match(folded, words[0].end) and len(words) > 1:
            break
        words = words[length:]
        if not stated and _opening(words, talk.whole):
            return []
    if stated or any(t.word not in known.stop and t.word not in known.evaluative for t in words):
        return words
    return []


def _opening(words: list[Token], openings: frozenset[tuple[str, ...]]) -> int:
    """How many words the longest opening that the sentence begins with has."""
    first = tuple(t.word for t in words[:6])
    return next((n for n in range(len(first), 0, -1) if first[:n] in openings), 0)


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
        missing=[q for q in stated if not carried(q, context.held)],
        names=_names(answer, words, content, stems, context, language),
        asks=asks,
    )


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
