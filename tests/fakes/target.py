"""A target system on loopback, and a ruleset with tools on it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from handrail.policy.action import ActionInput
from handrail.policy.action_rules import ActionRules, Route
from handrail.terms.action import ActionType, ToolId
from handrail.tools.registry import (
    Call,
    Check,
    Expect,
    Http,
    IdempotencyKey,
    KeyPlace,
    MoneyAt,
    Tool,
    Unit,
    Upstream,
    UpstreamId,
    UpstreamKind,
)


class Shop:
    """A target that pays refunds. It counts every effect; with `honours` an equal key gets the first answer, and it can
    be asked for a refund by key. `pause`: seconds before it answers; `silent`: it acts and breaks off."""

    def __init__(self, *, honours: bool = True) -> None:
        self.honours = honours
        self.effects: list[tuple[str, Any]] = []
        self.by_key: dict[str, Any] = {}
        self.calls: list[str] = []
        self.pause = 0.0
        self.silent = False
        self.status = 200
        self.port = 0
        self.clients: list[Any] = []  # closed with the shop
        self._serving: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "Shop":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            await client.close()
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, answer = self._act(lines[0], headers, body)
            await asyncio.sleep(self.pause)
            if self.silent:
                return
            data = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def _act(self, line: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        method, path, _ = line.split(" ")
        self.calls.append(f"{method} {path}")
        if method == "GET":
            key = path.rpartition("/")[2]
            return 200, {"found": key in self.by_key, "refund": self.by_key.get(key)}
        if self.status != 200:
            return self.status, {"error": "no"}
        key = headers.get("idempotency-key", "")
        if self.honours and key in self.by_key:
            return 200, self.by_key[key]
        answer = {"refund": f"re_{len(self.effects)}", **json.loads(body)}
        self.effects.append((key, answer))
        self.by_key[key] = answer
        return 200, answer


REFUND = ToolId("shop.refund")
ASK = ToolId("shop.refund_by_key")


def shop_upstream(port: int, timeout_ms: int = 1_000) -> Upstream:
    return Upstream(
        id=UpstreamId("shop"), kind=UpstreamKind.HTTP, base_url=f"http://127.0.0.1:{port}", private_network=True,
        timeout_ms=timeout_ms,
    )  # fmt: skip


def refund_tool(*, honours: bool = True, asks: bool = False, **changes: Any) -> Tool:
    values: dict[str, Any] = {
        "id": REFUND, "upstream": UpstreamId("shop"), "name": "refund", "type": ActionType.MONEY,
        "arguments": {
            "type": "object", "additionalProperties": False, "required": ["order", "amount"],
            "properties": {"order": {"type": "string"}, "amount": {"type": "integer", "minimum": 1}},
        },
        "money": MoneyAt(amount="amount", unit=Unit.MINOR, currency="EUR"),
        "business_key": ("order",),
        "http": Http(method="POST", path="/orders/{order}/refunds"),
        "idempotency": IdempotencyKey(place=KeyPlace.HEADER, name="Idempotency-Key") if honours or asks else None,
        "outcome": Check(
            call=Call(tool=ASK, arguments={"key": "$key"}),
            expect=(Expect(path="found", equals=True),),
            absent=(Expect(path="found", equals=False),),
        ) if asks else None,
        "place": "tools/shop.yaml: refund",
    }  # fmt: skip
    return Tool(**{**values, **changes})


def ask_tool() -> Tool:
    return Tool(
        id=ASK, upstream=UpstreamId("shop"), name="refund_by_key", type=ActionType.READ, arguments={"type": "object"},
        http=Http(method="GET", path="/refunds/{key}"),
    )  # fmt: skip


RULES = ActionRules(routes=(Route(id="leads", roles=("approver",)),))


class Registry:
    """`guard.execute.Registry` over fixed tools."""

    def __init__(self, port: int, *tools: Tool, timeout_ms: int = 1_000) -> None:
        self._tools = {tool.id: tool for tool in tools}
        self._upstream = shop_upstream(port, timeout_ms)

    def tool(self, tool: ToolId) -> tuple[Tool, Upstream] | None:
        return (self._tools[tool], self._upstream) if tool in self._tools else None


class FitsAll:
    """`guard.action_ports.Schemas` that finds nothing wrong."""

    def errors(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        return ()


class RemembersNothing:
    """`guard.action_ports.Recollection` of an empty record."""

    async def add(self, given: ActionInput, tool: Tool, conversation: Any, snapshot: Any) -> ActionInput:
        return given
