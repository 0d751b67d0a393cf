"""Write a commented starter home. Nothing that exists is overwritten."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from handrail.home.bootstrap import KEK_FILE
from handrail.home.schema import FILES, encoded
from handrail.home.text import HOME_FILE
from handrail.terms.errors import Code, HandrailError

DATA_DIR = ".handrail"
KEK_BYTES = 32
GITIGNORE = (
    f"# database, log and keys, and what a restore set aside: never in git\n/{DATA_DIR}/\n/{DATA_DIR}.*/\n.env\n"
)


class Started(msgspec.Struct, frozen=True):
    """What was written, relative to the home, in order."""

    home: Path
    files: tuple[str, ...]


def init(home: Path, *, kek: bytes, starter: Traversable | None = None) -> Started:
    """The starter in `home`, which is made when missing. `kek`: 32 random bytes for the key-encryption key.
    `starter`: another folder of configuration files in place of `home/starter`.

    The data folder has mode 0700 and the key 0600. Raises HandrailError ALREADY when there is a home, and leaves it as
    it is; HOME_INVALID when the folder cannot be written.
    """
    if len(kek) != KEK_BYTES:
        raise ValueError(f"a key-encryption key has {KEK_BYTES} bytes")
    if (home / HOME_FILE).exists():
        raise HandrailError(
            Code.ALREADY, f"{home.name or 'this folder'} is a home already; handrail check tells what is wrong with it"
        )
    written: list[str] = []
    try:
        _write(home, ".gitignore", GITIGNORE.encode(), written)
        _data_dir(home / DATA_DIR, kek, written)
        for name in FILES:
            _write(home, f"schemas/{name}.schema.json", encoded(name), written)
        for name, data in _starter(starter or resources.files("handrail.home") / "starter"):
            _write(home, name, data, written)
    except OSError as error:
        raise HandrailError(Code.HOME_INVALID, f"the home cannot be written: {error.strerror}") from error
    return Started(home, tuple(written))


def _starter(root: Traversable) -> list[tuple[str, bytes]]:
    """Relative name and content of each file of the starter, `handrail.yaml` last: a crash leaves no half home that
    looks whole."""
    found = sorted(_files(root, ""))
    return [row for row in found if row[0] != HOME_FILE] + [row for row in found if row[0] == HOME_FILE]


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        name = f"{prefix}{item.name}"
        if item.is_dir():
            found += _files(item, f"{name}/")
        elif item.name.endswith((".yaml", ".md")):
            found.append((name, item.read_bytes()))
    return found


def _write(home: Path, name: str, data: bytes, written: list[str]) -> None:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    path.write_bytes(data)
    written.append(name)


def _data_dir(folder: Path, kek: bytes, written: list[str]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / KEK_FILE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(kek)
        written.append(f"{DATA_DIR}/{KEK_FILE}")
