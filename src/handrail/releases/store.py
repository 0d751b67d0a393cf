"""Port of releases: stored once by digest, and which one is live for each use case."""

from typing import Protocol

from handrail.ledger.store import Transaction
from handrail.releases.release import Release
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


class ReleaseTransaction(Transaction, Protocol):
    @property
    def releases(self) -> ReleaseStore: ...
