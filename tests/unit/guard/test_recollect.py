"""What the recorded conversation says of a call: masked values put back, own reads as record, the rest as outsiders."""

import asyncio
from typing import Any

import msgspec
import pytest
from fakes.actions import DIGITS, READER, SHOP, shop, use_case

from handrail.guard.recollect import Acted, Recollect, Record, Spoken, turns_of_record
from handrail.guard.record import Payload, Said
from handrail.in_force.snapshot import Snapshot
from handrail.policy.action import ActionInput, Agreed, Origin
from handrail.policy.evaluate import Found, Side
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import Action, ActionId, Door, ToolId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind, Role
from handrail.terms.ids import ConversationId, Digest

IBAN = "DE02120300000000202051"
CONVERSATION = ConversationId("cv_1")
UPSTREAM, TOOLS = shop()
RULESET = Ruleset(
    organisation="Shop", time_zone="UTC", currency="EUR", providers={}, use_cases={SHOP: use_case()},
    upstreams={UPSTREAM.id: UPSTREAM}, tools={tool.id: tool for tool in TOOLS},
)  # fmt: skip
SNAPSHOT = Snapshot(epoch=1, ruleset_digest=Digest("0" * 64), ruleset=RULESET, live={}, keys={})
REFUND = RULESET.tools[ToolId("shop.refund")]


class Recorded:
    """`guard.recollect.Conversations` over one record; `fails` with it."""

    def __init__(self, record: Record, error: Exception | None = None) -> None:
        self._record, self._error = record, error

    async def record(self, conversation: ConversationId, *, most: int) -> Record:
        if self._error is not None:
            raise self._error
        return self._record


def spoken(text: str, role: Role = Role.USER, at_ms: int = 1, *, untrusted: bool = False, **tokens: str) -> Spoken:
    return Spoken(at_ms, msgspec.json.encode(Payload(messages=(Said(role, (text,)),), tokens=tokens)), untrusted)


def read(tool: str, result: Any, at_ms: int = 2, **arguments: Any) -> Acted:
    request = Action(
        id=ActionId(f"ac_{at_ms}"), use_case=SHOP, tool=ToolId(tool), arguments=arguments, salt=b"", door=Door.HTTP,
        key="k",
    )  # fmt: skip
    return Acted(at_ms, request, result)


def recollected(record: Record, error: Exception | None = None, **arguments: Any) -> ActionInput:
    made = Recollect(Recorded(record, error), reader=READER, digits=DIGITS, schema=lambda tool, values: ())
    given = ActionInput(use_case=SHOP, tool=REFUND.id, arguments=arguments, session=True)
    return asyncio.run(made.add(given, REFUND, CONVERSATION, SNAPSHOT))


def origin(found: ActionInput, path: str) -> Origin:
    return next(traced.origin for traced in found.traced if traced.path == path)


@pytest.mark.promise("ACT-7")
def test_a_masked_value_is_the_customers_own_word_when_he_wrote_it() -> None:
    said = spoken("Refund order ORD-4711X to IBAN_7QK2MZ4A please, 20 euros", IBAN_7QK2MZ4A=IBAN)
    found = recollected(Record((said,)), order_id="ORD-4711X", amount=20, iban=IBAN)
    assert found.linked
    assert origin(found, "iban") is Origin.CUSTOMER
    other = recollected(Record((said,)), order_id="ORD-4711X", amount=20, iban="GB33BUKB20201555555555")
    assert origin(other, "iban") is Origin.UNKNOWN


@pytest.mark.promise("ACT-7")
def test_a_read_of_our_own_is_record_and_what_a_client_calls_a_result_is_not() -> None:
    order = {"id": "ORD-4711X", "customer": "c-1", "total": 20, "status": "delivered", "items": [], "note": ""}
    asked = spoken("I want my money back")
    ours = Record((asked,), (read("shop.get_order", order, order_id="ORD-4711X"),))
    assert origin(recollected(ours, order_id="ORD-4711X", amount=20), "order_id") is Origin.RECORD
    theirs = Record((asked, spoken('{"id": "ORD-4711X", "total": 20}', Role.TOOL, 2)))
    assert origin(recollected(theirs, order_id="ORD-4711X", amount=20), "order_id") is Origin.UNTRUSTED


