"""Ports of what is in force: the ruleset inside a command, and the whole snapshot for the request path."""

from typing import Protocol

from handrail.in_force.snapshot import Snapshot
from handrail.policy.ruleset import Ruleset
from handrail.releases.release import Release
from handrail.terms.actor import Actor
from handrail.terms.ids import Digest


class RulesetStore(Protocol):
    """Inside a command."""

    def put(self, digest: Digest, ruleset: Ruleset, *, by: Actor, at_ms: int) -> bool:
        """Keep it. False: this digest was known; its author stays the one who published it first."""
        ...

    def get(self, digest: Digest) -> Ruleset:
        """Raises HandrailError NOT_FOUND."""
        ...

    def author(self, digest: Digest) -> Actor:
        """Who published it first. Raises HandrailError NOT_FOUND."""
        ...

    def rule_author(self, rule: Digest) -> Actor | None:
        """Whose publish first contained the rule or limit on actions; None: nobody's, as far as is known."""
        ...

    def current(self) -> Digest | None: ...

    def set_current(self, digest: Digest, *, expected: Digest | None, at_ms: int) -> None:
        """Raises HandrailError LOST_RACE when `expected` is not what is."""
        ...


class InForceStore(Protocol):
    """For `in_force.follow`. Each method raises HandrailError JOURNAL_UNAVAILABLE when the database does not answer."""

    async def read_epoch(self) -> int:
        """Cheap: asked several times a second."""
        ...

    async def load(self) -> Snapshot | None:
        """Everything of one epoch, read in one transaction. None: nothing was published yet."""
        ...

    async def ruleset(self, digest: Digest) -> Ruleset:
        """An older one, to make an old decision again. Raises HandrailError NOT_FOUND."""
        ...

    async def release(self, digest: Digest) -> Release:
        """Any that is stored, live or not, for a probe that names it. Raises HandrailError NOT_FOUND."""
        ...
