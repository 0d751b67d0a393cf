"""One action put to the rules outside the server: what a line says, and what it leaves out."""

import pytest
from fakes.home import ENGINES, argument_errors
from fakes.shop_home import CASES, RULES, SHOP, UC, shop_home

from handrail.home.cases import MONDAY_NOON_MS
from handrail.home.check import look
from handrail.home.check_rules import played
from handrail.home.compile import compile_home, ruleset_of
from handrail.home.questions import Answered, Question, Questions, facts_in, values_in
from handrail.policy.action import Fact, Vouched
from handrail.policy.ruleset import Mode
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId

MAIL = '{"email":"ann@shop.example"}'
TALK = [
    {"role": "user", "content": "I am ann@shop.example. Please refund order A1, 20 euros."},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "get_customer", "arguments": MAIL}},
        {"id": "2", "type": "function", "function": {"name": "get_order", "arguments": {"order_id": "A1"}}},
    ]},
    {"role": "tool", "tool_call_id": "1", "content": {"id": "C1", "orders": ["A1"]}},
    {"role": "tool", "tool_call_id": "2", "content": "id: A1\ncustomer_id: C1\nstatus: delivered\ntotal: 20.0\n"},
]  # fmt: skip


@pytest.fixture(scope="module")
def questions() -> Questions:
    return Questions(compile_home(shop_home(), ENGINES).ruleset, schema=argument_errors)


def ask(questions: Questions, **more: object) -> Answered:
    fields = {"action": "refund_order", "arguments": {"order_id": "A1", "amount": 20}, "conversation": TALK} | more
    return questions.answer(Question(**fields), now_ms=MONDAY_NOON_MS)  # type: ignore[arg-type]  # a row as a person writes it


def codes(answered: Answered) -> set[str]:
    return {reason.code for reason in answered.enforced.reasons}


@pytest.mark.promise("HAC-5")
def test_what_the_customer_asked_for_and_reads_bear_out_is_allowed(questions: Questions) -> None:
    answered = ask(questions)
    assert answered.enforced.verdict is Verdict.ALLOW, answered.enforced.reasons
    assert answered.given.own == ("order_id",)


@pytest.mark.promise("HAC-5")
@pytest.mark.parametrize("name", ["refund_order", "shop.refund_order", "shop_refund_order", "shop__refund_order"])
def test_a_tool_is_known_by_each_of_its_names(questions: Questions, name: str) -> None:
    assert ask(questions, action=name).given.tool == "shop.refund_order"


@pytest.mark.promise("HAC-5")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"action": "delete_everything", "use_case": "chat"}, "tool.unregistered"),
        ({"use_case": "other"}, "tool.unregistered"),
        ({"arguments": {"order_id": 5, "amount": 20}}, "arguments.schema"),
        ({"arguments": {"order_id": "A1", "amount": 20, "iban": "X"}}, "arguments.schema"),
    ],
)
def test_what_is_not_registered_or_outside_the_schema_is_denied(
    questions: Questions, more: dict[str, object], code: str
) -> None:
    answered = ask(questions, **more)
    assert answered.enforced.verdict is Verdict.DENY
    assert code in codes(answered)


@pytest.mark.promise("HAC-5")
@pytest.mark.parametrize("conversation", [None, [], [{"role": "user", "content": "Hello"}]])
def test_what_nobody_can_tell_is_never_allowed(questions: Questions, conversation: object) -> None:
    assert ask(questions, conversation=conversation).enforced.verdict in (Verdict.HOLD, Verdict.DENY)


