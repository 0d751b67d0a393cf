"""The whole way on a real database: journal, sequencer, folder, verification with index columns, export, proof."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from fakes.log import LOG_KEY, TRUST, entry

from handrail.backends.log.export import Export, export
from handrail.backends.log.files import LogFolder
from handrail.backends.log.records import StoredRecords
from handrail.backends.log.sequencer import Sequencer
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.proof import check_proof, make_proof
from handrail.ledger.read import columns
from handrail.ledger.seal import LocalKek
from handrail.ledger.tree import Tiles, inclusion_proof
from handrail.ledger.verify import BadLog, Report, verify
from handrail.terms.ids import EntryId

ENTRIES = 600


async def opened(data_dir: Path) -> AsyncIterator[SqliteStore]:
    ids = SystemIds()
    store = SqliteStore(data_dir, LocalKek(sha256(b"kek").digest(), nonce=ids.token), ids=ids, clock=SystemClock())
    yield store
    await store.close()


def with_store(data_dir: Path, work: Callable[[SqliteStore], Awaitable[object]]) -> object:
    async def run() -> object:
        async for store in opened(data_dir):
            return await work(store)
        raise AssertionError

    return asyncio.run(run())


async def publish(store: SqliteStore, folder: LogFolder) -> None:
    sequencer = Sequencer(store.sequencing, folder, [LOG_KEY], batch=250)
    while await sequencer.step(1_700_000_000_000):
        pass
    await sequencer.close()


def check(data_dir: Path) -> Report:
    async def work(store: SqliteStore) -> Report:
        records = StoredRecords(store.reading, asyncio.get_running_loop(), payloads=True)
        folder = LogFolder(data_dir / "log")
        return await asyncio.to_thread(verify, folder.read, TRUST, records=records, project=columns)

    report = with_store(data_dir, work)
    assert isinstance(report, Report)
    return report


def bad(data_dir: Path, change: str) -> BadLog:
    """What verification finds after a change made past our code."""
    db = apsw.Connection(str(data_dir / "handrail.db"))
    db.execute(change).fetchall()
    db.close()
    with pytest.raises(BadLog) as caught:
        check(data_dir)
    return caught.value


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def fill(store: SqliteStore) -> None:
        await asyncio.gather(*(store.journal.record(entry(n)) for n in range(ENTRIES)))
        await publish(store, LogFolder(tmp_path / "log"))

    with_store(tmp_path, fill)
    return tmp_path


@pytest.mark.promise("LED-4")
def test_a_home_verifies_with_its_index_columns(home: Path) -> None:
    report = check(home)
    assert (report.entries, report.facts, report.columns) == (ENTRIES, ENTRIES, ENTRIES)


@pytest.mark.promise("LED-4")
@pytest.mark.parametrize(
    ("change", "index", "what"),
    [
        ("UPDATE interaction SET verdict = 'deny' WHERE seq = 9", 8, "interaction.verdict"),
        ("UPDATE interaction SET kinds = 0 WHERE seq = 300", 299, "interaction.kinds"),
        ("DELETE FROM interaction WHERE seq = 9", 8, "interaction"),
        ("UPDATE entry SET at_ms = at_ms + 1 WHERE seq = 600", 599, "at_ms"),
        ("UPDATE entry SET facts = CAST(replace(CAST(facts AS TEXT), 'gpt-4o', 'gpt-5o') AS BLOB) WHERE seq = 2", 1,
         "facts were changed"),
        ("DELETE FROM entry WHERE seq = 257", 256, "no record"),
        ("UPDATE sequenced SET seq = CASE idx WHEN 3 THEN 5000 ELSE seq END", 3, "no record"),
    ],
)  # fmt: skip
def test_a_row_changed_past_our_code_is_named(home: Path, change: str, index: int, what: str) -> None:
    found = bad(home, change)
    assert found.index == index
    assert what in found.what


@pytest.mark.promise("LED-8")
def test_rows_swapped_in_the_log_order_are_named(home: Path) -> None:
    found = bad(
        home,
        "UPDATE sequenced SET seq = 9999 WHERE idx = 10; UPDATE sequenced SET seq = 11 WHERE idx = 11;"
        "UPDATE sequenced SET seq = 9998 WHERE idx = 11; UPDATE sequenced SET seq = 12 WHERE idx = 10;"
        "UPDATE sequenced SET seq = 11 WHERE idx = 11",
    )
    assert found.index == 10


@pytest.mark.promise("LED-9")
def test_an_export_and_a_proof_of_a_home_are_checked_without_it(home: Path) -> None:
    folder = LogFolder(home / "log")

    async def work(store: SqliteStore) -> bytes:
        records = StoredRecords(store.reading, asyncio.get_running_loop(), payloads=True)
        await asyncio.to_thread(export, folder.read, records, home / "out.zip", keys=[LOG_KEY.verifier], payloads=True)
        shown = await store.reader.entry(EntryId(f"ent_{37:026d}"))
        assert shown.index is not None
        path = inclusion_proof(Tiles(folder.read, ENTRIES), shown.index)
        return make_proof(shown.index, path, folder.read("checkpoint") or b"", shown.commitment, shown.facts).encode()

    proof = with_store(home, work)
    assert isinstance(proof, bytes)
    assert check_proof(proof, TRUST).facts.id == f"ent_{37:026d}"
    opened_export = Export(home / "out.zip")
    assert verify(opened_export.read, TRUST, records=opened_export).facts == ENTRIES


def test_a_restarted_sequencer_goes_on_with_the_log(home: Path) -> None:
    async def more(store: SqliteStore) -> None:
        await asyncio.gather(*(store.journal.record(entry(n)) for n in range(ENTRIES, ENTRIES + 100)))
        await publish(store, LogFolder(home / "log"))

    with_store(home, more)
    assert check(home).entries == ENTRIES + 100
