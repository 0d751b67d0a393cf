"""The report counts what was recorded, and never shows 0 of 0 as a rate."""

from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, InteractionId, UseCaseId
from handrail.watch.report import report
from handrail.watch.text import lines


def fact(**changes: object) -> InteractionFacts:
    base = {
        "interaction": InteractionId("int_1"), "conversation": ConversationId("con_1"), "use_case": UseCaseId("shop"),
        "key": "k", "outcome": Outcome.ANSWERED, "first": True, "latency_ms": 10,
    }  # fmt: skip
    return InteractionFacts(**{**base, **changes})  # type: ignore[arg-type]  keyword values of a test


def test_what_enforcing_would_have_done_is_counted_from_would_be() -> None:
    rows = report([fact(would_be=Verdict.DENY), fact(would_be=Verdict.ALLOW, first=False)])
    assert rows[0].would_be == {"deny": 1, "allow": 1}
    assert rows[0].conversations == 1
    assert any("denied 1 of 2 (50.0%)" in line for line in lines(rows))


def test_a_finding_of_resent_history_is_not_counted_again() -> None:
    card = FoundFact(Kind.CARD, "input", 1.0, "luhn", "mask")
    again = FoundFact(Kind.CARD, "input", 1.0, "luhn", "mask", new=False)
    assert report([fact(findings=(card,)), fact(findings=(again,))])[0].kinds == {"input.CARD": 1}


def test_an_empty_period_says_so() -> None:
    assert lines(report([])) == ["no interactions in this period"]
