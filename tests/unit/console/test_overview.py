"""The overview's parts: lines beside their usual range, figures of a use case, and what happened today."""

from collections import Counter
from dataclasses import dataclass, replace

import msgspec
import pytest
from fakes.actions import use_case
from hypothesis import given
from hypothesis import strategies as st
from unit.approvals.test_eligible import row

from handrail.approvals.lifecycle import State
from handrail.approvals.stop import Stop, StopScope
from handrail.console.views.charts import HEIGHT, WIDTH, spark
from handrail.console.views.happened import happened, shortened
from handrail.console.views.measured import METRICS, figures_of
from handrail.console.views.overview import MOST_OPEN, ROWS, Read, looked_at, overview
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.policy.ruleset import Ruleset, UseCase
from handrail.review.incident import Incident, Severity
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, EntryId, PersonId, UseCaseId
from handrail.watch.drift import HOURS
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.series import Series

NOW_MS = 1_790_000_000_000
HOUR = NOW_MS // HOUR_MS


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_a_line_stays_in_its_picture_and_marks_exactly_what_lies_outside(
    values: list[float], one: float, other: float
) -> None:
    usual = (min(one, other), max(one, other))
    drawn = spark(values, usual, "label")
    assert drawn is not None
    places = [tuple(map(float, part.split())) for part in drawn.path.removeprefix("M").split(" L")]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    outside = sum(not usual[0] <= value <= usual[1] for value in values)
    assert sum(out for _, _, out in drawn.points) == outside
    assert len(drawn.points) == outside + (usual[0] <= values[-1] <= usual[1])


def test_what_is_too_long_ends_with_a_whole_sentence_where_one_fits() -> None:
    told = "Worse: transfers in 24.7 % of 81, against 6.8 % of 190. It was rolled back. " + "More. " * 40
    assert shortened(told, 80) == "Worse: transfers in 24.7 % of 81, against 6.8 % of 190. It was rolled back."
    assert shortened("short") == "short"
    assert shortened("x" * 200, 10) == "xxxxxxxxx…"


def test_one_value_is_no_line() -> None:
    assert spark([0.5], None, "label") is None


def cell(hours_ago: int) -> Cell:
    return Cell("orders", HOUR - hours_ago, "r", "en", "chat")


def learnt(bound: float, metric: str = "blocked") -> Series:
    return Series(use_case=UseCaseId("orders"), metric=metric, learnt_ms=1, bounds=(bound,) * HOURS)


def blocked(words: Words, bad: int, cases: int, series: list[Series], hours_ago: int = 1) -> object:
    measured = [(cell(hours_ago), Counts(Counter({"interactions": cases, "blocked": bad})))]
    return figures_of(measured, series, "orders", words)[list(METRICS).index("blocked")]


def test_a_figure_stands_out_only_beside_a_range_that_was_learnt(words: Words) -> None:
    assert blocked(words, 30, 100, []).out is False  # type: ignore[attr-defined]  # a Figure
    assert blocked(words, 30, 100, [learnt(0.2)]).out is True  # type: ignore[attr-defined]
    assert blocked(words, 20, 100, [learnt(0.2)]).out is False  # type: ignore[attr-defined]
    assert blocked(words, 30, 100, [learnt(0.2, "failed")]).out is False  # type: ignore[attr-defined]


def test_a_figure_says_of_how_many_and_when_it_is_older_than_a_day(words: Words) -> None:
    today, earlier = blocked(words, 1, 4, []), blocked(words, 1, 4, [], hours_ago=100)
    assert (today.text, today.said) == ("25.0%", "1 of 4")  # type: ignore[attr-defined]
    assert (earlier.text, earlier.said) == ("25.0%", "1 of 4 · 7 days")  # type: ignore[attr-defined]


def test_nothing_measured_is_never_nought_percent(words: Words) -> None:
    for figure in figures_of([], [], "orders", words):
        assert figure.text == "Not measured"
        assert figure.missing


def test_what_customers_feel_says_when_it_will_be_known(words: Words) -> None:
    def why(hours_ago: int, **counts: int) -> str:
        measured = [(cell(hours_ago), Counts(Counter(counts)))]
        return figures_of(measured, [], "orders", words)[list(METRICS).index("transfer")].missing

    assert why(1, interactions=5) == "not before 48 h after the conversation"
    assert why(60, conversations=5) == "nobody reported it, or not 48 hours ago"
    assert why(60, conversations=5, **{"told.transfer": 1, "transfer": 1}) == ""
    german = Languages().words(chosen="de", accepts="", zone="UTC", now_ms=NOW_MS)
    figure = figures_of([], [], "orders", german)[list(METRICS).index("transfer")]
    assert figure.missing == "erst 48 h nach dem Gespräch"


