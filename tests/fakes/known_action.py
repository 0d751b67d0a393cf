"""An action as the rules of the tests know it, beside the one in the store."""

from dataclasses import dataclass, field

from handrail.terms.action import Action, digest_of

STAYS = frozenset({"held", "approved", "claimed", "done", "unknown"})
"""States in which what was reserved stays so."""


@dataclass
class Known:
    """What must be true of an action, by these rules. `hands`: which process could still send its call."""

    request: Action
    tool: str
    needs: int
    excluded: set[str]
    state: str
    amount: int
    decide_by: int | None
    step_at: int | None
    cool_off: int
    within: int
    step: int = 0
    revision: int = 0
    approved_by: dict[str, str] = field(default_factory=dict)
    not_before: int = 0
    execute_by: int | None = None
    owner: str = ""
    lease_until: int = 0
    hands: set[str] = field(default_factory=set)
    claims: int = 0

    @property
    def digest(self) -> str:
        return digest_of(self.request)
