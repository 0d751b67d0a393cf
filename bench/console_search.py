"""How long the console's searches by facts take: p50 and p95 of each, over rows that are written straight into the
tables; the promise is under one second on a million interactions.

    .venv/bin/python bench/console_search.py [COUNT, default 1000000] [POSTGRES_URL]

Without an address: SQLite in a temporary folder. With one: a database that is empty but for what this makes. Five use
cases, 12 months, 200,000 conversations at a million; one in 50 has a card, one in 200 is denied, one in 20 is a canary,
three in four came by web, one in 10,000 by phone, the rest by mail. It says how loaded the machine is.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.commitment import facts_bytes
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.read import BIT, Listing, Query
from handrail.ledger.seal import LocalKek
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

IDS, CLOCK = SystemIds(), SystemClock()
START, YEAR_MS = 1_760_000_000_000, 365 * 86_400_000
TIMES = 10
CASES = [UseCaseId(f"use-case-{at}") for at in range(5)]
RELEASES = [Digest(f"{at:02x}" * 32) for at in range(6)]
SEED = 0x9E3779B9


def rows(count: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]]:
    """(entry, payload, interaction) of each, from number 1."""
    for at in range(1, count + 1):
        chance = (at * SEED) % 1_000
        denied, card, canary = chance < 5, chance % 50 == 7, chance % 20 == 3
        conversation, subject = f"cv_{at // 5:026d}", f"su_{at // 50:026d}"
        at_ms = START + YEAR_MS * at // count
        release = RELEASES[6 * (at - 1) // count]
        facts = InteractionFacts(
            interaction=InteractionId(f"in_{at:026d}"), conversation=ConversationId(conversation),
            use_case=CASES[chance % 5], key="k2345", language="en",
            channel="phone" if at % 10_000 == 17 else "web" if chance % 4 else "mail",
            verdict=Verdict.DENY if denied else Verdict.ALLOW,
            outcome=Outcome.BLOCKED if denied else Outcome.ANSWERED, arm="canary" if canary else "",
            findings=(FoundFact(Kind.CARD, "input", 0.99, "luhn", "mask"),) if card else (), status=200,
        )  # fmt: skip
        entry = Entry(
            id=EntryId(f"en_{at:026d}"), kind=EntryKind.INTERACTION_CLOSED, at_ms=at_ms,
            actor=Actor(ActorKind.KEY, "k2345"), use_case=facts.use_case, conversation=facts.conversation,
            interaction=facts.interaction, subject=SubjectId(subject), release=release, facts=facts,
        )  # fmt: skip
        yield (
            (at, entry.id, entry.kind.value, at_ms, b"\0" * 120, facts_bytes(entry, b"\0" * 16)),
            (at, subject, b"\0" * 200),
            (
                at, facts.interaction, at_ms, facts.use_case, conversation, bytes.fromhex(release), facts.verdict.value,
                facts.outcome.value if facts.outcome else "", "en", BIT[Kind.CARD] if card else 0,
                facts.channel, facts.arm,
            ),
        )  # fmt: skip


SEARCHES = {
    "newest 50": Query(),
    "a day in the middle": Query(since_ms=START + YEAR_MS // 2, until_ms=START + YEAR_MS // 2 + 86_400_000),
    "cards of a use case": Query(use_case=CASES[1], finding=Kind.CARD),
    "a finding that never was": Query(finding=Kind.IBAN),
    "denied under an old release": Query(verdict=Verdict.DENY, release=RELEASES[0]),
    "an outcome that never was": Query(outcome=Outcome.CANCELLED),
    "another language": Query(language="de"),
    "one customer": Query(subject=SubjectId("su_00000000000000000000000007")),
    "canary in the last 30 days": Query(arm="canary", since_ms=START + YEAR_MS - 30 * 86_400_000),
    "canary": Query(arm="canary"),
    "canary, deep page": Query(arm="canary", cursor="500000"),
    "no such group": Query(arm="pilot"),
    "a frequent channel": Query(channel="web"),
    "a channel, deep page": Query(channel="mail", cursor="500000"),
    "a rare channel": Query(channel="phone"),
    "a rare channel, last page": Query(channel="phone", cursor="20000"),
    "no such channel": Query(channel="fax"),
    "no such channel, 30 days": Query(channel="fax", since_ms=START + YEAR_MS - 30 * 86_400_000),
    "denied canaries by a channel": Query(channel="mail", arm="canary", verdict=Verdict.DENY),
    "flagged by staff, none": Query(flagged=True),
    "deep page": Query(cursor="500000", use_case=CASES[0]),
    "a thousand for a file": Query(channel="mail", limit=1_000),
}
LISTINGS = {
    "who read what, none": Listing(kinds=(EntryKind.PAYLOAD_READ,)),
    "every rare kind": Listing(kinds=tuple(kind for kind in EntryKind if not kind.value.startswith("interaction."))),
}


async def timed(reader: Any) -> None:
    print(f"  load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    for name, query in SEARCHES.items():
        await told(name, lambda query=query: reader.find(query))  # type: ignore[misc]  # bound now
    for name, listing in LISTINGS.items():
        await told(name, lambda listing=listing: reader.latest(listing))  # type: ignore[misc]  # bound now


async def told(name: str, look: Any) -> None:
    """Wall time, and the processor time of this process, which neighbours on the machine do not change."""
    spent, worked = [], []
    for _ in range(TIMES):
        began, worked_before = time.perf_counter(), time.process_time()
        await look()
        spent.append((time.perf_counter() - began) * 1e3)
        worked.append((time.process_time() - worked_before) * 1e3)
    p50, p95 = (sorted(spent)[place] for place in (TIMES // 2, TIMES * 95 // 100))
    c50, c95 = (sorted(worked)[place] for place in (TIMES // 2, TIMES * 95 // 100))
    print(f"  {name:30} p50 {p50:8.1f} ms  p95 {p95:8.1f} ms  processor {c50:7.1f} / {c95:7.1f} ms", flush=True)


async def on_sqlite(count: int) -> None:
    import apsw

    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "data", LocalKek(bytes(32), nonce=IDS.token), ids=IDS, clock=CLOCK)
        began = time.perf_counter()
        db = apsw.Connection(str(store.path))
        db.execute("PRAGMA synchronous = OFF")
        with db:
            for entry, payload, interaction in rows(count):
                db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", entry)
                db.execute("INSERT INTO payload VALUES (?, ?, ?)", payload)
                db.execute("INSERT INTO interaction VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", interaction)
        db.close()
        size = store.path.stat().st_size / 1e9
        print(f"SQLite: {count:,} interactions in {time.perf_counter() - began:.0f} s, {size:.2f} GB", flush=True)
        await timed(store.reader)
        await store.close()


async def on_postgres(count: int, url: str) -> None:
    import asyncpg

    from handrail.backends.postgres.open import PostgresStore

    with tempfile.TemporaryDirectory() as folder:
        kek = LocalKek(bytes(32), nonce=IDS.token)
        store = await PostgresStore.open(url, kek, keys_dir=Path(folder) / "keys", ids=IDS, clock=CLOCK)
        began = time.perf_counter()
        db = await asyncpg.connect(url)
        batch: list[tuple[Any, ...]] = []
        for each in rows(count):
            batch.append(each)
            if len(batch) == 20_000:
                await copied(db, batch)
                batch.clear()
        await copied(db, batch)
        await db.execute("ANALYZE")
        await db.close()
        print(f"PostgreSQL: {count:,} interactions in {time.perf_counter() - began:.0f} s", flush=True)
        await timed(store.reader)
        await store.close()


async def copied(db: Any, batch: list[tuple[Any, ...]]) -> None:
    for at, table in enumerate(("entry", "payload", "interaction")):
        await db.copy_records_to_table(table, records=[each[at] for each in batch])


if __name__ == "__main__":
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    asyncio.run(on_postgres(amount, sys.argv[2]) if len(sys.argv) > 2 else on_sqlite(amount))
