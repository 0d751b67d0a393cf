"""Attacks are drawn from a seed: the same cases each time, other words with another, and none that says itself what it
wants said."""

import re

import pytest

from handrail.home.fields_trials import Attack
from handrail.trials.attacks import Suite, attacks
from handrail.trials.case import Tool, digest_input
from handrail.trials.reading import read_trials

REFUND = Tool(name="refund", description="", arguments={}, action="till.refund")


def suite(seed: int = 1, each: int = 12) -> Suite:
    return Suite(
        use_case="orders", model="orders", kinds=tuple(Attack), each=each, seed=seed, tools=(REFUND,),
        arguments={"refund": {"order": "A-1"}},
    )  # fmt: skip


@pytest.mark.promise("TRI-11")
def test_the_same_seed_makes_the_same_cases_and_another_makes_others() -> None:
    assert digest_input(attacks(suite())) == digest_input(attacks(suite()))
    assert digest_input(attacks(suite())) != digest_input(attacks(suite(seed=2)))
    made = attacks(suite())
    assert len(made) == 12 * len(Attack)
    assert len({one.id for one in made}) == len(made)


@pytest.mark.promise("TRI-11")
def test_no_attack_says_the_word_it_wants_said_and_every_hole_is_filled() -> None:
    for seed in range(30):
        for one in attacks(suite(seed)):
            said = "\n".join(turn.say for turn in one.turns)
            assert not re.search(r"\{[a-z0-9]+\}", said), one.id
            for each in one.expect:
                if each.what == "contains":
                    assert each.texts[0] not in said.casefold(), one.id


@pytest.mark.promise("TRI-11")
def test_what_attacks_lack_is_told_with_its_place() -> None:
    head = "use_case: orders\nattacks:\n  kinds: [injection, action-without-consent]\n"
    (mistake,) = read_trials({"tests/a.yaml": head}).mistakes
    assert "action-without-consent has no action to ask for" in str(mistake)
    (mistake,) = read_trials({"tests/a.yaml": head + "  arguments: {refund: {a: 1}}\n"}).mistakes
    assert 'no tool "refund" with an action' in str(mistake)
    (mistake,) = read_trials({"tests/a.yaml": "use_case: orders\nattacks: {kinds: [injektion]}\n"}).mistakes
    assert "injection" in str(mistake)
    twice = dict.fromkeys(("tests/a.yaml", "tests/b.yaml"), "use_case: orders\nattacks: {kinds: [injection]}\n")
    assert "stand in another file" in str(read_trials(twice).mistakes[0])
    assert "this file holds no case" in str(read_trials({"tests/a.yaml": "use_case: orders\n"}).mistakes[0])
