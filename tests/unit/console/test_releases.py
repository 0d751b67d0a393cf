"""The pages of releases and tests as values: the curve, a word for each metric, what is different, who may do what."""

import math
import random
from dataclasses import replace

import msgspec
import pytest
from fakes.console import visitor
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.console.views.releases import as_csv
from handrail.console.views.releases_chart import BOTTOM, LEFT, RIGHT, TOP, evidence_chart, evidence_said
from handrail.console.views.releases_moves import REASONS, WHY, dialogs_of, moves_of, sign_boxes
from handrail.console.views.releases_words import METRICS, VERDICTS
from handrail.console.views.tests import NOT_MET, attack_of, plainly
from handrail.console.words import Languages, Words
from handrail.home.fields_trials import Attack
from handrail.people.role import Role
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.releases.canary import Canary
from handrail.releases.curve import MOST_POINTS, Curve, Drawing, Point, without_units
from handrail.releases.diff import lines
from handrail.releases.judge import Verdict
from handrail.releases.lifecycle import Rollout, State, signed
from handrail.releases.unit import UnitRow
from handrail.terms.ids import Digest, PersonId, UseCaseId
from handrail.trials.case import ONE

NOW_MS = 1_790_000_000_000
RAMP = Ramp(
    stages=(Stage(share=0.3), Stage(share=0.5, least_minutes=30)), sign_offs=("owner", "compliance"),
    metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.05), RampMetric(name=Outcome.CSAT_LOW),
             RampMetric(name=Outcome.LEGAL, margin=None)),
)  # fmt: skip
CANARY = Rollout(
    release=Digest("a" * 64), use_case=UseCaseId("orders"), author="pe_9", created_at=0, state=State.CANARY, ramp=RAMP,
    run=1, stage=0, step=1, stage_at=NOW_MS, control=Digest("b" * 64),
)  # fmt: skip


LANGUAGES = Languages()


@pytest.fixture(scope="module")
def words() -> Words:
    return LANGUAGES.words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def units(many: int, *, bad: float, seed: int) -> list[UnitRow]:
    draw = random.Random(seed)
    found = []
    for at in range(1, many + 1):
        canary = draw.random() < 0.3
        complaint = float(draw.random() < (bad if canary else 0.05))
        metrics = {"complaint": complaint, "legal": 0.0, "csat_low": None if draw.random() < 0.5 else 0.0}
        found.append(
            UnitRow(
                use_case="orders", of=CANARY.release, run=1, unit=f"u{at}", arm="canary" if canary else "control",
                share=0.3, stage=1, ordinal=at, assigned_at=at, conversations=(f"c{at}",), signals={}, folded=at,
                matured_at=at, metrics=metrics,
            )
        )  # fmt: skip
    return found


def judged(rows: list[UnitRow]) -> tuple[list[UnitRow], Canary]:
    """As the judge takes them: one by one, until it has decided."""
    canary = Canary(CANARY)
    for at, row in enumerate(rows, 1):
        canary.restore([row])
        if canary.judge.decided:
            return rows[:at], canary
    return rows, canary


@pytest.mark.promise("CON-REL-9")
@given(
    bad=st.sampled_from([0.02, 0.05, 0.4]), seed=st.integers(0, 50), many=st.integers(1, 900), cut=st.integers(1, 99)
)
@settings(max_examples=25, deadline=None)
def test_a_curve_that_is_folded_in_portions_concludes_as_the_judge_does(
    bad: float, seed: int, many: int, cut: int
) -> None:
    rows, canary = judged(units(many, bad=bad, seed=seed))
    curve = Curve(CANARY)
    for at in range(0, len(rows), cut):
        curve.fold(rows[at : at + cut])
        curve.drawing()
    drawing = curve.drawing()
    assert drawing.told == canary.judge.conclude()
    assert drawing.units == len(rows) == drawing.points[-1].unit
    assert len(drawing.points) <= MOST_POINTS + 1
    assert math.isclose(drawing.points[-1].log_e, canary.judge.log_e(), abs_tol=1e-12)
    assert [one.unit for one in drawing.points] == sorted({one.unit for one in drawing.points})


