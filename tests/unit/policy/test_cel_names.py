"""Members that a CEL condition names are checked against tools and facts at load."""

import pytest
from fakes.actions import DIGITS, SHOP, rules, shop

from handrail.backends.cel import installed_cel
from handrail.policy.cel_names import names_of
from handrail.policy.check_rules import Ground, check_rules

NAMES = {
    "arguments.amount > 5 && facts['order.status'] == 'x'": ["argument amount", "fact order.status"],
    'past["customer.refund.day"] > 2': ["past customer.refund.day"],
    "arguments.items[0].price > 1": ["argument items.*.price"],
    "arguments.items.all(i, i.price > 1)": ["argument items"],
    "'iban' in arguments || has(arguments.iban)": ["argument iban", "argument iban"],
    "arguments['order_id'].startsWith('facts.x')": ["argument order_id"],
    "size(facts) > 1 && agreed == 'confirmed' && x.facts.y == 1": [],
}


@pytest.mark.parametrize("source", NAMES)
def test_names_are_read_off_the_text(source: str) -> None:
    assert [f"{name.about.value} {name.path}" for name in names_of(source)] == NAMES[source]


WRONG = {
    "has(arguments.ammount) && amount > 5": "no argument 'ammount'",
    "arguments.iban.bank == 'x'": "no argument 'iban.bank'",
    "facts['order.statu'] == 'open'": "'order.statu'",
    "'order.statu' in facts": "'order.statu'",
    "past['custmer.refund.day'] > 1": "no count",
}


def mistakes(source: str) -> list[str]:
    written = f"rules: [{{ id: r, deny: because, tools: [refund], cel: {source!r} }}]"
    ground = Ground(tools={SHOP: shop()[1]}, digits=DIGITS, cel=installed_cel(), tested=frozenset({"r"}))
    return [one.what for one in check_rules(rules(written), ground)]


@pytest.mark.promise("ACD-6")
@pytest.mark.parametrize("source", WRONG)
def test_a_misspelt_member_is_refused_at_load(source: str) -> None:
    assert any(WRONG[source] in what for what in mistakes(source))


def test_a_right_condition_has_no_mistake() -> None:
    assert (
        mistakes("arguments.amount > 5.0 && facts['order.status'] == 'open' && past['customer.refund.day'] > 1") == []
    )
