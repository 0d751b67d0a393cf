"""What a finding leads to, with the rules of a use case."""

import time

import msgspec
import pytest

from handrail.policy.evaluate import (
    MAX_DECIDED,
    MOST_FOUND,
    Decision,
    DecisionInput,
    Found,
    Rules,
    Side,
    Unreadable,
    decide,
    encode,
    joined,
    replay,
    sentence_for,
)
from handrail.policy.ruleset import (
    Audience,
    FindingAction,
    FindingRule,
    Mode,
    OnFailure,
    Ruleset,
    UseCase,
)
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.errors import Code
from handrail.terms.finding import Kind, Role
from handrail.terms.ids import UseCaseId

SHOP = UseCaseId("shop")
SAID = {"en": "I cannot help with that.", "de": "Dabei kann ich nicht helfen.", "*": "No."}
PERSON = {"*": "A colleague will take over."}


def use_case(**changes: object) -> UseCase:
    findings = {kind: FindingRule(action=FindingAction.MARK) for kind in Kind}
    findings[Kind.CARD] = FindingRule(action=FindingAction.MASK, rule="shop.yaml:9")
    findings[Kind.SECRET] = FindingRule(action=FindingAction.BLOCK, sentences=SAID, rule="shop.yaml:11")
    findings[Kind.VULNERABILITY] = FindingRule(action=FindingAction.HANDOVER, sentences=PERSON)
    given = UseCase(
        id=SHOP,
        name="Shop",
        purpose="Answers questions about orders",
        owner="ada@shop.example",
        deputy="ben@shop.example",
        escalation="desk@shop.example",
        channels=("chat",),
        audience=Audience.CUSTOMER,
        languages=("en", "de"),
        regions=("DE",),
        data_classes=("contact",),
        levels={},
        mode=Mode.ENFORCE,
        findings=findings,
        answer_findings={Kind.LINK: FindingRule(action=FindingAction.MASK)},
        source_findings={Kind.INJECTION: FindingRule(action=FindingAction.BLOCK, sentences=SAID)},
    )
    return msgspec.structs.replace(given, **changes)


def found(
    kind: Kind, *, role: Role = Role.USER, side: Side = Side.INPUT, score: float = 1.0, new: bool = True
) -> Found:
    return Found(kind=kind, side=side, role=role, score=score, new=new)


def decided(*items: Found, language: str = "", case: UseCase | None = None, **more: object) -> Decision:
    given = DecisionInput(use_case=SHOP, language=language, found=items, **more)  # type: ignore[arg-type]  # test helper
    return decide(given, Rules(case or use_case()))


@pytest.mark.promise("POL-2")
def test_nothing_noticed_allows() -> None:
    assert decided() == Decision(verdict=Verdict.ALLOW)


@pytest.mark.promise("POL-2")
def test_a_marked_finding_allows_and_gives_no_reason() -> None:
    decision = decided(found(Kind.COMPLAINT))
    assert (decision.verdict, decision.reasons, decision.actions) == (Verdict.ALLOW, (), (FindingAction.MARK,))


@pytest.mark.promise("POL-2")
def test_a_masked_finding_changes_and_names_its_place_and_its_rule() -> None:
    decision = decided(found(Kind.COMPLAINT), found(Kind.CARD))
    assert decision.verdict is Verdict.CHANGE
    assert decision.outcome is Outcome.ANSWERED
    assert decision.masks == (1,)
    assert decision.reasons == (Reason("finding.CARD", "shop.yaml:9", "input"),)


@pytest.mark.promise("POL-2")
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", SAID["en"]), ("de", SAID["de"]), ("de-CH", SAID["de"]), ("fr", SAID["*"]), ("", SAID["*"])],
)
def test_a_blocked_finding_denies_with_the_sentence_of_the_language(language: str, sentence: str) -> None:
    decision = decided(found(Kind.SECRET), language=language)
    assert (decision.verdict, decision.outcome) == (Verdict.DENY, Outcome.BLOCKED)
    assert decision.sentence == sentence


def test_no_sentence_for_the_language_and_no_fallback_gives_an_empty_one() -> None:
    assert sentence_for({"en": "No."}, "de") == ""


@pytest.mark.promise("POL-2")
def test_a_handover_wins_over_a_block_in_either_order() -> None:
    for items in ((Kind.SECRET, Kind.VULNERABILITY), (Kind.VULNERABILITY, Kind.SECRET)):
        decision = decided(*(found(kind) for kind in items))
        assert (decision.outcome, decision.sentence) == (Outcome.HANDOVER, PERSON["*"])
        assert [reason.code for reason in decision.reasons] == ["finding.VULNERABILITY", "finding.SECRET"]


