"""Outcome events in memory: the rules of the port over the memory journal and its conversations."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fakes.guard import MemoryThreads
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.read import PROJECTED
from handrail.review.outcome import OutcomeEvent, facts_of, payload_of
from handrail.review.store import Taken
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import ConversationId, EntryId, InteractionId, SubjectId, UseCaseId


class MemoryOutcomes:
    """`review.store.Outcomes`."""

    def __init__(self, journal: Any, threads: MemoryThreads, now_ms: Callable[[], int]) -> None:
        self._journal = journal
        self._threads = threads
        self._now_ms = now_ms
        self._known: dict[tuple[str, str], set[str]] = {}
        self._waiting: list[tuple[OutcomeEvent, str, Any]] = []

    async def save(self, events: Sequence[OutcomeEvent], *, key_id: str, use_case: str | None) -> list[Taken]:
        return [await self._save(event, key_id, use_case or "") for event in events]

    async def match(self, *, limit: int) -> int:
        found = 0
        for row in self._waiting[:limit]:
            event, bound, facts = row
            match = self._find(event, bound)
            if match is not None:
                full = msgspec.structs.replace(facts, matched=True)
                await self._journal.record(self._entry(EntryKind.OUTCOME_MATCHED, event, full, match, "", None))
                self._waiting.remove(row)
                found += 1
        return found

    async def unmatched(self) -> int:
        return len(self._waiting)

    async def _save(self, event: OutcomeEvent, key_id: str, bound: str) -> Taken:
        known = self._known.get((event.source, event.id), set())
        if known and (not bound or known & {"", bound}):
            return Taken.DUPLICATE
        match = self._find(event, bound)
        number = len(self._journal.entries) + 1
        facts = facts_of(event, outcome=f"oc_{number:026d}", key=key_id, received_ms=self._now_ms())
        payload = payload_of(event)
        facts = msgspec.structs.replace(facts, matched=match is not None, texts="sealed" if payload else "")
        entry = self._entry(EntryKind.OUTCOME_REPORTED, event, facts, match, f"su_{number}" if payload else "", payload)
        await self._journal.record(entry)
        self._known.setdefault((event.source, event.id), set()).add(bound)
        if match is None:
            self._waiting.append((event, bound, facts))
        return Taken.ACCEPTED if match else Taken.UNMATCHED

    def _find(self, event: OutcomeEvent, bound: str) -> str | None:
        if event.use_case and bound and event.use_case != bound:
            return None
        wanted = event.use_case or bound
        begun = self._threads.begun
        if event.interaction is not None:
            closed = [e for e in self._journal.entries if e.kind in PROJECTED and e.interaction == event.interaction]
            names = [entry.conversation for entry in closed]
        elif event.conversation is not None:
            names = [name for name, row in begun.items() if event.conversation in (name, row[2])]
        else:
            names = [name for name, row in begun.items() if row[3] == event.customer and row[0] <= event.occurred_at_ms]
        names = [name for name in names if not wanted or begun[name][1] == wanted]
        if event.conversation is not None and len({begun[name][1] for name in names}) > 1:
            return None
        before = [name for name in names if begun[name][0] <= event.occurred_at_ms]
        if not before:
            return min(names, default=None)
        return max(before, key=lambda name: (begun[name][0], name))

    def _entry(
        self, kind: EntryKind, event: OutcomeEvent, facts: Any, match: str | None, subject: str, payload: bytes | None
    ) -> Entry:
        return Entry(
            id=EntryId(f"en_{len(self._journal.entries) + 1:026d}"),
            kind=kind,
            at_ms=self._now_ms(),
            actor=Actor(ActorKind.KEY, facts.key),
            facts=facts,
            about=facts.outcome,
            use_case=UseCaseId(self._threads.begun[match][1]) if match else None,
            conversation=ConversationId(match) if match else None,
            interaction=InteractionId(event.interaction) if match and event.interaction else None,
            subject=SubjectId(subject) if subject else None,
            payload=payload,
        )
