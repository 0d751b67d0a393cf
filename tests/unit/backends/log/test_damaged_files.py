"""Exports and backups with changed bytes or without some of their files."""

import hashlib
import zipfile
from functools import cache
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from fakes.log import LOG_KEY, TRUST, publish

from handrail.backends.bundle import Bundle
from handrail.backends.log.export import Export, export
from handrail.cli.log import verify as command
from handrail.ledger.backup import FORMAT, EngineKind, Manifest, Piece
from handrail.ledger.verify import BadLog, verify
from handrail.terms.errors import HandrailError

SIZE = 300
log = cache(publish)


def exported(target: Path, *, payloads: bool = True) -> Path:
    made = log(SIZE)
    export(made.read, made.records, target, keys=[LOG_KEY.verifier], payloads=payloads)
    return target


def said(target: Path, code: int) -> str:
    done = CliRunner().invoke(command, [str(target), "--key", LOG_KEY.verifier.encode()])
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.output


def remove(folder: Path, pattern: str) -> None:
    for path in sorted(folder.glob(pattern)):
        path.unlink()


@pytest.mark.promise("LED-11")
def test_a_bundle_made_without_payloads_says_so_and_counts_none(tmp_path: Path) -> None:
    output = said(exported(tmp_path / "out", payloads=False), 0)
    assert "payloads not in this bundle" in output
    assert "erased" not in output
    assert "payloads 0" not in output


@pytest.mark.promise("LED-11")
@pytest.mark.parametrize(
    "pattern", ["payloads/000.bin", "payloads/001.bin", "payloads/*", "facts/000.jsonl", "facts/*"]
)
def test_a_bundle_that_lost_what_it_was_made_with_is_bad(tmp_path: Path, pattern: str) -> None:
    folder = exported(tmp_path / "out")
    remove(folder, pattern)
    assert said(folder, 1).startswith("BAD: ")


@pytest.mark.promise("LED-11")
def test_a_bundle_that_names_no_facts_says_that_only_the_log_was_checked(tmp_path: Path) -> None:
    folder = exported(tmp_path / "out")
    for pattern in ("facts/*", "payloads/*", "contents.txt"):
        remove(folder, pattern)
    output = said(folder, 0)
    assert "facts not in this bundle: only the log was checked" in output
    assert "facts 0" not in output


@pytest.mark.promise("LED-12")
def test_a_changed_byte_anywhere_in_a_bundle_is_never_a_traceback(tmp_path: Path) -> None:
    whole = exported(tmp_path / "out.zip").read_bytes()
    bad = 0
    for at in range(7, len(whole), len(whole) // 150):
        path = tmp_path / f"{at}.zip"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            opened = Export(path)
            verify(opened.read, TRUST, records=opened if opened.has_records else None)
        except (BadLog, ValueError):  # the command gives BAD, or says that it is no export
            bad += 1
    assert bad > 100


@pytest.mark.promise("LED-12")
@pytest.mark.parametrize("member", ["log/tile/entries/000", "log/checkpoint", "facts/000.jsonl", "payloads/001.bin"])
def test_a_changed_byte_in_a_file_of_a_bundle_is_bad(tmp_path: Path, member: str) -> None:
    path = exported(tmp_path / "out.zip")
    flip(path, member)
    output = said(path, 1)
    assert output.startswith("BAD: ")
    assert member in output


def flip(path: Path, member: str) -> None:
    """Change a byte inside the stored data of a member."""
    with zipfile.ZipFile(path) as file:
        info = file.getinfo(member)
        at = info.header_offset + 30 + len(member) + info.compress_size // 2
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    path.write_bytes(data)


@pytest.mark.promise("LED-12")
def test_a_changed_byte_anywhere_in_a_backup_is_a_refusal(tmp_path: Path) -> None:
    piece = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(200))
    path = tmp_path / "b.zip"
    manifest = Manifest(
        format=FORMAT, id="b1", handrail="0", engine=EngineKind.SQLITE, migrations=(), made_at_ms=0, log_size=0,
        log_root="", kek=False, pieces=(Piece("database/handrail.db", len(piece), hashlib.sha256(piece).hexdigest()),),
    )  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", msgspec.json.encode(manifest))
        file.writestr("database/handrail.db", piece)
    with Bundle(path) as bundle:
        assert bundle.data("database/handrail.db") == piece
    whole, refused = path.read_bytes(), 0
    for at in range(0, len(whole), 13):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            with Bundle(path) as bundle:
                bundle.data("database/handrail.db")
        except HandrailError:
            refused += 1
    assert refused > len(whole) // 13 // 2