def test_turns_stand_in_the_order_of_time_whatever_kind_they_are() -> None:
    record = Record((spoken("second", at_ms=2), spoken("fourth", at_ms=4)), (read("shop.get_order", {"id": "3"}, 3),))
    turns = turns_of_record(record, SNAPSHOT)
    assert [turn.text for turn in turns] == ["second", '{"id":"3"}', "fourth"]
    assert [turn.index for turn in turns] == [0, 1, 2]


def test_an_injection_in_any_interaction_taints_the_call() -> None:
    assert recollected(Record((spoken("hello", untrusted=True), spoken("refund")))).untrusted
    assert not recollected(Record((spoken("hello"),))).untrusted


@pytest.mark.promise("ACT-7")
@pytest.mark.parametrize(
    ("record", "error"),
    [
        (Record((spoken("Refund order ORD-4711X"),), whole=False), None),
        (Record((Spoken(1, b"no payload", False),)), None),
        (Record(), HandrailError(Code.JOURNAL_UNAVAILABLE, "away")),
        (Record(), RuntimeError("a customer's words")),
        (Record(), None),
    ],
    ids=["in part", "unreadable", "away", "broken", "empty"],
)
def test_what_cannot_be_read_is_unknown_and_the_call_unlinked(record: Record, error: Exception | None) -> None:
    found = recollected(record, error, order_id="ORD-4711X", amount=20)
    assert not found.linked
    assert found.agreed in (Agreed.UNKNOWN, Agreed.NOTHING)


@pytest.mark.promise("ACT-7")
def test_a_read_that_failed_teaches_nothing_and_one_in_words_is_record() -> None:
    tool = msgspec.structs.replace(RULESET.tools[ToolId("shop.get_order")], fails_with=("Error",), quotes=())
    snapshot = msgspec.structs.replace(
        SNAPSHOT, ruleset=msgspec.structs.replace(RULESET, tools={**RULESET.tools, tool.id: tool})
    )
    failed, said = (
        turns_of_record(Record((spoken("hi"),), (read("shop.get_order", text, order_id="A-77"),)), snapshot)[1]
        for text in ("Error: A-77 costs 40.00", "Order A-77: 40.00 EUR")
    )
    assert (failed.failed, failed.said) == (True, None)
    assert (said.text, said.said) == ("Order A-77: 40.00 EUR", "Order A-77: 40.00 EUR")
    record = Record((spoken("Refund it please"),), (read("shop.get_order", "Order A-77: 40.00 EUR", order_id="x"),))
    made = Recollect(Recorded(record), reader=READER, digits=DIGITS, schema=lambda tool, values: ())
    given = ActionInput(use_case=SHOP, tool=REFUND.id, arguments={"order_id": "A-77", "amount": 40}, session=True)
    found = asyncio.run(made.add(given, REFUND, CONVERSATION, snapshot))
    assert {traced.path: traced.origin for traced in found.traced} == {
        "order_id": Origin.RECORD, "amount": Origin.RECORD,
    }  # fmt: skip


@pytest.mark.promise("ACT-7")
def test_what_detectors_found_or_could_not_tell_in_the_conversation_comes_with_it() -> None:
    seen = Found(Kind.VULNERABILITY, Side.INPUT, Role.USER, 0.9)
    said = msgspec.structs.replace(spoken("refund"), found=(seen, seen), failures=("injection:late",))
    found = recollected(Record((said, spoken("hello"))))
    assert found.found == (seen,)
    assert found.failures == ("injection:late",)
