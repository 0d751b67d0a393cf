"""How a use case lets a changed release reach customers: its stages, what it is judged by, who must agree; pure.

It belongs to the ruleset, so a release cannot bring its own. A rollout keeps the ramp it was started with.
"""

from enum import StrEnum

import msgspec


class UnitKind(StrEnum):
    """What is randomised, and so what is counted. A turn is none: turns of a conversation fail together."""

    CONVERSATION = "conversation"
    CUSTOMER_WEEK = "customer_week"


class Advance(StrEnum):
    """What a stage needs beside its least time and units."""

    SAFE = "safe"  # every metric was shown to stay within its margin
    NOT_WORSE = "not_worse"  # nothing was shown to be worse


class Bets(StrEnum):
    """What size of change the evidence is tuned to, fixed before the first unit. In entries for good."""

    ANY = "any"  # small and large alike
    LARGE = "large"  # something that hits many customers: found sooner, small changes later


class HeldOut(StrEnum):
    """Who answers the permanent hold-out."""

    HANDOVER = "handover"
    PREVIOUS = "previous"  # the release that was live before the one that is


class Outcome(StrEnum):
    """Metrics a unit can be judged by; larger is worse. Stored with units: add, never rename.

    From outcome events, unless the line says otherwise."""

    COMPLAINT = "complaint"  # or found by the detector in the conversation
    LEGAL = "legal"  # found by the detector
    TRANSFER = "transfer"
    REPEAT_CONTACT = "repeat_contact"
    OVERRIDE = "override"  # a person edited or rejected what the AI proposed
    REFUND_REVERSED = "refund_reversed"
    FLAG = "flag"
    CSAT = "csat"  # 0: full marks, 1: none; missing where nobody answered
    CSAT_LOW = "csat_low"  # 1 and 2 of 5; likewise
    UNRESOLVED = "unresolved"  # missing where nobody said
    HANDLE_TIME = "handle_time"  # seconds over the cap; missing where nobody said
    BLOCK = "block"  # from the interactions: an answer was blocked
    HANDOVER = "handover"  # from the interactions
    FAILED = "failed"  # from the interactions: refused, failed or broken off
    DECLINED = "declined"  # found by the detector: the model declined to help


SCORES = frozenset({Outcome.CSAT, Outcome.HANDLE_TIME})
MAY_MISS = frozenset({Outcome.CSAT, Outcome.CSAT_LOW, Outcome.UNRESOLVED, Outcome.HANDLE_TIME})
"""Metrics without an outcome where nothing was reported; of the others nothing reported means that nothing happened."""


class Form(StrEnum):
    """What of a measured metric is compared. In the ruleset for good."""

    MEAN = "mean"  # of seconds over the cap: what it costs
    PERCENTILE = "percentile"  # its place among those of the live release: slower in distribution
    PERCENTILE_OR_MEAN = "percentile_or_mean"  # the mean where the live release has too little of a past


class Past(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`units`: of the live release, that were measured. `table`: quantiles of them (`releases.percentile`)."""

    units: int
    table: tuple[float, ...]


class RampMetric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`weight`: its part of the evidence. `margin`: times as often that is still safe; None: it only guards.
    `reference`: its usual rate or mean, from history; None: learnt on the way. `cap`: seconds that count as 1. `form`:
    what is compared; `past`: what percentiles are of, taken at the start of a rollout; None: it is judged by its mean.
    """

    name: Outcome
    weight: float = 1.0
    margin: float | None = 1.25
    reference: float | None = None
    cap: float = 1800.0
    form: Form = Form.MEAN
    past: Past | None = None


METRICS = (
    RampMetric(name=Outcome.COMPLAINT, weight=2.0),
    RampMetric(name=Outcome.LEGAL, weight=2.0, margin=None),
    RampMetric(name=Outcome.TRANSFER),
    RampMetric(name=Outcome.HANDOVER),
    RampMetric(name=Outcome.BLOCK, margin=None),
    RampMetric(name=Outcome.FAILED, margin=None),
)
"""Where a use case declares none."""


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a ramp. `share`: of new units. `least_units` (matured, both arms), `least_minutes`: before it may
    end. `pilot`: attribute values that alone see the release, such as `channel: chat`; a stage that is not compared."""

    share: float
    least_units: int = 0
    least_minutes: float = 0
    pilot: dict[str, str] = {}


class Ramp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a use case. `sign_offs`: roles whose yes a release needs before it starts, each of another person than its
    author. `alpha`: harmless releases that may be rolled back; `beta`: releases as bad as a margin that may be called
    safe. `maturity_minutes`: until a unit's outcomes are complete. `planned_units`: of its planned life, after which an
    inconclusive release is held. `promote`: a release that is safe after its last stage goes live by itself. `bets`:
    what size of change is looked for. `keep_units_days`: after its end, of who was compared. `hold_out`: share of all
    units that never sees the live release; `hold_out_sentences`: by language, `*` any."""

    unit: UnitKind = UnitKind.CONVERSATION
    stages: tuple[Stage, ...]
    sign_offs: tuple[str, ...] = ()
    alpha: float = 0.01
    beta: float = 0.05
    maturity_minutes: float = 60
    planned_units: int = 20_000
    advance: Advance = Advance.SAFE
    promote: bool = False
    metrics: tuple[RampMetric, ...] = METRICS
    bets: Bets = Bets.ANY
    keep_units_days: int = 400
    hold_out: float = 0.0
    hold_out_by: HeldOut = HeldOut.HANDOVER
    hold_out_sentences: dict[str, str] = {}
