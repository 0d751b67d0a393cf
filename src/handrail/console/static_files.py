"""Style sheet, scripts, font and icon: read once at start, served under an address that holds their digest, so that a
browser keeps them for good and a new version is never mixed with an old page.

Third-party files stand in `static/vendor`, brought by the build (`hatch_build.py`) and never committed. The style sheet
is one answer, put together from `static/css/*.css` in the order of their names.
"""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from handrail.terms.errors import Code, HandrailError

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
_URL = re.compile(r'url\("([\w.-]+)"\)')


@dataclass(frozen=True, slots=True)
class Static:
    """`integrity`: for the `integrity` attribute. `packed`: gzip, where that is smaller."""

    path: str
    type: str
    data: bytes
    packed: bytes | None
    integrity: str


class StaticFiles:
    """By name, such as `htmx.min.js`. Raises HandrailError HOME_INVALID when the build has not brought the
    assets, or one is not what it brought."""

    def __init__(self, folder: Traversable | None = None) -> None:
        root = folder or files("handrail.console").joinpath("static")
        self._by_name: dict[str, Static] = {}
        for each in [*_vendored(root.joinpath("vendor")), *_flat(root)]:
            self._add(each.name, each.read_bytes())
        sheets = sorted(root.joinpath("css").iterdir(), key=lambda one: one.name)
        sheet = "\n".join(each.read_text(encoding="utf-8") for each in sheets if each.name.endswith(".css"))
        self._add("console.css", _URL.sub(lambda found: f'url("{self.url(found[1])}")', sheet).encode())
        self.by_path = {one.path: one for one in self._by_name.values()}

    def __getitem__(self, name: str) -> Static:
        """Raises KeyError."""
        return self._by_name[name]

    def url(self, name: str) -> str:
        return self._by_name[name].path

    def _add(self, name: str, data: bytes) -> None:
        digest = hashlib.sha384(data).digest()
        stem, _, ending = name.rpartition(".")
        packed = None if ending == "woff2" else gzip.compress(data, mtime=0)
        self._by_name[name] = Static(
            path=f"/static/{stem}.{digest[:8].hex()}.{ending}", type=TYPES[ending], data=data,
            packed=packed if packed and len(packed) < len(data) else None,
            integrity=_integrity(data),
        )  # fmt: skip


def _flat(root: Traversable) -> list[Traversable]:
    return [each for each in root.iterdir() if each.is_file() and each.name.rpartition(".")[2] in TYPES]


def _integrity(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def _vendored(folder: Traversable) -> list[Traversable]:
    try:
        known = json.loads(folder.joinpath("manifest.json").read_text())["sri"]
        found = [folder.joinpath(name) for name in known]
        if all(_integrity(each.read_bytes()) == known[each.name] for each in found):
            return found
    except (OSError, ValueError, KeyError):
        pass
    raise HandrailError(
        Code.HOME_INVALID,
        "the console's assets are missing or damaged; build them: make setup in a checkout, else reinstall handrail "
        "(pip install --force-reinstall --no-deps handrail)",
    )
