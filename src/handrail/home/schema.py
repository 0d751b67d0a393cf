"""JSON Schema of the home's files, for editors; from the declarations that `check` reads."""

from collections.abc import Mapping
from typing import Any

import msgspec

from handrail.home.fields import HomeFile, UseCaseFile
from handrail.home.fields_rules import CasesFile, RulesFile
from handrail.home.fields_tools import ToolsFile
from handrail.home.fields_trials import TrialsFile
from handrail.terms.finding import Kind

DRAFT = "https://json-schema.org/draft/2020-12/schema"

FILES: dict[str, type] = {
    "handrail": HomeFile,
    "use-case": UseCaseFile,
    "tools": ToolsFile,
    "rules": RulesFile,
    "cases": CasesFile,
    "trials": TrialsFile,
}
"""Name to declaration; the starter's files point at `schemas/NAME.schema.json`."""


def schema(name: str) -> dict[str, Any]:
    """`name`: one of `FILES`. Raises KeyError for another name.

    An empty optional field (`prices:` with nothing behind it) is good in a home, so every optional field takes null.
    """
    made = msgspec.json.schema(FILES[name])
    for side in made["$defs"].get("FindingsFile", {}).get("properties", {}).values():
        rule = side.pop("additionalProperties")
        side |= {"properties": {kind.value: rule for kind in Kind}, "additionalProperties": False}
    return {"$schema": DRAFT, "title": f"handrail: {name}", **_optional_takes_null(made)}


def encoded(name: str) -> bytes:
    """The schema as a file, indented."""
    return msgspec.json.format(msgspec.json.encode(schema(name)), indent=2) + b"\n"


def _optional_takes_null(made: dict[str, Any]) -> dict[str, Any]:
    for each in made.get("$defs", {}).values():
        _relax(each)
    return made


def _relax(each: dict[str, Any]) -> None:
    required = set(each.get("required", ()))
    properties: Mapping[str, dict[str, Any]] = each.get("properties", {})
    for name, declared in properties.items():
        if name in required:
            continue
        if declared.get("default", "") is None:
            del declared["default"]
        inner = {key: declared.pop(key) for key in list(declared) if key not in ("description", "default")}
        options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
        if {"type": "null"} not in options:
            options = [*options, {"type": "null"}]
        declared["anyOf"] = options
