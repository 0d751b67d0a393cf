"""The queue of ten thousand waiting actions, read beside the writer, and decisions on it. CPU time of this process and
of SQLite in it; PostgreSQL's own is not in it, so its wall time is printed too."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
from contract.test_actions import ROUTE, approve, ask, begin, token
from fakes.actions import use_case
from fakes.storage import IDS, Rig

from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Deny, ReadCase
from handrail.approvals.view import view
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.policy.action_rules import ActionRules
from handrail.policy.ruleset import Ruleset, UseCase
from handrail.terms.action import Door
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

RULES = Ruleset(organisation="House", time_zone="UTC", currency="EUR", providers={}, use_cases={})
HELD = frozenset({State.HELD})
WAITING = 10_000
PATIENT = msgspec.structs.replace(ROUTE, decide_within_s=3_600)
"""Nothing expires while a busy machine makes so many."""


@pytest.mark.slow
@pytest.mark.promise("APR-4")
def test_ten_thousand_waiting_actions_are_listed_and_decided_in_time(durable: Rig) -> None:
    async def run() -> tuple[float, float, list[float]]:
        store = await durable.open()
        thread = await begin(store)
        held = []
        for _ in range(WAITING // 500):
            held += await asyncio.gather(*(store.journal.run(ask(thread, route=PATIENT)) for _ in range(500)))
        await store.acts.queue(HELD, limit=10)
        best = wall = 9.0
        for _ in range(3):
            began, cpu = time.monotonic(), time.process_time()
            lines = await store.acts.queue(HELD, limit=WAITING)
            best, wall = min(best, time.process_time() - cpu), min(wall, time.monotonic() - began)
            assert len(lines) == WAITING
        took = []
        for stored in held[:200]:
            cpu = time.process_time()
            await store.journal.run(approve(stored))
            took.append(time.process_time() - cpu)
        assert (await store.acts.counts())[State.HELD] == WAITING - 200
        return best, wall, sorted(took)

    best, wall, took = durable.run(run())
    p99 = took[int(len(took) * 0.99)]
    figures = (
        f"queue of {WAITING} in {best * 1e3:.0f} ms CPU, {wall * 1e3:.0f} ms wall; decision p99 {p99 * 1e3:.1f} ms"
    )
    print(f"{durable.kind}: {figures} CPU")
    assert best <= 0.2
    assert p99 <= 0.05


def test_pages_of_the_queue_follow_each_other_without_a_gap(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        made = [(await store.journal.run(ask(thread))).progress.action for _ in range(7)]
        seen: list[Any] = []
        while page := await store.acts.queue(HELD, limit=3, after=seen[-1] if seen else None):
            seen += [one.action for one in page]
        assert seen == sorted(made)

    durable.run(run())


def look(stored: Any, person: str, reason: str = "", rules: Ruleset | None = RULES) -> ReadCase:
    action = stored.progress.action
    return ReadCase(ids=IDS, action=action, token=token(person)[1], rules=rules, reason=reason)


@pytest.mark.promise("CAP-6")
def test_a_case_asks_why_it_is_read_where_the_rules_say_so_or_nobody_can_tell(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        asking = msgspec.structs.replace(RULES, use_cases={stored.about.use_case: one_asking()})
        for rules in (asking, msgspec.structs.replace(RULES, use_cases={UseCaseId("other"): one_asking()}), None):
            with pytest.raises(HandrailError) as refused:
                await store.journal.run(look(stored, "pe_a", rules=rules))
            assert refused.value.code is Code.REASON_NEEDED
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(look(stored, "pe_a", "Marta asked me", asking))
        assert refused.value.code is Code.REQUEST_INVALID
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(look(stored, "pe_admin", "ticket 4711", asking))
        assert refused.value.code is Code.NOT_ALLOWED
        query = "SELECT count(*) FROM entry WHERE kind = 'payload.read'"
        assert await store.journal.run(lambda tx: tx.fetch(query)) == [(0,)]
        assert (await store.journal.run(look(stored, "pe_a", "ticket 4711", asking))).request == stored.request
        rows = await store.reader.latest(Listing(kinds=(EntryKind.PAYLOAD_READ,)))
        facts = [msgspec.json.decode(bytes(read_facts(data).facts)) for _, data in rows]
        assert facts == [{"action": stored.progress.action, "reason": "ticket 4711"}]

    durable.run(run())


def one_asking() -> UseCase:
    return msgspec.structs.replace(use_case(), case_reason=True)


def test_a_case_shows_its_call_and_why_and_looking_at_it_is_recorded(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        stored = await store.journal.run(ask(thread))
        before = await store.acts.get(stored.progress.action)
        assert before == stored
        case = await store.journal.run(look(stored, "pe_a"))
        shown = view(case, None, None, ActionRules(), await store.acts.past(case.about, most=5))
        assert shown.arguments == stored.request.arguments
        assert (shown.roles, shown.needs, shown.digest) == (("approver",), 1, stored.progress.digest)
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(look(stored, "pe_admin"))
        assert refused.value.code is Code.NOT_ALLOWED
        reads = await store.journal.run(lambda tx: tx.fetch("SELECT count(*) FROM entry WHERE kind = 'payload.read'"))
        assert reads == [(1,)]

    durable.run(run())


def test_similar_cases_that_ended_are_shown_the_newest_first(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        held = [await store.journal.run(ask(thread)) for _ in range(4)]
        for stored in held[:3]:
            await store.journal.run(Deny(ids=IDS, action=stored.progress.action, token=token("pe_b")[1]))
        ended = await store.acts.get(held[0].progress.action)
        assert ended.request is not None
        own = view(ended, None, None, ActionRules(), await store.acts.past(ended.about, most=5))
        assert held[0].progress.action not in {one.action for one in own.past}
        assert (len(own.past), own.undoes) == (2, "")
        request = msgspec.structs.replace(ended.request, door=Door.UNDO, parent="ac_before")
        undo = view(msgspec.structs.replace(ended, request=request), None, None, ActionRules(), ())
        assert undo.undoes == "ac_before"
        past = await store.acts.past(held[3].about, most=2)
        assert [(one.action, one.state, one.settled_by) for one in past] == [
            (held[at].progress.action, State.DENIED, "pe_b") for at in (2, 1)
        ]

    durable.run(run())


def test_rows_for_who_settles_come_in_the_order_that_is_asked_for(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        urgent = msgspec.structs.replace(ROUTE, decide_within_s=60)
        made = [await store.journal.run(ask(thread, route=urgent if at == 4 else PATIENT)) for at in range(6)]
        ids = [one.progress.action for one in made]
        await store.journal.run(Deny(ids=IDS, action=ids[0], token=token("pe_a")[1]))
        rows = await store.acts.queued(HELD, limit=10)
        assert [row.action for row in rows] == sorted(ids[1:])
        both = await store.acts.queued(HELD | {State.DENIED}, limit=10)
        assert [row.action for row in both] == sorted(ids)
        assert (both[0].settled_by, both[0].settled_at is not None) == ("pe_a", True)
        newest = await store.acts.queued(HELD, limit=2, newest=True)
        assert [row.action for row in newest] == sorted(ids[1:], reverse=True)[:2]
        later = await store.acts.queued(HELD, limit=9, newest=True, after=newest[-1].action)
        assert [row.action for row in later] == sorted(ids[1:], reverse=True)[2:]
        soon = made[4].progress.decide_by
        assert soon is not None
        assert [row.action for row in await store.acts.queued(HELD, limit=9, due_before=soon)] == [ids[4]]
        row = next(row for row in rows if row.action == ids[4])
        assert (row.asks, row.step, row.digest) == (urgent, 0, made[4].progress.digest)
        assert row.excluded == made[4].progress.excluded

    durable.run(run())
