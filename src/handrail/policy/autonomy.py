"""Levels of autonomy, and what a use case declares of lowering them by itself and raising them again; pure.

A lowered level only tightens: what holds is the lower of the home's level and the lowered one. It belongs to the
ruleset, so an agent cannot bring its own, and it is read anew at each move, so that a publish is obeyed at once.
"""

from enum import StrEnum

import msgspec

from handrail.terms.action import ActionType


class Autonomy(StrEnum):
    A0 = "A0"
    A1 = "A1"
    A2 = "A2"
    A3 = "A3"
    A4 = "A4"


_ORDER = tuple(Autonomy)
_INTERACTIONS, _CONVERSATIONS = "interactions", "conversations"


class Cause(StrEnum):
    """What lowers a level. In the ledger for good."""

    INCIDENT = "incident"  # one of a severity is open
    DRIFT = "drift"  # a metric is worse than its own past, and nobody has answered
    ROLLBACK = "rollback"  # a release went back for safety
    RATE = "rate"  # a share of cases is above a limit
    DRILL = "drill"  # a person approved a request that was wrong on purpose
    FINDINGS = "findings"  # so many of a kind on one day (UTC)
    PERSON = "person"


class Again(StrEnum):
    """What another trigger does within the cool-down: nothing, or one more level, once."""

    NOTHING = "nothing"
    ONE_LEVEL = "one_level"


RATES = {
    "override": _CONVERSATIONS,
    "complaint": _CONVERSATIONS,
    "transfer": _CONVERSATIONS,
    "repeat_contact": _CONVERSATIONS,
    "refund_reversed": _CONVERSATIONS,
    "low_csat": "csat_answered",
    "unresolved": "resolution_known",
    "blocked": _INTERACTIONS,
    "handed_over": _INTERACTIONS,
    "failed": _INTERACTIONS,
    "ungrounded": _INTERACTIONS,
    "finding": _INTERACTIONS,
    "declined": _INTERACTIONS,
}
"""Metric to the count it is a share of, as the watch counts them."""
DRIFTING = frozenset(RATES) | {"latency", "length", "cost", "turns", "tool_calls"}
"""What the watch compares with its own past."""


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`what`: of an incident the mildest severity that counts, of drift the metric (empty: any), of a rate the metric,
    of findings the kind. `above`: of a rate. `least`: cases of a rate, findings or failed drills. `days`: that a rate
    looks back. `types`: whose level is lowered; empty: of every type but `assert`."""

    cause: Cause
    what: str = ""
    above: float = 0.0
    least: int = 1
    days: int = 7
    levels: int = 1
    types: tuple[ActionType, ...] = ()


class Demote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`floor`: no trigger lowers below it. `cool_down_minutes`: after a demotion, what `again` says of further ones.
    A person may promote when nothing has triggered for `after_minutes`, `least_units` (conversations begun, or actions
    where there are more) were seen since, and each rate of `below` is under its limit by its upper bound."""

    triggers: tuple[Trigger, ...] = ()
    floor: Autonomy = Autonomy.A1
    cool_down_minutes: float = 1_440
    again: Again = Again.NOTHING
    after_minutes: float = 4_320
    least_units: int = 100
    below: dict[str, float] = {}


def least(one: Autonomy, other: Autonomy | None) -> Autonomy:
    """The lower of both; None lowers nothing."""
    return one if other is None else min(one, other, key=_ORDER.index)


def lowered(level: Autonomy, by: int, floor: Autonomy) -> Autonomy:
    """`by` levels lower, not below the floor; a level that is below it already stays."""
    at = _ORDER.index(level)
    return _ORDER[min(at, max(at - by, _ORDER.index(floor)))]


def raised(level: Autonomy) -> Autonomy:
    """One higher; the highest stays."""
    return _ORDER[min(_ORDER.index(level) + 1, len(_ORDER) - 1)]


def is_below(one: Autonomy, other: Autonomy) -> bool:
    return _ORDER.index(one) < _ORDER.index(other)
