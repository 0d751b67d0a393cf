"""Files of trials: what is read of a good one, and every mistake of a bad one with its place."""

import msgspec
import pytest

from handrail.home.fields_trials import Outcome, Side
from handrail.home.schema import schema
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.trials.case import ONE, Trial
from handrail.trials.reading import read_trials

GOOD = """\
use_case: orders
model: shop
trials:
  - id: one
    customer: c-1
    tools:
      refund: {action: till.refund, answer: {ok: true}}
    turns:
      - say: hello
        expect:
          - contains: [a, b]
          - {exact: "yes", not: true}
          - finds: {kind: CARD, side: input}
          - calls: {tool: refund, arguments: {amount: 1}, verdict: hold}
          - outcome: handover
          - cost_at_most: 0.05
          - judge: {asks: polite?, use_case: judge}
    golden: true
  - id: two
    use_case: desk
    persona:
      goal: g
      opens: I am {name}.
      facts: {name: Ada}
      asked: [{about: order, say: "{name} has none."}]
"""


def read(text: str) -> tuple[Trial, ...]:
    found = read_trials({"tests/a.yaml": text})
    assert found.mistakes == ()
    return found.trials


def wrong(text: str) -> list[str]:
    found = read_trials({"tests/a.yaml": text}, use_cases=["orders", "desk"], tools=["till.refund"])
    assert found.trials == ()
    return [str(one) for one in found.mistakes]


@pytest.mark.promise("TRI-6")
def test_a_good_file_becomes_cases_with_everything_that_it_says() -> None:
    one, two = read(GOOD)
    assert (one.id, one.use_case, one.model, one.customer, one.golden) == ("one", "orders", "shop", "c-1", True)
    (turn,) = one.turns
    expects = turn.expect
    assert turn.say == "hello"
    assert [each.what for each in expects] == [
        "contains", "exact", "finds", "calls", "outcome", "cost_at_most", "judge",
    ]  # fmt: skip
    assert expects[0].texts == ("a", "b")
    assert expects[1].negated
    assert (expects[2].kind, expects[2].side) == (Kind.CARD, Side.INPUT)
    assert (expects[3].tool, expects[3].arguments, expects[3].verdict) == ("refund", {"amount": 1}, Verdict.HOLD)
    assert expects[4].outcome is Outcome.HANDOVER
    assert expects[5].at_most == 5_000_000  # five cents in millionths of one
    assert one.judges == {"judge"}
    assert (two.use_case, two.model) == ("desk", "shop")
    assert two.persona is not None
    assert two.persona.opens == "I am Ada."
    assert two.persona.asked == (("order", "Ada has none."),)
    assert two.place == "tests/a.yaml:19"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("contains: [a, b]", "contain: a", '11:13: "contain" does not exist in trials.0.turns.0.expect.0; did you'),
        ("contains: [a, b]", "{contains: a, exact: b}", "11:13: exact and contains stand together"),
        ("contains: [a, b]", "not: true", "11:13: nothing is expected here"),
        ("contains: [a, b]", 'regex: "a(?=b)"', "11:20: this is no regular expression"),
        ("contains: [a, b]", "schema: {type: objct}", "11:21: this is no JSON Schema"),
        ("outcome: handover", "outcome: hand-over", '15:22: "outcome" cannot be "hand-over"'),
        ("kind: CARD", "kind: CRAD", "13:27: "),
        ("tool: refund,", "tool: refnd,", '14:27: the model is offered no tool "refnd" in this case; expected refund'),
        ("action: till.refund", "action: till.refnd", '7:24: no tool "till.refnd" is registered'),
        ("{action: till.refund, answer", "{answer", "14:68: nothing decides on a call of this tool"),
        ("use_case: desk", "use_case: dsk", '20:15: there is no use case "dsk"; expected desk, orders; did you mean'),
        ("id: two", "id: one", '19:9: "one" is the name of another case; the first is at tests/a.yaml:4'),
        ("I am {name}", "I am {nme}", '23:14: the customer does not know "nme"'),
        ("    persona:", "    turns: [{say: a}]\n    persona:", "a case needs turns or a persona, one of the two"),
        ("use_case: orders\nmodel", "model", "3:5: this case is of no use case"),
        ("opens: I am {name}.", "opns: I am {name}.", 'did you mean "opens"?'),
    ],
)  # fmt: skip
@pytest.mark.promise("TRI-6")
def test_each_mistake_is_told_with_its_place_and_no_case_of_its_file_is_run(before: str, after: str, told: str) -> None:
    good = GOOD.replace("use_case: judge", "use_case: orders")
    assert good.count(before) == 1
    said = wrong(good.replace(before, after))
    assert any(told in line and line.startswith("tests/a.yaml:") for line in said), said


def test_a_file_without_a_mistake_is_run_beside_one_that_has_some() -> None:
    found = read_trials({"tests/a.yaml": GOOD, "tests/b.yaml": "trials: []\n"})
    assert [one.id for one in found.trials] == ["one", "two"]
    assert [one.file for one in found.mistakes] == ["tests/b.yaml"]


def test_a_file_of_comments_is_none() -> None:
    assert read_trials({"tests/a.yaml": "# off\n# trials:\n"}).mistakes == ()


def test_the_json_schema_knows_every_expectation() -> None:
    made = schema("trials")
    fields = made["$defs"]["ExpectFile"]["properties"]
    assert set(fields) == {*ONE, "not"}
    assert msgspec.json.encode(made)
