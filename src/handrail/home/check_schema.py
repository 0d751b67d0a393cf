"""Whether an argument schema says what its author meant: JSON Schema 2020-12, its keywords and their values; pure.

A validator takes an unknown keyword as a remark, so a misspelt `requird` would check nothing. Here it is a mistake.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import re2

from handrail.home.fit import Path, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.written_actions import Spot

TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_ONE = frozenset({"items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"})
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_COUNTS = frozenset(
    {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"}
)
_REMARKS = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "title", "description", "default", "examples", "example", "deprecated",
     "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "nullable"}
)  # fmt: skip
_OTHERS = frozenset({"type", "enum", "const", "required", "pattern", "uniqueItems", "$ref", "dependentRequired"})
KEYWORDS = _ONE | _MANY | _NAMED | _NUMBERS | _COUNTS | _REMARKS | _OTHERS
_PAIRS = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def check_schema(spot: Spot, schema: Any, *, top: bool = True) -> Iterator[Mistake]:
    """`top`: the arguments of a tool, which are an object."""
    if top and (not isinstance(schema, Mapping) or schema.get("type") != "object"):
        yield _wrong(spot, (), "the arguments of a tool are an object", expected="type: object")
        return
    yield from _schema(spot, schema, (), schema)


def _schema(spot: Spot, schema: Any, at: Path, whole: Any) -> Iterator[Mistake]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield _wrong(spot, at, "this is not a schema", expected="a mapping, true or false")
        return
    for word, value in schema.items():
        here = (*at, word)
        if word not in KEYWORDS and not word.startswith("x-"):
            yield mistake(
                spot.key(*here), "schema.keyword", f"{shown(word)} is no keyword of JSON Schema",
                hint=did_you_mean(word, KEYWORDS),
            )  # fmt: skip
        elif word in _ONE:
            yield from _schema(spot, value, here, whole)
        elif word in _MANY and isinstance(value, list):
            for index, one in enumerate(value):
                yield from _schema(spot, one, (*here, index), whole)
        elif word in _NAMED and isinstance(value, Mapping):
            for name, one in value.items():
                yield from _schema(spot, one, (*here, name), whole)
        else:
            yield from _value(spot, word, value, here, whole)
    yield from _together(spot, schema, at)


def _value(spot: Spot, word: str, value: Any, here: Path, whole: Any) -> Iterator[Mistake]:
    expected = ""
    if word == "type":
        for one in value if isinstance(value, list) else [value]:
            if one not in TYPES:
                hint = did_you_mean(str(one), TYPES)
                expected = f"one of {', '.join(sorted(TYPES))}"
                yield _wrong(spot, here, f"{shown(str(one))} is no type of JSON", expected=expected, hint=hint)
        return
    if word in _MANY or word == "enum":
        expected = "" if isinstance(value, list) and value else "a list that is not empty"
    elif word in _NAMED:
        expected = "a mapping of names to schemas"
    elif word in _NUMBERS:
        expected = "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    elif word in _COUNTS:
        expected = "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number"
    elif word == "uniqueItems":
        expected = "" if isinstance(value, bool) else "true or false"
    elif word == "required":
        expected = "" if isinstance(value, list) and all(isinstance(one, str) for one in value) else "a list of names"
    elif word == "pattern":
        expected = "" if _compiles(value) else "a regular expression without look-around and back-references"
    elif word == "$ref":
        expected = "" if _target(whole, value) is not None else "a reference inside this schema, such as #/$defs/NAME"
    if expected:
        yield _wrong(spot, here, f'"{word}" cannot be this', expected=expected)


def _together(spot: Spot, schema: Mapping[str, Any], at: Path) -> Iterator[Mistake]:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and isinstance(schema.get("required"), list):
        for index, name in enumerate(schema["required"]):
            if name not in properties and not schema.get("additionalProperties", False):
                hint = did_you_mean(str(name), properties)
                what = f"{shown(str(name))} is required and not among the properties"
                yield _wrong(spot, (*at, "required", index), what, hint=hint)
    for low, high in _PAIRS:
        least, most = schema.get(low), schema.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield _wrong(spot, (*at, low), f'no value is at least "{low}" and at most "{high}"')


def _compiles(pattern: Any) -> bool:
    """Whether it can run in linear time: look-around and back-references cannot."""
    if not isinstance(pattern, str):
        return False
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(pattern, quiet)
    except re2.error:
        return False
    return True


def _target(whole: Any, reference: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found = whole
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _wrong(spot: Spot, at: Path, what: str, *, expected: str = "", hint: str = "") -> Mistake:
    return mistake(spot.place(*at), "schema.wrong", what, expected=expected, hint=hint)
