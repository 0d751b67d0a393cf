"""Targets by the kind of their upstream. What an upstream of a kind needs is loaded when the first one is called."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from handrail.guard.execute import Answer, Effect
from handrail.terms.errors import HandrailError
from handrail.tools.registry import Tool, Upstream, UpstreamKind


class Closing(Protocol):
    """Targets that are closed at the end."""

    async def call(self, tool: Tool, upstream: Upstream, arguments: dict[str, Any], *, key: str) -> Answer: ...

    async def close(self) -> None: ...


class Announcing(Closing, Protocol):
    """Targets that say what their tools are."""

    async def changed(self, tool: Tool, upstream: Upstream) -> bool: ...


A = TypeVar("A", bound=Announcing)


class ByKind(Generic[A]):
    """`guard.execute.Targets` and `guard.ports.Manifests`. `mcp`: makes the targets of kind `mcp`; raises HandrailError
    when the extra is not installed."""

    def __init__(self, http: Closing, mcp: Callable[[], A]) -> None:
        self._http = http
        self._make = mcp
        self._mcp: A | None = None

    async def call(self, tool: Tool, upstream: Upstream, arguments: dict[str, Any], *, key: str) -> Answer:
        if upstream.kind is UpstreamKind.HTTP:
            return await self._http.call(tool, upstream, arguments, key=key)
        if upstream.kind is UpstreamKind.MCP_STDIO:
            # only the process that owns the child reaches it, and what it did there cannot be told from here
            return Answer(effect=Effect.UNSURE, code="target.elsewhere")
        try:
            return await self.mcp().call(tool, upstream, arguments, key=key)
        except HandrailError as error:
            return Answer(effect=Effect.NONE, code=error.code.value)

    async def changed(self, tool: Tool, upstream: Upstream) -> bool:
        if upstream.kind is not UpstreamKind.MCP or tool.manifest is None:
            return False
        try:
            return await self.mcp().changed(tool, upstream)
        except HandrailError:
            return False  # without the extra no call leaves at all

    async def close(self) -> None:
        """Running calls end unsure."""
        await self._http.close()
        if self._mcp is not None:
            await self._mcp.close()

    def mcp(self) -> A:
        """Raises HandrailError GUARD_UNAVAILABLE."""
        if self._mcp is None:
            self._mcp = self._make()
        return self._mcp
