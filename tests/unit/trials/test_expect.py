"""Whether what came is what was expected."""

from dataclasses import replace
from typing import Any

import pytest

from handrail.home.fields_trials import Outcome, Side
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.trials.case import Expect
from handrail.trials.expect import Answer, Call, Judged, judge

HELD = Call(tool="refund", arguments={"amount": 4, "order": "A"}, verdict=Verdict.HOLD)
ANSWER = Answer(
    text=" Your order ＡＢＣ arrives\non Thursday. ", outcome="answered", verdict=Verdict.CHANGE,
    findings=((Kind.CARD, "input"),), calls=(HELD,), ms=120, cost_micro_minor=7,
)  # fmt: skip
JSON = Answer(text='```json\n{"order": "A", "days": 2}\n```', outcome="answered")


def expect(what: str, **more: Any) -> Expect:
    return Expect(what=what, **more)


MET = [
    (expect("exact", texts=("Your order ＡＢＣ arrives\non Thursday.",)), ANSWER),
    (expect("contains", texts=("order abc ARRIVES on thursday", "Thursday")), ANSWER),
    (expect("regex", texts=(r"(?s)order.*Thursday\.",)), ANSWER),
    (expect("schema", schema={"type": "object", "required": ["order"], "properties": {"days": {"maximum": 2}}}), JSON),
    (expect("finds", kind=Kind.CARD), ANSWER),
    (expect("finds", kind=Kind.CARD, side=Side.INPUT), ANSWER),
    (expect("calls", tool="refund"), ANSWER),
    (expect("calls", tool="refund", arguments={"amount": 4}, verdict=Verdict.HOLD), ANSWER),
    (expect("outcome", outcome=Outcome.ANSWERED), ANSWER),
    (expect("verdict", verdict=Verdict.CHANGE), ANSWER),
    (expect("within_ms", at_most=120), ANSWER),
    (expect("cost_at_most", at_most=7), ANSWER),
]
MISSED = [
    (expect("exact", texts=("Your order",)), ANSWER),
    (expect("contains", texts=("order", "Friday")), ANSWER),
    (expect("regex", texts=("^order",)), ANSWER),
    (expect("schema", schema={"type": "object", "properties": {"days": {"maximum": 1}}}), JSON),
    (expect("schema", schema={}), ANSWER),
    (expect("finds", kind=Kind.EMAIL), ANSWER),
    (expect("finds", kind=Kind.CARD, side=Side.OUTPUT), ANSWER),
    (expect("calls", tool="note"), ANSWER),
    (expect("calls", tool="refund", arguments={"amount": 5}), ANSWER),
    (expect("calls", tool="refund", arguments={"other": None}), ANSWER),
    (expect("calls", tool="refund", verdict=Verdict.ALLOW), ANSWER),
    (expect("outcome", outcome=Outcome.BLOCKED), ANSWER),
    (expect("verdict", verdict=Verdict.ALLOW), ANSWER),
    (expect("within_ms", at_most=119), ANSWER),
    (expect("cost_at_most", at_most=6), ANSWER),
]


def contrary(one: Expect) -> Expect:
    return replace(one, negated=not one.negated)


@pytest.mark.parametrize(("wanted", "answer"), MET, ids=lambda one: str(one)[:40])
@pytest.mark.promise("TRI-4")
def test_what_holds_is_no_failure_and_its_contrary_is_one(wanted: Expect, answer: Answer) -> None:
    assert judge(wanted, [answer], 1, {}) is None
    failure = judge(contrary(wanted), [answer], 1, {})
    assert failure is not None
    assert failure.expected.startswith("not ")
    assert failure.got


@pytest.mark.parametrize(("wanted", "answer"), MISSED, ids=lambda one: str(one)[:40])
@pytest.mark.promise("TRI-4")
def test_what_does_not_hold_is_a_failure_and_its_contrary_is_none(wanted: Expect, answer: Answer) -> None:
    assert judge(wanted, [answer], 1, {}) is not None
    assert judge(contrary(wanted), [answer], 1, {}) is None


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.promise("TRI-4")
def test_what_nobody_can_tell_is_never_green(negated: bool) -> None:
    broken = Answer(error="the server cannot be reached")
    assert judge(expect("contains", texts=("a",), negated=negated), [broken], 1, {}) is not None
    assert judge(expect("contains", texts=("a",), negated=negated), [], 1, {}) is not None
    asked = expect("judge", texts=("polite?",), judge="j", negated=negated)
    assert judge(asked, [ANSWER], 1, {}) is not None
    assert judge(asked, [ANSWER], 1, {(1, "j", "polite?"): Judged(None, "it depends")}) is not None
    assert (judge(asked, [ANSWER], 1, {(1, "j", "polite?"): Judged(True)}) is None) is not negated
    assert (judge(asked, [ANSWER], 1, {(1, "j", "polite?"): Judged(False)}) is None) is negated


def test_a_whole_conversation_is_judged_over_all_its_answers() -> None:
    two = [ANSWER, Answer(text="Bye.", outcome="handover", ms=200, cost_micro_minor=5)]
    assert judge(expect("contains", texts=("Thursday", "Bye")), two, 0, {}) is None
    assert judge(expect("outcome", outcome=Outcome.HANDOVER), two, 0, {}) is None
    assert judge(expect("within_ms", at_most=199), two, 0, {}) is not None  # the slowest
    assert judge(expect("cost_at_most", at_most=11), two, 0, {}) is not None  # together


def test_a_refusal_that_is_expected_is_no_failure() -> None:
    refused = Answer(outcome="refused", error="status 403 model.not_allowed")
    assert judge(expect("outcome", outcome=Outcome.REFUSED), [refused], 1, {}) is None


def test_a_finding_that_must_not_be_is_not_shown_by_an_answer_that_never_came() -> None:
    broken = Answer(error="429 budget")
    assert judge(expect("finds", kind=Kind.CARD, negated=True), [broken], 1, {}) is not None
