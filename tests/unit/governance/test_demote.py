"""What lowers a level, how far, and what a promotion needs."""

import math
from collections import Counter
from typing import Any

import msgspec
import pytest
from fakes.actions import use_case

from handrail.app.demoting import of_alerts, of_drills, of_findings, of_incidents, of_rate
from handrail.approvals.drill import Drill, DrillState, Made, Plan
from handrail.governance.demote import (
    HOUR_MS,
    Demotion,
    Figures,
    Happened,
    bars,
    fallen,
    lowered_by_hand,
    matches,
    promoted,
    upper_bound,
)
from handrail.policy.autonomy import DRIFTING, RATES, Again, Autonomy, Cause, Demote, Trigger, lowered, raised
from handrail.policy.ruleset import UseCase
from handrail.review.incident import Incident, IncidentState, Severity
from handrail.terms.action import ActionType
from handrail.terms.ids import UseCaseId
from handrail.watch import alert as alerts
from handrail.watch.drift import upper_bound as exact_bound
from handrail.watch.measure import METRICS, SIZES, Asked, Told, of_conversations, of_interactions

MONEY, READ, ASSERT = ActionType.MONEY, ActionType.READ, ActionType.ASSERT
A0, A1, A2, A3, A4 = Autonomy
NOW = 500 * HOUR_MS
ANY_INCIDENT = Trigger(cause=Cause.INCIDENT, what="S3")
RULE = Demote(triggers=(ANY_INCIDENT,))


def case(rule: Demote | None = RULE, level: Autonomy = A3) -> UseCase:
    return msgspec.structs.replace(use_case(level), demote=rule)


def nothing() -> Demotion:
    return Demotion(use_case=use_case().id)


def happened(cause: Cause = Cause.INCIDENT, what: str = "S2", **more: Any) -> Happened:
    return Happened(cause=cause, key="k", sentence="it happened", what=what, **more)


@pytest.mark.parametrize(
    ("trigger", "one", "wanted"),
    [
        ({"cause": Cause.INCIDENT, "what": "S2"}, happened(what="S1"), True),
        ({"cause": Cause.INCIDENT, "what": "S2"}, happened(what="S2"), True),
        ({"cause": Cause.INCIDENT, "what": "S2"}, happened(what="S3"), False),
        ({"cause": Cause.INCIDENT, "what": "S2"}, happened(Cause.ROLLBACK), False),
        ({"cause": Cause.DRIFT, "what": "failed"}, happened(Cause.DRIFT, "failed"), True),
        ({"cause": Cause.DRIFT, "what": "failed"}, happened(Cause.DRIFT, "blocked"), False),
        ({"cause": Cause.DRIFT}, happened(Cause.DRIFT, "blocked"), True),
        ({"cause": Cause.ROLLBACK}, happened(Cause.ROLLBACK, ""), True),
        (
            {"cause": Cause.RATE, "what": "override", "above": 0.1, "least": 50},
            happened(Cause.RATE, "override", bad=6, cases=50), True,
        ),
        (
            {"cause": Cause.RATE, "what": "override", "above": 0.1, "least": 50},
            happened(Cause.RATE, "override", bad=5, cases=50), False,  # at the limit is not above it
        ),
        (
            {"cause": Cause.RATE, "what": "override", "above": 0.1, "least": 50},
            happened(Cause.RATE, "override", bad=49, cases=49), False,
        ),
        ({"cause": Cause.FINDINGS, "what": "LEGAL", "least": 3}, happened(Cause.FINDINGS, "LEGAL", bad=3), True),
        ({"cause": Cause.FINDINGS, "what": "LEGAL", "least": 3}, happened(Cause.FINDINGS, "LEGAL", bad=2), False),
        ({"cause": Cause.DRILL, "least": 2}, happened(Cause.DRILL, "", bad=1), False),
        ({"cause": Cause.DRILL, "least": 2}, happened(Cause.DRILL, "", bad=2), True),
    ],
)  # fmt: skip
def test_a_trigger_acts_on_what_it_names_and_on_nothing_milder(trigger: Any, one: Happened, wanted: bool) -> None:
    assert matches(Trigger(**trigger), one) is wanted


