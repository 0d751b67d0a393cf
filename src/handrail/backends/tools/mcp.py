"""MCP targets over streamable HTTP: one call in a session of its own, on the official SDK's client (the extra `mcp`).

No state and no connection is shared between two calls, so nothing of one customer reaches another and a kept
connection that had died cannot leave a doubt. The tool is listed in the same session first: when what the server
announces of it is not what was published, the call never leaves. What is certain: a result is an effect; what failed
before `tools/call` was sent, a 4xx (but 408, 409, 425) and a JSON-RPC refusal of the request itself are none;
everything else (a time-out, a lost connection, an internal error) is unsure. A result that says `isError` is none for a
read and where its text begins as `fails_with` says, else unsure: only the server could tell, and it did not. Nothing is
tried again here.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2
import mcp_types as types
import msgspec
from mcp import Client
from mcp.client.session import IncomingMessage, MessageHandlerFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter

from handrail import VERSION
from handrail.backends.egress import Egress, parse_url
from handrail.backends.tools.http import UNSURE_STATUS, as_provider
from handrail.backends.tools.mcp_exchange import Exchange, Gated
from handrail.backends.upstream.pool import tls_context
from handrail.backends.upstream.request import Secret
from handrail.guard.execute import Answer, Effect
from handrail.guard.ports import PROGRESS
from handrail.terms.action import ActionType
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest
from handrail.tools.manifest import manifest_of
from handrail.tools.registry import Credential, KeyPlace, Tool, Upstream, UpstreamId, UpstreamKind

logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)  # the SDK writes down what it cannot read, customers' words too
PAGES = 100
"""More pages than this are a server that never ends."""
ALIVE_S = 20.0
ERA_S = 60.0
KEPT_S = 5.0
"""How long a listing serves decisions; the call itself always looks again."""
REFUSALS = frozenset({types.METHOD_NOT_FOUND, types.INVALID_PARAMS, types.HEADER_MISMATCH})
"""JSON-RPC errors that speak of the request itself: it was not carried out. PARSE_ERROR and INVALID_REQUEST are none of
them: the SDK makes those itself of an answer that it cannot read, and then nobody knows what was done."""
CHANGED = "tool.manifest_changed"
_ASKED: Mapping[str, tuple[Any, Any, str, str]] = {
    "resources/list": (types.ListResourcesRequest, types.ListResourcesResult, "resources", "resources"),
    "resources/templates/list": (
        types.ListResourceTemplatesRequest, types.ListResourceTemplatesResult, "resources", "resourceTemplates",
    ),
    "resources/read": (types.ReadResourceRequest, types.ReadResourceResult, "resources", "contents"),
    "prompts/list": (types.ListPromptsRequest, types.ListPromptsResult, "prompts", "prompts"),
    "tools/list": (types.ListToolsRequest, types.ListToolsResult, "tools", "tools"),
    "prompts/get": (types.GetPromptRequest, types.GetPromptResult, "prompts", "messages"),
}  # fmt: skip
"""Method to its request, its result, the capability it needs, and the field of its rows."""
_RESULT: TypeAdapter[Any] = TypeAdapter(types.CallToolResult | types.InputRequiredResult)


class Era(NamedTuple):
    """How a server is spoken to, so that it need not be asked for each call: `mode` of the SDK's client, and what a
    modern server said of itself. `until`: monotonic seconds."""

    mode: str
    discovered: types.DiscoverResult | None
    until: float


UNKNOWN = Era("auto", None, math.inf)


class McpTargets:
    """`guard.execute.Targets` for targets of kind `mcp`, and `guard.ports.Manifests`. One event loop."""

    def __init__(self, *, egress: Egress, secret: Secret, clock: Clock) -> None:
        self._egress = egress
        self._secret = secret
        self._clock = clock
        self._eras: dict[tuple[UpstreamId, str], Era] = {}
        self._tls: dict[str | None, ssl.SSLContext] = {}
        self._rooms: dict[UpstreamId, asyncio.Semaphore] = {}
        self._listed: dict[UpstreamId, tuple[float, dict[str, Digest]]] = {}

    async def call(self, tool: Tool, upstream: Upstream, arguments: dict[str, Any], *, key: str) -> Answer:
        if upstream.kind is not UpstreamKind.MCP:
            return Answer(effect=Effect.NONE, code="tool.not_mcp")
        exchange = Exchange(headers=_headers(tool, key))
        room = self._rooms.setdefault(upstream.id, asyncio.Semaphore(upstream.max_in_flight))
        try:
            async with (
                room,
                asyncio.timeout(3 * upstream.timeout_ms / 1_000),
                self.session(upstream, exchange) as client,
            ):
                if tool.manifest is not None and await self._changed(client, tool, upstream):
                    return Answer(effect=Effect.NONE, code=CHANGED)
                result = await client.session.send_request(
                    types.CallToolRequest(params=_params(tool, arguments, key)),
                    _RESULT,
                    progress_callback=PROGRESS.get(),
                )
                return told(tool, result, exchange)
        except Exception as error:  # noqa: BLE001  a group of whatever SDK, socket or parser raised: an Answer says it
            return failed(error, exchange)

    async def changed(self, tool: Tool, upstream: Upstream) -> bool:
        """Whether the server announces something else than what was published. A server that does not answer is not
        known to: the call itself looks again, and does not leave then."""
        if tool.manifest is None or upstream.kind is not UpstreamKind.MCP:
            return False
        known = self._listed.get(upstream.id)
        if known is None or self._clock.monotonic() - known[0] > KEPT_S:
            try:
                async with asyncio.timeout(upstream.timeout_ms / 1_000):
                    async with self.session(upstream, Exchange()) as client:
                        await self._announced(client, upstream)
            except Exception:  # noqa: BLE001  as above
                return False
        return self._listed[upstream.id][1].get(tool.name) != tool.manifest

    async def ask(self, upstream: Upstream, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """`gateway.mcp.passed.Sources`."""
        made, answer, capability, field = _ASKED[method]
        exchange = Exchange()
        try:
            async with (
                asyncio.timeout(3 * upstream.timeout_ms / 1_000),
                self.session(upstream, exchange) as client,
            ):
                if getattr(client.server_capabilities, capability) is None:
                    return {field: []}
                given, rows = dict(params), []
                for _ in range(PAGES):
                    result = await client.session.send_request(made.model_validate({"params": given}), answer)
                    told: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
                    if not method.endswith("/list"):
                        return told
                    rows += told.get(field, [])
                    given["cursor"] = told.get("nextCursor")
                    if not given["cursor"]:
                        break
                return {field: rows}
        except Exception as error:
            refusal = _has(error, MCPError)
            if isinstance(refusal, MCPError) and refusal.error.code in REFUSALS:
                raise HandrailError(Code.NOT_FOUND, f"{upstream.id} has nothing under this name") from error
            own = exchange.denied or _has(error, HandrailError)
            if isinstance(own, HandrailError):
                raise own from error
            raise HandrailError(Code.UPSTREAM_UNREACHABLE, f"{upstream.id} did not answer {method}") from error

    async def listen(self, upstream: Upstream, heard: Callable[[str], Awaitable[None]]) -> None:
        """`gateway.mcp.passed.Sources`."""

        async def hear(message: IncomingMessage) -> None:
            method = str(getattr(message, "method", ""))
            if method.endswith("/list_changed"):
                self._listed.pop(upstream.id, None)
                await heard(method)

        async with self.session(upstream, Exchange(), on_message=hear) as client:
            if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
                while True:  # the server tells of changes on the session's own stream; a look shows that it still lives
                    await asyncio.sleep(ALIVE_S)
                    await client.session.send_ping()
            changes = client.listen(tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True)
            async with changes as events:
                async for _ in events:
                    continue  # each event is a message too

    @asynccontextmanager
    async def session(
        self, upstream: Upstream, exchange: Exchange, *, on_message: MessageHandlerFnT | None = None
    ) -> AsyncIterator[Client]:
        """A session of its own. Raises whatever connecting raises."""
        timeout_s = upstream.timeout_ms / 1_000
        tls = self._tls_of(upstream)
        gate = Gated(
            self._egress, exchange, private_network=upstream.private_network, tls=tls, connect_s=timeout_s
        )  # fmt: skip
        provider = as_provider(upstream)
        credential = upstream.credential or Credential()
        secret = self._secret(provider)
        headers = {"user-agent": f"handrail/{VERSION}"}
        if secret:
            headers[credential.header.lower()] = f"{credential.prefix}{secret}"
        era = (upstream.id, upstream.base_url)
        known = self._eras.get(era, UNKNOWN)
        if self._clock.monotonic() > known.until:
            known = UNKNOWN
        async with httpx2.AsyncClient(
            transport=gate, headers=headers, timeout=httpx2.Timeout(timeout_s), trust_env=False
        ) as http:
            client = Client(
                streamable_http_client(upstream.base_url, http_client=http),
                mode=known.mode,
                prior_discover=known.discovered,
                read_timeout_seconds=timeout_s,
                message_handler=on_message,
                client_info=types.Implementation(name="handrail", version=VERSION),
                cache=None,
            )
            try:
                await client.__aenter__()
            except BaseException:
                self._eras.pop(era, None)
                raise
            if known is UNKNOWN:
                modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
                self._eras[era] = Era(
                    client.protocol_version if modern else "legacy",
                    client.session.discover_result if modern else None,
                    self._clock.monotonic() + ERA_S,
                )
            try:
                yield client
            finally:
                await client.__aexit__(None, None, None)

    def _tls_of(self, upstream: Upstream) -> ssl.SSLContext | None:
        """One context for each certificate authority: loading one takes tens of milliseconds."""
        if not parse_url(upstream.base_url)[0].tls:
            return None
        if upstream.ca_file not in self._tls:
            self._tls[upstream.ca_file] = tls_context(upstream.ca_file, upstream.id)
        return self._tls[upstream.ca_file]

    async def close(self) -> None:
        """Nothing is kept open between two calls."""

    async def _changed(self, client: Client, tool: Tool, upstream: Upstream) -> bool:
        return (await self._announced(client, upstream)).get(tool.name) != tool.manifest

    async def _announced(self, client: Client, upstream: Upstream) -> dict[str, Digest]:
        announced: dict[str, Digest] = {}
        cursor: str | None = None
        for _ in range(PAGES):
            page = await client.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            for one in page.tools:
                announced[one.name] = manifest_of(one.model_dump(mode="json", by_alias=True, exclude_none=True))
            cursor = page.next_cursor
            if not cursor:
                break
        self._listed[upstream.id] = (self._clock.monotonic(), announced)
        return announced


def told(tool: Tool, result: types.CallToolResult | types.InputRequiredResult, exchange: Exchange) -> Answer:
    """What a result makes certain."""
    if isinstance(result, types.InputRequiredResult):
        return Answer(
            effect=_unless_read(tool), request=exchange.sent, status=exchange.status, code="target.asks_for_input"
        )
    content = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    value = result.structured_content if result.structured_content is not None else _value(content)
    effect, code = Effect.DONE, ""
    if result.is_error:
        said = _text(content)
        known = any(said.startswith(start) for start in tool.fails_with)
        effect, code = Effect.NONE if known else _unless_read(tool), "target.is_error"
    response = msgspec.json.encode({"content": content, "structuredContent": value, "isError": bool(result.is_error)})
    return Answer(
        effect=effect, result=value, content=content, request=exchange.sent, response=response,
        status=exchange.status, code=code,
    )  # fmt: skip


def failed(error: BaseException, exchange: Exchange) -> Answer:
    """What is certain after a failure."""
    refusal = _refusal(error)
    if exchange.denied is not None:
        code = exchange.denied.code.value
    elif _has(error, HandrailError) is not None:
        own = _has(error, HandrailError)
        code = own.code.value if isinstance(own, HandrailError) else Code.UPSTREAM_ERROR.value
    elif refusal == types.REQUEST_TIMEOUT or _has(error, TimeoutError, httpx2.TimeoutException) is not None:
        code = Code.UPSTREAM_TIMEOUT.value
    elif refusal is not None and exchange.status == 200:
        code = f"target.error_{abs(refusal)}"
    else:
        code = (Code.UPSTREAM_ERROR if exchange.left else Code.UPSTREAM_UNREACHABLE).value
    certain = not exchange.left
    if exchange.left and 400 <= exchange.status < 500 and exchange.status not in UNSURE_STATUS:
        certain, code = True, f"target.status_{exchange.status}"
    elif exchange.left and exchange.status == 200 and refusal in REFUSALS:
        certain = True
    return Answer(
        effect=Effect.NONE if certain else Effect.UNSURE, request=exchange.sent, status=exchange.status, code=code
    )


def _refusal(error: BaseException) -> int | None:
    found = _has(error, MCPError)
    return found.error.code if isinstance(found, MCPError) else None


def _has(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """The first of these kinds in an error and the groups it is made of."""
    if isinstance(error, kinds):
        return error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for one in inner if (found := _has(one, *kinds)) is not None), None)


def _unless_read(tool: Tool) -> Effect:
    return Effect.NONE if tool.type is ActionType.READ else Effect.UNSURE


def _headers(tool: Tool, key: str) -> Mapping[str, str]:
    place = tool.idempotency
    return {place.name: key} if key and place is not None and place.place is KeyPlace.HEADER else {}


def _params(tool: Tool, arguments: Mapping[str, Any], key: str) -> types.CallToolRequestParams:
    place, given, meta = tool.idempotency, dict(arguments), None
    if place is not None and key:
        if place.place is KeyPlace.ARGUMENT:
            given[place.name] = key
        elif place.place is KeyPlace.META:
            meta = {place.name: key}
    return types.CallToolRequestParams.model_validate({"name": tool.name, "arguments": given, "_meta": meta})


def _text(content: list[dict[str, Any]]) -> str:
    return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")


def _value(content: list[dict[str, Any]]) -> Any:
    """What stands in the text, as JSON where it is JSON."""
    text = _text(content)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
