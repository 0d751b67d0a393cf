"""A policy that nobody could satisfy: too few hold a route's roles, or none is left beside the rule's author."""

import pytest

from handrail.policy.action_rules import ActionRules, Limit, Per, Route, Rule, Within
from handrail.policy.check_rules import Ground, unsettled
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId

SHOP, BANK = UseCaseId("shop"), UseCaseId("bank")
LEADS = Route(id="leads", roles=("approver",), place="routes.leads")
TWO = Route(id="two", roles=("approver", "compliance"), persons=2, place="routes.two")
BIG = Rule(id="big", then=Verdict.HOLD, why="big", route="two", place="rules.big")
DAY = Limit(id="day", at_most=5, per=Per.FLEET, within=Within.DAY, place="limits.day")


def told(rules: ActionRules, authors: dict[str, str], **holders: set[str]) -> list[str]:
    ground = Ground(
        tools={SHOP: (), BANK: ()}, digits={}, barred={SHOP: frozenset({"olga"})},
        holders={role: frozenset(people) for role, people in holders.items()},
    )  # fmt: skip
    return list(dict.fromkeys(one.place for one in unsettled(rules, ground, authors)))


@pytest.mark.promise("APR-8")
def test_a_rule_whose_author_is_needed_to_settle_it_is_told_at_its_place() -> None:
    rules = ActionRules(rules=(BIG,), limits=(DAY,), routes=(LEADS, TWO))
    assert told(rules, {"rule:big": "ann"}, approver={"ann", "bob"}, compliance={"cleo"}) == []
    assert told(rules, {"rule:big": "ann"}, approver={"ann", "bob"}) == ["rules.big"]
    assert told(rules, {"limit:day": "ann"}, approver={"ann"}, compliance={"cleo"}) == ["limits.day"]
    assert told(rules, {"rule:big": "zoe"}, approver={"ann", "bob"}) == []


@pytest.mark.promise("APR-8")
def test_the_owner_counts_for_no_use_case_of_hers_and_an_escalation_counts() -> None:
    rules = ActionRules(routes=(LEADS,))
    assert told(rules, {}, approver={"olga"}) == ["routes.leads"]
    assert told(rules, {}, approver={"olga", "ann"}) == []
    bank = Rule(id="b", then=Verdict.HOLD, why="b", use_cases=(BANK,), place="rules.b")
    assert told(ActionRules(rules=(bank,), routes=(LEADS,)), {"rule:b": "ann"}, approver={"ann", "olga"}) == []
    assert told(ActionRules(rules=(bank,), routes=(LEADS,)), {"rule:b": "olga"}, approver={"ann", "olga"}) == []


def test_a_doubt_and_a_denial_hold_nothing_by_themselves() -> None:
    rules = (
        Rule(id="no", then=Verdict.DENY, why="no", place="rules.no"),
        Rule(id="hm", then=Verdict.HOLD, why="hm", doubt=1, place="rules.hm"),
    )
    made = ActionRules(rules=rules, routes=(LEADS,))
    assert told(made, {"rule:no": "ann", "rule:hm": "ann"}, approver={"ann"}) == []
