"""What was reported afterwards about the conversations of a period: outcome events, counted once each. Pure.

An event counts for the conversations that had an interaction in the period, however late it came: a figure about last
week still moves when this week's complaints arrive.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.terms.ids import UseCaseId

REPORTED = frozenset({EntryKind.OUTCOME_REPORTED, EntryKind.OUTCOME_MATCHED})
SCALE_MAX = 5.0
"""Of a score that names no scale."""
LOW = 0.4
"""A score at or below this share of its scale is low: 1 and 2 of 5."""


class Reported(msgspec.Struct, frozen=True):
    """One outcome event that has found its conversation."""

    use_case: UseCaseId
    conversation: str
    facts: OutcomeFacts


def reported(recorded: RecordedFacts) -> Reported | None:
    """None for any other entry, and for an event that has not found its conversation (its later entry counts). Raises
    ValueError for facts that are not those of an outcome."""
    if recorded.kind not in REPORTED:
        return None
    try:
        facts = msgspec.json.decode(recorded.facts, type=OutcomeFacts)
    except msgspec.MsgspecError as error:
        raise ValueError(f"entry {recorded.id}: not the facts of an outcome: {error}") from None
    if not facts.matched or recorded.use_case is None or recorded.conversation is None:
        return None
    return Reported(recorded.use_case, recorded.conversation, facts)


class Outcomes(msgspec.Struct, kw_only=True):
    """Of one use case. `events`: events by type, of the period's conversations. `flags`: flags by their reason.
    `ever`: types that were ever reported for the use case, in or out of the period: without one a rate of zero would
    only say that nobody reports. The rest: conversations, each counted once; for scores and resolutions the latest
    event of a conversation counts."""

    events: Counter[str] = msgspec.field(default_factory=Counter)
    flags: Counter[str] = msgspec.field(default_factory=Counter)
    ever: set[OutcomeType] = msgspec.field(default_factory=set)
    having: dict[OutcomeType, set[str]] = msgspec.field(default_factory=dict)
    edited: set[str] = msgspec.field(default_factory=set)
    low: dict[str, tuple[int, bool]] = msgspec.field(default_factory=dict)
    unresolved: dict[str, tuple[int, bool]] = msgspec.field(default_factory=dict)

    def conversations(self, kind: OutcomeType) -> int:
        """That have at least one event of this type."""
        return len(self.having.get(kind, ()))


def outcomes(events: Iterable[Reported], conversations: set[str]) -> Outcomes:
    """Of one use case. `conversations`: those of the period."""
    found = Outcomes()
    for event in events:
        found.ever.add(event.facts.type)
        if event.conversation in conversations:
            _add(found, event.conversation, event.facts)
    return found


def _add(found: Outcomes, conversation: str, facts: OutcomeFacts) -> None:
    found.events[facts.type.value] += 1
    found.having.setdefault(facts.type, set()).add(conversation)
    if facts.type is OutcomeType.FLAG:
        found.flags[facts.reason or "no reason"] += 1
    if facts.type is OutcomeType.OVERRIDE and facts.same is not True:
        found.edited.add(conversation)
    if facts.type is OutcomeType.CSAT and facts.score is not None:
        low = facts.score <= LOW * (facts.scale_max or SCALE_MAX)
        _latest(found.low, conversation, facts.occurred_at_ms, low)
    if facts.type is OutcomeType.RESOLUTION:
        _latest(found.unresolved, conversation, facts.occurred_at_ms, facts.resolved is False)


def _latest(known: dict[str, tuple[int, bool]], conversation: str, at_ms: int, value: bool) -> None:
    if conversation not in known or known[conversation][0] <= at_ms:
        known[conversation] = (at_ms, value)
