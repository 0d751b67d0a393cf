"""The fields of `rules/*.yaml` and of the cases beside them, declared once like those of `home.fields`. What they mean
is `policy.action_rules`; how they become values is `policy.written`."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handrail.approvals.lifecycle import Otherwise
from handrail.home.fields import Count, Words, says
from handrail.people.role import Role
from handrail.policy.action import Vouched
from handrail.policy.action_rules import Per, Within
from handrail.terms.action import ActionType
from handrail.terms.decision import Verdict

RULE = r"^[a-z][a-z0-9-]{0,62}$"
RULE_SAYS = "lower-case letters, digits and hyphens, starting with a letter"

RuleName = Annotated[str, Meta(pattern=RULE, extra={"expected": RULE_SAYS})]
Minor = Annotated[int, Meta(ge=0, le=10**15, extra={"expected": "whole minor units or calls, from 0"})]
ToolList = Words | tuple[Words, ...]


class FactType(StrEnum):
    """What values a caller's fact has."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    LIST = "list"


class Over(StrEnum):
    """What happens above a limit."""

    HOLD = "hold"
    DENY = "deny"


_OPS = {
    "is_": "is", "is_not": "is-not", "in_": "in", "not_in": "not-in", "at_most": "at-most", "at_least": "at-least",
}  # fmt: skip


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class ComparisonFile(Strict, frozen=True, rename=_OPS):
    """Exactly one comparison. The other side is a value, or `{fact: NAME}`, `{argument: PATH}`, `{past: NAME}`."""

    is_: Annotated[Any, says("Equal.")] = None
    is_not: Annotated[Any, says("There, and not equal.")] = None
    in_: Annotated[Any, says("One of a list.")] = None
    not_in: Annotated[Any, says("There, and none of a list.")] = None
    at_most: Annotated[Any, says("At most.")] = None
    at_least: Annotated[Any, says("At least.")] = None
    below: Annotated[Any, says("Less.")] = None
    above: Annotated[Any, says("More.")] = None
    exists: Annotated[bool | None, says("Whether it is there.")] = None
    contains: Annotated[Any, says("A list that holds it, or a text with it inside.")] = None
    currency: Annotated[Words | None, says("ISO 4217; for amount.")] = None


class ConditionFile(Strict, frozen=True, rename=_OPS):
    """One condition: exactly one thing it speaks of. With a name the comparison stands beside it, as in
    `{fact: order.status, is: delivered}`; without one below it, as in `{amount: {above: 5000, currency: EUR}}`."""

    argument: Annotated[Words | None, says("An argument, by its path.")] = None
    fact: Annotated[Words | None, says("A fact, by its name.")] = None
    past: Annotated[Words | None, says("What the register counts: SCOPE.WHAT or SCOPE.WHAT.WINDOW.")] = None
    origin: Annotated[Words | None, says("Where a traced argument came from.")] = None
    own: Annotated[Words | None, says("Whether what an object argument names is the customer's own.")] = None
    amount: Annotated[ComparisonFile | None, says("The money it moves, in minor units of `currency`.")] = None
    finding: Annotated[ComparisonFile | None, says("A kind of finding in the conversation.")] = None
    agreed: Annotated[ComparisonFile | None, says("What the customer said to it.")] = None
    minute: Annotated[ComparisonFile | None, says("Minute of the organisation's day, 0 to 1439.")] = None
    weekday: Annotated[ComparisonFile | None, says("Day of its week, Monday 0.")] = None
    untrusted: Annotated[ComparisonFile | None, says("An injection was found in what it rests on.")] = None
    linked: Annotated[ComparisonFile | None, says("A recorded conversation is known.")] = None
    is_: Annotated[Any, says("Equal.")] = None
    is_not: Annotated[Any, says("There, and not equal.")] = None
    in_: Annotated[Any, says("One of a list.")] = None
    not_in: Annotated[Any, says("There, and none of a list.")] = None
    at_most: Annotated[Any, says("At most.")] = None
    at_least: Annotated[Any, says("At least.")] = None
    below: Annotated[Any, says("Less.")] = None
    above: Annotated[Any, says("More.")] = None
    exists: Annotated[bool | None, says("Whether it is there.")] = None
    contains: Annotated[Any, says("A list that holds it, or a text with it inside.")] = None
    currency: Annotated[Words | None, says("Only below amount.")] = None
    vouched: Annotated[Vouched, says("The least that must stand behind a fact.")] = Vouched.VERIFIED


