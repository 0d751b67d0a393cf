"""Outcome events in storage, over statements that both engines understand. Each row and its entry are one transaction.

An event is matched when it comes, or later by `match`: by our interaction or conversation id, by the id that the client
gave its conversation, or by a customer's latest conversation that had begun by then. Where a given id leads to several
use cases it is not guessed: the event waits until one is named.

Names are stored as keyed hashes, texts only sealed: under the conversation's subject, or the customer's, or, while
neither is known, under a subject of the event's own that an erasure of what it names destroys too (`backends.erasing`).
An event about somebody erased before it came keeps its numbers and no text.

When storage does not answer, nothing is taken: JOURNAL_UNAVAILABLE, and the sender tries again with the same ids.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import Keyring
from handrail.backends.references import FetchTransaction
from handrail.backends.rows import Reading, SubjectRow
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.seal import KEY_SIZE
from handrail.releases.store import UnitStore
from handrail.review.outcome import OutcomeEvent, OutcomeFacts, facts_of, is_ours, payload_of
from handrail.review.signals import signal_of
from handrail.review.store import Taken
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import ConversationId, Digest, EntryId, Ids, InteractionId, SubjectId, UseCaseId

PORTION = 50
"""Events of one command: the writer is not held longer."""
FIRST_WAIT_MS = 5_000
LONGEST_WAIT_MS = 6 * 3_600_000
"""An unmatched event waits twice as long after each try, up to this."""

BY = Actor(ActorKind.SYSTEM, "outcomes")
_COLUMNS = (
    "event, bound, id, key_id, facts, named_by, ours, named, asked, use_case, conversation, interaction, subject, "
    "entry, occurred_at_ms, received_at_ms, tries, next_at_ms"
)


class OutcomeTransaction(FetchTransaction, Protocol):
    """What both concrete transactions have beside the port."""

    def add_subject(self, row: SubjectRow) -> None: ...

    def customer(self, customer: bytes, subject: SubjectRow) -> str: ...

    @property
    def units(self) -> UnitStore: ...


class _Name(NamedTuple):
    """What an event names. `ours`: an id that handrail made; `hashed`: of any other name."""

    by: str
    ours: str | None
    hashed: bytes | None


class _Match(NamedTuple):
    """`subject`: whose key seals the conversation, None when it was erased."""

    conversation: str
    interaction: str | None
    use_case: str
    subject: str | None
    release: str | None


class StoredOutcomes:
    """`review.store.Outcomes`."""

    def __init__(self, journal: BatchedJournal, reading: Reading, keys: Keyring, ids: Ids) -> None:
        self._journal = journal
        self._rows = reading.rows
        self._lookup = keys.lookup
        self._ids = ids

    async def save(self, events: Sequence[OutcomeEvent], *, key_id: str, use_case: str | None) -> list[Taken]:
        taken: list[Taken] = []
        for at in range(0, len(events), PORTION):
            part = events[at : at + PORTION]

            def save(tx: OutcomeTransaction, part: Sequence[OutcomeEvent] = part) -> list[Taken]:
                return [self._save(tx, event, key_id, use_case or "") for event in part]

            taken += await self._journal.run(save)
        return taken

    async def match(self, *, limit: int) -> int:
        found = 0
        while limit > 0:
            portion = min(limit, PORTION)

            def match(tx: OutcomeTransaction, portion: int = portion) -> tuple[int, int]:
                return self._match(tx, portion)

            tried, matched = await self._journal.run(match)
            found += matched
            limit -= portion
            if tried < portion:
                break
        return found

    async def unmatched(self) -> int:
        return int((await self._rows("SELECT count(*) FROM outcome WHERE conversation IS NULL"))[0][0])

    def _save(self, tx: OutcomeTransaction, event: OutcomeEvent, key_id: str, bound: str) -> Taken:
        hashed = self._lookup.event(event.source, event.id)
        known = tx.fetch("SELECT bound FROM outcome WHERE event = $1", (hashed,))
        if known and (not bound or any(each in ("", bound) for (each,) in known)):
            return Taken.DUPLICATE
        name = self._name(event)
        asked = event.use_case or ""
        match = self._find(tx, name, event.occurred_at_ms, asked, bound)
        outcome = self._ids.new("oc")
        facts = facts_of(event, outcome=outcome, key=key_id, received_ms=tx.now_ms)
        payload = payload_of(event)
        subject = None if payload is None else self._subject(tx, name, match)
        if payload is not None:
            facts = msgspec.structs.replace(facts, texts="sealed" if subject else "erased")
        entry = EntryId(self._ids.new("en"))
        use_case = match.use_case if match else asked or bound
        if match:
            facts = msgspec.structs.replace(facts, matched=True)
            _count(tx, match, facts)
        tx.append(
            _entry(
                entry,
                EntryKind.OUTCOME_REPORTED,
                tx.now_ms,
                Actor(ActorKind.KEY, key_id),
                facts,
                match,
                subject=subject,
                payload=payload if subject else None,
            )
        )
        values = (
            hashed, bound, outcome, key_id, msgspec.json.encode(facts), name.by, name.ours, name.hashed, asked,
            use_case, match and match.conversation, match and match.interaction, subject, entry, event.occurred_at_ms,
            tx.now_ms, 0, tx.now_ms + FIRST_WAIT_MS,
        )  # fmt: skip
        places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
        tx.fetch(f"INSERT INTO outcome ({_COLUMNS}) VALUES ({places})", values)  # noqa: S608  our own column names
        return Taken.ACCEPTED if match else Taken.UNMATCHED

    def _match(self, tx: OutcomeTransaction, limit: int) -> tuple[int, int]:
        """One portion of those that are due: how many were tried, how many found their conversation."""
        due = tx.fetch(
            "SELECT event, bound, facts, named_by, ours, named, asked, occurred_at_ms, tries, subject FROM outcome "
            "WHERE conversation IS NULL AND next_at_ms <= $1 ORDER BY next_at_ms LIMIT $2",
            (tx.now_ms, limit),
        )
        matched = 0
        for event, bound, facts, by, ours, named, asked, occurred_at_ms, tries, subject in due:
            name = _Name(by, ours, None if named is None else bytes(named))
            match = self._find(tx, name, occurred_at_ms, asked, bound)
            if match is None:
                wait_ms = min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(tries + 1, 20))
                tx.fetch(
                    "UPDATE outcome SET tries = tries + 1, next_at_ms = $1 WHERE event = $2 AND bound = $3",
                    (tx.now_ms + wait_ms, event, bound),
                )
                continue
            matched += 1
            full = msgspec.structs.replace(msgspec.json.decode(bytes(facts), type=OutcomeFacts), matched=True)
            entry = EntryId(self._ids.new("en"))
            if match.subject is None and subject is not None:
                full = msgspec.structs.replace(full, texts="erased")
                tx.fetch("UPDATE payload SET sealed = NULL WHERE subject = $1", (subject,))
                tx.fetch("UPDATE subject SET wrapped = NULL WHERE id = $1", (subject,))
            tx.append(_entry(entry, EntryKind.OUTCOME_MATCHED, tx.now_ms, BY, full, match))
            _count(tx, match, full)
            tx.fetch(
                "UPDATE outcome SET conversation = $1, interaction = $2, use_case = $3 WHERE event = $4 AND bound = $5",
                (match.conversation, match.interaction, match.use_case, event, bound),
            )
        return len(due), matched

    def _name(self, event: OutcomeEvent) -> _Name:
        """A name that we made is kept; any other only as a keyed hash of the kind that leads to it elsewhere."""
        for by, name in (("interaction", event.interaction), ("conversation", event.conversation)):
            if name is not None:
                return _Name(by, name, None) if is_ours(name) else _Name(by, None, self._lookup.given(name))
        return _Name("customer", None, self._lookup.customer(event.customer or ""))

    def _find(self, tx: OutcomeTransaction, name: _Name, occurred_at_ms: int, asked: str, bound: str) -> _Match | None:
        """The conversation that is meant, within what the key may speak for."""
        if asked and bound and asked != bound:
            return None
        interaction: str | None = None
        values: tuple[Any, ...]
        if name.by == "interaction":
            found = tx.fetch("SELECT conversation FROM interaction WHERE interaction = $1", (name.ours or "",))
            if not found:
                return None
            interaction, where, values = name.ours, "c.id = $1", (found[0][0],)
        elif name.by == "conversation":
            where, values = ("c.id = $1", (name.ours,)) if name.ours else ("c.given = $1", (name.hashed,))
        else:
            where, values = _OF_CUSTOMER, (name.hashed, occurred_at_ms)
        if asked or bound:
            where, values = f"{where} AND c.use_case = ${len(values) + 1}", (*values, asked or bound)
        rows = tx.fetch(f"{_CONVERSATION}{where} ORDER BY c.at_ms DESC, c.id DESC LIMIT 100", values)
        if not rows or (name.by == "conversation" and len({row[1] for row in rows}) > 1):
            return None
        # several of one given id: the conversation was begun again (another key, an erasure); the latest begun by then
        row = next((row for row in rows if row[5] <= occurred_at_ms), rows[-1])
        conversation, use_case, subject, live, release, _ = row
        return _Match(conversation, interaction, use_case, subject if live else None, release)

    def _subject(self, tx: OutcomeTransaction, name: _Name, match: _Match | None) -> str | None:
        """Whose key seals the texts; None: what it is about was erased, so they are not kept."""
        if match is not None:
            return match.subject
        fresh = SubjectRow(self._ids.new("su"), self._ids.token(KEY_SIZE), name.by == "customer", tx.now_ms)
        if name.by == "customer":
            assert name.hashed is not None  # a customer's name is never ours
            return tx.customer(name.hashed, fresh)
        tx.add_subject(fresh)
        return fresh.id


_CONVERSATION = (
    "SELECT c.id, c.use_case, c.subject, s.wrapped IS NOT NULL AND c.key_id <> '', c.release, c.at_ms "
    "FROM conversation c "
    "JOIN subject s ON s.id = c.subject WHERE "
)
_OF_CUSTOMER = (
    "(c.subject IN (SELECT subject FROM customer WHERE hash = $1) OR c.id IN (SELECT y.conversation FROM party y "
    "JOIN customer u ON u.subject = y.subject WHERE u.hash = $1)) AND c.at_ms <= $2 AND c.key_id <> ''"
)


def _count(tx: OutcomeTransaction, match: _Match, facts: OutcomeFacts) -> None:
    """Into the unit of a release that is being compared, where the conversation has one."""
    said = signal_of(facts)
    if said is not None:
        tx.units.signal(match.conversation, said[0], facts.occurred_at_ms, said[1])


def _entry(
    entry: EntryId,
    kind: EntryKind,
    at_ms: int,
    by: Actor,
    facts: OutcomeFacts,
    match: _Match | None,
    *,
    subject: str | None = None,
    payload: bytes | None = None,
) -> Entry:
    return Entry(
        id=entry,
        kind=kind,
        at_ms=at_ms,
        actor=by,
        facts=facts,
        about=facts.outcome,
        use_case=UseCaseId(match.use_case) if match else None,
        conversation=ConversationId(match.conversation) if match else None,
        interaction=InteractionId(match.interaction) if match and match.interaction else None,
        subject=SubjectId(subject) if subject else None,
        payload=payload,
        release=Digest(match.release) if match and match.release else None,
    )


def forget(tx: FetchTransaction, subject: str) -> list[str]:
    """For an erasure, before it deletes what leads to the subject: forget the names that events gave it, and say which
    subjects of events' own sealed texts about it."""
    about = (
        "(subject = $1 OR conversation IN (SELECT id FROM conversation WHERE subject = $1) "
        "OR ours IN (SELECT id FROM conversation WHERE subject = $1) "
        "OR named IN (SELECT hash FROM customer WHERE subject = $1) OR (conversation IS NULL AND "
        "(named IN (SELECT given FROM conversation WHERE subject = $1 AND given IS NOT NULL) "
        "OR named IN (SELECT x.named FROM outcome x WHERE x.subject = $1 AND x.conversation IS NULL))))"
    )
    own = tx.fetch(
        f"SELECT DISTINCT o.subject FROM outcome o JOIN subject s ON s.id = o.subject WHERE {about} "  # noqa: S608  ours
        "AND o.subject <> $1 AND s.person = 0 AND s.wrapped IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.subject = o.subject)",
        (subject,),
    )
    tx.fetch(f"UPDATE outcome SET named = NULL WHERE {about}", (subject,))  # noqa: S608  our own text
    return [str(each) for (each,) in own]


