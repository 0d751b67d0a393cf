"""A test made of a recorded conversation: what it will expect, and the draft once it is made; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from handrail.console.record_ports import Drafted
from handrail.console.views.use_cases_words import KINDS
from handrail.console.words import N_, Words
from handrail.ledger.entry import InteractionFacts
from handrail.review.verdicts import Judged, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """`choices`: (place, words, chosen). `must`: yes or no."""

    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    id: str
    choices: tuple[tuple[str, str, bool], ...]
    must: str
    why: str
    reason: str
    error: str
    drafted: Drafted | None = None


def drafting(
    facts: InteractionFacts, words: Words, *, finding: int, judged: Sequence[Judged], person: str, reason: str,
    must: str, error: str, path: str,
) -> Test:  # fmt: skip
    """Without a choice of the visitor, a finding that she called wrong must not be found, any other must."""
    mine = next((one.word for one in judged if one.finding == finding and one.person == person), None)
    chosen = must or ("no" if mine is Word.WRONG else "yes")
    known = 0 <= finding < len(facts.findings)
    return Test(
        crumbs=((words(N_("Interactions")), path), (facts.interaction, f"{path}/{facts.interaction}")),
        crumb=words(N_("Test")), id=facts.interaction,
        choices=(
            ("-1", words(N_("No finding: only that it is answered")), not known),
            *(
                (str(place), words(KINDS[fact.kind]), place == finding)
                for place, fact in enumerate(facts.findings)
            ),
        ),
        must=chosen, reason=reason, error=error,
        why=words(N_("You called this finding wrong, so the test says that it must not be found."))
        if not must and mine is Word.WRONG
        else "",
    )  # fmt: skip
