"""The rules on actions as they are published: typed matchers, limits, routes. Written in the home's `rules/*.yaml`,
checked against the registered schemas at load (`home.check_rules`), evaluated by `policy.decide_action`.

Every rule that matches counts, and the strongest verdict wins: deny, hold, change, allow. A rule can tighten what the
autonomy level says; `allow` only lifts the hold that A3 and A4 put on a call without a limit, never one of A0 to A2 and
never another rule's.
"""

from enum import StrEnum
from typing import Any

import msgspec

from handrail.terms.action import ActionType, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the rules' values."""


class About(StrEnum):
    """What a matcher looks at. argument, fact, past: by `name`. amount: the action's money, in minor units of
    `currency`. finding: kinds seen in the conversation. origin, own: of the argument `name`. agreed: what the customer
    said. minute, weekday: of the organisation's clock. untrusted: an injection was found in what this rests on."""

    ARGUMENT = "argument"
    AMOUNT = "amount"
    FACT = "fact"
    PAST = "past"
    FINDING = "finding"
    ORIGIN = "origin"
    OWN = "own"
    AGREED = "agreed"
    MINUTE = "minute"
    WEEKDAY = "weekday"
    UNTRUSTED = "untrusted"
    LINKED = "linked"


class Op(StrEnum):
    """`is` and `in` compare equal values of equal type; `exists` is about presence; a missing value matches nothing
    but `exists: false`."""

    IS = "is"
    IS_NOT = "is-not"
    IN = "in"
    NOT_IN = "not-in"
    AT_MOST = "at-most"
    AT_LEAST = "at-least"
    BELOW = "below"
    ABOVE = "above"
    EXISTS = "exists"
    CONTAINS = "contains"


class Match(Strict, frozen=True):
    """One condition. `vouched`: the least that must stand behind a fact (`verified`, `claimed`, `said`). `other`:
    compare with this value of the same input instead of a literal, as `argument:PATH`, `fact:NAME` or `past:NAME`."""

    about: About
    op: Op
    name: str = ""
    value: Any = None
    currency: str = ""
    vouched: str = "verified"
    other: str = ""


class Rule(Strict, frozen=True):
    """`when`: all of these, and none of `unless`. Empty `tools` and `types`: every registered tool. `cel`: one more
    condition, read after the typed ones; when it cannot be evaluated the action holds. `change`: argument path to the
    value that replaces it, for CHANGE. `route`: for HOLD; empty: the default route. `doubt`: above 0 the rule does not
    hold by itself; the doubts of all that match add up, and at `ActionRules.doubts_hold_at` the action holds. `say`:
    for the agent whose call it denies, or that never read what it speaks of. `place`: file and field."""

    id: str
    then: Verdict
    why: str
    tools: tuple[ToolId, ...] = ()
    types: tuple[ActionType, ...] = ()
    use_cases: tuple[UseCaseId, ...] = ()
    agents: tuple[str, ...] = ()
    when: tuple[Match, ...] = ()
    unless: tuple[Match, ...] = ()
    cel: str = ""
    change: dict[str, Any] = {}
    route: str = ""
    doubt: int = 0
    say: str = ""
    place: str = ""


class Per(StrEnum):
    """What a limit counts by. object: the value of the tool's object argument, such as the order."""

    ACTION = "action"  # this one call
    CUSTOMER = "customer"
    OBJECT = "object"
    CONVERSATION = "conversation"
    AGENT = "agent"
    USE_CASE = "use-case"
    FLEET = "fleet"


class Within(StrEnum):
    """Calendar periods are the organisation's. ever: for as long as the register remembers."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    EVER = "ever"


class Limit(Strict, frozen=True):
    """`at_most`: minor units of `currency`, or calls when `currency` is empty. `over`: HOLD or DENY. Held reservations
    count, and have a cap of their own: of one period no more than `held_at_most` waits for a person at a time (None: no
    such cap); what would be above is denied."""

    id: str
    at_most: int
    per: Per
    within: Within
    over: Verdict = Verdict.HOLD
    currency: str = ""
    tools: tuple[ToolId, ...] = ()
    types: tuple[ActionType, ...] = ()
    use_cases: tuple[UseCaseId, ...] = ()
    held_at_most: int | None = None
    place: str = ""


class Step(Strict, frozen=True):
    """After so many seconds without a decision these roles are asked too."""

    after_s: int
    roles: tuple[str, ...]


class Shift(Strict, frozen=True):
    """When a route's people are there: weekdays (Monday 0) and minutes of the day of `zone` (IANA), or of the
    organisation's."""

    weekdays: tuple[int, ...]
    start: int
    end: int
    zone: str = ""


class Route(Strict, frozen=True):
    """Who settles a hold. `roles`: one of them. `persons`: how many different ones. `up_to`: minor units in `currency`
    that this route may decide; above it the action needs a route that may. `otherwise`: `deny` or `handover` when
    nobody decides within `decide_within_s`. `batch`: how many similar holds may be decided together, 0: none.
    `batch_up_to`: minor units in `currency` that one of them may move at most; None: what moves money is decided one by
    one. `drills_a_week`: seeded wrong requests. `hand_over_within_s`: a person whom a case was handed to decides
    it alone for so long."""

    id: str
    roles: tuple[str, ...]
    persons: int = 1
    up_to: int | None = None
    currency: str = ""
    use_cases: tuple[UseCaseId, ...] = ()
    shifts: tuple[Shift, ...] = ()
    steps: tuple[Step, ...] = ()
    decide_within_s: int = 3_600
    execute_within_s: int = 900
    otherwise: str = "deny"
    batch: int = 5
    batch_up_to: int | None = None
    drills_a_week: int = 0
    hand_over_within_s: int = 900
    place: str = ""


class ActionRules(Strict, frozen=True):
    """Everything written about actions, as one part of the ruleset. `routes[0]` is the default route.
    `doubts_hold_at`: so many doubts hold an action (`Rule.doubt`). `partly_doubts`: what a consequential action counts
    whose values were not all put into words (`Agreed.PARTLY`); as much as `doubts_hold_at` by default, so it holds."""

    rules: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    routes: tuple[Route, ...] = ()
    doubts_hold_at: int = 2
    partly_doubts: int = 2
