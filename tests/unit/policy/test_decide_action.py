"""The decision on an action, step by step, at every autonomy level."""

from typing import Any

import msgspec
import pytest
from fakes.actions import RULES, SHOP, prepared

from handrail.policy.action import ActionInput, Agreed, Fact, Origin, Past, Room, Traced, Vouched
from handrail.policy.decide_action import decide_action, encode, replay
from handrail.policy.evaluate import Found, Side
from handrail.policy.ruleset import Autonomy, Mode
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind, Role

RIGHT = ActionInput(
    use_case=SHOP,
    tool=ToolId("shop.refund"),
    arguments={"order_id": "A1", "amount": 20},
    linked=True,
    session=True,
    amount_minor=2_000,
    currency="EUR",
    own=("order_id",),
    agreed=Agreed.CONFIRMED,
)
READ = ActionInput(use_case=SHOP, tool=ToolId("shop.get_order"), arguments={"order_id": "A1"})


def given(base: ActionInput = RIGHT, **changes: Any) -> ActionInput:
    return msgspec.structs.replace(base, **changes)


def codes(asked: ActionInput, rules: str = RULES, **how: Any) -> tuple[Verdict, set[str]]:
    decision = decide_action(asked, prepared(rules, **how))
    return decision.verdict, {reason.code for reason in decision.reasons}


def test_what_is_right_within_the_cap_runs_at_a3() -> None:
    verdict, _ = codes(RIGHT)
    assert verdict is Verdict.ALLOW


@pytest.mark.promise("ACD-3")
@pytest.mark.parametrize("autonomy", list(Autonomy))
def test_what_is_not_registered_is_denied_at_every_level(autonomy: Autonomy) -> None:
    for asked in (given(registered=False), given(tool=ToolId("shop.delete_all"))):
        assert codes(asked, autonomy=autonomy) == (Verdict.DENY, {"tool.unregistered"})


@pytest.mark.parametrize("autonomy", list(Autonomy))
def test_a_stop_denies_even_in_observe_mode(autonomy: Autonomy) -> None:
    for mode in Mode:
        verdict, reasons = codes(given(stopped=("all",)), autonomy=autonomy, mode=mode)
        assert verdict is Verdict.DENY
        assert "stopped" in reasons


def test_arguments_outside_the_schema_are_denied() -> None:
    assert codes(given(schema_errors=("$.amount",))) == (Verdict.DENY, {"arguments.schema", "rule"})


LEVELS = {
    (Autonomy.A0, "read"): Verdict.ALLOW,
    (Autonomy.A1, "read"): Verdict.ALLOW,
    (Autonomy.A2, "read"): Verdict.ALLOW,
    (Autonomy.A3, "read"): Verdict.ALLOW,
    (Autonomy.A4, "read"): Verdict.ALLOW,
    (Autonomy.A0, "write"): Verdict.DENY,
    (Autonomy.A1, "write"): Verdict.HOLD,
    (Autonomy.A2, "write"): Verdict.HOLD,
    (Autonomy.A3, "write"): Verdict.ALLOW,
    (Autonomy.A4, "write"): Verdict.ALLOW,
}


@pytest.mark.promise("ACD-3")
@pytest.mark.parametrize(("autonomy", "what"), LEVELS)
def test_each_level_does_what_it_says(autonomy: Autonomy, what: str) -> None:
    decision = decide_action(READ if what == "read" else RIGHT, prepared(autonomy=autonomy))
    assert decision.verdict is LEVELS[autonomy, what]
    assert decision.draft is (autonomy is Autonomy.A1 and what == "write")


def test_a3_needs_a_customer_session_and_a4_does_not() -> None:
    alone = given(session=False)
    assert codes(alone, autonomy=Autonomy.A3)[0] is Verdict.HOLD
    assert codes(alone, autonomy=Autonomy.A4)[0] is Verdict.ALLOW


@pytest.mark.parametrize("autonomy", [Autonomy.A3, Autonomy.A4])
def test_an_action_without_a_limit_holds_until_a_rule_allows_it(autonomy: Autonomy) -> None:
    no_limit = "routes: [{ id: leads, roles: [approver] }]"
    assert codes(RIGHT, no_limit, autonomy=autonomy) == (Verdict.HOLD, {"autonomy.no_limit"})
    allowed = "rules: [{ id: may, allow: it may, tools: [refund] }]"
    assert codes(RIGHT, allowed, autonomy=autonomy)[0] is Verdict.ALLOW


@pytest.mark.parametrize("autonomy", [Autonomy.A0, Autonomy.A1, Autonomy.A2])
def test_allow_lifts_nothing_at_lower_levels(autonomy: Autonomy) -> None:
    assert (
        codes(RIGHT, "rules: [{ id: may, allow: it may, tools: [refund] }]", autonomy=autonomy)[0] is not Verdict.ALLOW
    )


