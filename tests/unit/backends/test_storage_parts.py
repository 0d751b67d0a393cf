"""Small parts of storage that need no database."""

import asyncio
from hashlib import blake2b
from pathlib import Path

import apsw
import pytest

from handrail.backends.keyring import KeyFolder, Keyring, Lookup
from handrail.backends.migrations import Migration, load, missing
from handrail.backends.postgres.database import MIGRATIONS as POSTGRES
from handrail.backends.sqlite.database import MIGRATIONS as SQLITE
from handrail.backends.sqlite.database import SPILL_PAGES, connect, prepare, require_version
from handrail.backends.sqlite.lookups import SqliteLookups
from handrail.backends.system import SystemClock, SystemIds
from handrail.backends.writer import MAX_BATCH
from handrail.ledger.seal import LocalKek
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ALPHABET, ulid

IDS = SystemIds()
ONE, TWO = Migration(1, "001_a", "", "digest1"), Migration(2, "002_b", "", "digest2")


def test_an_old_sqlite_is_refused_with_the_way_to_mend_it() -> None:
    require_version(3_051_003)
    with pytest.raises(HandrailError, match=r"SQLite 3\.40\.1 is too old: 3\.51\.3") as caught:
        require_version(3_040_001)
    assert caught.value.code is Code.HOME_INVALID


def test_only_what_is_missing_is_applied() -> None:
    assert missing([ONE, TWO], {}) == [ONE, TWO]
    assert missing([ONE, TWO], {1: "digest1"}) == [TWO]
    assert missing([ONE, TWO], {1: "digest1", 2: "digest2"}) == []


def test_a_changed_or_unknown_migration_is_refused() -> None:
    for applied in ({1: "another"}, {1: "digest1", 3: "newer"}):
        with pytest.raises(HandrailError) as caught:
            missing([ONE, TWO], applied)
        assert caught.value.code is Code.HOME_INVALID


def test_both_engines_have_the_same_migrations() -> None:
    assert [each.name for each in load(SQLITE)] == [each.name for each in load(POSTGRES)]


def test_the_data_folder_and_its_files_are_for_the_owner_only(tmp_path: Path) -> None:
    path = prepare(tmp_path / "data")
    db = connect(path)
    db.execute("CREATE TABLE t (x)")
    for file in (path, *path.parent.glob("handrail.db-*")):
        assert file.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    settings = {name: db.pragma(name) for name in ("journal_mode", "synchronous", "secure_delete", "mmap_size")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "mmap_size": 0}
    db.close()


def test_a_batch_larger_than_the_cache_goes_to_the_log_once_and_a_huge_one_does_not_stay_in_memory(
    tmp_path: Path,
) -> None:
    db = connect(prepare(tmp_path / "data"))
    db.execute("CREATE TABLE t (x BLOB)")
    db.execute("BEGIN IMMEDIATE")

    def spilled(pages: int) -> int:
        for _ in range(pages):
            db.execute("INSERT INTO t VALUES (zeroblob(4000))")
        return db.status(apsw.SQLITE_DBSTATUS_CACHE_SPILL)[0]

    assert spilled(2 * MAX_BATCH) == 0
    assert spilled(SPILL_PAGES) > 0
    db.execute("COMMIT")
    db.close()


def test_sqlite_takes_no_lock_to_count_its_memory(tmp_path: Path) -> None:
    db = connect(prepare(tmp_path / "data"))
    assert apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0] == 0
    db.close()


def test_ids_are_the_ulid_of_their_time_and_randomness() -> None:
    made = IDS.new("in")
    prefix, _, rest = made.partition("_")
    assert prefix == "in"
    assert len(rest) == 26
    assert set(rest) <= set(ALPHABET)
    now = SystemClock().now_ms()
    assert ulid(now - 60_000, bytes(10)) < rest <= ulid(now + 60_000, b"\xff" * 10)
    value = 0
    for each in rest:
        value = value << 5 | ALPHABET.index(each)
    assert ulid(value >> 80, (value & (1 << 80) - 1).to_bytes(10, "big")) == rest


