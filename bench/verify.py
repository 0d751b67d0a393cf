"""How fast a log is grown and verified, on one core, in CPU time.

    python bench/verify.py [ENTRIES]        default 1,000,000; needs some 2.5 KB of memory for each entry

Prints for each part the CPU seconds, microseconds for an entry and the target: growing the tree as the sequencer does
(<= 6 us), the tree alone, tree and facts (<= 10 s for a million), index columns, and payload digests beside it.
"""

import gc
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from handrail.ledger.commitment import commit, facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.note import Checkpoint, KeyType, SigningKey, Trust, sign_checkpoint
from handrail.ledger.read import columns
from handrail.ledger.tree import Edge, grow
from handrail.ledger.verify import Record, verify
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

KEY = SigningKey("log.example/bench", KeyType.ED25519, hashlib.sha256(b"bench").digest())
PAYLOAD = 1_024  # bytes of ciphertext: some 2 KB of text, compressed
BATCH = 1_000
ACTOR = Actor(ActorKind.KEY, "abcdefgh12345678")
RELEASE, RULESET = Digest("ab" * 32), Digest("cd" * 32)
FOUND = (FoundFact(kind=Kind.CARD, side="input", score=0.99, reason="luhn", action="mask"),)


def made(n: int) -> Entry:
    interaction, conversation = InteractionId(f"int_{n:026d}"), ConversationId(f"cnv_{n:026d}")
    facts = InteractionFacts(
        interaction=interaction, conversation=conversation, use_case=UseCaseId("orders"), key="abcdefgh12345678",
        agent="bot", route="chat.completions", channel="web", language="en", release=RELEASE, provider="openai",
        model="gpt-4o", findings=FOUND, messages_new=1, messages_total=7, input_tokens=1_200, output_tokens=180,
        latency_ms=900, first_byte_ms=310, attempts=1,
    )  # fmt: skip
    return Entry(
        id=EntryId(f"ent_{n:026d}"), kind=EntryKind.INTERACTION_CLOSED, at_ms=1_700_000_000_000 + n, actor=ACTOR,
        facts=facts, use_case=facts.use_case, conversation=conversation, interaction=interaction,
        subject=SubjectId("sub_01ARZ3NDEKTSV4RRFFQ69G5FAV"), ruleset=RULESET, release=RELEASE,
    )  # fmt: skip


class Rows:
    def __init__(self, rows: list[Record]) -> None:
        self.rows = rows

    def records(self, first: int, limit: int) -> list[Record]:
        return self.rows[first : first + limit]


class WithColumns(Rows):
    def records(self, first: int, limit: int) -> list[Record]:
        rows = self.rows[first : first + limit]
        return [Record(row.index, row.facts, None, None, columns(read_facts(row.facts))) for row in rows]


class WithPayloads(Rows):
    def records(self, first: int, limit: int) -> list[Record]:
        payload = bytes(PAYLOAD)
        return [Record(row.index, row.facts, payload) for row in self.rows[first : first + limit]]


def timed(name: str, entries: int, work: Callable[[], object], target: str) -> None:
    start = time.process_time()
    work()
    took = time.process_time() - start
    print(f"{name:34} {took:8.2f} s {took / entries * 1e6:8.2f} us/entry   {target}", flush=True)


def main(entries: int) -> None:
    rows, leaves = [], []
    payload = bytes(PAYLOAD)
    for n in range(entries):
        one = made(n)
        facts = facts_bytes(one, hashlib.sha256(n.to_bytes(8, "big")).digest()[:16])
        rows.append(Record(n, facts))
        leaves.append(commit(one, facts, payload, one.subject or "").encode())
    facts_size = sum(len(row.facts) for row in rows) // entries
    print(f"{entries} entries, {facts_size} bytes of facts, {len(leaves[0])} bytes of commitment each")

    gc.freeze()  # the material above stands for storage: the collector shall not walk it
    files: dict[str, bytes] = {}

    def publish() -> None:
        edge = Edge()
        for at in range(0, entries, BATCH):
            edge, fresh = grow(edge, leaves[at : at + BATCH])
            files.update({file.path: file.data for file in fresh})
            checkpoint = Checkpoint(KEY.name, edge.size, edge.root())
            files["checkpoint"] = sign_checkpoint(checkpoint, [KEY], 0)

    timed("grow, sign (batches of 1,000)", entries, publish, "<= 6 us, without storage and files")
    trust = Trust((KEY.verifier,))
    timed("verify: tree", entries, lambda: verify(files.get, trust), "")
    timed("verify: tree and facts", entries, lambda: verify(files.get, trust, records=Rows(rows)), "<= 10 us")
    start = time.process_time()
    WithColumns(rows).records(0, entries)
    alone = (time.process_time() - start) / entries * 1e6
    with_columns = WithColumns(rows)
    target = f"of which {alone:.2f} us stand for the database"
    timed(
        "verify: tree, facts, columns",
        entries,
        lambda: verify(files.get, trust, records=with_columns, project=columns),
        target,
    )
    with_payloads = WithPayloads(rows)
    timed("verify: tree, facts, payloads", entries, lambda: verify(files.get, trust, records=with_payloads), "")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
