"""A case is handed to one person who may decide it: she alone for a while, then the route again; four eyes stay."""

from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, kinds, token
from contract.test_settling import SENIOR, TWO, deny, published, refused
from fakes.storage import IDS, Rig

from handrail.approvals.eligible import row_of
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import HandOn, HandTo
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.policy.action_rules import Route
from handrail.terms.errors import Code
from handrail.terms.ids import PersonId

ONE = Route(id="one", roles=("approver",))
AT_ONCE = msgspec.structs.replace(ONE, hand_over_within_s=0)
"""Whoever it is handed to has no time at all: it is the route's again."""


def hand(stored: Any, to: str, by: str = "pe_a") -> HandTo:
    return HandTo(ids=IDS, action=stored.progress.action, to=to, token=token(by)[1])


@pytest.mark.promise("CAP-5")
def test_she_alone_decides_and_the_entry_names_her(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store, routes=(ONE, SENIOR))
        stored = await store.journal.run(ask(await begin(store), route=ONE))
        moved = await store.journal.run(hand(stored, "pe_b"))
        assert (moved.progress.handed_to, moved.progress.route) == ("pe_b", stored.progress.route)
        assert moved.progress.decide_by == stored.progress.decide_by
        assert (await store.acts.queued(frozenset({State.HELD}), limit=9)) == [row_of(moved)]
        for late in (approve(stored, "pe_a"), deny(stored, "pe_a")):
            assert (await refused(store, late)).code is Code.NOT_ALLOWED
        assert (await store.journal.run(approve(stored, "pe_b"))).progress.state is State.APPROVED
        rows = await store.reader.latest(Listing(kinds=(EntryKind.ACTION_HANDED_ON,)))
        facts = [msgspec.json.decode(bytes(read_facts(data).facts)) for _, data in rows]
        assert [one["handed_to"] for one in facts] == ["pe_b"]

    durable.run(run())


@pytest.mark.promise("CAP-5")
def test_after_her_time_or_by_a_colleague_it_is_the_routes_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store, routes=(AT_ONCE, ONE, SENIOR))
        over = await store.journal.run(ask(await begin(store), route=AT_ONCE))
        await store.journal.run(hand(over, "pe_b"))
        assert (await store.journal.run(approve(over, "pe_a"))).progress.state is State.APPROVED
        back = await store.journal.run(ask(await begin(store), route=ONE))
        await store.journal.run(hand(back, "pe_b"))
        on = HandOn(ids=IDS, action=back.progress.action, route="one", token=token("pe_a")[1])
        assert (await store.journal.run(on)).progress.handed_to == ""
        assert (await store.journal.run(approve(back, "pe_a"))).progress.state is State.APPROVED

    durable.run(run())


@pytest.mark.promise("CAP-5")
def test_only_who_may_decide_it_gets_it_and_four_eyes_stay_four(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store, routes=(TWO, SENIOR))
        out = frozenset({PersonId("pe_b")})
        stored = await store.journal.run(ask(await begin(store), route=TWO, excluded=out))
        for to, code in (("pe_b", Code.NOT_ALLOWED), ("pe_c", Code.NOT_ALLOWED), ("pe_a", Code.NOT_ALLOWED),
                         ("pe_nobody", Code.NOT_FOUND), ("nobody@shop.example", Code.NOT_FOUND)):  # fmt: skip
            assert (await refused(store, hand(stored, to))).code is code, to
        assert (await refused(store, hand(stored, "pe_a", by="pe_b"))).code is Code.NOT_ALLOWED  # who is excluded
        free = await store.journal.run(ask(await begin(store), route=TWO))
        once = await store.journal.run(approve(free, "pe_b"))
        assert once.progress.state is State.HELD
        assert (await refused(store, hand(free, "pe_b"))).code is Code.NOT_ALLOWED  # she has approved it
        assert "action.handed_on" not in await kinds(store)

    durable.run(run())
