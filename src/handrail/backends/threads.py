"""Conversations and their subjects, over the look-ups of an engine. First turns wait for no commit.

A row that still waits for its commit is kept in memory beside what storage says; the one with more turns is right.
Other processes see a turn once its commit is durable, which is before the answer's last byte.

When storage cannot be read it raises JOURNAL_UNAVAILABLE: no conversation, no answer. An inferred conversation needs
exactly one match; none or several give a new conversation marked `unlinked`, never a guess.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import Keyring
from handrail.backends.rows import ConversationRow, SubjectRow
from handrail.guard.ports import Subject, Thread
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.seal import KEY_SIZE
from handrail.ledger.store import Transaction
from handrail.releases.assign import Arm, Drawn
from handrail.releases.store import UnitStore
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, Digest, EntryId, Ids, SubjectId, UseCaseId

CACHED = 4_096
"""Customers and links kept in memory."""

HASH = 16
MAX_SEEN = 4_096
"""Messages remembered for one conversation; older ones would be recorded again."""


class Lookups(Protocol):
    """Reads of committed rows. Each raises HandrailError JOURNAL_UNAVAILABLE."""

    async def conversation(self, conversation: str) -> ConversationRow | None: ...

    async def given(self, given: bytes) -> list[ConversationRow]:
        """Every conversation that a client named so."""
        ...

    async def tail(self, tail: bytes) -> list[ConversationRow]:
        """At most two: two are as ambiguous as more."""
        ...

    async def customer(self, customer: bytes) -> str | None:
        """The subject."""
        ...

    async def unit(self, of: str, run: int, unit: str) -> tuple[str, float, int] | None:
        """Arm, share and stage."""
        ...

    async def key(self, subject: str) -> tuple[bytes, str] | None:
        """Wrapped key and the intermediate key that wrapped it; None when erased or unknown."""
        ...


class ThreadTransaction(Transaction, Protocol):
    """What must be unique, so it waits for its commit."""

    def customer(self, customer: bytes, subject: SubjectRow) -> str: ...

    def party(self, conversation: str, subject: str) -> bool: ...

    @property
    def units(self) -> UnitStore: ...


class LinkFacts(msgspec.Struct, frozen=True):
    """Facts of `subject.linked`: a conversation that began without this customer."""

    conversation: str
    own: str
    linked: str


class StoredThread(Thread, frozen=True, kw_only=True):
    """What `open` found and was given, so that `close_turn` need not look or hash again."""

    row: ConversationRow
    history: tuple[bytes, ...]
    customer: CustomerId | None


class StoredThreads:
    """`guard.ports.Threads`. Use it from one event loop."""

    def __init__(self, journal: BatchedJournal, keys: Keyring, lookups: Lookups, ids: Ids, clock: Clock) -> None:
        self._journal = journal
        self._keys = keys
        self._lookup = keys.lookup
        self._db = lookups
        self._ids = ids
        self._clock = clock
        self._waiting = _Waiting(journal)
        self._customers: OrderedDict[str, str] = OrderedDict()
        self._parties: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._generation = keys.generation

    def fingerprint(self, message: bytes) -> bytes:
        return self._lookup.message(message)

    async def open(
        self,
        *,
        use_case: UseCaseId,
        key_id: str,
        conversation: str | None,
        customer: CustomerId | None,
        history: Sequence[bytes],
        new_from: int,
    ) -> StoredThread:
        if self._keys.generation != self._generation:
            self._generation = self._keys.generation
            self._customers.clear()
            self._parties.clear()
        self._waiting.settle()
        row: ConversationRow | None = None
        given: bytes | None = None
        sent = tuple([self._lookup.message(message) for message in history])
        if conversation is not None:
            given = self._lookup.given(conversation)
            row = await self._named(use_case, key_id, conversation, given)
        elif new_from > 0:
            row = await self._inferred(use_case, self._lookup.tail(key_id, customer, b"".join(sent[:new_from])))
        subject = None if row is None else await self._subject(row.subject)
        unlinked = False
        if row is None or subject is None:  # nothing fits, or its subject was erased: a new conversation
            row, subject = await self._begun(use_case, key_id, given, customer)
            unlinked = conversation is None and new_from > 0
        elif customer is not None:
            await self._join(row, customer)
        seen = row.seen
        return StoredThread(
            conversation=ConversationId(row.id),
            subject=subject,
            first=row.turns == 0,
            unlinked=unlinked,
            seen=frozenset([seen[at : at + HASH] for at in range(0, len(seen), HASH)]),
            sent=sent,
            release=None if row.release is None else Digest(row.release),
            drawn=None if row.drawn is None else _DRAWN.decode(row.drawn),
            row=row,
            history=tuple(history),
            customer=customer,
        )

    async def unit(self, of: Digest, run: int, unit: str) -> Drawn | None:
        found = await self._db.unit(of, run, unit)
        if found is None:
            return None
        arm, share, stage = found
        release = of if arm in (Arm.CANARY, Arm.PILOT) else Digest("")
        return Drawn(release=release, arm=Arm(arm), unit=unit, share=share, stage=stage, of=of, run=run)

    def assign(self, thread: Thread, drawn: Drawn) -> Thread:
        """Raises TypeError for a thread that `open` did not make."""
        if not isinstance(thread, StoredThread):
            raise TypeError("assign takes the thread that open returned")
        row = thread.row._replace(release=drawn.release, drawn=msgspec.json.encode(drawn).decode())
        if drawn.of:
            use_case, conversation = UseCaseId(row.use_case), row.id

            def assign(tx: ThreadTransaction) -> None:
                tx.units.assign(use_case, drawn, conversation)

            self._journal.queue_command(assign)  # before its conversation can be found, so that no outcome misses it
        self._put(row)
        return msgspec.structs.replace(thread, release=drawn.release, drawn=drawn, row=row)

    def signal(self, thread: Thread, names: Sequence[str], at_ms: int) -> None:
        conversation = thread.conversation

        def signal(tx: ThreadTransaction) -> None:
            for name in names:
                tx.units.signal(conversation, name, at_ms, 1.0)

        self._journal.queue_command(signal)

    async def close_turn(self, thread: Thread, *, history: Sequence[bytes]) -> None:
        """Raises TypeError for a thread that `open` did not make."""
        if not isinstance(thread, StoredThread):
            raise TypeError("close_turn takes the thread that open returned")
        row, hashes = thread.row, list(thread.sent)
        sent = len(hashes)
        if tuple(history[:sent]) != thread.history:
            hashes, sent = [], 0
        for message in history[sent:]:
            hashes.append(self._lookup.message(message))
        tail = None
        if row.given is None:
            tail = self._lookup.tail(row.key_id, thread.customer, b"".join(hashes))
        seen = row.seen + b"".join([each for each in dict.fromkeys(hashes) if each not in thread.seen])
        self._put(
            row._replace(
                tail=tail, seen=seen[-MAX_SEEN * HASH :], turns=row.turns + 1, release=row.release or thread.release
            )
        )

    async def _named(self, use_case: str, key_id: str, conversation: str, given: bytes) -> ConversationRow | None:
        """By our own id, or by the id the client gave; only within its use case and key."""
        candidates = self._waiting.given(given)
        candidates += await self._db.given(given)
        if conversation.startswith("cv_"):
            own = await self._latest(conversation)
            candidates += [own] if own is not None else []
        for row in candidates:
            if row.use_case == use_case and row.key_id == key_id:
                return self._waiting.latest(row)
        return None

    async def _latest(self, conversation: str) -> ConversationRow | None:
        stored = await self._db.conversation(conversation)
        return self._waiting.get(conversation) if stored is None else self._waiting.latest(stored)

    async def _inferred(self, use_case: str, tail: bytes) -> ConversationRow | None:
        found = {row.id: row for row in self._waiting.tail(tail)}
        for row in await self._db.tail(tail):
            latest = self._waiting.latest(row)
            if latest.tail == tail:
                found[row.id] = latest
        if len(found) != 1:
            return None
        row = found.popitem()[1]
        return row if row.use_case == use_case else None

    async def _begun(
        self, use_case: str, key_id: str, given: bytes | None, customer: CustomerId | None
    ) -> tuple[ConversationRow, Subject]:
        now_ms = self._clock.now_ms()
        if customer is None:
            subject = Subject(SubjectId(self._ids.new("su")), self._ids.token(KEY_SIZE))
            self._journal.queue_row(SubjectRow(subject.id, subject.key, False, now_ms))
            self._keys.remember(subject.id, subject.key)
        else:
            known = await self._subject(await self._customer(customer))
            if known is None:  # erased a moment ago by another process; the customer is new now
                self._customers.pop(customer, None)
                known = await self._subject(await self._customer(customer))
            if known is None:
                raise HandrailError(Code.JOURNAL_UNAVAILABLE, "this customer is being erased", retry_after_s=1.0)
            subject = known
        row = ConversationRow(self._ids.new("cv"), use_case, key_id, subject.id, given, None, b"", 0, None, now_ms)
        self._put(row)
        return row, subject

    async def _customer(self, customer: CustomerId) -> str:
        """The customer's subject; made, and waited for, when it is seen for the first time."""
        known = self._customers.get(customer)
        if known is not None:
            return known
        hashed = self._lookup.customer(customer)
        subject = await self._db.customer(hashed)
        if subject is None:
            row = SubjectRow(self._ids.new("su"), self._ids.token(KEY_SIZE), True, self._clock.now_ms())

            def make(tx: ThreadTransaction) -> str:
                return tx.customer(hashed, row)

            subject = await self._journal.run(make)
        self._customers[customer] = subject
        if len(self._customers) > CACHED:
            self._customers.popitem(last=False)
        return subject

    async def _subject(self, subject: str) -> Subject | None:
        """None when it was erased. Looks twice: a rotation may have wrapped the key anew since the first look."""
        key = self._keys.cached(subject)
        for last in (False, True):
            if key is not None:
                break
            generation = self._keys.generation
            stored = await self._db.key(subject)
            if stored is None:
                return None
            try:
                key = self._keys.unwrap(subject, stored[0], stored[1])
            except HandrailError:
                if last:
                    raise
            else:
                self._keys.remember(subject, key, generation)
        assert key is not None  # the second look gave it, or raised
        return Subject(SubjectId(subject), key)

    async def _join(self, row: ConversationRow, customer: CustomerId) -> None:
        """A customer appears in a conversation that is sealed under another subject: both are named from now on."""
        try:
            await self._link(row, await self._customer(customer))
        except HandrailError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            self._customers.pop(customer, None)  # erased a moment ago by another process; the customer is new now
            await self._link(row, await self._customer(customer))

    async def _link(self, row: ConversationRow, subject: str) -> None:
        """Raises HandrailError NOT_FOUND when one of the two subjects was erased."""
        if subject == row.subject or (row.id, subject) in self._parties:
            return
        facts = LinkFacts(conversation=row.id, own=row.subject, linked=subject)
        entry_id = EntryId(self._ids.new("en"))

        def link(tx: ThreadTransaction) -> None:
            if tx.party(row.id, subject):
                tx.append(
                    Entry(
                        id=entry_id,
                        kind=EntryKind.SUBJECT_LINKED,
                        at_ms=tx.now_ms,
                        actor=Actor(ActorKind.SYSTEM, "threads"),
                        facts=facts,
                        about=row.id,
                        use_case=UseCaseId(row.use_case),
                        conversation=ConversationId(row.id),
                        subject=SubjectId(row.subject),
                    )
                )

        await self._journal.run(link)
        self._parties[row.id, subject] = None
        if len(self._parties) > CACHED:
            self._parties.popitem(last=False)

    def _put(self, row: ConversationRow) -> None:
        self._waiting.add(row, self._journal.queue_row(row))


