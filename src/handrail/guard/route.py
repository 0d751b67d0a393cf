"""Asking the model: along the release's route, in order, until one answers; never after the first token.

When no target answers, the last failure is the refusal: nothing is made up.
"""

from collections.abc import AsyncIterator

import msgspec

from handrail.guard.caller import Choice
from handrail.guard.ports import Model, ModelFailedError, ModelRequest, ModelResponse
from handrail.guard.record import Draft
from handrail.guard.served import served_with
from handrail.guard.turn import Face, Upstream
from handrail.policy.ruleset import PromptMode
from handrail.terms.errors import Code, HandrailError

ELSEWHERE = frozenset({401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which another target may do better. Any other 4xx is the request's own fault."""

_PASSED_ON = frozenset({400, 404, 405, 409, 413, 415, 422})
"""Statuses of the provider that the client can do something about."""

MAX_ERROR_BODY = 64 * 1024


class Asked(msgspec.Struct, frozen=True):
    """A provider that answers. `body`: whole, or None for a stream; `first`: the first bytes of a stream, `rest` what
    follows."""

    choice: Choice
    response: ModelResponse
    body: bytes | None
    first: bytes = b""
    rest: AsyncIterator[bytes] | None = None


class ProviderRefusedError(HandrailError):
    """A provider said no with a status the client can do something about. `said`: its body, not screened."""

    def __init__(self, status: int, said: bytes) -> None:
        super().__init__(Code.UPSTREAM_ERROR, f"the provider refused the request with status {status}")
        self.status = status
        self.said = said


async def ask(model: Model, face: Face, draft: Draft) -> Asked:
    """The first target that answers with success; its whole body, or the first piece of its stream. The draft knows who
    was asked last, and how often anybody was.

    Raises HandrailError: what the last target failed with, or ProviderRefusedError."""
    failure: HandrailError | None = None
    turn = draft.turn
    for choice in draft.choices:
        draft.choice = choice
        body = _body(face, draft, choice)
        request = ModelRequest(
            provider=choice.provider, path=face.path, body=body, stream=turn.stream, headers=turn.extra_headers
        )
        try:
            response = await model.send(request)
        except HandrailError as error:
            failure = error
            draft.attempts += error.attempts if isinstance(error, ModelFailedError) else 0
            continue
        try:
            draft.attempts += response.attempts
            if 200 <= response.status < 300:
                draft.served = served_with(response.headers)
                return await _taken(choice, response, turn.stream)
            failure = await _refused(response)
        except HandrailError as error:
            failure = error
        except BaseException:
            await response.close()
            raise
        await response.close()
        if isinstance(failure, ProviderRefusedError) and failure.status not in ELSEWHERE:
            break
    raise failure or HandrailError(Code.UPSTREAM_UNREACHABLE, "no provider is on the route of this use case")


def _body(face: Face, draft: Draft, choice: Choice) -> bytes:
    release = draft.caller.live.release
    how = Upstream(
        model=choice.target.model,
        changes=draft.changes,
        prompt=release.prompt if release.prompt_mode is PromptMode.MANAGED else None,
        parameters=release.parameters,
        force_parameters=release.force_parameters,
        forward_customer=draft.caller.use_case.forward_customer,
    )
    return face.upstream(draft.turn, how)


async def _taken(choice: Choice, response: ModelResponse, stream: bool) -> Asked:
    if not stream:
        return Asked(choice, response, await response.read())
    pieces = response.chunks()
    async for first in pieces:
        if first:
            return Asked(choice, response, None, first, pieces)
    raise HandrailError(Code.UPSTREAM_INVALID, "the provider's stream ended before its first event")


async def _refused(response: ModelResponse) -> HandrailError:
    status = response.status
    said = (await response.read())[:MAX_ERROR_BODY]
    if status == 429:
        return HandrailError(
            Code.BUSY, "the provider is over its limit; try again later", retry_after_s=_after(response)
        )
    if status in _PASSED_ON:
        return ProviderRefusedError(status, said)
    if status in (401, 403):
        return HandrailError(Code.UPSTREAM_ERROR, "the provider did not accept handrail's own key; ask the operator")
    return HandrailError(Code.UPSTREAM_ERROR, f"the provider failed with status {status}")


def _after(response: ModelResponse) -> float:
    for name, value in response.headers:
        if name == "retry-after" and value.isdigit():
            return min(float(value), 3_600.0)
    return 1.0
