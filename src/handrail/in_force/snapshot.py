"""What is in force now, as one immutable value. The request path reads only this; a new epoch swaps it whole."""

import msgspec

from handrail.approvals.stop import Stop
from handrail.in_force.running import Running
from handrail.people.key import ApiKey
from handrail.policy.autonomy import Autonomy
from handrail.policy.evaluate import Rules
from handrail.policy.ruleset import Ruleset
from handrail.releases.release import LiveRelease
from handrail.terms.action import ActionType
from handrail.terms.ids import Digest, UseCaseId


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`keys`: by SHA-256 of the whole key, so that an unknown key costs one look-up and no comparison leaks time.
    `epoch` grows with every publish, key change, stop, erasure and move of a rollout or a level. `running`: rollouts by
    use case, where there is any. `lowered`: levels that were demoted, beside the ruleset and only below it."""

    epoch: int
    ruleset_digest: Digest
    ruleset: Ruleset
    live: dict[UseCaseId, LiveRelease]
    keys: dict[bytes, ApiKey]
    stops: tuple[Stop, ...] = ()
    rules: dict[UseCaseId, Rules] = {}  # `policy.evaluate.rules_of(ruleset)`, made once per epoch
    running: dict[UseCaseId, Running] = {}
    lowered: dict[UseCaseId, dict[ActionType, Autonomy]] = {}

    def at_most(self, use_case: UseCaseId, kind: ActionType) -> Autonomy | None:
        """What the level was lowered to; None: it holds as the ruleset says."""
        return self.lowered.get(use_case, {}).get(kind)


class InForce:
    """Holds the current snapshot; `None` until something was published. Swapped by `in_force.follow`."""

    __slots__ = ("current", "fresh_at")

    def __init__(self, current: Snapshot | None = None) -> None:
        self.current = current
        self.fresh_at = 0.0  # monotonic seconds of the last successful look at the epoch
