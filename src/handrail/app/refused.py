"""Counts of refused calls become entries: one for each minute, source and code."""

import asyncio

from handrail.app import wire
from handrail.gateway.identity import Refusals
from handrail.ledger.entry import Entry, EntryKind, UnregisteredFacts
from handrail.ledger.store import Journal
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import HandrailError
from handrail.terms.ids import EntryId

REFUSALS_S = 5.0
EVER = 1 << 40
"""A minute after every other."""


async def record_each_minute(refusals: Refusals, journal: Journal) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(REFUSALS_S)
        await record(refusals, journal, before_minute=wire.CLOCK.now_ms() // 60_000)


async def record(refusals: Refusals, journal: Journal, *, before_minute: int) -> None:
    """One entry per minute, source and code. What cannot be recorded now is counted again and tried later."""
    waiting = refusals.drain(before_minute)
    for at, refusal in enumerate(waiting):
        facts = UnregisteredFacts(refusal.minute, refusal.source, refusal.code, refusal.key, refusal.count)
        kind = EntryKind.CALL_REFUSED if refusal.key else EntryKind.CALL_UNREGISTERED
        entry = Entry(
            id=EntryId(wire.IDS.new("en")),
            kind=kind,
            at_ms=wire.CLOCK.now_ms(),
            actor=Actor(ActorKind.SYSTEM, "gateway"),
            facts=facts,
        )
        try:
            await journal.record(entry)
        except HandrailError:
            for left in waiting[at:]:
                refusals.restore(left)
            return
