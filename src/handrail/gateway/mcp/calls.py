"""Tools at the MCP door: the list, the call, and the two tools of the door itself.

A call goes the way of the HTTP door: `guard.tool_call`, with the same decision, holds and receipts. It is not bound to
the request: when the client cancels, what runs gets to its end and is recorded, and what still waits is taken back.
When what is in force cannot be read, nothing is done.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Cancel
from handrail.approvals.store import ActionReader, Stored
from handrail.gateway import errors
from handrail.gateway.actions import POLL_S, SETTLED, Acting, would_be
from handrail.gateway.identity import Refusals
from handrail.gateway.mcp.asker import MAX_WAIT_S, About, Asker, about, asker_of
from handrail.gateway.mcp.shapes import OWN, listed, ours, outcome
from handrail.guard.ports import PROGRESS, Progressed
from handrail.guard.tool_call import Called
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.store import Journal
from handrail.policy.decide_action import Prepared
from handrail.terms.action import ActionId, Door, ToolId
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids
from handrail.tools.door_names import CANCEL, STATUS, tool_names

log = logging.getLogger("handrail.doors")
TOLD_EVERY_S = 1.0
MOST_NOTICES = 200
WORDS_S = 0.3
WAITS = frozenset({State.HELD, State.APPROVED})
Context = ServerRequestContext[Any, Any]
Words = Callable[[Context, str], Awaitable[str | None]]
"""An outsider's text as it may reach the agent; None when it may not."""
H = TypeVar("H", bound=Callable[..., Awaitable[Any]])


