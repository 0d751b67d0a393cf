"""The declared fields of `demote` in `use-cases/*.yaml`: what lowers autonomy by itself, and what raises it again."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handrail.home.says import says
from handrail.policy.autonomy import Again, Autonomy
from handrail.terms.action import ActionType
from handrail.terms.finding import Kind

Words = Annotated[str, Meta(min_length=1, max_length=200, extra={"expected": "a text"})]
Rate = Annotated[float, Meta(gt=0, lt=1)]
Hours = Annotated[float, Meta(ge=0, le=8_760)]
Count = Annotated[int, Meta(ge=1)]
Days = Annotated[int, Meta(ge=1, le=90)]
Levels = Annotated[int, Meta(ge=1, le=4)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class TriggerFile(Strict, frozen=True, kw_only=True):
    """One thing that lowers levels. Exactly one of `incident`, `drift`, `rollback`, `rate`, `drills`, `findings`."""

    incident: Annotated[Words | None, says("S1, S2 or S3: an incident of this severity or worse is open.")] = None
    drift: Annotated[Words | None, says("A metric that is worse than its own past, unanswered; any: each one.")] = None
    rollback: Annotated[bool, says("A release was rolled back for safety.")] = False
    rate: Annotated[Words | None, says("A metric of customers or of the AI, with `above` and `least`.")] = None
    drills: Annotated[Count | None, says("So many wrong requests were approved in drills within a day.")] = None
    findings: Annotated[Kind | None, says("A kind of finding, with `per_day`.")] = None
    above: Annotated[Rate | None, says("rate: such as 0.05 for 5 %.")] = None
    least: Annotated[Count | None, says("rate: cases before it is looked at.")] = None
    days: Annotated[Days | None, says("rate: looked back. Default: 7.")] = None
    per_day: Annotated[Count | None, says("findings: so many on one day (UTC).")] = None
    levels: Annotated[Levels, says("How many levels lower.")] = 1
    types: Annotated[tuple[ActionType, ...], says("Action types; left out: all but assert.")] = ()


class PromotionFile(Strict, frozen=True, kw_only=True):
    """What a person must see before a promotion, counted from the last trigger."""

    after_hours: Annotated[Hours, says("Without another trigger.")] = 72.0
    least_units: Annotated[int, says("Conversations begun, or actions where there are more.", ge=0)] = 100
    below: Annotated[dict[str, Rate], says("Metric to the rate that its upper bound must stay under.")] = {}


class DemoteFile(Strict, frozen=True, kw_only=True):
    """Triggers, how far they lower, and what a promotion needs. Only a person promotes."""

    on: Annotated[tuple[TriggerFile, ...], says("What lowers levels.", min_length=1)]
    floor: Annotated[Autonomy, says("No trigger lowers below it.")] = Autonomy.A1
    cool_down_hours: Annotated[Hours, says("After a demotion.")] = 24.0
    again: Annotated[Again, says("What another trigger does within it: nothing, or one more level once.")] = (
        Again.NOTHING
    )
    promote: Annotated[PromotionFile, says("What a person must see before a promotion.")] = PromotionFile()
