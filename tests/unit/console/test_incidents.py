"""Views of incidents and alerts: what a filter lets through, what is missing before a move, what a timeline tells, and
who is told next."""

import csv
import io
from typing import Any

import msgspec
import pytest
from fakes.home import home

from handrail.console.views import alerts as alert_view
from handrail.console.views import incidents as list_view
from handrail.console.views.alerts import Around
from handrail.console.views.incident import Read, incident_view, meanwhile, problem_of_test, why_not
from handrail.console.views.incident_timeline import steps_of
from handrail.console.words import Languages, Words
from handrail.home.compile import compile_home
from handrail.ledger.commitment import RecordedFacts
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.ruleset import Ruleset
from handrail.review import incident as moves
from handrail.review.incident import Incident, IncidentState, Scope, Severity
from handrail.review.incidents import Affected, Concerned
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import HandrailError
from handrail.terms.ids import EntryId, PersonId, UseCaseId
from handrail.trials.case import Trial
from handrail.watch import alert as alerts
from handrail.watch.alert import AlertKind, Raised
from handrail.watch.alert import Severity as AlertSeverity

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000
CHAT = UseCaseId("chat")


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="Europe/Berlin", now_ms=NOW_MS)


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return compile_home(home()).ruleset


def incident(number: int = 1, **changes: Any) -> Incident:
    values = {
        "id": f"ic_{number:04}", "use_case": CHAT, "title": f"Number {number}", "severity": Severity.S2,
        "owner": "ada@shop.example", "opened_at": NOW_MS - number * MINUTE_MS,
    }  # fmt: skip
    return Incident(**{**values, **changes})


def listed(words: Words, ruleset: Ruleset, found: list[Incident], **asking: str) -> list_view.IncidentList:
    return list_view.incidents(
        found, words, ruleset, asking=list_view.Asking(**asking), mine="Ada@shop.example", may_open=True
    )


def test_filters_let_through_what_they_name_and_pages_follow_each_other_without_a_gap(
    words: Words, ruleset: Ruleset
) -> None:
    found = [
        incident(at, severity=Severity.S1 if at % 2 else Severity.S3, owner="ada@shop.example" if at % 3 else "x@y.zz",
                 state=IncidentState.CLOSED if at % 5 == 0 else IncidentState.OPEN)
        for at in range(300, 0, -1)
    ]  # fmt: skip
    seen: list[str] = []
    page = listed(words, ruleset, found)
    while True:
        seen += [row.id for row in page.rows]
        if not page.older:
            break
        page = listed(words, ruleset, found, before=page.rows[-1].id)
    assert seen == [one.id for one in found if one.state is IncidentState.OPEN]
    mine = listed(words, ruleset, found, state="all", whose="mine", severity="S1").rows
    assert len(mine) == min(list_view.PAGE, sum(at % 2 == 1 and at % 3 > 0 for at in range(1, 301)))
    assert all(row.owner == "ada@shop.example" and row.severity == "S1" for row in mine)
    assert listed(words, ruleset, [], severity="S1").filtered
    assert not listed(words, ruleset, [], state="closed").filtered


def test_an_incident_that_is_contained_is_not_called_nothing_and_a_long_title_ends_with_a_sentence(
    words: Words, ruleset: Ruleset
) -> None:
    long = "Worse: transfers in 24.7 % of 81, against 6.8 % of 190. It was rolled back. " + "How sure it is. " * 20
    contained = listed(words, ruleset, [incident(state=IncidentState.CONTAINED, title=long)])
    assert contained.said.startswith("1 incident is contained")
    assert contained.rows[0].title.startswith("Worse: ")
    assert contained.rows[0].title.endswith(".")
    assert len(contained.rows[0].title) <= 160
    closed = listed(words, ruleset, [incident(state=IncidentState.CLOSED)], state="all")
    assert closed.said == "Nothing hurts customers as far as anybody knows."


def test_who_has_no_address_owns_nothing(ruleset: Ruleset) -> None:
    assert not list_view.wanted(incident(owner=""), list_view.Asking(whose="mine"), "")


def test_no_cell_of_a_file_begins_a_formula() -> None:
    data = list_view.as_csv([incident(title="=cmd|' /C calc'!A0", owner="@x")])
    (row,) = csv.DictReader(io.StringIO(data.decode()))
    assert (row["title"], row["owner"]) == ("'=cmd|' /C calc'!A0", "'@x")


def test_a_time_of_the_form_is_of_the_organisations_zone_and_comes_back_as_it_was(words: Words) -> None:
    at = list_view.local_ms("2026-07-01T12:00", words)
    assert at is not None
    assert words.iso(at).startswith("2026-07-01T10:00")
    assert list_view.local_text(at, words) == "2026-07-01T12:00"
    assert list_view.local_ms(" ", words) is None


