"""Who asks at the MCP door, and about which conversation: from the API key, `_meta` and headers of a request."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from mcp.server.context import ServerRequestContext

from handrail.gateway.fields import chosen_id
from handrail.people.key import ApiKey, Scope
from handrail.policy.action import Fact, Vouched
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, UseCaseId

SCOPE = "handrail.asker"
"""Where the door puts the asker in the ASGI scope."""
PREFIX = "handrail/"
CONVERSATION = f"{PREFIX}conversation"
CUSTOMER = f"{PREFIX}customer"
LANGUAGE = f"{PREFIX}language"
FACTS = f"{PREFIX}facts"
WAIT = f"{PREFIX}wait"
SAID = f"{PREFIX}said"
MAX_WAIT_S = 30.0


class Asker(msgspec.Struct, frozen=True):
    """`key`: usable for the scope `act`, and of this use case. `address`: of the peer, for counting refusals."""

    key: ApiKey
    use_case: UseCaseId
    address: str = ""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of its call. `wait_s`: how long it would wait for the end. For probes alone: what was `said`
    before, as OpenAI messages, and the `release` that is tried."""

    conversation: str | None = None
    customer: CustomerId | None = None
    facts: tuple[Fact, ...] = ()
    language: str = "en"
    wait_s: float = 0.0
    said: tuple[Mapping[str, Any], ...] = ()
    release: str = ""


def asker_of(ctx: ServerRequestContext[Any, Any]) -> Asker:
    """Whom the door let in with this message."""
    asker = ctx.request.scope[SCOPE] if ctx.request is not None else None
    assert isinstance(asker, Asker)  # the door puts one into each request's scope
    return asker


def about(ctx: ServerRequestContext[Any, Any], scopes: Collection[Scope]) -> About:
    """`_meta` first, then the headers that the other doors know. `scopes`: of the key, for what its facts are worth.
    Raises HandrailError REQUEST_INVALID."""
    meta: Mapping[str, Any] = ctx.meta or {}
    headers: Mapping[str, str] = ctx.request.headers if ctx.request is not None else {}
    named = chosen_id(meta.get(CUSTOMER) or headers.get("x-handrail-customer"), CUSTOMER)
    vouched = Vouched.VERIFIED if Scope.FACTS in scopes else Vouched.CLAIMED
    facts, wait = meta.get(FACTS) or {}, meta.get(WAIT, 0)
    if not isinstance(facts, Mapping):
        raise HandrailError(Code.REQUEST_INVALID, f"_meta[{FACTS}]: an object is expected")
    if isinstance(wait, bool) or not isinstance(wait, int | float) or wait < 0:
        raise HandrailError(Code.REQUEST_INVALID, f"_meta[{WAIT}]: seconds are expected")
    said = meta.get(SAID) or ()
    if not isinstance(said, list | tuple) or not all(isinstance(one, Mapping) for one in said):
        raise HandrailError(Code.REQUEST_INVALID, f"_meta[{SAID}]: a list of messages is expected")
    release = headers.get("x-handrail-release", "")
    if (said or release) and Scope.PROBE not in scopes:
        raise HandrailError(
            Code.KEY_SCOPE, "only a key with the scope probe brings its conversation along or chooses a release"
        )
    return About(
        conversation=chosen_id(meta.get(CONVERSATION) or headers.get("x-handrail-conversation"), CONVERSATION),
        customer=CustomerId(named) if named else None,
        facts=tuple(Fact(name, value, vouched) for name, value in sorted(facts.items())),
        language=chosen_id(meta.get(LANGUAGE), LANGUAGE) or "en",
        wait_s=min(float(wait), MAX_WAIT_S),
        said=tuple(said),
        release=release,
    )
