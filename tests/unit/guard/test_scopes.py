"""Limits are not passed, and calls not doubled, by writing the same thing in another way."""

from typing import Any

import msgspec
import pytest
from fakes.actions import SHOP, shop

from handrail.guard.scopes import counted_by, same_arguments
from handrail.policy.action import Fact, Vouched
from handrail.policy.action_rules import Per
from handrail.terms.action import Action, ActionId, Door
from handrail.terms.ids import CustomerId
from handrail.tools.registry import MoneyAt, Tool, Unit

REFUND = next(tool for tool in shop()[1] if tool.name == "refund")
RETURN = msgspec.structs.replace(REFUND, objects={"order_id": "order", "items.*": "item"})


def action(customer: str | None = "c-17", **arguments: Any) -> Action:
    return Action(
        id=ActionId("ac_1"), use_case=SHOP, tool=REFUND.id, arguments=arguments, salt=b"", door=Door.HTTP, key="k",
        customer=None if customer is None else CustomerId(customer),
    )  # fmt: skip


def scopes(per: Per, asked: Action, tool: Tool = REFUND, *facts: Fact) -> set[str]:
    return set(counted_by(per, asked, tool, facts))


@pytest.mark.promise("ACD-10")
@pytest.mark.parametrize("written", ["A-1", "a-1", " A-1 ", "Ａ-１", "A-1\n"])
def test_an_order_counts_as_one_however_it_is_written(written: str) -> None:
    assert scopes(Per.OBJECT, action(order_id=written)) == scopes(Per.OBJECT, action(order_id="A-1"))
    assert scopes(Per.OBJECT, action(order_id=1)) == scopes(Per.OBJECT, action(order_id="1"))
    assert scopes(Per.OBJECT, action(order_id="A-2")) != scopes(Per.OBJECT, action(order_id="A-1"))


@pytest.mark.promise("ACD-10")
def test_what_else_a_call_names_makes_no_other_object_of_the_order() -> None:
    one, other = (scopes(Per.OBJECT, action(order_id="A-1", items=items), RETURN) for items in (["x", "y"], ["y"]))
    assert len(one) == 3
    assert other < one
    assert scopes(Per.OBJECT, action(order_id="A-1")) < one  # by another tool too


@pytest.mark.promise("ACD-10")
def test_a_customer_counts_as_one_and_without_one_the_limit_cannot_be_told() -> None:
    assert scopes(Per.CUSTOMER, action("C-17 ")) == scopes(Per.CUSTOMER, action("c-17"))
    assert scopes(Per.CUSTOMER, action(None)) == set()
    verified = Fact("customer.id", "c-17", Vouched.VERIFIED)
    assert scopes(Per.CUSTOMER, action(None), REFUND, verified) == scopes(Per.CUSTOMER, action("c-17"))
    assert scopes(Per.CUSTOMER, action(None), REFUND, Fact("customer.id", "c-17", Vouched.CLAIMED)) == set()


def test_the_same_call_is_the_same_in_any_form_of_its_numbers() -> None:
    tool = msgspec.structs.replace(REFUND, money=MoneyAt(amount="amount", unit=Unit.MAJOR, currency_at="currency"))
    forms = [(40, "EUR"), (40.0, "eur"), ("40.00", "EUR"), ("40", "Eur")]
    made = [
        same_arguments(action(order_id=f" A-1{' ' * at}", amount=amount, currency=currency), tool, {"EUR": 2})
        for at, (amount, currency) in enumerate(forms)
    ]
    assert all(one == made[0] for one in made)
    assert same_arguments(action(order_id="A-1", amount=41, currency="EUR"), tool, {"EUR": 2}) != made[0]
    assert same_arguments(action(order_id="a-1", amount=40, currency="EUR"), tool, {"EUR": 2}) != made[0]
    odd = action(order_id="A-1", amount="many", currency="EUR")
    assert same_arguments(odd, tool, {"EUR": 2}) == odd.arguments