HOLDING = {
    "no conversation is linked": ({"linked": False}, "conversation.unlinked"),
    "the order is not known to be the customer's": ({"own": ()}, "object.not_own"),
    "an injection stands in what this rests on": ({"untrusted": True}, "taint.injection"),
    "a detector failed": ({"failures": ("injection:late",)}, "guard.unavailable"),
    "the upstream announces something else": ({"manifest_changed": True}, "tool.manifest_changed"),
    "the amount cannot be read": ({"amount_minor": None, "amount_error": "no amount"}, "arguments.amount"),
    "the amount is not in the limit's currency": ({"currency": "USD"}, "limit.unknown"),
    "the customer refused": ({"agreed": Agreed.REFUSED}, "consent.refused"),
    "the customer agreed to something else": ({"agreed": Agreed.OTHER}, "consent.other"),
    "the customer never asked": ({"agreed": Agreed.NOTHING}, "consent.nothing"),
    "not every value was told": ({"agreed": Agreed.PARTLY}, "doubts"),
    "a value comes only from outsiders": ({"traced": (Traced("iban", Origin.UNTRUSTED),)}, "origin.untrusted"),
    "a value comes from nowhere": ({"traced": (Traced("iban", Origin.UNKNOWN),)}, "origin.unknown"),
    "it is over the cap": ({"amount_minor": 10_001}, "limit"),
}


@pytest.mark.promise("ACD-4")
@pytest.mark.parametrize("why", HOLDING)
@pytest.mark.parametrize("autonomy", [Autonomy.A2, Autonomy.A3, Autonomy.A4])
def test_a_consequential_action_holds_when(why: str, autonomy: Autonomy) -> None:
    changes, code = HOLDING[why]
    verdict, reasons = codes(given(**changes), autonomy=autonomy)
    assert verdict is Verdict.HOLD
    assert code in reasons


def test_a_value_that_the_record_contradicts_is_denied() -> None:
    assert codes(given(traced=(Traced("iban", Origin.CONTRADICTED),)))[0] is Verdict.DENY


@pytest.mark.promise("ACD-4")
def test_a_read_that_reaches_out_counts_as_consequential() -> None:
    search = ActionInput(
        use_case=SHOP, tool=ToolId("shop.search_web"), arguments={"query": "x"}, session=True, linked=True,
        agreed=Agreed.ASKED, traced=(Traced("query", Origin.CUSTOMER),),
    )  # fmt: skip
    assert codes(search, autonomy=Autonomy.A2)[0] is Verdict.HOLD
    assert codes(given(search, untrusted=True), autonomy=Autonomy.A4)[0] is Verdict.HOLD
    assert codes(given(search, linked=False))[0] is Verdict.HOLD


def test_every_reason_is_told_and_the_strongest_verdict_wins() -> None:
    rules = "rules:\n  - { id: a, deny: x, tools: [refund] }\n  - { id: b, hold: y, types: [money], route: leads }\n"
    rules += "routes: [{ id: leads, roles: [approver] }]"
    decision = decide_action(given(own=(), linked=False), prepared(rules))
    assert decision.verdict is Verdict.DENY
    assert decision.rules == ("a", "b")
    assert {"object.not_own", "conversation.unlinked", "rule"} <= {reason.code for reason in decision.reasons}


def test_limits_take_what_is_left_and_say_what_to_reserve() -> None:
    rules = RULES.replace("per: action, within: day", "per: customer, within: day")
    assert codes(RIGHT, rules) == (Verdict.HOLD, {"limit.unknown", "rule"})
    room = given(room=(Room("per-action", 2_000),))
    decision = decide_action(room, prepared(rules))
    assert decision.verdict is Verdict.ALLOW
    assert decision.reserve == (("per-action", 2_000),)
    assert codes(given(room=(Room("per-action", 1_999),)), rules)[0] is Verdict.HOLD


def test_a_limit_over_which_it_denies() -> None:
    rules = RULES.replace("within: day,", "within: day, over: deny,")
    assert codes(given(amount_minor=10_001), rules)[0] is Verdict.DENY


def test_change_replaces_arguments_and_disagreeing_changes_hold() -> None:
    one = RULES.replace("rules:", "rules:\n  - { id: c, change: cap it, tools: [refund], to: { amount: 10 } }")
    decision = decide_action(RIGHT, prepared(one))
    assert (decision.verdict, decision.change) == (Verdict.CHANGE, {"amount": 10})
    two = one.replace("limits:", "  - { id: d, change: cap it, tools: [refund], to: { amount: 5 } }\nlimits:")
    assert codes(RIGHT, two)[0] is Verdict.HOLD


def test_observe_mode_changes_nothing_and_says_what_it_would_do() -> None:
    decision = decide_action(given(own=()), prepared(mode=Mode.OBSERVE))
    assert (decision.verdict, decision.would_be) == (Verdict.ALLOW, Verdict.HOLD)
    assert any(reason.code == "object.not_own" for reason in decision.reasons)
    unknown = decide_action(given(registered=False), prepared(mode=Mode.OBSERVE))
    assert unknown.verdict is Verdict.DENY


