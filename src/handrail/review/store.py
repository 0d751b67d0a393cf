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
        unmatched, so that a key cannot speak for what is not its own. Raises HandrailError JOURNAL_UNAVAILABLE with
        nothing saved."""
        ...

    async def match(self, *, limit: int) -> int:
        """Try unmatched events again; how many found their conversation. For the jobs process."""
        ...
