"""The sequencer: what it publishes, and how it comes back after a crash at any step."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.log import LOG_KEY, TRUST, FakeSequencing, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.backends.log import sequencer as loop
from handrail.backends.log.files import LogFolder
from handrail.backends.log.sequencer import Published, Sequencer
from handrail.ledger.note import Checkpoint, KeyType, SigningKey, Trust, check_checkpoint, parse_note, sign_checkpoint
from handrail.ledger.paths import is_log_path
from handrail.ledger.sequence import Head
from handrail.ledger.tree import Edge, File, grow
from handrail.ledger.verify import verify
from handrail.terms.errors import Code, HandrailError

LEAVES = [recorded(n)[0] for n in range(1_200)]
NOW = 1_700_000_000_000


class Crash(BaseException):
    """The process is gone: nothing after this line runs."""


class Crashing(FakeSequencing):
    """Storage whose process dies before or after the n-th of its writing calls."""

    def __init__(self) -> None:
        super().__init__()
        self.at = -1
        self.after = False

    async def _die(self, after: bool) -> None:
        if self.at == 0 and self.after == after:
            self.at = -1
            raise Crash
        if after and self.at > 0:
            self.at -= 1

    async def assign(self, first_index: int, refs: list[int]) -> None:
        await self._die(False)
        await super().assign(first_index, refs)
        await self._die(True)

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        await self._die(False)
        await super().published(size, root, checkpoint)
        await self._die(True)


class CrashingFolder(LogFolder):
    """A folder whose process dies at the n-th file, before or after it is in place, or in the middle of writing it."""

    at = -1
    how = "before"

    def _put(self, target: Path, data: bytes) -> int:
        if self.how in ("before", "torn"):
            self._count(target, data)
        return super()._put(target, data)

    def _place(self, target: Path) -> None:
        super()._place(target)
        if self.how == "after":
            self._count(target, b"")

    def _count(self, target: Path, data: bytes) -> None:
        if self.at == 0:
            self.at = -1
            if self.how == "torn":
                target.with_name(f".{target.name}.new").write_bytes(data[: len(data) // 2])
            raise Crash
        self.at -= 1


def run(step: "Callable[[], object]") -> object:
    async def call() -> object:
        return await step()  # type: ignore[misc]

    return asyncio.run(call())


def steps(storage: FakeSequencing, folder: LogFolder, batch: int = 1_000) -> list[Published]:
    """Publish everything that waits, in a new process."""
    sequencer = Sequencer(storage, folder, [LOG_KEY], batch=batch)

    async def all_() -> list[Published]:
        done = []
        while (one := await sequencer.step(NOW)) is not None:
            done.append(one)
        return done

    try:
        return asyncio.run(all_())
    finally:
        folder.unlock()


def whole(storage: FakeSequencing, folder: LogFolder) -> None:
    """The folder is exactly the log of what storage sequenced, and everything journaled is in it once."""
    report = verify(LogFolder(folder.root).read, TRUST)
    assert report.entries == len(storage.rows) == len(set(storage.order))
    assert report.trusted.checkpoint.root == storage.last.root
    edge, _ = grow(Edge(), [storage.rows[ref] for ref in storage.order])
    assert edge.root() == storage.last.root


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LogFolder]:
    made = LogFolder(tmp_path / "log")
    yield made
    made.unlock()


def test_a_step_publishes_what_waits_and_the_next_finds_nothing(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:3])
    (done,) = steps(storage, folder)
    assert (done.size, done.added, done.full) == (3, 3, False)
    whole(storage, folder)
    checkpoint = check_checkpoint(folder.read("checkpoint") or b"", TRUST).checkpoint
    assert (checkpoint.size, checkpoint.root) == (3, done.root)


@pytest.mark.promise("LED-1")
@given(st.lists(st.integers(1, 400), min_size=1, max_size=5), st.sampled_from([1, 100, 256, 1_000]))
@settings(max_examples=15, deadline=None)
def test_any_arrival_in_any_batches_gives_the_one_log(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[int], batch: int
) -> None:
    folder, storage, at = LogFolder(tmp_path_factory.mktemp("log")), FakeSequencing(), 0
    for count in arrivals:
        count = min(count, 30) if batch == 1 else count
        storage.journal(LEAVES[at : at + count])
        at += count
        done = steps(storage, folder, batch)
        assert all(one.added <= batch for one in done)
    whole(storage, folder)


CRASHES = [(f"storage {n} {side}", n, side == "after", "") for n in range(2) for side in ("before", "after")]
CRASHES += [(f"file {n} {how}", n, False, how) for n in range(6) for how in ("before", "after", "torn")]


@pytest.mark.promise("LED-1")
@pytest.mark.parametrize(("at", "after", "file"), [one[1:] for one in CRASHES], ids=[one[0] for one in CRASHES])
def test_after_a_crash_at_any_step_nothing_is_lost_or_written_twice(
    tmp_path: Path, at: int, after: bool, file: str
) -> None:
    storage, folder = Crashing(), CrashingFolder(tmp_path / "log")
    storage.journal(LEAVES[:300])
    steps(storage, folder)
    storage.journal(LEAVES[300:700])
    if file:
        folder.at, folder.how = at, file
    else:
        storage.at, storage.after = at, after
    with pytest.raises(Crash):
        steps(storage, folder)
    before = verify(LogFolder(folder.root).read, TRUST).entries  # what readers see in between is whole
    assert before in (300, 700)
    storage.journal(LEAVES[700:1_200])
    again = LogFolder(folder.root)
    steps(storage, again)
    whole(storage, again)


def test_a_deleted_folder_is_rebuilt_from_the_database(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:700])
    steps(storage, folder, batch=300)
    shutil.rmtree(folder.root)
    steps(storage, LogFolder(folder.root))
    whole(storage, folder)


@pytest.mark.promise("LED-1")
@pytest.mark.parametrize("path", ["tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/002.p/188", "tile/0/001"])
@pytest.mark.parametrize("left", [0, 33])
def test_a_torn_file_is_repaired_from_the_database(folder: LogFolder, path: str, left: int) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:700])
    steps(storage, folder)
    file = folder.root / path
    file.write_bytes(file.read_bytes()[:left])
    again = Sequencer(storage, folder, [LOG_KEY])
    run(again.rebuild)
    whole(storage, folder)


@pytest.mark.promise("LED-1")
def test_a_full_tile_with_other_bytes_is_never_overwritten(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:300])
    steps(storage, folder)
    file = folder.root / "tile/0/000"
    forged = b"\0" * len(file.read_bytes())
    file.write_bytes(forged)
    with pytest.raises(HandrailError) as caught:
        run(Sequencer(storage, folder, [LOG_KEY]).rebuild)
    assert caught.value.code is Code.LOG_CONFLICT
    assert "tile/0/000" in caught.value.message
    assert file.read_bytes() == forged


@pytest.mark.promise("LED-8")
def test_a_database_older_than_the_published_log_is_refused(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:300])
    steps(storage, folder)
    old = FakeSequencing(dict(storage.rows), list(storage.order), storage.last)
    storage.journal(LEAVES[300:600])
    steps(storage, folder)
    published = folder.read("checkpoint")
    old.journal(LEAVES[900:])
    with pytest.raises(HandrailError, match="rolled back") as caught:
        steps(old, folder)
    assert caught.value.code is Code.LOG_CONFLICT
    assert folder.read("checkpoint") == published


@pytest.mark.promise("LED-8")
def test_a_database_that_went_another_way_is_refused(folder: LogFolder, tmp_path: Path) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:300])
    steps(storage, folder)
    other = FakeSequencing()
    other.journal(LEAVES[600:1_000])
    steps(other, LogFolder(tmp_path / "other"))
    with pytest.raises(HandrailError) as caught:
        steps(other, folder)
    assert caught.value.code is Code.LOG_CONFLICT


@pytest.mark.promise("LED-8")
def test_entries_changed_in_the_database_cannot_rebuild_the_log(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:300])
    steps(storage, folder)
    storage.rows[7] = LEAVES[900]
    shutil.rmtree(folder.root)
    with pytest.raises(HandrailError, match="were changed"):
        steps(storage, LogFolder(folder.root))
    assert list(LogFolder(folder.root).paths()) == []


def test_a_checkpoint_of_another_log_in_the_folder_is_refused(folder: LogFolder) -> None:
    other = SigningKey("other.example", KeyType.ED25519, bytes(32))
    folder.lock()
    folder.write_checkpoint(sign_checkpoint(Checkpoint("other.example", 0, Edge().root()), [other], 0))
    storage = FakeSequencing()
    storage.journal(LEAVES[:3])
    with pytest.raises(HandrailError, match="not of this log"):
        steps(storage, folder)


def test_who_does_not_lead_writes_nothing(folder: LogFolder) -> None:
    storage = FakeSequencing(leads=False)
    storage.journal(LEAVES[:3])
    assert steps(storage, folder) == []
    assert not folder.root.exists()


def test_two_writers_on_one_folder_are_refused(folder: LogFolder) -> None:
    folder.lock()
    storage = FakeSequencing()
    storage.journal(LEAVES[:3])
    with pytest.raises(HandrailError, match="another process writes this log"):
        steps(storage, LogFolder(folder.root))
    with pytest.raises(HandrailError, match="not locked"):
        LogFolder(folder.root).write([File("tile/0/000.p/1", b"")])


def test_a_deposed_leader_cannot_publish_over_its_successor(folder: LogFolder) -> None:
    storage = FakeSequencing()
    storage.journal(LEAVES[:10])
    steps(storage, folder)
    stale = Head(5, bytes(32), b"")
    with pytest.raises(HandrailError):
        run(lambda: storage.published(stale.size, stale.root, b""))


def test_a_full_disk_is_reported_and_heals(tmp_path: Path) -> None:
    class Full(LogFolder):
        full = True

        def _put(self, target: Path, data: bytes) -> int:
            if self.full:
                raise OSError(28, "No space left on device")
            return super()._put(target, data)

    storage, folder, seen = FakeSequencing(), Full(tmp_path / "log"), []
    storage.journal(LEAVES[:300])
    sequencer = Sequencer(storage, folder, [LOG_KEY])

    async def pause(seconds: float) -> None:
        assert seconds == 1.0
        folder.full = False

    run(
        lambda: loop.run(sequencer, now_ms=lambda: NOW, pause=pause, report=seen.append, stopped=lambda: len(seen) == 2)
    )
    assert isinstance(seen[0], OSError)
    assert isinstance(seen[1], Published)
    whole(storage, folder)
    folder.unlock()


def test_the_loop_goes_on_at_once_while_more_waits_and_else_pauses(folder: LogFolder) -> None:
    storage, seen, pauses = FakeSequencing(), [], []
    storage.journal(LEAVES[:250])

    async def pause(seconds: float) -> None:
        pauses.append((seconds, len(seen)))

    run(
        lambda: loop.run(
            Sequencer(storage, folder, [LOG_KEY], batch=100),
            now_ms=lambda: NOW,
            pause=pause,
            report=seen.append,
            stopped=lambda: len(pauses) == 2,
        )
    )
    assert [one.added for one in seen] == [100, 100, 50]
    assert pauses == [(1.0, 3), (1.0, 3)]


def test_partial_files_go_when_the_full_one_is_published(folder: LogFolder) -> None:
    storage = FakeSequencing()
    for at in range(0, 600, 50):
        storage.journal(LEAVES[at : at + 50])
        steps(storage, folder)
    paths = set(folder.paths())
    assert {path for path in paths if path.startswith("tile/0/") and ".p/" in path} == {
        "tile/0/002.p/38",
        "tile/0/002.p/88",
    }
    whole(storage, folder)


@pytest.mark.promise("LED-7")
def test_cosignatures_are_kept_while_the_log_goes_on(folder: LogFolder) -> None:
    storage = FakeSequencing()
    witnesses = [SigningKey(f"w{n}.example", KeyType.COSIGNATURE_ED25519, bytes([n]) * 32) for n in (1, 2, 3)]
    keys, known = [LOG_KEY.verifier], [one.verifier for one in witnesses[:2]]

    def lines(note: bytes, *by: SigningKey) -> bytes:
        text = parse_note(note).text
        return "".join(one.sign(text, 1_700_000_000).line() + "\n" for one in by).encode()

    storage.journal(LEAVES[:300])
    steps(storage, folder)
    seen = folder.read("checkpoint") or b""
    storage.journal(LEAVES[300:700])
    steps(storage, folder)
    later = folder.read("checkpoint") or b""
    assert folder.accept(seen, lines(seen, witnesses[0]), keys, known) == 300
    assert folder.accept(seen, lines(seen, witnesses[1], witnesses[2]), keys, known) == 300
    trust = Trust(TRUST.log, tuple(known), 2)
    assert len(check_checkpoint(folder.read("witnessed") or b"", trust).cosigned) == 2
    report = verify(folder.read, trust)
    assert (report.entries, report.witnessed and report.witnessed.checkpoint.size) == (700, 300)
    assert folder.accept(later, lines(later, witnesses[0]), keys, known) == 700
    with pytest.raises(HandrailError, match="700 entries is witnessed already"):
        folder.accept(seen, lines(seen, witnesses[0]), keys, known)
    with pytest.raises(HandrailError, match="no cosignature of a known witness"):
        folder.accept(later, lines(later, witnesses[2]), keys, known)
    other = sign_checkpoint(Checkpoint(LOG_KEY.name, 700, bytes(32)), [LOG_KEY], 0)
    with pytest.raises(HandrailError, match="not one of this log"):
        folder.accept(other, lines(other, witnesses[0]), keys, known)


@pytest.mark.parametrize(
    "path",
    ["", "../checkpoint", "checkpoint/..", ".lock", "tile/0/../../.lock", "tile/64/000", "tile/0/000.p/256",
     "tile/0/000.p/0", "tile/0/1", "tile/00/000", "tile/entries/000.p/1/", "/checkpoint", "checkpoint\n",
     "tile/0/000.p/.255.new"],
)  # fmt: skip
def test_nothing_but_the_logs_own_files_can_be_read(folder: LogFolder, path: str) -> None:
    assert not is_log_path(path)
    assert folder.read(path) is None


def test_the_logs_own_paths_can_be_read() -> None:
    paths = ["checkpoint", "tile/0/000", "tile/63/x001/x234/067", "tile/entries/000.p/255", "tile/1/000.p/1"]
    assert all(is_log_path(path) for path in paths)
