"""Backups: what one says of itself, what a restore must not undo, and what is recorded of both. Pure.

Two things may never come back by a restore: an older log under the same key (two histories with one signature), and a
subject that was erased after the backup was made.
"""

from enum import StrEnum
from pathlib import PurePosixPath

import msgspec

from handrail.ledger.note import Checkpoint
from handrail.ledger.tree import BadProof, Read, Tiles
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import SubjectId

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.seal"
ERASURES = "erasures.jsonl"
KEK = "kek"
LOG_KEY = "log-key.sealed"
_FOLDERS = frozenset({"keys", "database", "log"})
_FILES = frozenset({ERASURES, KEK, LOG_KEY})


class EngineKind(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Erasure(msgspec.Struct, frozen=True):
    """A subject whose key was destroyed. `entry`: the ledger entry that says so."""

    subject: SubjectId
    entry: str
    at_ms: int


class Piece(msgspec.Struct, frozen=True):
    """One file of a backup. `path`: below its root, with `/`. `size`: bytes. `sha256`: hex."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `migrations`: number and digest of each that the database has. `log_size`, `log_root` (hex):
    the log that its entries are published under. `kek`: the key-encryption key is in it."""

    format: int
    id: str
    handrail: str
    engine: EngineKind
    migrations: tuple[tuple[int, str], ...]
    made_at_ms: int
    log_size: int
    log_root: str
    kek: bool
    pieces: tuple[Piece, ...]


class BackupFacts(msgspec.Struct, frozen=True):
    """Facts of `backup.made`. `manifest`: SHA-256, hex."""

    backup: str
    manifest: str
    engine: EngineKind
    log_size: int
    size: int
    kek: bool


class RestoredFacts(msgspec.Struct, frozen=True):
    """Facts of `backup.restored`. `erased`: subjects erased again. `known_size`: the newest log that was known here;
    `accepted`: the reference under which an older one was accepted, empty when it was not older."""

    backup: str
    manifest: str
    made_at_ms: int
    log_size: int
    known_size: int
    erased: int
    accepted: str


def read_manifest(data: bytes) -> Manifest:
    """Raises HandrailError REQUEST_INVALID for anything that is not a manifest of a form known here."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError:
        raise HandrailError(
            Code.REQUEST_INVALID, f"{MANIFEST} cannot be read: this is no backup, or it is damaged"
        ) from None
    if manifest.format != FORMAT:
        raise HandrailError(
            Code.REQUEST_INVALID, f"the backup has form {manifest.format}, this handrail reads {FORMAT}; use the newer"
        )
    for piece in manifest.pieces:
        if not is_safe(piece.path):
            raise HandrailError(Code.REQUEST_INVALID, f"{MANIFEST} names a file outside the backup: it was made up")
    return manifest


def is_safe(path: str) -> bool:
    """Whether a backup may hold a file of this path."""
    parts = PurePosixPath(path).parts
    if "/".join(parts) != path or any(part in ("..", "/") or part.startswith(".") for part in parts):
        return False
    return path in _FILES or (len(parts) > 1 and parts[0] in _FOLDERS)


def encode_erasures(erasures: list[Erasure]) -> bytes:
    """JSON Lines."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in erasures)


def read_erasures(data: bytes, name: str) -> list[Erasure]:
    """`name`: of the file, for the message. Raises HandrailError REQUEST_INVALID with the line."""
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Erasure))
        except msgspec.DecodeError:
            raise HandrailError(
                Code.REQUEST_INVALID,
                f"{name} line {number} is no erasure; give {ERASURES} of a backup, or a file that "
                "handrail backup --only-erasures wrote",
            ) from None
    return found


def require_continues(read: Read, size: int, root: bytes, known: Checkpoint) -> None:
    """The log of a backup (`read`: its tiles) must be `known` or continue it. Raises HandrailError LOG_CONFLICT."""
    if known.size > size:
        raise HandrailError(
            Code.LOG_CONFLICT,
            f"the backup's log has {size} entries and one of {known.size} was published: what came between would be "
            "lost unseen; take a newer backup, or say --accept-older REFERENCE, which ends this log and starts "
            "another under a new key",
        )
    if known.size == 0:
        return
    try:
        tiles = Tiles(read, size)
        same = tiles.root() == root and tiles.range_root(0, known.size) == known.root
    except BadProof as error:
        raise HandrailError(Code.LOG_CONFLICT, f"the backup's log is damaged: {error}") from None
    if not same:
        raise HandrailError(
            Code.LOG_CONFLICT, f"the backup is of another log than the one known here at {known.size} entries"
        )
