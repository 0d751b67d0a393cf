"""Which conversation an agent's call belongs to: the one in which a model asked for exactly this call, and no guess."""

from typing import Any

import msgspec
import pytest
from contract.test_erasing import WHY, recorded
from contract.test_execute import played
from contract.test_tool_calls import Desk, note
from fakes.storage import CLOCK, ORDERS, Rig
from fakes.target import Shop

from handrail.guard.tool_call import ToolCalls
from handrail.guard.turn import ModelCall
from handrail.ledger.erase import Who
from handrail.policy.action import ActionInput
from handrail.terms.ids import ConversationId, UseCaseId

GIVEN = {"order": "A-1", "amount": 1}
TEXT = '{"amount": 1, "order": "A-1"}'


def said(store: Any, thread: Any, *calls: tuple[str, str], key: str = "k1", use_case: UseCaseId = ORDERS) -> None:
    store.model_calls.record(
        use_case=use_case, key_id=key, conversation=thread.conversation, calls=[ModelCall(*call) for call in calls]
    )


async def found(store: Any, *names: str, given: Any = None, **more: Any) -> ConversationId | None:
    asked: dict[str, Any] = {"use_case": ORDERS, "key_id": "k1", **more}
    result: ConversationId | None = await store.model_calls.conversation(
        **asked, names=names, arguments=GIVEN if given is None else given
    )
    return result


@pytest.mark.promise("MCP-13")
def test_exactly_one_equal_call_of_the_same_use_case_and_keys_links(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        one, _ = await recorded(store, conversation="one")
        two, _ = await recorded(store, conversation="two")
        said(store, one, ("refund", TEXT), ("note", "no json"), ("note", "[1]"))
        said(store, two, ("refund", '{"order": "A-2", "amount": 1}'), ("look", ""))
        await store.journal.run(lambda tx: None)
        assert await found(store, "shop__refund", "refund") == one.conversation
        assert await found(store, "refund", given={"order": "A-2", "amount": 1}) == two.conversation
        assert await found(store, "look", given={}) == two.conversation
        assert await found(store, "note", given={}) is None
        assert await found(store, "refund", given={**GIVEN, "amount": 2}) is None
        assert await found(store, "refund", given={**GIVEN, "to": "me"}) is None
        assert await found(store, "refunds") is None
        assert await found(store, "refund", use_case=UseCaseId("other")) is None
        assert await found(store, "refund", key_id="k2") is None

    durable.run(body())


@pytest.mark.promise("MCP-13")
@pytest.mark.parametrize("again", ["one", "two"])
def test_two_equal_calls_link_nothing_whoever_made_them(durable: Rig, again: str) -> None:
    async def body() -> None:
        store = await durable.open()
        threads = {name: (await recorded(store, conversation=name))[0] for name in ("one", "two")}
        said(store, threads["one"], ("refund", TEXT))
        said(store, threads[again], ("shop__refund", TEXT))
        await store.journal.run(lambda tx: None)
        assert await found(store, "refund") == threads["one"].conversation
        assert await found(store, "refund", "shop__refund") is None
        said(store, threads[again], ("refund", TEXT))
        await store.journal.run(lambda tx: None)
        assert await found(store, "refund") is None

    durable.run(body())


@pytest.mark.promise("MCP-13")
def test_what_is_ten_minutes_old_links_nothing_and_is_gone_with_the_next_call(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread, _ = await recorded(store, conversation="one")
        said(store, thread, ("refund", TEXT))
        await store.journal.run(lambda tx: tx.fetch("UPDATE model_call SET at_ms = at_ms - 600001"))
        assert await found(store, "refund") is None
        said(store, thread, ("look", "{}"))
        rows = await store.journal.run(lambda tx: tx.fetch("SELECT conversation FROM model_call"))
        assert len(rows) == 1

    durable.run(body())


@pytest.mark.promise("MCP-13")
@pytest.mark.parametrize("who", ["customer", "conversation"])
def test_an_erasure_takes_the_links_with_it_and_a_turn_under_way_brings_none_back(durable: Rig, who: str) -> None:
    async def body() -> None:
        store = await durable.open()
        thread, _ = await recorded(store, customer="ann", conversation="one")
        said(store, thread, ("refund", TEXT))
        await store.journal.run(lambda tx: None)
        erased = Who(customer="ann") if who == "customer" else Who(conversation=thread.conversation)
        await store.erasing.erase(erased, **WHY)
        said(store, thread, ("refund", TEXT))
        assert await store.journal.run(lambda tx: tx.fetch("SELECT * FROM model_call")) == []

    durable.run(body())


class Notes:
    """`guard.action_ports.Recollection` that notes of which conversations it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def add(self, given: ActionInput, tool: Any, conversation: Any, snapshot: Any) -> ActionInput:
        self.asked.append(conversation)
        return msgspec.structs.replace(given, linked=True)


def heard_by(desk: Desk, store: Any) -> Notes:
    notes, made = Notes(), desk.calls
    desk.calls = ToolCalls(
        journal=store.journal, threads=store.threads, executor=made._executor, schemas=made._schemas,
        recollection=notes, hashing=store.keys.lookup, clock=CLOCK, ids=made._ids, digits={"EUR": 2},
        model_calls=store.model_calls,
    )  # fmt: skip
    return notes


@pytest.mark.promise("MCP-13")
def test_a_call_without_a_conversation_stands_in_that_of_the_model_that_asked_for_it(durable: Rig) -> None:
    tool = note()

    async def play(store: Any, shop: Shop) -> None:
        desk = Desk(store, shop, tool)
        notes = heard_by(desk, store)
        thread, _ = await recorded(store, conversation="of-the-chat")
        said(store, thread, ("shop__refund", TEXT))
        await store.journal.run(lambda tx: None)
        first = await desk.call(tool, None, None, **GIVEN)
        assert notes.asked == [thread.conversation]
        assert first.request.conversation == thread.conversation
        said(store, thread, ("shop__refund", TEXT))  # the model asks again: two calls link nothing any more
        await store.journal.run(lambda tx: None)
        again = await desk.call(tool, None, None, **GIVEN)
        assert again.progress.action == first.progress.action  # and the same call stays the same action
        assert len(shop.effects) == 1
        other = await desk.call(tool, None, None, order="A-9", amount=1)
        assert other.request.conversation != thread.conversation
        named = await desk.call(tool, "another", None, order="A-8", amount=1)
        assert named.request.conversation != thread.conversation
        assert notes.asked[1:] == [named.request.conversation]

    played(durable, play)
