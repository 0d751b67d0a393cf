"""What the sequencer costs beside storage: tree, entry bundles, signature, files with fsync, in CPU time.

    python bench/sequencer.py [ENTRIES] [FOLDER]        default 100,000 entries in a temporary folder

Storage is a list in memory, so its own statements are not in the figure (bench/journal.py has them). Target: <= 6 us of
CPU for an entry at 1,000 entries a checkpoint. Elapsed time is the disk's: each checkpoint waits for some 12 fsyncs.
"""

import asyncio
import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from handrail.backends.log.files import LogFolder
from handrail.backends.log.sequencer import Sequencer
from handrail.ledger.note import ML_DSA, KeyType, SigningKey
from handrail.ledger.sequence import Head, Pending
from handrail.ledger.tree import EMPTY_ROOT

SEED = hashlib.sha256(b"bench").digest()


class Listed:
    """`ledger.sequence.Sequencing` over a list that is taken in order."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves, self.taken, self.last = leaves, 0, Head(0, EMPTY_ROOT, b"")

    async def lead(self) -> bool:
        return True

    async def resign(self) -> None:
        pass

    async def head(self) -> Head:
        return self.last

    async def sequenced(self) -> int:
        return self.taken

    async def take(self, limit: int) -> list[Pending]:
        end = min(len(self.leaves), self.taken + limit)
        return [Pending(ref, self.leaves[ref]) for ref in range(self.taken, end)]

    async def assign(self, first_index: int, refs: list[int]) -> None:
        self.taken = first_index + len(refs)

    async def commitments(self, first_index: int, limit: int) -> list[bytes]:
        return self.leaves[first_index : min(self.taken, first_index + limit)]

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        self.last = Head(size, root, checkpoint)


def measure(root: Path, entries: int, keys: list[SigningKey], batch: int) -> None:
    storage = Listed([hashlib.sha256(n.to_bytes(8, "big")).digest() * 7 for n in range(entries)])
    sequencer, folder = None, LogFolder(root)
    sequencer = Sequencer(storage, folder, keys, batch=batch)

    async def all_() -> int:
        checkpoints = 0
        while await sequencer.step(0):
            checkpoints += 1
        return checkpoints

    cpu, wall = time.process_time(), time.perf_counter()
    checkpoints = asyncio.run(all_())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    folder.unlock()
    print(
        f"{entries} entries, {batch} a checkpoint, {len(keys)} signature(s): {cpu / entries * 1e6:6.2f} us CPU/entry, "
        f"{cpu / checkpoints * 1e3:6.2f} ms CPU and {wall / checkpoints * 1e3:6.2f} ms elapsed a checkpoint"
    )


def main(entries: int, parent: str | None) -> None:
    ed = SigningKey("log.example/bench", KeyType.ED25519, SEED)
    both = [ed, SigningKey("log.example/bench", KeyType.COSIGNATURE_MLDSA44, SEED)] if ML_DSA else [ed]
    for keys, batch, share in (([ed], 1_000, 1), (both, 1_000, 1), (both, 4_096, 1), (both, 100, 10), (both, 10, 100)):
        root = Path(tempfile.mkdtemp(dir=parent))
        try:
            measure(root / "log", max(batch, entries // share), keys, batch)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, sys.argv[2] if len(sys.argv) > 2 else None)