def entry(kind: EntryKind, minutes_ago: int, **facts: object) -> RecordedFacts:
    return RecordedFacts(
        v=1, salt=b"", id=EntryId("e"), kind=kind.value, at_ms=NOW_MS - minutes_ago * 60_000,
        actor=Actor(ActorKind.SYSTEM, "s"), use_case=UseCaseId("orders"), facts=msgspec.Raw(msgspec.json.encode(facts)),
    )  # fmt: skip


def test_an_incident_whose_scope_is_no_text_is_told_and_a_stop_says_of_what(words: Words) -> None:
    rows = [
        entry(EntryKind("incident.opened"), 1, incident="ic_1", title="Worse.", scope={"release": "ab"}, value=3),
        entry(EntryKind.STOP_SET, 2, scope="use-case", value="orders", reason="doubled"),
    ]
    told, _ = happened(rows, {"orders": "Orders"}, words, most=9, limit=200, tools={})
    assert [(one.page, one.said) for one in told] == [("incidents.show", "Worse."), ("stop", "Orders: doubled")]


def test_what_happened_is_told_in_sentences_and_equal_ones_of_an_hour_once(words: Words) -> None:
    held = {"tool": "refund", "verdict": "hold", "amount_minor": 61_240, "currency": "EUR", "action": "ac_1"}
    rows = [entry(EntryKind.ACTION_DECIDED, at, **held) for at in range(3)]
    rows += [
        entry(EntryKind.ACTION_DECIDED, 5, tool="refund", verdict="allow"),
        entry(EntryKind.RELEASE_ROLLED_BACK, 6),
    ]
    told, cut = happened(rows, {"orders": "Orders"}, words, most=10, limit=200, tools={"refund": "Pay money back"})
    assert [one.title for one in told] == [
        "Pay money back of Orders was held for a person", "A release of Orders was rolled back",
    ]  # fmt: skip
    assert told[0].said == "3 times within the hour; this is the latest. €612.40."
    assert (told[0].page, told[0].id) == ("approvals.show", "ac_1")
    assert not cut


@pytest.mark.promise("CRV-13")
def test_what_is_cut_is_said_and_what_is_counted_is_counted_to_the_end_or_at_least(words: Words) -> None:
    hour = 60
    others = [entry(EntryKind.ACTION_DECIDED, hour * at, tool=f"t{at}", verdict="hold") for at in range(2, 14)]
    first = entry(EntryKind.ACTION_DECIDED, 0, tool="a", verdict="hold")
    late = [entry(EntryKind.ACTION_DECIDED, 1, tool="a", verdict="hold") for _ in range(3)]
    told, cut = happened([first, *others, *late], {}, words, most=5, limit=200, tools={})
    assert (len(told), cut) == (5, True)
    assert told[0].said == "4 times within the hour; this is the latest."  # also those behind the last that is told
    told, cut = happened([first, *late], {}, words, most=5, limit=4, tools={})
    assert (told[0].said, cut) == ("4 times or more within the hour; this is the latest.", True)


def test_a_name_that_looks_like_a_placeholder_is_only_a_name(words: Words) -> None:
    told, _ = happened(
        [entry(EntryKind.RELEASE_ROLLED_BACK, 1)], {"orders": "{tool} <b>"}, words, most=10, limit=200, tools={}
    )
    assert told[0].title == "A release of {tool} <b> was rolled back"


@pytest.mark.promise("CON-13")
@pytest.mark.parametrize(
    ("who", "shown"),
    [("OLGA@shop.example", ["a", "b"]), ("dan@shop.example", ["b"]), ("nobody@shop.example", []), ("", [])],
)
def test_my_use_cases_are_those_i_own_or_stand_in_for(words: Words, who: str, shown: list[str]) -> None:
    def one(name: str, owner: str, deputy: str) -> UseCase:
        return msgspec.structs.replace(use_case(), id=UseCaseId(name), owner=f"{owner}@shop.example", deputy=deputy)

    cases = [one("a", "olga", ""), one("b", "Olga", "Dan@shop.example"), one("c", "eve", "fred@shop.example")]
    rules = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={case.id: case for case in cases}
    )
    snapshot = Snapshot(epoch=1, ruleset_digest=Digest("0" * 64), ruleset=rules, live={}, keys={})
    read = Read(
        snapshot=snapshot, states={}, oldest=[], incidents=[], alerts=[], rollouts=[],
        measured=[], series=[], entries=[],
    )  # fmt: skip
    made = overview(read, words, name="Olga", view="mine", mine=who)
    assert [row.id for row in made.rows] == shown
    offered = [label for label, path, _ in overview(read, words, name="Olga", view="all", mine=who).chips]
    assert any(label.startswith("Mine") for label in offered) is bool(shown)


