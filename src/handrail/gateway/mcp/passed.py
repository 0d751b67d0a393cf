"""Resources, prompts and notices of the MCP servers behind a use case, passed through the door.

Passed are those of the servers of kind `mcp` of which the use case lists a tool. Names and URIs are kept apart
(`tools.door_names`). What a resource or a prompt brings is an outsider's text: it goes through the detectors and the
use case's rules for sources. A server that does not answer is left out of a list; to read from it is an error.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
    event_to_notification,
)

from handrail.approvals.stop import StopScope, covers
from handrail.gateway.mcp.asker import Asker, asker_of
from handrail.gateway.mcp.calls import Context, as_mcp, closed, current
from handrail.guard.outside import Let, let_through
from handrail.guard.screen import Screener
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.policy.evaluate import Rules, rules_of
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.tools.door_names import prompt_name, prompt_of, resource_of, resource_uri
from handrail.tools.registry import Upstream, UpstreamId, UpstreamKind

log = logging.getLogger("handrail.doors")
AGAIN_S = 5.0
TELLING_S = 1.0
MOST_SESSIONS = 1_000
MOST_ROWS = 1_000
"""Of one server in a list; more are left out."""
WORDS = 300
"""Characters of what a target says while it runs."""
ROW = ("uri", "uriTemplate", "name", "title", "description", "mimeType", "size", "arguments")
ARGUMENT = ("name", "title", "description", "required")
KEYS = frozenset({"uri", "uriTemplate", "name"})
"""By these a row is asked for again: one that would have to be masked there is left out."""
UNREAD = frozenset({"_meta", "annotations", "icons"})
NOTICES: Mapping[str, Callable[[], ServerEvent]] = {
    "notifications/tools/list_changed": ToolsListChanged,
    "notifications/prompts/list_changed": PromptsListChanged,
    "notifications/resources/list_changed": ResourcesListChanged,
}


class Sources(Protocol):
    """MCP servers as they are asked for what is no tool (`backends.tools.mcp`)."""

    async def ask(self, upstream: Upstream, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result as it came on the wire; every page of a list in one. Empty lists of a server that has none. Raises
        HandrailError UPSTREAM_* or EGRESS_DENIED, or MCPError as the server said it."""
        ...

    async def listen(self, upstream: Upstream, heard: Callable[[str], Awaitable[None]]) -> None:
        """Calls `heard` with the method of each notice until the connection ends. Raises likewise."""
        ...


