"""How long `find` and `show` take on many interactions; the promise is under one second on a million.

    .venv/bin/python bench/find.py [COUNT, default 1000000]

Fills a SQLite home through the journal (20,000 customers, 200,000 conversations, 5 use cases, 12 months), then times
each kind of search, first as the file system left it and then again, and shows the slowest of 20 `show`. The searches
that find nothing are the worst: they read every index row.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.read import Query
from handrail.ledger.seal import LocalKek
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import CustomerId, Digest, EntryId, InteractionId, UseCaseId

IDS, CLOCK = SystemIds(), SystemClock()
RANDOM = Random(20261121)
START, YEAR_MS = 1_760_000_000_000, 365 * 86_400_000
ACTOR = Actor(ActorKind.KEY, "k2345")
CARD = (FoundFact(Kind.CARD, "input", 0.99, "luhn", "mask"),)
RELEASES = [Digest(f"{at:02x}" * 32) for at in range(6)]


def entry(thread: Any, at: int, count: int) -> Entry:
    """One interaction; one in 50 has a card, one in 200 is denied."""
    interaction = InteractionId(IDS.new("in"))
    denied = RANDOM.random() < 0.005
    facts = InteractionFacts(
        interaction=interaction,
        conversation=thread.conversation,
        use_case=UseCaseId(f"use-case-{RANDOM.randrange(5)}"),
        key="k2345",
        language="en",
        verdict=Verdict.DENY if denied else Verdict.ALLOW,
        outcome=Outcome.BLOCKED if denied else Outcome.ANSWERED,
        findings=CARD if RANDOM.random() < 0.02 else (),
        status=200,
    )
    return Entry(
        id=EntryId(IDS.new("en")),
        kind=EntryKind.INTERACTION_CLOSED,
        at_ms=START + YEAR_MS * at // count,
        actor=ACTOR,
        use_case=facts.use_case,
        conversation=thread.conversation,
        interaction=interaction,
        subject=thread.subject.id,
        release=RELEASES[6 * at // count],
        ruleset=RELEASES[0],
        payload=b'{"messages":[{"role":"user","text":"where is my order"},{"role":"assistant","text":"on its way"}]}',
        facts=facts,
    )


async def fill(store: Any, count: int) -> list[InteractionId]:
    """Through the journal; some of the ids."""
    kept, at = [], 0
    while at < count:
        customer = CustomerId(f"customer-{RANDOM.randrange(max(1, count // 50))}")
        thread = await store.threads.open(
            use_case=UseCaseId("use-case-0"), key_id="k2345", conversation=f"ticket-{at}", customer=customer,
            history=[b"x"], new_from=0,
        )  # fmt: skip
        for _ in range(5):
            made = entry(thread, at, count)
            if at % (count // 20) == 0:
                kept.append(made.interaction)
            store.journal.queue(made)
            at += 1
        if store.writer.waiting > 4_000:
            await store.journal.run(lambda tx: None)
    await store.journal.run(lambda tx: None)
    return kept


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "data", LocalKek(bytes(32), nonce=IDS.token), ids=IDS, clock=CLOCK)
        began = time.perf_counter()
        kept = await fill(store, count)
        size = store.path.stat().st_size / 1e9
        print(f"{count:,} interactions in {time.perf_counter() - began:.0f} s, {size:.2f} GB")
        middle = START + YEAR_MS // 2
        searches = {
            "newest 50": Query(),
            "one day in the middle": Query(since_ms=middle, until_ms=middle + 86_400_000),
            "oldest day": Query(until_ms=START + 86_400_000),
            "cards of a use case": Query(use_case=UseCaseId("use-case-1"), finding=Kind.CARD),
            "a finding that never was": Query(finding=Kind.IBAN),
            "a use case that never was": Query(use_case=UseCaseId("nothing")),
            "denied, old release": Query(verdict=Verdict.DENY, release=RELEASES[0]),
            "would be denied, a month": Query(would_be=Verdict.DENY, since_ms=START + YEAR_MS - 30 * 86_400_000),
            "would be denied, never": Query(would_be=Verdict.DENY),  # reads the facts of each entry
            "one customer": Query(customer=CustomerId("customer-7")),
            "one conversation": Query(conversation="ticket-0"),
            "one customer, never blocked": Query(customer=CustomerId("customer-7"), outcome=Outcome.CANCELLED),
        }
        for name, query in searches.items():
            times = []
            for _ in range(3):
                began = time.perf_counter()
                page = await store.reader.find(query)
                times.append(time.perf_counter() - began)
            first, again = times[0] * 1e3, min(times) * 1e3
            print(f"  find {name:28} first {first:7.1f} ms, then {again:7.1f} ms, {len(page.found)} found")
        times = []
        for interaction in kept:
            began = time.perf_counter()
            assert (await store.reader.show(interaction)).payload is not None
            times.append(time.perf_counter() - began)
        print(f"  show, slowest of {len(times)}: {max(times) * 1e3:.1f} ms")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
