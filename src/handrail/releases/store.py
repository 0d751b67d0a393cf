"""Ports of releases: stored once by digest, which one is live for each use case, how far each has come, and the units
that were drawn. They are used inside a command: a move and its entry are one transaction."""

from collections.abc import Sequence
from typing import Protocol

from handrail.ledger.store import Transaction
from handrail.people.store import Register
from handrail.policy.ruleset import Ruleset
from handrail.releases.assign import Drawn
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.past import Reported
from handrail.releases.release import Release
from handrail.releases.unit import UnitRow
from handrail.terms.actor import Actor
from handrail.terms.ids import Digest, UseCaseId


class ReleaseStore(Protocol):
    """Inside a command."""

    def put(self, digest: Digest, release: Release, *, by: Actor, at_ms: int) -> bool:
        """Keep it. False: this digest was known; its author stays the one who published it first."""
        ...

    def get(self, digest: Digest) -> Release:
        """Raises HandrailError NOT_FOUND."""
        ...

    def author(self, digest: Digest) -> Actor:
        """Who published it first. Raises HandrailError NOT_FOUND."""
        ...

    def live(self) -> dict[UseCaseId, Digest]: ...

    def set_live(self, use_case: UseCaseId, digest: Digest | None, *, expected: Digest | None, at_ms: int) -> None:
        """`None`: no release is live (any more). Raises HandrailError LOST_RACE when `expected` is not what is."""
        ...


class RolloutStore(Protocol):
    """How far releases have come."""

    def add(self, rollout: Rollout) -> None:
        """Raises HandrailError ALREADY."""
        ...

    def get(self, release: Digest) -> Rollout:
        """Raises HandrailError NOT_FOUND."""
        ...

    def find(self, release: Digest) -> Rollout | None: ...

    def named(self, beginning: str) -> Rollout:
        """By the first characters of its digest. Raises HandrailError NOT_FOUND for none or several."""
        ...

    def swap(self, before: Rollout, after: Rollout) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE, or ALREADY for a second canary of a use
        case."""
        ...

    def all(self, use_case: UseCaseId | None = None, states: frozenset[State] | None = None) -> list[Rollout]:
        """Newest first."""
        ...


class UnitStore(Protocol):
    """The only truth for counts."""

    def assign(self, use_case: UseCaseId, drawn: Drawn, conversation: str) -> None:
        """One more conversation of a unit; the first makes the unit, with the next ordinal of its rollout."""
        ...

    def signal(self, conversation: str, name: str, at_ms: int, value: float) -> bool:
        """Put into the unit of this conversation; False: it has none. What comes after it matured changes no metric."""
        ...

    def fold(self, units: Sequence[UnitRow]) -> bool:
        """`metrics`, `matured_at` and `folded` of units of one rollout that have matured. False: one was folded
        meanwhile."""
        ...

    def last_folded(self, release: Digest, run: int) -> int:
        """Number of the unit that was folded last; 0: none."""
        ...

    def forget(self, release: Digest, *, limit: int) -> int:
        """Delete so many of a rollout's units, of all its runs; how many were there."""
        ...

    def lead(self, holder: str, lease_ms: int) -> bool:
        """Become or stay the judge of this database, by the transaction's clock."""
        ...


class UnitReader(Protocol):
    """Committed units, read beside the writer. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def waiting(self, rollout: Rollout, *, limit: int) -> list[UnitRow]:
        """Of its run, not folded, by stage and ordinal."""
        ...

    async def folded(self, rollout: Rollout, *, after: int = 0, limit: int = 10_000) -> list[UnitRow]:
        """By number, from the one after `after`."""
        ...

    async def reported(self, rollout: Rollout) -> list[UnitRow]:
        """Not folded, with a signal."""
        ...

    async def find(self, rollout: Rollout, unit: str) -> UnitRow | None: ...

    async def counts(self, rollout: Rollout) -> list[tuple[int, str, int, int]]:
        """Stage, arm, units, of those judged."""
        ...

    async def rollout(self, release: Digest) -> Rollout | None: ...

    async def rollouts(self) -> list[Rollout]:
        """Newest first."""
        ...

    async def outcomes_of(self, use_case: UseCaseId, release: Digest, *, limit: int) -> list[Reported]:
        """What was reported of conversations that this release answers, drawn for no pilot or hold-out: the newest
        conversations first, at most so many outcomes."""
        ...

    async def late(self, release: Digest, since_ms: int) -> int:
        """Interactions on this release that ended at `since_ms` or later."""
        ...


class Rulebook(Protocol):
    def current(self) -> Digest | None: ...

    def get(self, digest: Digest) -> Ruleset:
        """Raises HandrailError NOT_FOUND."""
        ...


class ReleaseTransaction(Transaction, Register, Protocol):
    @property
    def releases(self) -> ReleaseStore: ...

    @property
    def rollouts(self) -> RolloutStore: ...

    @property
    def units(self) -> UnitStore: ...

    @property
    def rulesets(self) -> Rulebook: ...

    def bump_epoch(self) -> int:
        """Every process reads what is in force again; the new epoch."""
        ...
