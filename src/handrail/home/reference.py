"""The reference of the home's fields as Markdown, from the declarations that `check` reads; pure."""

from msgspec import NODEFAULT, Struct, inspect

from handrail.home import defaults
from handrail.home.fields import DataClass, HomeFile, Metric, UseCaseFile
from handrail.home.fields_rules import CasesFile, RulesFile
from handrail.home.fields_tools import ToolsFile
from handrail.home.fields_trials import TrialsFile
from handrail.home.fit import expected
from handrail.home.levels import NEVER
from handrail.terms.finding import NEVER_REST, Kind

_FILES = (
    ("handrail.yaml", HomeFile),
    ("use-cases/*.yaml", UseCaseFile),
    ("tools/*.yaml", ToolsFile),
    ("rules/*.yaml", RulesFile),
    ("rules/*.test.yaml", CasesFile),
    ("tests/*.yaml", TrialsFile),
)


def reference() -> str:
    """The whole page."""
    lines = [
        "# The home folder: every field",
        "",
        "Generated from the declarations by `scripts/reference_home.py`; `handrail schema` prints the same for",
        "editors.",
        "A field that is not required may be left out or left empty. What makes sense together is told",
        "by `handrail check`.",
    ]
    done: dict[type, str] = {}
    for name, declared in _FILES:
        lines += ["", f"## `{name}`", "", _first(declared), ""]
        lines += _tables(inspect.type_info(declared), "", done)
    return "\n".join([*lines, *_findings(), *_words()]) + "\n"


def _tables(shape: inspect.Type, path: str, done: dict[type, str]) -> list[str]:
    """The table of one mapping, then those of the mappings inside, each once."""
    assert isinstance(shape, inspect.StructType)
    done[shape.cls] = path.removesuffix(".")
    lines = ["| field | required | expected | what for |", "|---|---|---|---|"]
    inside: list[tuple[str, inspect.StructType]] = []
    for field in shape.fields:
        name = f"{path}{field.encode_name}"
        found = _struct(field.type)
        if found is not None:
            inside.append((name + _many(field.type), found))
        lines.append(
            f"| `{name}` | {_needed(field)} | {_cell(_form(field.type))} | {_cell(_description(field.type))} |"
        )
    for name, each in inside:
        if each.cls in done:
            lines += ["", f"`{name}`: as `{done[each.cls]}` above."]
        else:
            lines += ["", f"### `{name}`", "", _first(each.cls), "", *_tables(each, f"{name}.", done)]
    return lines


def _findings() -> list[str]:
    lines = [
        "",
        "## Findings and their defaults",
        "",
        "What each kind leads to when the home says nothing; an empty cell: it is not looked for there. Never-rest",
        "kinds are masked in every mode, observe included.",
        "",
        "| kind | input | sources | answers |",
        "|---|---|---|---|",
    ]
    for kind in Kind:
        never = " (never rests)" if kind in NEVER_REST else ""
        row = [_default(kind, where) for where in defaults.LOOKED_FOR]
        if any(row):
            lines.append(f"| `{kind.value}`{never} | {' | '.join(row)} |")
    return lines


def _default(kind: Kind, where: str) -> str:
    """Empty: not looked for there."""
    if kind not in defaults.LOOKED_FOR[where]:
        return ""
    own = {"input": defaults.INPUT, "sources": defaults.SOURCES, "answers": defaults.ANSWERS}[where]
    return own.get(kind, defaults.INPUT[kind]).value


def _words() -> list[str]:
    metrics = ", ".join(f"`{metric.value}`" for metric in Metric)
    classes = ", ".join(f"`{name.value}`" for name in DataClass if name not in NEVER)
    banned = "; ".join(f"`{name.value}`: {why}" for name, why in NEVER.items())
    return [
        "",
        "## Words",
        "",
        f"Metrics of accepted failures: {metrics}.",
        "",
        f"Data classes: {classes}.",
        "",
        f"Refused whatever the level: {banned}.",
    ]


def _first(declared: type[Struct] | type) -> str:
    return " ".join((declared.__doc__ or "").split())


def _needed(field: inspect.Field) -> str:
    if field.required:
        return "yes"
    default = field.default
    if default is NODEFAULT or default is None or isinstance(default, Struct | tuple | dict):
        return ""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"default `{shown}`"


def _description(shape: inspect.Type) -> str:
    while isinstance(shape, inspect.Metadata):
        found = (shape.extra_json_schema or {}).get("description")
        if found:
            return str(found)
        shape = shape.type
    return ""


def _form(shape: inspect.Type) -> str:
    bare = shape
    while isinstance(bare, inspect.Metadata):
        bare = bare.type
    forms = [each for each in getattr(bare, "types", ()) if not isinstance(each, inspect.NoneType)]
    if _struct(shape) is None or len(forms) > 1:
        return expected(shape)
    return "a list of mappings, see below" if _many(shape) == "[]" else "a mapping, see below"


def _struct(shape: inspect.Type) -> inspect.StructType | None:
    """The mapping inside a type: alone, in a list, behind names, or as one of several forms."""
    match shape:
        case inspect.StructType():
            return shape
        case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner) | inspect.DictType(value_type=inner):
            return _struct(inner)
        case inspect.UnionType(types=types):
            return next((found for found in map(_struct, types) if found is not None), None)
        case _:
            return None


def _many(shape: inspect.Type) -> str:
    match shape:
        case inspect.Metadata(type=inner):
            return _many(inner)
        case inspect.VarTupleType():
            return "[]"
        case inspect.DictType():
            return ".NAME"
        case _:
            return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
