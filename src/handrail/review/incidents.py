"""Commands on incidents, each change with its entry; and the ports of what they are kept in and looked up by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Transaction
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import Register
from handrail.policy.ruleset import Ruleset
from handrail.releases.lifecycle import Rollout, State
from handrail.review import incident as moves
from handrail.review.incident import Incident, Scope, Severity
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, UseCaseId

BY = Actor(ActorKind.SYSTEM, "incidents")
NOBODY = Scope()
"""Names no interaction."""


class IncidentStore(Protocol):
    """Inside a command."""

    def add(self, incident: Incident) -> None: ...

    def get(self, incident: str) -> Incident:
        """Raises HandrailError NOT_FOUND."""
        ...

    def swap(self, before: Incident, after: Incident) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...

    def open_of(self, use_case: UseCaseId) -> list[Incident]:
        """Not closed, oldest first."""
        ...

    def closed_of(self, use_case: UseCaseId) -> list[Incident]:
        """Closed, oldest first."""
        ...


class Rulebook(Protocol):
    def current(self) -> Digest | None: ...

    def get(self, digest: Digest) -> Ruleset:
        """Raises HandrailError NOT_FOUND."""
        ...


class IncidentTransaction(Transaction, Register, Protocol):
    @property
    def incidents(self) -> IncidentStore: ...

    @property
    def rulesets(self) -> Rulebook: ...


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation. `subject`: whose it is; `person`: a customer who is known, not a conversation alone. `erased`:
    whose key was destroyed. `first`: the first of its interactions. Times in Unix ms."""

    conversation: str
    interactions: int
    first_ms: int
    latest_ms: int
    subject: str
    person: bool
    erased: bool
    first: str = ""


class Concerned(msgspec.Struct, frozen=True, kw_only=True):
    """How many an incident concerns. `customers`: who are known. `unknown`: conversations of nobody who is known.
    `erased`: conversations whose key was destroyed. Times in Unix ms; None: there are none."""

    interactions: int
    conversations: int
    customers: int
    unknown: int
    erased: int
    first_ms: int | None
    latest_ms: int | None


class IncidentReader(Protocol):
    """Committed state. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def get(self, incident: str) -> Incident:
        """Raises HandrailError NOT_FOUND."""
        ...

    async def releases(self, beginning: str) -> list[str]:
        """Digests of stored releases that begin so, at most two."""
        ...

    async def listed(self, *, all_states: bool, limit: int) -> list[Incident]:
        """Newest first."""
        ...

    async def affected(self, use_case: UseCaseId, scope: Scope, *, limit: int | None = None) -> list[Affected]:
        """Every conversation with an interaction in the scope, by its first; the first `limit` where one is given.
        Raises HandrailError REQUEST_INVALID for a scope that names neither release nor finding nor time, or an unknown
        finding."""
        ...

    async def concerned(self, use_case: UseCaseId, scope: Scope) -> Concerned:
        """The same, counted by the database: as long a scan, and no rows. Raises as `affected`."""
        ...

    async def timeline(self, about: str, use_case: UseCaseId, since_ms: int, until_ms: int) -> list[bytes]:
        """Facts of the entries about it since then, however late, and of releases, stops, rulesets, alerts, baselines
        and autonomy of the use case in that time, oldest first."""
        ...

    async def history(
        self, about: str, use_case: UseCaseId, since_ms: int, until_ms: int, *, limit: int
    ) -> tuple[list[bytes], bool]:
        """The latest of the timeline, newest first, and whether older ones were left out. `limit`: entries looked at;
        those of other incidents and use cases count too."""
        ...


class IncidentFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`said`: the note or task."""

    incident: str
    state: str
    severity: str
    owner: str = ""
    title: str = ""
    cause: str = ""
    scope: Scope = Scope()
    said: str = ""
    test: str = ""
    no_test: str = ""