def test_the_use_case_may_be_left_out_only_where_one_has_the_tool(questions: Questions) -> None:
    assert ask(questions).given.use_case == "chat"
    with pytest.raises(ValueError, match="`use_case` is missing"):
        ask(questions, action="nothing")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"facts": [{"value": 1}]}, "a fact in a list"),
        ({"facts": {"a": {"value": 1, "vouched": "sworn"}}}, "vouched"),
        ({"history": {"customer.refunds.day": "two"}}, "whole number"),
        ({"history": [{"action": "open_drawer"}]}, "not among the tools"),
        ({"history": [{"action": "refund_order", "at": "2026-02-01T00:00Z"}]}, "after the instant"),
        ({"at": "noon"}, "an instant"),
        ({"conversation": [{"content": "no role"}]}, "role"),
    ],
)
def test_what_cannot_be_read_is_told(questions: Questions, row: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ask(questions, **row)


def test_facts_are_verified_unless_they_say_otherwise() -> None:
    assert facts_in({"customer": {"id": "C1"}, "order.status": {"value": "open", "vouched": "claimed"}, "n": [1]}) == (
        Fact("customer.id", "C1", Vouched.VERIFIED),
        Fact("order.status", "open", Vouched.CLAIMED),
        Fact("n", [1], Vouched.VERIFIED),
    )
    assert facts_in([{"name": "a", "value": 1, "vouched": "said"}]) == (Fact("a", 1, Vouched.SAID),)


def test_earlier_actions_use_up_limits_within_their_window(questions: Questions) -> None:
    def earlier(amount: float, order: str, at: str | None) -> dict[str, object]:
        row = {"action": "refund_order", "arguments": {"order_id": order, "amount": amount}}
        return row | ({"at": at} if at else {})

    at = "2026-01-05T12:00Z"
    today = ask(questions, at=at, history=[earlier(85, "B2", "2026-01-05T08:00Z")])
    assert "limit" in codes(today)
    yesterday = ask(questions, at=at, history=[earlier(85, "B2", "2026-01-04T08:00Z")])
    assert "limit" not in codes(yesterday)
    untold = ask(questions, at=at, history=[earlier(85, "B2", None)])
    assert "limit" in codes(untold), "an instant that is not told counts in every window"
    same_order = ask(questions, at=at, history=[earlier(1, "A1", "2025-01-04T08:00Z")])
    assert [reason.rule for reason in same_order.enforced.reasons if reason.code == "limit"] == [
        "rules/shop.yaml: limits.once-an-order"
    ]


def test_earlier_actions_are_counted_where_rules_ask_for_them() -> None:
    names = (
        "customer.refund_order.day",
        "customer.refund_order.hour",
        "object.money",
        "customer.read.days",
        "agent.money.hours",
    )
    more = "".join(f"  - {{id: p{n}, deny: no, when: [{{past: {name}, above: 9}}]}}\n" for n, name in enumerate(names))
    rules = SHOP[RULES].replace("  - id: large\n", f"{more}  - id: large\n")
    asked = Questions(compile_home(shop_home({RULES: rules}), ENGINES).ruleset, schema=argument_errors)
    row = {"action": "refund_order", "arguments": {"order_id": "A1", "amount": 1}, "at": "2026-01-05T08:00Z"}
    yesterday = row | {"at": "2026-01-04T13:30Z", "agent": "b2"}
    past = {one.name: one.value for one in ask(asked, at="2026-01-05T12:00Z", history=[row, row, yesterday]).given.past}
    assert tuple(sorted(past)) == tuple(sorted(names))
    assert tuple(past[name] for name in names) == (2, 0, 3, 0, 2)
    assert ask(asked, history={"customer": {"refund_order": {"day": 10}}}).enforced.verdict is Verdict.DENY


def test_minute_and_weekday_are_the_organisation_s(questions: Questions) -> None:
    given = ask(questions, at="2026-01-05T23:30Z").given
    assert (given.weekday, given.minute) == (1, 30), "Berlin is an hour ahead: Tuesday 0:30"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1}', {"a": 1}),
        ("a: 1\nb: [x, y]\n", {"a": 1, "b": ["x", "y"]}),
        ("- id: 1\n- id: 2\n", [{"id": 1}, {"id": 2}]),
        ("on: 2026-01-05\n", {"on": "2026-01-05"}),
    ],
)
def test_an_answer_is_read_as_json_or_yaml(text: str, values: object) -> None:
    assert values_in(text) == values


@pytest.mark.parametrize("text", ["u_17", "just words", "a: &x 1\nb: *x\n", "a: 1\n" * 20_000])
def test_other_answers_are_text(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any: the caller takes the text itself
        values_in(text)


@pytest.mark.promise("HAC-4")
def test_coverage_tells_which_rules_no_case_matches() -> None:
    text = SHOP[CASES]
    checked = look(shop_home({CASES: text[: text.index("  - name: an order on its way")]}))
    coverage = played(checked.played, ruleset_of(checked), ENGINES)
    assert coverage is not None
    assert (coverage.never, coverage.failed) == (("only-delivered",), [])
    assert played(checked.played, ruleset_of(checked), type(ENGINES)()) is None


@pytest.mark.promise("HAC-4")
def test_a_case_means_the_same_in_observe_mode_and_in_enforce_mode() -> None:
    observing = SHOP[UC].replace("mode: enforce", "mode: observe")
    assert compile_home(shop_home({UC: observing}), ENGINES).ruleset.use_cases[UseCaseId("chat")].mode is Mode.OBSERVE
