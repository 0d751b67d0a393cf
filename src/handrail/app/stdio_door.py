"""`handrail mcp`: an MCP server over standard input and output before a foreign one that it starts as its child.

It is a client of a running handrail: each call is decided there, and the child is called only after a permit was
redeemed, which is the claim (`approvals.redeem`). What waits for a person is carried out by this process when it is
approved, also when the agent does not ask again; while it waits, this process says that it lives, and when it is gone
the call becomes `unreachable`. What the child answered is reported; who cannot tell (a time-out, a child that died)
reports nothing, and a person is asked. The child gets none of our environment but what the official SDK passes by
default and what is named. Needs the extra `mcp`.
"""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import msgspec
from mcp import Client, StdioServerParameters
from mcp.server.lowlevel.server import Server as McpServer
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter

from handrail import VERSION
from handrail.app.stdio_asker import Given, Listed, Server
from handrail.gateway.mcp.asker import About, about
from handrail.gateway.mcp.calls import Context, as_mcp
from handrail.gateway.mcp.shapes import INSTRUCTIONS, OWN, either
from handrail.terms.errors import Code, HandrailError
from handrail.tools.door_names import CANCEL, STATUS
from handrail.tools.manifest import manifest_of

WAITS = frozenset({"held", "approved"})
RUNS = frozenset({"claimed"})
FAILED = frozenset({"denied", "expired", "lapsed", "revoked", "cancelled", "unreachable", "failed"})
LOOK_S = 0.5
ALIVE_S = 1.0
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


class Owner:
    """`runner`: a random id of this process. One loop."""

    def __init__(self, server: Server, child: Client, tools: Mapping[str, Listed], runner: str) -> None:
        self._server = server
        self._child = child
        self._tools = dict(tools)
        self._runner = runner
        self._waiting: dict[str, _Waiting] = {}

    async def list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """What is registered and the child still has, under the child's own names."""
        announced = await self._announced()
        tools = [_listed(announced[name], tool) for name, tool in self._tools.items() if name in announced]
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
        """Until cancelled: says that it lives, and carries out what was approved meanwhile."""
        while True:
            await asyncio.sleep(ALIVE_S)
            if self._waiting:
                with contextlib.suppress(HandrailError):  # the next beat may be heard
                    await self._follow()

    async def _follow(self) -> None:
        states = await self._server.alive(self._runner, list(self._waiting)[:1_000])
        for action, state in states.items():
            waiting = self._waiting.get(action)
            if waiting is None:
                continue
            if state == "approved":
                with contextlib.suppress(HandrailError):
                    await self._carried(await self._server.decide(waiting.call), waiting)
            elif state not in WAITS | RUNS:
                self._waiting.pop(action, None)

    async def _tool(self, ctx: Context, name: str, given: dict[str, Any]) -> types.CallToolResult:
        """1 what the child announces. 2 the decision. 3 the child, when there is a permit."""
        said = about(ctx, ())  # the server knows what the key's facts are worth
        tool = self._tools.get(name)
        if tool is None:
            await self._server.decide(_body(name, given, said))  # refused and recorded there
            raise HandrailError(Code.TOOL_UNREGISTERED, "this tool is not registered for this use case")
        announced = await self._announced()
        if tool.manifest is not None and _manifest(announced.get(name)) != tool.manifest:
            raise HandrailError(
                Code.TOOL_ELSEWHERE,
                f"the server announces {name} otherwise than it was published; review it and run: handrail publish",
            )
        waiting = _Waiting(_body(tool.id, given, said), tool)
        answer = await self._server.decide(waiting.call)
        waiting = self._waiting.setdefault(answer.action_id, waiting) if _open(answer) else waiting
        if answer.status in WAITS and not answer.permit:
            await self._server.alive(self._runner, [answer.action_id])
        return await self._end(ctx, answer, waiting, said.wait_s)

    async def _end(self, ctx: Context, answer: Given, waiting: _Waiting, wait_s: float) -> types.CallToolResult:
        waited = 0.0
        if answer.permit:
            answer = await self._carried(answer, waiting, ctx)
        while answer.status in WAITS | RUNS and waited < wait_s:
            await ctx.session.report_progress(waited, wait_s, answer.status)
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S
            answer = await self._server.look(answer.action_id)
        if waiting.result is not None and answer.status in ("done", "failed"):
            return waiting.result
        if answer.status == "done" and isinstance(answer.result, dict) and answer.result.get("content"):
            return types.CallToolResult.model_validate(answer.result)
        return _ours(answer, error=answer.status in FAILED)

    async def _carried(self, given: Given, waiting: _Waiting, ctx: Context | None = None) -> Given:
        """Redeem, call the child, report; by one task at a time. Raises HandrailError: then nothing was executed, or
        nobody can tell and a person is asked."""
        async with waiting.lock:
            if not given.permit or waiting.result is not None:
                return await self._server.look(given.action_id)
            await self._server.redeem(given)
            progress = ctx.session.report_progress if ctx is not None else None
            try:
                result = await self._child.session.send_request(
                    types.CallToolRequest(
                        params=types.CallToolRequestParams(name=waiting.tool.name, arguments=given.arguments)
                    ),
                    _RESULT,
                    request_read_timeout_seconds=CALL_S,
                    progress_callback=progress,
                )
            except MCPError as error:
                if error.error.code in REFUSALS:
                    await self._server.report(given.action_id, "failed", None, b"", f"target.error_{error.error.code}")
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
                "handrail", version=VERSION, instructions=INSTRUCTIONS, on_list_tools=owner.list,
                on_call_tool=owner.call,
            )  # fmt: skip
            living = asyncio.create_task(owner.live())
            print(f"handrail mcp: {len(tools)} tools of {wanted.command}", file=sys.stderr, flush=True)
            try:
                async with stdio_server() as (read, write):
                    await served.run(read, write, served.create_initialization_options())
            finally:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)
    finally:
        await server.close()


def _registered(tools: tuple[Listed, ...], upstream: str) -> dict[str, Listed]:
    """By the child's own names. Raises HandrailError TOOL_UNREGISTERED."""
    here = [tool for tool in tools if tool.upstream_kind == "mcp-stdio"]
    names = sorted({tool.upstream for tool in here})
    if not upstream and len(names) > 1:
        raise HandrailError(Code.TOOL_UNREGISTERED, f"say which upstream the command is: --upstream {'|'.join(names)}")
    found = {tool.name: tool for tool in here if tool.upstream == (upstream or (names[0] if names else ""))}
    if not found:
        raise HandrailError(
            Code.TOOL_UNREGISTERED,
            "the use case lists no tool of this upstream; draft them with handrail tools import --stdio, list them "
            "under tools: of the use case, and run: handrail publish",
        )
    return found


def _listed(announced: types.Tool, tool: Listed) -> types.Tool:
    """As the child announces it, with the registry's schema: what a call is checked against."""
    schema = announced.output_schema
    return announced.model_copy(
        update={
            "input_schema": {"type": "object", **tool.arguments},
            "output_schema": None if schema is None else either(schema),
        }
    )


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
