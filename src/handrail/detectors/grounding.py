"""UNGROUNDED: what an answer claims although its context (tool results, documents) does not carry it.

Each sentence that claims something is compared with the context: quantities in one measure, names, polarity, scope
and conditions, wording. A small trained model (`grounding_model`) weighs the comparisons to a probability. Talk about
the conversation itself is never a finding; a question never reaches `THRESHOLD`.

When it cannot answer: without context there is nothing to compare with and no finding is made; the ruleset decides
whether such an answer may pass. It fails only on broken package data, and then before the first text is screened.
"""

from collections.abc import Iterable

from handrail.detectors.base import Reach, Text
from handrail.detectors.grounding_claims import claims
from handrail.detectors.grounding_context import PreparedContext, prepare
from handrail.detectors.grounding_measures import SAME_SUBJECT, Alignment, Claim, align, contradicts, measure
from handrail.detectors.grounding_model import Models, shipped
from handrail.detectors.grounding_words import Classes, Token, classes, fold, stem, tokens
from handrail.terms.finding import Finding, Kind, Role

THRESHOLD = 0.6
"""Score from which an answer counts as ungrounded; precision and recall there: docs/models/grounding.md."""
QUESTION_WEIGHT = 0.45
"""A question asserts nothing: its score is scaled by this, which keeps it below `THRESHOLD`."""
SURE = 0.8
"""Least score of a claim with a quantity that the context does not state: such claims were wrong in 95 of 100 cases
(own and pack answers together). A name that the context lacks, or a
contradiction, gives at least `THRESHOLD`."""
FLOOR = 0.05
"""Scores below this are not reported at all, whatever floor is asked for."""
_REASONS = {"date": "date", "weekday": "date", "time": "date", "amount": "amount"}


class Grounding:
    """The detector. `floor`: findings below it are not made; the default makes only findings to act on, a floor of 0
    also reports the weaker ones, for ranking answers."""

    name = "grounding"
    kinds = frozenset({Kind.UNGROUNDED})
    reach = Reach.WHOLE

    def __init__(self, floor: float = THRESHOLD, models: Models | None = None) -> None:
        self._floor = max(floor, FLOOR)
        self._models = models or shipped()

    def find(self, text: Text, language: str) -> list[Finding]:
        """Findings of an assistant's text that has context; none for any other."""
        if text.role is not Role.ASSISTANT or not text.context:
            return []
        context = prepare(text.context, language)
        return judge(text.text, context, language, self._models, floor=self._floor)


def ungroundedness(answer: str, context: str | tuple[str, ...], question: str = "", language: str = "en") -> float:
    """How probable it is that `context` does not carry `answer`, 0..1: the highest score of its findings, 0 for none.
    Words of `question` do not count as new, so a question can only lower the score."""
    prepared = prepare((context,) if isinstance(context, str) else context, language)
    asked = frozenset(stem(t.word) for t in tokens(fold(question)))
    return max((f.score for f in judge(answer, prepared, language, shipped(), asked)), default=0.0)


def judge(
    answer: str,
    context: PreparedContext,
    language: str,
    models: Models,
    asked: frozenset[str] = frozenset(),
    floor: float = FLOOR,
) -> list[Finding]:
    """Findings for every claim that scores at least `floor`, in order of the text."""
    known = classes(language)
    model = models.service if context.service else models.prose
    found: list[Finding] = []
    for claim in claims(answer, context, language):
        if claim.asks and floor > QUESTION_WEIGHT:
            continue  # whatever it says, its score stays below
        aligned = align(claim, context, known)
        probability = model.probability(measure(claim, aligned, context, known))
        if asked:
            probability = min(probability, model.probability(measure(claim, aligned, context, known, asked)))
        score = round(settled(claim, aligned, probability), 4)
        if score >= floor:
            found += _findings(claim, aligned, context, known, score)
    return found


def settled(claim: Claim, aligned: Alignment, probability: float) -> float:
    """The score of a claim: the model's probability, at least what a missing quantity, a missing name or a
    contradiction proves, less for a question."""
    if claim.missing:
        probability = max(probability, SURE)
    elif claim.names or contradicts(aligned):
        probability = max(probability, THRESHOLD)
    return probability * QUESTION_WEIGHT if claim.asks else probability


def _findings(
    claim: Claim, aligned: Alignment, context: PreparedContext, known: Classes, score: float
) -> list[Finding]:
    """Where the claim and the context part: each quantity and name by itself, then polarity, then scope; if nothing
    can be pointed at, the words that the context lacks."""
    marked = [
        *((q.start, q.end, _REASONS.get(q.kind, "number")) for q in claim.missing),
        *((t.start, t.end, "name") for t in claim.names),
        *((q.start, q.end, "date") for q in aligned.rivals if q.kind == "weekday" and contradicts(aligned)),
    ]
    if not marked and aligned.overlap >= SAME_SUBJECT:
        marked = [*((t.start, t.end, "negation") for t in aligned.opposites)]
        if not marked and aligned.negation:
            marked = [(*_negating(claim, known), "negation")]
        if not marked and (aligned.universal or aligned.added):
            marked = [(t.start, t.end, "condition") for t in (*aligned.universal, *aligned.added)]
    if not marked:
        marked = [(*_new_words(claim, context), "unsupported")]
    return [Finding(Kind.UNGROUNDED, start, end, score, reason) for start, end, reason in marked]


def _whole(words: Iterable[Token]) -> tuple[int, int]:
    held = list(words)
    return held[0].start, held[-1].end


def _negating(claim: Claim, known: Classes) -> tuple[int, int]:
    """The word that negates, or, where the context negates and the claim does not, the whole claim."""
    word = next((t for t in claim.words if t.word in known.negation), None)
    return (word.start, word.end) if word else _whole(claim.words)


def _new_words(claim: Claim, context: PreparedContext) -> tuple[int, int]:
    """From the first content word that the context lacks to the last; the whole claim where it lacks none."""
    new = [claim.words[n] for n in claim.content if claim.stems[n] not in context.near]
    return _whole(new or claim.words)
