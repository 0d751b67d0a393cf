"""What a use case and the home declare of the watch and of costs, in figures and series."""

from typing import Any

import pytest

from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.policy.watching import Costs, Watched, WatchPlan
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.terms.decision import Outcome
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, InteractionId, UseCaseId
from handrail.watch.declared import Declared
from handrail.watch.fold import fold_interactions
from handrail.watch.measure import HOUR_MS, Asked, Cases, Cell, Counts, Told, flags, of_conversations
from handrail.watch.metrics import grouped
from handrail.watch.series import LEAST_CASES, Series, after, as_declared

DAY = 24 * HOUR_MS
MICRO = 1_000_000


def asked(**changes: Any) -> Asked:
    values: dict[str, Any] = {
        "interaction": InteractionId("in_1"), "conversation": ConversationId("cv_1"), "use_case": UseCaseId("orders"),
        "key": "k", "outcome": Outcome.ANSWERED, "first": True, "intent": "refund", "cost_micro_minor": 10 * MICRO,
    }  # fmt: skip
    return Asked(5 * HOUR_MS, InteractionFacts(**{**values, **changes}))


def told(kind: OutcomeType, **changes: Any) -> Told:
    return Told(
        "cv_1", OutcomeFacts(outcome="oc", type=kind, key="k", named="conversation", occurred_at_ms=1, **changes)
    )


def rows() -> list[tuple[Cell, Counts]]:
    one = asked()
    events = [
        told(OutcomeType.RESOLUTION, resolved=True), told(OutcomeType.HANDLE_TIME, seconds=120.0),
        told(OutcomeType.REFUND_REVERSED), told(OutcomeType.TRANSFER),
    ]  # fmt: skip
    (begun,) = of_conversations([one], events)
    counts = Counts({"cost_micro_minor": 10 * MICRO, "interactions": 1, "opened/refund": 1})
    counts.update(begun.counts)
    return [(begun.cell, counts)]


def figure_of(name: str, by: frozenset[str] = frozenset(), costs: Costs | None = None) -> Any:
    (group,) = grouped(rows(), by, costs or Costs())
    return next(one for one in group.figures if one.metric == name)


@pytest.mark.promise("WAT-28")
def test_the_cost_of_a_resolution_holds_peoples_time_and_refunds_taken_back() -> None:
    priced = Costs(human_minute_micro_minor=85 * MICRO, refund_reversed_micro_minor=1_200 * MICRO)
    assert figure_of("cost_per_resolution", costs=priced).value == 10 + 2 * 85 + 1_200
    assert figure_of("cost_per_resolution", costs=priced).missing == ""
    alone = figure_of("cost_per_resolution")
    assert alone.value == 10
    assert alone.missing == "without people's time and refunds taken back: no price, or no event"


@pytest.mark.promise("WAT-21")
def test_the_mix_and_the_figures_of_conversations_are_shown_by_intent() -> None:
    (whole,) = grouped(rows(), frozenset())
    assert whole.mix == (("refund", 1),)
    (part,) = grouped(rows(), frozenset({"intent"}))
    assert (part.intent, part.conversations) == ("refund", 1)
    by = {one.metric: one for one in part.figures}
    assert by["transfer"].count == 1
    assert by["cost_per_resolution"].text == "-"


@pytest.mark.promise("WAT-20")
def test_an_answer_that_declines_is_refused_by_the_model_and_no_other_finding() -> None:
    declined = asked(findings=(FoundFact(Kind.DECLINED, "output", 0.9, "words", "mark"),)).facts
    assert (flags(declined)["declined"], flags(declined)["finding"]) == (True, False)
    assert not flags(asked().facts)["declined"]


@pytest.mark.promise("WAT-25")
def test_a_series_learns_by_the_hours_of_the_organisation_and_keeps_them() -> None:
    berlin = Declared(zone="Europe/Berlin")
    one = as_declared(Series(use_case=UseCaseId("orders"), metric="failed"), berlin)
    sunday = 1_782_000_000_000  # 2026-06-21 00:00 UTC
    one, _ = after(one, sunday, Cases(0, 7))
    assert one.cases[6 * 24 + 2] == 7
    moved = as_declared(one, Declared(zone="Asia/Tokyo", plan=WatchPlan(cases_between_false_alarms=5_000)))
    assert (moved.zone, moved.wanted) == ("Europe/Berlin", 5_000)


@pytest.mark.promise("WAT-25")
def test_what_is_not_declared_to_be_watched_is_counted_and_never_alarms() -> None:
    def folded(plan: WatchPlan) -> list[str]:
        learnt = {
            ("orders", metric): Series(
                use_case=UseCaseId("orders"), metric=metric, bad=(12,) * 168, cases=(LEAST_CASES // 160,) * 168,
                learnt_ms=1, first_ms=0, bounds=(0.01,) * 168,
            )
            for metric in ("failed", "blocked")
        }  # fmt: skip
        minute = [asked(outcome=Outcome.FAILED) for _ in range(40)]
        made = fold_interactions(learnt, 9 * DAY, minute, plans={"orders": Declared(zone="UTC", plan=plan)})
        failed = next(one for one in made.series if one.metric == "failed")
        assert failed.watched == 40
        return [one.metric for one in made.raised]

    assert folded(WatchPlan()) == ["failed"]
    assert folded(WatchPlan(metrics=(Watched.BLOCKED,))) == []
    assert folded(WatchPlan(cases_between_false_alarms=10**9 * 10**60)) == []