def test_the_route_that_asks_most_persons_settles_a_hold() -> None:
    rules = (
        "rules:\n  - { id: a, hold: x, tools: [refund], route: one }\n"
        "  - { id: b, hold: y, types: [money], route: two, when: [{ argument: amount, above: 10 }] }\n"
        "routes:\n  - { id: default, roles: [approver] }\n  - { id: one, roles: [approver] }\n"
        "  - { id: two, roles: [approver], persons: 2 }"
    )
    assert decide_action(RIGHT, prepared(rules)).route == "two"
    assert decide_action(given(arguments={"order_id": "A1", "amount": 5}), prepared(rules)).route == "one"
    assert decide_action(given(own=()), prepared(RULES)).route == "leads"


def test_doubts_add_up_and_hold_at_their_count() -> None:
    rules = (
        "doubts_hold_at: 3\npartly_doubts: 1\nrules:\n  - { id: may, allow: it may, tools: [refund] }\n"
        "  - { id: a, doubt: big, tools: [refund], when: [{ argument: amount, above: 10 }] }\n"
        "  - { id: b, doubt: hurried, weight: 2, tools: [refund], when: [{ argument: express, is: true }] }"
    )
    assert codes(RIGHT, rules)[0] is Verdict.ALLOW
    hurried = given(arguments={"order_id": "A1", "amount": 20, "express": True})
    assert codes(hurried, rules) == (Verdict.HOLD, {"doubt", "doubts", "rule"})
    small = given(arguments={"order_id": "A1", "amount": 5, "express": True})
    assert codes(small, rules)[0] is Verdict.ALLOW
    assert codes(msgspec.structs.replace(small, agreed=Agreed.PARTLY), rules)[0] is Verdict.HOLD


CONDITIONS = {
    "{ fact: order.total, above: 5000 }": ({"facts": (Fact("order.total", 5_001, Vouched.VERIFIED),)}, True),
    "{ fact: order.total, at-least: 5000 }": ({"facts": (Fact("order.total", 5_001, Vouched.CLAIMED),)}, False),
    "{ fact: order.total, above: 4000, vouched: claimed }": ({"facts": (Fact("order.total", 5_001),)}, True),
    "{ fact: order.status, is-not: open }": ({}, False),
    "{ fact: order.status, exists: false }": ({}, True),
    "{ fact: order.items, not-in: [a, b] }": ({"facts": (Fact("order.items", ["a", "c"], Vouched.VERIFIED),)}, True),
    "{ fact: order.items, in: [a, b] }": ({"facts": (Fact("order.items", ["a", "c"], Vouched.VERIFIED),)}, False),
    "{ fact: order.items, contains: c }": ({"facts": (Fact("order.items", ["a", "c"], Vouched.VERIFIED),)}, True),
    "{ argument: order_id, is: { fact: order.id } }": ({"facts": (Fact("order.id", "A1", Vouched.VERIFIED),)}, True),
    "{ past: customer.refunds.day, at-least: 2 }": ({"past": (Past("customer.refunds.day", 2),)}, True),
    "{ past: customer.refunds.day, at-least: 3 }": ({"past": (Past("customer.refunds.day", 2),)}, False),
    "{ finding: { is: CARD } }": ({"found": (Found(Kind.CARD, Side.INPUT, Role.USER, 0.9),)}, True),
    "{ finding: { in: [IBAN, CVV] } }": ({"found": (Found(Kind.CARD, Side.INPUT, Role.USER, 0.9),)}, False),
    "{ origin: iban, in: [untrusted, unknown] }": ({"traced": (Traced("iban", Origin.RECORD),)}, False),
    "{ origin: iban, is: record }": ({"traced": (Traced("iban", Origin.RECORD),)}, True),
    "{ own: order_id, is: false }": ({}, False),
    "{ agreed: { is: asked } }": ({"agreed": Agreed.ASKED}, True),
    "{ minute: { below: 480 } }": ({"minute": 479}, True),
    "{ weekday: { in: [5, 6] } }": ({"weekday": 5}, True),
    "{ linked: { is: true } }": ({}, True),
    "{ amount: { at-most: 2000, currency: EUR } }": ({}, True),
    "{ amount: { below: 2000, currency: EUR } }": ({}, False),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_means_what_it_says(condition: str) -> None:
    changes, matches = CONDITIONS[condition]
    rules = RULES.replace("rules:", f"rules:\n  - {{ id: asked, deny: x, tools: [refund], when: [{condition}] }}")
    assert ("asked" in decide_action(given(**changes), prepared(rules)).rules) is matches


def test_an_exception_takes_a_rule_back() -> None:
    rules = RULES.replace(
        "rules:",
        "rules:\n  - { id: x, deny: no, tools: [refund], when: [{ argument: amount, above: 10 }],"
        " unless: [{ argument: reason, is: damaged }] }",
    )
    assert decide_action(RIGHT, prepared(rules)).verdict is Verdict.DENY
    damaged = given(arguments={**RIGHT.arguments, "reason": "damaged"})
    assert decide_action(damaged, prepared(rules)).verdict is Verdict.ALLOW


@pytest.mark.promise("ACD-1")
def test_the_recorded_bytes_give_the_same_decision() -> None:
    asked = given(own=(), traced=(Traced("iban", Origin.UNKNOWN, 3, "x"),), past=(Past("customer.refunds.day", 2),))
    ready = prepared()
    assert replay(encode(asked), ready) == decide_action(asked, ready)