def test_a_database_that_does_not_answer_is_no_conversation_that_is_not_there(tmp_path: Path) -> None:
    db = connect(prepare(tmp_path / "data"))  # without its tables
    lookups = SqliteLookups(db)
    for ask in (lookups.conversation("cv_1"), lookups.given(b"g"), lookups.tail(b"t"), lookups.key("su_1")):
        with pytest.raises(HandrailError, match="the database does not answer: SQLError") as caught:
            asyncio.run(ask)
        assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    db.close()


def test_the_hashes_that_stand_in_the_database_are_what_they_always_were() -> None:
    key = bytes(range(32))
    lookup = Lookup(key)
    for _ in range(2):
        for message in (b"", b"hello", b"x" * 5_000):
            assert lookup.message(message) == blake2b(message, key=key, digest_size=16, person=b"message").digest()
            for customer, owner in ((None, b"k\0\0"), ("ann", b"k\0=ann\0")):
                whole = blake2b(owner + message, key=key, digest_size=16, person=b"tail").digest()
                assert lookup.tail("k", customer, message) == whole


def folder(path: Path, key: bytes = bytes(32)) -> KeyFolder:
    return KeyFolder(path / "keys", LocalKek(key, nonce=IDS.token))


def test_the_first_process_to_make_a_key_wins(tmp_path: Path) -> None:
    one, two = Keyring(folder(tmp_path), IDS), Keyring(folder(tmp_path), IDS)
    assert one.lookup.customer("ann") == two.lookup.customer("ann")
    assert one.folder.make("lookup", bytes(32), IDS) == one.folder.read("lookup")
    assert one.folder.read("lookup") != bytes(32)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["lookup.key"]


def test_another_key_encryption_key_is_refused(tmp_path: Path) -> None:
    Keyring(folder(tmp_path), IDS)
    with pytest.raises(HandrailError, match="does not open") as caught:
        Keyring(folder(tmp_path, b"x" * 32), IDS)
    assert caught.value.code is Code.HOME_INVALID


def test_a_key_encryption_key_is_rotated_without_touching_subjects(tmp_path: Path) -> None:
    ring = Keyring(folder(tmp_path), IDS)
    name = ring.new_intermediate()
    wrapped = ring.wrap("su_1", b"k" * 32, name)
    for each in ring.folder.names():
        ring.folder.rewrap(each, LocalKek(b"n" * 32, nonce=IDS.token))
    after = Keyring(folder(tmp_path, b"n" * 32), IDS)
    assert after.unwrap("su_1", wrapped, name) == b"k" * 32
    assert after.lookup.check() == ring.lookup.check()


def test_a_destroyed_key_leaves_no_file(tmp_path: Path) -> None:
    ring = Keyring(folder(tmp_path), IDS)
    name = ring.new_intermediate()
    wrapped = ring.wrap("su_1", b"k" * 32, name)
    ring.folder.destroy(name)
    ring.forget()
    with pytest.raises(HandrailError, match="missing in the keys folder"):
        ring.unwrap("su_1", wrapped, name)


def test_a_key_read_before_it_was_erased_is_not_kept(tmp_path: Path) -> None:
    ring = Keyring(folder(tmp_path), IDS, size=2)
    generation = ring.generation
    ring.forget()
    ring.remember("su_1", b"k" * 32, generation)
    assert ring.cached("su_1") is None
    for name in ("su_1", "su_2", "su_3"):
        ring.remember(name, b"k" * 32)
    assert ring.cached("su_1") is None
    assert ring.cached("su_3") == b"k" * 32


def test_keyed_hashes_of_different_things_differ(tmp_path: Path) -> None:
    lookup = Keyring(folder(tmp_path), IDS).lookup
    assert len({lookup.tail("k", None, b"x"), lookup.tail("k", "", b"x"), lookup.tail("k2", None, b"x")}) == 3
    assert lookup.customer("a") != lookup.given("a")
    assert lookup.reference("u", "a", "b") != lookup.reference("u", None, "ab")
