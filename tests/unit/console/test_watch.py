"""The pages of the watch: what is outside, what is not measured and why, what was left out, who may raise what."""

import csv
import io
import re
from typing import Any

import msgspec
import pytest
from fakes.actions import use_case
from fakes.console import visitor
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_site import cells, learnt_mix, series

from handrail.console.views.watch import Asking, Read, as_csv, chosen, watch
from handrail.console.views.watch_chart import BOTTOM, LEFT, RIGHT, TOP, chart, evidence, share_of_way
from handrail.console.views.watch_levels import Levels, levels
from handrail.console.views.watch_levels import Read as LevelsRead
from handrail.console.views.watch_mix import mixed
from handrail.console.views.watch_rates import MOST_CELLS, by_hour, told_in, window, within
from handrail.console.views.watch_show import Asking as ShowAsking
from handrail.console.views.watch_show import Read as ShowRead
from handrail.console.views.watch_show import WatchShow, watch_show
from handrail.console.views.watch_words import METRICS
from handrail.console.words import Languages, Words
from handrail.governance.demote import ASKED_MS, Asked, Bar, Demotion, Lowered
from handrail.people.role import Role
from handrail.policy.autonomy import Autonomy
from handrail.policy.ruleset import Level, Risk, Ruleset, UseCase
from handrail.policy.watching import Costs, Intent, WatchPlan
from handrail.terms.action import ActionType
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import Alert, AlertKind, Raised, Severity
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.metrics import DEFINITIONS
from handrail.watch.openings import Held
from handrail.watch.series import Series
from handrail.watch.usual import Rate

NOW_MS = 1_790_000_000_000
HOUR = NOW_MS // HOUR_MS
WEEK = sorted((one for one in cells(HOUR).items() if one[0].hour > HOUR - 168), key=lambda one: -one[0].hour)
PASTS = [series(name, HOUR, evidence=12.0) for name in ("transfer", "repeat_contact", "complaint", "blocked")]
BERLIN = Languages().words(chosen="en-GB", accepts="", zone="Europe/Berlin", now_ms=NOW_MS)


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def case(name: str = "orders", **more: Any) -> UseCase:
    return msgspec.structs.replace(use_case(), id=UseCaseId(name), name=name.title(), **more)


def read(found: list[tuple[Cell, Counts]], pasts: list[Series], *cases: UseCase) -> Read:
    known = cases or (case(),)
    ruleset = Ruleset(
        organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases={one.id: one for one in known}
    )
    return Read(ruleset=ruleset, cases=known, all=len(known), cells=found, series=pasts, alerts=())


def shown(
    words: Words, found: list[tuple[Cell, Counts]], pasts: list[Series], one: UseCase | None = None,
    alerts: tuple[Alert, ...] = (), **asked: str,
) -> WatchShow:  # fmt: skip
    asking = ShowAsking(use_case="orders", **asked)
    given = ShowRead(
        case=one or case(), currency="EUR", costs=Costs(), cells=found, series=pasts, opened=Held(), alerts=alerts,
        incidents=(),
    )  # fmt: skip
    return watch_show(given, standing(words), words, window(asking.period, NOW_MS), asking=asking)


@pytest.mark.promise("CWA-1")
def test_a_part_that_went_wrong_stands_out_and_the_whole_does_not(words: Words) -> None:
    asking = Asking(by="channel")
    rows = {row.part: row for row in watch(read(WEEK, PASTS), words, window("7d", NOW_MS), asking=asking).rows}
    at = list(METRICS).index("repeat_contact")
    assert [rows[part].figures[at].out for part in ("", "chat", "mail")] == [False, False, True]
    assert rows["mail"].state == "1 above"
    assert rows["mail"].path == "/watch/orders?channel=mail"
    assert rows[""].figures[0].usual.startswith("usually up to ")


@pytest.mark.promise("CWA-1")
def test_a_past_that_is_not_learnt_makes_nothing_stand_out_and_says_how_far_it_is(words: Words) -> None:
    young = Series(use_case=UseCaseId("orders"), metric="transfer", first_ms=NOW_MS - 1, cases=(3,) * 168)
    view = watch(read(WEEK, [young]), words, window("7d", NOW_MS), asking=Asking())
    (row,) = view.rows
    assert not any(figure.out for figure in row.figures)
    assert row.figures[0].usual == "learns: 504 of 2,000 cases"
    assert row.state == "Learns"
    assert view.said.startswith("Nothing is learnt yet")


def test_what_nobody_reported_is_never_nought_percent(words: Words) -> None:
    view = shown(words, [(Cell("orders", HOUR, "r", "en", "chat"), Counts({"interactions": 9}))], [])
    absent = " ".join(names for side in view.sides for _, names in side.absent)
    assert "Transfers to a human" in absent
    assert "Actions held for a person" in absent
    assert {row.shown.label for side in view.sides for row in side.rows} >= {"Answers stopped", "Without an answer"}
    assert "Handle time of people" in absent
    assert shown(words, [], []).chosen.chart is None