class Tools:
    """Handlers of `tools/list` and `tools/call`. `newer`, `prepared`, `acting` as in `gateway.actions`. `words`: for
    what a target says while it runs."""

    def __init__(
        self,
        *,
        in_force: InForce,
        acting: Callable[[], Acting],
        reader: ActionReader,
        journal: Journal,
        prepared: Callable[[Snapshot], Prepared],
        newer: Callable[[], Awaitable[bool]],
        refusals: Refusals,
        clock: Clock,
        ids: Ids,
        words: Words,
    ) -> None:
        self._in_force = in_force
        self._acting = acting
        self._reader = reader
        self._journal = journal
        self._prepared = prepared
        self._newer = newer
        self._refusals = refusals
        self._clock = clock
        self._ids = ids
        self._words = words
        self._running: set[asyncio.Task[Any]] = set()

    async def list(self, ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        try:
            snapshot = await self._current()
        except HandrailError as error:
            raise as_mcp(error) from None
        use_case = snapshot.ruleset.use_cases[asker_of(ctx).use_case]
        tools = snapshot.ruleset.tools
        named = [(name, tools[tool]) for name, tool in tool_names(use_case.tools).items() if tool in tools]
        return ListToolsResult(tools=[*OWN, *(listed(name, tool) for name, tool in named)])

    async def call(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        asker = asker_of(ctx)
        try:
            if params.name == STATUS:
                return await self._status(ctx, asker, params.arguments or {})
            if params.name == CANCEL:
                return await self._cancel(asker, params.arguments or {})
            return await self._tool(ctx, asker, params)
        except HandrailError as error:
            if not asker.key.probe:
                self._refusals.count(self._clock.now_ms(), asker.address, error.code, asker.key.id)
            raise as_mcp(error) from None

    async def close(self) -> None:
        """What runs gets to its end."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _tool(self, ctx: Context, asker: Asker, params: CallToolRequestParams) -> CallToolResult:
        """1 what is in force. 2 whose call it is; a probe's is decided, and that is all. 3 the action, which outlives a
        client that leaves. 4 its end, if the client waits for it."""
        snapshot = await self._current()
        said = about(ctx, asker.key.scopes)
        use_case = snapshot.ruleset.use_cases[asker.use_case]
        tool = tool_names(use_case.tools).get(params.name, ToolId(params.name))
        called = Called(
            key=asker.key, tool=tool, arguments=params.arguments or {}, door=Door.MCP, conversation=said.conversation,
            customer=said.customer, facts=said.facts, language=said.language,
        )  # fmt: skip
        if asker.key.probe:
            told = await would_be(
                self._acting().probing, called, said.said, said.release, said.language, snapshot,
                self._prepared(snapshot),
            )  # fmt: skip
            return ours(told, error=False)
        stored = await self._outliving(ctx, called, snapshot, said)
        return outcome(stored, snapshot.ruleset.tools.get(tool), said.language)

    async def _outliving(self, ctx: Context, called: Called, snapshot: Snapshot, said: About) -> Stored:
        hearing = PROGRESS.set(self._heard(ctx))
        try:
            task = asyncio.create_task(self._acting().calls.call(called, snapshot, self._prepared(snapshot)))
        finally:
            PROGRESS.reset(hearing)
        self._keep(task)
        try:
            return await self._waited(ctx, await asyncio.shield(task), said.wait_s)
        except asyncio.CancelledError:
            self._keep(asyncio.create_task(self._taken_back(task, called.key.id)))
            raise

    def _heard(self, ctx: Context) -> Progressed:
        """How far the target says it is. Its words are an outsider's and pass as the rules let them; a target that
        talks without an end is not heard after `MOST_NOTICES`."""
        told = 0

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            nonlocal told
            told += 1
            if told <= MOST_NOTICES:
                words = None
                if message:  # how far it is must not wait for how it is put
                    with contextlib.suppress(TimeoutError):
                        words = await asyncio.wait_for(self._words(ctx, message), WORDS_S)
                await ctx.session.report_progress(progress, total, words)

        return heard

    async def _taken_back(self, task: "asyncio.Task[Stored]", key: str) -> None:
        """The client cancelled: what waits goes, what runs stays."""
        try:
            stored = await task
        except HandrailError:
            return  # nothing was begun, or its record says what became of it
        if stored.progress.state in WAITS:
            await self._journal.run(Cancel(ids=self._ids, action=stored.progress.action, key=key))

    async def _status(self, ctx: Context, asker: Asker, given: dict[str, Any]) -> CallToolResult:
        wait = given.get("wait_s", 0)
        if isinstance(wait, bool) or not isinstance(wait, int | float):
            raise HandrailError(Code.REQUEST_INVALID, "wait_s: seconds are expected")
        stored = await self._waited(ctx, await self._own(asker, given), min(float(wait), MAX_WAIT_S))
        return outcome(stored, None, about(ctx, asker.key.scopes).language)

    async def _cancel(self, asker: Asker, given: dict[str, Any]) -> CallToolResult:
        stored = await self._own(asker, given)
        if stored.progress.state in WAITS:
            stored = await self._journal.run(
                Cancel(ids=self._ids, action=stored.progress.action, key=asker.key.id)
            )  # fmt: skip
        return outcome(stored, None, "en").model_copy(update={"is_error": False})

    async def _own(self, asker: Asker, given: dict[str, Any]) -> Stored:
        """The action, when it is of the key's use case; else it is answered like one that is not there."""
        named = given.get("action_id")
        if not isinstance(named, str):
            raise HandrailError(Code.REQUEST_INVALID, "action_id: the id of an action is expected")
        stored = await self._reader.get(ActionId(named[:64]))
        if stored.about.use_case != asker.use_case or asker.key.probe:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id")
        return stored

    async def _waited(self, ctx: Context, stored: Stored, wait_s: float) -> Stored:
        """Looks again until it has ended or the time is over, and says each second that it still waits."""
        waited, told = 0.0, 0.0
        while waited < wait_s and stored.progress.state not in SETTLED:
            if waited >= told:
                await ctx.session.report_progress(waited, wait_s, stored.progress.state.value)
                told += TOLD_EVERY_S
            await asyncio.sleep(POLL_S)
            waited += POLL_S
            stored = await self._reader.get(stored.progress.action)
        return stored

    async def _current(self) -> Snapshot:
        return await current(self._in_force, self._newer)

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def closed(handler: H) -> H:
    """The handler, with a mistake of ours told by its type alone: the SDK would send and log its words, and they may
    hold what a customer or a server said."""

    @wraps(handler)
    async def handled(*given: Any) -> Any:
        try:
            return await handler(*given)
        except MCPError:
            raise
        except Exception as mistake:  # noqa: BLE001  whatever it is, it is refused
            log.error("doors.broken", extra={"reason": type(mistake).__name__})
            name = type(mistake).__name__
            message = f"handrail could not handle this request ({name})"
            raise as_mcp(HandrailError(Code.GUARD_UNAVAILABLE, message)) from None

    return cast(H, handled)


async def current(in_force: InForce, newer: Callable[[], Awaitable[bool]]) -> Snapshot:
    """What is in force, looked at a moment ago. Raises HandrailError STOP_UNREADABLE or NOT_PUBLISHED."""
    if not await newer():
        raise HandrailError(
            Code.STOP_UNREADABLE, "what is in force cannot be read; nothing is done until it can", retry_after_s=1
        )
    if in_force.current is None:
        raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish", retry_after_s=1)
    return in_force.current


def as_mcp(error: HandrailError) -> MCPError:
    """The stable code stands in `data`; a request that will never pass is invalid, the rest may be asked again."""
    told = errors.told(error)
    again = errors.shape(told.code).retry
    data: dict[str, Any] = {"code": told.code.value}
    if error.retry_after_s is not None:
        data["retry_after"] = error.retry_after_s
    return MCPError(INTERNAL_ERROR if again else INVALID_PARAMS, told.message, data)
