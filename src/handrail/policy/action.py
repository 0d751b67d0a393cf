"""The decision on an action: what it rests on, and what comes out; pure and replayable like `policy.evaluate`.

The canonical bytes of an `ActionInput` stand in the sealed payload of the decision's entry. They hold arguments, so
never in facts.
"""

from enum import StrEnum
from typing import Any

import msgspec

from handrail.policy.autonomy import Autonomy
from handrail.policy.evaluate import Found
from handrail.terms.action import ToolId
from handrail.terms.decision import Reason, Verdict
from handrail.terms.ids import UseCaseId


class Why(StrEnum):
    """Codes of the built-in reasons; stable, in the ledger for good. A rule's own reason is `rule`, a limit's `limit`,
    with their place beside it."""

    RULE = "rule"
    RULE_ERROR = "rule.error"
    RULE_UNKNOWN = "rule.unknown"  # what it speaks of was never read
    DOUBT = "doubt"  # counts towards `doubts`, holds nothing alone
    DOUBTS = "doubts"
    LIMIT = "limit"
    LIMIT_UNKNOWN = "limit.unknown"
    WAITING_FULL = "limit.waiting"  # it would have to wait for a person, and no more of this may
    STOPPED = "stopped"
    UNREGISTERED = "tool.unregistered"
    MANIFEST = "tool.manifest_changed"
    SCHEMA = "arguments.schema"
    AMOUNT = "arguments.amount"
    CHANGES = "rule.changes_disagree"
    NO_SESSION = "identity.no_session"
    NOT_OWN = "object.not_own"
    UNLINKED = "conversation.unlinked"
    REFUSED = "consent.refused"
    PARTLY = "consent.partly"
    OTHER = "consent.other"
    NOTHING = "consent.nothing"
    UNTRUSTED_VALUE = "origin.untrusted"
    UNKNOWN_VALUE = "origin.unknown"
    CONTRADICTED = "origin.contradicted"
    TAINTED = "taint.injection"
    GUARD = "guard.unavailable"
    READ_ONLY = "autonomy.read_only"
    DRAFT = "autonomy.draft"
    APPROVAL = "autonomy.approval"
    NO_LIMIT = "autonomy.no_limit"
    DEMOTED = "autonomy.demoted"  # the level is lower than the home says, since something went wrong
    LEVEL = "autonomy.no_level"


class Vouched(StrEnum):
    """Who stands behind a fact. verified: the company's system (scope `facts`, or a signed token of its identity
    provider). claimed: the customer, through the caller. said: the model."""

    VERIFIED = "verified"
    CLAIMED = "claimed"
    SAID = "said"


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing known of the customer, the session or an object, such as `identity.checked` or `order.total`."""

    name: str
    value: Any
    vouched: Vouched = Vouched.CLAIMED


class Origin(StrEnum):
    """Where a consequential value came from, strongest first. `contradicted`: the record says something else."""

    VERIFIED = "verified"  # a verified fact
    RECORD = "record"  # an earlier read of a trusted tool, by this customer's own object
    CUSTOMER = "customer"  # the customer's own words
    UNTRUSTED = "untrusted"  # only a mail, a page, a tool that quotes others
    UNKNOWN = "unknown"  # nowhere in the recorded conversation
    CONTRADICTED = "contradicted"


class Traced(msgspec.Struct, frozen=True, omit_defaults=True):
    """`path`: the argument. `message`: index in the conversation of the place that was found, or -1. `why`: a short
    stable code, such as `quoted.mail`; never customer content."""

    path: str
    origin: Origin
    message: int = -1
    why: str = ""


class Agreed(StrEnum):
    """What the customer said to this action in the recorded conversation. `partly`: asked for it or said yes to it, but
    some value of the call was not put into words that could be recognised. `unknown`: no conversation is linked."""

    ASKED = "asked"  # asked for it, with these values
    CONFIRMED = "confirmed"  # was told action and values and said yes
    PARTLY = "partly"
    OTHER = "other"  # asked for or confirmed something else
    REFUSED = "refused"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often or how much within a window, as the register counts it at the time of the decision. `name` as rules
    write it: `customer.refunds.day`, `object.refunds`, `customer.address_changed.hours`. Amounts in minor units."""

    name: str
    value: int


class Room(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a limit still holds before this action: `left` in minor units, or a count. `limit`: id of the limit.
    `waits`: how much more of it may wait for a person; None: all of it."""

    limit: str
    left: int
    waits: int | None = None


class ActionInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a decision rests on, besides the ruleset in force.

    `stopped`: the stops that cover this action, by id. `schema_errors`: paths that the schema refuses. `registered`:
    the tool is in the ruleset and listed for this use case. `manifest_changed`: its upstream announces something else
    than what was published. `linked`: a conversation is known. `session`: a customer session exists (A4 needs none).
    `own`: object argument paths known to belong to the verified customer. `minute`: of the organisation's local day.
    `amount_minor`, `currency`: read by `tools.amount`; `amount_error` says why they could not be. `at_most`: the level
    that this type of action was lowered to; None: it was not.
    """

    use_case: UseCaseId
    tool: ToolId
    arguments: dict[str, Any] = {}
    agent: str = ""
    registered: bool = True
    stopped: tuple[str, ...] = ()
    schema_errors: tuple[str, ...] = ()
    manifest_changed: bool = False
    linked: bool = False
    session: bool = False
    amount_minor: int | None = None
    currency: str = ""
    amount_error: str = ""
    facts: tuple[Fact, ...] = ()
    own: tuple[str, ...] = ()
    traced: tuple[Traced, ...] = ()
    agreed: Agreed = Agreed.UNKNOWN
    past: tuple[Past, ...] = ()
    room: tuple[Room, ...] = ()
    found: tuple[Found, ...] = ()
    failures: tuple[str, ...] = ()
    untrusted: bool = False  # an injection was found in what this conversation rests on
    minute: int = 0
    weekday: int = 0  # Monday 0
    at_most: Autonomy | None = None


class ActionDecision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens. `rules`: ids of the rules that matched, in order. `change`: arguments replaced by path, for CHANGE.
    `route`: who may settle it, for HOLD. `draft`: A1, the call goes back to a person as a draft. `would_be`: in observe
    mode. `reserve`: limits that this action draws on, with how much."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    rules: tuple[str, ...] = ()
    change: dict[str, Any] = {}
    route: str = ""
    draft: bool = False
    would_be: Verdict | None = None
    reserve: tuple[tuple[str, int], ...] = ()
