"""Any change to a log or its records is found, and the first bad entry is named."""

from functools import cache

import msgspec
import pytest
from fakes.log import LOG_KEY, TRUST, FakeRecords, Published, entry, files_of, publish, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.ledger.commitment import RecordedFacts, commit, decode, facts_bytes
from handrail.ledger.note import (
    Checkpoint,
    KeyType,
    SigningKey,
    Trust,
    add_cosignatures,
    parse_checkpoint,
    parse_note,
    sign_checkpoint,
)
from handrail.ledger.tree import WIDTH, Edge, bundle_path, grow, leaf_hashes, pack_bundle, tile_path
from handrail.ledger.verify import BadLog, Record, verify

SIZES = (1, 2, 7, 255, 256, 257, 511, 512, 700)
log = cache(publish)


class Columns(msgspec.Struct, frozen=True):
    at_ms: int
    use_case: str


def columns(facts: RecordedFacts) -> Columns | None:
    return None if facts.use_case is None else Columns(facts.at_ms, facts.use_case)


def check(published: Published, **more: object) -> None:
    verify(published.read, TRUST, **more)  # type: ignore[arg-type]


def bad(published: Published, **more: object) -> BadLog:
    with pytest.raises(BadLog) as caught:
        check(published, **more)
    return caught.value


def copy(published: Published) -> Published:
    return Published(dict(published.files), list(published.leaves), list(published.rows))


@st.composite
def damaged_leaves(draw: st.DrawFn, size: int) -> tuple[list[bytes], int]:
    """The leaves of a log with one change, and the first index at which they differ from the real ones."""
    leaves = list(log(size).leaves)
    at = draw(st.integers(0, size - 1))
    how = draw(st.sampled_from(["change", "forge", "remove", "duplicate", "swap", "empty", "cut"]))
    if how == "change":
        flipped = bytearray(leaves[at])
        flipped[draw(st.integers(0, len(flipped) - 1))] ^= draw(st.integers(1, 255))
        leaves[at] = bytes(flipped)
    elif how == "forge":
        leaves[at] = recorded(100_000 + at)[0]
    elif how == "remove":
        del leaves[at]
    elif how == "duplicate":
        leaves.insert(at, leaves[at])
    elif how == "swap":
        other = draw(st.integers(0, size - 1))
        leaves[at], leaves[other] = leaves[other], leaves[at]
    elif how == "empty":
        leaves[at] = b""
    else:
        leaves[at] = leaves[at][:-1]
    real = log(size).leaves
    first = next((n for n, (one, other) in enumerate(zip(leaves, real, strict=False)) if one != other), None)
    if first is None:
        first = min(len(leaves), len(real))
    return leaves, first


