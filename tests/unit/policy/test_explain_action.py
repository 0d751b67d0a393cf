"""Decisions on actions in words."""

from fakes.actions import RULES, SHOP, prepared, rules

from handrail.policy.action import ActionInput, Agreed, Origin, Traced, Why
from handrail.policy.decide_action import decide_action
from handrail.policy.explain_action import explain_action, unexplained
from handrail.policy.ruleset import Autonomy, Mode
from handrail.terms.action import ToolId

ASKED = ActionInput(
    use_case=SHOP,
    tool=ToolId("shop.refund"),
    arguments={"order_id": "A1", "amount": 20, "iban": "DE02120300000000202051"},
    linked=True,
    session=True,
    amount_minor=2_000,
    currency="EUR",
    agreed=Agreed.PARTLY,
    traced=(Traced("iban", Origin.UNTRUSTED, 3, "quoted"),),
)


def test_every_code_has_a_sentence() -> None:
    assert unexplained(Why) == []


def test_each_reason_is_told_with_its_rule_and_no_value() -> None:
    text = RULES.replace("rules:", "rules:\n  - { id: big, hold: large ones wait, tools: [refund] }")
    lines = explain_action(decide_action(ASKED, prepared(text)), rules(text))
    assert lines[0] == "The action waits for a person."
    assert "Rule: large ones wait (shop.yaml: rules.big)." in lines
    assert "It is not known that this belongs to the verified customer (order_id)." in lines
    assert "A value comes only from what outsiders wrote (iban)." in lines
    assert "DE02" not in " ".join(lines)


def test_observe_mode_says_what_enforcing_would_have_done() -> None:
    lines = explain_action(decide_action(ASKED, prepared(mode=Mode.OBSERVE, autonomy=Autonomy.A2)), rules(RULES))
    assert lines[:2] == ["The action may run.", "Observed only: enforcing would have held it for a person."]
