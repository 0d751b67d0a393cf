"""Ports of what governance keeps."""

from collections import Counter
from typing import Protocol

from handrail.governance.demote import Demotion
from handrail.ledger.store import Transaction
from handrail.people.store import Register
from handrail.policy.ruleset import Ruleset
from handrail.terms.ids import Digest, UseCaseId


class AutonomyStore(Protocol):
    """Lowered levels, inside a command."""

    def get(self, use_case: UseCaseId) -> Demotion:
        """One with nothing lowered, where none is kept."""
        ...

    def all(self) -> list[Demotion]:
        """Those that lower something, by use case."""
        ...

    def swap(self, before: Demotion, after: Demotion) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...

    def spend(self, use_case: UseCaseId, key: str) -> bool:
        """Note that a trigger has acted. False: it did before."""
        ...

    def counts(self, use_case: UseCaseId, since_hour: int) -> Counter[str]:
        """What the watch has counted from this hour on (hours since 1970)."""
        ...


class AutonomyReader(Protocol):
    """Committed state. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def all(self) -> list[Demotion]:
        """Every use case that has a history, whether something is lowered or not."""
        ...

    async def counts(self, use_case: UseCaseId, since_hour: int) -> Counter[str]:
        """As `AutonomyStore.counts`, beside the writer."""
        ...

    async def spent(self, use_case: UseCaseId, keys: list[str]) -> set[str]:
        """Of these keys, those that have acted."""
        ...


class Rulebook(Protocol):
    def current(self) -> Digest | None: ...

    def get(self, digest: Digest) -> Ruleset:
        """Raises HandrailError NOT_FOUND."""
        ...


class AutonomyTransaction(Transaction, Register, Protocol):
    @property
    def autonomy(self) -> AutonomyStore: ...

    @property
    def rulesets(self) -> Rulebook: ...

    def bump_epoch(self) -> int: ...
