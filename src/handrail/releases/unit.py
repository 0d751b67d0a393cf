"""A unit of a rollout: what was drawn, and what was reported of it; pure, and without the statistics.

A signal is kept per name with the time it is of. What happened once has happened, of what is measured again the latest
counts; so any order of events, and any event twice, gives the same.
"""

from typing import TypeAlias

import msgspec

from handrail.policy.ramp import Outcome
from handrail.terms.ids import Digest

Signals: TypeAlias = dict[str, tuple[int, float]]
"""Name to (Unix ms of what happened, value)."""

LATEST = frozenset({Outcome.CSAT, Outcome.UNRESOLVED, Outcome.HANDLE_TIME})


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as stored. `of`, `run`: its rollout. `arm`: a `releases.assign.Arm`. `stage`: the rollout's step.
    `ordinal`: by assignment, from 1. `conversations`: that were drawn with it. `metrics`: None until it matured, then
    for good. `folded`: its number in the order of judging, from 1; 0: too late for its stage, never judged."""

    use_case: str
    of: Digest
    run: int
    unit: str
    arm: str
    share: float
    stage: int
    ordinal: int
    assigned_at: int
    conversations: tuple[str, ...]
    signals: Signals
    metrics: dict[str, float | None] | None = None
    matured_at: int | None = None
    folded: int | None = None


def merged(signals: Signals, name: str, at_ms: int, value: float) -> Signals:
    """With one more signal."""
    known = signals.get(name)
    if known is not None:
        if name in LATEST:
            if known >= (at_ms, value):
                return signals
        elif known[1] >= value:
            return signals
    return {**signals, name: (at_ms, value)}
