"""A log in memory: the sequencer's storage, entries to fill it with, and a whole published log as a dict of files."""

from dataclasses import dataclass, field
from hashlib import sha256

from handrail.ledger.commitment import commit, facts_bytes
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.note import Checkpoint, KeyType, SigningKey, Trust, sign_checkpoint
from handrail.ledger.sequence import Head, Pending
from handrail.ledger.tree import EMPTY_ROOT, Edge, grow
from handrail.ledger.verify import Record
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, UseCaseId

LOG_KEY = SigningKey("log.example/cx", KeyType.ED25519, sha256(b"log key of the tests").digest())
TRUST = Trust((LOG_KEY.verifier,))
RULESET, RELEASE = Digest("cd" * 32), Digest("ab" * 32)


def entry(n: int) -> Entry:
    """The n-th made-up interaction; every seventh entry is a small one without release."""
    at_ms = 1_700_000_000_000 + n
    actor = Actor(ActorKind.KEY, "abcdefgh12345678")
    if n % 7 == 6:
        return Entry(id=EntryId(f"ent_{n:026d}"), kind=EntryKind.SERVER_STARTED, at_ms=at_ms, actor=actor)
    facts = InteractionFacts(
        interaction=InteractionId(f"int_{n:026d}"),
        conversation=ConversationId(f"cnv_{n // 3:026d}"),
        use_case=UseCaseId("orders"),
        key="abcdefgh12345678",
        route="chat.completions",
        language="de",
        release=RELEASE,
        model="gpt-4o",
        findings=(FoundFact(kind=Kind.CARD, side="input", score=0.99, reason="luhn", action="mask"),),
        input_tokens=n,
        latency_ms=900,
    )
    return Entry(
        id=EntryId(f"ent_{n:026d}"), kind=EntryKind.INTERACTION_CLOSED, at_ms=at_ms, actor=actor, facts=facts,
        use_case=facts.use_case, conversation=facts.conversation, interaction=facts.interaction, ruleset=RULESET,
        release=RELEASE,
    )  # fmt: skip


def recorded(n: int) -> tuple[bytes, Record]:
    """Leaf bytes and record of the n-th entry."""
    one = entry(n)
    facts = facts_bytes(one, sha256(b"salt %d" % n).digest()[:16])
    payload = b"ciphertext %d" % n if one.release else None
    key = "sub_1" if payload else None
    return commit(one, facts, payload, key or "").encode(), Record(n, facts, payload, key)


class FakeRecords:
    """`ledger.verify.RecordReader` over a list."""

    def __init__(self, rows: list[Record]) -> None:
        self.rows = rows

    def records(self, first: int, limit: int) -> list[Record]:
        return [row for row in self.rows if first <= row.index < first + limit]


@dataclass
class Published:
    """A whole log: files by path, the leaves, the records."""

    files: dict[str, bytes]
    leaves: list[bytes]
    rows: list[Record]

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    @property
    def records(self) -> FakeRecords:
        return FakeRecords(self.rows)


def files_of(leaves: list[bytes], batch: int = 1_000) -> dict[str, bytes]:
    """Every file of a log of these leaves, grown in batches, signed."""
    edge, files = Edge(), {}
    for at in range(0, len(leaves), batch):
        edge, fresh = grow(edge, leaves[at : at + batch])
        files |= {file.path: file.data for file in fresh}
    checkpoint = Checkpoint(LOG_KEY.name, edge.size, edge.root())
    return files | {"checkpoint": sign_checkpoint(checkpoint, [LOG_KEY], 1_700_000_000)}


def publish(size: int, batch: int = 1_000) -> Published:
    """A log of `size` made-up entries."""
    both = [recorded(n) for n in range(size)]
    leaves = [leaf for leaf, _ in both]
    return Published(files_of(leaves, batch), leaves, [row for _, row in both])


@dataclass
class FakeSequencing:
    """`ledger.sequence.Sequencing` in memory, with the same refusals as storage. `rows`: commitments by ref."""

    rows: dict[int, bytes] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    last: Head = field(default_factory=lambda: Head(0, EMPTY_ROOT, b""))
    leads: bool = True

    def journal(self, leaves: list[bytes]) -> None:
        """Append entries without an index."""
        start = max(self.rows, default=0)
        self.rows |= {start + at: leaf for at, leaf in enumerate(leaves, 1)}

    async def lead(self) -> bool:
        return self.leads

    async def resign(self) -> None:
        pass

    async def head(self) -> Head:
        return self.last

    async def sequenced(self) -> int:
        return len(self.order)

    async def take(self, limit: int) -> list[Pending]:
        waiting = sorted(self.rows.keys() - set(self.order))
        return [Pending(ref, self.rows[ref]) for ref in waiting[:limit]]

    async def assign(self, first_index: int, refs: list[int]) -> None:
        if first_index != len(self.order) or set(refs) & set(self.order):
            raise HandrailError(Code.LOST_RACE, "another sequencer was quicker")
        self.order += refs

    async def commitments(self, first_index: int, limit: int) -> list[bytes]:
        return [self.rows[ref] for ref in self.order[first_index : first_index + limit]]

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        if not self.last.size <= size <= len(self.order) or (size == self.last.size and root != self.last.root):
            raise HandrailError(Code.LOST_RACE, "another sequencer was quicker")
        self.last = Head(size, root, checkpoint)
