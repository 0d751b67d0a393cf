"""Accepted failures: held, exceeded or not measurable, over the conversations of the period."""

import msgspec
import pytest

from handrail.home.fields import Metric
from handrail.ledger.commitment import facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.policy.ruleset import AcceptedFailure
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, EntryId, InteractionId, UseCaseId
from handrail.watch.accepted import Judged, State, judge
from handrail.watch.outcomes import Reported, reported
from handrail.watch.report import UseCaseReport, report
from handrail.watch.text import lines

SHOP = UseCaseId("shop")


def fact(conversation: str, **changes: object) -> InteractionFacts:
    base = {
        "interaction": InteractionId("in_1"), "conversation": ConversationId(conversation), "use_case": SHOP,
        "key": "k", "outcome": Outcome.ANSWERED, "first": True, "latency_ms": 10,
    }  # fmt: skip
    return InteractionFacts(**{**base, **changes})  # type: ignore[arg-type]  keyword values of a test


def event(conversation: str, kind: OutcomeType, at_ms: int = 1_000, **data: object) -> Reported:
    base = {"outcome": "oc_1", "type": kind, "key": "k", "named": "conversation", "matched": True}
    facts = OutcomeFacts(**{**base, "occurred_at_ms": at_ms, **data})  # type: ignore[arg-type]  as above
    return Reported(SHOP, conversation, facts)


def row(events: list[Reported], facts: list[InteractionFacts] | None = None) -> UseCaseReport:
    """Of four conversations unless `facts` are given."""
    return report(facts or [fact(f"cv_{n}") for n in range(4)], events)[0]


def judged(metric: str, limit: float, made: UseCaseReport) -> Judged:
    return judge(made, (AcceptedFailure(metric=metric, limit=limit),))[0]


@pytest.mark.promise("RPT-2")
@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("complaint_rate", OutcomeType.COMPLAINT),
        ("transfer_rate", OutcomeType.TRANSFER),
        ("repeat_contact_rate", OutcomeType.REPEAT_CONTACT),
        ("refund_reversed_rate", OutcomeType.REFUND_REVERSED),
        ("override_rate", OutcomeType.OVERRIDE),
    ],
)
def test_a_reported_failure_counts_once_for_each_conversation(metric: str, kind: OutcomeType) -> None:
    made = row([event("cv_1", kind), event("cv_1", kind), event("cv_elsewhere", kind)])
    found = judged(metric, 0.25, made)
    assert (found.failures, found.cases, found.state) == (1, 4, State.HELD)
    assert judged(metric, 0.24, made).state is State.EXCEEDED


@pytest.mark.promise("RPT-2")
@pytest.mark.parametrize("metric", sorted(Metric))
def test_every_metric_of_the_home_is_known_here(metric: str) -> None:
    assert "does not know" not in judged(metric, 0.5, row([])).why


@pytest.mark.promise("RPT-2")
def test_what_nobody_reports_is_not_measurable_and_not_held() -> None:
    found = judged("complaint_rate", 1.0, row([event("cv_1", OutcomeType.CSAT, score=5.0)]))
    assert found.state is State.NOT_MEASURABLE
    assert "no `complaint` event was ever reported" in found.why


def test_a_report_before_the_period_shows_that_somebody_reports() -> None:
    assert judged("complaint_rate", 0.0, row([event("cv_before", OutcomeType.COMPLAINT)])).state is State.HELD


def test_a_rate_over_scores_without_a_score_is_not_measurable() -> None:
    found = judged("low_csat_rate", 1.0, row([event("cv_before", OutcomeType.CSAT, score=1.0)]))
    assert (found.state, found.why) == (State.NOT_MEASURABLE, "no case in this period")


@pytest.mark.parametrize(("score", "scale_max", "low"), [(2.0, None, 1), (2.5, None, 0), (4.0, 10.0, 1), (5, 10.0, 0)])
def test_low_is_two_of_five_or_less_on_any_scale(score: float, scale_max: float | None, low: int) -> None:
    made = row([event("cv_1", OutcomeType.CSAT, score=score, scale_max=scale_max)])
    found = judged("low_csat_rate", 0.5, made)
    assert (found.failures, found.cases) == (low, 1)


def test_the_latest_word_on_a_resolution_counts() -> None:
    later = event("cv_1", OutcomeType.RESOLUTION, 2_000, resolved=True)
    made = row([later, event("cv_1", OutcomeType.RESOLUTION, 1_000, resolved=False)])
    assert judged("unresolved_rate", 0.0, made).state is State.HELD


