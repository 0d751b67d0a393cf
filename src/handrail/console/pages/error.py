"""The page that says what went wrong and what to do next."""

from dataclasses import dataclass

from handrail.console.failures import MEND, TITLES, Failure
from handrail.console.here import Here
from handrail.console.refusals import is_english, told_why
from handrail.console.routes import Asked, Route
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.terms.errors import Code, HandrailError


@dataclass(frozen=True, slots=True)
class ErrorView:
    """`english`: the message is, whatever the language of the page."""

    title: str
    message: str
    english: bool
    mend: str
    status: int
    code: str


def view(failure: Failure, words: Words) -> ErrorView:
    """Pure."""
    problem = failure.problem
    return ErrorView(
        title=words(TITLES[failure.status]) if failure.status in TITLES else words(TITLES[500]),
        message=failure.message if problem is None else told_why(problem, words),
        english=problem is None or is_english(problem, words),
        mend=words(MEND.get(failure.status, MEND[500])),
        status=failure.status,
        code=failure.code,
    )


async def show(_: Visitor | None, asked: Asked, here: Here) -> ErrorView:
    """Nobody comes here by an address; it is what other pages become."""
    raise HandrailError(Code.NOT_FOUND, "")


ROUTES = (
    Route(name="error", path="/error", title=N_("Something went wrong"), handler=show, template="error.html",
          public=True, api=False),
)  # fmt: skip