class RuleFile(Strict, frozen=True):
    """One rule: exactly one of allow, change, hold, deny and doubt, with the reason in words. All of `when` and none of
    `unless` must hold. Every rule that matches counts, and the strongest verdict wins."""

    id: Annotated[RuleName, says("Stable name; reasons, reports and tests use it.")]
    allow: Annotated[Words | None, says("Lifts the hold of A3 and A4 on a call without a limit, and nothing else.")] = (
        None
    )
    change: Annotated[Words | None, says("Arguments are replaced by those of `to`.")] = None
    hold: Annotated[Words | None, says("A person decides.")] = None
    deny: Annotated[Words | None, says("Refused.")] = None
    doubt: Annotated[Words | None, says("Counts `weight` towards `doubts_hold_at`.")] = None
    weight: Annotated[Count | None, says("Of a doubt; 1 when left out.")] = None
    tools: Annotated[ToolList | None, says("Names of tools, or the name of a group; left out: every tool.")] = None
    types: Annotated[tuple[ActionType, ...], says("Types of action; left out: every type.")] = ()
    use_cases: Annotated[tuple[Words, ...], says("Use cases; left out: every one.")] = ()
    agents: Annotated[tuple[Words, ...], says("Names of agents, as their API keys have them.")] = ()
    when: Annotated[tuple[ConditionFile, ...], says("Conditions, all of them.")] = ()
    unless: Annotated[tuple[ConditionFile, ...], says("Conditions, none of them.")] = ()
    cel: Annotated[Words | None, says("One more condition in CEL; needs the extra `cel` and a case beside it.")] = None
    to: Annotated[dict[str, Any] | None, says("For change: argument path to its value.")] = None
    route: Annotated[RuleName | None, says("For hold: who decides; left out: the first route.")] = None
    say: Annotated[
        Words | None,
        says(
            "For the agent: what it can mend. Told when the rule denies, or its fact was never read; else nothing is."
        ),
    ] = None


class LimitFile(Strict, frozen=True):
    """How much, or how often, within a time."""

    id: Annotated[RuleName, says("Stable name.")]
    at_most: Annotated[Minor, says("Minor units of `currency`, or calls when there is none.")]
    per: Annotated[Per, says("What is counted by.")]
    within: Annotated[Within, says("The time; calendar periods are the organisation's.")]
    over: Annotated[Over, says("What happens above it.")] = Over.HOLD
    currency: Annotated[Words | None, says("ISO 4217.")] = None
    tools: Annotated[ToolList | None, says("As in rules.")] = None
    types: Annotated[tuple[ActionType, ...], says("As in rules.")] = ()
    use_cases: Annotated[tuple[Words, ...], says("As in rules.")] = ()
    held_at_most: Annotated[Minor | None, says("How much of it may wait for a person at a time; above, refused.")] = (
        None
    )


class StepFile(Strict, frozen=True):
    """Who is asked too when nobody decided."""

    after_s: Annotated[Count, says("After so many seconds.")]
    roles: Annotated[tuple[Role, ...], says("These.", min_length=1)]


class ShiftFile(Strict, frozen=True):
    """When a route's people are there."""

    weekdays: Annotated[tuple[Annotated[int, Meta(ge=0, le=6)], ...], says("Monday 0.", min_length=1)]
    start: Annotated[int, says("Minute of the day.", ge=0, le=1_439)]
    end: Annotated[int, says("Minute of the day.", ge=1, le=1_440)]
    zone: Annotated[Words | None, says("IANA time zone; left out: the organisation's.")] = None


