"""The files of the log: each appears whole or not at all, and a full tile never changes.

Files are written beside their places, flushed to the disk, renamed into place, and their folders flushed. The folder
holds `checkpoint`, `witnessed`, `tile/...` and the lock file `.lock`; `ledger.paths` says what may be served.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from handrail.ledger.note import BadNote, Trust, VerifierKey, add_cosignatures, check_checkpoint
from handrail.ledger.paths import CHECKPOINT, WITNESSED, is_log_path
from handrail.ledger.tree import BadProof, File, Tiles
from handrail.terms.errors import Code, HandrailError


class LogFolder:
    """One folder, one log. Reading needs no lock; writing does (`lock`), so that two sequencers on one machine cannot
    write one log even when they use two databases."""

    def __init__(self, root: Path) -> None:
        """`root` is made (mode 0700) on the first lock."""
        self.root = root
        self._lock: int | None = None

    def read(self, path: str) -> bytes | None:
        """Bytes of a file of the log; None when there is none, or the path is not one of the log."""
        if not is_log_path(path):
            return None
        try:
            with open(f"{self.root}/{path}", "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def lock(self) -> None:
        """Become the one writer of this folder. Raises HandrailError LOG_CONFLICT when another process is."""
        if self._lock is not None:
            return
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise HandrailError(
                Code.LOG_CONFLICT, "another process writes this log; stop it, or give each its own data_dir"
            ) from None
        self._lock = handle

    def unlock(self) -> None:
        """Let another process write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, files: Sequence[File]) -> None:
        """Write tiles and bundles, durable on return. A file that is there with the same bytes is left alone; one that
        is cut short or empty is written again; a full one with other bytes of full length is never touched: raises
        HandrailError LOG_CONFLICT, because either the disk or the database was changed. OSError when the disk is full
        or fails: what was written is whole and harmless, the rest is missing."""
        self._must_lock()
        fresh = [file for file in files if not self._is_there(file)]
        folders: set[Path] = set()
        for file in fresh:
            folder = (self.root / file.path).parent
            folders |= {folder, *self._make_folder(folder)}
        self._replace([(self.root / file.path, file.data) for file in fresh])
        for folder in folders:
            _flush_folder(folder)

    def write_checkpoint(self, data: bytes) -> None:
        """Replace the file `checkpoint`, durable on return."""
        self._must_lock()
        if self.read(CHECKPOINT) != data:
            self._replace([(self.root / CHECKPOINT, data)])
            _flush_folder(self.root)

    def accept(
        self, checkpoint: bytes, lines: bytes, log: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]
    ) -> int:
        """Keep cosignatures as the file `witnessed`; its size. `checkpoint`: the signed note that was cosigned, some
        seconds old; `lines`: what the witness answered. Those of other witnesses on the same checkpoint are kept.
        Needs no lock: the file is replaced whole. Raises HandrailError REQUEST_INVALID unless the checkpoint is one of
        this log, no older than the one kept, and a known witness signed it."""
        try:
            offered = check_checkpoint(checkpoint, Trust(tuple(log), tuple(witnesses))).checkpoint
            if Tiles(self.read, offered.size).root() != offered.root:
                raise BadNote("the checkpoint is not one of this log")
            kept = self.read(WITNESSED)
            if kept is not None:
                old = check_checkpoint(kept, Trust(tuple(log), tuple(witnesses))).checkpoint
                if old.size > offered.size:
                    raise BadNote(
                        f"a checkpoint of {old.size} entries is witnessed already, this one has {offered.size}"
                    )
                checkpoint = kept if old.size == offered.size else checkpoint
            whole = add_cosignatures(checkpoint, lines, witnesses)
        except (BadNote, BadProof) as error:
            raise HandrailError(Code.REQUEST_INVALID, f"cosignatures are refused: {error}") from None
        self._replace([(self.root / WITNESSED, whole)])
        _flush_folder(self.root)
        return offered.size

    def drop_partials(self, full: Sequence[File]) -> None:
        """Remove the partial forms of tiles that are full and published; readers then take the full one. A failure is
        harmless: the files only take space."""
        for file in full:
            if file.partial:
                continue
            folder = f"{self.root}/{file.path}.p"
            with contextlib.suppress(OSError):
                for part in os.listdir(folder):
                    os.unlink(f"{folder}/{part}")
                os.rmdir(folder)

    def paths(self) -> Iterator[str]:
        """Every file of the log, as paths below the root, in no order."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = (Path(folder) / name).relative_to(self.root).as_posix()
                if is_log_path(path):
                    yield path

    def _must_lock(self) -> None:
        if self._lock is None:
            raise HandrailError(Code.LOG_CONFLICT, "the log's folder is not locked for writing")

    def _make_folder(self, folder: Path) -> Iterator[Path]:
        """Make the folder and yield each parent that got a new name, to be flushed."""
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir(mode=0o700, exist_ok=True)
            yield new.parent

    def _is_there(self, file: File) -> bool:
        """Whether the file needs no writing. Raises HandrailError LOG_CONFLICT for a full one with other bytes."""
        there = self.read(file.path)
        if there is not None and there != file.data and not file.partial and len(there) >= len(file.data):
            raise HandrailError(
                Code.LOG_CONFLICT,
                f"{file.path} of the log differs from the database; run `handrail verify`, then move that file "
                "aside if the database is the one to trust",
            )
        return there == file.data

    def _replace(self, contents: Sequence[tuple[Path, bytes]]) -> None:
        """Write all beside their places, flush all, then rename all: a third of the waiting of one after the other."""
        handles = []
        try:
            for target, data in contents:
                handles.append(self._put(target, data))
            for handle in handles:
                os.fdatasync(handle)
        finally:
            for handle in handles:
                os.close(handle)
        for target, _ in contents:
            self._place(target)

    def _put(self, target: Path, data: bytes) -> int:
        """Write beside the place; the open handle."""
        handle = os.open(_beside(target), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        except OSError:
            os.close(handle)
            raise
        return handle

    def _place(self, target: Path) -> None:
        os.replace(_beside(target), target)


def _beside(target: Path) -> str:
    return f"{target.parent}/.{target.name}.new"


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
