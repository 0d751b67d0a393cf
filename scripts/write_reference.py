"""Write docs/reference from the code. `--check`: write nothing, name the pages that are old, end with 1."""

import ast
import re
import sys
from pathlib import Path
from typing import Any, cast

import click
from reference_words import CODES, ENTRIES, REPLY, REQUEST

from handrail.backends.system import SystemClock
from handrail.cli.main import COMMANDS, handrail
from handrail.detectors.catalogue import MEANING
from handrail.gateway.actions import action_routes
from handrail.gateway.decisions import decision_routes
from handrail.gateway.errors import SHAPES, shape
from handrail.gateway.events import event_routes
from handrail.gateway.identity import Identity
from handrail.gateway.metrics import Metrics
from handrail.gateway.openapi import openapi_route
from handrail.gateway.reading import reading_routes
from handrail.gateway.releases import release_routes
from handrail.gateway.routes import face_routes, own_routes
from handrail.home.reference import reference as home_reference
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.terms.errors import Code
from handrail.terms.finding import NEVER_REST, PERSONAL, Kind

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "handrail"
NOTE = "Generated from the code by `make reference`."
KINDS_OF_METRIC = {"Counter": "counter", "Histogram": "histogram", "Gauge": "gauge", "_WriterCounter": "counter"}
EXIT_CODES = """\
Exit codes: 0 done; 1 refused or something is wrong, and the message says what to mend; 2 wrong words on the command
line; 130 stopped by hand. `--home` may be left out in the home's folder or with HANDRAIL_HOME set; `--token` may be
left out with HANDRAIL_TOKEN set.
"""


