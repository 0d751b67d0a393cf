"""A process that records interactions until it is killed, and prints each id once it is acknowledged.

python journal_child.py TESTS_FOLDER KIND DATA_FOLDER DSN
"""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from fakes.storage import Rig, begin, entry_of

from handrail.ledger.entry import EntryKind


async def client(store) -> None:
    """Conversations of three turns, as the gateway records them."""
    while True:
        history: list[bytes] = []
        for turn in range(3):
            history.append(os.urandom(8))
            thread = await begin(store, history=history, new_from=len(history) - 1)
            assert thread.first == (turn == 0)
            opened = entry_of(thread, EntryKind.INTERACTION_OPENED)
            store.journal.queue(opened)
            history.append(b"answer")
            await store.threads.close_turn(thread, history=history)
            entry = entry_of(thread, interaction=opened.interaction)
            await store.journal.record(entry)
            os.write(1, entry.id.encode() + b"\n")


async def main(rig: Rig) -> None:
    store = await rig.open()
    await asyncio.gather(*(client(store) for _ in range(16)))


if __name__ == "__main__":
    rig = Rig("sqlite", Path(sys.argv[3]), lambda: None)  # type: ignore[arg-type, return-value]  no server is started here
    rig.kind, rig._dsn = sys.argv[2], sys.argv[4]
    rig.run(main(rig))
