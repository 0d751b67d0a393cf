"""A case as a person reads it."""

import msgspec
import pytest

from handrail.approvals.behind import Use
from handrail.approvals.lifecycle import Otherwise, State
from handrail.approvals.store import Past
from handrail.approvals.view import Blast, CaseView, Why
from handrail.cli.case_text import case_text
from handrail.home.codes import money
from handrail.terms.action import ActionId
from handrail.terms.ids import Digest


def case(**changed: object) -> CaseView:
    plain: dict[str, object] = {
        "action": ActionId("ac_1"), "state": State.HELD, "revision": 0, "digest": Digest("d"), "use_case": "chat",
        "tool": "shop.refund", "title": "", "type": "money", "agent": "bot", "customer": "c", "conversation": None,
        "arguments": {"amount": 12.0}, "amount_minor": 1_200, "currency": "EUR", "why": (), "ruleset": None,
        "origins": {}, "values": (), "agreed": "unknown", "facts": {}, "blast": Blast(type="money", system="shop"),
        "reversibility": "none", "undo": "", "undo_until_s": None, "leaves_after_s": 0, "said": (), "route": "leads",
        "roles": ("approver",), "needs": 1, "approvals": (), "excluded": (), "decide_by": None,
        "otherwise": Otherwise.DENY, "ahead": (), "on_duty": True, "settled_by": "", "past": (), "names": {},
        "was_drill": False,
    }  # fmt: skip
    return msgspec.convert({**plain, **changed}, CaseView, from_attributes=True)


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [(1_200, "EUR", "12.00 EUR"), (5, "EUR", "0.05 EUR"), (-120, "EUR", "-1.20 EUR"), (5, "JPY", "5 JPY"),
     (1_234, "KWD", "1.234 KWD"), (7, "???", "7 minor ???")],
)  # fmt: skip
def test_money_is_said_as_people_write_it(minor: int, currency: str, said: str) -> None:
    assert money(minor, currency) == said


def test_amount_limits_and_facts_of_a_case_are_in_one_unit() -> None:
    blast = Blast(type="money", system="shop", uses=(Use("day", 12_700, 10_000, 1_200, "EUR"), Use("once", 1, 1, 1)))
    facts = {"order.total (verified)": 1_500, "order.count (verified)": 1}
    said = case_text(case(blast=blast, facts=facts, amounts={"order.total (verified)": "EUR"}))
    assert "what: shop.refund, money, 12.00 EUR" in said
    assert "  limit day: 127.00 EUR of 100.00 EUR, this one 12.00 EUR" in said
    assert "  limit once: 1 of 1, this one 1 (calls)" in said
    assert "  fact order.total (verified): 15.00 EUR" in said
    assert "  fact order.count (verified): 1" in said


def test_a_reason_that_no_rule_gave_is_said_in_words() -> None:
    said = case_text(case(why=(Why("object.not_own", side="order"), Why("rule", "rules/a.yaml: rules.x", "too large"))))
    assert "  object.not_own at order: It is not known that this belongs to the verified customer [built in]" in said
    assert "  rule: too large [rules/a.yaml: rules.x]" in said


def test_what_a_person_takes_back_is_not_said_to_come_from_the_agent() -> None:
    assert "asked by: agent bot, use case chat" in case_text(case())
    assert "asked by: a person, to take back ac_0 of agent bot, use case chat" in case_text(case(undoes="ac_0"))


def test_similar_cases_say_who_decided_by_name() -> None:
    past = Past(
        action=ActionId("ac_9"), state=State.DENIED, at_ms=0, amount_minor=50, currency="EUR", settled_by="pe_1"
    )
    said = case_text(case(past=(past,), names={"pe_1": "Ann"}))
    assert "  ac_9  denied by Ann  1970-01-01 00:00:00Z  0.50 EUR" in said


def test_a_case_whose_outcome_nobody_can_tell_says_how_it_is_settled() -> None:
    assert any("handrail approvals settle ac_1 --done" in line for line in case_text(case(state=State.UNKNOWN)))
    assert not any("settle" in line for line in case_text(case()))
