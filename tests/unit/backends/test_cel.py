"""CEL conditions behind the port, on the real engine, which the development set holds."""

import pytest
from fakes.actions import RULES, prepared

from handrail.backends.cel import Cel, installed_cel
from handrail.policy.action import ActionInput, Agreed
from handrail.policy.cel import VARIABLES, CelError, NoCel, values_of
from handrail.policy.decide_action import decide_action
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId

HERE = installed_cel()
ASKED = ActionInput(
    use_case=UseCaseId("shop"),
    tool=ToolId("shop.refund"),
    arguments={"order_id": "A1", "amount": 20},
    linked=True,
    session=True,
    amount_minor=2_000,
    currency="EUR",
    own=("order_id",),
    agreed=Agreed.CONFIRMED,
)
WRONG = [
    "amont > 5",
    "amount > '5'",
    "amount",
    "amount >",
    "tool + 1 == 2",
    "agreed",
    "untrusted == 1",
    "arguments.items.all(a, a.exists(b, b.map(c, c) == [1]))",
]


def test_the_engine_is_there() -> None:
    assert isinstance(HERE, Cel)


def test_without_an_implementation_every_rule_with_cel_is_refused_at_load() -> None:
    with pytest.raises(CelError, match="no CEL"):
        prepared(RULES.replace("tools: [refund] }", "tools: [refund], cel: 'amount > 5' }", 1), cel=NoCel())


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_condition_is_refused_at_load(source: str) -> None:
    with pytest.raises(CelError):
        HERE.compile(source, VARIABLES)


def test_a_right_condition_is_answered() -> None:
    program = HERE.compile("amount > 1000 && arguments.order_id == 'A1' && agreed == 'confirmed'", VARIABLES)
    assert program.holds(values_of(ASKED)) is True


@pytest.mark.parametrize(
    "source", ["arguments.amont > 5", "facts['order.total'] > 5", "arguments.amount == 'x' || arguments.x"]
)
def test_what_cannot_be_answered_holds(source: str) -> None:
    rules = RULES.replace("rules:", f'rules:\n  - {{ id: c, allow: x, tools: [refund], cel: "{source}" }}')
    decision = decide_action(ASKED, prepared(rules, cel=HERE))
    assert decision.verdict is Verdict.HOLD
    assert "rule.error" in {reason.code for reason in decision.reasons}