def test_a_form_says_all_that_is_wrong_with_it_at_once(words: Words) -> None:
    given = list_view.Given(title="x" * 301, since="yesterday", until="2026-01-01T00:00")
    assert set(list_view.problems_of(given, words)) == {"use_case", "title", "since"}
    twisted = list_view.Given(use_case="chat", title="x", since="2026-01-02T00:00", until="2026-01-01T00:00")
    assert set(list_view.problems_of(twisted, words)) == {"until"}


@pytest.mark.promise("CIN-1")
def test_what_is_missing_before_a_move_is_said_exactly_when_the_move_refuses(words: Words) -> None:
    steps = {
        "contain": lambda one: moves.contained(one, now=1),
        "review": lambda one: moves.reviewed(one, now=1),
        "close": lambda one: moves.closed(one, test="a::b", now=1),
    }
    note = (moves.Note(at_ms=1, by="p", text="x"),)
    task = (moves.Task(text="x"),)
    for state in IncidentState:
        for notes in ((), note):
            for tasks in ((), task):
                one = incident(state=state, notes=notes, tasks=tasks)
                for name, move in steps.items():
                    try:
                        move(one)
                        refused = False
                    except HandrailError:
                        refused = True
                    assert bool(why_not(one, name, words)) == refused, (state, name, notes, tasks)


def test_a_test_that_cannot_close_it_is_told_why(words: Words) -> None:
    cases = [
        Trial(id="good", case="good", use_case="chat", model="m", incident="ic_0001"),
        Trial(id="draft", case="draft", use_case="chat", model="m", incident="ic_0001", draft=True),
        Trial(id="other", case="other", use_case="chat", model="m"),
        Trial(id="else", case="else", use_case="elsewhere", model="m", incident="ic_0001"),
    ]
    said = {
        name: problem_of_test(cases, incident(), name, words) for name in ("good", "draft", "other", "else", "a::b")
    }
    assert [name for name, why in said.items() if not why] == ["good", "a::b"]
    assert "draft" in said["draft"]
    assert "incident: ic_0001" in said["other"]


def entry(kind: str, minutes_ago: int, by: str = "pe_1", **facts: object) -> RecordedFacts:
    actor = Actor(ActorKind.PERSON if by.startswith("pe_") else ActorKind.SYSTEM, by)
    return RecordedFacts(
        v=1, salt=b"", id=EntryId("e"), kind=kind, at_ms=NOW_MS - minutes_ago * MINUTE_MS, actor=actor,
        about=str(facts.get("incident", facts.get("alert", ""))), use_case=CHAT,
        facts=msgspec.Raw(msgspec.json.encode(facts)),
    )  # fmt: skip


MOVED = [
    entry("incident.moved", 1, state="contained", severity="S1", owner="b", said="what it was"),
    entry("incident.moved", 2, state="contained", severity="S1", owner="b"),
    entry("incident.moved", 3, state="contained", severity="S1", owner="a"),
    entry("incident.moved", 4, state="contained", severity="S2", owner="a"),
    entry("alert.raised", 5, by="watch", alert="al_1", sentence="complaint drifts <b>"),
    entry("incident.opened", 6, state="open", severity="S2", owner="a", said="It broke"),
    entry("made.up", 7, by="watch"),
]


def test_a_change_of_severity_and_owner_at_once_tells_both(words: Words) -> None:
    both = [entry("incident.moved", 1, state="open", severity="S1", owner="b"), MOVED[5]]
    (step, _) = steps_of(both, {}, words)
    assert (step.title, step.said) == ("Severity S2 became S1", "Its owner is now b.")


def test_a_timeline_says_what_changed_and_who_did_it(words: Words) -> None:
    told = [(one.title, one.by, one.said, one.page, one.id) for one in steps_of(MOVED, {"pe_1": "Ann"}, words)]
    assert told == [
        ("Written down", "Ann", "what it was", "", ""),
        ("Its owner is now b", "Ann", "", "", ""),
        ("Severity S2 became S1", "Ann", "", "", ""),
        ("It is now: Contained", "Ann", "", "", ""),
        ("An alert was raised", "handrail", "complaint drifts <b>", "alerts.show", "al_1"),
        ("The incident was opened", "Ann", "It broke", "", ""),
        ("made.up", "handrail", "", "", ""),
    ]


@pytest.mark.promise("CIN-3")
def test_that_somebody_was_faster_is_told_with_who_and_when(words: Words) -> None:
    one = incident(version=4)
    assert meanwhile(4, one, MOVED, {"pe_1": "Ann"}, words) == ""
    assert meanwhile(3, one, MOVED, {"pe_1": "Ann"}, words) == "Ann changed it meanwhile, 1 minute ago."


