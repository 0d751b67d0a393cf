"""What is kept of actions ends with their retention and with the erasure of their conversation, on both engines."""

from typing import Any

import pytest
from contract.test_actions import approve, ask, begin, claim, finish, token
from contract.test_settling import published, pull
from fakes.storage import IDS, OPERATOR, ORDERS, Rig

from handrail.approvals.halt import LiftStop
from handrail.approvals.lifecycle import State
from handrail.approvals.stop import StopScope
from handrail.ledger.erase import Who
from handrail.terms.decision import Verdict
from handrail.terms.ids import CustomerId, UseCaseId

DUE_NOW = {"keep_days": 0, "minimum_days": 0, "by": OPERATOR}


async def sealed(store: Any, stored: Any) -> tuple[int, int]:
    """How many ciphertexts are left of an action, and of its entries."""

    def count(tx: Any) -> tuple[int, int]:
        row = tx.fetch("SELECT sealed, given, result FROM action WHERE id = $1", (stored.progress.action,))[0]
        kept = tx.fetch(
            "SELECT count(*) FROM payload p JOIN entry e ON e.seq = p.seq WHERE p.sealed IS NOT NULL "
            "AND e.kind IN ('action.decided', 'action.done', 'action.approved', 'action.denied')"
        )[0][0]
        return sum(one is not None for one in row), kept

    return await store.journal.run(count)


async def done(store: Any, thread: Any) -> Any:
    held = await store.journal.run(ask(thread))
    await store.journal.run(approve(held))
    await store.journal.run(claim(held))
    return await store.journal.run(finish(held))


@pytest.mark.promise("ACT-22")
def test_retention_destroys_calls_results_and_receipts_of_ended_actions_and_nothing_that_waits(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        ended = await done(store, thread)
        assert await sealed(store, ended) == (2, 2)
        unsure = await store.journal.run(ask(thread, Verdict.ALLOW))
        await store.journal.run(finish(unsure, state=State.UNKNOWN))
        waits = await store.journal.run(ask(thread))
        other = await store.erasing.expire_actions(UseCaseId("other"), **DUE_NOW)
        assert (other.actions, (await sealed(store, ended))[0]) == (0, 2)
        young = await store.erasing.expire_actions(ORDERS, keep_days=30, minimum_days=0, by=OPERATOR)
        assert young.actions == 0
        facts = await store.erasing.expire_actions(ORDERS, **DUE_NOW)
        assert (facts.actions, facts.destroyed, facts.held) == (1, 2, 0)
        assert (await sealed(store, ended))[0] == 0
        assert (await sealed(store, waits))[0] == 1
        assert (await sealed(store, unsure))[0] == 2
        assert (await store.erasing.expire_actions(ORDERS, **DUE_NOW)).actions == 0
        assert (await store.journal.run(approve(waits))).progress.state is State.APPROVED

    durable.run(run())


@pytest.mark.promise("ACT-22")
def test_a_legal_hold_keeps_what_is_due(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store, customer=CustomerId("c-1"))
        ended = await done(store, thread)
        await store.erasing.hold(Who(customer=CustomerId("c-1")), reason="case 7", by=OPERATOR)
        facts = await store.erasing.expire_actions(ORDERS, **DUE_NOW)
        assert (facts.actions, facts.held) == (0, 1)
        assert (await sealed(store, ended))[0] == 2

    durable.run(run())


@pytest.mark.promise("ACT-22")
def test_an_erasure_leaves_no_ciphertext_of_an_action(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        ended, waits = await done(store, thread), await store.journal.run(ask(thread))
        await store.erasing.erase(Who(conversation=thread.conversation), reason="case 7", by=OPERATOR)
        assert await sealed(store, ended) == (0, 0)
        assert await sealed(store, waits) == (0, 0)
        await store.journal.run(lambda tx: None)
        gone = await store.journal.run(lambda tx: tx.actions.get(waits.progress.action))
        assert gone.request is None

    durable.run(run())


@pytest.mark.promise("ACT-23")
def test_what_is_in_force_tells_the_stops_at_once(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await begin(store)
        await published(store)
        before = await store.in_force.load()
        stop, _ = await store.journal.run(pull(StopScope.USE_CASE, "orders", by="pe_c"))
        after = await store.in_force.load()
        assert (before.stops, after.stops) == ((), (stop,))
        assert after.epoch > before.epoch
        await store.journal.run(LiftStop(ids=IDS, stop=stop.id, token=token("pe_d")[1]))
        lifted = await store.in_force.load()
        assert (lifted.stops, lifted.epoch > after.epoch) == ((), True)

    durable.run(run())
