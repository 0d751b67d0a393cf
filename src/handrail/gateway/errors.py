"""Our codes as each dialect's errors: a status, the dialect's own form, and whether the official clients should retry.

The message is ours and carries no customer content; the code and the interaction id stand in the body and in headers.
"""

from enum import StrEnum
from typing import NamedTuple

import orjson

from handrail.terms.errors import Code, HandrailError


class Form(StrEnum):
    """Whose error form a client expects."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Shape(NamedTuple):
    """`openai`, `anthropic`: the `type` each dialect's clients know. `retry`: whether trying again can help."""

    status: int
    openai: str
    anthropic: str
    retry: bool = False


_BAD = Shape(400, "invalid_request_error", "invalid_request_error")
_AUTH = Shape(401, "authentication_error", "authentication_error")
_FORBIDDEN = Shape(403, "permission_error", "permission_error")
_LIMIT = Shape(429, "rate_limit_error", "rate_limit_error")
_AWAY = Shape(503, "server_error", "overloaded_error", retry=True)
_UPSTREAM = Shape(502, "server_error", "api_error", retry=True)

SHAPES: dict[Code, Shape] = {
    Code.KEY_MISSING: _AUTH,
    Code.KEY_UNKNOWN: _AUTH,
    Code.KEY_EXPIRED: _AUTH,
    Code.KEY_REVOKED: _AUTH,
    Code.KEY_SCOPE: _FORBIDDEN,
    Code.USE_CASE_UNREGISTERED: _FORBIDDEN,
    Code.REQUEST_INVALID: _BAD,
    Code.REQUEST_TOO_LARGE: Shape(413, "invalid_request_error", "request_too_large"),
    Code.REQUEST_TOO_DEEP: _BAD,
    Code.REQUEST_DUPLICATE_FIELD: _BAD,
    Code.ROUTE_UNKNOWN: Shape(404, "invalid_request_error", "not_found_error"),
    Code.METHOD_NOT_ALLOWED: Shape(405, "invalid_request_error", "invalid_request_error"),
    Code.MODEL_NOT_ALLOWED: Shape(404, "invalid_request_error", "not_found_error"),
    Code.PART_UNREADABLE: _BAD,
    Code.REFERENCE_UNKNOWN: Shape(404, "invalid_request_error", "not_found_error"),
    Code.TOOL_HOSTED: _FORBIDDEN,
    Code.BLOCKED: _BAD,
    Code.BUDGET_REQUESTS: _LIMIT,
    Code.BUDGET_TOKENS: _LIMIT,
    Code.BUDGET_COST: _LIMIT,
    Code.BUSY: Shape(429, "rate_limit_error", "rate_limit_error", retry=True),
    Code.GUARD_UNAVAILABLE: Shape(503, "server_error", "api_error"),
    Code.GUARD_LATE: _AWAY,
    Code.JOURNAL_UNAVAILABLE: _AWAY,
    Code.DRAINING: _AWAY,
    Code.NOT_PUBLISHED: _AWAY,
    Code.CHAT_STOPPED: Shape(503, "server_error", "overloaded_error"),
    Code.UPSTREAM_TIMEOUT: Shape(504, "server_error", "timeout_error", retry=True),
    Code.UPSTREAM_UNREACHABLE: _UPSTREAM,
    Code.UPSTREAM_ERROR: _UPSTREAM,
    Code.UPSTREAM_INVALID: Shape(502, "server_error", "api_error"),
    Code.UPSTREAM_OPEN: _AWAY,
    Code.EGRESS_DENIED: Shape(502, "server_error", "api_error"),
    Code.NOT_FOUND: Shape(404, "invalid_request_error", "not_found_error"),
    Code.NOT_ALLOWED: _FORBIDDEN,
    Code.TOKEN_INVALID: _AUTH,
    Code.SIGN_IN_REFUSED: _AUTH,
    Code.SIGN_IN_WAIT: Shape(429, "rate_limit_error", "rate_limit_error", retry=True),
    Code.FRESH_NEEDED: _AUTH,
    Code.REASON_NEEDED: _AUTH,
    Code.LOST_RACE: Shape(409, "invalid_request_error", "invalid_request_error", retry=True),
    Code.ALREADY: Shape(409, "invalid_request_error", "invalid_request_error"),
    Code.RELEASE_STATE: Shape(409, "invalid_request_error", "invalid_request_error"),
    Code.INCIDENT_STATE: Shape(409, "invalid_request_error", "invalid_request_error"),
    Code.ALREADY_DECIDED: Shape(409, "invalid_request_error", "invalid_request_error"),
    Code.TOOL_UNREGISTERED: _FORBIDDEN,
    Code.TOOL_ELSEWHERE: _FORBIDDEN,
    Code.STOPPED: _FORBIDDEN,
    Code.PERMIT_INVALID: _FORBIDDEN,
    Code.PERMIT_REFUSED: _FORBIDDEN,
    Code.STOP_UNREADABLE: _AWAY,
}


def shape(code: Code) -> Shape:
    """The shape of a code; that of JOURNAL_UNAVAILABLE for one that only commands tell (`told`)."""
    return SHAPES.get(code, _AWAY)


def told(error: HandrailError) -> HandrailError:
    """The error as a client hears it: what is wrong with this installation's storage, keys or home is for the one who
    runs it, not for its clients. Records, metrics and the log keep the code."""
    if error.code in SHAPES and error.code is not Code.JOURNAL_UNAVAILABLE:
        return error
    return HandrailError(
        Code.JOURNAL_UNAVAILABLE,
        "this call cannot be recorded now, so nothing passes; send it again later",
        retry_after_s=error.retry_after_s,
    )


def body(form: Form, error: HandrailError, interaction: str, *, status: int | None = None) -> bytes:
    """The error in the client's dialect."""
    return orjson.dumps(detail(form, error, interaction, status=status))


def detail(form: Form, error: HandrailError, interaction: str, *, status: int | None = None) -> dict[str, object]:
    """The same as a value, for the error event of a stream."""
    error = told(error)
    known = shape(error.code)
    kind = known.openai if form is Form.OPENAI else known.anthropic
    if status is not None and 400 <= status < 500:
        kind = "not_found_error" if status == 404 and form is Form.ANTHROPIC else "invalid_request_error"
    about = {"type": kind, "message": error.message, "code": error.code.value, "interaction": interaction}
    if form is Form.OPENAI:
        return {"error": {**about, "param": None}}
    return {"type": "error", "error": about, "request_id": interaction}
