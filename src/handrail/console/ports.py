"""What pages need from below, one field per port; `app.wire.console` fills it, tests give fakes. A page that needs more
adds a field here and a line there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from handrail.approvals.store import ActionReader
from handrail.in_force.snapshot import InForce
from handrail.ledger.read import Reader
from handrail.ledger.store import Journal
from handrail.people.store import PeopleReader
from handrail.releases.store import UnitReader
from handrail.review.incidents import IncidentReader
from handrail.terms.clock import Clock
from handrail.terms.ids import Ids
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
    units: UnitReader
    incidents: IncidentReader
    watch: WatchReader
    people: PeopleReader
    in_force: InForce
    tail: Tail
    clock: Clock
    ids: Ids
