"""Ports of held and executed actions. They are used inside a command: a move and its entry are one transaction."""

from typing import Protocol

import msgspec

from handrail.approvals.drill import Drill, Told
from handrail.approvals.facts import About
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.notices import NoticeStore
from handrail.approvals.stop import Stop
from handrail.ledger.store import Transaction
from handrail.people.store import KeyStore, Register
from handrail.policy.action_rules import Route
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import Action, ActionId
from handrail.terms.actor import Actor
from handrail.terms.ids import ConversationId, Digest, PersonId, SubjectId


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An action as the register holds it. `request`: the call of the current revision, sealed at rest under the
    subject's key; None: the subject was erased, so nothing can be executed any more. `business`: keyed hash of what
    makes two calls the same. `given`: what its decision rests on (`policy.action.ActionInput` and the caller's facts),
    sealed at rest, kept for what waits so that it can be decided again. `result`: what the agent gets (sealed at rest),
    once there is one. `drilled`: not kept: what a decision on a drill tells the person who made it."""

    progress: Progress
    about: About
    subject: SubjectId
    request: Action | None
    business: bytes
    reserved: tuple[tuple[str, str, int], ...] = ()  # scope, period, amount or count
    given: bytes | None = None
    result: bytes | None = None
    drilled: Told | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the queue: nothing personal, and not whether it is a drill. `reasons`: codes, each once. `given`:
    approvals so far of the `needs`. Times in Unix ms."""

    action: ActionId
    state: State
    use_case: str
    tool: str
    agent: str
    amount_minor: int | None
    currency: str
    reasons: tuple[str, ...]
    route: str
    needs: int
    given: int
    created_at: int
    decide_by: int | None


class Queued(Line, frozen=True, kw_only=True, gc=False):
    """A row for who may settle it: what tells her apart from others. `asks`: the route as it was when it was held;
    None: the built-in one. `step`: of its escalations. `approved`: by whom so far. `settled_by`: whose word ended the
    waiting, at `settled_at` (Unix ms). `unread`: it moves money and nobody could read how much. `digest`: of the
    call. `handed_to`: who alone decides until `handed_until`."""

    type: str
    digest: Digest
    asks: Route | None
    step: int
    approved: tuple[PersonId, ...]
    excluded: frozenset[PersonId]
    settled_by: str
    settled_at: int | None
    unread: bool
    handed_to: str = ""
    handed_until: int | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """An ended hold of the same tool and use case. `amount_minor`: in `currency`."""

    action: ActionId
    state: State
    at_ms: int
    amount_minor: int | None
    currency: str
    settled_by: str


class ActionReader(Protocol):
    """Committed state, read beside the writer. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def get(self, action: ActionId) -> Stored:
        """Raises HandrailError NOT_FOUND."""
        ...

    async def queue(self, states: frozenset[State], *, limit: int, after: ActionId | None = None) -> list[Line]:
        """Oldest first."""
        ...

    async def queued(
        self,
        states: frozenset[State],
        *,
        limit: int,
        after: ActionId | None = None,
        newest: bool = False,
        due_before: int | None = None,
    ) -> list[Queued]:
        """Oldest first, or `newest` first; `after`: what comes behind this one. `due_before` (Unix ms): only what
        somebody must look at until then, the most urgent first. At most `limit` rows of each state are read."""
        ...

    async def counts(self) -> dict[State, int]: ...

    async def past(self, about: About, *, most: int) -> tuple[Past, ...]:
        """Similar cases that ended, newest first."""
        ...

    async def next_due(self) -> int | None:
        """When the next escalation, expiry, lease or cool-off is over, in Unix ms of the database."""
        ...

    async def stops(self) -> tuple[Stop, ...]: ...


class ActionStore(Protocol):
    """Inside a command."""

    def add(self, stored: Stored) -> None:
        """Raises HandrailError ALREADY when the id is taken, or an action with the same business key is neither ended
        nor outside its window: `same` finds that one."""
        ...

    def get(self, action: ActionId) -> Stored:
        """Raises HandrailError NOT_FOUND."""
        ...

    def same(self, business: bytes, *, since_ms: int, conversation: ConversationId | None) -> Stored | None:
        """The action that an equal call already made: one that is not over (held, approved, claimed, unknown), however
        old; else one that was done or drafted, not undone since, and ended at `since_ms` or later. `conversation` None:
        of any."""
        ...

    def move(self, before: Progress, after: Progress, *, request: Action | None = None) -> None:
        """Compare and set on the version. `request`: the edited call, for a new revision. Raises LOST_RACE."""
        ...

    def rewrite(self, before: Progress, stored: Stored) -> None:
        """A new revision: progress, call, what it rests on and what it reserves, in one compare-and-set. Raises
        LOST_RACE."""
        ...

    def keep_result(self, action: ActionId, result: bytes) -> None:
        """What the agent gets from now on."""
        ...

    def waiting(self, states: frozenset[State], *, limit: int, after: ActionId | None = None) -> list[Stored]:
        """Oldest first."""
        ...

    def waiting_about(
        self, states: frozenset[State], *, limit: int, after: ActionId | None = None
    ) -> list[tuple[Progress, About]]:
        """As `waiting`, without opening what is sealed."""
        ...

    def due(self, *, limit: int) -> list[Progress]:
        """Whose escalation, expiry, lease or cool-off is over by the transaction's clock."""
        ...


class LimitStore(Protocol):
    """Reservations against limits. A scope is a limit's id with what it counts by, hashed: `refund-day:9f3c...`."""

    def used(self, scope: str, period: str) -> int:
        """Spent and reserved together, in minor units or counts."""
        ...

    def reserve(self, scope: str, period: str, amount: int, *, at_most: int) -> bool:
        """Add, unless the sum would pass `at_most`: False, and nothing is added. Atomic over all processes."""
        ...

    def release(self, scope: str, period: str, amount: int) -> None:
        """Give back what a denied, expired or failed action had reserved."""
        ...


class StopStore(Protocol):
    """Stops in force, read inside the claim."""

    def all(self) -> list[Stop]: ...

    def add(self, stop: Stop) -> None: ...

    def lift(self, stop_id: str) -> Stop:
        """Raises HandrailError NOT_FOUND."""
        ...


class Rulebook(Protocol):
    """What is in force, and who wrote its rules."""

    def current(self) -> Digest | None: ...

    def get(self, digest: Digest) -> Ruleset:
        """Raises HandrailError NOT_FOUND."""
        ...

    def rule_author(self, rule: Digest) -> Actor | None:
        """Whose publish first contained the rule; None: nobody's, as far as is known."""
        ...


class DrillStore(Protocol):
    """Drills: planned, in the queue, decided."""

    def plan(self, drill: Drill) -> bool:
        """False when a drill of this id is there already."""
        ...

    def due(self, *, limit: int) -> list[Drill]:
        """Planned ones whose time has come by the transaction's clock."""
        ...

    def made(self, drill: Drill) -> None:
        """Raises LOST_RACE when it is not planned any more."""
        ...

    def skipped(self, drill: Drill) -> None:
        """Raises LOST_RACE."""
        ...

    def of(self, action: ActionId) -> Drill:
        """Raises NOT_FOUND."""
        ...

    def decided(self, drill: Drill) -> None:
        """Raises LOST_RACE when somebody has decided it."""
        ...

    def since(self, since_ms: int, until_ms: int) -> list[Drill]:
        """Those that entered the queue in this time, oldest first."""
        ...

    def forget(self, person: PersonId) -> int:
        """How many results are nobody's from now on."""
        ...

    def knows_customer(self, hashed: bytes) -> bool:
        """Whether a customer of this keyed hash is recorded."""
        ...


class ActionTransaction(Transaction, Register, Protocol):
    @property
    def rulesets(self) -> Rulebook: ...

    @property
    def keys(self) -> KeyStore: ...

    @property
    def actions(self) -> ActionStore: ...

    @property
    def limits(self) -> LimitStore: ...

    @property
    def stops(self) -> StopStore: ...

    def bump_epoch(self) -> int:
        """Every process reads what is in force again."""
        ...

    @property
    def drills(self) -> DrillStore: ...

    @property
    def notices(self) -> NoticeStore: ...
