"""What an entry keeps of the texts: as the model got them, whatever the rules let through."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.gateway import chat_answer, rules, use_case, world
from tests.fakes.guard import Answering

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


def kept_and_passed(**changes: Any) -> tuple[list[str], list[str]]:
    """Texts of the record, and those that the model got."""
    w = world(lambda request: Answering([chat_answer("Thank you.")]), case=use_case(**changes))
    got = asyncio.run(w.post("/v1/chat/completions", {"model": "support", "messages": TALK}))
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


@pytest.mark.parametrize("role", list(Role))
def test_a_message_is_recognised_by_the_same_bytes_as_ever(role: Role) -> None:
    for texts in ((), ("",), ("a", "b"), ('say "x"\n\u2028 ü 🙂',)):
        assert canonical(role, texts) == orjson.dumps((role.value, "".join(texts)))
