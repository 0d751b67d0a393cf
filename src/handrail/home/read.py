"""The home folder as text: which files it has and what stands in them. Reads files, decides nothing."""

import zoneinfo
from pathlib import Path

from handrail.home.mistake import Mistake, Place, mistake
from handrail.home.text import HOME_FILE, PROMPTS, RULES, TESTS, TOOLS, USE_CASES, HomeText
from handrail.home.tree import MAX_BYTES

MAX_FILES = 2_000


def read(home: Path) -> HomeText:
    """Never raises on a bad home: what cannot be read is a mistake of the result."""
    mistakes: list[Mistake] = []
    if not home.is_dir():
        return HomeText(
            texts={},
            names=frozenset(),
            mistakes=(_none(HOME_FILE, "there is no such folder", hint="handrail init makes one"),),
        )
    found = _files(home)
    if len(found) > MAX_FILES:
        mistakes.append(
            _none(HOME_FILE, f"the home holds more than {MAX_FILES} files", hint="is this the right folder?")
        )
        found = found[:MAX_FILES]
    texts: dict[str, str] = {}
    for path in found:
        name = path.relative_to(home).as_posix()
        if not _wanted(name):
            continue
        text = _text(home, path, name, mistakes)
        if text is not None:
            texts[name] = text
    return HomeText(
        texts=texts,
        names=frozenset(path.relative_to(home).as_posix() for path in found),
        time_zones=frozenset(zoneinfo.available_timezones()),
        mistakes=tuple(mistakes),
    )


def _files(home: Path) -> list[Path]:
    folders = [home, *(home / name for name in (USE_CASES, PROMPTS, TOOLS, RULES, TESTS))]
    return sorted(
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".")
    )


def _wanted(name: str) -> bool:
    folder, _, _ = name.rpartition("/")
    return (
        name == HOME_FILE
        or (folder in (USE_CASES, TOOLS, RULES, TESTS) and name.endswith(".yaml"))
        or (folder == PROMPTS and name.endswith(".md"))
    )


def _text(home: Path, path: Path, name: str, mistakes: list[Mistake]) -> str | None:
    if not path.resolve().is_relative_to(home.resolve()):
        mistakes.append(_none(name, "leads out of the home", hint="copy the file into the home"))
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            mistakes.append(_none(name, f"larger than {MAX_BYTES} bytes"))
            return None
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        data = error.object[: error.start]
        place = Place(name, data.count(b"\n") + 1, error.start - (data.rfind(b"\n") + 1) + 1)
        mistakes.append(mistake(place, "text.encoding", "this is not UTF-8", hint="save the file as UTF-8"))
    except OSError as error:
        mistakes.append(_none(name, f"cannot be read: {error.strerror}"))
    return None


def _none(name: str, message: str, *, hint: str = "") -> Mistake:
    return mistake(Place(name), "file.unreadable", message, hint=hint)