@pytest.mark.promise("CWA-2")
def test_more_cells_than_fit_are_cut_at_a_whole_hour_and_said(words: Words) -> None:
    asked = window("30d", NOW_MS)
    many = [
        (Cell("orders", HOUR - at // 40, str(at), "en", "chat"), Counts({"interactions": 1})) for at in range(20_000)
    ]
    when, kept = within(asked, many)
    assert (when.cut, when.since, len(many)) == (True, HOUR - 498, MOST_CELLS)
    assert min(cell.hour for cell, _ in kept) == when.since
    assert "only what was counted since" in watch(read(many, []), words, asked, asking=Asking()).cut
    assert within(asked, many[:-1])[0] == asked


def test_each_step_of_a_window_is_there_once_and_the_last_ends_now() -> None:
    for period in ("24h", "7d", "30d", "nonsense"):
        when = window(period, NOW_MS)
        hours = [hour for step in when.steps for hour in step]
        assert hours == list(range(when.since, when.until))
        assert when.until == HOUR + 1


def test_the_csv_has_every_figure_of_the_command_and_what_shares_are_held_to() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(WEEK, window("7d", NOW_MS), "channel", Costs(), PASTS).decode())))
    assert {row["figure"] for row in rows} == {one.id for one in DEFINITIONS}
    mail = next(row for row in rows if (row["channel"], row["figure"]) == ("mail", "repeat_contact"))
    assert mail["place"] == "above"
    assert float(mail["share_or_value"]) > float(mail["usual_up_to"]) > 0
    assert all(row["place"] == "" for row in rows if row["figure"] == "latency")


@pytest.mark.promise("CWA-4")
def test_the_chart_is_of_what_is_farthest_out_unless_another_is_chosen(words: Words) -> None:
    assert shown(words, WEEK, PASTS, channel="mail").chosen.label == "Repeat contact"
    assert shown(words, WEEK, PASTS, channel="mail", metric="transfer").chosen.label == "Transfers to a human"
    assert shown(words, WEEK, PASTS, channel="mail", metric="<nothing>").chosen.label == "Repeat contact"
    assert shown(words, WEEK, PASTS).chosen.label == "Transfers to a human"


def test_what_the_home_leaves_out_says_so_and_an_alarm_leads(words: Words) -> None:
    quiet = case(watch=WatchPlan(metrics=("transfer",)))  # type: ignore[arg-type]  # as the home writes it
    drifts = {row.shown.metric: row.drifts.text for side in shown(words, WEEK, PASTS, quiet).sides for row in side.rows}
    assert (drifts["blocked"], drifts["transfer"]) == ("the home leaves it out", "12")
    alarmed = [msgspec.structs.replace(PASTS[0], alarmed=True), *PASTS[1:]]
    view = shown(words, WEEK, alarmed)
    assert (view.tone, view.said[:25]) == ("deny", "The drift detector alarms")


@settings(deadline=None)  # the first call reads the locale's data
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=28, max_size=28), st.floats(0.001, 0.9))
def test_everything_of_a_chart_lies_in_its_picture(pairs: list[tuple[int, int]], top: float) -> None:
    words = BERLIN
    rates = [Rate(min(pair), max(pair)) for pair in pairs]
    drawn = chart("x", rates, [top] * 28, window("7d", NOW_MS), words, customers=True)
    assert all(LEFT <= dot.x <= RIGHT and TOP <= dot.y <= BOTTOM for dot in drawn.dots)
    assert len(drawn.dots) == sum(one.cases > 0 for one in rates)
    assert drawn.ups[0].at == BOTTOM
    assert 2 <= len(drawn.ups) <= 6
    numbers = [float(one) for one in re.findall(r"[\d.]+", " ".join((*drawn.lines, drawn.band)))]
    assert all(0 <= one <= RIGHT for one in numbers)
    assert len(drawn.rows) == 28


def test_evidence_stands_on_its_way_to_the_alarm(words: Words) -> None:
    begun, near, over = (evidence(value, 100_000, words) for value in (0.0, 90_000.0, 3e9))
    assert begun.at < near.at < near.limit == over.at
    assert (begun.over, near.over, over.over) == (False, False, True)
    assert [share_of_way(value, 100_000) for value in (0, 1, 100_000, 1e9)] == [0, 0, 1, 1]


