"""Decisions in general: order does not matter, nothing is lost in the record, nothing never-rest gets through."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.policy.evaluate import DecisionInput, Found, Rules, Side, Unreadable, decide, encode, replay
from handrail.policy.ruleset import (
    Audience,
    FindingAction,
    FindingRule,
    Mode,
    OnFailure,
    Ruleset,
    UseCase,
)
from handrail.terms.decision import SEVERITY, Outcome, Verdict
from handrail.terms.finding import NEVER_REST, Kind, Role
from handrail.terms.ids import UseCaseId

SHOP = UseCaseId("shop")
RULE = st.builds(
    FindingRule,
    action=st.sampled_from(FindingAction),
    min_score=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    sentences=st.just({"*": "No."}),
)
MAP = st.fixed_dictionaries(dict.fromkeys(Kind, RULE))
USE_CASE = st.builds(
    UseCase,
    id=st.just(SHOP),
    name=st.just("Shop"),
    purpose=st.just("Orders"),
    owner=st.just("ada"),
    deputy=st.just("ben"),
    escalation=st.just("desk"),
    channels=st.just(("chat",)),
    audience=st.sampled_from(Audience),
    languages=st.just(("en",)),
    regions=st.just(("DE",)),
    data_classes=st.just(()),
    levels=st.just({}),
    mode=st.sampled_from(Mode),
    findings=MAP,
    answer_findings=st.dictionaries(st.sampled_from(Kind), RULE, max_size=3),
    source_findings=st.dictionaries(st.sampled_from(Kind), RULE, max_size=3),
    on_detector_failure=st.sampled_from(OnFailure),
    on_unreadable_part=st.sampled_from(OnFailure),
)
FOUND = st.builds(
    Found,
    kind=st.sampled_from(Kind),
    side=st.sampled_from(Side),
    role=st.sampled_from(Role),
    score=st.sampled_from([0.0, 0.49, 0.5, 0.9, 1.0]),
    new=st.booleans(),
    message=st.integers(0, 9),
)
INPUT = st.builds(
    DecisionInput,
    use_case=st.just(SHOP),
    language=st.sampled_from(["", "en", "de-AT"]),
    found=st.lists(FOUND, max_size=6).map(tuple),
    failures=st.lists(st.sampled_from(["personal:late", "injection:error"]), max_size=2).map(tuple),
    unreadable=st.lists(st.builds(Unreadable, part=st.just("image_url"), side=st.sampled_from(Side)), max_size=2).map(
        tuple
    ),
)


def ruleset(case: UseCase) -> Ruleset:
    return Ruleset(organisation="S", time_zone="UTC", currency="EUR", providers={}, use_cases={SHOP: case})


@pytest.mark.promise("POL-1")
@given(INPUT, USE_CASE)
def test_a_decision_replays_from_the_record_and_from_a_stored_ruleset(given_: DecisionInput, case: UseCase) -> None:
    stored = msgspec.json.decode(msgspec.json.encode(ruleset(case)), type=Ruleset)
    assert replay(encode(given_), stored) == decide(given_, Rules(case))


@given(INPUT, USE_CASE, st.randoms(use_true_random=False))
def test_the_order_of_the_findings_changes_nothing_but_their_positions(
    given_: DecisionInput, case: UseCase, dice: object
) -> None:
    shuffled = list(given_.found)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random
    one = decide(given_, Rules(case))
    two = decide(msgspec.structs.replace(given_, found=tuple(shuffled)), Rules(case))
    assert (one.verdict, one.outcome, one.sentence, one.reasons, one.would_be, one.untrusted) == (
        two.verdict, two.outcome, two.sentence, two.reasons, two.would_be, two.untrusted,
    )  # fmt: skip


@pytest.mark.promise("POL-3")
@given(INPUT, USE_CASE)
def test_no_never_rest_finding_of_full_score_is_left_unmasked(given_: DecisionInput, case: UseCase) -> None:
    decision = decide(given_, Rules(case))
    for place, item in enumerate(given_.found):
        if item.kind in NEVER_REST and item.score >= 0.5:
            assert place in decision.masks


@pytest.mark.promise("POL-4")
@given(INPUT, USE_CASE)
def test_observing_never_denies_and_enforcing_does_what_observing_said(given_: DecisionInput, case: UseCase) -> None:
    seen = decide(given_, Rules(msgspec.structs.replace(case, mode=Mode.OBSERVE)))
    done = decide(given_, Rules(msgspec.structs.replace(case, mode=Mode.ENFORCE)))
    assert seen.verdict in (Verdict.ALLOW, Verdict.CHANGE)
    assert seen.outcome is Outcome.ANSWERED
    assert (seen.would_be, seen.would_be_outcome) == (done.verdict, done.outcome)
    assert SEVERITY[seen.verdict] <= SEVERITY[done.verdict]


@pytest.mark.promise("POL-5")
@given(INPUT.filter(lambda g: g.failures or g.unreadable), USE_CASE)
def test_nothing_unscreened_passes_unless_the_use_case_says_so(given_: DecisionInput, case: UseCase) -> None:
    strict = msgspec.structs.replace(
        case, mode=Mode.ENFORCE, on_detector_failure=OnFailure.REFUSE, on_unreadable_part=OnFailure.REFUSE
    )
    assert decide(given_, Rules(strict)).verdict is Verdict.DENY
