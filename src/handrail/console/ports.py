"""What pages need from below, one field per port; `app.wire.console` fills it, tests give fakes. A page that needs more
adds a field here and a line there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from handrail.approvals.store import ActionReader, Stored
from handrail.approvals.view import CaseView
from handrail.in_force.snapshot import InForce
from handrail.ledger.read import Reader
from handrail.ledger.store import Journal
from handrail.people.store import PeopleReader
from handrail.releases.store import UnitReader
from handrail.review.incidents import IncidentReader
from handrail.terms.action import ActionId
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest, Ids
from handrail.watch.alert import Alert, AlertState
from handrail.watch.measure import Cell, Counts
from handrail.watch.series import Series


class WatchReader(Protocol):
    """Figures and alerts. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def measured(self, since_hour: int, until_hour: int) -> list[tuple[Cell, Counts]]:
        """By hour since 1970, from `since_hour` up to but without `until_hour`."""
        ...

    async def series(self) -> list[Series]: ...

    async def alerts(self, *, states: frozenset[AlertState], limit: int) -> list[Alert]:
        """Newest first."""
        ...


class Cases(Protocol):
    """Held actions in the hands of persons, where a command alone is not enough."""

    async def look(self, action: ActionId, *, token: str, most_past: int) -> tuple[Stored, CaseView]:
        """A case with its arguments and its conversation, after the look was recorded (`payload.read`); on GET too.
        `most_past`: similar cases. Raises HandrailError NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        ...

    async def edit(
        self, action: ActionId, arguments: dict[str, object], *, digest: Digest, token: str, comment: str
    ) -> Stored:
        """Other arguments, decided from the start. `digest`: of what was seen. Raises HandrailError NOT_FOUND,
        TOKEN_INVALID, ALREADY_DECIDED, NOT_ALLOWED or LOST_RACE."""
        ...

    async def undo(self, action: ActionId, *, token: str) -> Stored:
        """What has not left is taken back; what was done gets its undoing action. Raises HandrailError NOT_FOUND,
        TOOL_UNREGISTERED, TOKEN_INVALID, ALREADY_DECIDED or NOT_ALLOWED."""
        ...


class Tail(Protocol):
    """How the ledger grows, for signals."""

    async def newest(self) -> int:
        """The number of the last row; 0: there is none."""
        ...

    async def kinds_after(self, row: int) -> Mapping[str, int]:
        """Kinds of entries with a row number above `row`, each with its last one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """`journal`: on GET one that refuses every change."""

    journal: Journal
    reader: Reader
    acts: ActionReader
    cases: Cases
    units: UnitReader
    incidents: IncidentReader
    watch: WatchReader
    people: PeopleReader
    in_force: InForce
    tail: Tail
    clock: Clock
    ids: Ids