def main() -> int:
    pages = {
        "commands.md": commands(),
        "entries.md": entries(),
        "errors.md": errors(),
        "headers.md": headers(),
        "home.md": home_reference(),
        "kinds.md": kinds(),
        "metrics.md": metrics(),
        "routes.md": routes(),
    }
    old = [name for name, text in pages.items() if not _same(PAGES / name, text)]
    if "--check" in sys.argv[1:]:
        for name in old:
            print(f"docs/reference/{name} is old: make reference")
        return 1 if old else 0
    for name in old:
        (PAGES / name).write_text(pages[name], encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def commands() -> str:
    lines = ["# Commands", "", NOTE, "", EXIT_CODES.rstrip()]
    context = click.Context(handrail, info_name="handrail")
    for name in COMMANDS:
        command = handrail.get_command(context, name)
        assert command is not None, name
        lines += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> list[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    about = re.sub(r"\s*\n\s*", " ", (command.help or "").strip().replace("\n\n", "\0")).replace("\0", "\n\n")
    lines = ["", f"## `{context.command_path}`", "", f"    {context.command_path} {usage}", "", about]
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        lines += ["", "| option | what for |", "|---|---|"]
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            names, text = record
            lines.append(f"| `{_cell(names)}` | {_cell(text)} |")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            lines += _command(inner, click.Context(inner, info_name=name, parent=context))
    return lines


def entries() -> str:
    _complete("entries", ENTRIES, {kind.value for kind in EntryKind})
    rows = [f"| `{kind.value}` | {_cell(ENTRIES[kind.value])} |" for kind in EntryKind]
    head = "Kinds of entries in the ledger. They are added to, never renamed."
    return "\n".join(["# Entries", "", NOTE, "", head, "", "| kind | when |", "|---|---|", *rows]) + "\n"


def errors() -> str:
    _complete("codes", CODES, {code.value for code in Code})
    lines = ["# Errors", "", NOTE, ""]
    lines += [
        "The code stands in the body, in the dialect's own form, and in the header `x-handrail-code`. Retry: whether",
        "trying again can help; where it cannot, the header `x-should-retry: false` says so.",
        "",
        "| code | status | retry | meaning |",
        "|---|---|---|---|",
    ]
    for code in Code:
        known = code in SHAPES
        status = str(shape(code).status) if known else "commands only"
        retry = ("yes" if shape(code).retry else "no") if known else ""
        lines.append(f"| `{code.value}` | {status} | {retry} | {_cell(CODES[code.value])} |")
    return "\n".join(lines) + "\n"


def headers() -> str:
    sources = [path.read_text(encoding="utf-8") for path in sorted((SOURCE / "gateway").glob("*.py"))]
    found = {name for text in sources for name in re.findall(r"\"(x-handrail-[a-z-]+)\"", text)}
    _complete("headers", {name: "" for name in (*REQUEST, *REPLY) if name.startswith("x-handrail")}, found)
    lines = ["# Headers", "", NOTE]
    for title, rows in (("In a request", REQUEST), ("In an answer", REPLY)):
        lines += ["", f"## {title}", "", "| header | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(text)} |" for name, text in rows.items()]
    return "\n".join(lines) + "\n"


def kinds() -> str:
    lines = ["# Kinds of findings", "", NOTE, ""]
    lines += ["They are added to, never renamed. What each leads to: [home.md](home.md).", ""]
    lines += ["| kind | what it is | personal | may rest |", "|---|---|---|---|"]
    for kind in Kind:
        personal = "yes" if kind in PERSONAL else ""
        rests = "never" if kind in NEVER_REST else ""
        lines.append(
            f"| `{kind.value}` | {_cell(MEANING.get(kind, 'made by the guard itself'))} | {personal} | {rests} |"
        )
    return "\n".join(lines) + "\n"


def metrics() -> str:
    lines = ["# Metrics", "", NOTE, "", "`GET /metrics`, Prometheus text format. Labels carry no customer content.", ""]
    lines += ["| metric | type | labels | what |", "|---|---|---|---|"]
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name, kind, labels, about in _metrics_of(ast.parse(path.read_text(encoding="utf-8"))):
            found[name] = f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {_cell(about)} |"
    return "\n".join([*lines, *(found[name] for name in sorted(found))]) + "\n"


def routes() -> str:
    """From the same tables that a worker serves; nothing here is called."""
    clock, in_force, metrics_ = SystemClock(), InForce(), Metrics()
    identity = Identity(in_force, clock)
    unused = cast("Any", None)  # what only a request would touch
    table = [*face_routes(), *own_routes(identity, metrics_, lambda: None, None)]
    table += event_routes(identity, unused, unused, clock, metrics_)
    table += reading_routes(identity, unused, in_force)
    table += release_routes(identity, unused)
    table += action_routes(identity, in_force, unused, unused, unused, unused, unused, unused)
    table += decision_routes(identity, in_force, unused, unused, unused, unused, unused, metrics_)
    table.append(openapi_route(table, version="0"))
    lines = ["# Routes", "", NOTE, ""]
    lines += [
        "What the server answers. A path that ends with `/` takes one more part. The key goes in the header",
        "`Authorization: Bearer` or `x-api-key` and needs the scope named here. Guarded: detectors",
        "read the texts of request and answer; each other route says why none does. Bodies and answers:",
        "`GET /openapi.json`; refusals: [errors.md](errors.md); [headers.md](headers.md).",
        "",
        "| route | scope | guarded |",
        "|---|---|---|",
    ]
    for route in table:
        scope = f"`{route.scope.value}`" if route.scope else "no key"
        guarded = f"yes, as `{route.face.route}`" if route.face else f"no: {route.unguarded}"
        lines.append(f"| `{route.method} {route.path}` | {scope} | {_cell(guarded)} |")
    return "\n".join(lines) + "\n"


def _metrics_of(tree: ast.Module) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Every metric that a module makes with its name, sentence and labels written out."""
    found = []
    known = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS_OF_METRIC):
            continue
        texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if len(texts) == 2 and texts[0].startswith("handrail_"):
            labels = node.args[2] if len(node.args) > 2 else ast.Tuple([])
            if isinstance(labels, ast.Name):
                labels = known.get(labels.id, ast.Tuple([]))
            names = ast.literal_eval(labels) if isinstance(labels, ast.Tuple) else ()
            found.append((texts[0], KINDS_OF_METRIC[node.func.id], names, texts[1]))
    return found


def _complete(what: str, told: dict[str, str], there: set[str]) -> None:
    if told.keys() != there:
        sys.exit(f"scripts/reference_words.py, {what}: missing {there - told.keys()}, too many {told.keys() - there}")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
