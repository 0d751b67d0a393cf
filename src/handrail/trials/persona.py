"""What a scripted customer says next; pure, so that a failure can be looked at again."""

from collections.abc import Sequence

from handrail.trials.case import Persona, compiled


def reached(persona: Persona, answers: Sequence[str]) -> bool:
    """Whether the goal is reached. A persona without `until` has no goal that words could show."""
    return bool(persona.until) and any(
        compiled(persona.until, insensitive=True).search(text) is not None for text in answers
    )


def next_words(persona: Persona, answers: Sequence[str]) -> str | None:
    """`answers`: of the assistant so far. None: the customer has nothing more to say: the goal is reached, or the
    patience is over. What was said before is said again only when nothing new fits."""
    if len(answers) >= persona.turns or reached(persona, answers):
        return None
    said = [persona.opens]
    for answer in answers:
        fitting = _fitting(persona, answer)
        fresh = [words for words in fitting if words not in said]
        said.append((fresh or fitting or [persona.otherwise])[0])
    return said[-1]


def _fitting(persona: Persona, answer: str) -> list[str]:
    return [say for about, say in persona.asked if compiled(about, insensitive=True).search(answer) is not None]
