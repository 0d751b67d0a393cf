"""The whole way on a real database: journal, sequencer, folder, verification with index columns, export, proof."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.log import LOG_KEY, TRUST, entry
from fakes.storage import OPERATOR, ORDERS, Rig, begin, entry_of

from handrail.backends.log.export import Export, export
from handrail.backends.log.files import LogFolder
from handrail.backends.log.records import StoredRecords
from handrail.backends.log.sequencer import Sequencer
from handrail.ledger.erase import Who
from handrail.ledger.proof import check_proof, prove
from handrail.ledger.read import columns
from handrail.ledger.verify import BadLog, Report, verify
from handrail.terms.ids import CustomerId

PLAIN = 260
SEALED = 10
TOTAL = PLAIN + SEALED
ANN = CustomerId("ann.heliotrope@example.org")


async def publish(store: Any, folder: LogFolder) -> None:
    sequencer = Sequencer(store.sequencing, folder, [LOG_KEY], batch=250)
    while await sequencer.step(1_700_000_000_000):
        pass
    await sequencer.close()


async def check(store: Any, folder: LogFolder) -> Report:
    records = StoredRecords(store.reading, asyncio.get_running_loop(), payloads=True)
    return await asyncio.to_thread(verify, folder.read, TRUST, records=records, project=columns)


async def filled(rig: Rig) -> tuple[Any, LogFolder, list[Any]]:
    """A store with published entries, the last of which have payloads of one customer's conversation."""
    store, folder = await rig.open(), LogFolder(rig.folder / "log")
    await asyncio.gather(*(store.journal.record(entry(n)) for n in range(PLAIN)))
    thread = await begin(store, customer=ANN)
    sealed = [entry_of(thread) for _ in range(SEALED)]
    for one in sealed:
        await store.journal.record(one)
    await publish(store, folder)
    return store, folder, sealed