def with_bundles(size: int, leaves: list[bytes]) -> Published:
    """The real log with entry bundles of other leaves; what is beyond the size goes into the last bundle."""
    published = copy(log(size))
    for n in range(-(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        end = None if (n + 1) * WIDTH >= size else (n + 1) * WIDTH
        published.files[bundle_path(n, width)] = pack_bundle(leaves[n * WIDTH : end])
    return published


@pytest.mark.parametrize("size", SIZES)
def test_an_honest_log_verifies(size: int) -> None:
    report = verify(log(size).read, TRUST, records=log(size).records)
    assert (report.entries, report.facts) == (size, size)
    assert report.payloads == sum(row.payload is not None for row in log(size).rows)
    assert report.payloads_absent == 0


@pytest.mark.promise("LED-4")
@given(st.sampled_from(SIZES), st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_bundle_is_found_and_the_first_bad_entry_named(size: int, data: st.DataObject) -> None:
    leaves, first = data.draw(damaged_leaves(size))
    if leaves == log(size).leaves:
        return
    found = bad(with_bundles(size, leaves), records=data.draw(st.sampled_from([None, log(size).records])))
    assert found.index == first


@pytest.mark.promise("LED-4")
@given(st.sampled_from(SIZES), st.data())
@settings(max_examples=100, deadline=None)
def test_entries_changed_together_with_every_tile_are_found_through_the_checkpoint(
    size: int, data: st.DataObject
) -> None:
    leaves, first = data.draw(damaged_leaves(size))
    if leaves[:size] == log(size).leaves:
        return  # the log that was signed is still there: what was added lies beyond it
    files = files_of(leaves) | {"checkpoint": log(size).files["checkpoint"]}
    forged = Published(files, leaves, log(size).rows)
    found = bad(forged)
    named = bad(forged, records=forged.records).index
    if len(leaves) == size:
        assert found.index is None
        assert found.start <= first < found.end
        assert named == first
    else:  # a bundle of another width: its file is not the one that the size asks for
        assert named is not None
        assert named <= first


@pytest.mark.promise("LED-4")
@given(st.sampled_from([257, 511, 512, 700]), st.data())
@settings(max_examples=60, deadline=None)
def test_entries_changed_together_with_their_tile_are_narrowed_and_named_by_the_records(
    size: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, size - 1))
    leaves = list(log(size).leaves)
    leaves[at] = recorded(100_000 + at)[0]
    forged = with_bundles(size, leaves)
    n = at // WIDTH
    width = min(WIDTH, size - n * WIDTH)
    forged.files[tile_path(0, n, width)] = leaf_hashes(leaves[n * WIDTH : n * WIDTH + width])
    found = bad(forged)
    assert found.index is None
    assert found.start <= at < found.end
    assert bad(forged, records=forged.records).index == at


@pytest.mark.promise("LED-4")
@given(st.sampled_from(SIZES), st.data())
@settings(max_examples=100, deadline=None)
def test_any_changed_cut_or_missing_file_is_found(size: int, data: st.DataObject) -> None:
    damaged = copy(log(size))
    path = data.draw(st.sampled_from(sorted(damaged.files)))
    content = bytearray(damaged.files[path])
    how = data.draw(st.sampled_from(["flip", "cut", "missing", "longer"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if how == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    elif how == "cut":
        del content[at:]
    else:
        content += b"\0"
    damaged.files[path] = bytes(content)
    if how == "missing":
        del damaged.files[path]
    used = path == "checkpoint" or is_used(path, size)
    if not used:
        check(damaged, records=damaged.records)
        return
    found = bad(damaged, records=damaged.records)
    assert path == "checkpoint" or found.path or found.index is not None
    if path.startswith("tile/entries/") and how == "cut":
        start = int(path.split("/")[2][:3]) * WIDTH
        assert found.index is not None
        assert start <= found.index < start + WIDTH


def is_used(path: str, size: int) -> bool:
    """Whether the size needs this file: full ones always, partial ones only at their last width."""
    if ".p/" not in path:
        return True
    level = 0 if "entries" in path else int(path.split("/")[1])
    return int(path.rpartition("/")[2]) == (size >> 8 * level) % WIDTH


@pytest.mark.promise("LED-4")
@given(st.sampled_from(SIZES), st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_record_is_found_and_named(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    rows = [msgspec.structs.replace(row, columns=columns_of(row)) for row in log(size).rows]
    how = data.draw(st.sampled_from(["facts", "other facts", "removed", "payload", "new payload", "columns", "key"]))
    first = at
    if how == "facts":
        changed = bytearray(rows[at].facts)
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        rows[at] = msgspec.structs.replace(rows[at], facts=bytes(changed))
    elif how == "other facts":
        rows[at] = msgspec.structs.replace(rows[at], facts=recorded(at + 1)[1].facts)
    elif how == "removed":
        del rows[at]
    elif how == "payload" and rows[at].payload is not None:
        rows[at] = msgspec.structs.replace(rows[at], payload=b"ciphertext X")
    elif how == "key" and rows[at].payload is not None:
        rows[at] = msgspec.structs.replace(rows[at], key="sub_2")
    elif how == "columns" and rows[at].columns is not None:
        rows[at] = msgspec.structs.replace(rows[at], columns=Columns(0, "orders"))
    else:
        first = next((n for n in range(at, size) if rows[n].payload is None), -1)
        if first < 0:
            return
        rows[first] = msgspec.structs.replace(rows[first], payload=b"")
    found = bad(log(size), records=FakeRecords(rows), project=columns)
    assert found.index == first
    assert found.id == f"ent_{first:026d}"


def columns_of(row: Record) -> Columns | None:
    return columns(msgspec.json.decode(row.facts, type=RecordedFacts))


def test_an_erased_payload_is_counted_and_is_no_error() -> None:
    rows = [msgspec.structs.replace(row, payload=None) for row in log(256).rows]
    report = verify(log(256).read, TRUST, records=FakeRecords(rows))
    assert (report.payloads, report.payloads_absent) == (0, sum(row.payload is not None for row in log(256).rows))


def test_facts_that_say_other_than_their_leaf_are_found_even_when_both_digests_match() -> None:
    """An operator with the log's key commits to one kind in the leaf and another in the facts."""
    leaf, row = recorded(0)
    lying = msgspec.structs.replace(decode(leaf), kind="server.stopped").encode()
    files = files_of([lying])
    found = bad(Published(files, [lying], [row]), records=FakeRecords([row]))
    assert found.index == 0
    assert "kind" in found.what


@pytest.mark.promise("LED-5")
@given(st.sampled_from([257, 512, 700]), st.integers(0, 256), st.sampled_from([257, 512, 700]))
@settings(max_examples=30, deadline=None)
def test_a_log_rewritten_with_its_own_key_is_found_by_an_older_checkpoint(size: int, at: int, old: int) -> None:
    known = parse_checkpoint(parse_note(log(old).files["checkpoint"]).text)
    leaves = list(log(700).leaves[:size])
    leaves[at] = recorded(100_000)[0]
    rewritten = Published(files_of(leaves), leaves, [])
    check(rewritten)  # by itself it is a good log: this is why witnesses and kept checkpoints matter
    found = bad(rewritten, known=[known])
    assert "rewritten" in found.what or "cut" in found.what
    if old <= size:
        check(log(size), known=[known])


@pytest.mark.promise("LED-7")
def test_a_log_rewritten_with_its_own_key_is_refused_without_its_witnesses() -> None:
    witness = SigningKey("w.example", KeyType.COSIGNATURE_ED25519, bytes(32))
    trust = Trust(TRUST.log, (witness.verifier,), 1)
    honest = copy(log(257))
    line = witness.sign(parse_note(honest.files["checkpoint"]).text, 1_700_000_000).line() + "\n"
    honest.files["checkpoint"] = add_cosignatures(honest.files["checkpoint"], line.encode(), [witness.verifier])
    assert verify(honest.read, trust).trusted.cosigned == (("w.example", 1_700_000_000),)
    with pytest.raises(BadLog, match="cosignatures"):
        verify(log(256).read, trust)


@pytest.mark.promise("LED-7")
def test_witnesses_of_an_older_checkpoint_vouch_for_the_beginning_of_the_log() -> None:
    witness = SigningKey("w.example", KeyType.COSIGNATURE_ED25519, bytes(32))
    trust = Trust(TRUST.log, (witness.verifier,), 1)
    old = log(257).files["checkpoint"]
    line = witness.sign(parse_note(old).text, 1_700_000_000).line() + "\n"
    witnessed = add_cosignatures(old, line.encode(), [witness.verifier])
    grown = Published(log(700).files | {"witnessed": witnessed}, log(700).leaves, log(700).rows)
    report = verify(grown.read, trust, records=grown.records)
    assert report.entries == 700
    assert report.witnessed is not None
    assert report.witnessed.checkpoint.size == 257
    leaves = [recorded(100_000)[0], *log(700).leaves[1:]]
    rewritten = Published(files_of(leaves) | {"witnessed": witnessed}, leaves, [])
    with pytest.raises(BadLog, match="rewritten"):
        verify(rewritten.read, trust)
    unsigned = Published(log(700).files | {"witnessed": old}, [], [])
    with pytest.raises(BadLog, match="cosignatures"):
        verify(unsigned.read, trust)


def test_an_impossible_size_or_root_in_a_signed_checkpoint_is_refused() -> None:
    for checkpoint in (Checkpoint(LOG_KEY.name, 2**62, bytes(32)), Checkpoint(LOG_KEY.name, 7, bytes(32))):
        forged = copy(log(7))
        forged.files["checkpoint"] = sign_checkpoint(checkpoint, [LOG_KEY], 0)
        assert bad(forged).index == (None if checkpoint.size == 7 else 0)


def test_an_empty_log_verifies_only_with_the_empty_root() -> None:
    good = sign_checkpoint(Checkpoint(LOG_KEY.name, 0, Edge().root()), [LOG_KEY], 0)
    assert verify({"checkpoint": good}.get, TRUST).entries == 0
    wrong = sign_checkpoint(Checkpoint(LOG_KEY.name, 0, bytes(32)), [LOG_KEY], 0)
    with pytest.raises(BadLog):
        verify({"checkpoint": wrong}.get, TRUST)


def test_records_are_read_in_windows_and_a_gap_at_the_end_is_found() -> None:
    size = 5_000
    leaves, rows, edge, files = [], [], Edge(), {}
    for n in range(size):
        leaf, row = recorded(n)
        leaves.append(leaf)
        rows.append(row)
    edge, fresh = grow(edge, leaves)
    files = {file.path: file.data for file in fresh}
    files["checkpoint"] = sign_checkpoint(Checkpoint(LOG_KEY.name, size, edge.root()), [LOG_KEY], 0)
    big = Published(files, leaves, rows)
    assert verify(big.read, TRUST, records=big.records).facts == size
    assert bad(big, records=FakeRecords(rows[:4_321])).index == 4_321
    assert bad(big, records=FakeRecords(rows[:100] + rows[101:])).index == 100
    assert bad(big, records=FakeRecords([])).index == 0


def test_the_leaf_of_an_entry_is_made_of_its_facts() -> None:
    leaf, row = recorded(5)
    assert commit(entry(5), row.facts, row.payload, "sub_1").encode() == leaf
    assert facts_bytes(entry(5), b"x" * 16) != row.facts
