"""SIGKILL under load: what was acknowledged is there, readable, and in the log's reach."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fakes.storage import Rig

from handrail.ledger.commitment import read_facts
from handrail.ledger.read import derive
from handrail.terms.ids import EntryId

CHILD = Path(__file__).parent / "journal_child.py"
TESTS = Path(__file__).parent.parent


def acknowledged_before_kill(durable: Rig, folder: Path, enough: int) -> list[str]:
    """Run a child, kill it once it has acknowledged so many, and return all that it acknowledged."""
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(TESTS), durable.kind, str(folder), durable._dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if len(lines) >= enough:
            break
    child.kill()
    lines += child.stdout.readlines()
    problem = child.stderr.read().decode()
    child.wait()
    child.stdout.close()
    child.stderr.close()
    assert len(lines) >= enough, problem
    return [line.strip().decode() for line in lines if line.endswith(b"\n")]


@pytest.mark.faults
@pytest.mark.promise("STO-KILL")
def test_no_acknowledged_interaction_is_lost_when_the_process_is_killed(
    durable: Rig, tmp_path: Path, full: bool
) -> None:
    random = Random(f"kills of {durable.kind}")
    kills, least = (200, 100_000) if full else (4, 1_000)
    acknowledged: list[str] = []
    while kills > 0 or len(acknowledged) < least:
        acknowledged += acknowledged_before_kill(
            durable, tmp_path, random.randint(1, 2 * least // (200 if full else 4))
        )
        kills -= 1

    async def check() -> None:
        store = await durable.open()
        stored, after = set(), 0
        projected = 0
        while rows := await store.reader.entries(after, 5_000):
            for after, facts in rows:  # noqa: B007  the last one goes on
                stored.add(read_facts(facts).id)
                projected += derive(facts) is not None
        assert set(acknowledged) <= stored
        columns = await store.journal.run(lambda tx: tx.fetch("SELECT count(*) FROM interaction")[0][0])
        assert columns == projected
        for name in random.sample(acknowledged, 50):
            shown = await store.reader.entry(EntryId(name))
            assert shown.payload is not None
            assert b"heliotrope" in shown.payload
        if durable.kind == "sqlite":
            checked = await store.journal.run(lambda tx: tx.fetch("PRAGMA integrity_check"))
            assert checked == [("ok",)]

    durable.run(check())
    print(f"{durable.kind}: {len(acknowledged)} acknowledged, 0 lost")
