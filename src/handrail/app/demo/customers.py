"""The demo's customers of the help chat: what they ask, and what becomes of them. Pure.

Each judges what it reads, never which release wrote it: who gets no steps to follow asks for a person more often.
"""

import hashlib
from dataclasses import dataclass

ASK = (
    "How do I store my tent after rain?",
    "How can I send something back?",
    "My stove does not light, what can I do?",
)
STEPS = 60
"""Characters: a shorter answer explains no steps."""
TRANSFER = {True: 0.06, False: 0.3}
"""How often somebody asks for a person, by whether the answer explained something."""
COMPLAINT = 0.02


@dataclass(frozen=True, slots=True)
class Contact:
    """What a conversation came to. `events`: types of outcome that are reported of it."""

    conversation: str
    answer: str
    events: tuple[str, ...]


def question(customer: str) -> str:
    """`customer`: a name; the same one always asks and does the same."""
    return ASK[int(chance(customer, "asks") * len(ASK))]


def outcome(customer: str, conversation: str, answer: str) -> Contact:
    events = ["transfer"] if chance(customer, "transfer") < TRANSFER[len(answer) >= STEPS] else []
    if chance(customer, "complaint") < COMPLAINT:
        events.append("complaint")
    return Contact(conversation, answer, tuple(events))


def chance(customer: str, what: str) -> float:
    """In [0, 1), spread evenly over customers."""
    return int.from_bytes(hashlib.blake2b(f"{customer}/{what}".encode(), digest_size=7).digest()) / 2**56