def test_every_type_but_assert_falls_by_what_is_declared_and_not_below_the_floor() -> None:
    rule = Demote(
        triggers=(
            msgspec.structs.replace(ANY_INCIDENT, levels=3, types=(MONEY,)),
            msgspec.structs.replace(ANY_INCIDENT, levels=1),
        ),
        floor=A2,
    )
    found = fallen(nothing(), case(rule, A4), happened(), NOW)
    assert found is not None
    levels = {kind: one.level for kind, one in found.after.levels.items()}
    assert levels == {kind: A2 if kind is MONEY else A3 for kind in ActionType if kind is not ASSERT}
    low = msgspec.structs.replace(rule, floor=A4)
    assert fallen(nothing(), case(low, A3), happened(), NOW) is None  # below the floor already: nothing is raised


def test_the_cool_down_ends_at_its_time_and_a_further_trigger_lowers_as_declared_again() -> None:
    first = fallen(nothing(), case(), happened(), NOW)
    assert first is not None
    again = fallen(first.after, case(), happened(), NOW + 24 * HOUR_MS - 1)
    assert again is not None
    assert again.moves == ()
    assert again.after.levels[MONEY].cool_until == NOW + 24 * HOUR_MS  # it is not put off by what comes within it
    later = fallen(again.after, case(), happened(), NOW + 24 * HOUR_MS)
    assert later is not None
    assert later.after.levels[MONEY].level is A1
    bottom = fallen(later.after, case(), happened(), NOW + 48 * HOUR_MS)
    assert bottom is not None
    assert bottom.moves == ()
    assert bottom.after.levels[MONEY].clean_ms == NOW + 48 * HOUR_MS


def test_one_more_level_within_the_cool_down_is_one_whatever_the_trigger_says() -> None:
    rule = Demote(triggers=(msgspec.structs.replace(ANY_INCIDENT, levels=1),), again=Again.ONE_LEVEL, floor=A0)
    first = fallen(nothing(), case(rule, A4), happened(), NOW)
    assert first is not None
    harder = msgspec.structs.replace(rule, triggers=(msgspec.structs.replace(ANY_INCIDENT, levels=4),))
    second = fallen(first.after, case(harder, A4), happened(), NOW + 1)
    assert second is not None
    third = fallen(second.after, case(harder, A4), happened(), NOW + 2)
    assert third is not None
    assert [one.after.levels[MONEY].level for one in (first, second, third)] == [A3, A2, A2]


def test_without_declared_triggers_nothing_falls_by_itself_and_a_person_may_lower_it() -> None:
    assert fallen(nothing(), case(None), happened(), NOW) is None
    after, moves = lowered_by_hand(nothing(), case(None), (MONEY,), 4, NOW)
    assert [(move.type, move.before, move.after) for move in moves] == [(MONEY, A3, A1)]
    assert lowered_by_hand(after, case(None), (MONEY,), 1, NOW)[1] == ()


def test_what_a_promotion_needs_is_told_with_its_figures_met_or_not() -> None:
    rule = Demote(triggers=(), after_minutes=120, least_units=50, below={"complaint": 0.02})
    counts = {"new_conversations": 10, "actions": 60, "conversations": 1_000, "complaint": 5}
    found = bars(case(rule), NOW - 2 * HOUR_MS, Figures(counts=counts), NOW)
    assert [bar.met for bar in found] == [True, True, True]
    assert "60 conversations or actions since, 50 are needed" in found[1].said
    early = bars(case(rule), NOW - 2 * HOUR_MS + 1, Figures(counts={**counts, "complaint": 15}, standing=("x",)), NOW)
    assert [bar.met for bar in early] == [False, True, False, False]


def test_a_promotion_is_one_level_up_and_never_above_what_the_home_says() -> None:
    after, _ = lowered_by_hand(nothing(), case(None), (MONEY, READ), 2, NOW)
    up, moves = promoted(after, case(None), (MONEY,), NOW + 5)
    assert up.levels[MONEY].level is A2
    assert up.levels[READ].level is A1
    assert up.levels[MONEY].clean_ms == NOW + 5
    top, moves = promoted(up, case(None, A2), (MONEY,), NOW + 6)
    assert MONEY not in top.levels
    assert [(move.after, move.lowered) for move in moves] == [(A2, None)]
    gone, moves = promoted(after, None, (MONEY, READ), NOW)
    assert gone.levels == {}