def open_incident(
    tx: IncidentTransaction, ids: Ids, *, use_case: UseCaseId, title: str, severity: Severity, by: Actor = BY,
    owner: str = "", cause: str = "", scope: Scope = NOBODY,
) -> Incident:  # fmt: skip
    """A new one with its entry; the one that is open for the same cause already, where there is one. `owner`: default
    the use case's."""
    for known in tx.incidents.open_of(use_case):
        if cause and known.cause == cause:
            return known
    made = Incident(
        id=ids.new("ic"), use_case=use_case, title=title, severity=severity, owner=owner or _owner(tx, use_case),
        opened_at=tx.now_ms, cause=cause, scope=scope,
    )  # fmt: skip
    tx.incidents.add(made)
    _record(tx, ids, EntryKind.INCIDENT_OPENED, made, by, said=title)
    return made


def of_rollback(tx: IncidentTransaction, ids: Ids, rollout: Rollout) -> Incident | None:
    """What belongs beside a rollback for safety: an incident about that release, contained, since it answers nobody
    any more. None for any other move."""
    if rollout.state is not State.ROLLED_BACK or not rollout.safety:
        return None
    by_hand = f"A person rolled release {rollout.release[:12]} back for safety."
    why = rollout.reached.sentence if rollout.reached is not None else by_hand
    made = open_incident(
        tx, ids, use_case=rollout.use_case, title=why, severity=Severity.S2,
        cause=f"release.{rollout.release}.{rollout.run}", scope=Scope(release=rollout.release),
    )  # fmt: skip
    if made.state is not moves.IncidentState.OPEN:
        return made
    after = moves.contained(made, now=tx.now_ms)
    tx.incidents.swap(made, after)
    _record(tx, ids, EntryKind.INCIDENT_MOVED, after, BY)
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    ids: Ids
    use_case: UseCaseId
    title: str
    severity: Severity
    scope: Scope
    token: str | None
    owner: str = ""
    cause: str = ""

    def __call__(self, tx: IncidentTransaction) -> Incident:
        """`cause`: the alert that it is opened from; there is one open incident of each. Raises HandrailError
        REQUEST_INVALID, NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.INCIDENTS)
        if not 0 < len(self.title.strip()) <= 300:
            raise HandrailError(Code.REQUEST_INVALID, "a title has 1 to 300 characters, and names no customer")
        current = tx.rulesets.current()
        if current is None or self.use_case not in tx.rulesets.get(current).use_cases:
            raise HandrailError(
                Code.NOT_FOUND, "no use case {use_case} is published", parts={"use_case": self.use_case}
            )
        return open_incident(
            tx, self.ids, use_case=self.use_case, title=self.title.strip(), severity=self.severity, by=by,
            owner=self.owner, cause=self.cause, scope=self.scope,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One move of a person. `move`: the pure function, given the incident, who acts and the time."""

    ids: Ids
    incident: str
    token: str | None
    move: Callable[[Incident, Actor, int], Incident]
    said: str = ""

    def __call__(self, tx: IncidentTransaction) -> Incident:
        """Raises what `move` raises, and HandrailError NOT_FOUND, LOST_RACE, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.INCIDENTS)
        before = tx.incidents.get(self.incident)
        after = self.move(before, by, tx.now_ms)
        tx.incidents.swap(before, after)
        closes = after.state is not before.state and after.state is moves.IncidentState.CLOSED
        _record(tx, self.ids, EntryKind.INCIDENT_CLOSED if closes else EntryKind.INCIDENT_MOVED, after, by, self.said)
        return after


def _owner(tx: IncidentTransaction, use_case: UseCaseId) -> str:
    current = tx.rulesets.current()
    known = None if current is None else tx.rulesets.get(current).use_cases.get(use_case)
    return "" if known is None else known.owner


def _record(tx: IncidentTransaction, ids: Ids, kind: EntryKind, incident: Incident, by: Actor, said: str = "") -> None:
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=kind, at_ms=tx.now_ms, actor=by, about=incident.id,
            use_case=incident.use_case, release=None,
            facts=IncidentFacts(
                incident=incident.id, state=incident.state.value, severity=incident.severity.value,
                owner=incident.owner, title=incident.title, cause=incident.cause, scope=incident.scope, said=said,
                test=incident.test, no_test=incident.no_test,
            ),
        )
    )  # fmt: skip