@pytest.mark.promise("CON-REL-9")
def test_every_metric_has_one_of_five_words_and_only_the_named_are_worse() -> None:
    rows, _ = judged(units(900, bad=0.5, seed=3))
    drawing = curve_of(rows)
    assert drawing.told is not None
    assert set(drawing.words) == set(drawing.told.metrics)
    worse = {name for name, word in drawing.words.items() if word is Verdict.WORSE}
    assert worse == {name for name, one in drawing.told.metrics.items() if one.named} == {"complaint"}
    assert set(VERDICTS) == set(Verdict)
    assert drawing.words["legal"] is not Verdict.SAFE, "what has no margin is never called safe"
    assert all(curve_of(units(20, bad=0.0, seed=1)).words[name] is Verdict.TOO_EARLY for name in drawing.words)
    good = curve_of(units(4_000, bad=0.005, seed=2))
    assert good.words["complaint"] is Verdict.BETTER


def curve_of(rows: list[UnitRow]) -> Drawing:
    curve = Curve(CANARY)
    curve.fold(rows)
    return curve.drawing()


def test_the_words_are_the_same_when_the_units_are_gone() -> None:
    rows, canary = judged(units(900, bad=0.5, seed=3))
    reached = canary.reached(canary.judge.conclude(), 1, "")
    over = msgspec.structs.replace(CANARY, state=State.ROLLED_BACK, reached=reached)
    gone, drawing = without_units(over), curve_of(rows)
    assert (gone.words, gone.told) == (drawing.words, drawing.told)
    assert not gone.points
    assert not gone.kept


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=60), st.sampled_from([0.05, 0.01, 0.001]))
@settings(deadline=None)
def test_the_picture_stays_in_its_frame_and_its_line_is_where_it_goes_back(logs: list[float], alpha: float) -> None:
    words = LANGUAGES.words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)
    points = tuple(Point(at, log) for at, log in enumerate(logs, 1))
    drawing = Drawing(units=len(logs), points=points, steps=(), harmed=(), told=None, words={})
    chart = evidence_chart(drawing, alpha, words, name="r", decided=False, unit="customers")
    places = [tuple(map(float, part.split())) for part in chart.path.removeprefix("M").split(" L")]
    assert len(places) == len(logs)
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in places)
    assert TOP < chart.limit < BOTTOM
    for (_, y), log in zip(places, logs, strict=True):
        if abs(log - math.log(1 / alpha)) > 0.2:
            assert (y < chart.limit) == (log > math.log(1 / alpha))
    assert chart.rows[-1][0] == words.number(len(logs))
    assert len(chart.rows) <= 12


def test_evidence_is_said_as_a_number_that_can_be_compared(words: Words) -> None:
    assert evidence_said(math.log(125.4), words) == "125"
    assert evidence_said(math.log(1.26), words) == "1.3"
    assert evidence_said(-100, words) == "less than 0.001"
    assert evidence_said(5_000, words) == "more than 10,000,000"


def moves(words: Words, rollout: Rollout, *roles: Role, barred: str = "", author: str = "pe_9") -> dict[str, str]:
    """What is offered: name to why it may not be made."""
    found = moves_of(rollout, RAMP, visitor(*roles), author, barred, None, words)
    return {one.name: one.why_not for one in found}


