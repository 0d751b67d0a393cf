"""The report of actions counts what agents asked for and what came of it, in the period, without drills."""

import pytest

from handrail.approvals.facts import ActionFacts
from handrail.ledger.commitment import facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.ids import EntryId, UseCaseId
from handrail.watch.acted import Acted
from handrail.watch.report import report
from handrail.watch.text import lines

SHOP = UseCaseId("shop")


def take(acted: Acted, kind: EntryKind, facts: ActionFacts, at_ms: int = 1) -> bool:
    actor = Actor(ActorKind.SYSTEM, "actions")
    entry = Entry(id=EntryId("en_1"), kind=kind, at_ms=at_ms, actor=actor, use_case=SHOP, facts=facts)
    return acted.take(read_facts(facts_bytes(entry, bytes(16))))


def decided(action: str, verdict: Verdict = Verdict.ALLOW, **more: object) -> ActionFacts:
    base: dict[str, object] = {"action": action, "verdict": verdict, "amount_minor": 1_200, "currency": "EUR"}
    return ActionFacts(**{**base, **more})  # type: ignore[arg-type]  keyword values of a test


def done(action: str, **more: object) -> ActionFacts:
    return ActionFacts(action=action, state="done", **more)  # type: ignore[arg-type]  keyword values of a test


def said(acted: Acted) -> list[str]:
    return lines(report((), acts=acted.by_use_case))


@pytest.mark.promise("APR-21")
def test_what_was_decided_and_what_became_of_it_and_the_money_that_moved_are_told() -> None:
    acted = Acted()
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_1"))
    take(acted, EntryKind.ACTION_DONE, done("ac_1"))
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_2", Verdict.HOLD))
    take(acted, EntryKind.ACTION_EDITED, decided("ac_2", Verdict.HOLD, amount_minor=700))
    take(acted, EntryKind.ACTION_DONE, done("ac_2"))
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_3", Verdict.DENY))
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_4"))
    take(acted, EntryKind.ACTION_FAILED, ActionFacts(action="ac_4", state="failed"))
    assert "  actions decided (handrail log --kind action): allow 2, hold 1, deny 1" in said(acted)
    assert "    what became of actions: done 2, failed 1; money moved: 19.00 EUR" in said(acted)


def test_what_enforcing_would_have_done_with_actions_that_were_only_observed_is_told() -> None:
    acted = Acted()
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_1", would_be=Verdict.HOLD))
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_2", would_be=Verdict.ALLOW))
    line = "    only observed: enforcing would have held 1 of 2 (50.0%) and denied 0 of 2 (0.0%)"
    assert line in said(acted)


def test_money_counts_where_it_moved_once_also_when_a_person_settled_it() -> None:
    acted = Acted(begin_ms=10, end_ms=20)
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_1"), at_ms=5)
    take(acted, EntryKind.ACTION_UNKNOWN, ActionFacts(action="ac_1", state="unknown"), at_ms=6)
    take(acted, EntryKind.ACTION_SETTLED, done("ac_1"), at_ms=10)
    take(acted, EntryKind.ACTION_DECIDED, decided("ac_2"), at_ms=11)
    take(acted, EntryKind.ACTION_DONE, done("ac_2"), at_ms=20)
    assert acted.by_use_case[SHOP].paid == {"EUR": 1_200}
    assert acted.by_use_case[SHOP].verdicts == {"allow": 1}


def test_a_drill_counts_nowhere() -> None:
    acted = Acted()
    assert take(acted, EntryKind.ACTION_DECIDED, decided("ac_1", Verdict.HOLD, drill=True))
    assert take(acted, EntryKind.ACTION_DENIED, ActionFacts(action="ac_1", state="denied", drill=True))
    assert said(acted) == ["no interactions and no actions in this period"]


def test_other_entries_are_left_to_others_and_facts_of_another_form_are_told() -> None:
    acted = Acted()
    assert not take(acted, EntryKind.KEY_CREATED, ActionFacts(action="ac_1"))
    entry = Entry(
        id=EntryId("en_7"), kind=EntryKind.ACTION_DONE, at_ms=1, actor=Actor(ActorKind.SYSTEM, "x"), use_case=SHOP
    )
    with pytest.raises(ValueError, match="en_7"):
        acted.take(read_facts(facts_bytes(entry, bytes(16))))
