"""Golden answers: whether a release still answers as it did the first time; pure.

What the head of an answer says (`guard.served`) is kept as all that was seen, since regions and proxies alternate: one
that was never seen counts at once, and once.

A model that answers once otherwise may be a matter of chance, so words count as changed when they are unlike the first
answer twice in a row; another model name or version from the provider counts at once. What was said to have changed is
the new measure, so that one change is told once.
"""

import msgspec

from handrail.trials.fingerprint import Fingerprint, changed, similarity

TWICE = 2
MOST_HEADS = 32
"""So many different ones are told; who alternates between more is no longer looked at."""


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Of one case and release. `unlike`: how often in a row the answer was another one. `heads`: what the heads of its
    answers said so far."""

    first: Fingerprint
    at_ms: int
    unlike: int = 0
    heads: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`similarity`: 0 to 1."""

    why: str
    similarity: float
    before: Fingerprint
    after: Fingerprint


def looked(known: Golden | None, answer: Fingerprint, least: float, *, now_ms: int) -> tuple[Golden, Change | None]:
    """What to keep, and the change that must be told. `least`: similarity from which on an answer is the same."""
    if known is None:
        return Golden(first=answer, at_ms=now_ms, heads=_heads((), answer)), None
    before = known.heads
    known = msgspec.structs.replace(known, heads=_heads(known.heads, answer))
    why = changed(known.first, answer, least)
    if not why and before and known.heads != before:
        told = Change(
            why="the head of the provider's answer says what it never said before",
            similarity=round(similarity(known.first, answer), 3), before=known.first, after=answer,
        )  # fmt: skip
        return msgspec.structs.replace(known, unlike=0), told
    if not why:
        return msgspec.structs.replace(known, unlike=0), None
    alike = similarity(known.first, answer)
    if alike < least and known.unlike + 1 < TWICE and _same_vendor(known.first, answer):
        return msgspec.structs.replace(known, unlike=known.unlike + 1), None
    told = Change(why=why, similarity=round(alike, 3), before=known.first, after=answer)
    return Golden(first=answer, at_ms=now_ms, heads=known.heads), told


def _heads(known: tuple[str, ...], answer: Fingerprint) -> tuple[str, ...]:
    if not answer.served or answer.served in known or len(known) >= MOST_HEADS:
        return known
    return (*known, answer.served)


def _same_vendor(first: Fingerprint, second: Fingerprint) -> bool:
    return not (first.vendor and second.vendor) or first.vendor == second.vendor
