"""`POST /v1/messages/count_tokens`, which the official Anthropic client calls: refused, with a sentence that says why.

Counting would send the texts of a conversation to the provider as a call of its own. As part of the conversation it
would use up what acts once on a new message (a hand-over, a count), so that the answer after it is not guarded; as a
conversation of its own its record would be out of reach of an erasure of the real one. So nothing passes.
"""

from typing import NoReturn

from handrail.gateway.http import Request, Route
from handrail.people.key import Scope
from handrail.terms.errors import Code, HandrailError

PATH = "/v1/messages/count_tokens"


async def _refuse(request: Request) -> NoReturn:
    raise HandrailError(
        Code.ROUTE_UNKNOWN,
        "handrail does not count tokens ahead: the texts would go to the provider outside of a guarded answer; "
        "read usage in the answer of /v1/messages, or count on your side",
    )


def count_tokens_route() -> Route:
    """The row of the table."""
    return Route(
        method="POST", path=PATH, handler=_refuse, scope=Scope.CHAT, unguarded="refuses always: nothing passes"
    )
