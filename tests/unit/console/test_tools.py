"""Tools: what became of their calls, and when a changed manifest is told."""

import msgspec
import pytest
from fakes.actions import use_case

from handrail.approvals.facts import ActionFacts
from handrail.console.views.tools import MOST, ToolsRead, calls_of, tools
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.policy.action import Why
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ActionType, ToolId
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Reason, Verdict
from handrail.terms.ids import Digest, EntryId
from handrail.tools.registry import Tool, Upstream, UpstreamId, UpstreamKind

NOW_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def entry(kind: EntryKind, at_ms: int, **facts: object) -> RecordedFacts:
    body = ActionFacts(**{"action": "ac_1", "tool": "shop.refund", **facts})  # type: ignore[arg-type]  # by their names
    return RecordedFacts(
        v=1, salt=b"", id=EntryId("en"), kind=kind.value, at_ms=at_ms, actor=Actor(ActorKind.SYSTEM, "x"),
        facts=msgspec.Raw(msgspec.json.encode(body)),
    )  # fmt: skip


def decided(verdict: Verdict, at_ms: int = NOW_MS, **more: object) -> RecordedFacts:
    return entry(EntryKind.ACTION_DECIDED, at_ms, verdict=verdict, **more)


def shown(words: Words, *entries: RecordedFacts, published_at: int | None = None) -> object:
    shop = UpstreamId("shop")
    case = use_case()
    ruleset = Ruleset(
        organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases={case.id: case},
        upstreams={shop: Upstream(id=shop, kind=UpstreamKind.MCP, base_url="https://key@mcp.example/secret?x=y")},
        tools={ToolId("shop.refund"): Tool(
            id=ToolId("shop.refund"), upstream=shop, name="refund", type=ActionType.MONEY, arguments={})},
    )  # fmt: skip
    snapshot = Snapshot(epoch=1, ruleset_digest=Digest("d"), ruleset=ruleset, live={}, keys={})
    return tools(ToolsRead(snapshot=snapshot, decided=entries, ended=(), published_at=published_at), words)


def test_calls_are_counted_by_verdict_and_end_and_drills_nowhere() -> None:
    found = calls_of(
        [
            decided(Verdict.HOLD), decided(Verdict.ALLOW), decided(Verdict.ALLOW), decided(Verdict.DENY, drill=True),
            entry(EntryKind.ACTION_FAILED, 9), entry(EntryKind.ACTION_UNKNOWN, 8),
            entry(EntryKind.ACTION_DONE, 7, took_ms=5), entry(EntryKind.ACTION_FAILED, 6, drill=True),
        ]
    )["shop.refund"]  # fmt: skip
    assert dict(found.verdicts) == {"hold": 1, "allow": 2}
    assert dict(found.ended) == {"action.failed": 1, "action.unknown": 1, "action.done": 1}
    assert found.last_wrong == (EntryKind.ACTION_FAILED, 9, "ac_1")
    assert found.took == [5]


def test_a_changed_manifest_is_told_until_it_is_published_again(words: Words) -> None:
    held = decided(Verdict.HOLD, 100, reasons=(Reason(code=Why.MANIFEST),))
    for published_at, told in ((50, True), (100, True), (101, False), (None, True)):
        row = shown(words, held, published_at=published_at).upstreams[0].tools[0]  # type: ignore[attr-defined]  # Tools
        assert bool(row.drift) is told, published_at
        assert (row.state == "Changed, held") is told


def test_a_targets_address_is_its_host_alone(words: Words) -> None:
    assert shown(words).upstreams[0].address == "mcp.example"  # type: ignore[attr-defined]  # Tools


def test_what_is_left_out_of_the_counts_is_said(words: Words) -> None:
    assert "last 7 days" in shown(words, *[decided(Verdict.ALLOW)] * (MOST - 1)).counted  # type: ignore[attr-defined]
    assert "newest 1,000 calls" in shown(words, *[decided(Verdict.ALLOW)] * MOST).counted  # type: ignore[attr-defined]
