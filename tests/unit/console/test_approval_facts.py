"""What stands beside a hold: why it waits, and what speaks for it."""

import msgspec
import pytest
from unit.approvals.test_eligible import NOW

from handrail.approvals import lifecycle
from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import Otherwise
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView, view
from handrail.console.views.approval_facts import checks_of, more_of, why_of
from handrail.console.words import Languages
from handrail.policy.action import Why
from handrail.policy.action_rules import ActionRules, Rule
from handrail.terms.action import ActionId, ToolId
from handrail.terms.decision import Reason, Verdict
from handrail.terms.ids import Digest, SubjectId, UseCaseId

WORDS = Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW)
RULES = ActionRules(
    rules=(
        Rule(id="large", then=Verdict.HOLD, why="a refund above 50.00 EUR waits for a person"),
        Rule(id="may", then=Verdict.ALLOW, why="within these rules the agent acts by itself"),
    )
)


def case(*reasons: Reason, **more: object) -> CaseView:
    progress = lifecycle.held(
        ActionId("ac_1"), Digest("d"), now=NOW, needs=1, route="leads", decide_by=NOW + 1, otherwise=Otherwise.DENY,
        excluded=frozenset(),
    )  # fmt: skip
    facts = ActionFacts(action=ActionId("ac_1"), tool=ToolId("till.refund"), reasons=reasons)
    about = About(use_case=UseCaseId("orders"), facts=facts)
    stored = Stored(progress=progress, about=about, subject=SubjectId("su_1"), request=None, business=b"")
    return msgspec.structs.replace(view(stored, None, None, RULES, ()), **more)


@pytest.mark.promise("CRV-6")
def test_a_rule_that_allows_is_no_reason_to_hold_but_speaks_for_it() -> None:
    shown = case(Reason(Why.LIMIT, "limits.one"), Reason(Why.RULE, "large"), Reason(Why.RULE, "may"))
    assert [why.verdict for why in shown.why] == [None, Verdict.HOLD, Verdict.ALLOW]
    assert [why.text for why in why_of(shown, WORDS)] == [
        "It would go over a limit.", "A refund above 50.00 EUR waits for a person."
    ]  # fmt: skip
    assert "Within these rules the agent acts by itself" in [check.text for check in checks_of(shown, WORDS)]


def test_a_rule_that_nobody_knows_any_more_stays_a_reason() -> None:
    assert len(why_of(case(Reason(Why.RULE, "gone")), WORDS)) == 1


def test_of_many_facts_none_is_dropped_and_what_goes_without_saying_stands_apart() -> None:
    facts = {f"order.f{at} (verified)": at for at in range(12)} | {
        "order.known (verified)": True, "order.count (verified)": 1, "order.id (verified)": "A-1",
        "card.known (claimed)": False, "said.refused (said)": 0,
    }  # fmt: skip
    shown = case(facts=facts)
    first, rest = ([check.text for check in each] for each in (checks_of(shown, WORDS), more_of(shown, WORDS)))
    assert "order.f0: 0 (verified)" in first
    assert "order.known: yes (verified)" in rest
    assert "order.id: A-1 (verified)" in rest
    assert "card.known: no (as the customer says)" in [*first, *rest]
    assert "card.known: no (as the customer says)" not in rest[-3:]
    assert len(first) + len(rest) == 1 + len(facts) - 1  # beside what the customer said, which is told in words
