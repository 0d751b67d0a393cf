"""What waits for a process of `handrail mcp`, on SQLite and PostgreSQL: kept while the process is heard of, unreachable
once it is silent, untouched when it is claimed or executed by handrail itself."""

from typing import Any

import msgspec
import pytest
from fakes.storage import IDS, ORDERS, Rig
from fakes.storage import begin as opened

from handrail.approvals.awaited import Alive, Unreach
from handrail.approvals.desk import Ask, Ruled
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import State
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.terms.action import Action, ActionId, Door, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.ids import Digest, UseCaseId

ROUTE = Route(id="leads", roles=("approver",), decide_within_s=600)


async def held(store: Any, *, caller: bool = True) -> ActionId:
    """An action that waits; `caller`: who asked executes it."""
    thread = await opened(store)
    request = Action(
        id=ActionId(IDS.new("ac")), use_case=ORDERS, tool=ToolId("git.push"), arguments={"to": IDS.new("br")},
        salt=bytes(16), door=Door.PERMIT, key="k1", conversation=thread.conversation,
    )  # fmt: skip
    facts = ActionFacts(action=request.id, tool="git.push")
    ruled = Ruled(
        decision=ActionDecision(verdict=Verdict.HOLD, reserve=(("day", 1),)), payload=b"{}", facts=facts, route=ROUTE,
        reserve=(("day", "2026-11-21", 1, 100),),
    )  # fmt: skip
    stored = await store.journal.run(
        Ask(
            ids=IDS, request=request, subject=thread.subject.id, decide=lambda _: ruled,
            business=request.id.encode(), same_since_ms=0, ruleset=Digest("ab" * 32), owner="ow", lease_ms=1_000,
            report_within_ms=60_000 if caller else 0, permit_ms=30_000 if caller else 0,
        )
    )  # fmt: skip
    assert stored.progress.state is State.HELD
    return request.id


def alive(action: ActionId, use_case: UseCaseId = ORDERS) -> Alive:
    return Alive(runner="rn_1", use_case=use_case, actions=[action, ActionId("ac_none")])


async def used(store: Any) -> int:
    return int(await store.journal.run(lambda tx: tx.limits.used("day", "2026-11-21")))


@pytest.mark.promise("MCP-9")
def test_what_waits_for_a_silent_process_is_unreachable_and_gives_back_what_it_reserved(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        action = await held(store)
        assert await store.journal.run(alive(action)) == {action: State.HELD}
        assert await store.acts.silent_since() is not None
        assert await store.journal.run(Unreach(ids=IDS)) == 0  # it was heard of a moment ago
        assert await used(store) == 1
        await store.journal.run(lambda tx: tx.awaited.keep(action, "rn_1", until_ms=tx.now_ms - 1))
        assert await store.journal.run(Unreach(ids=IDS)) == 1
        assert (await store.acts.get(action)).progress.state is State.UNREACHABLE
        assert await used(store) == 0
        assert await store.journal.run(Unreach(ids=IDS)) == 0
        assert await store.acts.silent_since() is None
        assert await store.journal.run(alive(action)) == {action: State.UNREACHABLE}
        assert await store.acts.silent_since() is None

    durable.run(work())


def test_who_is_of_another_use_case_or_does_not_execute_keeps_nothing(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        assert await store.journal.run(alive(await held(store), UseCaseId("another"))) == {}
        assert await store.journal.run(alive(await held(store, caller=False))) == {}
        assert await store.acts.silent_since() is None

    durable.run(work())


def test_what_was_claimed_meanwhile_stays(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        action = await held(store)
        await store.journal.run(alive(action))

        def claimed(tx: Any) -> None:
            before = tx.actions.get(action).progress
            after = msgspec.structs.replace(before, state=State.CLAIMED, version=before.version + 1)
            tx.actions.move(before, after)
            tx.awaited.keep(action, "rn_1", until_ms=tx.now_ms - 1)

        await store.journal.run(claimed)
        assert await store.journal.run(Unreach(ids=IDS)) == 0
        assert (await store.acts.get(action)).progress.state is State.CLAIMED
        assert await store.acts.silent_since() is None

    durable.run(work())
