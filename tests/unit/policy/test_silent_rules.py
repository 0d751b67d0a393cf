"""Rules that were skipped in silence: what a rule cannot answer holds, and what it says of lists and levels is true."""

from typing import Any

import msgspec
import pytest
from fakes.actions import RULES, SHOP, prepared

from handrail.policy.action import ActionInput, Agreed, Fact, Origin, Traced, Vouched
from handrail.policy.decide_action import decide_action
from handrail.policy.ruleset import Autonomy
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict

RIGHT = ActionInput(
    use_case=SHOP, tool=ToolId("shop.refund"), arguments={"order_id": "A1", "amount": 20}, linked=True, session=True,
    amount_minor=2_000, currency="EUR", own=("order_id",), agreed=Agreed.CONFIRMED,
)  # fmt: skip


def decided(rule: str, **changes: Any) -> tuple[Verdict, set[str]]:
    made = decide_action(
        msgspec.structs.replace(RIGHT, **changes), prepared(RULES.replace("rules:", f"rules:\n  - {rule}", 1))
    )
    return made.verdict, {reason.code for reason in made.reasons}


@pytest.mark.promise("ACD-11")
@pytest.mark.parametrize("bound", ["above: 50000", "at-most: 100", "is: 7", "below: 5"])
def test_an_amount_in_another_currency_holds_whichever_side_of_the_bound_its_number_lies(bound: str) -> None:
    rule = f"{{ id: big, deny: too much, tools: [refund], when: [{{ amount: {{ {bound}, currency: USD }} }}] }}"
    assert decided(rule) == (Verdict.HOLD, {"rule", "rule.error"})


@pytest.mark.promise("ACD-11")
@pytest.mark.parametrize(
    "condition",
    [
        "{ fact: order.status, is-not: delivered }", "{ fact: order.status, is: blocked }",
        "{ fact: order.total, below: 5000 }", "{ amount: { above: { fact: order.total }, currency: EUR } }",
        "{ past: customer.refund.day, at-least: 3 }",
    ],
)  # fmt: skip
@pytest.mark.parametrize("verdict", ["deny", "hold"])
def test_a_rule_on_what_was_never_read_holds(verdict: str, condition: str) -> None:
    rule = f"{{ id: r, {verdict}: because, tools: [refund], when: [{condition}] }}"
    assert decided(rule) == (Verdict.HOLD, {"rule", "rule.unknown"})


def test_a_rule_that_cannot_match_whatever_is_missing_is_silent() -> None:
    rule = (
        "{ id: r, deny: because, tools: [refund], when: [{ fact: order.status, is-not: delivered }, "
        "{ argument: order_id, is: B9 }] }"
    )
    assert decided(rule)[0] is Verdict.ALLOW


def test_a_rule_that_says_that_it_speaks_of_what_is_there_alone_is_silent_without_it() -> None:
    rule = (
        "{ id: r, deny: because, tools: [refund], when: [{ fact: order.status, exists: true }, "
        "{ fact: order.status, is-not: delivered }] }"
    )
    assert decided(rule)[0] is Verdict.ALLOW
    assert decided(rule, facts=(Fact("order.status", "open", Vouched.VERIFIED),))[0] is Verdict.DENY


def test_an_exception_that_was_never_read_is_none() -> None:
    rule = "{ id: r, deny: because, tools: [refund], unless: [{ fact: buyer.vip, is: true }] }"
    assert decided(rule)[0] is Verdict.DENY


@pytest.mark.parametrize("verdict", ["allow", "doubt"])
def test_what_only_lifts_or_doubts_does_not_hold_for_want_of_a_fact(verdict: str) -> None:
    rule = f"{{ id: r, {verdict}: because, tools: [refund], when: [{{ fact: order.status, is: open }}] }}"
    assert decided(rule)[0] is Verdict.ALLOW


def test_a_claimed_fact_is_as_good_as_none() -> None:
    rule = "{ id: r, deny: because, tools: [refund], when: [{ fact: order.status, is-not: delivered }] }"
    assert decided(rule, facts=(Fact("order.status", "delivered", Vouched.CLAIMED),))[0] is Verdict.HOLD


@pytest.mark.promise("ACD-5")
@pytest.mark.parametrize("name", ["lines.*", "lines.*.to", "lines"])
def test_the_origin_of_every_value_of_a_list_is_asked(name: str) -> None:
    rule = f"{{ id: r, deny: because, tools: [refund], when: [{{ origin: {name}, in: [untrusted] }}] }}"
    traced = (Traced("lines.0.to", Origin.UNTRUSTED), Traced("lines.1.to", Origin.UNTRUSTED))
    assert decided(rule, traced=traced)[0] is Verdict.DENY


@pytest.mark.promise("ACD-3")
@pytest.mark.parametrize("autonomy", list(Autonomy))
def test_a_read_that_reaches_out_passes_by_itself_only_where_what_is_consequential_does(autonomy: Autonomy) -> None:
    out = msgspec.structs.replace(
        RIGHT, tool=ToolId("shop.search_web"), arguments={"query": "x"}, amount_minor=None, own=()
    )
    rules = RULES.replace("tools: [refund] }", "tools: [refund, search_web] }", 1)
    verdict = decide_action(out, prepared(rules, autonomy=autonomy)).verdict
    assert (verdict is Verdict.ALLOW) is (autonomy in (Autonomy.A3, Autonomy.A4))
