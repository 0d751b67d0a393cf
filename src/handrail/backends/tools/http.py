"""HTTP targets: one call as the tool's registration says, and what is certain after it.

The call goes out on a connection of its own, so a kept one that had died cannot leave a doubt. What is certain: a 2xx
answer is an effect; a connection that was never made or a 4xx (but 408, 409, 425) is none; everything else (a time-out,
an answer that broke off or is larger than `MAX_ANSWER`, a 5xx, a redirect, which is never followed) is unsure. Nothing
is tried again here. `timeout_ms` bounds the whole call, so a target that drips does not hold it. What a target repeats
of its credential is blotted out before anybody sees it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from handrail.backends.egress import Egress
from handrail.backends.upstream.answer import Again, ExchangeFailed
from handrail.backends.upstream.pool import HttpPool
from handrail.backends.upstream.request import Addressing, Secret
from handrail.guard.execute import Answer, Effect
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId
from handrail.tools.registry import Credential, Http, KeyPlace, Tool, Upstream, UpstreamId, UpstreamKind

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer. It is kept twice, sealed: for the agent and in the receipt."""
BLOT = "[secret]"
SHORTEST_SECRET = 8
"""Characters: a shorter one would blot out words."""
UNSURE_STATUS = frozenset({408, 409, 425})
BODIES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NEVER_LEFT = frozenset({Code.UPSTREAM_UNREACHABLE, Code.EGRESS_DENIED, Code.REQUEST_INVALID})
"""Errors that are raised before the first byte is sent."""


class ToolAddressing(Addressing):
    """A target's requests: its own header for the secret, and every method."""

    __slots__ = ("_credential",)

    methods = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

    def __init__(self, upstream: Upstream, secret: Secret) -> None:
        super().__init__(as_provider(upstream), secret)
        self._credential = upstream.credential or Credential()

    def _authorisation(self, key: str) -> tuple[tuple[str, str], ...]:
        return ((self._credential.header.lower(), f"{self._credential.prefix}{key}"),) if key else ()


