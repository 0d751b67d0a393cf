"""What the watch may look at in a use case, how often it may be wrong, its intents, and what people cost; pure.

All of it belongs to the ruleset, so that whoever reads an alert can see under which declaration it was raised.
"""

from enum import StrEnum

import msgspec


class Watched(StrEnum):
    """What can be watched. Stored with what was learnt: add, never rename."""

    BLOCKED = "blocked"
    HANDED_OVER = "handed_over"
    FAILED = "failed"
    UNGROUNDED = "ungrounded"
    FINDING = "finding"
    DECLINED = "declined"  # the model declined to help
    LATENCY = "latency"
    LENGTH = "length"
    COST = "cost"
    TURNS = "turns"
    TOOL_CALLS = "tool_calls"
    TRANSFER = "transfer"
    COMPLAINT = "complaint"
    REPEAT_CONTACT = "repeat_contact"
    REFUND_REVERSED = "refund_reversed"
    OVERRIDE = "override"
    LOW_CSAT = "low_csat"
    UNRESOLVED = "unresolved"
    INTENTS = "intents"  # the share of each declared intent
    INPUT = "input"  # whether this week's openings can be told from the past's


class Intent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What customers come for. `examples`: how they say it; nobody's own words."""

    name: str
    examples: tuple[str, ...]


class WatchPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`metrics`: those that are watched; empty: all. `cases_between_false_alarms`: at least so many on average, per
    metric. `topics`: whether openings leave keyed topic buckets in the facts."""

    metrics: tuple[Watched, ...] = ()
    cases_between_false_alarms: int = 100_000
    topics: bool = True

    def watches(self, metric: str) -> bool:
        """Whether this metric may alarm."""
        return not self.metrics or metric in self.metrics


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices in millionths of a minor unit of the organisation's currency; None: not declared."""

    human_minute_micro_minor: int | None = None
    refund_reversed_micro_minor: int | None = None
