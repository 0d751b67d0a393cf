"""A command about a rollout, only while it is as the person saw it: two who press the same button move it once."""

from collections.abc import Callable
from dataclasses import dataclass

from handrail.releases.lifecycle import Rollout
from handrail.releases.store import ReleaseTransaction
from handrail.terms.errors import Code, HandrailError


@dataclass(frozen=True, slots=True, kw_only=True)
class AsSeen:
    """`version`: of the rollout on the page that was looked at. Raises LOST_RACE when it moved since."""

    release: str
    version: int
    command: Callable[[ReleaseTransaction], Rollout]

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        if tx.rollouts.named(self.release).version != self.version:
            raise HandrailError(Code.LOST_RACE, "this release was moved meanwhile; look again and repeat")
        return self.command(tx)