def test_of_many_use_cases_what_needs_somebody_stands_first_and_the_rest_is_counted(words: Words) -> None:
    many = ROWS + 10
    cases = [msgspec.structs.replace(use_case(), id=UseCaseId(f"case-{at}")) for at in range(many)]
    rules = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={case.id: case for case in cases}
    )
    hurt = Incident(
        id="I-1", use_case=cases[-1].id, title="Wrong refunds", severity=Severity.S1, owner="olga", opened_at=NOW_MS
    )
    read = Read(
        snapshot=Snapshot(epoch=1, ruleset_digest=Digest("0" * 64), ruleset=rules, live={}, keys={}), states={},
        oldest=[], incidents=[hurt], alerts=[], rollouts=[], measured=[], series=[], entries=[],
        day=Counts(interactions=2 * many),
    )  # fmt: skip
    looked = looked_at(read, words, view="all", mine="")
    assert [one.id for one in looked] == [cases[-1].id, *(one.id for one in cases[: ROWS - 1])]
    made = overview(read, words, name="Olga", view="all", mine="")
    assert [row.id for row in made.rows] == [one.id for one in looked]
    assert made.left == "10 more stand in the list of use cases"
    assert f"{many} AI use cases handled {2 * many} interactions" in made.said
    assert "1 needs attention." in made.said
    attention = overview(read, words, name="Olga", view="attention", mine="")
    assert ([row.id for row in attention.rows], attention.left) == ([cases[-1].id], "")


@pytest.mark.promise("CRV-13")
def test_a_number_that_was_cut_is_not_told_as_a_whole_one(words: Words) -> None:
    one = msgspec.structs.replace(use_case(), id=UseCaseId("orders"))
    rules = Ruleset(organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={one.id: one})
    hurt = Incident(id="I-1", use_case=one.id, title="Wrong", severity=Severity.S1, owner="olga", opened_at=NOW_MS)
    line = row(use_case="orders", decide_by=NOW_MS + 60_000, created_at=NOW_MS - 60_000)
    read = Read(
        snapshot=Snapshot(epoch=1, ruleset_digest=Digest("0" * 64), ruleset=rules, live={}, keys={}),
        states={State.HELD: 300}, oldest=[line] * 200, incidents=[hurt] * (MOST_OPEN + 1), alerts=[], rollouts=[],
        measured=[], series=[], entries=[],
    )  # fmt: skip
    made = overview(read, words, name="Olga", view="all", mine="")
    approvals, incidents = made.tiles[:2]
    assert (approvals.number, incidents.number) == ("300", "100+")
    assert "expires" not in approvals.said  # another of the 300 may expire before
    assert made.rows[0].waits == "at least 200 approvals wait"
    whole = overview(replace(read, states={State.HELD: 200}), words, name="Olga", view="all", mine="")
    assert "The next one expires in 1 minute." in whole.tiles[0].said
    assert whole.rows[0].waits == "200 approvals wait"


@dataclass(frozen=True)
class Live:
    digest: Digest


def test_a_use_case_whose_live_release_is_stopped_is_not_called_in_control(words: Words) -> None:
    one = msgspec.structs.replace(use_case(), id=UseCaseId("orders"))
    rules = Ruleset(organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={one.id: one})

    def state(*stops: Stop) -> str:
        live = {one.id: Live(digest=Digest("a" * 64))}
        snapshot = Snapshot(
            epoch=1, ruleset_digest=Digest("0" * 64), ruleset=rules, live=live, keys={}, stops=stops  # type: ignore[arg-type]  # its digest is what is read
        )  # fmt: skip
        read = Read(
            snapshot=snapshot, states={}, oldest=[], incidents=[], alerts=[], rollouts=[], measured=[], series=[],
            entries=[],
        )  # fmt: skip
        return overview(read, words, name="Olga", view="all", mine="").rows[0].state

    def stop(scope: StopScope, value: str = "") -> Stop:
        return Stop(id="st_1", scope=scope, value=value, reason="x", by=PersonId("pe_1"), at_ms=NOW_MS)

    assert state(stop(StopScope.RELEASE, "a" * 64)) == "Stopped"
    assert state(stop(StopScope.USE_CASE, "orders")) == "Stopped"
    assert state(stop(StopScope.ALL)) == "Stopped"
    assert state(stop(StopScope.RELEASE, "b" * 64)) == "In control"
    assert state(stop(StopScope.AGENT, "orders")) == "In control"  # an agent of this name, not the use case
