"""Data packs and promises for the whole suite.

Packs are real material that is not part of this repository. `HANDRAIL_PACKS` names their folder (default
`../shared/data` beside the checkout). Where a pack is absent its tests are deselected and one loud line at the end
names the promises that this run did not show.
"""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKS = Path(os.environ.get("HANDRAIL_PACKS") or ROOT.parent / "shared" / "data")
NPM = ROOT / "tests" / "npm" / "node_modules"
ABSENT = pytest.StashKey[list[str]]()
PAGES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def packs() -> Path:
    return PACKS


def _absent(item: pytest.Item) -> bool:
    if item.get_closest_marker("npm") is not None and (not NPM.is_dir() or shutil.which("node") is None):
        return True
    if _unseen(item):
        return True
    return any(not (PACKS / name).is_dir() for mark in item.iter_markers("packs") for name in mark.args)


def _unseen(item: pytest.Item) -> bool:
    """A test of a page where there is no browser, or nothing to judge the page by."""
    there = shutil.which("chromium") is not None and (NPM / "axe-core").is_dir()
    return item.get_closest_marker("browser") is not None and not there


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    gone = [item for item in items if _absent(item)]
    config.stash[ABSENT] = _promises([item for item in gone if not _unseen(item)])
    config.stash[PAGES] = _promises([item for item in gone if _unseen(item)]) or (
        ["none named"] if any(_unseen(item) for item in gone) else []
    )
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]


def _promises(items: list[pytest.Item]) -> list[str]:
    return sorted({str(mark.args[0]) for item in items for mark in item.iter_markers("promise")})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    absent = config.stash.get(ABSENT, [])
    if config.stash.get(PAGES, []):
        terminalreporter.write_line(
            "CHROMIUM OR AXE ABSENT (apt-get install chromium; npm ci --prefix tests/npm): the tests of pages did NOT "
            f"run, these promises were NOT shown in full: {', '.join(config.stash[PAGES])}",
            red=True,
            bold=True,
        )
    if absent and PACKS.is_dir() and not NPM.is_dir():
        terminalreporter.write_line(
            "DATA PACKS ABSENT at tests/npm (npm ci --prefix tests/npm): these promises were NOT shown in full by this "
            f"run: {', '.join(absent)}",
            red=True,
            bold=True,
        )
    elif absent or not PACKS.is_dir():
        names = ", ".join(absent) or "none selected"
        terminalreporter.write_line(
            f"DATA PACKS ABSENT at {PACKS}: these promises were NOT shown by this run: {names}", red=True, bold=True
        )
