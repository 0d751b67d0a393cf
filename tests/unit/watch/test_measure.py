"""Counts of a minute: bands of amounts, what is bad, conversations and what became of them; the figures made of it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.terms.decision import Outcome
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, InteractionId, UseCaseId
from handrail.watch.fold import fold_conversations, fold_interactions
from handrail.watch.measure import (
    HOUR_MS,
    LONGEST_S,
    MATURITY_MS,
    METRICS,
    SIZES,
    Asked,
    Cases,
    Told,
    Used,
    band,
    minute_of_interactions,
    of_conversations,
    top,
)
from handrail.watch.metrics import DEFINITIONS, Side, figure, grouped, quantile
from handrail.watch.series import LIMIT_CASES, Series, with_bands
from handrail.watch.triggers import fold_triggers

SHOP = UseCaseId("shop")


def asked(**changes: Any) -> Asked:
    values = {
        "interaction": InteractionId("in_1"), "conversation": ConversationId("cv_1"), "use_case": SHOP, "key": "k",
        "outcome": Outcome.ANSWERED, "first": True, "language": "en", "channel": "chat",
    }  # fmt: skip
    return Asked(5 * HOUR_MS, InteractionFacts(**{**values, **changes}))


def told(conversation: str, kind: OutcomeType, **changes: Any) -> Told:
    values = {"outcome": "oc_1", "type": kind, "key": "k", "named": "conversation", "occurred_at_ms": 1}
    return Told(conversation, OutcomeFacts(**{**values, **changes}))


@given(st.integers(0, 10**12))
def test_an_amount_lies_in_its_band_and_the_bands_are_at_most_a_quarter_wide(amount: int) -> None:
    number = band(amount)
    assert amount <= top(number)
    assert top(number) <= max(amount * 1.25, 1)
    assert band(top(number)) == number
    if amount:
        assert band(amount - 1) <= number


def test_a_minute_counts_by_release_language_and_channel() -> None:
    rows = [asked(), asked(language="de"), asked(outcome=Outcome.FAILED, first=False), asked(channel="mail")]
    folded = fold_interactions({}, 5 * HOUR_MS, rows)
    assert {(cell.language, cell.channel): counts["interactions"] for cell, counts in folded.cells.items()} == {
        ("en", "chat"): 2, ("de", "chat"): 1, ("en", "mail"): 1,
    }  # fmt: skip
    by = {one.metric: one for one in folded.series}
    assert (sum(by["failed"].bad), sum(by["failed"].cases)) == (1, 4)


def test_whatever_is_compared_with_its_past_can_be_silenced() -> None:
    minute, _ = minute_of_interactions([asked()], {(SHOP, size): 1 for size in SIZES})
    assert {"declined", "latency"} <= {metric for _, metric in minute} <= METRICS
    (begun,) = of_conversations([asked()], [told("cv_1", kind) for kind in OutcomeType])
    assert begun.bad.keys() <= METRICS


@pytest.mark.promise("WAT-5")
def test_contained_means_neither_handed_over_nor_back_again_nor_complaining() -> None:
    rows = [asked(conversation=ConversationId(f"cv_{at}")) for at in range(5)] + [asked(first=False)]
    after = [
        told("cv_0", OutcomeType.TRANSFER), told("cv_1", OutcomeType.REPEAT_CONTACT),
        told("cv_2", OutcomeType.COMPLAINT), told("cv_3", OutcomeType.CSAT, score=2.0),
        told("cv_3", OutcomeType.CSAT, score=5.0, occurred_at_ms=2),
    ]  # fmt: skip
    ((_, counts),) = fold_conversations({}, 5 * HOUR_MS, rows, after).cells.items()
    assert (counts["conversations"], counts["contained"], counts["transfer"]) == (5, 2, 1)
    assert (counts["csat_answered"], counts["low_csat"]) == (1, 0)  # of two scores the later one counts


def test_what_nobody_reports_has_no_figure_rather_than_zero() -> None:
    counts = Counter({"conversations": 10, "interactions": 20})
    by = {one.id: figure(one, counts, counts) for one in DEFINITIONS}
    assert by["transfer"].text == "-"
    only_repeats = Counter({**counts, "told.repeat_contact": 1, "contained": 10})
    contained = next(one for one in DEFINITIONS if one.id == "contained")
    assert figure(contained, only_repeats, only_repeats).text == "-"  # who reports no transfer contains everybody
    assert "transfer" in by["transfer"].missing
    assert by["blocked"].text == "0.00% (0 of 20)"


def test_each_figure_says_what_it_is_of_and_every_customer_figure_what_it_hides() -> None:
    for one in DEFINITIONS:
        assert one.words
        assert one.of
    assert {one.id for one in DEFINITIONS if one.needs and not one.pitfall} == {"unresolved"}
    assert {one.id for one in DEFINITIONS if one.side is Side.CUSTOMER and not one.needs} == {"forced"}


def test_groups_add_up_to_the_whole() -> None:
    rows = [asked(), asked(language="de"), asked(channel="mail")]
    cells = list(fold_interactions({}, 5 * HOUR_MS, rows).cells.items())
    (whole,) = grouped(cells, frozenset())
    parts = grouped(cells, frozenset({"language", "channel"}))
    assert whole.interactions == sum(part.interactions for part in parts) == 3
    assert len(parts) == 3


def test_a_part_in_which_nothing_was_reported_has_zero_where_the_whole_is_reported() -> None:
    rows = [asked(conversation=ConversationId(f"cv_{at}"), channel="mail" if at else "chat") for at in range(3)]
    after = [told("cv_0", OutcomeType.TRANSFER), told("cv_0", OutcomeType.REPEAT_CONTACT)]
    cells = list(fold_conversations({}, 5 * HOUR_MS, rows, after).cells.items())
    (whole,) = grouped(cells, frozenset())
    parts = {one.channel: {each.metric: each for each in one.figures} for one in grouped(cells, frozenset({"channel"}))}
    assert {name: parts[name]["transfer"].text for name in parts} == {
        "chat": "100.00% (1 of 1)", "mail": "0.00% (0 of 2)",
    }  # fmt: skip
    for figure_of_all in whole.figures:
        each = [part[figure_of_all.metric] for part in parts.values()]
        assert figure_of_all.cases == sum(one.cases for one in each)
        assert (figure_of_all.count or 0) == sum(one.count or 0 for one in each)


def test_actions_make_no_part_of_their_own() -> None:
    used = [Used("ac_1", SHOP, "refund", False, "hold")]
    cells = list(fold_interactions({}, 5 * HOUR_MS, [asked(release="a" * 64)], used).cells.items())
    (part,) = grouped(cells, frozenset({"release"}))
    assert (part.release, part.interactions) == ("a" * 64, 1)
    assert {one.metric: one for one in part.figures}["held"].missing
    (whole,) = grouped(cells, frozenset())
    assert {one.metric: one for one in whole.figures}["held"].text == "100.00% (1 of 1)"


def test_cost_per_resolution_leaves_out_what_was_spent_on_conversations_that_are_not_over() -> None:
    old = fold_interactions({}, 5 * HOUR_MS, [asked(cost_micro_minor=2_000_000)]).cells.items()
    over = fold_conversations({}, 5 * HOUR_MS, [asked()], [told("cv_1", OutcomeType.RESOLUTION, resolved=True)]).cells
    young = [(cell._replace(hour=6), counts) for cell, counts in old]
    (whole,) = grouped([*old, *over.items(), *young], frozenset())
    by = {one.metric: one for one in whole.figures}
    assert (by["cost_per_resolution"].value, by["cost_per_resolution"].cases) == (2.0, 1)
    assert by["cost"].value == 2.0


def test_a_person_who_worked_on_it_and_said_no_time_is_not_zero_seconds() -> None:
    rows = [asked(conversation=ConversationId(f"cv_{at}")) for at in range(4)]
    after = [
        told("cv_0", OutcomeType.TRANSFER), told("cv_1", OutcomeType.TRANSFER),
        told("cv_1", OutcomeType.HANDLE_TIME, seconds=2.0**52),
    ]  # fmt: skip
    folded = fold_conversations({}, 5 * HOUR_MS, rows, after, frozenset({"cv_2"}))
    ((_, counts),) = folded.cells.items()
    bands = {name: count for name, count in counts.items() if name.startswith("handle_time/")}
    assert sum(bands.values()) == 2  # who said it, and who was never with a person
    assert counts["human_seconds"] == LONGEST_S


def test_a_finding_counts_where_it_was_first_seen_and_ungrounded_is_that_kind_alone() -> None:
    def found(kind: Kind, *, new: bool) -> FoundFact:
        return FoundFact(kind=kind, side="output", score=1.0, reason="x", action="mark", new=new)

    old, pii, claim = found(Kind.CARD, new=False), found(Kind.EMAIL, new=True), found(Kind.UNGROUNDED, new=True)
    ((_, counts),) = fold_interactions(
        {}, 5 * HOUR_MS, [asked(findings=(old,)), asked(findings=(pii,)), asked(findings=(claim, old))]
    ).cells.items()
    assert {name: count for name, count in counts.items() if name.startswith("finding.")} == {
        "finding.output.EMAIL": 1, "finding.output.UNGROUNDED": 1,
    }  # fmt: skip
    assert (counts["finding"], counts["ungrounded"]) == (2, 1)


def test_an_amount_is_that_of_answers_alone() -> None:
    rows = [asked(latency_ms=100), asked(latency_ms=90_000, outcome=Outcome.FAILED)]
    folded = fold_interactions({("shop", "latency"): Series(use_case=SHOP, metric="latency", limit=200)}, 0, rows)
    by = {one.metric: one for one in folded.series}
    assert (sum(by["latency"].bad), sum(by["latency"].cases)) == (0, 1)
    ((_, counts),) = folded.cells.items()
    assert sum(count for name, count in counts.items() if name.startswith("latency/")) == 1


def test_what_happened_two_days_later_counts_for_no_conversation() -> None:
    rows = [asked(conversation=ConversationId(f"cv_{at}")) for at in range(2)]
    begun = rows[0].at_ms
    after = [
        told("cv_0", OutcomeType.COMPLAINT, occurred_at_ms=begun + MATURITY_MS - 1),
        told("cv_1", OutcomeType.COMPLAINT, occurred_at_ms=begun + MATURITY_MS),
    ]
    ((_, counts),) = fold_conversations({}, begun, rows, after).cells.items()
    assert (counts["complaint"], counts["contained"]) == (1, 1)


def test_what_a_rule_handed_over_is_its_own_figure() -> None:
    rows = [asked(conversation=ConversationId(f"cv_{at}")) for at in range(3)]
    after = [told("cv_0", OutcomeType.TRANSFER), told("cv_1", OutcomeType.TRANSFER)]
    folded = fold_conversations({}, 5 * HOUR_MS, rows, after, frozenset({"cv_0"}))
    ((_, counts),) = folded.cells.items()
    assert (counts["transfer"], counts["forced"], counts["contained"]) == (1, 1, 1)
    by = {one.metric: one for one in folded.series}
    assert by["transfer"].first_ms is not None
    assert (sum(by["transfer"].bad), sum(by["transfer"].cases)) == (1, 3)


def test_tokens_surveys_actions_and_handling_are_each_of_their_own_cases() -> None:
    counts = Counter(
        {
            "interactions": 10, "conversations": 100, "input_tokens": 700, "output_tokens": 300, "told.csat": 4,
            "csat_answered": 4, "low_csat": 1, "actions": 5, "action.hold": 2, "told.handle_time": 1,
            f"handle_time/{band(10)}": 92, f"handle_time/{band(1_000)}": 8,
        }
    )  # fmt: skip
    by = {one.id: figure(one, counts, counts) for one in DEFINITIONS}
    assert by["tokens"].value == 100
    assert by["low_csat"].text == "25.00% (1 of 4)"
    assert by["csat_answered"].text == "4.00% (4 of 100)"
    assert by["held"].text == "40.00% (2 of 5)"
    assert by["handle_time"].text == f"{top(band(10))} / {top(band(10))}"  # the 90th of 100, not the 95th


def test_a_quantile_is_that_of_the_amounts_to_the_width_of_a_band() -> None:
    counts = Counter({f"latency/{band(amount)}": 1 for amount in (1,)})
    counts.update(f"latency/{band(amount)}" for amount in range(1, 1_001))
    assert 500 <= quantile("latency", counts, 0.5) <= 625
    assert quantile("latency", Counter(), 0.5) == 0


def test_the_limit_of_an_amount_is_what_95_of_100_did_not_exceed() -> None:
    start = Series(use_case=SHOP, metric="latency")
    amounts = Counter(str(band(amount)) for amount in range(1, LIMIT_CASES))
    assert with_bands(start, amounts).limit is None
    limit = with_bands(with_bands(start, amounts), {str(band(1)): 1}).limit
    assert limit is not None
    assert 0.94 * LIMIT_CASES <= limit <= 1.25 * LIMIT_CASES


@pytest.mark.promise("WAT-6")
def test_only_what_a_customer_said_for_the_first_time_is_told_at_once() -> None:
    def found(**changes: Any) -> FoundFact:
        values = {"kind": Kind.LEGAL, "side": "input", "score": 1.0, "reason": "x", "action": "mark"}
        return FoundFact(**{**values, **changes})

    quiet = [found(new=False), found(side="output"), found(action=""), found(kind=Kind.CARD)]
    assert fold_triggers([asked(findings=tuple(quiet))]) == []
    other = asked(conversation=ConversationId("cv_2"), findings=(found(),))
    (one,) = fold_triggers([asked(findings=(found(), found())), asked(findings=(found(),)), other])
    assert (one.cause, one.count) == ("trigger/shop/LEGAL", 2)  # conversations


def test_a_drill_is_no_action_of_an_agent() -> None:
    used = [Used("ac_1", SHOP, "refund", True, "hold"), Used("ac_2", SHOP, "refund", False, "hold")]
    folded = fold_interactions({}, 5 * HOUR_MS, [], used)
    assert [counts["actions"] for counts in folded.cells.values()] == [1]
    assert [one.example for one in folded.new] == ["ac_2"]


@pytest.mark.promise("TRI-13")
def test_a_head_that_a_provider_never_sent_is_news_only_beside_the_one_before() -> None:
    folded = fold_interactions({}, 0, [asked(provider="p", model="m", served_with="server=a"), asked()])
    (one,) = (each for each in folded.new if each.what.startswith("response head"))
    assert (one.what, one.value, one.tell, one.beside) == ("response head of p/m", "server=a", True, True)


@pytest.mark.promise("WAT-8")
def test_another_model_answering_under_the_same_name_is_news_only_beside_the_one_before() -> None:
    folded = fold_interactions({}, 0, [asked(provider="p", model="m", answered_by="m-0613 fp_1")])
    (one,) = (each for each in folded.new if each.what.startswith("answering model"))
    assert (one.what, one.value, one.tell, one.beside) == ("answering model of p/m", "m-0613 fp_1", True, True)


def test_a_minute_without_cases_changes_no_series() -> None:
    assert fold_conversations({}, 0, [], []).series == ()
    assert Cases(0, 0).cases == 0