@pytest.mark.promise("CIN-2")
def test_counts_come_before_the_list_and_what_the_list_leaves_out_is_said(words: Words, ruleset: Ruleset) -> None:
    rows = [
        Affected(conversation=f"c{at}", interactions=2, first_ms=1, latest_ms=2, subject=f"s{at}", person=at % 2 == 0,
                 erased=at == 4, first=f"in_{at}")
        for at in range(100)
    ]  # fmt: skip
    counted = Concerned(
        interactions=2_000, conversations=1_000, customers=500, unknown=499, erased=1, first_ms=1, latest_ms=2
    )
    one = incident(scope=Scope(finding="LEGAL"))
    read = Read(incident=one, ruleset=ruleset, people={}, addresses=())
    concern = incident_view(read, words, may_change=False, may_list=False).concern
    assert (concern.counted, concern.rows) == (None, None)
    read = Read(incident=one, ruleset=ruleset, people={}, addresses=(), concerned=counted, affected=rows)
    concern = incident_view(read, words, may_change=False, may_list=True).concern
    assert concern.left_out == "900 more conversations stand in the CSV."
    assert [row.customer for row in (concern.rows or ())[:5]] == ["s0", "not known", "s2", "not known", "erased"]


def raised(**changes: Any) -> alerts.Alert:
    found = Raised(
        cause="trigger/chat/LEGAL", kind=AlertKind.TRIGGER, severity=AlertSeverity.CRITICAL, use_case=CHAT,
        metric="LEGAL", sentence="In chat a customer speaks of courts.", promise="once a year", at_ms=NOW_MS,
    )  # fmt: skip
    made = alerts.opened("al_1", found, owner="ada@shop.example", silent_until=None, now=NOW_MS)
    return msgspec.structs.replace(made, **changes)


def person(mail: str, disabled_at: int | None = None) -> Person:
    return Person(
        id=PersonId("pe_1"), mail=mail, name="Ann", roles=frozenset({Role.OWNER}), created_at=0, disabled_at=disabled_at
    )


@pytest.mark.promise("CAL-1")
def test_who_is_told_next_is_the_one_whom_the_watch_will_tell(words: Words, ruleset: Ruleset) -> None:
    around = Around(ruleset=ruleset, persons=[])
    assert alert_view.next_of(raised(), words, around) == "Told to ben@shop.example in 30 minutes."
    gone = Around(ruleset=ruleset, persons=[person("ben@shop.example", disabled_at=1)])
    assert alert_view.next_of(raised(), words, gone) == "Told to desk@shop.example in 30 minutes."
    assert "Nobody else" in alert_view.next_of(raised(due_at=None), words, around)
    hidden = raised(silent=True, due_at=NOW_MS + 7_200_000)
    assert alert_view.next_of(hidden, words, around) == "Nobody is told until its silence ends, in 2 hours."
    elsewhere = Around(ruleset=msgspec.structs.replace(ruleset, use_cases={}), persons=[])
    assert "Nobody is named" in alert_view.next_of(raised(), words, elsewhere)


@pytest.mark.promise("CAL-20")
def test_what_waits_is_said_whatever_the_list_is_filtered_by(words: Words, ruleset: Ruleset) -> None:
    """A list of closed alerts knows of none that is unanswered, and must not say that there is none."""
    shut = raised(state=alerts.AlertState.CLOSED, closed_at=1)
    view = alert_view.alerts(
        [shut], [], words, Around(ruleset=ruleset, persons=[]), asking=alert_view.Asking(state="closed"),
        may_answer=True, unanswered=3,
    )  # fmt: skip
    assert view.said == "3 alerts wait for an answer."
    old = incident(9, state=IncidentState.OPEN)
    closed = incident(1, state=IncidentState.CLOSED)
    cut = list_view.incidents(
        [closed], words, ruleset, asking=list_view.Asking(state="closed"), mine="", may_open=True, left=[old]
    )
    assert cut.said.startswith("1 incident may still hurt customers")


def test_what_was_closed_by_itself_was_answered_by_nobody_with_a_number(words: Words, ruleset: Ruleset) -> None:
    one = raised(state=alerts.AlertState.CLOSED, by="watch", closed_at=NOW_MS, note="The release is rolled back.")
    view = alert_view.alert_view(
        one, words, Around(ruleset=ruleset, persons=[]), incident="", may_answer=True, may_open=True
    )
    assert view.answered_by == "handrail"


def test_an_incident_from_an_alert_takes_its_finding_and_its_time(words: Words) -> None:
    given = list_view.from_alert(raised(), words)
    assert (given.finding, given.severity, given.use_case) == ("LEGAL", "S1", "chat")
    begin = list_view.local_ms(given.since, words)
    assert begin is not None
    assert 0 <= NOW_MS - begin < 60_000
