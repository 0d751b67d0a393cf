"""What pages need from below, one field per port; `app.wire.console` fills it, tests give fakes. A page that needs more
adds a field here and a line there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.approvals.notices import Posted
from handrail.approvals.store import ActionReader, Stored
from handrail.approvals.view import CaseView
from handrail.console.record_ports import Log, Talks
from handrail.governance.autonomy_desk import Promoted
from handrail.governance.demote import Bar, Demotion
from handrail.governance.store import AutonomyReader
from handrail.guard.ports import Spent
from handrail.in_force.snapshot import InForce
from handrail.ledger.read import Reader
from handrail.ledger.store import Journal
from handrail.people.store import PeopleReader
from handrail.people.ways import WaysReader
from handrail.policy.ruleset import UseCase
from handrail.releases.curve import Drawing
from handrail.releases.desk import Bars, Start
from handrail.releases.lifecycle import Rollout
from handrail.releases.release import Release
from handrail.releases.store import ReleaseTransaction, UnitReader
from handrail.review.incidents import IncidentReader
from handrail.review.verdicts import VerdictReader
from handrail.terms.action import ActionId, ActionType
from handrail.terms.actor import Actor
from handrail.terms.clock import Clock
from handrail.terms.ids import Digest, Ids, UseCaseId
from handrail.trials.case import Trial
from handrail.trials.store import Run
from handrail.watch.alert import Alert, AlertState, Silence
from handrail.watch.measure import Cell, Counts
from handrail.watch.openings import OpeningReader
from handrail.watch.series import Series


class WatchReader(Protocol):
    """Figures and alerts. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def measured(self, since_hour: int, until_hour: int) -> list[tuple[Cell, Counts]]:
        """By hour since 1970, from `since_hour` up to but without `until_hour`."""
        ...

    async def series(self) -> list[Series]: ...

    async def counted(
        self, use_cases: Sequence[str], since_hour: int, until_hour: int, *, limit: int
    ) -> list[tuple[Cell, Counts]]:
        """As `measured`, of these use cases alone and the newest hours first, at most `limit` cells: a range of the
        primary key for each use case, however much was counted before."""
        ...

    async def summed(self, use_cases: Sequence[str], since_hour: int, until_hour: int) -> Counts:
        """Everything counted of these use cases from `since_hour` up to but without `until_hour`, together: a range of
        the primary key for each, some microseconds for each cell."""
        ...

    async def series_of(self, use_cases: Sequence[str]) -> list[Series]:
        """Of these alone: at most some twenty rows of 5 kB for each."""
        ...

    async def alerts(self, *, states: frozenset[AlertState], limit: int) -> list[Alert]:
        """Newest first."""
        ...

    async def alert(self, name: str) -> Alert:
        """Raises HandrailError NOT_FOUND."""
        ...

    async def silences(self, now_ms: int) -> list[Silence]:
        """Those in force."""
        ...


class HomeTests(Protocol):
    """The cases of `tests/*.yaml`, as the folder of this server holds them."""

    async def cases(self) -> tuple[Trial, ...]:
        """Read anew: a case may be written while the console runs. Files with mistakes give what can be read."""
        ...


class Cases(Protocol):
    """Held actions in the hands of persons, where a command alone is not enough."""

    async def look(self, action: ActionId, *, token: str, most_past: int, reason: str = "") -> tuple[Stored, CaseView]:
        """A case with its arguments and its conversation, after the look was recorded (`payload.read`); on GET too.
        `most_past`: similar cases. Raises HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, REASON_NEEDED (the
        ruleset asks why) or REQUEST_INVALID (the reason is no reference)."""
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


class ReleaseReader(Protocol):
    """Releases as they were published, their moves in the ledger, and runs of their tests. Each method raises
    HandrailError JOURNAL_UNAVAILABLE."""

    async def release(self, digest: Digest) -> tuple[Release, Actor]:
        """With who published it first. Raises HandrailError NOT_FOUND."""
        ...

    async def moves(self, after: int, until: int, *, limit: int) -> list[tuple[int, bytes]]:
        """(row, facts) of the entries `release.*` in the rows of the ledger from `after` (exclusive) to `until`, oldest
        first."""
        ...

    async def runs(self, use_case: UseCaseId | None, release: Digest | None, *, limit: int) -> list[Run]:
        """Newest first; None: of any."""
        ...

    async def run(self, name: str) -> Run:
        """Raises HandrailError NOT_FOUND."""
        ...


