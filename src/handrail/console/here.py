"""What a handler has at hand: the ports, the visitor's words, the instant of this request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from handrail.console.ports import Ports
from handrail.console.words import Words
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Commit, Journal
from handrail.policy.ruleset import Ruleset
from handrail.terms.errors import Code, HandrailError

T = TypeVar("T")
READING = frozenset({EntryKind.PAYLOAD_READ})
"""What a GET may record: that somebody read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """`now_ms`: one instant for the whole request. `path`: with its query, as the visitor asked."""

    ports: Ports
    words: Words
    now_ms: int
    path: str

    @property
    def ruleset(self) -> Ruleset:
        """In force. Raises HandrailError NOT_FOUND before the first publication."""
        current = self.ports.in_force.current
        if current is None:
            raise HandrailError(Code.NOT_FOUND, "nothing is published yet: handrail publish")
        return current.ruleset


class Looking:
    """`ledger.store.Journal` for GET: it records that something was read, and refuses everything else."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def run(self, command: Callable[[Any], T]) -> T:
        raise HandrailError(Code.NOT_ALLOWED, "looking at a page changes nothing")

    async def record(self, entry: Entry) -> None:
        if entry.kind not in READING:
            raise HandrailError(Code.NOT_ALLOWED, "looking at a page changes nothing")
        await self._journal.record(entry)

    def queue(self, entry: Entry) -> None:
        raise HandrailError(Code.NOT_ALLOWED, "looking at a page changes nothing")

    def beside(self, command: Callable[[Any], object]) -> None:
        raise HandrailError(Code.NOT_ALLOWED, "looking at a page changes nothing")

    async def close(self) -> None:
        """It is another's to close."""

    def commit(self, entry: Entry) -> Commit:
        raise HandrailError(Code.NOT_ALLOWED, "looking at a page changes nothing")
