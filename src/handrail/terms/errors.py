"""One family of errors: a stable code, one human sentence, never customer content."""

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """Stable codes. `gateway.errors` maps each to a status and a dialect's form; the reference lists them all."""

    # identity
    KEY_MISSING = "key.missing"
    KEY_UNKNOWN = "key.unknown"
    KEY_EXPIRED = "key.expired"
    KEY_REVOKED = "key.revoked"
    KEY_SCOPE = "key.scope"
    USE_CASE_UNREGISTERED = "use_case.unregistered"
    # the request
    REQUEST_INVALID = "request.invalid"
    REQUEST_TOO_LARGE = "request.too_large"
    REQUEST_TOO_DEEP = "request.too_deep"
    REQUEST_DUPLICATE_FIELD = "request.duplicate_field"
    ROUTE_UNKNOWN = "route.unknown"
    METHOD_NOT_ALLOWED = "method.not_allowed"
    MODEL_NOT_ALLOWED = "model.not_allowed"
    PART_UNREADABLE = "part.unreadable"
    REFERENCE_UNKNOWN = "reference.unknown"
    TOOL_HOSTED = "tool.hosted"
    BLOCKED = "content.blocked"  # where a dialect has no form for a sentence (embeddings)
    # limits
    BUDGET_REQUESTS = "budget.requests"
    BUDGET_TOKENS = "budget.tokens"
    BUDGET_COST = "budget.cost"
    BUSY = "gateway.busy"
    # the net itself
    GUARD_UNAVAILABLE = "guard.unavailable"
    GUARD_LATE = "guard.late"
    JOURNAL_UNAVAILABLE = "journal.unavailable"
    DRAINING = "gateway.draining"
    NOT_PUBLISHED = "gateway.not_published"
    CHAT_STOPPED = "gateway.stopped"
    # upstream
    UPSTREAM_TIMEOUT = "upstream.timeout"
    UPSTREAM_UNREACHABLE = "upstream.unreachable"
    UPSTREAM_ERROR = "upstream.error"
    UPSTREAM_INVALID = "upstream.invalid"
    UPSTREAM_OPEN = "upstream.circuit_open"
    EGRESS_DENIED = "egress.denied"
    # storage and people
    LOST_RACE = "store.lost_race"
    NOT_FOUND = "store.not_found"
    ALREADY = "store.already"
    ALREADY_DECIDED = "action.already_decided"
    TOOL_UNREGISTERED = "tool.unregistered"
    TOOL_ELSEWHERE = "tool.elsewhere"  # only a process of `handrail mcp` reaches it
    ARGUMENTS_INVALID = "tool.arguments_invalid"
    STOPPED = "action.stopped"
    STOP_UNREADABLE = "action.stop_unreadable"
    PERMIT_INVALID = "permit.invalid"
    PERMIT_REFUSED = "permit.refused"
    LEGAL_HOLD = "erase.legal_hold"
    ERASE_SHARED = "erase.shared"
    NOT_ALLOWED = "person.not_allowed"
    INCIDENT_STATE = "incident.state"  # the incident is not where this move begins, or something of it is missing
    RELEASE_STATE = "release.state"  # the release is not where this move begins, or something keeps it from going on
    REASON_NEEDED = "person.reason_needed"  # the ruleset asks why before this is read
    TOKEN_INVALID = "token.invalid"  # noqa: S105  a code, not a token
    SIGN_IN_REFUSED = "signin.refused"
    SIGN_IN_WAIT = "signin.wait"  # too many wrong tries
    FRESH_NEEDED = "signin.fresh_needed"  # who it is was shown too long ago for this
    LOG_CONFLICT = "log.conflict"  # the log on disk and the database contradict each other
    HOME_INVALID = "home.invalid"


class HandrailError(Exception):
    """Carries a stable code and one sentence for a person: what is wrong and how to mend it. `parts`: what stands in
    the sentence by name (`{route}`); `template` and `parts` are kept, so that it can be said in another language."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        retry_after_s: float | None = None,
        parts: Mapping[str, str | int] | None = None,
    ) -> None:
        self.template = message
        self.parts = dict(parts or {})
        self.message = message.format(**self.parts) if self.parts else message
        super().__init__(f"{code}: {self.message}")
        self.code = code
        self.retry_after_s = retry_after_s
