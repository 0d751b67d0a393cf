"""`/mcp/{use-case}`: the MCP door as an ASGI application on the official SDK's streamable HTTP server.

An API key with the scope `act` of exactly this use case opens it, on every request; a session belongs to the key that
began it. A browser's page is no agent: a request with an `Origin` is refused. `GET /readyz` says whether it serves.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from handrail.gateway import errors
from handrail.gateway.errors import Form
from handrail.gateway.http import JSON, Receive, Send
from handrail.gateway.identity import Identity, Refusals
from handrail.gateway.mcp.asker import SCOPE, Asker
from handrail.in_force.snapshot import InForce
from handrail.people.key import ApiKey, Scope
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError

PREFIX = "/mcp/"
READY = "/readyz"
MAX_BODY = 4 << 20


class McpDoor:
    """`running` spans its life; the application answers only inside it."""

    def __init__(
        self, server: Server[Any], *, identity: Identity, in_force: InForce, refusals: Refusals, clock: Clock
    ) -> None:
        self._identity = identity
        self._in_force = in_force
        self._refusals = refusals
        self._clock = clock
        self._manager = StreamableHTTPSessionManager(app=server, max_request_body_size=MAX_BODY)
        self.draining = False

    def running(self) -> AbstractAsyncContextManager[None]:
        return self._manager.run()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == READY:
            await self._ready(send)
            return
        address = (scope.get("client") or ("",))[0]
        try:
            asker = await self._asker(scope, address)
        except HandrailError as error:
            if not self._identity.probes(scope["headers"]):
                known = self._identity.known(scope["headers"])
                self._refusals.count(self._clock.now_ms(), address, error.code, known)
            await _refused(send, error)
            return
        scope[SCOPE] = asker
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=asker.key.id, scopes=[]))
        await self._manager.handle_request(scope, receive, send)  # type: ignore[arg-type]  # ASGI's types are looser here

    async def _asker(self, scope: dict[str, Any], address: str) -> Asker:
        """Raises HandrailError."""
        if self.draining:
            raise HandrailError(Code.DRAINING, "this server is stopping; send the request again", retry_after_s=1)
        path: str = scope["path"]
        named = path.removeprefix(PREFIX).rstrip("/")
        if not path.startswith(PREFIX) or not named or "/" in named:
            raise HandrailError(Code.ROUTE_UNKNOWN, "the MCP door of a use case is /mcp/USE-CASE")
        headers = scope["headers"]
        if any(name == b"origin" for name, _ in headers):
            raise HandrailError(Code.NOT_ALLOWED, "a browser's page is no agent: this door takes no Origin")
        key = await self._key(headers)
        snapshot = self._in_force.current
        if key.use_case != named or snapshot is None or key.use_case not in snapshot.ruleset.use_cases:
            raise HandrailError(Code.USE_CASE_UNREGISTERED, f"this API key does not open /mcp/{named[:63]}")
        return Asker(key, key.use_case, address)

    async def _key(self, headers: list[tuple[bytes, bytes]]) -> ApiKey:
        try:
            return self._identity.key(headers, Scope.ACT)[1]
        except HandrailError as error:
            if not await self._identity.made(headers, error):
                raise
        return self._identity.key(headers, Scope.ACT)[1]

    async def _ready(self, send: Send) -> None:
        ready = self._in_force.current is not None and not self.draining
        body = msgspec.json.encode({"status": "ready" if ready else "not ready"})
        await _send(send, 200 if ready else 503, body, [])


async def _refused(send: Send, error: HandrailError) -> None:
    shape = errors.shape(error.code)
    headers = [(b"x-handrail-code", errors.told(error).code.value.encode())]
    if shape.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(int(error.retry_after_s + 0.999)).encode()))
    await _send(send, shape.status, errors.body(Form.OPENAI, error, ""), headers)


async def _send(send: Callable[[dict[str, Any]], Awaitable[None]], status: int, body: bytes, headers: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [JSON, *headers]})
    await send({"type": "http.response.body", "body": body})