class RouteFile(Strict, frozen=True):
    """Who settles what waits."""

    id: Annotated[RuleName, says("Stable name.")]
    roles: Annotated[tuple[Role, ...], says("One of these roles.", min_length=1)]
    persons: Annotated[int, says("How many different persons.", ge=1, le=2)] = 1
    up_to: Annotated[Minor | None, says("Minor units that this route may decide.")] = None
    currency: Annotated[Words | None, says("Of `up_to`, ISO 4217.")] = None
    use_cases: Annotated[tuple[Words, ...], says("Left out: every one.")] = ()
    shifts: Annotated[tuple[ShiftFile, ...], says("Left out: always.")] = ()
    steps: Annotated[tuple[StepFile, ...], says("Escalation.")] = ()
    decide_within_s: Annotated[Count, says("Then `otherwise` happens.")] = 3_600
    execute_within_s: Annotated[Count, says("After the approval.")] = 900
    otherwise: Annotated[Otherwise, says("When nobody decided in time.")] = Otherwise.DENY
    batch: Annotated[int, says("How many similar holds may be decided together; 0: none.", ge=0, le=50)] = 5
    batch_up_to: Annotated[
        Minor | None, says("Minor units of `currency` that one of a batch may move; left out: money goes one by one.")
    ] = None
    drills_a_week: Annotated[int, says("Seeded wrong requests for its people.", ge=0, le=100)] = 0
    hand_over_within_s: Annotated[
        int, says("A person whom a case is handed to decides it alone so long; then the route.", ge=60, le=86_400)
    ] = 900


class RulesFile(Strict, frozen=True, kw_only=True):
    """`rules/*.yaml`: what may happen by itself, what waits, what never happens, and who decides."""

    groups: Annotated[dict[str, tuple[Words, ...]], says("Name to tools, so that rules can share it.")] = {}
    facts: Annotated[dict[str, FactType], says("Facts that callers give beside those of reads, with their type.")] = {}
    rules: Annotated[tuple[RuleFile, ...], says("Rules.")] = ()
    limits: Annotated[tuple[LimitFile, ...], says("Limits.")] = ()
    routes: Annotated[tuple[RouteFile, ...], says("Routes; the first is the default.")] = ()
    doubts_hold_at: Annotated[Count | None, says("So many doubts hold an action; 2 when left out.")] = None
    partly_doubts: Annotated[
        Count | None, says("What a call counts whose values were not all put into words; as doubts_hold_at.")
    ] = None


class CaseFile(Strict, frozen=True, kw_only=True):
    """One action, and what the rules must do with it."""

    name: Annotated[Words, says("What it shows, as a sentence.")]
    action: Annotated[Words, says("The tool, in full or by its own name.")]
    arguments: Annotated[dict[str, Any], says("As the agent sends them.")] = {}
    use_case: Annotated[Words | None, says("Left out: the only one with this tool.")] = None
    agent: Annotated[Words | None, says("Name of the agent.")] = None
    facts: Annotated[
        dict[str, Any], says("Fact to its value, verified; or to {value, vouched: verified, claimed or said}.")
    ] = {}
    conversation: Annotated[tuple[dict[str, Any], ...], says("What came before, as OpenAI messages.")] = ()
    history: Annotated[
        dict[str, Any] | tuple[dict[str, Any], ...], says("Counts by name, or the earlier actions themselves.")
    ] = {}
    at: Annotated[Words | None, says("The instant, ISO 8601; for minute, weekday and windows.")] = None
    expect: Annotated[Verdict, says("The verdict, as if enforced.")]
    rules: Annotated[tuple[RuleName, ...] | None, says("Rules that must match, no others; left out: any.")] = None


class CasesFile(Strict, frozen=True, kw_only=True):
    """`rules/*.test.yaml`: cases that `handrail policy test` and every publish play."""

    cases: Annotated[tuple[CaseFile, ...], says("Cases.", min_length=1)]
