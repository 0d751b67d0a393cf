"""What a home says of intents, the watch and costs: mistakes with their place, and what the ruleset makes of it."""

import pytest
from fakes.home import CHAT, HANDRAIL, home

from handrail.home.compile import compile_home
from handrail.home.problem import HomeInvalid
from handrail.policy.watching import Costs, Watched
from handrail.watch.inputs import METRIC as INPUT
from handrail.watch.measure import REPORTED, SIZES
from handrail.watch.mix import METRIC as MIX

GOOD = """\
intents:
  delivery: [Where is my order?, track my parcel]
  refund: [I want my money back, refund me]
watch: {metrics: [failed, intents], cases_between_false_alarms: 20000}
"""


NAME = "use-cases/chat.yaml"


def wrong(more: str) -> list[tuple[str, int]]:
    """Codes, and lines below the use case as it was."""
    with pytest.raises(HomeInvalid) as told:
        compile_home(home({NAME: CHAT + more}))
    return [(one.code, one.line - CHAT.count("\n")) for one in told.value.mistakes]


@pytest.mark.promise("WAT-27")
def test_what_is_declared_is_in_the_ruleset() -> None:
    costs = "costs: {human_minute: 0.85, refund_reversed: 12}\n"
    ruleset = compile_home(home({NAME: CHAT + GOOD, "handrail.yaml": HANDRAIL + costs})).ruleset
    case = next(one for one in ruleset.use_cases.values() if one.intents)
    assert [(one.name, len(one.examples)) for one in case.intents] == [("delivery", 2), ("refund", 2)]
    assert case.intents_sure > 0
    assert case.watch.watches("failed")
    assert not case.watch.watches("latency")
    assert case.watch.cases_between_false_alarms == 20_000
    assert ruleset.costs == Costs(human_minute_micro_minor=85_000_000, refund_reversed_micro_minor=1_200_000_000)


@pytest.mark.promise("WAT-27")
@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        ("intents: {refund: [one two, three]}\n", "intents.few", 1),
        ("intents:\n  refund: [one two, three]\n  other: [four, five]\n", "intents.other", 3),
        ("intents:\n  refund: [one two, three]\n  bill: [four, One TWO!]\n", "intents.repeated", 3),
        ("intents:\n  refund: [one two, '12 !']\n  bill: [four, five]\n", "intents.words", 2),
        ("watch:\n  metrics: [intents]\n", "watch.intents", 2),
        ("watch:\n  intents_sure: 0.4\n", "watch.intents", 2),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(more: str, code: str, line: int) -> None:
    assert wrong(more) == [(code, line)]


@pytest.mark.promise("WAT-27")
@pytest.mark.parametrize(
    "more",
    ["watch: {metrics: [latencies]}\n", "watch: {cases_between_false_alarms: 10}\n", "intents: {refund: [one]}\n"],
)
def test_what_has_the_wrong_form_is_told_with_its_place(more: str) -> None:
    assert {line for _, line in wrong(more)} == {1}


def test_every_metric_that_the_watch_knows_can_be_declared() -> None:
    flags = {"blocked", "handed_over", "failed", "ungrounded", "finding", "declined"}
    reported = {*REPORTED.values(), "override", "low_csat", "unresolved"}
    assert {one.value for one in Watched} == flags | set(SIZES) | reported | {MIX, INPUT}
