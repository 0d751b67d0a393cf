"""`handrail mcp`: an MCP server over standard input and output before a foreign one that it starts as its child.

It is a client of a running handrail: each call is decided there, and the child is called only after a permit was
redeemed, which is the claim (`approvals.redeem`). What waits for a person is carried out by this process when it is
approved, also when the agent does not ask again; while it waits, this process says that it lives, and when it is gone
the call becomes `unreachable`. What the child answered is reported; who cannot tell (a time-out, a child that died)
reports nothing, and a person is asked. A call outlives an agent that cancels it: what still waits is taken back, what
runs gets to its end and is reported. Agents read the registry's words, never the child's. The child gets none of our
environment but what the official SDK passes by default and what is named. Needs the extra `mcp`.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import msgspec
from mcp import Client, StdioServerParameters
from mcp.server.lowlevel.server import Server as McpServer
from mcp.server.stdio import stdio_server
from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter

from handrail import VERSION
from handrail.app.stdio_asker import Given, Listed, Server
from handrail.gateway.mcp.asker import About, about
from handrail.gateway.mcp.calls import Context, as_mcp, closed
from handrail.gateway.mcp.shapes import INSTRUCTIONS, OWN, either, fits
from handrail.terms.errors import Code, HandrailError
from handrail.tools.door_names import CANCEL, STATUS
from handrail.tools.manifest import manifest_of

logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)  # the SDK writes down what it cannot read, customers' words too
WAITS = frozenset({"held", "approved"})
RUNS = frozenset({"claimed"})
FAILED = frozenset({"denied", "expired", "lapsed", "revoked", "cancelled", "unreachable", "failed"})
LOOK_S = 0.5
ALIVE_S = 1.0
LOOKED_S = 5.0
"""Between two looks whether the child still answers, while calls wait for it."""
CALL_S = 60.0
REFUSALS = frozenset({types.METHOD_NOT_FOUND, types.INVALID_PARAMS})
_RESULT: TypeAdapter[Any] = TypeAdapter(types.CallToolResult | types.InputRequiredResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`upstream`: of the home; empty: the only one of kind mcp-stdio. `pass_on`: variables for the child."""

    url: str
    key: str
    use_case: str
    upstream: str
    command: str
    arguments: tuple[str, ...]
    pass_on: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Waiting:
    """A call that waits. `result`: what the child answered, once it did."""

    call: dict[str, Any]
    tool: Listed
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    result: types.CallToolResult | None = None


class ChildError(HandrailError):
    """The child is not what was published, or gone: it was not called."""


