"""A form made from a tool's schema, and back: one field for each argument; what has no simple field is JSON. Pure.

Whether the arguments fit the schema is checked where the edited call is decided; here only text becomes values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from babel.numbers import get_currency_precision

from handrail.tools.registry import Tool, Unit

TEXT, NUMBER, CHOICE, JSON, MONEY, YES_NO = "text", "number", "choice", "json", "money", "yes_no"
_NUMBER = re.compile(r"^-?\d{1,18}(\.\d{1,12})?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`value`: as it stands in the form. `limits`: as the schema says them, `1 – 500`. `wrong`: what was written is no
    such value."""

    name: str
    kind: str
    value: str
    options: tuple[str, ...] = ()
    required: bool = False
    limits: str = ""
    currency: str = ""
    wrong: bool = False


def fields_of(tool: Tool, arguments: Mapping[str, Any], currency: str) -> tuple[Field, ...]:
    """In the order of the schema; arguments that it does not name come last. `currency`: of the call's amount."""
    named = tool.arguments.get("properties") or {}
    names = [*named, *(name for name in arguments if name not in named)]
    needed = set(tool.arguments.get("required") or ())
    return tuple(_field(name, named.get(name) or {}, arguments, tool, currency, name in needed) for name in names)


def arguments_of(
    fields: Sequence[Field], given: Mapping[str, str], arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Field, ...]]:
    """The values, and the fields as they were written, with those marked that are no values. `fields`: as they were
    made of `arguments`: a field that nobody touched gives its argument back as it was, whatever a browser makes of its
    text. An empty field that is not required is left out."""
    found: dict[str, Any] = {}
    shown = []
    for field in fields:
        text = _lines(given.get(field.name, ""))
        wrong = False
        if text == _lines(field.value) and (text != "" or not field.required or field.name in arguments):
            if field.name in arguments:
                found[field.name] = arguments[field.name]
            shown.append(field)
            continue
        if text == "" and not field.required:
            shown.append(_written(field, value=text))
            continue
        try:
            found[field.name] = _value(field, text)
        except (ValueError, msgspec.DecodeError):
            wrong = True
        shown.append(_written(field, value=text, wrong=wrong))
    return found, tuple(shown)


def _lines(text: str) -> str:
    """A browser sends each end of a line as CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _written(field: Field, *, value: str, wrong: bool = False) -> Field:
    return Field(
        name=field.name, kind=field.kind, value=value, options=field.options, required=field.required,
        limits=field.limits, currency=field.currency, wrong=wrong,
    )  # fmt: skip


def _field(
    name: str, schema: Mapping[str, Any], arguments: Mapping[str, Any], tool: Tool, currency: str, required: bool
) -> Field:
    kind, value = _kind(name, schema, tool, currency), arguments.get(name)
    text = _text(kind, value, currency) if name in arguments else ""
    options = tuple(map(str, schema.get("enum") or ())) if kind == CHOICE else ()
    if kind == YES_NO:
        options = ("true", "false")
    if options and text and text not in options:  # else the browser would choose another by itself
        options = (*options, text)
    return Field(
        name=name, kind=kind, value=text, options=options,
        required=required, limits=_limits(kind, schema, currency), currency=currency if kind == MONEY else "",
    )  # fmt: skip


def _kind(name: str, schema: Mapping[str, Any], tool: Tool, currency: str) -> str:
    kind = schema.get("type")
    money = tool.money
    if money is not None and money.amount == name and money.unit is Unit.MINOR and kind == "integer" and currency:
        return MONEY
    if schema.get("enum") and all(isinstance(one, str) for one in schema["enum"]):
        return CHOICE
    return {"string": TEXT, "integer": NUMBER, "number": NUMBER, "boolean": YES_NO}.get(str(kind), JSON)


def _text(kind: str, value: Any, currency: str) -> str:
    if kind == MONEY and isinstance(value, int):
        return str(Decimal(value).scaleb(-get_currency_precision(currency)))
    if kind in (TEXT, CHOICE) and isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _limits(kind: str, schema: Mapping[str, Any], currency: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind not in (MONEY, NUMBER) or (low is None and high is None):
        return ""
    low, high = (_text(kind, one, currency) if one is not None else "" for one in (low, high))
    return f"{low} – {high}"


def _value(field: Field, text: str) -> Any:
    """Raises ValueError or msgspec.DecodeError."""
    if field.kind in (TEXT, CHOICE):
        return text
    if field.kind == MONEY:
        digits = get_currency_precision(field.currency)
        plain = text.strip().replace(",", ".")
        if not _NUMBER.match(plain) or -int(Decimal(plain).as_tuple().exponent) > digits:
            raise ValueError(text)
        return int(Decimal(plain).scaleb(digits))
    if field.kind == NUMBER:
        plain = text.strip()
        if not _NUMBER.match(plain):
            raise ValueError(text)
        return int(plain) if "." not in plain else float(plain)
    return msgspec.json.decode(text)