class _Waiting:
    """Conversation rows that are queued and not yet durable, oldest first."""

    def __init__(self, journal: BatchedJournal) -> None:
        self._writer = journal.writer
        self._lost = self._writer.lost
        self._rows: dict[str, tuple[int, ConversationRow]] = {}
        self._order: deque[tuple[int, str]] = deque()

    def add(self, row: ConversationRow, ticket: int) -> None:
        self._rows[row.id] = (ticket, row)
        self._order.append((ticket, row.id))

    def settle(self) -> None:
        """Forget what is durable by now, or lost."""
        if self._lost != self._writer.lost:
            self._lost = self._writer.lost
            self._rows.clear()
            self._order.clear()
        done, order = self._writer.done, self._order
        while order and order[0][0] <= done:
            ticket, conversation = order.popleft()
            held = self._rows.get(conversation)
            if held is not None and held[0] == ticket:
                del self._rows[conversation]

    def get(self, conversation: str) -> ConversationRow | None:
        held = self._rows.get(conversation)
        return None if held is None else held[1]

    def latest(self, row: ConversationRow) -> ConversationRow:
        held = self._rows.get(row.id)
        return held[1] if held is not None and held[1].turns >= row.turns else row

    def given(self, given: bytes) -> list[ConversationRow]:
        return [row for _, row in self._rows.values() if row.given == given]

    def tail(self, tail: bytes) -> list[ConversationRow]:
        return [row for _, row in self._rows.values() if row.tail == tail]


_DRAWN = msgspec.json.Decoder(Drawn)
