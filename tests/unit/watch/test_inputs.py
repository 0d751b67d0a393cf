"""Openings beside those of the past: each bet is fair where the two could be swapped, a new topic is seen and named."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, InteractionId, UseCaseId
from handrail.watch.inputs import (
    FEATURES,
    LEAST_MS,
    SLOTS,
    Input,
    Round,
    _paired,
    after,
    answered,
    begun,
    features,
    in_words,
    payoff,
)

DAY = 86_400_000


def opening(draw: random.Random, new: float = 0.0) -> tuple[str, ...]:
    topics = {min(63, int(64 ** draw.random())) for _ in range(5)} | ({60} if draw.random() < new else set())
    size, questions = draw.choice((5, 6, 6, 7, 8)), draw.choice((0, 0, 1, 2))
    return tuple(sorted({f"size:{size}", f"questions:{questions}", *(f"topic:{one}" for one in topics)}))


def learnt(draw: random.Random, cases: int = 2_600) -> Input:
    one = begun(UseCaseId("orders"), "UTC")
    for at in range(cases):
        one, _ = after(one, at * (LEAST_MS + DAY) // cases, opening(draw), "")
    assert one.past.learnt_ms is not None
    return one


@pytest.mark.promise("WAT-26")
@given(st.floats(-800, 800))
def test_a_pair_that_could_be_swapped_pays_one_on_average(score: float) -> None:
    for one, other in zip(payoff(score), payoff(-score), strict=True):
        assert math.isclose((one + other) / 2, 1.0, rel_tol=1e-12)
        assert min(one, other) >= 0


@pytest.mark.promise("WAT-26")
def test_the_bet_is_made_before_the_label_is_known() -> None:
    """A classifier that had learnt from this very pair would win at once."""
    turn = _paired(Round(), ("topic:1",), ("topic:2",), 0)
    assert turn.amounts == (1.0, 1.0, 1.0)
    assert turn.weights["topic:1"] > 0 > turn.weights["topic:2"]


@pytest.mark.promise("WAT-26")
def test_a_new_topic_is_seen_and_named() -> None:
    draw = random.Random(5)
    one = learnt(draw)
    for at in range(3_000):
        one, alarm = after(one, 9 * DAY + at * 3 * 60_000, opening(draw, 0.3), "in_9")
        if alarm is not None:
            break
    assert alarm is not None
    assert "words of topic bucket 60 in " in alarm.sentence
    assert one.watched < 600
    assert answered(one).round == Round()


@pytest.mark.promise("WAT-26")
def test_openings_that_stay_alarm_no_more_often_than_promised() -> None:
    """At a promise of 300, over rounds and pasts of their own."""
    alarms = cases = 0
    for seed in range(6):
        draw = random.Random(seed)
        one = msgspec.structs.replace(learnt(draw), wanted=300)
        for at in range(2_000):
            one, alarm = after(one, 9 * DAY + at * 5 * 60_000, opening(draw), "")
            cases += 1
            if alarm is not None:
                alarms += 1
                one = answered(one)
    assert alarms <= cases / 300


@pytest.mark.promise("WAT-26")
def test_no_opening_of_the_past_is_used_twice_in_a_round() -> None:
    draw = random.Random(1)
    one = msgspec.structs.replace(learnt(draw), round=Round())
    start = 11 * DAY  # a Monday
    pool = len(one.past.slots[0])
    for at in range(pool + 5):
        one, _ = after(one, start + at, opening(draw), "")
    assert (one.round.used[0], one.round.pairs, one.alone) == (pool, pool, 5)
    one, _ = after(one, start + DAY, opening(draw), "")
    assert one.round.pairs == pool + 1
    one, _ = after(one, start + LEAST_MS, opening(draw), "")
    assert one.round.pairs == 1  # classifier and amounts began anew
    assert len(one.past.slots) == SLOTS


def test_features_are_facts_alone() -> None:
    facts = InteractionFacts(
        interaction=InteractionId("in_1"), conversation=ConversationId("co_1"), use_case=UseCaseId("orders"), key="k",
        language="en", channel="chat", intent="refund", size=7, questions=1, topics=(3, 9), first=True,
        findings=(FoundFact(Kind.EMAIL, "input", 1.0, "form", "mask"), FoundFact(Kind.LINK, "output", 1.0, "", "mark")),
    )  # fmt: skip
    got = features(facts)
    assert set(got) == {
        "size:7", "questions:1", "language:en", "channel:chat", "intent:refund", "finding:EMAIL", "topic:3", "topic:9",
    }  # fmt: skip
    assert {one.partition(":")[0] for one in got} == FEATURES
    assert in_words("size:7") == "a length of 64 to 127 characters"