@pytest.mark.promise("LED-4")
def test_a_home_verifies_with_its_index_columns_and_payloads(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        report = await check(store, folder)
        assert (report.entries, report.facts, report.columns) == (TOTAL, TOTAL, TOTAL)
        assert (report.payloads, report.payloads_absent) == (SEALED, 0)

    durable.run(body())


CHANGES = [
    ("UPDATE interaction SET verdict = 'deny' WHERE seq = $1", 8, "interaction.verdict"),
    ("UPDATE interaction SET kinds = 0 WHERE seq = $1", 257, "interaction.kinds"),
    ("UPDATE interaction SET channel = 'phone' WHERE seq = $1", 8, "interaction.channel"),
    ("UPDATE interaction SET arm = 'canary', channel = NULL WHERE seq = $1", 8, "interaction.arm"),
    ("DELETE FROM interaction WHERE seq = $1", 8, "interaction"),
    ("UPDATE entry SET at_ms = at_ms + 1 WHERE seq = $1", 269, "at_ms"),
    ("UPDATE entry SET kind = 'key.revoked' WHERE seq = $1", 0, "kind"),
    ("UPDATE entry SET facts = (SELECT facts FROM entry WHERE id = 'ent_00000000000000000000000005') WHERE seq = $1", 1,
     "facts were changed"),
    ("UPDATE payload SET sealed = commitment FROM entry e WHERE e.seq = payload.seq AND payload.seq = $1", 265,
     "payload was changed"),
    ("UPDATE payload SET subject = 'su_another' WHERE seq = $1", 266, "another subject"),
    ("DELETE FROM sequenced WHERE seq = $1", 256, "no record"),
]  # fmt: skip


@pytest.mark.promise("LED-4")
@pytest.mark.parametrize(("change", "index", "what"), CHANGES, ids=[change[:40] for change, _, _ in CHANGES])
def test_a_row_changed_past_our_code_is_named(durable: Rig, change: str, index: int, what: str) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        seqs = (await store.reading.rows("SELECT seq FROM sequenced WHERE idx = $1", (index,)))[0]
        await store.journal.run(lambda tx: tx.fetch(change, seqs))
        with pytest.raises(BadLog) as caught:
            await check(store, folder)
        assert caught.value.index == index
        assert what in caught.value.what

    durable.run(body())


def test_rows_that_wait_for_their_later_columns_verify_too(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        await store.journal.run(lambda tx: tx.fetch("UPDATE interaction SET channel = NULL, arm = NULL"))
        assert (await check(store, folder)).columns == TOTAL

    durable.run(body())


@pytest.mark.promise("LED-4")
def test_two_entries_that_changed_places_are_named(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        rows = await store.reading.rows("SELECT seq FROM sequenced WHERE idx IN (10, 11) ORDER BY idx")
        moves = (("$1", -1, rows[1][0]), ("$1", rows[1][0], rows[0][0]), ("$1", rows[0][0], -1))
        for _, new, old in moves:
            await store.journal.run(
                lambda tx, new=new, old=old: tx.fetch("UPDATE sequenced SET seq = $1 WHERE seq = $2", (new, old))
            )
        with pytest.raises(BadLog) as caught:
            await check(store, folder)
        assert caught.value.index == 10

    durable.run(body())


@pytest.mark.promise("LED-10")
def test_the_log_verifies_after_an_erasure(durable: Rig) -> None:
    async def body() -> None:
        store, folder, sealed = await filled(durable)
        await store.erasing.erase(Who(customer=ANN), reason="request 4711", by=OPERATOR)
        await publish(store, folder)
        report = await check(store, folder)
        assert report.entries > TOTAL  # the erasure, and on PostgreSQL a key rotation
        assert (report.payloads, report.payloads_gone) == (0, len(sealed))
        assert report.payloads_absent == len(sealed)

    durable.run(body())


@pytest.mark.promise("LED-10")
def test_the_log_verifies_after_a_conversation_of_two_was_erased_by_itself(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        await store.journal.record(entry_of(await begin(store, customer=ANN, conversation="sh")))
        bob = await begin(store, customer=CustomerId("bob@example.org"), conversation="sh")
        await store.journal.record(his := entry_of(bob))
        await store.erasing.erase(Who(conversation="sh"), reason="request 4711", by=OPERATOR)
        await publish(store, folder)
        report = await check(store, folder)
        assert (report.payloads, report.payloads_gone) == (SEALED, 2)
        await store.journal.run(lambda tx: tx.fetch("DELETE FROM erased"))
        with pytest.raises(BadLog, match="payload is missing"):
            await check(store, folder)
        assert (await store.reader.show(his.interaction)).missing == "expired"

    durable.run(body())


@pytest.mark.promise("LED-11")
def test_the_log_verifies_after_a_retention_and_names_what_the_retention_does_not_explain(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        thread = await begin(store)
        await store.journal.record(entry_of(thread, at_ms=int(time.time() * 1000) - 31 * 86_400_000))
        await store.erasing.expire(ORDERS, keep_days=30, minimum_days=7, by=OPERATOR)
        await publish(store, folder)
        report = await check(store, folder)
        assert (report.payloads, report.payloads_gone, report.payloads_absent) == (SEALED, 1, 1)
        young = (await store.reading.rows("SELECT seq FROM sequenced WHERE idx = $1", (PLAIN + 4,)))[0]
        await store.journal.run(lambda tx: tx.fetch("UPDATE payload SET sealed = NULL WHERE seq = $1", young))
        with pytest.raises(BadLog, match="payload is missing") as caught:
            await check(store, folder)
        assert caught.value.index == PLAIN + 4

    durable.run(body())


@pytest.mark.promise("LED-11")
@pytest.mark.parametrize("erased", [False, True])
def test_payload_rows_that_were_deleted_are_bad_and_the_first_is_named(durable: Rig, erased: bool) -> None:
    async def body() -> None:
        store, folder, sealed = await filled(durable)
        if erased:
            await store.erasing.erase(Who(customer=ANN), reason="request 4711", by=OPERATOR)
        await store.journal.run(lambda tx: tx.fetch("DELETE FROM payload"))
        with pytest.raises(BadLog, match="payload is missing") as caught:
            await check(store, folder)
        assert (caught.value.index, caught.value.id) == (PLAIN, sealed[0].id)

    durable.run(body())


@pytest.mark.promise("LED-9")
def test_an_export_and_a_proof_of_a_home_are_checked_without_it(durable: Rig, tmp_path: Path) -> None:
    async def body() -> bytes:
        store, folder, sealed = await filled(durable)
        records = StoredRecords(store.reading, asyncio.get_running_loop(), payloads=True)
        target = tmp_path / "out.zip"
        await asyncio.to_thread(export, folder.read, records, target, keys=[LOG_KEY.verifier], payloads=True)
        shown = await store.reader.entry(sealed[3].id)
        return prove(folder.read, shown.index, shown.commitment, shown.facts).encode()

    proof = durable.run(body())
    opened = Export(tmp_path / "out.zip")
    report = verify(opened.read, TRUST, records=opened)
    assert (report.facts, report.payloads) == (TOTAL, SEALED)
    proven = check_proof(proof, TRUST, opened.records(PLAIN + 3, 1)[0].payload)
    assert proven.index == PLAIN + 3


def test_a_restarted_sequencer_goes_on_with_the_log(durable: Rig) -> None:
    async def body() -> None:
        store, folder, _ = await filled(durable)
        again = await durable.open()
        await asyncio.gather(*(again.journal.record(entry(n)) for n in range(10_000, 10_100)))
        await publish(again, folder)
        assert (await check(store, folder)).entries == TOTAL + 100

    durable.run(body())