class Moving(Protocol):
    """What moves of releases need from above, and what is remembered of their evidence. Each method raises
    HandrailError JOURNAL_UNAVAILABLE."""

    @property
    def bars(self) -> Bars: ...

    def beside(self, tx: ReleaseTransaction, rollout: Rollout) -> None:
        """What belongs into the commit of a rollback by a person: its incident."""
        ...

    async def start(self, command: Start) -> Rollout:
        """With the past that its percentiles are of. Raises as the command does."""
        ...

    async def barred(self, rollout: Rollout) -> str:
        """Why it may not go on now; empty: it may. At most a few seconds old."""
        ...

    async def drawing(self, rollout: Rollout) -> Drawing:
        """Its evidence so far. Units are folded once for each process; the next time only those that came since. Comes
        within a moment: where folding takes longer, it goes on and `Drawing.complete` is False, or it is the drawing of
        a moment ago."""
        ...

    async def moves(self, release: Digest) -> list[bytes]:
        """Facts of the entries of its moves, newest first. The ledger is gone through once for each process."""
        ...


class Levels(Protocol):
    """Lowered levels of autonomy in the hands of persons. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def bars(self, case: UseCase, before: Demotion) -> tuple[Bar, ...]:
        """What raising everything that is lowered needs now, met or not, with its figures; read beside the writer."""
        ...

    async def promote(
        self,
        use_case: UseCaseId,
        *,
        types: tuple[ActionType, ...],
        reason: str,
        override: bool,
        token: str,
        seen: int,
    ) -> Promoted:
        """As `handrail autonomy promote`. `seen`: the version of what is lowered; raises HandrailError LOST_RACE when
        it is another by now, else as `governance.autonomy_desk.Promote`."""
        ...


class Looks(WaysReader, Protocol):
    """The organisation's own state. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def spent(self, day: str) -> Mapping[UseCaseId, Spent]:
        """What budgets count, of one day of the organisation (ISO 8601)."""
        ...

    async def last_notices(self) -> list[Posted]:
        """The newest of each receiver in each state, of the last thirty days."""
        ...


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What the home says that is no rule. `database`: `sqlite` or `postgresql`. `address`: of the console as people
    reach it, without a slash at the end. `above_minor`: in the organisation's currency. `second_factor`: roles.
    `provider`, `issuer`: of the sign-in at a provider; `groups`: group and roles."""

    version: str
    database: str
    address: str
    idle_ms: int
    most_ms: int
    fresh_ms: int
    above_minor: int | None = None
    second_factor: tuple[str, ...] = ()
    provider: str = ""
    issuer: str = ""
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    creates: bool = False


class Advised(msgspec.Struct, frozen=True):
    """One thing that `handrail doctor` found. `level`: broken, risk or note."""

    level: str
    what: str
    why: str
    mend: str


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """`failed`: why doctor could not look; empty: it did."""

    at_ms: int
    found: tuple[Advised, ...] = ()
    failed: str = ""


class Installation(Protocol):
    """This installation, beside its database."""

    def described(self) -> Installed: ...

    @property
    def examined(self) -> Examined | None:
        """The last look; None: there was none in this process."""
        ...

    async def examine(self) -> Examined:
        """Look, in a process of its own; one look a minute, whoever asks. Raises nothing: what failed is said."""
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
    home_tests: HomeTests
    people: PeopleReader
    in_force: InForce
    released: ReleaseReader
    moving: Moving
    autonomy: AutonomyReader
    levels: Levels
    openings: OpeningReader
    looks: Looks
    installation: Installation
    tail: Tail
    verdicts: VerdictReader
    talks: Talks
    log: Log
    clock: Clock
    ids: Ids