@pytest.mark.promise("CON-REL-2")
def test_only_what_is_legal_now_is_offered_and_the_rest_says_who_or_what_it_waits_for(words: Words) -> None:
    owner = moves(words, CANARY, Role.OWNER)
    assert [name for name, why in owner.items() if not why] == ["advance", "promote", "freeze", "rollback"]
    assert all(not moves(words, CANARY, role)["rollback"] for role in Role if role is not Role.AUDITOR)
    assert all(why for why in moves(words, CANARY, Role.AUDITOR).values())
    own = moves(words, CANARY, Role.OWNER, author="pe_1")
    assert own["promote"].startswith("You wrote this release")
    assert not own["rollback"], "its author may take it back"
    barred = moves(words, CANARY, Role.OWNER, barred="an incident is open")
    assert barred["promote"] == barred["advance"] == "an incident is open"
    assert not barred["freeze"]
    frozen = moves(words, msgspec.structs.replace(CANARY, frozen="why"), Role.OWNER)
    assert "advance" not in frozen
    assert "thaw" in frozen
    assert "least time" in moves(
        words, msgspec.structs.replace(CANARY, ramp=replaced_least(60)), Role.OWNER
    )["advance"]  # fmt: skip
    draft = msgspec.structs.replace(CANARY, state=State.DRAFT, ramp=None)
    assert set(moves(words, draft, Role.OWNER)) == {"retire"}
    lacking = msgspec.structs.replace(draft, state=State.TESTED)
    assert "start" not in moves(words, lacking, Role.OWNER), "it lacks sign-offs"


def replaced_least(minutes: float) -> Ramp:
    stages = (msgspec.structs.replace(RAMP.stages[0], least_minutes=minutes), *RAMP.stages[1:])
    return msgspec.structs.replace(RAMP, stages=stages)


@pytest.mark.promise("CON-REL-2")
def test_nobody_signs_twice_nor_what_she_wrote(words: Words) -> None:
    tested = msgspec.structs.replace(CANARY, state=State.TESTED, ramp=None)
    both = visitor(Role.OWNER, Role.COMPLIANCE)
    assert [box.mine for box in sign_boxes(tested, RAMP, both, "pe_9", {}, words)] == [True, True]
    assert [box.mine for box in sign_boxes(tested, RAMP, both, "pe_1", {}, words)] == [False, False]
    assert [box.mine for box in sign_boxes(tested, RAMP, replace(both, person=PersonId("pe_9")), "x", {}, words)] == [
        False,
        False,
    ]
    once = signed(tested, PersonId("pe_1"), "owner", needs=RAMP.sign_offs, now=1)
    assert [box.mine for box in sign_boxes(once, RAMP, both, "pe_9", {}, words)] == [False, False]
    assert [one[0] for one in dialogs_of(visitor(Role.STAFF), words)] == ["rollback"]


@given(st.text(alphabet="ab \n", max_size=80), st.text(alphabet="ab \n", max_size=80))
def test_what_is_different_gives_both_prompts_again(before: str, after: str) -> None:
    found = lines(before, after)
    for kinds, text in ((("same", "removed"), before), (("same", "added"), after)):
        shown = [one for one in found if one.kind in kinds]
        kept = text.splitlines()
        hidden = sum(one.many for one in found if one.kind == "gap")
        if before == after:
            assert found == ()
        else:
            assert len(shown) + hidden == len(kept)
            assert all("".join(part.text for part in one.parts) in kept for one in shown)


def test_every_word_that_can_be_shown_has_one(words: Words) -> None:
    assert set(METRICS) == {one.value for one in Outcome}
    assert set(REASONS) == set(WHY)
    assert set(ONE) <= set(NOT_MET)
    for what in ONE:
        assert plainly(what, words) != plainly(f"not {what}", words)
    assert plainly("something new", words) == "Not met: something new"
    assert {attack_of(f"attack-{one.value}-1-2") for one in Attack} == set(Attack)
    assert attack_of("greets") is None


def test_a_table_begins_no_formula() -> None:
    rows = as_csv([CANARY], {"pe_9": "=HYPERLINK(1)"}).decode().splitlines()
    assert "'=HYPERLINK(1)" in rows[1]


def test_evidence_beyond_every_scale_is_drawn_on_the_edge(words: Words) -> None:
    points = tuple(Point(at, 50.0 * at) for at in range(1, 90))
    drawing = Drawing(units=89, points=points, steps=(), harmed=(), told=None, words={})
    chart = evidence_chart(drawing, 0.01, words, name="ab", decided=True, unit="customers")
    assert chart.last == (RIGHT, TOP)
    assert len(chart.ups) < 12
    assert chart.last_said == "more than 10,000,000"
