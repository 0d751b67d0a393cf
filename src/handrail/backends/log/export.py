"""A log with its records as one folder or zip file, to be checked by a stranger without our database.

    log/checkpoint, log/tile/...   the C2SP log, cut to the size of the checkpoint; log/witnessed where there is one
    facts/<N>.jsonl                the facts bytes of entries 256*N .. 256*N+255, each followed by a newline
    payloads/<N>.bin               optional: for each of these entries 4 bytes of length, big-endian, and the
                                   ciphertext; length 0xFFFFFFFF: there is none, or none any more
    contents.txt                   what the export was made with: `log`, `facts`, `payloads`, one on each line
    keys.txt                       verifier keys of the log, one on each line: a help, not a reason to trust
    README.txt                     how to check

`<N>` is spelt as in tile paths (`x001/234`). Nothing here is secret: ciphertexts stay sealed under keys that are not
exported, and facts hold no personal data.
"""

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from handrail.ledger.note import VerifierKey, parse_checkpoint, parse_note
from handrail.ledger.paths import CHECKPOINT, WITNESSED
from handrail.ledger.tree import WIDTH, BadProof, Read, Tiles, bundle_path, pack_bundle, tile_path, unpack_bundle
from handrail.ledger.verify import Absence, Record, RecordReader

_ABSENT = 0xFFFFFFFF
_LENGTH = struct.Struct(">I")
_CONTENTS = "contents.txt"
ZIP_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip
"""What `zipfile` raises for a file with changed bytes: the decompressors' own errors come through, a changed method is
NotImplementedError, a changed flag RuntimeError (encrypted), a changed offset ValueError or OSError."""
MAX_MEMBER = 1 << 30  # bytes of one file of an export that are read at most
_README = """\
An export of a handrail transparency log. Check it with

    handrail verify THIS --key VERIFIER_KEY

or with any tool for C2SP tlog-tiles over the folder log/. Take the verifier key from the operator by another way than
this file: keys.txt is only a help. The formats are in docs/ledger-format.md of handrail.
"""


class Damaged(ValueError):
    """A file of the export cannot be read, or is not there although the export was made with it."""


class Exported(msgspec.Struct, frozen=True):
    """What was written."""

    size: int
    payloads: int


