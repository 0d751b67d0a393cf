"""What is in force now before a claim: it may only tighten."""

from typing import Any

import msgspec
import pytest
from fakes.actions import SHOP, prepared, shop, use_case

from handrail.approvals import lifecycle
from handrail.approvals.desk import Standing
from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import Otherwise
from handrail.approvals.store import Stored
from handrail.guard.again import refused_now
from handrail.guard.tool_call import Weighed
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey, Scope
from handrail.policy.action import ActionInput
from handrail.policy.action_rules import Limit, Per, Within
from handrail.policy.ruleset import Autonomy, Ruleset
from handrail.terms.action import Action, ActionId, ActionType, Door, ToolId, digest_of
from handrail.terms.decision import Verdict
from handrail.terms.ids import Digest, KeyId, PersonId, SubjectId

_, TOOLS = shop()
REFUND = ToolId("shop.refund")
NOW = 10_000
ROUTES = "routes: [{ id: leads, roles: [approver] }]\n"
HOLDS = ROUTES + "rules:\n  - { id: look, hold: every refund is looked at, tools: [refund] }\n"
DENIES = ROUTES + "rules:\n  - { id: never, deny: no refunds today, tools: [refund] }\n"


def key(name: str = "k1", first: str = "", **more: Any) -> ApiKey:
    values: dict[str, Any] = {"scopes": frozenset({Scope.ACT}), **more}
    return ApiKey(id=KeyId(name), hash=name.encode(), use_case=SHOP, agent="a", created_at=0, first=first, **values)


def snapshot(*keys: ApiKey, tools: tuple[ToolId, ...] = (REFUND,), limits: tuple[Limit, ...] = ()) -> Snapshot:
    made = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={},
        use_cases={SHOP: msgspec.structs.replace(use_case(), tools=tools)}, tools={tool.id: tool for tool in TOOLS},
    )  # fmt: skip
    made = msgspec.structs.replace(made, actions=msgspec.structs.replace(made.actions, limits=limits))
    keys = keys or (key(),)
    return Snapshot(epoch=1, ruleset_digest=Digest("0"), ruleset=made, live={}, keys={one.hash: one for one in keys})


def approved(reserved: Any = (), **changes: Any) -> Stored:
    request = Action(
        id=ActionId("ac_1"), use_case=SHOP, tool=REFUND, arguments={"order_id": "A-1", "amount": 5}, salt=b"",
        door=changes.pop("door", Door.HTTP), key="k1",
    )  # fmt: skip
    given = ActionInput(
        use_case=SHOP, tool=REFUND, arguments=request.arguments, linked=True, session=True, amount_minor=500,
        currency="EUR", own=("order_id",),
    )  # fmt: skip
    values: dict[str, Any] = {"request": request, "given": msgspec.json.encode(Weighed(given)), **changes}
    held = lifecycle.held(
        request.id, digest_of(request), now=0, needs=1, route="leads", decide_by=9, otherwise=Otherwise.DENY,
        excluded=frozenset(),
    )  # fmt: skip
    alone = lifecycle.allowed(request.id, digest_of(request), now=0, execute_within_ms=1)
    progress = alone if values.pop("alone", False) else lifecycle.approve(held, PersonId("p"), held.digest, now=1)
    return Stored(
        progress=progress,
        about=About(use_case=SHOP, facts=ActionFacts(action=request.id)), subject=SubjectId("su"), business=b"",
        reserved=reserved, **values,
    )  # fmt: skip


def refused(stored: Stored, rules: str = HOLDS, used: int = 0, **more: Any) -> bool:
    now = more.pop("snapshot", None) or snapshot()
    return refused_now(now, prepared(rules), NOW)(stored, Standing((), lambda scope, period: used))


@pytest.mark.promise("ACT-8")
def test_what_would_be_held_again_was_approved_and_what_is_denied_is_refused() -> None:
    assert not refused(approved())
    assert refused(approved(), DENIES)


@pytest.mark.promise("ACT-8")
def test_what_no_person_approved_is_refused_where_a_person_would_be_asked_now() -> None:
    assert refused(approved(alone=True))
    allows = HOLDS.replace("hold: every refund is looked at", "allow: within the cap")
    assert not refused(approved(alone=True), allows)


@pytest.mark.promise("ACT-8")
def test_a_tool_that_is_no_longer_listed_and_a_record_that_cannot_be_read_are_refused() -> None:
    assert refused(approved(), snapshot=snapshot(tools=()))
    assert refused(approved(given=None))
    assert refused(approved(given=b"{"))
    assert refused(approved(request=None))


@pytest.mark.promise("ACT-8")
def test_a_key_that_may_no_longer_act_is_refused_and_one_it_was_rotated_into_serves() -> None:
    ended = key(revoked_at=NOW)
    assert refused(approved(), snapshot=snapshot(ended))
    assert refused(approved(), snapshot=snapshot(key(expires_at=NOW)))
    assert refused(approved(), snapshot=snapshot(key(scopes=frozenset({Scope.CHAT}))))
    assert refused(approved(), snapshot=snapshot(key("k2")))
    assert not refused(approved(), snapshot=snapshot(ended, key("k2", first="k1")))
    assert refused(approved(), snapshot=snapshot(ended, key("k2", first="k1", revoked_at=1)))
    assert not refused(approved(door=Door.UNDO), snapshot=snapshot(ended))


def test_a_limit_that_denies_counts_what_this_action_reserved_itself_once() -> None:
    rules = (
        HOLDS + "limits:\n  - { id: day, at_most: 1000, per: fleet, within: day, over: deny, currency: EUR, "
        "tools: [refund] }\n"
    )
    limit = Limit(id="day", at_most=1_000, per=Per.FLEET, within=Within.DAY, over=Verdict.DENY, currency="EUR")
    now = snapshot(limits=(limit,))
    mine = approved(reserved=(("day:ab", "2026-11-21", 500),))
    assert not refused(mine, rules, used=1_000, snapshot=now)
    assert refused(mine, rules, used=1_001, snapshot=now)


@pytest.mark.promise("AUT-8")
def test_a_demotion_asks_where_nobody_was_asked_and_takes_no_yes_away() -> None:
    for level, alone in ((Autonomy.A2, True), (Autonomy.A1, True), (Autonomy.A2, False), (Autonomy.A1, False)):
        now = msgspec.structs.replace(snapshot(), lowered={SHOP: {ActionType.MONEY: level}})
        allows = HOLDS.replace("hold: every refund is looked at", "allow: within the cap")
        assert not refused(approved(alone=alone), allows)
        assert refused(approved(alone=alone), allows, snapshot=now) is alone


@pytest.mark.promise("AUT-8")
def test_a_demotion_does_not_keep_a_person_from_undoing() -> None:
    now = msgspec.structs.replace(snapshot(), lowered={SHOP: {ActionType.MONEY: Autonomy.A1}})
    allows = HOLDS.replace("hold: every refund is looked at", "allow: within the cap")
    assert not refused(approved(alone=True, door=Door.UNDO), allows, snapshot=now)
