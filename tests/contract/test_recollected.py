"""A recorded conversation as decisions on actions read it, on SQLite and PostgreSQL."""

from typing import Any

import pytest
from fakes.storage import Rig, begin, entry_of

from handrail.ledger.entry import FoundFact
from handrail.terms.finding import Kind
from handrail.terms.ids import CustomerId

ANN, BOB = CustomerId("ann"), CustomerId("bob")


async def said(store: Any, **turn: Any) -> Any:
    thread = await begin(store, **turn)
    await store.threads.close_turn(thread, history=[b"hello", b"hi"])
    found = (FoundFact(Kind.VULNERABILITY, "input", 0.9, "words", "mark"),)
    await store.journal.record(entry_of(thread, facts={"findings": found, "failures": ("injection:late",)}))
    return thread


@pytest.mark.promise("ACT-7")
def test_a_conversation_in_which_two_customers_are_named_is_nobody_s_word(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await said(store, customer=ANN, conversation="chat-1")
        assert (await store.acts.record(thread.conversation, most=9)).whole
        await begin(store, customer=BOB, conversation="chat-1")  # as a call of an action names it
        assert not (await store.acts.record(thread.conversation, most=9)).whole
        alone = await said(store, conversation="chat-2")
        await begin(store, customer=BOB, conversation="chat-2")  # a login comes later
        assert (await store.acts.record(alone.conversation, most=9)).whole

    durable.run(body())


@pytest.mark.promise("ACT-7")
def test_what_was_found_in_an_interaction_is_read_with_it(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        thread = await said(store, conversation="chat-1")
        (spoken,) = (await store.acts.record(thread.conversation, most=9)).spoken
        assert [one.kind for one in spoken.found] == [Kind.VULNERABILITY]
        assert spoken.failures == ("injection:late",)

    durable.run(body())