def test_an_override_that_changed_nothing_is_no_failure() -> None:
    made = row([event("cv_1", OutcomeType.OVERRIDE, same=True), event("cv_2", OutcomeType.OVERRIDE, same=False)])
    assert judged("override_rate", 0.1, made).failures == 1


@pytest.mark.promise("RPT-2")
@pytest.mark.parametrize(
    ("metric", "changes"),
    [
        ("blocked_rate", {"outcome": Outcome.BLOCKED, "verdict": Verdict.DENY}),
        ("handover_rate", {"outcome": Outcome.HANDOVER, "verdict": Verdict.DENY}),
        ("failed_rate", {"outcome": Outcome.FAILED}),
        ("failed_rate", {"outcome": Outcome.REFUSED}),
        ("failed_rate", {"outcome": Outcome.INTERRUPTED}),
        (
            "ungrounded_rate",
            {"findings": (FoundFact(Kind.UNGROUNDED, "output", 0.9, "number", "mark"),)},
        ),
        (
            "blocked_rate",
            {"would_be": Verdict.DENY, "findings": (FoundFact(Kind.INJECTION, "input", 1.0, "x", "block"),)},
        ),
        (
            "handover_rate",
            {
                "would_be": Verdict.DENY,
                "findings": (
                    FoundFact(Kind.INJECTION, "input", 1.0, "x", "block"),
                    FoundFact(Kind.LEGAL, "input", 1.0, "x", "handover"),
                ),
            },
        ),
    ],
)
def test_what_the_net_did_counts_by_interaction(metric: str, changes: dict[str, object]) -> None:
    made = row([], [fact("cv_1", **changes), fact("cv_1")])
    found = judged(metric, 0.4, made)
    assert (found.failures, found.cases, found.state) == (1, 2, State.EXCEEDED)
    others = {"blocked_rate", "handover_rate", "failed_rate", "ungrounded_rate"} - {metric}
    assert all(judged(other, 0.0, made).failures == 0 for other in others)


@pytest.mark.promise("RPT-1")
def test_the_report_shows_events_flags_and_each_accepted_failure() -> None:
    made = row([event("cv_1", OutcomeType.FLAG, reason="rude"), event("cv_1", OutcomeType.COMPLAINT)])
    accepts = (
        AcceptedFailure(metric="complaint_rate", limit=0.02),
        AcceptedFailure(metric="low_csat_rate", limit=0.1),
    )
    said = lines([made], {SHOP: accepts})
    assert "  reported afterwards: flag 1, complaint 1" in said
    assert "  flags by reason: rude 1" in said
    assert "  accepted complaint_rate at most 2.0%: exceeded, 1 of 4 (25.0%)" in said
    assert any("low_csat_rate at most 10.0%: not measurable, no `csat` event" in line for line in said)


def entry(kind: EntryKind, *, matched: bool) -> Entry:
    facts = OutcomeFacts(
        outcome="oc_1", type=OutcomeType.FLAG, key="k", named="customer", matched=matched, occurred_at_ms=1
    )
    return Entry(
        id=EntryId("en_1"), kind=kind, at_ms=2, actor=Actor(ActorKind.KEY, "k"), facts=facts,
        use_case=SHOP if matched else None, conversation=ConversationId("cv_1") if matched else None,
    )  # fmt: skip


@pytest.mark.promise("RPT-1")
def test_an_event_counts_in_the_entry_in_which_it_found_its_conversation() -> None:
    def read(kind: EntryKind, *, matched: bool) -> Reported | None:
        return reported(read_facts(facts_bytes(entry(kind, matched=matched), bytes(16))))

    assert read(EntryKind.OUTCOME_REPORTED, matched=False) is None
    assert read(EntryKind.KEY_CREATED, matched=True) is None
    for kind in (EntryKind.OUTCOME_REPORTED, EntryKind.OUTCOME_MATCHED):
        found = read(kind, matched=True)
        assert found is not None
        assert (found.use_case, found.conversation, found.facts.type) == (SHOP, "cv_1", OutcomeType.FLAG)


def test_facts_that_are_no_outcome_are_told() -> None:
    wrong = msgspec.structs.replace(entry(EntryKind.OUTCOME_REPORTED, matched=True), facts=None)
    with pytest.raises(ValueError, match="en_1: not the facts of an outcome"):
        reported(read_facts(facts_bytes(wrong, bytes(16))))
