"""Argument schemas closed: an argument that a schema does not name is outside of it; pure.

JSON Schema lets more properties in unless it is told not to. Here it is the other way round, at the top and in every
object below that has `properties`: only `additionalProperties` or `unevaluatedProperties` open it. Parts that describe
one object together (`allOf`, `anyOf`, a reference) are closed where they meet, not each by itself.
"""

from collections.abc import Mapping
from typing import Any

_TOGETHER = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "$ref"})
"""Keywords that say more about the same value."""
_BELOW = frozenset({"items", "prefixItems", "contains", "additionalProperties", "unevaluatedProperties"})
_BELOW_BY_NAME = frozenset({"properties", "patternProperties"})
_DEFINED = frozenset({"$defs", "definitions"})
_DEEPEST = 32
"""References that are followed to see whether they describe an object."""


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy. Whatever is no schema stays as it is, for the validator to refuse."""
    made: dict[str, Any] = _place(schema, schema, top=True)
    return made


def _place(schema: Any, whole: Mapping[str, Any], *, top: bool = False) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    made = _parts(schema, whole)
    if made.keys() & {"additionalProperties", "unevaluatedProperties"}:
        return made
    if top or _describes(schema, whole, 0):
        made["unevaluatedProperties" if made.keys() & _TOGETHER else "additionalProperties"] = False
    return made


def _parts(schema: Any, whole: Mapping[str, Any]) -> Any:
    """The schema with everything below it closed, itself left open."""
    if not isinstance(schema, Mapping):
        return schema
    return {word: _part(word, value, whole) for word, value in schema.items()}


def _part(word: str, value: Any, whole: Mapping[str, Any]) -> Any:
    if word in _BELOW:
        return [_place(one, whole) for one in value] if isinstance(value, list) else _place(value, whole)
    if word in _BELOW_BY_NAME and isinstance(value, Mapping):
        return {name: _place(one, whole) for name, one in value.items()}
    if word in _TOGETHER - {"$ref", "dependentSchemas"}:
        return [_parts(one, whole) for one in value] if isinstance(value, list) else _parts(value, whole)
    if word in _DEFINED | {"dependentSchemas"} and isinstance(value, Mapping):
        return {name: _parts(one, whole) for name, one in value.items()}
    return value


def _describes(schema: Any, whole: Mapping[str, Any], depth: int) -> bool:
    """Whether it names properties of an object, itself or by a part or reference."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return False
    if schema.keys() & _BELOW_BY_NAME:
        return True
    parts: list[Any] = [schema.get(word) for word in ("then", "else")]
    parts += [one for word in ("allOf", "anyOf", "oneOf") if isinstance(schema.get(word), list) for one in schema[word]]
    if isinstance(schema.get("$ref"), str):
        parts.append(_target(whole, schema["$ref"]))
    return any(_describes(part, whole, depth + 1) for part in parts)


def _target(whole: Any, reference: str) -> Any:
    found = whole
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found
