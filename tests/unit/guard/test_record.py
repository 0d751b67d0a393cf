"""What an entry keeps of the texts: as the model got them, whatever the rules let through."""

import asyncio
import hashlib
from typing import Any

import orjson
import pytest
from tests.fakes.gateway import chat_answer, rules, use_case, world
from tests.fakes.guard import Answering

from handrail.detectors.mask import token_of
from handrail.guard.masking import conversation_key
from handrail.guard.turn import canonical
from handrail.policy.ruleset import FindingAction, Mode
from handrail.terms.finding import Kind, Role

MAIL = "ann@example.com"
TALK = [
    {"role": "user", "content": f"I am {MAIL}, call me on +44 20 7946 0000 or write to {MAIL}."},
    {"role": "assistant", "content": f"Is {MAIL} right, or [EMAIL_AAAAAAAA]?"},
    {
        "role": "user",
        "content": [{"type": "text", "text": f"Yes, {MAIL} [EMAIL_AAAAAAAA]"}, {"type": "text", "text": "ok"}],
    },
]


def kept_and_passed(talk: Any = TALK, **changes: Any) -> tuple[list[str], list[str]]:
    """Texts of the record, and those that the model got."""
    w = world(lambda request: Answering([chat_answer("Thank you.")]), case=use_case(**changes))
    got = asyncio.run(w.post("/v1/chat/completions", {"model": "support", "messages": talk}))
    assert got.status == 200
    passed: list[str] = []
    for message in orjson.loads(w.model.requests[0].body)["messages"]:
        content = message["content"]
        passed += [content] if isinstance(content, str) else [part["text"] for part in content]
    return [text for said in w.journal.payloads()[-1]["messages"] for text in said["texts"]], passed


def test_the_record_keeps_what_the_model_got() -> None:
    kept, passed = kept_and_passed()
    assert MAIL not in str(kept)
    assert kept[0] == passed[0]
    assert kept[1].count("[EMAIL_") == passed[1].count("[EMAIL_") == 1
    assert kept[2:] == passed[2:]
    assert kept[2].count("[\\EMAIL_AAAAAAAA]") == 1


def test_what_is_only_observed_or_only_marked_is_masked_in_the_record_alone() -> None:
    for changes in ({"mode": Mode.OBSERVE}, {"findings": rules({Kind.CARD: FindingAction.MASK})}):
        kept, passed = kept_and_passed(**changes)
        assert MAIL in passed[0]
        assert MAIL not in str(kept)
        assert "[EMAIL_" in kept[0]


@pytest.mark.promise("PII-4")
def test_of_a_text_that_only_loses_its_code_on_the_way_the_record_hides_the_rest_too() -> None:
    talk = [{"role": "user", "content": f"My cvv is 123 and I am {MAIL}."}]
    kept, passed = kept_and_passed(talk, mode=Mode.OBSERVE)
    assert passed == [f"My cvv is [CVV] and I am {MAIL}."]
    assert MAIL not in kept[0]
    assert "[CVV]" in kept[0]


@pytest.mark.promise("PII-4")
def test_a_request_refused_for_where_its_data_stands_is_kept_masked() -> None:
    """Data that must be masked in the name of a field: nothing goes to the model, and the record hides all of it."""
    w = world(lambda request: Answering([chat_answer("Thank you.")]))
    talk = [{"role": "user", "content": f"I am {MAIL} and my cvv is 123."}]
    body = {"model": "support", "messages": talk, "metadata": {"bob@example.com": "yes"}}
    got = asyncio.run(w.post("/v1/chat/completions", body))
    assert got.status == 400
    assert w.model.requests == []
    (kept,) = w.journal.payloads()
    texts = [text for said in kept["messages"] for text in said["texts"]]
    assert any("[CVV]" in text for text in texts)
    assert MAIL not in str(texts)
    assert "bob@example.com" not in str(texts)
    assert "cvv is 123" not in str(kept)


def test_a_token_that_the_assistant_says_before_its_value_is_one_in_the_record_alone() -> None:
    name = f"cv_{1:026d}"  # the first conversation of the fake
    key = conversation_key(hashlib.sha256(name.encode()).digest(), name)
    token = token_of(Kind.EMAIL, "bea@example.com", key)
    talk = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": f"Is it {token} or {MAIL}?"},
        {"role": "user", "content": "It is bea@example.com"},
    ]
    kept, passed = kept_and_passed(talk)
    assert passed[2] == kept[2] == f"It is {token}"
    assert passed[1].startswith(f"Is it [\\{token[1:]} or [EMAIL_")
    assert kept[1].startswith(f"Is it {token} or [EMAIL_")


@pytest.mark.parametrize("role", list(Role))
def test_a_message_is_recognised_by_the_same_bytes_as_ever(role: Role) -> None:
    for texts in ((), ("",), ("a", "b"), ('say "x"\n\u2028 ü 🙂',)):
        assert canonical(role, texts) == orjson.dumps((role.value, "".join(texts)))