@pytest.mark.promise("POL-2")
def test_of_two_handovers_the_vulnerable_person_is_spoken_to_in_either_order() -> None:
    other = FindingRule(action=FindingAction.HANDOVER, sentences={"*": "We are sorry to hear that."})
    case = use_case(findings={**use_case().findings, Kind.COMPLAINT: other})
    for items in ((Kind.COMPLAINT, Kind.VULNERABILITY), (Kind.VULNERABILITY, Kind.COMPLAINT)):
        assert decided(*(found(kind) for kind in items), case=case).sentence == PERSON["*"]


def test_a_score_below_the_rule_does_nothing() -> None:
    decision = decided(found(Kind.SECRET, score=0.49))
    assert (decision.verdict, decision.actions) == (Verdict.ALLOW, (None,))
    assert decided(found(Kind.SECRET, score=0.5)).verdict is Verdict.DENY


@pytest.mark.promise("POL-3")
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "rule", [FindingRule(action=FindingAction.MARK), FindingRule(action=FindingAction.MASK, min_score=1.0)]
)
def test_never_rest_kinds_are_masked_whatever_the_home_says(mode: Mode, rule: FindingRule) -> None:
    case = use_case(mode=mode, findings={**use_case().findings, Kind.CVV: rule})
    decision = decided(found(Kind.CVV, score=0.5), case=case)
    assert (decision.verdict, decision.masks) == (Verdict.CHANGE, (0,))


@pytest.mark.promise("POL-3")
def test_a_never_rest_kind_that_blocks_is_masked_too_since_the_text_is_stored() -> None:
    rule = FindingRule(action=FindingAction.BLOCK, sentences=SAID)
    decision = decided(found(Kind.PIN), case=use_case(findings={**use_case().findings, Kind.PIN: rule}))
    assert (decision.outcome, decision.masks) == (Outcome.BLOCKED, (0,))


@pytest.mark.promise("POL-4")
def test_observing_changes_nothing_and_says_what_enforcing_would_have_done() -> None:
    decision = decided(found(Kind.CARD), found(Kind.SECRET), case=use_case(mode=Mode.OBSERVE))
    assert (decision.verdict, decision.outcome, decision.masks) == (Verdict.ALLOW, Outcome.ANSWERED, ())
    assert (decision.would_be, decision.would_be_outcome) == (Verdict.DENY, Outcome.BLOCKED)
    assert decision.actions == (FindingAction.MASK, FindingAction.BLOCK)
    assert decision.sentence == ""


@pytest.mark.promise("POL-4")
def test_observing_lets_a_failure_pass_but_says_that_the_text_was_not_screened() -> None:
    decision = decided(failures=("personal:late",), case=use_case(mode=Mode.OBSERVE))
    assert (decision.verdict, decision.would_be, decision.unscreened) == (Verdict.ALLOW, Verdict.DENY, True)
    assert decision.error is None


@pytest.mark.promise("POL-5")
@pytest.mark.parametrize(
    ("failure", "code"), [("personal:late", Code.GUARD_LATE), ("injection:error", Code.GUARD_UNAVAILABLE)]
)
def test_a_detector_that_did_not_answer_refuses_by_default(failure: str, code: Code) -> None:
    decision = decided(failures=(failure,))
    assert (decision.verdict, decision.outcome, decision.error) == (Verdict.DENY, Outcome.REFUSED, code)


@pytest.mark.promise("POL-5")
def test_a_detector_that_did_not_answer_passes_marked_only_when_the_use_case_says_so() -> None:
    decision = decided(failures=("personal:late",), case=use_case(on_detector_failure=OnFailure.MARK))
    assert (decision.verdict, decision.unscreened) == (Verdict.ALLOW, True)
    assert decision.reasons == (Reason(Code.GUARD_LATE),)


@pytest.mark.promise("POL-5")
def test_a_part_that_nobody_can_read_refuses_by_default_and_passes_marked_when_declared() -> None:
    part = (Unreadable("image_url"),)
    assert decided(unreadable=part).error is Code.PART_UNREADABLE
    passed = decided(unreadable=part, case=use_case(on_unreadable_part=OnFailure.MARK))
    assert (passed.verdict, passed.unscreened, passed.error) == (Verdict.ALLOW, True, None)


def test_a_handover_is_not_lost_when_another_detector_fails() -> None:
    decision = decided(found(Kind.VULNERABILITY), failures=("grounding:error",))
    assert (decision.verdict, decision.outcome) == (Verdict.DENY, Outcome.HANDOVER)
    assert Reason(Code.GUARD_UNAVAILABLE) in decision.reasons


@pytest.mark.promise("POL-6")
def test_what_was_blocked_once_is_masked_when_it_comes_again_with_the_history() -> None:
    decision = decided(found(Kind.SECRET, new=False))
    assert (decision.verdict, decision.masks) == (Verdict.CHANGE, (0,))


@pytest.mark.promise("POL-6")
def test_a_trigger_hands_over_once_and_not_again_with_each_turn() -> None:
    assert decided(found(Kind.VULNERABILITY, new=False)).verdict is Verdict.ALLOW


