"""A process that journals and sequences until it is killed: what test_sequencer_kill.py kills.

python sequencer_process.py DATA_DIR SEED        prints the id of each acknowledged entry
"""

import asyncio
import sys
from hashlib import sha256
from pathlib import Path

from handrail.backends.log.files import LogFolder
from handrail.backends.log.sequencer import Sequencer
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.note import KeyType, SigningKey
from handrail.ledger.seal import LocalKek
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import EntryId

KEY = SigningKey("log.example/faults", KeyType.ED25519, sha256(b"faults").digest())
ACTOR = Actor(ActorKind.SYSTEM, "faults")


async def journal(store: SqliteStore, name: str) -> None:
    at = 0
    while True:
        batch = [EntryId(f"ent_{name}_{at + n}") for n in range(40)]
        at += 40
        await asyncio.gather(
            *(store.journal.record(Entry(id=id_, kind=EntryKind.SERVER_STARTED, at_ms=1, actor=ACTOR)) for id_ in batch)
        )
        print("\n".join(batch), flush=True)


async def main(data_dir: Path, name: str) -> None:
    ids = SystemIds()
    store = SqliteStore(data_dir, LocalKek(sha256(b"kek").digest(), nonce=ids.token), ids=ids, clock=SystemClock())
    # The dead process's lease would last 10 s: nobody else is alive here, so take it.
    await store.journal.run(lambda tx: tx.fetch("UPDATE log_head SET leader_until = 0"))
    sequencer = Sequencer(store.sequencing, LogFolder(data_dir / "log"), [KEY], batch=150)
    writing = asyncio.create_task(journal(store, name))
    while not writing.done():
        await sequencer.step(1_700_000_000_000)
        await asyncio.sleep(0)
    await writing


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
