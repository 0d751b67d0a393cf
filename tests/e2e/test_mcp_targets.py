"""What is certain after a call of an MCP server: a real one on loopback, over the real gate."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_house import Desk, desk

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.system import SystemClock
from handrail.backends.tools.mcp import McpTargets
from handrail.guard.execute import Answer, Effect
from handrail.terms.action import ActionType, ToolId
from handrail.terms.ids import Digest
from handrail.tools.registry import IdempotencyKey, KeyPlace, Tool, Upstream, UpstreamId, UpstreamKind


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("targets"), "desk") as running:
        yield running


def tool(name: str, kind: ActionType = ActionType.MONEY, **more: Any) -> Tool:
    return Tool(id=ToolId(f"desk.{name}"), upstream=UpstreamId("desk"), name=name, type=kind, arguments={}, **more)


def called(url: str, *calls: tuple[Tool, dict[str, Any]], key: str = "k1", **changes: Any) -> list[Answer]:
    given = {"base_url": url, "private_network": True, "timeout_ms": 1_500, **changes}
    upstream = Upstream(id=UpstreamId("desk"), kind=UpstreamKind.MCP, **given)
    egress = Egress(
        resolve=system_resolve, published=lambda: {parse_url(url)[0]}, monotonic=SystemClock().monotonic
    )  # fmt: skip
    targets = McpTargets(egress=egress, secret=lambda _: "desk-secret", clock=SystemClock())

    async def run() -> list[Answer]:
        return [await targets.call(tool, upstream, arguments, key=key) for tool, arguments in calls]

    return asyncio.run(run())


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize("place", [KeyPlace.META, KeyPlace.HEADER, KeyPlace.ARGUMENT])
def test_a_result_is_an_effect_and_the_key_goes_where_the_tool_says(target: Desk, place: KeyPlace) -> None:
    name = {KeyPlace.META: "key", KeyPlace.HEADER: "idempotency-key", KeyPlace.ARGUMENT: "order"}[place]
    paying = tool("refund", idempotency=IdempotencyKey(place=place, name=name))
    given = {"order": f"by-{place.value}", "amount": 3}
    before = len(target.effects("refund"))
    first, again = called(target.url, (paying, given), (paying, given), key=f"k-{place.value}")
    assert (first.effect, again.effect) == (Effect.DONE, Effect.DONE)
    rows = target.effects("refund")[before:]
    if place is KeyPlace.META:
        assert first.result == again.result
        assert [row["key"] for row in rows] == ["k-meta"]
    elif place is KeyPlace.ARGUMENT:
        assert {row["order"] for row in rows} == {"k-argument"}
    assert all(row["authorization"] == "Bearer desk-secret" for row in rows)
    assert b"desk-secret" not in first.request


SURE_OF_NONE: list[tuple[Tool, dict[str, Any], str]] = [
    (tool("refund", manifest=Digest("0" * 64)), {"order": "A", "amount": 3}, "tool.manifest_changed"),
    (tool("look_up", ActionType.READ), {"order": "none"}, "target.is_error"),
    (tool("note_down", fails_with=("Error executing tool note_down: refused",)), {"text": "never"}, "target.is_error"),
]
UNSURE: list[tuple[Tool, dict[str, Any], str]] = [
    (tool("refund"), {"order": "slow-3", "amount": 3}, "upstream.timeout"),
    (tool("note_down"), {"text": "broken"}, "target.is_error"),
    (tool("note_down"), {"text": "dies"}, "upstream.error"),
]


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize(("asked", "given", "code"), SURE_OF_NONE)
def test_what_never_left_or_was_refused_is_none(target: Desk, asked: Tool, given: dict[str, Any], code: str) -> None:
    (answer,) = called(target.url, (asked, given))
    assert (answer.effect, answer.code) == (Effect.NONE, code)


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize(("change", "code"), [
    ({"base_url": "http://127.0.0.1:1/mcp"}, "egress.denied"),
    ({"private_network": False}, "egress.denied"),
])  # fmt: skip
def test_what_the_gate_refuses_never_leaves(target: Desk, change: dict[str, Any], code: str) -> None:
    (answer,) = called(target.url, (tool("note_down"), {"text": "gate"}), **change)
    assert (answer.effect, answer.code) == (Effect.NONE, code)
    assert "gate" not in str(target.effects())


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize(("asked", "given", "code"), UNSURE)
def test_what_may_have_happened_is_unsure_and_never_sent_again(
    tmp_path: Path, asked: Tool, given: dict[str, Any], code: str
) -> None:
    with desk(tmp_path, "frail") as frail:
        (answer,) = called(frail.url, (asked, given))
        assert (answer.effect, answer.code) == (Effect.UNSURE, code)
        assert len(frail.effects()) == 1


@pytest.mark.promise("MCP-12")
def test_a_server_that_is_away_was_not_reached(tmp_path: Path) -> None:
    with desk(tmp_path, "away") as away:
        away.process.kill()
        away.process.wait(10)
        (answer,) = called(away.url, (tool("note_down"), {"text": "x"}))
    assert (answer.effect, answer.code) == (Effect.NONE, "upstream.unreachable")
