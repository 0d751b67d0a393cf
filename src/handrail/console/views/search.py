"""A search that led nowhere, and what can be looked for; pure."""

from dataclasses import dataclass

from handrail.console.words import N_, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    text: str
    title: str
    why: str


def nowhere(text: str, words: Words) -> Nowhere:
    return Nowhere(
        text=text,
        title=words(N_("Nothing is recorded under this.") if text else N_("What are you looking for?")),
        why=words(
            N_(
                "An id of an interaction, conversation, action, incident, alert or release, your own id of a "
                "conversation, or the name of a use case leads to its page. What customers said is never searched."
            )
        ),
    )  # fmt: skip