class Passed:
    """`newer`: as in `gateway.mcp.calls`. `sources`, `screener`: made when the first one is needed. `key`: 32 random
    bytes, for masks."""

    def __init__(
        self,
        *,
        in_force: InForce,
        newer: Callable[[], Awaitable[bool]],
        sources: Callable[[], Sources],
        screener: Callable[[], Screener],
        clock: Clock,
        key: bytes,
    ) -> None:
        self._in_force = in_force
        self._newer = newer
        self._sources = sources
        self._screener = screener
        self._clock = clock
        self._key = key
        self._buses: dict[UseCaseId, InMemorySubscriptionBus] = {}
        self._handlers: dict[UseCaseId, ListenHandler] = {}
        self._sessions: dict[str, tuple[UseCaseId, Any]] = {}
        self._rules: tuple[str, dict[UseCaseId, Rules]] = ("", {})

    def add_to(self, server: Server[Any]) -> None:
        """Registers the handlers."""
        add = server.add_request_handler
        add("resources/list", types.PaginatedRequestParams, closed(self.resources))
        add("resources/templates/list", types.PaginatedRequestParams, closed(self.templates))
        add("resources/read", types.ReadResourceRequestParams, closed(self.read))
        add("prompts/list", types.PaginatedRequestParams, closed(self.prompts))
        add("prompts/get", types.GetPromptRequestParams, closed(self.prompt))
        add("subscriptions/listen", types.SubscriptionsListenRequestParams, closed(self.listen))
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self.began)

    async def resources(self, ctx: Context, params: types.PaginatedRequestParams) -> types.ListResourcesResult:
        rows = await self._all(ctx, "resources/list", "resources")
        return types.ListResourcesResult.model_validate(
            {"resources": [{**row, "uri": resource_uri(up.id, row["uri"])} for up, row in rows]}
        )

    async def templates(self, ctx: Context, params: types.PaginatedRequestParams) -> types.ListResourceTemplatesResult:
        rows = await self._all(ctx, "resources/templates/list", "resourceTemplates")
        named = [{**row, "uriTemplate": resource_uri(up.id, row["uriTemplate"])} for up, row in rows]
        return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": named})

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        name, own = resource_of(str(params.uri))
        upstream = await self._upstream(ctx, name, "resource")
        result = await self._asked(upstream, "resources/read", {"uri": own})
        contents = [_only(row, ("uri", "mimeType", "text", "blob")) for row in result.get("contents", [])]
        texts = [row["text"] for row in contents if "text" in row]
        uris = [row["uri"] for row in contents]
        blobs = ["blob" for row in contents if "blob" in row]
        let = await self._let(ctx, [*texts, *uris], blobs, upstream)
        if list(let.texts[len(texts) :]) != uris:
            raise as_mcp(HandrailError(Code.BLOCKED, "the address of this resource holds what does not pass"))
        passed = iter(let.texts)
        told = [
            {**row, "uri": resource_uri(upstream.id, row["uri"]), **({"text": next(passed)} if "text" in row else {})}
            for row in contents
        ]
        return types.ReadResourceResult.model_validate({"contents": told, "_meta": _marks(let)})

    async def prompts(self, ctx: Context, params: types.PaginatedRequestParams) -> types.ListPromptsResult:
        rows = await self._all(ctx, "prompts/list", "prompts")
        return types.ListPromptsResult.model_validate(
            {"prompts": [{**row, "name": prompt_name(up.id, row["name"])} for up, row in rows]}
        )

    async def prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        name, own = prompt_of(params.name)
        upstream = await self._upstream(ctx, name, "prompt")
        result = await self._asked(upstream, "prompts/get", {"name": own, "arguments": params.arguments or {}})
        messages = [
            {"role": message["role"], "content": _content(message["content"])} for message in result.get("messages", [])
        ]
        said = [message["content"] for message in messages]
        places = [place for content in said if (place := _place(content)) is not None]
        other = [str(content.get("type")) for content in said if _place(content) is None]
        let = await self._let(ctx, [place["text"] for place in places], other, upstream)
        for place, text in zip(places, let.texts, strict=True):
            place["text"] = text
        return types.GetPromptResult.model_validate({"messages": messages, "_meta": _marks(let)})

    async def words(self, ctx: Context, text: str) -> str | None:
        """What a target says while it runs; None when the rules do not let it pass."""
        try:
            let = await self._let(ctx, [text[:WORDS]], [], None)
        except MCPError:
            return None
        return None if let.untrusted else let.texts[0]

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        use_case = asker_of(ctx).use_case
        if use_case not in self._handlers:
            self._handlers[use_case] = ListenHandler(self._bus(use_case))
        return await self._handlers[use_case](ctx, params)

    async def began(self, ctx: Context, params: types.NotificationParams) -> None:
        """A session of an older revision, which hears of changes on its own stream."""
        named = ctx.request.headers.get("mcp-session-id") if ctx.request is not None else None
        if named:
            self._sessions[named] = (asker_of(ctx).use_case, ctx.session)
            if len(self._sessions) > MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    async def tell(self, method: str, use_cases: frozenset[UseCaseId]) -> None:
        """A notice for everyone at these doors."""
        event = NOTICES[method]()
        for use_case in use_cases:
            await self._bus(use_case).publish(event)
        for named, (use_case, session) in list(self._sessions.items()):
            if use_case in use_cases:
                try:
                    async with asyncio.timeout(TELLING_S):  # who does not read keeps nobody else from hearing
                        await session.send_notification(event_to_notification(event, {}))
                except Exception:  # noqa: BLE001  a session that ended: whatever its stream raises, it is forgotten
                    self._sessions.pop(named, None)

    async def follow(self) -> None:
        """Hears every server in force until cancelled; what the tools of a use case are follows what is published."""
        hearing: dict[UpstreamId, tuple[Upstream, asyncio.Task[None]]] = {}
        listed: dict[UseCaseId, Any] = {}
        try:
            while True:
                wanted = self._wanted()
                for name, (upstream, task) in list(hearing.items()):
                    if wanted.get(name) != upstream:
                        task.cancel()
                        del hearing[name]
                for name, upstream in wanted.items():
                    if name not in hearing:
                        hearing[name] = (upstream, asyncio.create_task(self._hear(upstream)))
                now = self._tools()
                changed = frozenset(name for name, tools in now.items() if name in listed and listed[name] != tools)
                listed = now
                if changed:
                    await self.tell("notifications/tools/list_changed", changed)
                await asyncio.sleep(0.5)
        finally:
            for _, task in hearing.values():
                task.cancel()

    async def _hear(self, upstream: Upstream) -> None:
        async def heard(method: str) -> None:
            if method in NOTICES:
                snapshot = self._in_force.current
                cases = snapshot.ruleset.use_cases if snapshot is not None else {}
                theirs = frozenset(name for name in cases if upstream.id in self._of(name))
                await self.tell(method, theirs)

        while True:
            try:
                await self._sources().listen(upstream, heard)
            except Exception as error:  # noqa: BLE001  whatever ended it: tried again
                log.info("doors.unheard", extra={"upstream": upstream.id, "reason": type(error).__name__})
            await asyncio.sleep(AGAIN_S)

    async def _all(self, ctx: Context, method: str, field: str) -> list[tuple[Upstream, dict[str, Any]]]:
        """Rows of every server that no stop covers, read by the detectors; of each the fields that are passed on."""
        snapshot = await self._current()
        asker = asker_of(ctx)
        of = () if asker.key.probe else self._of(asker.use_case).values()  # a probe reaches no target
        upstreams = [up for up in of if not _stopped(snapshot, asker, up)]
        results = await asyncio.gather(
            *(self._asked(upstream, method, {}) for upstream in upstreams), return_exceptions=True
        )  # fmt: skip
        rows: list[tuple[Upstream, dict[str, Any]]] = []
        for upstream, result in zip(upstreams, results, strict=True):
            if isinstance(result, BaseException):
                log.warning("doors.unlisted", extra={"upstream": upstream.id, "reason": type(result).__name__})
                continue
            told = [_only(row, ROW) for row in result.get(field, [])[:MOST_ROWS]]
            rows += [(upstream, row) for row in await self._clean(ctx, told, upstream)]
        return rows

    async def _clean(self, ctx: Context, rows: list[dict[str, Any]], upstream: Upstream) -> list[dict[str, Any]]:
        """Without the rows in which an injection stands or which the rules do not let pass: an agent reads what a
        server says of itself as it reads tools. Halved until the bad ones are alone."""
        if not rows:
            return []
        places = [place for row in rows for place in _texts(row)]
        try:
            let = await self._let(ctx, [holder[name] for holder, name in places], [], upstream)
        except MCPError as error:
            data = error.error.data
            if not (isinstance(data, dict) and data.get("code") == Code.BLOCKED.value):
                log.warning("doors.unread", extra={"upstream": upstream.id})
                return []
            let = None
        if (
            let is None
            or let.untrusted
            or any(
                name in KEYS and holder[name] != text for (holder, name), text in zip(places, let.texts, strict=True)
            )
        ):
            if len(rows) == 1:
                log.warning("doors.left_out", extra={"upstream": upstream.id})
                return []
            half = len(rows) // 2
            return [
                *await self._clean(ctx, rows[:half], upstream), *await self._clean(ctx, rows[half:], upstream),
            ]  # fmt: skip
        for (holder, name), text in zip(places, let.texts, strict=True):
            holder[name] = text
        return rows

    async def _current(self) -> Snapshot:
        try:
            return await current(self._in_force, self._newer)
        except HandrailError as error:
            raise as_mcp(error) from None

    async def _asked(self, upstream: Upstream, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._sources().ask(upstream, method, params)
        except HandrailError as error:
            raise as_mcp(error) from None

    async def _let(self, ctx: Context, texts: list[str], unreadable: list[str], upstream: Upstream | None) -> Let:
        """Off the loop: a large text takes its time."""
        rules = self._rules_of(asker_of(ctx).use_case)
        of = upstream.id if upstream is not None else ""
        try:
            let = await asyncio.to_thread(
                let_through, texts, unreadable, rules, screener=self._screener(), clock=self._clock, key=self._key
            )
        except HandrailError as error:
            log.warning("doors.blocked", extra={"upstream": of, "code": error.code.value})
            raise as_mcp(error) from None
        if let.kinds:
            log.info("doors.found", extra={"upstream": of, "kinds": let.kinds, "untrusted": let.untrusted})
        return let

    def _rules_of(self, use_case: UseCaseId) -> Rules:
        snapshot = self._in_force.current
        if snapshot is None:
            raise as_mcp(HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish"))
        if self._rules[0] != snapshot.ruleset_digest:
            self._rules = (snapshot.ruleset_digest, rules_of(snapshot.ruleset))
        return self._rules[1][use_case]

    async def _upstream(self, ctx: Context, name: UpstreamId, what: str) -> Upstream:
        snapshot = await self._current()
        asker = asker_of(ctx)
        if asker.key.probe:
            raise as_mcp(HandrailError(Code.KEY_SCOPE, "a key for probes reaches no target, so it reads nothing there"))
        found = self._of(asker.use_case).get(name)
        if found is None:
            raise as_mcp(HandrailError(Code.NOT_FOUND, f"there is no such {what} at this door; see its list"))
        stop = _stopped(snapshot, asker, found)
        if stop:
            raise as_mcp(HandrailError(Code.STOPPED, f"reading from {name} is stopped here ({stop})"))
        return found

    def _of(self, use_case: UseCaseId) -> dict[UpstreamId, Upstream]:
        """The servers of a use case: those of which it lists a tool."""
        snapshot = self._in_force.current
        if snapshot is None:
            return {}
        ruleset = snapshot.ruleset
        names = {ruleset.tools[tool].upstream for tool in ruleset.use_cases[use_case].tools if tool in ruleset.tools}
        return {name: self._wanted()[name] for name in sorted(names) if name in self._wanted()}

    def _wanted(self) -> dict[UpstreamId, Upstream]:
        snapshot = self._in_force.current
        known = snapshot.ruleset.upstreams if snapshot is not None else {}
        return {name: upstream for name, upstream in known.items() if upstream.kind is UpstreamKind.MCP}

    def _tools(self) -> dict[UseCaseId, Any]:
        snapshot = self._in_force.current
        if snapshot is None:
            return {}
        tools = snapshot.ruleset.tools
        return {name: [tools.get(tool) for tool in one.tools] for name, one in snapshot.ruleset.use_cases.items()}

    def _bus(self, use_case: UseCaseId) -> InMemorySubscriptionBus:
        return self._buses.setdefault(use_case, InMemorySubscriptionBus())


def _stopped(snapshot: Snapshot, asker: Asker, upstream: Upstream) -> str:
    """The id of a stop that covers reading from this server; empty: none does."""
    live = snapshot.live.get(asker.use_case)
    names = {
        StopScope.AGENT: asker.key.agent,
        StopScope.USE_CASE: str(asker.use_case),
        StopScope.RELEASE: str(live.digest) if live is not None else "",
        StopScope.PROVIDER: str(upstream.id),
    }
    return next((stop.id for stop in snapshot.stops if covers(stop, names)), "")


def _only(row: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """What is read here and passes; a server's `_meta`, its icons and fields that nobody knows do not."""
    return {name: row[name] for name in fields if name in row}


def _texts(row: dict[str, Any]) -> list[tuple[Any, str]]:
    """Where the texts of a list's row stand, those of a prompt's arguments too."""
    found: list[tuple[Any, str]] = [(row, name) for name, value in row.items() if isinstance(value, str)]
    row["arguments"] = [_only(each, ARGUMENT) for each in row.get("arguments") or ()]
    if not row["arguments"]:
        del row["arguments"]
    return found + [(each, name) for each in row.get("arguments", ()) for name in each if isinstance(each[name], str)]


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in content.items() if name not in UNREAD}
    if isinstance(told.get("resource"), dict):
        told["resource"] = {name: value for name, value in told["resource"].items() if name not in UNREAD}
    return told


def _place(content: Mapping[str, Any]) -> Any:
    """Where the text of a prompt's content stands, None when it has none."""
    if content.get("type") == "text":
        return content
    resource = content.get("resource")
    return resource if content.get("type") == "resource" and isinstance(resource, dict) and "text" in resource else None


def _marks(let: Let) -> dict[str, Any]:
    """What an agent may know of it: that it holds instructions of an outsider."""
    return {"handrail/untrusted": True} if let.untrusted else {}
