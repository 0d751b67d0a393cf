"""What a handler has at hand: the ports, the visitor's words, the instant of this request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from handrail.console.answers import NeedsFresh
from handrail.console.ports import Ports
from handrail.console.visitor import Visitor
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
    """`now_ms`: one instant for the whole request. `path`: with its query, as the visitor asked. `rows`: the
    table of all pages. `fresh_ms`,
    `fresh_above_minor`: as the home says (`console.sign_in`)."""

    ports: Ports
    words: Words
    now_ms: int
    path: str
    rows: Sequence[Any] = ()  # routes.Route, which knows us
    fresh_ms: int = 0
    fresh_above_minor: int | None = None

    def require_fresh(self, visitor: Visitor, amount_minor: int | None) -> None:
        """For a decision about an amount (minor units of the organisation's currency; None: it is not known, so it may
        be any). Raises NeedsFresh from the home's `fresh_above` on."""
        above = self.fresh_above_minor
        if above is None or (amount_minor is not None and amount_minor < above):
            return
        if not 0 <= self.now_ms - visitor.authenticated_at < self.fresh_ms:
            raise NeedsFresh

    @property
    def by_program(self) -> bool:
        """Asked as JSON, with a personal token."""
        return self.path.startswith("/api/")

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
