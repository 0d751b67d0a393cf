"""Which release answers a new unit: drawn by a keyed hash, so that it can be drawn again and proved; pure."""

import hashlib
import hmac
from enum import StrEnum

import msgspec

from handrail.releases.lifecycle import Rollout, State, UnitKind
from handrail.terms.ids import Digest

WEEK_MS = 7 * 86_400_000
HOLD_OUT = b"hold-out"


class Arm(StrEnum):
    """In entries and units for good. pilot: chosen by attribute, compared with nobody. hold_out: without the AI, or on
    the last approved release, for honest figures of value."""

    CANARY = "canary"
    CONTROL = "control"
    PILOT = "pilot"
    HOLD_OUT = "hold_out"


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """`unit`: what was randomised, as it is counted. `share`, `stage`: in force at the draw."""

    release: Digest
    arm: Arm
    unit: str
    share: float
    stage: int


def point(salt: bytes, unit: str) -> float:
    """Where a unit falls in [0, 1): 53 bits of HMAC-SHA256."""
    return int.from_bytes(hmac.digest(salt, unit.encode(), hashlib.sha256)[:7]) / (1 << 56)


def unit_of(kind: UnitKind, conversation: str, customer: str | None, now_ms: int) -> str:
    """The unit's id. A customer is drawn anew each week (of UTC); one who is not known is their conversation."""
    if kind is UnitKind.CUSTOMER_WEEK and customer is not None:
        return f"{customer}/{now_ms // WEEK_MS}"
    return conversation


def drawn(rollout: Rollout, unit: str, attributes: dict[str, str]) -> Drawn | None:
    """None: the unit takes no part (no canary runs, or a pilot that it is not of)."""
    if rollout.state is not State.CANARY or rollout.ramp is None or rollout.control is None:
        return None
    stage = rollout.ramp.stages[rollout.stage]
    arm = Arm.CANARY if point(rollout.salt, unit) < stage.share else Arm.CONTROL
    if stage.pilot:
        if any(attributes.get(name) != value for name, value in stage.pilot.items()):
            return None
        arm = Arm.PILOT if arm is Arm.CANARY else Arm.CONTROL
    release = rollout.control if arm is Arm.CONTROL else rollout.release
    return Drawn(release=release, arm=arm, unit=unit, share=stage.share, stage=rollout.stage)


def held_out(salt: bytes, unit: str, share: float) -> bool:
    """Whether a unit belongs to the permanent hold-out. `salt`: of the use case and quarter, apart from every
    rollout's, so that who is held out says nothing about who is canary."""
    return point(salt + HOLD_OUT, unit) < share
