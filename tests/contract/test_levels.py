"""Raising autonomy from a page, on SQLite and PostgreSQL: what is needed reads the same beside the writer as in the
command, and two who look at the same page raise one level."""

from typing import Any

import pytest
from contract.test_actions import token
from contract.test_autonomy import MONEY, S2, fall, happened, ready
from fakes.actions import use_case
from fakes.storage import CLOCK, IDS, ORDERS, Rig

from handrail.app.demoting import standing
from handrail.app.levels import StoredLevels
from handrail.governance.autonomy_desk import DemoteByHand, bars_of
from handrail.governance.demote import Demotion
from handrail.policy.autonomy import Cause, Demote, Trigger
from handrail.review.incident import Severity
from handrail.review.incidents import NOBODY, Open
from handrail.terms.errors import Code, HandrailError
from handrail.watch.alarm import Raise
from handrail.watch.alert import AlertKind, Raised
from handrail.watch.alert import Severity as AlertSeverity


async def lowered(store: Any) -> Demotion:
    found: Demotion = await store.journal.run(lambda tx: tx.autonomy.get(ORDERS))
    return found


def by_hand(levels: int) -> DemoteByHand:
    return DemoteByHand(
        ids=IDS, use_case=ORDERS, types=(MONEY,), levels=levels, reason="odd", token=token("pe_c")[1]
    )  # fmt: skip


@pytest.mark.promise("CWA-3")
def test_two_who_look_at_the_same_page_raise_one_level(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        await store.journal.run(by_hand(2))
        seen = (await lowered(store)).version
        desk = StoredLevels(store, CLOCK)
        asked: dict[str, Any] = {"types": (), "reason": "looked at it", "override": False, "seen": seen}
        done = await desk.promote(ORDERS, token=token("pe_c")[1], **asked)
        assert [(move.before.value, move.after.value) for move in done.moves] == [("A2", "A3")]
        with pytest.raises(HandrailError) as late:
            await desk.promote(ORDERS, token=token("pe_c")[1], **asked)
        assert late.value.code is Code.LOST_RACE
        assert (await lowered(store)).levels[MONEY].level.value == "A3"

    durable.run(run())


@pytest.mark.promise("CWA-3")
def test_what_a_raise_needs_reads_the_same_as_in_the_command(durable: Rig) -> None:
    async def run() -> None:
        drift = Trigger(cause=Cause.DRIFT, what="", types=(MONEY,))
        store = await ready(durable, Demote(triggers=(S2, drift), below={"complaint": 0.1}))
        await store.journal.run(fall(happened()))
        await store.journal.run(
            Open(ids=IDS, use_case=ORDERS, title="Twice", severity=Severity.S1, scope=NOBODY, token=token("pe_c")[1])
        )
        found = Raised(
            cause="drift/orders/complaint", kind=AlertKind.DRIFT, severity=AlertSeverity.WARNING, use_case=ORDERS,
            metric="complaint", sentence="worse", promise="", at_ms=1,
        )  # fmt: skip
        await store.journal.run(Raise(ids=IDS, found=(found,)))
        case = (await store.in_force.load()).ruleset.use_cases[ORDERS]
        before = await lowered(store)
        told = await StoredLevels(store, CLOCK).bars(case, before)
        inside = await store.journal.run(lambda tx: bars_of(tx, case, before, tuple(before.levels), standing))
        assert [(one.met, one.said.split(" since")[0]) for one in told] == [
            (one.met, one.said.split(" since")[0]) for one in inside
        ]  # fmt: skip
        assert [one.met for one in told] == [False] * 5  # time, units, a rate, the incident, the alert
        assert await StoredLevels(store, CLOCK).bars(use_case(), Demotion(use_case=ORDERS)) == ()

    durable.run(run())