@pytest.mark.promise("POL-7")
@pytest.mark.parametrize(
    ("role", "outcome"),
    [(Role.USER, Outcome.ANSWERED), (Role.TOOL, Outcome.BLOCKED), (Role.DOCUMENT, Outcome.BLOCKED)],
)
def test_an_injection_is_judged_by_who_wrote_the_text_and_always_taints(role: Role, outcome: Outcome) -> None:
    decision = decided(found(Kind.INJECTION, role=role))
    assert (decision.outcome, decision.untrusted) == (outcome, True)


def test_the_answer_has_rules_of_its_own() -> None:
    assert decided(found(Kind.LINK)).verdict is Verdict.ALLOW
    assert decided(found(Kind.LINK, role=Role.ASSISTANT, side=Side.OUTPUT)).verdict is Verdict.CHANGE


def test_two_sides_join_to_the_heavier_verdict_with_the_reasons_of_both() -> None:
    asked, said = decided(found(Kind.CARD)), decided(found(Kind.COMPLAINT), found(Kind.SECRET), found(Kind.CVV))
    assert (asked.verdict, said.verdict) == (Verdict.CHANGE, Verdict.DENY)
    for first, second in ((asked, said), (said, asked)):
        assert joined(first, second) == (Verdict.DENY, None, first.reasons + second.reasons)
    assert len({*asked.reasons, *said.reasons}) == 3


def test_two_sides_that_were_only_observed_join_to_the_heavier_of_what_would_have_been() -> None:
    watched = Rules(use_case(mode=Mode.OBSERVE))
    nothing, blocked = (
        decide(DecisionInput(use_case=SHOP, found=each), watched) for each in ((), (found(Kind.SECRET),))
    )
    for first, second in ((nothing, blocked), (blocked, nothing)):
        assert joined(first, second)[:2] == (Verdict.ALLOW, Verdict.DENY)


def test_a_decision_is_remembered_as_it_was_made_and_no_longer_than_its_rules() -> None:
    given = DecisionInput(use_case=SHOP, language="de", found=(found(Kind.CARD), found(Kind.SECRET)))
    rules, milder = Rules(use_case()), Rules(use_case(mode=Mode.OBSERVE))
    first = rules.decided(given)
    assert (first.decision, bytes(first.recorded)) == (decide(given, rules), encode(given))
    assert rules.decided(msgspec.structs.replace(given)) is first
    assert milder.decided(given).decision == decide(given, milder) != first.decision
    for other in (
        msgspec.structs.replace(given, language="en"),
        msgspec.structs.replace(given, failures=("grounding:late",)),
        msgspec.structs.replace(given, found=(found(Kind.CARD), found(Kind.SECRET, new=False))),
        msgspec.structs.replace(given, found=(found(Kind.CARD), found(Kind.SECRET, score=0.1))),
    ):
        assert rules.decided(other).decision == decide(other, rules)
        assert bytes(rules.decided(other).recorded) == encode(other)


def test_the_decisions_remembered_are_bounded() -> None:
    rules = Rules(use_case())
    many = DecisionInput(use_case=SHOP, found=tuple([found(Kind.CARD)] * (MOST_FOUND + 1)))
    assert rules.decided(many) == rules.decided(many)
    assert rules.decided(many) is not rules.decided(many)  # a long list of findings does not come again
    named = DecisionInput(use_case=SHOP, unreadable=(Unreadable("whatever-a-client-says"),))
    assert rules.decided(named) == rules.decided(named)
    assert rules.decided(named) is not rules.decided(named)
    seen = [rules.decided(DecisionInput(use_case=SHOP, language=str(each))) for each in range(MAX_DECIDED + 1)]
    assert rules.decided(DecisionInput(use_case=SHOP, language="0")) is not seen[0]
    assert rules.decided(DecisionInput(use_case=SHOP, language=str(MAX_DECIDED))) is seen[-1]


@pytest.mark.promise("POL-1")
def test_recorded_bytes_give_the_same_decision_again() -> None:
    given = DecisionInput(
        use_case=SHOP,
        language="de",
        found=(found(Kind.CARD), found(Kind.SECRET, side=Side.OUTPUT, role=Role.ASSISTANT), found(Kind.CVV, new=False)),
        failures=("grounding:late",),
        unreadable=(Unreadable("input_audio"),),
    )
    ruleset = Ruleset(
        organisation="Shop", time_zone="Europe/Berlin", currency="EUR", providers={}, use_cases={SHOP: use_case()}
    )
    assert replay(encode(given), ruleset) == decide(given, Rules(use_case()))


def test_a_decision_on_nothing_costs_under_five_microseconds_of_cpu() -> None:
    rules, given, n = Rules(use_case()), DecisionInput(use_case=SHOP, language="en"), 20_000
    best = min(_cpu(given, rules, n) for _ in range(3))
    assert best / n < 5e-6


def _cpu(given: DecisionInput, rules: Rules, n: int) -> float:
    start = time.process_time()
    for _ in range(n):
        decide(given, rules)
    return time.process_time() - start
