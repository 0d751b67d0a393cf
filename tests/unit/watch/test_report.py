"""The report counts what was recorded, and never shows 0 of 0 as a rate."""

import pytest

from handrail.ledger.commitment import facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts, UnregisteredFacts
from handrail.people.facts import KeyFacts
from handrail.policy.ruleset import AcceptedFailure
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, EntryId, InteractionId, UseCaseId
from handrail.watch.accepted import State, judge
from handrail.watch.measure import flags
from handrail.watch.refused import Refused
from handrail.watch.report import report
from handrail.watch.text import lines, unregistered

MINUTE_MS = 60_000


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


def test_the_hold_out_is_no_hand_over_of_a_rule_unless_a_rule_asked_for_one() -> None:
    human = FoundFact(Kind.HUMAN, "input", 1.0, "asks", "handover")
    drawn = fact(outcome=Outcome.HANDOVER, arm="hold_out")
    rows = report([drawn, fact(), fact(), fact(outcome=Outcome.HANDOVER, arm="hold_out", findings=(human,))])
    assert (rows[0].held_out, rows[0].handed_over, rows[0].answered) == (1, 1, 4)
    said = lines(rows)
    assert "  blocked or handed over: 1 of 4 (25.0%)" in said
    assert "  without the AI, by the draw of the hold-out: 1 of 4 (25.0%)" in said
    assert not flags(drawn)["handed_over"]


def test_an_empty_period_says_so() -> None:
    assert lines(report([])) == ["no interactions and no actions in this period"]


def taken(refused: Refused, kind: EntryKind, facts: KeyFacts | UnregisteredFacts | InteractionFacts) -> bool:
    entry = Entry(id=EntryId("en_1"), kind=kind, at_ms=1, actor=Actor(ActorKind.SYSTEM, "gateway"), facts=facts)
    return refused.take(read_facts(facts_bytes(entry, bytes(16))))


def calls(count: int, *, key: str = "k1", code: str = "budget.requests", minute: int = 10) -> UnregisteredFacts:
    return UnregisteredFacts(minute, "source", code, key, count)


def counted(begin_ms: int | None = None, end_ms: int | None = None) -> Refused:
    """Six calls over the budget and two bad reports of the shop, three of nobody."""
    refused = Refused(begin_ms, end_ms)
    taken(refused, EntryKind.KEY_CREATED, KeyFacts(key="k0", use_case="shop", scopes=("chat",)))
    taken(refused, EntryKind.KEY_ROTATED, KeyFacts(key="k1", use_case="shop", scopes=("chat",), replaces="k0"))
    taken(refused, EntryKind.KEY_CREATED, KeyFacts(key="k2", use_case="shop", scopes=("events",)))
    taken(refused, EntryKind.CALL_REFUSED, calls(5))
    taken(refused, EntryKind.CALL_REFUSED, calls(1, key="k0", minute=11))
    taken(refused, EntryKind.CALL_REFUSED, calls(2, key="k2", code="request.invalid"))
    taken(refused, EntryKind.CALL_UNREGISTERED, calls(3, key="", code="key.unknown"))
    return refused


@pytest.mark.promise("RPT-4")
def test_calls_refused_before_an_interaction_are_shown_by_code_and_count_as_failed() -> None:
    refused = counted()
    row = report([fact() for _ in range(34)], (), refused.by_use_case)[0]
    said = lines([row])
    assert "  without an answer: 6 of 40 (15.0%)" in said
    assert any(line.endswith("(handrail log --kind call): budget.requests 6, request.invalid 2") for line in said)
    assert unregistered(refused.unregistered) == [
        "refused calls without a use case (handrail log --kind call): key.unknown 3"
    ]
    (judged,) = judge(row, (AcceptedFailure(metric="failed_rate", limit=0.1),))
    assert (judged.failures, judged.cases, judged.state) == (6, 40, State.EXCEEDED)


@pytest.mark.promise("RPT-4")
def test_a_use_case_of_which_every_call_was_refused_has_its_row() -> None:
    rows = report([], (), counted().by_use_case)
    assert "  without an answer: 6 of 6 (100.0%)" in lines(rows)


@pytest.mark.parametrize(("begin", "end", "lost"), [(10, None, 6), (10.5, None, 6), (11, None, 1), (None, 11, 5)])
def test_a_minute_counts_in_its_period(begin: float | None, end: int | None, lost: int) -> None:
    refused = counted(begin and int(begin * MINUTE_MS), end and end * MINUTE_MS)
    assert refused.by_use_case[UseCaseId("shop")].lost == lost


def test_other_entries_are_none_of_its_business_and_wrong_facts_are_told() -> None:
    refused = Refused()
    assert not taken(refused, EntryKind.INTERACTION_CLOSED, fact())
    with pytest.raises(ValueError, match=r"en_1: not the facts of call\.refused"):
        taken(refused, EntryKind.CALL_REFUSED, fact())


@pytest.mark.promise("RPT-4")
def test_failed_interactions_have_a_line_by_code() -> None:
    lost = fact(outcome=Outcome.FAILED, error="upstream.unreachable")
    late = fact(outcome=Outcome.INTERRUPTED)
    said = lines(report([fact(), lost, lost, late]))
    assert "  without an answer: 3 of 4 (75.0%)" in said
    assert any(line.endswith("failed or refused): upstream.unreachable 2, interrupted 1") for line in said)