class _Sink(Protocol):
    def put(self, path: str, data: bytes) -> None: ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: str, data: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class _Zip:
    """Facts are compressed; hashes and ciphertexts would not shrink."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def put(self, path: str, data: bytes) -> None:
        packs = path.startswith("facts/")
        member = zipfile.ZipInfo(path)  # the fixed date of 1980: equal content gives equal files
        member.external_attr = 0o600 << 16
        self._file.writestr(member, data, zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED, 1 if packs else None)


def export(
    read: Read, records: RecordReader, target: Path, *, keys: Sequence[VerifierKey], payloads: bool = False
) -> Exported:
    """Write the log and its facts, on request its ciphertexts, to `target`: a zip file when its name ends with `.zip`,
    else a new folder. It appears whole or not at all. Raises FileExistsError when it is there already, BadProof when
    the log has no checkpoint or a file of it is missing. Checks nothing else: that is for the reader."""
    if target.exists():
        raise FileExistsError(f"{target} exists; choose another name")
    beside = target.with_name(f".{target.name}.new")
    if target.suffix == ".zip":
        with zipfile.ZipFile(beside, "w", allowZip64=True) as file:
            done = _write(read, records, _Zip(file), keys, payloads=payloads)
    else:
        beside.mkdir(mode=0o700)
        done = _write(read, records, _Folder(beside), keys, payloads=payloads)
    os.replace(beside, target)
    return done


def _write(read: Read, records: RecordReader, sink: _Sink, keys: Sequence[VerifierKey], *, payloads: bool) -> Exported:
    checkpoint = read(CHECKPOINT)
    if checkpoint is None:
        raise BadProof("the log has no checkpoint yet; nothing to export")
    size = parse_checkpoint(parse_note(checkpoint).text).size
    sink.put("README.txt", _README.encode())
    sink.put("keys.txt", "".join(key.encode() + "\n" for key in keys).encode())
    sink.put(_CONTENTS, b"log\nfacts\npayloads\n" if payloads else b"log\nfacts\n")
    sink.put(f"log/{CHECKPOINT}", checkpoint)
    witnessed = read(WITNESSED)
    if witnessed is not None and parse_checkpoint(parse_note(witnessed).text).size <= size:
        sink.put(f"log/{WITNESSED}", witnessed)
    for path, data in _tiles(read, size):
        sink.put(f"log/{path}", data)
    count = 0
    for n in range(-(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        sink.put(f"log/{bundle_path(n, width)}", _bundle(read, n, width))
        rows = records.records(n * WIDTH, width)
        sink.put(_member("facts", n, "jsonl"), b"".join(row.facts + b"\n" for row in rows))
        if payloads:
            sink.put(_member("payloads", n, "bin"), b"".join(map(_packed, rows)))
            count += sum(row.payload is not None for row in rows)
    return Exported(size, count)


def cut(read: Read, size: int) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every tile and bundle of a tree of this size, from a log that may have grown since. Raises
    BadProof when one is missing."""
    yield from _tiles(read, size)
    for n in range(-(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        yield bundle_path(n, width), _bundle(read, n, width)


def _tiles(read: Read, size: int) -> Iterator[tuple[str, bytes]]:
    level = 0
    while size >> 8 * level:
        for n in range(-(-(size >> 8 * level) // WIDTH)):
            width = min(WIDTH, (size >> 8 * level) - n * WIDTH)
            yield tile_path(level, n, width), Tiles(read, size).tile(level, n)
        level += 1


def _bundle(read: Read, n: int, width: int) -> bytes:
    data = read(bundle_path(n, width))
    if data is None and width < WIDTH:
        full = read(bundle_path(n))
        data = None if full is None else pack_bundle(unpack_bundle(full)[:width])
    if data is None:
        raise BadProof(f"{bundle_path(n, width)} is missing")
    return data


def _packed(row: Record) -> bytes:
    return _LENGTH.pack(_ABSENT) if row.payload is None else _LENGTH.pack(len(row.payload)) + row.payload


def _member(folder: str, n: int, kind: str) -> str:
    return f"{folder}/{tile_path(0, n).removeprefix('tile/0/')}.{kind}"


class Export:
    """Reads an export: `read` for the log, `records` for what lies beside it."""

    def __init__(self, path: Path) -> None:
        """`path`: the folder or zip file. Raises FileNotFoundError, Damaged, or ValueError when it is not an export.

        `has_records`, `has_payloads`: the export says that it was made with facts and with payloads, or has a file of
        them."""
        if path.is_dir():
            self._open: Callable[[str], bytes | None] = lambda name: _file(path / name)
            names = [one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()]
        elif path.is_file() and zipfile.is_zipfile(path):
            try:
                file = zipfile.ZipFile(path)
            except ZIP_DAMAGE:
                raise Damaged(f"the directory of {path.name} is damaged") from None
            names = file.namelist()
            self._open = lambda name: _zipped(file, name)
        elif path.exists():
            raise ValueError(f"{path} is neither a folder nor a zip file: not an export of a log")
        else:
            raise FileNotFoundError(f"{path} does not exist")
        if self._open(f"log/{CHECKPOINT}") is None:
            raise ValueError(f"{path} has no log/checkpoint: not an export of a log")
        said = (self._open(_CONTENTS) or b"").split()
        self.has_records = b"facts" in said or any(name.startswith("facts/") for name in names)
        self.has_payloads = b"payloads" in said or any(name.startswith("payloads/") for name in names)

    def read(self, path: str) -> bytes | None:
        """A file of the log."""
        return self._open(f"log/{path}")

    def keys(self) -> list[str]:
        """The verifier keys that the export names; trust them only when they came another way too."""
        return (self._open("keys.txt") or b"").decode("utf-8", "replace").split("\n")[:-1]

    def records(self, first: int, limit: int) -> list[Record]:
        """Records by index; a missing file or line of facts ends the list. Raises ValueError for a payload file that is
        cut or missing."""
        rows: list[Record] = []
        for n in range(first // WIDTH, -(-(first + limit) // WIDTH)):
            found = self._chunk(n)
            rows += [row for row in found if first <= row.index < first + limit]
            if len(found) < WIDTH:
                break
        return rows

    def _chunk(self, n: int) -> list[Record]:
        lines = (self._open(_member("facts", n, "jsonl")) or b"").split(b"\n")[:-1]
        packed = self._open(_member("payloads", n, "bin"))
        if packed is None and lines and self.has_payloads:
            raise Damaged(f"{_member('payloads', n, 'bin')} is not there, though this export was made with payloads")
        payloads = [None] * len(lines) if packed is None else _unpacked(packed, n)
        absence = Absence.UNTOLD if self.has_payloads else Absence.LEFT_OUT
        if len(payloads) != len(lines):
            raise ValueError(f"{_member('payloads', n, 'bin')} has {len(payloads)} payloads for {len(lines)} entries")
        return [
            Record(n * WIDTH + at, line, payload, absence=absence)
            for at, (line, payload) in enumerate(zip(lines, payloads, strict=True))
        ]


def _unpacked(data: bytes, n: int) -> list[bytes | None]:
    payloads: list[bytes | None] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise ValueError(f"{_member('payloads', n, 'bin')} is cut short")
        (length,) = _LENGTH.unpack_from(data, at)
        at += 4
        if length == _ABSENT:
            payloads.append(None)
            continue
        if at + length > len(data):
            raise ValueError(f"{_member('payloads', n, 'bin')} is cut short")
        payloads.append(data[at : at + length])
        at += length
    return payloads


def _file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return _bounded(file.read(MAX_MEMBER + 1), path.name)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _zipped(file: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        with file.open(name) as member:
            return _bounded(member.read(MAX_MEMBER + 1), name)
    except KeyError:
        return None
    except ZIP_DAMAGE:
        raise Damaged(f"{name} of the export is damaged") from None


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_MEMBER:
        raise Damaged(f"{name} of the export has more than {MAX_MEMBER} bytes")
    return data
