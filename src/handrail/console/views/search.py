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
                "Your own id of a customer or of a conversation leads there, and so does an id of an interaction, "
                "conversation, action, incident, alert or release, and the name of a use case. What was said is never "
                "searched, so an order number, a name or an e-mail address finds nothing unless it is your id of the "
                "customer: see in your own system whose it is, and write her id here."
            )
        ),
    )  # fmt: skip