class Owner:
    """`runner`: a random id of this process. One loop."""

    def __init__(self, server: Server, child: Client, tools: Mapping[str, Listed], runner: str) -> None:
        self._server = server
        self._child = child
        self._tools = dict(tools)
        self._runner = runner
        self._waiting: dict[str, _Waiting] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """What is registered and the child still has, under the child's own names and in the registry's words."""
        announced = await self._announced()
        tools = [_listed(name, tool) for name, tool in self._tools.items() if name in announced]
        return types.ListToolsResult(tools=[*OWN, *tools])

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        given = params.arguments or {}
        try:
            if params.name == STATUS:
                return await self._status(ctx, given)
            if params.name == CANCEL:
                return _ours(await self._server.cancel(_action_id(given)), error=False)
            return await self._tool(ctx, params.name, given)
        except HandrailError as error:
            raise as_mcp(error) from None

    async def live(self) -> None:
        """Until cancelled: says that it lives, and carries out what was approved meanwhile. What waits for a child that
        does not answer any more waits in vain: it is let go, and becomes `unreachable`."""
        looked = 0.0
        while True:
            await asyncio.sleep(ALIVE_S)
            looked += ALIVE_S
            if self._waiting:
                try:
                    if looked >= LOOKED_S:
                        looked = 0.0
                        await self._answering()
                    await self._follow()
                except Exception as error:  # noqa: BLE001  the next beat may be heard
                    print(f"handrail mcp: {type(error).__name__}; trying again", file=sys.stderr, flush=True)

    async def close(self) -> None:
        """What runs gets to its end."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _answering(self) -> None:
        try:
            await self._announced()
        except TimeoutError:
            return
        except Exception:  # whatever failed: the waiting ones are looked at again, and it goes on up
            self._waiting = {action: one for action, one in self._waiting.items() if one.lock.locked()}
            raise

    async def _follow(self) -> None:
        """Each approved call in a task of its own: a slow one must not keep this process from saying that it lives."""
        states = await self._server.alive(self._runner, list(self._waiting)[:1_000])
        for action, state in states.items():
            waiting = self._waiting.get(action)
            if waiting is None:
                continue
            if state == "approved":
                if not waiting.lock.locked():
                    self._keep(asyncio.create_task(self._approved(action, waiting)))
            elif state not in WAITS | RUNS:
                self._waiting.pop(action, None)

    async def _approved(self, action: str, waiting: _Waiting) -> None:
        try:
            await self._carried(await self._server.decide(waiting.call), waiting)
        except ChildError:  # it will not be called by this process
            self._waiting.pop(action, None)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(_heard)
        task.add_done_callback(self._running.discard)

    async def _tool(self, ctx: Context, name: str, given: dict[str, Any]) -> types.CallToolResult:
        """The call, which outlives an agent that leaves, and its end, if the agent waits for it."""
        said = about(ctx, ())  # the server knows what the key's facts are worth
        task = asyncio.create_task(self._begun(ctx, name, given, said))
        self._keep(task)
        try:
            answer, waiting = await asyncio.shield(task)
            return await self._end(ctx, answer, waiting, said.wait_s)
        except asyncio.CancelledError:
            self._keep(asyncio.create_task(self._taken_back(task)))
            raise

    async def _taken_back(self, task: asyncio.Task[tuple[Given, _Waiting]]) -> None:
        """The agent cancelled: what waits goes, what runs stays."""
        answer, _ = await task
        if answer.status in WAITS:
            self._waiting.pop(answer.action_id, None)
            await self._server.cancel(answer.action_id)

    async def _begun(self, ctx: Context, name: str, given: dict[str, Any], said: About) -> tuple[Given, _Waiting]:
        """1 what the child announces. 2 the decision. 3 the child, when there is a permit."""
        tool = self._tools.get(name)
        if tool is None:  # refused and recorded there; a dry run, since another server's tool may have this name
            await self._server.decide({**_body(name, given, said), "dry_run": True})
            raise HandrailError(Code.TOOL_UNREGISTERED, "this tool is not registered for this use case")
        await self._as_published(tool)
        waiting = _Waiting(_body(tool.id, given, said), tool)
        answer = await self._server.decide(waiting.call)
        waiting = self._waiting.setdefault(answer.action_id, waiting) if _open(answer) else waiting
        if answer.status in WAITS and not answer.permit:
            await self._server.alive(self._runner, [answer.action_id])
        if answer.permit:
            answer = await self._carried(answer, waiting, ctx)
        return answer, waiting

    async def _as_published(self, tool: Listed) -> None:
        """Raises ChildError TOOL_ELSEWHERE when the child announces it otherwise, UPSTREAM_UNREACHABLE when it does not
        answer."""
        try:
            announced = await self._announced()
        except Exception as error:  # noqa: BLE001  whatever the pipe or the SDK raised
            message = f"the server behind handrail mcp does not answer ({type(error).__name__}); start it again"
            raise ChildError(Code.UPSTREAM_UNREACHABLE, message) from None
        if tool.manifest is not None and _manifest(announced.get(tool.name)) != tool.manifest:
            raise ChildError(
                Code.TOOL_ELSEWHERE,
                f"the server announces {tool.name} otherwise than it was published; review it and run: "
                "handrail publish",
            )

    async def _end(self, ctx: Context, answer: Given, waiting: _Waiting, wait_s: float) -> types.CallToolResult:
        waited = 0.0
        while answer.status in WAITS | RUNS and waited < wait_s:
            await ctx.session.report_progress(waited, wait_s, answer.status)
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S
            answer = await self._server.look(answer.action_id)
        own, kept = waiting.result, answer.result
        if own is None and answer.status == "done" and isinstance(kept, dict) and kept.get("content"):
            own = types.CallToolResult.model_validate(kept)
        over = answer.status in ("done", "failed")
        if over and own is not None and (own.is_error or fits(waiting.tool.result, own.structured_content)):
            return own
        return _ours(answer, error=answer.status in FAILED)

    async def _carried(self, given: Given, waiting: _Waiting, ctx: Context | None = None) -> Given:
        """Look at the child, redeem, call it, report; by one task at a time. Raises HandrailError: then nothing was
        executed, or nobody can tell and a person is asked."""
        async with waiting.lock:
            if not given.permit or waiting.result is not None:
                return await self._server.look(given.action_id)
            await self._as_published(waiting.tool)
            await self._server.redeem(given)
            try:
                result = await self._child.session.send_request(
                    types.CallToolRequest(
                        params=types.CallToolRequestParams(name=waiting.tool.name, arguments=given.arguments)
                    ),
                    _RESULT,
                    request_read_timeout_seconds=CALL_S,
                    progress_callback=None if ctx is None else _numbers(ctx),
                )
            except MCPError as error:
                if error.error.code in REFUSALS:
                    await self._server.report(given.action_id, "failed", None, b"", f"target.error_{error.error.code}")
                return await self._server.look(given.action_id)
            except Exception:  # noqa: BLE001  a child that died, a result that is none: nobody can tell
                return await self._server.look(given.action_id)
            if isinstance(result, types.InputRequiredResult):
                return await self._server.look(given.action_id)  # it wants an answer that we have not: nobody can tell
            await self._reported(given.action_id, result, waiting)
            return await self._server.look(given.action_id)

    async def _reported(self, action: str, result: types.CallToolResult, waiting: _Waiting) -> None:
        told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        raw = msgspec.json.encode(told)
        waiting.result = result
        certain = waiting.tool.type == "read" or _text(result).startswith(waiting.tool.fails_with or ("\0",))
        if not result.is_error:
            kept = told if len(raw) < 200_000 else None
            await self._server.report(action, "done", kept, raw)
        elif certain:
            await self._server.report(action, "failed", told, raw, "target.is_error")
        self._waiting.pop(action, None)

    async def _status(self, ctx: Context, given: dict[str, Any]) -> types.CallToolResult:
        wait = given.get("wait_s", 0)
        if isinstance(wait, bool) or not isinstance(wait, int | float):
            raise HandrailError(Code.REQUEST_INVALID, "wait_s: seconds are expected")
        answer = await self._server.look(_action_id(given))
        waited = 0.0
        while answer.status in WAITS | RUNS and waited < min(float(wait), 30.0):
            await ctx.session.report_progress(waited, float(wait), answer.status)
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S
            answer = await self._server.look(answer.action_id)
        return _ours(answer, error=answer.status in FAILED)

    async def _announced(self) -> dict[str, types.Tool]:
        found: dict[str, types.Tool] = {}
        cursor: str | None = None
        for _ in range(100):
            page = await self._child.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            found.update({tool.name: tool for tool in page.tools})
            cursor = page.next_cursor
            if not cursor:
                break
        return found


async def serve(wanted: Wanted, runner: str) -> None:
    """Until standard input ends. Raises HandrailError before it serves: no such use case, no tool registered, or a
    child that does not answer."""
    server = Server(wanted.url, wanted.key)
    try:
        listed = await server.tools()
        if listed.use_case != wanted.use_case:
            raise HandrailError(Code.NOT_ALLOWED, f"this API key is of use case {listed.use_case}; see --use-case")
        tools = _registered(listed.tools, wanted.upstream)
        child = Client(
            StdioServerParameters(
                command=wanted.command, args=list(wanted.arguments), env=dict(wanted.pass_on) or None
            ),
            read_timeout_seconds=CALL_S,
            client_info=types.Implementation(name="handrail", version=VERSION),
            cache=None,
        )
        async with child:
            owner = Owner(server, child, tools, runner)
            served: McpServer[Any] = McpServer(
                "handrail", version=VERSION, instructions=INSTRUCTIONS, on_list_tools=closed(owner.list),
                on_call_tool=closed(owner.call),
            )  # fmt: skip
            living = asyncio.create_task(owner.live())
            print(f"handrail mcp: {len(tools)} tools of {wanted.command}", file=sys.stderr, flush=True)
            try:
                async with stdio_server() as (read, write):
                    await served.run(read, write, served.create_initialization_options())
            finally:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)
                await owner.close()
    finally:
        await server.close()


def _registered(tools: tuple[Listed, ...], upstream: str) -> dict[str, Listed]:
    """By the child's own names. Raises HandrailError TOOL_UNREGISTERED."""
    here = [tool for tool in tools if tool.upstream_kind == "mcp-stdio"]
    names = sorted({tool.upstream for tool in here})
    if not upstream and len(names) > 1:
        raise HandrailError(Code.TOOL_UNREGISTERED, f"say which upstream the command is: --upstream {'|'.join(names)}")
    there = [tool for tool in here if tool.upstream == (upstream or (names[0] if names else ""))]
    found = {tool.name: tool for tool in there if tool.name not in (STATUS, CANCEL)}  # those are this door's own
    if not found:
        raise HandrailError(
            Code.TOOL_UNREGISTERED,
            "the use case lists no tool of this upstream; draft them with handrail tools import --stdio, list them "
            "under tools: of the use case, and run: handrail publish",
        )
    return found


