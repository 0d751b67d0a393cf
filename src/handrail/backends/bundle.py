"""A backup on disk: a folder or a zip file of pieces, and a manifest with the digest and size of each.

    manifest.json, manifest.seal    what it holds; the seal is made with the key-encryption key, so a changed backup is
                                    told from a true one
    keys/NAME.key, log-key.sealed   wrapped by the key-encryption key
    kek                             only on request
    erasures.jsonl                  subjects erased so far
    database/                       handrail.db, or one file for each table (PostgreSQL's COPY, text form)
    log/                            the published log, cut to what the database knows

It appears whole or not at all: it is made beside its place and renamed.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from handrail.backends.log.export import ZIP_DAMAGE, cut
from handrail.ledger.backup import ERASURES, MANIFEST, SEAL, Erasure, Manifest, Piece, read_manifest
from handrail.ledger.seal import KeyWrapper, Unreadable
from handrail.ledger.tree import BadProof, Read
from handrail.terms.errors import Code, HandrailError

CHUNK = 1 << 20
MAX_MANIFEST = 1 << 28


class Copied(msgspec.Struct, frozen=True):
    """What a copied database says. `wraps`: names of the intermediate keys that it needs."""

    migrations: tuple[tuple[int, str], ...]
    wraps: frozenset[str]
    log_size: int
    log_root: bytes
    checkpoint: bytes
    erasures: list[Erasure]


MIGRATIONS_SQL = "SELECT number, digest FROM migration ORDER BY number"
WRAPS_SQL = "SELECT wrapped_by FROM subject WHERE wrapped IS NOT NULL UNION SELECT intermediate FROM control"
HEAD_SQL = "SELECT size, root, checkpoint FROM log_head"
ERASED_SQL = "SELECT subject, entry, at_ms FROM erased ORDER BY at_ms, subject"
FREE_LEASE_SQL = "UPDATE log_head SET leader = '', leader_until = 0"


class Making:
    """A backup under way in a folder beside `target`; a context that leaves nothing behind unless `finish` ran."""

    def __init__(self, target: Path, fresh: str) -> None:
        """`fresh`: a random name. Raises HandrailError ALREADY when the target exists, NOT_FOUND without its folder."""
        if target.exists():
            raise HandrailError(Code.ALREADY, f"{target.name} exists; a backup never overwrites anything")
        if not target.parent.is_dir():
            raise HandrailError(Code.NOT_FOUND, f"there is no folder {target.parent.name} to put the backup in")
        self.target = target
        self.root = target.with_name(f".{target.name}.{fresh}")
        self._zip = self.root.with_name(f"{self.root.name}.zip")

    def __enter__(self) -> "Making":
        self.root.mkdir(mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self._zip.unlink(missing_ok=True)

    def put(self, path: str, data: bytes) -> None:
        put(self.root / path, data)

    def put_log(self, read: Read, size: int, checkpoint: bytes) -> None:
        """The log cut to `size`. Raises HandrailError LOG_CONFLICT when a tile is missing."""
        try:
            for path, data in cut(read, size):
                self.put(f"log/{path}", data)
        except BadProof as error:
            raise HandrailError(
                Code.LOG_CONFLICT,
                f"the published log is not whole ({error}); run this where the log is written, or start the server, "
                "which mends it",
            ) from None
        if size:
            self.put("log/checkpoint", checkpoint)

    def seal(self, manifest: Manifest, wrapper: KeyWrapper) -> tuple[str, int]:
        """Write the manifest over everything there; its SHA-256 (hex) and the bytes of all pieces."""
        pieces = tuple(
            Piece(path.relative_to(self.root).as_posix(), path.stat().st_size, digest(path))
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        )
        data = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(manifest, pieces=pieces)), indent=1)
        hashed = hashlib.sha256(data)
        self.put(MANIFEST, data)
        self.put(SEAL, wrapper.wrap(hashed.digest(), name=f"backup {manifest.id}"))
        return hashed.hexdigest(), sum(piece.size for piece in pieces)

    def pack(self) -> None:
        """For a target that ends with `.zip`: everything into one file. Durable on return."""
        if self.target.suffix != ".zip":
            flush(self.root)
            return
        with open(os.open(self._zip, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
            with zipfile.ZipFile(out, "w", allowZip64=True) as packed:
                for path in sorted(self.root.rglob("*")):
                    if path.is_file():
                        name = path.relative_to(self.root).as_posix()
                        shrinks = not name.startswith(("log/", "keys/"))
                        packed.write(path, name, zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED, 1)
            out.flush()
            os.fsync(out.fileno())

    def finish(self) -> None:
        """Rename into place."""
        os.rename(self._zip if self.target.suffix == ".zip" else self.root, self.target)
        flush_folder(self.target.parent)


class Bundle:
    """A backup that is read. Every piece is checked against the manifest while it is read."""

    def __init__(self, path: Path) -> None:
        """Raises HandrailError NOT_FOUND or REQUEST_INVALID."""
        if not path.exists():
            raise HandrailError(Code.NOT_FOUND, f"{path.name} does not exist")
        self._folder: Path | None = path if path.is_dir() else None
        self._zip: zipfile.ZipFile | None = None
        if self._folder is None:
            try:
                self._zip = zipfile.ZipFile(path)
            except ZIP_DAMAGE:
                raise HandrailError(
                    Code.REQUEST_INVALID, f"{path.name} is neither a folder nor a zip file: no backup"
                ) from None
        data = self._whole(MANIFEST)
        self.manifest = read_manifest(data)
        self.digest = hashlib.sha256(data)
        self._pieces = {piece.path: piece for piece in self.manifest.pieces}

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def authentic(self, wrapper: KeyWrapper) -> None:
        """Raises HandrailError HOME_INVALID when the key-encryption key is another one, or the manifest was changed."""
        try:
            sealed = wrapper.unwrap(self._whole(SEAL), name=f"backup {self.manifest.id}")
        except Unreadable:
            raise HandrailError(
                Code.HOME_INVALID,
                "the key-encryption key of this home did not make this backup, or its seal was changed: put the key "
                "of that time in place (keys.kek_file or keys.kek_env)",
            ) from None
        if sealed != self.digest.digest():
            raise HandrailError(Code.REQUEST_INVALID, f"{MANIFEST} was changed after the backup was made")

    def names(self, folder: str) -> list[str]:
        """Paths of the pieces in a folder, without it."""
        return [path.removeprefix(f"{folder}/") for path in self._pieces if path.startswith(f"{folder}/")]

    def has(self, path: str) -> bool:
        return path in self._pieces

    def chunks(self, path: str) -> Iterator[bytes]:
        """Bytes of a piece. Raises HandrailError REQUEST_INVALID, at the end, when it is not what the manifest says."""
        piece = self._pieces.get(path)
        if piece is None:
            raise HandrailError(Code.REQUEST_INVALID, f"the backup has no {path}")
        hashed, size = hashlib.sha256(), 0
        try:
            with self._open(path) as file:
                while chunk := file.read(CHUNK):
                    hashed.update(chunk)
                    size += len(chunk)
                    if size > piece.size:
                        break
                    yield chunk
        except (KeyError, *ZIP_DAMAGE):
            raise _damaged(path) from None
        if size != piece.size or hashed.hexdigest() != piece.sha256:
            raise _damaged(path)

    def data(self, path: str) -> bytes:
        """A small piece."""
        return b"".join(self.chunks(path))

    def read_log(self, path: str) -> bytes | None:
        """For `ledger.tree.Tiles`."""
        return self.data(f"log/{path}") if self.has(f"log/{path}") else None

    def extract(self, path: str, target: Path) -> None:
        """Write a piece, mode 0600, durable on return."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for chunk in self.chunks(path):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())

    def erasures(self) -> bytes:
        return self.data(ERASURES)

    def _whole(self, path: str) -> bytes:
        try:
            with self._open(path) as file:
                return file.read(MAX_MANIFEST)
        except (KeyError, *ZIP_DAMAGE):
            raise HandrailError(Code.REQUEST_INVALID, f"there is no {path} in it: no backup, or damaged") from None

    def _open(self, path: str) -> IO[bytes]:
        if self._folder is not None:
            return (self._folder / path).open("rb")
        assert self._zip is not None
        return self._zip.open(path)


def put(path: Path, data: bytes) -> None:
    """A new file, mode 0600; folders are made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def digest(path: Path) -> str:
    """SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(root: Path) -> None:
    """Every file and folder below `root`, on disk."""
    for folder, _, names in os.walk(root):
        for name in names:
            handle = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        flush_folder(Path(folder))


def flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(path: str) -> HandrailError:
    return HandrailError(
        Code.REQUEST_INVALID, f"{path} of the backup is damaged or was changed; nothing was restored: take another"
    )
