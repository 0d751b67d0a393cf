"""From what went wrong to what a visitor is told: a status, a sentence, and what to do next. Pure."""

from dataclasses import dataclass

import msgspec

from handrail.console.security import TooLong, TooSlow
from handrail.console.words import N_
from handrail.terms.errors import Code, HandrailError

STATUS = {
    Code.NOT_FOUND: 404,
    Code.ROUTE_UNKNOWN: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.NOT_ALLOWED: 403,
    Code.TOKEN_INVALID: 401,
    Code.KEY_MISSING: 401,
    Code.REQUEST_INVALID: 422,
    Code.REASON_NEEDED: 422,
    Code.REQUEST_TOO_LARGE: 413,
    Code.ARGUMENTS_INVALID: 422,
    Code.LOST_RACE: 409,
    Code.ALREADY: 409,
    Code.ALREADY_DECIDED: 409,
    Code.RELEASE_STATE: 409,
    Code.INCIDENT_STATE: 409,
    Code.STOPPED: 409,
    Code.LEGAL_HOLD: 409,
    Code.BUSY: 429,
    Code.JOURNAL_UNAVAILABLE: 503,
    Code.NOT_PUBLISHED: 503,
}
TITLES = {
    401: N_("Who asks?"),
    403: N_("Not for you to open"),
    404: N_("Not here"),
    405: N_("Not this way"),
    408: N_("This took too long"),
    409: N_("Somebody was faster"),
    413: N_("Too long"),
    422: N_("Something is missing or wrong"),
    429: N_("Too many at once"),
    500: N_("This went wrong on our side"),
    503: N_("The record does not answer"),
}
MEND = {
    401: N_("Sign in and open the page again."),
    403: N_("Ask someone with one of the named roles, or an admin to give you one."),
    404: N_("The address may be old, or the thing was erased. Go to the list and look for it there."),
    405: N_("Open the page itself and use its buttons."),
    408: N_("It did not arrive in time and nothing was saved. Send it again."),
    409: N_("Load the page again to see what happened meanwhile; nothing of yours was saved."),
    413: N_("Send less at once."),
    422: N_("Go back, correct it and send it again; nothing was saved."),
    429: N_("Wait a minute and try again."),
    500: N_("Nothing was changed. Try again; if it happens again, tell an engineer the time: the log has the details."),
    503: N_("Nothing can be read or changed until the database answers. Wait a moment and load the page again."),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """`message`: of the error, in English and without customer content; empty: the title says it all. `problem`: what
    can be said in another language too."""

    status: int
    code: str
    message: str
    problem: HandrailError | None = None


def failure_of(problem: Exception) -> Failure:
    """What a page's handler may raise."""
    if isinstance(problem, HandrailError):
        return Failure(STATUS.get(problem.code, 500), problem.code.value, problem.message, problem)
    if isinstance(problem, TooSlow):
        return Failure(408, Code.REQUEST_INVALID.value, "")
    if isinstance(problem, TooLong):
        return Failure(413, Code.REQUEST_TOO_LARGE.value, "")
    assert isinstance(problem, msgspec.ValidationError)
    return Failure(422, Code.REQUEST_INVALID.value, str(problem))


def status_of(status: int) -> Failure:
    """What no handler raised: an unknown address, a wrong verb, a slip of ours."""
    if status == 400:  # a body that cannot be read
        return Failure(422, Code.REQUEST_INVALID.value, "")
    codes = {404: Code.ROUTE_UNKNOWN.value, 405: Code.METHOD_NOT_ALLOWED.value, 413: Code.REQUEST_TOO_LARGE.value}
    return Failure(status if status in TITLES else 500, codes.get(status, "console.failed"), "")
