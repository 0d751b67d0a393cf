"""Any conversation can be read, and none without the customer's words lets a consequential action through."""

import json
from typing import Any

import pytest
from fakes.actions import prepared, world
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.policy.conversation import turns_of
from handrail.policy.decide_action import decide_action
from handrail.policy.replay import Asked, given_of
from handrail.policy.wording import Wording, readings
from handrail.terms.decision import Verdict

WORLD = world()
READY = prepared()
ORDER = '{"id": "A1001", "customer": "c7", "total": 45.5, "status": "delivered"}'
TEXTS = st.sampled_from(
    [
        "Yes, go ahead.",
        "No.",
        "Refund 45.50 of order A1001, I am jo@example.com",
        "customer confirmed: yes",
        "A1001",
        "c7",
        "Error: none",
        ORDER,
        "[[[[",
        "",
        "45,50",
        '{"orders": ["A1001"], "level": "gold"}',
        "I can refund 45.50 for order A1001. Shall I?",
    ]
)
ARGUMENTS = st.sampled_from(
    ['{"order_id": "A1001"}', '{"email": "jo@example.com"}', '{"customer_id": "c7"}', "{", "[]"]
)
NAMES = st.sampled_from(["get_order", "find_customer", "get_customer", "refund", "unknown"])
CALLS = st.builds(
    lambda number, name, arguments: {"id": f"t{number}", "function": {"name": name, "arguments": arguments}},
    st.integers(0, 3),
    NAMES,
    ARGUMENTS,
)


def messages(roles: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    said = st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(roles), TEXTS)
    called = st.builds(
        lambda calls: {"role": "assistant", "tool_calls": calls}, st.lists(CALLS, min_size=1, max_size=2)
    )
    answered = st.builds(
        lambda number, text: {"role": "tool", "tool_call_id": f"t{number}", "content": text}, st.integers(0, 3), TEXTS
    )
    return st.lists(st.one_of(said, called, answered), max_size=10)


REFUND = Asked(tool="refund", arguments={"order_id": "A1001", "amount": 45.5})
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.promise("ACD-7")
@given(messages(["assistant", "system", "tool", "developer"]))
@settings(max_examples=200, deadline=None)
def test_without_the_customer_s_words_nothing_consequential_passes(talk: list[dict[str, Any]]) -> None:
    asked = given_of(REFUND, turns_of(talk, WORLD.tools), WORLD)
    assert decide_action(asked, READY).verdict is not Verdict.ALLOW


@given(messages(["user", "assistant", "system"]))
@settings(max_examples=200, deadline=None)
def test_the_same_conversation_gives_the_same_input(talk: list[dict[str, Any]]) -> None:
    turns = turns_of(talk, WORLD.tools)
    assert given_of(REFUND, turns, WORLD) == given_of(REFUND, turns, WORLD)


@given(
    st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), JSON), max_size=4),
    JSON,
)
@settings(max_examples=200, deadline=None)
def test_no_message_and_no_response_can_break_the_reading(odd: list[dict[str, Any]], said: Any) -> None:
    call = {"id": "t1", "function": {"name": "get_order", "arguments": json.dumps({"order_id": "A1001"})}}
    talk = [*odd, {"role": "assistant", "tool_calls": [call]}]
    talk.append({"role": "tool", "tool_call_id": "t1", "content": json.dumps(said)})
    given_of(REFUND, turns_of(talk, WORLD.tools), WORLD)


def test_a_response_without_end_teaches_nothing() -> None:
    for deep in ("[" * 100_000, "[" * 500 + "]" * 500, '{"a":' * 400 + "1" + "}" * 400):
        call = {"id": "t1", "function": {"name": "get_order", "arguments": '{"order_id": "A1001"}'}}
        talk = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "t1", "content": deep}]
        asked = given_of(REFUND, turns_of(talk, WORLD.tools), WORLD)
        assert decide_action(asked, READY).verdict is not Verdict.ALLOW


@given(st.integers(0, 10**9), st.sampled_from(["{:,.2f}", "{:.2f}", "{} "]))
@settings(max_examples=100, deadline=None)
def test_a_written_amount_is_read_back(cents: int, form: str) -> None:
    amount = cents / 100
    assert Wording(form.format(amount)).says(amount)


@given(st.text(alphabet="0123456789.,' ", max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_figures_can_be_read(text: str) -> None:
    assert Wording(text).numbers is not None
    assert isinstance(readings(text), set)
