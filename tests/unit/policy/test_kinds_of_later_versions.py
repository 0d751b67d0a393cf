"""A ruleset that was published before a kind was there marks it, so that an upgrade refuses no answer."""

import msgspec
import pytest
from fakes.home import home

from handrail.home.compile import compile_home
from handrail.policy.evaluate import DecisionInput, Found, Rules, Side, decide
from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind, Role
from handrail.terms.ids import UseCaseId


@pytest.mark.promise("WAT-20")
def test_an_answer_that_declines_passes_marked_under_a_ruleset_that_knows_no_such_kind() -> None:
    known = compile_home(home()).ruleset.use_cases[UseCaseId("chat")]
    older = msgspec.structs.replace(
        known,
        findings={kind: rule for kind, rule in known.findings.items() if kind is not Kind.DECLINED},
        answer_findings={},
    )
    rules = Rules(older)
    found = Found(Kind.DECLINED, Side.OUTPUT, Role.ASSISTANT, 0.9)
    decision = decide(DecisionInput(use_case=older.id, found=(found,)), rules)
    assert decision.actions == (FindingAction.MARK,)
    assert decision.verdict is Verdict.ALLOW
    assert Kind.DECLINED not in rules.stopping(Side.OUTPUT, Role.ASSISTANT)