def as_provider(upstream: Upstream) -> Provider:
    """The target as the HTTP client knows one."""
    credential = upstream.credential or Credential()
    return Provider(
        id=ProviderId(upstream.id),
        dialect=Dialect.OPENAI,
        base_url=upstream.base_url,
        key_env=credential.env,
        key_file=credential.file,
        ca_file=upstream.ca_file,
        private_network=upstream.private_network,
        connect_timeout_ms=max(1, min(5_000, upstream.timeout_ms * 3 // 4)),  # ends before the whole call does
        first_byte_timeout_ms=upstream.timeout_ms,
        idle_timeout_ms=upstream.timeout_ms,
        attempts=1,
    )


class HttpTargets:
    """`guard.execute.Targets` for targets of kind `http`. One event loop."""

    def __init__(self, *, egress: Egress, secret: Secret) -> None:
        self._egress = egress
        self._secret = secret
        self._pools: dict[UpstreamId, tuple[Upstream, HttpPool]] = {}

    async def call(self, tool: Tool, upstream: Upstream, arguments: dict[str, Any], *, key: str) -> Answer:
        if tool.http is None or upstream.kind is not UpstreamKind.HTTP:
            return Answer(effect=Effect.NONE, code="tool.not_http")
        try:
            request = built(tool, tool.http, as_provider(upstream), arguments, key)
        except HandrailError as error:
            return _failed(error)
        sent = f"{request.method} {request.path}\n".encode() + request.body
        try:
            async with asyncio.timeout(upstream.timeout_ms / 1_000):
                status, body = await self._exchanged(upstream, request)
        except ExchangeFailed as failure:
            never = failure.error.code is Code.UPSTREAM_TIMEOUT and failure.again is Again.LATER  # while connecting
            return _failed(failure.error, sent, never=never)
        except HandrailError as error:
            return _failed(error, sent)
        except TimeoutError:
            return Answer(effect=Effect.UNSURE, request=sent, code=Code.UPSTREAM_TIMEOUT.value)
        return told(status, self._blotted(upstream, body), sent, tool.fails_with)

    async def _exchanged(self, upstream: Upstream, request: ModelRequest) -> tuple[int, bytes]:
        """Raises ExchangeFailed, or HandrailError for an answer that broke off or is too large."""
        answer = await self._pool(upstream).exchange(request, fresh=True)
        pieces, size = [], 0
        try:
            async for piece in answer.chunks():
                size += len(piece)
                if size > MAX_ANSWER:
                    raise HandrailError(Code.UPSTREAM_INVALID, "the target's answer is too large")
                pieces.append(piece)
        finally:
            await answer.close()
        return answer.status, b"".join(pieces)

    def _blotted(self, upstream: Upstream, body: bytes) -> bytes:
        secret = self._secret(as_provider(upstream)) if upstream.credential is not None else ""
        known = len(secret) >= SHORTEST_SECRET and secret.encode() in body
        return body.replace(secret.encode(), BLOT.encode()) if known else body

    async def close(self) -> None:
        """Drop every connection; a running call ends unsure."""
        for _, pool in self._pools.values():
            await pool.abort()
        self._pools.clear()

    def _pool(self, upstream: Upstream) -> HttpPool:
        known = self._pools.get(upstream.id)
        if known is None or known[0] != upstream:
            if known is not None:
                known[1].retire()
            known = self._pools[upstream.id] = (
                upstream,
                HttpPool(ToolAddressing(upstream, self._secret), self._egress),
            )
        return known[1]


def built(tool: Tool, how: Http, provider: Provider, arguments: Mapping[str, Any], key: str) -> ModelRequest:
    """The request. Raises HandrailError REQUEST_INVALID when the path needs an argument that is not there."""
    rest = dict(arguments)
    path = _path(how.path, rest)
    query = {name: rest.pop(name) for name in how.query if name in rest}
    headers: tuple[tuple[str, str], ...] = ()
    place = tool.idempotency
    if place is not None and key:
        if place.place is KeyPlace.HEADER:
            headers = ((place.name.lower(), key),)
        elif place.place is KeyPlace.ARGUMENT:
            rest[place.name] = key
    if how.method not in BODIES:
        query |= rest
        rest = {}
    if query:
        path = f"{path}?{urlencode({name: _text(value) for name, value in query.items()}, quote_via=quote)}"
    body = msgspec.json.encode(rest) if how.method in BODIES else b""
    return ModelRequest(provider=provider, path=path, body=body, stream=False, method=how.method, headers=headers)


def told(status: int, body: bytes, sent: bytes, fails_with: tuple[str, ...] = ()) -> Answer:
    """What an answer makes certain."""
    try:
        result: Any = msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        result = body.decode(errors="replace")
    if 200 <= status < 300:
        text = result if isinstance(result, str) else body.decode(errors="replace").lstrip()
        effect = Effect.NONE if any(text.startswith(start) for start in fails_with) else Effect.DONE
    elif 400 <= status < 500 and status not in UNSURE_STATUS:
        effect = Effect.NONE
    else:
        effect = Effect.UNSURE
    code = "" if effect is Effect.DONE else f"target.status_{status}"
    return Answer(effect=effect, result=result, request=sent, response=body, status=status, code=code)


def _failed(error: HandrailError, sent: bytes = b"", *, never: bool = False) -> Answer:
    """`never`: it is certain that nothing was sent."""
    effect = Effect.NONE if never or error.code in _NEVER_LEFT else Effect.UNSURE
    return Answer(effect=effect, request=sent, code=error.code.value)


def _path(template: str, arguments: dict[str, Any]) -> str:
    """`{name}` filled, percent-encoded whole: a value never adds a segment, a query or a fragment."""
    out, rest = [], template
    while rest:
        plain, brace, rest = rest.partition("{")
        out.append(plain)
        if not brace:
            break
        name, _, rest = rest.partition("}")
        value = _text(arguments.pop(name, ""))
        if not value or value.strip(".") == "":
            raise HandrailError(Code.REQUEST_INVALID, f"the path of this tool needs the argument {name}")
        out.append(quote(value, safe=""))
    return "".join(out)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