def _listed(name: str, tool: Listed) -> types.Tool:
    """In the registry's words, which a person has read, with its schema: what a call is checked against."""
    return types.Tool(
        name=name,
        title=tool.title or None,
        description=tool.description or tool.title or None,
        input_schema={"type": "object", **tool.arguments},
        output_schema=None if tool.result is None else either(tool.result),
        annotations=types.ToolAnnotations(read_only_hint=tool.type == "read"),
    )


def _numbers(ctx: Context) -> ProgressFnT:
    """How far the child is; no detector reads its words here, so they do not pass."""

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        await ctx.session.report_progress(progress, total)

    return heard


def _heard(task: asyncio.Task[Any]) -> None:
    """Whoever waited for it has its error; what nobody waits for is told by its state."""
    if not task.cancelled():
        task.exception()


def _body(tool: str, given: dict[str, Any], said: About) -> dict[str, Any]:
    body: dict[str, Any] = {"action": tool, "arguments": given, "language": said.language}
    if said.conversation:
        body["conversation"] = said.conversation
    if said.customer:
        body["customer"] = said.customer
    if said.facts:
        body["facts"] = {fact.name: fact.value for fact in said.facts}
    return body


def _ours(answer: Given, *, error: bool) -> types.CallToolResult:
    told: dict[str, Any] = {"action_id": answer.action_id, "status": answer.status}
    if answer.message:
        told["message"] = answer.message
    if answer.retry_after is not None:
        told["retry_after"] = answer.retry_after
    if answer.result is not None:
        told["result"] = answer.result
    if answer.why:
        told["why"] = list(answer.why)
    text = msgspec.json.encode(told).decode()
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=told, is_error=error
    )


def _open(answer: Given) -> bool:
    return bool(answer.permit) or answer.status in WAITS


def _action_id(given: Mapping[str, Any]) -> str:
    """Raises HandrailError REQUEST_INVALID: the id stands in a path."""
    named = given.get("action_id")
    if not isinstance(named, str) or not named.replace("_", "").isalnum() or len(named) > 64:
        raise HandrailError(Code.REQUEST_INVALID, "action_id: the id of an action is expected")
    return named


def _manifest(tool: types.Tool | None) -> str:
    return "" if tool is None else manifest_of(tool.model_dump(mode="json", by_alias=True, exclude_none=True))


def _text(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
