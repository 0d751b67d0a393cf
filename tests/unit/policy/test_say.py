"""What an agent is told of a denial: what its author wrote for agents, and the arguments of the schema."""

from typing import Any

import msgspec
import pytest
from fakes.actions import SHOP, prepared, rules, shop

from handrail.policy.action import ActionInput, Agreed
from handrail.policy.decide_action import decide_action
from handrail.policy.ruleset import Mode
from handrail.policy.say import told_to_agent
from handrail.policy.written import WrittenError
from handrail.terms.action import ToolId

RIGHT = ActionInput(
    use_case=SHOP, tool=ToolId("shop.refund"), arguments={"order_id": "A1", "amount": 20}, linked=True, session=True,
    amount_minor=2_000, currency="EUR", own=("order_id",), agreed=Agreed.CONFIRMED,
)  # fmt: skip

DENIES = """
rules:
  - {{ id: fraud, deny: three chargebacks, tools: [refund], when: [{{ argument: amount, at-least: 10 }}] }}
  - {{ id: read-first, {then}: never read, say: look the order up, tools: [refund], when: [{when}] }}
limits:
  - {{ id: small, at_most: 100, per: action, within: day, currency: EUR, over: deny, tools: [refund] }}
routes: [{{ id: leads, roles: [approver] }}]
"""
UNREAD = "{ fact: order.status, exists: false }"


def given(**changes: Any) -> ActionInput:
    return msgspec.structs.replace(RIGHT, **changes)


def told(text: str, asked: ActionInput = RIGHT, mode: Mode = Mode.ENFORCE) -> tuple[str, ...]:
    tool = next(each for each in shop()[1] if each.name == "refund")
    return told_to_agent(decide_action(asked, prepared(text, mode=mode)), rules(text), tool, asked.arguments)


@pytest.mark.promise("ACT-57")
def test_only_what_an_author_wrote_for_agents_is_told_of_a_denial() -> None:
    text = DENIES.format(then="deny", when=UNREAD)
    assert told(text) == ("look the order up",)
    assert told(text, mode=Mode.OBSERVE) == ()
    assert told("limits: [{ id: small, at_most: 100, per: action, within: day, over: deny, currency: EUR }]") == ()


@pytest.mark.promise("ACT-57")
def test_arguments_that_the_schema_refuses_are_named_by_names_of_the_schema() -> None:
    nothing = "routes: [{ id: leads, roles: [approver] }]"
    assert told(nothing, given(schema_errors=("amount", "$"), arguments={"amount": "all"})) == (
        "argument amount does not fit the tool's schema",
        "missing arguments: order_id",
    )
    (unknown,) = told(nothing, given(schema_errors=("$",), arguments={**RIGHT.arguments, "4111 1111": 1}))
    assert unknown.endswith("it knows: order_id, amount, reason, iban, express")


@pytest.mark.promise("ACT-57")
def test_a_hold_tells_of_reads_that_are_missing_and_nothing_else() -> None:
    held = "rules: [{ id: r, hold: far away, say: look the order up, tools: [refund], when: [%s] }]"
    assert told(held % "{ fact: order.status, is: delivered }") == ("look the order up",)
    assert told(held % "{ argument: amount, at-least: 10 }") == ()


def test_what_is_never_told_is_a_mistake() -> None:
    with pytest.raises(WrittenError, match="`say` is told when"):
        rules("rules: [{ id: r, doubt: far, say: look, tools: [refund] }]")