def test_an_upper_bound_is_never_below_the_exact_one_and_holds_in_19_of_20_samples() -> None:
    for cases in (1, 7, 50, 400):
        for bad in {0, 1, cases // 10, cases // 2, cases}:
            if bad <= cases:
                assert upper_bound(bad, cases) >= exact_bound(bad, cases) - 1e-9
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(5, 1_000) < 0.02
    cases, rate = 60, 0.1
    missed = sum(
        math.comb(cases, bad) * rate**bad * (1 - rate) ** (cases - bad)
        for bad in range(cases + 1)
        if upper_bound(bad, cases) < rate
    )
    assert missed <= 0.05


def test_levels_have_ends() -> None:
    assert [lowered(A3, by, A1) for by in (0, 1, 2, 9)] == [A3, A2, A1, A1]
    assert lowered(A0, 1, A2) is A0
    assert (raised(A0), raised(A4)) == (A1, A4)


def test_metrics_are_those_that_the_watch_counts() -> None:
    assert set(RATES) | set(SIZES) == DRIFTING
    assert DRIFTING == METRICS
    of = {*of_interactions([]), "interactions", "conversations", "csat_answered", "resolution_known"}
    assert set(RATES.values()) <= of
    assert of_conversations(list[Asked](), list[Told]()) == []


def incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "id": "in_1", "use_case": UseCaseId("shop"), "title": "t", "severity": Severity.S2, "owner": "o",
        "opened_at": NOW,
    }  # fmt: skip
    return Incident(**{**values, **changes})


def test_incidents_count_while_open_and_those_a_person_opened_for_a_day_though_they_are_contained() -> None:
    shop = case()
    contained = {"state": IncidentState.CONTAINED}
    day = 24 * HOUR_MS
    for one, wanted in (
        (incident(), True),
        (incident(opened_at=NOW - 9 * day), True),
        (incident(use_case=UseCaseId("other")), False),
        (incident(**contained), True),
        (incident(**contained, opened_at=NOW - day), False),
        (incident(**contained, cause="release.x"), False),
    ):
        assert bool(of_incidents(shop, [one], NOW)) is wanted


def test_drift_counts_and_other_alerts_do_not() -> None:
    def alert(**changes: Any) -> alerts.Alert:
        values: dict[str, Any] = {
            "cause": "c", "kind": alerts.AlertKind.DRIFT, "severity": alerts.Severity.WARNING,
            "use_case": UseCaseId("shop"), "metric": "failed", "sentence": "s", "promise": "p", "at_ms": 1,
        }  # fmt: skip
        return alerts.Alert(id="al_1", first=alerts.Raised(**{**values, **changes}))

    assert [one.what for one in of_alerts(case(), [alert()])] == ["failed"]
    assert of_alerts(case(), [alert(kind=alerts.AlertKind.TRIGGER), alert(use_case=UseCaseId("other"))]) == []


def test_drills_count_when_they_were_missed_and_name_nobody() -> None:
    def drill(name: str, caught: bool | None, use_case: str = "shop") -> Drill:
        made = Made(use_case=UseCaseId(use_case), tool="shop.refund", route="leads")
        plan = Plan(run="dr_1", seed="s", route="leads")
        return Drill(
            id=name, due_at=1, plan=plan, state=DrillState.MADE, action=None, made=made, made_at=1, decided_at=2,
            person="pe_ann", caught=caught, open=False,
        )  # fmt: skip

    drills = [drill("d1", False), drill("d2", True), drill("d3", False, "other"), drill("d4", None)]
    (one,) = of_drills(case(), drills)
    assert (one.bad, one.key) == (1, "drill/d1")
    (two,) = of_drills(case(), [*drills, drill("d5", False)])
    assert (two.bad, two.key) == (2, "drill/d5")  # told anew
    assert "ann" not in one.sentence + one.key


def test_rates_and_findings_say_what_was_counted() -> None:
    rate = of_rate("override", Counter({"override": 7, "conversations": 60}), 3)
    assert (rate.bad, rate.cases, rate.key) == (7, 60, "rate/override/3")
    kinds = Counter({"finding.input.LEGAL": 2, "finding.output.LEGAL": 1, "finding.input.CARD": 9})
    assert of_findings("LEGAL", kinds, 20_000).bad == 3
