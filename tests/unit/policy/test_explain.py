"""A decision in words: what happened, why, and by which rule."""

import msgspec
import pytest

from handrail.policy.evaluate import DecisionInput, Found, Rules, Side, Unreadable, decide
from handrail.policy.explain import explain
from handrail.policy.ruleset import Audience, FindingAction, FindingRule, Mode, OnFailure, UseCase
from handrail.terms.finding import Kind, Role
from handrail.terms.ids import UseCaseId

SHOP = UseCaseId("shop")
CASE = UseCase(
    id=SHOP,
    name="Shop",
    purpose="Orders",
    owner="ada",
    deputy="ben",
    escalation="desk",
    channels=("chat",),
    audience=Audience.CUSTOMER,
    languages=("en",),
    regions=("DE",),
    data_classes=(),
    levels={},
    mode=Mode.ENFORCE,
    findings={
        **{kind: FindingRule(action=FindingAction.MARK, rule="built-in") for kind in Kind},
        Kind.CARD: FindingRule(action=FindingAction.MASK, rule="shop.yaml: findings.input.CARD"),
        Kind.SECRET: FindingRule(action=FindingAction.BLOCK, sentences={"*": "No."}, rule="shop.yaml: SECRET"),
    },
)
CARD = Found(kind=Kind.CARD, side=Side.INPUT, role=Role.USER, score=0.9)
SECRET = Found(kind=Kind.SECRET, side=Side.OUTPUT, role=Role.ASSISTANT, score=0.8)


def told(*found: Found, case: UseCase = CASE, **more: object) -> list[str]:
    given = DecisionInput(use_case=SHOP, found=found, **more)  # type: ignore[arg-type]  # test helper
    return explain(given, decide(given, Rules(case)), Rules(case))


def test_nothing_noticed_is_said_in_one_sentence() -> None:
    assert told() == ["The text passed unchanged."]


@pytest.mark.promise("POL-8")
def test_a_finding_names_its_place_what_was_done_and_the_rule() -> None:
    assert told(CARD, SECRET) == [
        "The text did not pass.",
        "The declared sentence was the answer.",
        "CARD in the customer's text (score 0.90): masked (shop.yaml: findings.input.CARD).",
        "SECRET in the answer (score 0.80): blocked (shop.yaml: SECRET).",
    ]


@pytest.mark.promise("POL-8")
def test_observing_says_what_enforcing_would_have_done() -> None:
    case = msgspec.structs.replace(CASE, mode=Mode.OBSERVE)
    assert told(SECRET, case=case) == [
        "The text passed unchanged.",
        "Observed only: enforcing would have stopped it and answered with the declared sentence.",
        "SECRET in the answer (score 0.80): would be blocked (shop.yaml: SECRET).",
    ]


def test_a_low_score_a_marked_one_and_a_never_rest_one_are_told_apart() -> None:
    low = msgspec.structs.replace(CARD, score=0.3)
    marked = Found(kind=Kind.COMPLAINT, side=Side.INPUT, role=Role.USER, score=1.0, new=False)
    cvv = Found(kind=Kind.CVV, side=Side.INPUT, role=Role.TOOL, score=1.0)
    assert told(low, marked, cvv)[1:] == [
        "CARD in the customer's text (score 0.30): below the score of its rule (0.50).",
        "COMPLAINT in the customer's text (score 1.00): recorded only, seen before (built-in).",
        "CVV in a tool result (score 1.00): masked (it may never be stored).",
    ]


def test_what_was_not_screened_and_what_is_untrusted_is_said() -> None:
    lines = told(failures=("pii:late",), unreadable=(Unreadable("image_url"),))
    assert "Not screened: a detector was late; so the request was refused." in lines
    assert "Not screened: a part could not be read by any detector; so the request was refused." in lines
    passing = msgspec.structs.replace(CASE, on_detector_failure=OnFailure.MARK)
    injected = Found(kind=Kind.INJECTION, side=Side.INPUT, role=Role.DOCUMENT, score=1.0)
    lines = told(injected, case=passing, failures=("pii:error",))
    assert "Not screened: a detector failed; it passed marked." in lines
    assert lines[-1].startswith("What the answer rests on holds instructions of an outsider")
