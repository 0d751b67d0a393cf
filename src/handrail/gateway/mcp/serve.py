"""The MCP server of the door, put together: tools, what upstream servers pass, and notices of changes."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.lowlevel.server import Server

from handrail.approvals.store import ActionReader
from handrail.gateway.actions import Acting
from handrail.gateway.identity import Refusals
from handrail.gateway.mcp.calls import Tools, closed
from handrail.gateway.mcp.passed import Passed, Sources
from handrail.gateway.mcp.shapes import INSTRUCTIONS
from handrail.guard.screen import Screener
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.store import Journal
from handrail.policy.decide_action import Prepared
from handrail.terms.clock import Clock
from handrail.terms.ids import Ids


class Assembled:
    """`server`: for the door."""

    def __init__(self, server: Server[Any], tools: Tools, passed: Passed) -> None:
        self.server = server
        self._tools = tools
        self._passed = passed

    async def notices(self) -> None:
        """Hears the servers behind the door and tells of changes, until cancelled."""
        await self._passed.follow()

    async def close(self) -> None:
        """What runs gets to its end."""
        await self._tools.close()


def assembled(
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
    version: str,
    sources: Callable[[], Sources],
    screener: Callable[[], Screener],
) -> Assembled:
    """As in `gateway.mcp.calls.Tools` and `gateway.mcp.passed.Passed`."""
    passed = Passed(
        in_force=in_force, newer=newer, sources=sources, screener=screener, clock=clock, key=ids.token(32)
    )  # fmt: skip
    tools = Tools(
        in_force=in_force, acting=acting, reader=reader, journal=journal, prepared=prepared, newer=newer,
        refusals=refusals, clock=clock, ids=ids, words=passed.words,
    )  # fmt: skip
    server: Server[Any] = Server(
        "handrail", version=version, instructions=INSTRUCTIONS, on_list_tools=closed(tools.list),
        on_call_tool=closed(tools.call),
    )  # fmt: skip
    passed.add_to(server)
    return Assembled(server, tools, passed)
