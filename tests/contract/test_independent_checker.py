"""A checker written only from the public specifications accepts what we publish, and rejects what was tampered with."""

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.log import LOG_KEY, FakeSequencing, recorded

from handrail.backends.log.files import LogFolder
from handrail.backends.log.sequencer import Sequencer
from handrail.ledger.note import ML_DSA, KeyType, SigningKey, add_cosignatures, parse_note
from handrail.ledger.proof import make_proof
from handrail.ledger.tree import Tiles, inclusion_proof

CHECKER = Path(__file__).parent / "independent_checker.py"
WITNESS = SigningKey("witness.example/w1", KeyType.COSIGNATURE_ED25519, b"w" * 32)
SIZES = (1, 2, 255, 256, 257, 700)


def checker(*arguments: str | Path) -> tuple[bool, str]:
    """Whether it accepts, and what it says; in a process of its own, without our package."""
    done = subprocess.run([sys.executable, "-I", CHECKER, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0, done.stdout


def write(root: Path, size: int) -> LogFolder:
    """A log of our sequencer in a folder, with the log's post-quantum signature and a witness's cosignature."""
    storage, folder = FakeSequencing(), LogFolder(root)
    keys = [LOG_KEY]
    if ML_DSA:
        keys.append(SigningKey(LOG_KEY.name, KeyType.COSIGNATURE_MLDSA44, b"q" * 32))
    sequencer = Sequencer(storage, folder, keys, batch=190)
    storage.journal([recorded(n)[0] for n in range(size)])

    async def publish() -> None:
        while await sequencer.step(1_700_000_000_000):
            pass

    asyncio.run(publish())
    checkpoint = (root / "checkpoint").read_bytes()
    line = WITNESS.sign(parse_note(checkpoint).text, 1_700_000_000).line() + "\n"
    folder.write_checkpoint(add_cosignatures(checkpoint, line.encode(), [WITNESS.verifier]))
    folder.unlock()
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, LogFolder]:
    return {size: write(tmp_path_factory.mktemp(f"log{size}"), size) for size in SIZES}


KEYS = (LOG_KEY.verifier.encode(), WITNESS.verifier.encode())


def test_the_checker_imports_nothing_of_ours() -> None:
    tree = ast.parse(CHECKER.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} == {"base64", "hashlib", "sys", "pathlib", "cryptography"}


@pytest.mark.promise("LED-6")
@pytest.mark.parametrize("size", SIZES)
def test_the_checker_accepts_our_tiles_and_checkpoints(folders: dict[int, LogFolder], size: int) -> None:
    assert checker("log", folders[size].root, *KEYS) == (True, f"good: {size} entries\n")


@pytest.mark.promise("LED-6")
@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (256, 0), (257, 256), (700, 511), (700, 699)])
def test_the_checker_accepts_our_proofs_and_no_other_leaf(
    folders: dict[int, LogFolder], tmp_path: Path, size: int, index: int
) -> None:
    folder = folders[size]
    leaf, row = recorded(index)
    path = inclusion_proof(Tiles(folder.read, size), index)
    proof = make_proof(index, path, folder.read("checkpoint") or b"", leaf, row.facts).encode()
    (tmp_path / "it.tlog-proof").write_bytes(proof)
    (tmp_path / "leaf").write_bytes(leaf)
    (tmp_path / "other").write_bytes(recorded(index + 1)[0])
    (tmp_path / "moved.tlog-proof").write_bytes(proof.replace(b"index %d\n" % index, b"index %d\n" % (index ^ 1)))
    assert checker("proof", tmp_path / "it.tlog-proof", tmp_path / "leaf", *KEYS) == (
        True,
        f"good: entry {index} of {size}\n",
    )
    assert not checker("proof", tmp_path / "it.tlog-proof", tmp_path / "other", *KEYS)[0]
    assert not checker("proof", tmp_path / "moved.tlog-proof", tmp_path / "leaf", *KEYS)[0]


@pytest.mark.promise("LED-6")
@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/188"],
)
@pytest.mark.parametrize("how", ["flip", "cut", "missing"])
def test_the_checker_rejects_what_was_tampered_with(tmp_path: Path, path: str, how: str) -> None:
    write(tmp_path, 700)
    file = tmp_path / path
    data = bytearray(file.read_bytes())
    data[30] ^= 1  # of a checkpoint: inside the root
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(bytes(data) if how == "flip" else data[: len(data) // 2])
    accepted, said = checker("log", tmp_path, *KEYS)
    assert not accepted, said
