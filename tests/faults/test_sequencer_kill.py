"""SIGKILL of a process that journals and publishes: nothing acknowledged is lost, and the log stays one log."""

import asyncio
import os
import select
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from handrail.backends.log.files import LogFolder
from handrail.backends.log.records import StoredRecords
from handrail.backends.log.sequencer import Sequencer
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.commitment import decode
from handrail.ledger.note import Checkpoint, KeyType, SigningKey, Trust, parse_checkpoint, parse_note
from handrail.ledger.read import columns
from handrail.ledger.seal import LocalKek
from handrail.ledger.tree import WIDTH, bundle_path, unpack_bundle
from handrail.ledger.verify import verify

PROCESS = Path(__file__).parent / "sequencer_process.py"
KEY = SigningKey("log.example/faults", KeyType.ED25519, sha256(b"faults").digest())
KILLS = 60 if os.environ.get("HANDRAIL_FAULTS") == "full" else 20


def run_and_kill(data_dir: Path, name: str, after_s: float) -> list[str]:
    """Ids that the process acknowledged before it was killed, `after_s` after the first."""
    process = subprocess.Popen([sys.executable, PROCESS, data_dir, name], stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    said, deadline, end = b"", time.monotonic() + 30, None
    while end is None or time.monotonic() < end:
        ready, _, _ = select.select([process.stdout], [], [], 0.001)
        chunk = process.stdout.read(65_536) if ready else b""
        if ready and not chunk:
            break
        said += chunk or b""
        if end is None and said:
            end = time.monotonic() + after_s
        assert time.monotonic() < deadline, "the process did not start"
    process.kill()
    said += process.stdout.read()
    process.wait()
    process.stdout.close()
    return said.decode().split("\n")[:-1]  # an unfinished last line was not acknowledged


def checkpoint_of(folder: LogFolder) -> Checkpoint | None:
    data = folder.read("checkpoint")
    return None if data is None else parse_checkpoint(parse_note(data).text)


async def finish(data_dir: Path, known: list[Checkpoint]) -> int:
    """Publish the rest, verify everything; the size."""
    ids = SystemIds()
    store = SqliteStore(data_dir, LocalKek(sha256(b"kek").digest(), nonce=ids.token), ids=ids, clock=SystemClock())
    await store.journal.run(lambda tx: tx.fetch("UPDATE log_head SET leader_until = 0"))
    folder = LogFolder(data_dir / "log")
    sequencer = Sequencer(store.sequencing, folder, [KEY])
    while await sequencer.step(1_700_000_000_000):
        pass
    await sequencer.close()
    records = StoredRecords(store.reading, asyncio.get_running_loop())
    report = await asyncio.to_thread(
        verify, folder.read, Trust((KEY.verifier,)), records=records, project=columns, known=known
    )
    await store.close()
    assert report.facts == report.columns == report.entries
    return report.entries


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("LED-1")
def test_a_killed_sequencer_loses_nothing_and_never_unpublishes(tmp_path: Path) -> None:
    random, acknowledged, known = Random(7), [], []
    folder = LogFolder(tmp_path / "log")
    for kill in range(KILLS):
        acknowledged += run_and_kill(tmp_path, f"p{kill}", random.uniform(0.0, 0.25))
        seen = checkpoint_of(folder)
        if seen is not None:
            verify(folder.read, Trust((KEY.verifier,)), known=known)  # what readers see right after the kill
            known.append(seen)
    size = asyncio.run(finish(tmp_path, known))
    held = []
    for n in range(-(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        held += [decode(entry).id for entry in unpack_bundle(folder.read(bundle_path(n, width)) or b"")]
    assert len(held) == len(set(held)) == size
    assert set(acknowledged) <= set(held)
    assert len(acknowledged) > 40 * KILLS
    assert len(known) > KILLS // 2
