"""Renew the catalogues of the console: `console_words.py [PAGE ...]`; without a name, of everything.

Of a page NAME: `pages/NAME.py`, `views/NAME.py`, `views/NAME_*.py`, `templates/NAME.html` and `templates/NAME/`. What
belongs to no page is `frame`; `refusals` are the sentences with which commands refuse, from the commands themselves.
What is translated stays; what is gone goes; what is new is empty, and a test says so. A sentence that `frame` has
stands in no other file.
"""

import ast
import io
import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent / "src" / "handrail" / "console"
LOCALES = ("de",)
KEYWORDS = {"_": None, "N_": None, "words": None, "plural": (1, 2), "gettext": None, "ngettext": (1, 2)}
REFUSALS = "refusals"
REFUSING = (
    "approvals/batch.py", "approvals/halt.py", "approvals/lifecycle.py", "approvals/route.py", "approvals/settle.py",
    "releases/desk.py", "releases/lifecycle.py", "releases/as_seen.py", "people/*.py", "review/*.py", "watch/alert.py",
    "ledger/erase.py", "console/**/*.py",
)  # fmt: skip
"""Where commands of the console's pages refuse, below `handrail/`."""
RAISED = {"HandrailError": 1, "_weak": 0}
"""What makes a refusal, and which of its arguments is the sentence."""
NOISE = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Language-Team|Project-Id-Version|'
    r"Report-Msgid-Bugs-To)[^\n]*\n",
    re.MULTILINE,
)
HEADER = "# The console's sentences: {name}. Renewed by scripts/console_words.py.\n"


def main(names: list[str]) -> int:
    """The number of sentences without a translation, as exit code 0 or 1."""
    open_ = 0
    for locale in LOCALES:
        for name in names or all_names():
            open_ += renew(locale, name)
    if open_:
        print(f"{open_} sentences have no translation yet")
    return min(open_, 1)


def all_names() -> list[str]:
    pages = {path.stem for path in (ROOT / "pages").glob("*.py")} - {"__init__"}
    return ["frame", "signin", REFUSALS, *sorted(pages - {"frame"})]


def renew(locale: str, name: str) -> int:
    """Write the file; how many sentences have no translation."""
    path = ROOT / "locale" / locale / f"{name}.po"
    known = catalogue(path, locale)
    shared = sentences("frame") if name != "frame" else {}
    fresh = Catalog(locale=locale, fuzzy=False, header_comment=HEADER.format(name=name).rstrip())
    open_ = 0
    for key, places in sorted(sentences(name).items(), key=lambda each: each[1]):
        if key in shared:
            continue
        had = known.get(key if isinstance(key, str) else key[0])
        string = had.string if had is not None and had.id == key and not had.fuzzy else ""
        empty = not string or not all(string if isinstance(string, tuple) else (string,))
        open_ += empty
        nothing = ("", "") if isinstance(key, tuple) else ""
        fresh.add(key, nothing if empty else string, locations=[(places, 0)])
    data = io.BytesIO()
    write_po(data, fresh, width=110, omit_header=False, include_lineno=False)
    text = NOISE.sub("", data.getvalue().decode())
    if len(fresh) or path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return open_


def catalogue(path: Path, locale: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=locale)
    return read_po(io.StringIO(path.read_text()), locale=locale)


def sentences(name: str) -> dict[str | tuple[str, ...], str]:
    """Each sentence with the file it was first found in."""
    found: dict[str | tuple[str, ...], str] = {}
    if name == REFUSALS:
        found.update(refused())
    for path in files(name):
        method = "jinja2.ext:babel_extract" if path.suffix == ".html" else "python"
        options = {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"} if path.suffix == ".html" else {}
        with path.open("rb") as opened:
            for _, message, _, _ in extract(method, opened, keywords=KEYWORDS, options=options):
                key = tuple(message) if isinstance(message, list | tuple) else message
                if key:
                    found.setdefault(key, str(path.relative_to(ROOT)))
    return found


def refused() -> dict[str, str]:
    """Sentences of refusals that a page can show, as the commands write them."""
    found: dict[str, str] = {}
    for path in sorted({path for each in REFUSING for path in ROOT.parent.glob(each)}):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in RAISED:
                continue
            said = call.args[RAISED[call.func.id]] if len(call.args) > RAISED[call.func.id] else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str) and said.value:
                found.setdefault(said.value, f"../{path.relative_to(ROOT.parent)}")
    return found


def files(name: str) -> list[Path]:
    """Of a page, or of what is shared by all."""
    pages = {path.stem for path in (ROOT / "pages").glob("*.py")} - {"__init__", "frame"}
    if name == REFUSALS:
        return [ROOT / "refusals.py"]
    if name != "frame":
        own = [ROOT / "pages" / f"{name}.py", ROOT / "views" / f"{name}.py", ROOT / "templates" / f"{name}.html"]
        more = sorted((ROOT / "templates" / name).glob("**/*.html"))
        more += sorted((ROOT / "views").glob(f"{name}_*.py"))
        if name == "signin":
            more += sorted((ROOT / "signin").glob("*.py"))
        return [path for path in [*own, *more] if path.exists()]
    of_pages = {path for page in [*pages, "signin", REFUSALS] for path in files(page)}
    every = [*sorted(ROOT.glob("*.py")), *sorted((ROOT / "views").glob("*.py"))]
    every += [
        *sorted((ROOT / "templates").glob("**/*.html")),
    ]
    return [path for path in every if path not in of_pages]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
