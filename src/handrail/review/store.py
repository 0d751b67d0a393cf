"""Port of outcome storage."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from handrail.review.outcome import OutcomeEvent


class Taken(StrEnum):
    """What became of one event. unmatched: kept and counted, tried again as interactions arrive."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNMATCHED = "unmatched"


class Outcomes(Protocol):
    """Keeps every event with its ledger entry in one transaction."""

    async def save(self, events: Sequence[OutcomeEvent], *, key_id: str, use_case: str | None) -> list[Taken]:
        """One result per event, in order. `use_case`: the key's own, None = all; an event about another use case stays
        unmatched, so that a key cannot speak for what is not its own. An identity counts once for each use case that
        keys are bound to, so that a key cannot silence another's either; a key for all use cases sees them all. Raises
        HandrailError JOURNAL_UNAVAILABLE; then a portion may be saved already, and is a duplicate the next time."""
        ...

    async def match(self, *, limit: int) -> int:
        """Try unmatched events that are due again; how many found their conversation. For the jobs process."""
        ...

    async def unmatched(self) -> int:
        """How many wait for their conversation."""
        ...