def forget_conversation(tx: FetchTransaction, conversation: str) -> list[str]:
    """As `forget`, for a conversation that is erased by itself."""
    about = (
        "(conversation = $1 OR ours = $1 OR (conversation IS NULL AND "
        "named IN (SELECT given FROM conversation WHERE id = $1 AND given IS NOT NULL)))"
    )
    own = tx.fetch(
        f"SELECT DISTINCT o.subject FROM outcome o JOIN subject s ON s.id = o.subject WHERE {about} "  # noqa: S608  ours
        "AND s.person = 0 AND s.wrapped IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.subject = o.subject)",
        (conversation,),
    )
    tx.fetch(f"UPDATE outcome SET named = NULL WHERE {about}", (conversation,))  # noqa: S608  our own text
    return [str(each) for (each,) in own]


def waiting_for(tx: FetchTransaction, named: bytes) -> str | None:
    """A subject of texts that wait for the conversation of this given id; None: no such texts."""
    found = tx.fetch(
        "SELECT o.subject FROM outcome o JOIN subject s ON s.id = o.subject "
        "WHERE o.named = $1 AND o.named_by = 'conversation' AND o.conversation IS NULL AND s.wrapped IS NOT NULL "
        "ORDER BY o.subject LIMIT 1",
        (named,),
    )
    return str(found[0][0]) if found else None


OF_USE_CASE = (
    "SELECT e.seq FROM outcome o JOIN entry e ON e.id = o.entry "
    "WHERE (o.use_case = $1 OR o.use_case = '') AND o.received_at_ms < $2 AND o.subject IS NOT NULL"
)
"""For retention: the rows of payloads of a use case's outcomes, and of those that no use case is known of."""

OF_HELD = (
    "SELECT o.subject FROM outcome o JOIN conversation c ON c.id = o.conversation "
    "JOIN legal_hold h ON h.subject = c.subject WHERE o.subject IS NOT NULL"
)
"""For legal holds: subjects of events' own whose conversation is held."""

OF_HELD_PARTY = (
    "SELECT e.seq FROM legal_hold h JOIN party y ON y.subject = h.subject "
    "JOIN outcome o ON o.conversation = y.conversation JOIN entry e ON e.id = o.entry"
)
"""For legal holds: the rows of payloads of outcomes whose conversation also names somebody who is held."""