def test_the_intent_that_grew_comes_first_and_only_once_its_past_is_learnt(words: Words) -> None:
    intents = (Intent("delivery", ("a b", "c d")), Intent("refund", ("e f", "g h")))
    hours = by_hour([one for one in WEEK if one[0].hour > HOUR - 72])
    grown = mixed(hours, Held(mix=learnt_mix(HOUR)), case(intents=intents), words)
    assert [(row.name, row.grew) for row in grown.rows] == [
        ("refund", True), ("delivery", False), ("None of these", False),
    ]  # fmt: skip
    assert (grown.rows[0].past, grown.said[:22]) == ("20.0%", "More come with: refund")
    assert not any(row.grew or row.past for row in mixed(hours, Held(), case(intents=intents), words).rows)
    assert sum(row.share for row in grown.rows) == pytest.approx(1)


def test_those_with_alerts_come_first_and_pages_hold_so_many() -> None:
    many = {UseCaseId(f"c{n:02}"): case(f"c{n:02}") for n in range(30)}
    ruleset = Ruleset(organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases=many)
    first, all_ = chosen(ruleset, (), Asking())
    assert ([one.id for one in first[:2]], len(first), all_) == (["c00", "c01"], 25, 30)
    assert [one.id for one in chosen(ruleset, (), Asking(page=2))[0]] == [f"c{n}" for n in range(25, 30)]
    assert [one.id for one in chosen(ruleset, (), Asking(query="C07"))[0]] == ["c07"]


def test_before_anything_is_learnt_no_sentence_says_that_all_is_usual(words: Words) -> None:
    one = Raised(
        cause="c", kind=AlertKind.TRIGGER, severity=Severity.WARNING, use_case=UseCaseId("orders"), metric="COMPLAINT",
        sentence="In orders a customer complains.", promise="", at_ms=1,
    )  # fmt: skip
    told = shown(words, WEEK, [], alerts=(Alert(id="al_1", first=one),))
    assert (told.said, told.small) == ("1 alert is not closed.", "It still learns what is usual here.")
    assert told.waits == (("hold", "In orders a customer complains.", "alerts.show", "/alerts/al_1"),)
    learnt = shown(words, WEEK, PASTS, alerts=(Alert(id="al_1", first=one),))
    assert learnt.small == "No figure is above its usual range."


# ---- levels


LOWERED = Demotion(
    use_case=UseCaseId("orders"), version=3,
    levels={ActionType.MONEY: Lowered(level=Autonomy.A1, since_ms=NOW_MS - 60_000, cool_until=0, clean_ms=0)},
)  # fmt: skip


def standing(
    words: Words, demotion: Demotion | None = None, *, role: Role = Role.OWNER, risk: Risk = Risk.R3, met: bool = True
) -> Levels:
    one = case(levels={ActionType.MONEY: Level(risk=risk, autonomy=Autonomy.A3)})
    bars = (Bar(met=met, said="72 hours"),) if demotion is not None else ()
    given = LevelsRead(
        case=one, demotion=demotion or Demotion(use_case=one.id), bars=bars, moves=(), names={"pe_2": "Ann"}
    )
    return levels(given, visitor(role), words)


def asked(by: str, ago_ms: int = 1_000) -> Demotion:
    return msgspec.structs.replace(LOWERED, asked=Asked(by=by, at_ms=NOW_MS - ago_ms, types=(ActionType.MONEY,)))


@pytest.mark.promise("CWA-3")
def test_who_may_raise_it_sees_the_form_and_who_may_not_sees_who_can(words: Words) -> None:
    assert not standing(words).may
    assert standing(words, LOWERED).may
    assert (standing(words, LOWERED).rows[0].rises, standing(words, LOWERED).seen) == ("Acts with approval", 3)
    for role in set(Role) - {Role.OWNER, Role.COMPLIANCE}:
        view = standing(words, LOWERED, role=role)
        assert (view.may, view.why_not) == (False, "Owners and compliance may raise it.")


@pytest.mark.promise("CWA-3")
def test_from_r2_up_another_person_agrees_to_the_same(words: Words) -> None:
    assert standing(words, LOWERED).two
    assert not standing(words, LOWERED, risk=Risk.R1).two
    mine, other = standing(words, asked("pe_1")), standing(words, asked("pe_2"))
    assert (mine.may, mine.types) == (False, ())
    assert (other.may, other.types, other.agreed[:10]) == (True, ("money",), "Ann agreed")
    old = standing(words, asked("pe_1", ASKED_MS))
    assert (old.may, old.agreed) == (True, "")


@pytest.mark.promise("CWA-3")
def test_against_what_is_not_met_there_is_only_what_is_recorded_as_such(words: Words) -> None:
    assert not standing(words, LOWERED).override
    view = standing(words, LOWERED, met=False)
    assert (view.override, view.bars) == (True, ((False, "72 hours"),))
    assert view.said == "It was lowered, and not all that a raise needs is met."


def test_which_events_came_is_of_the_whole_use_case() -> None:
    found = [(WEEK[0][0], Counts({"told.transfer": 2, "x": 1})), (WEEK[1][0], Counts({"told.transfer": 1}))]
    assert told_in(found) == {"told.transfer": 3}
