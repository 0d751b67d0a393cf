"""Arguments against their schema: what it does not name does not pass, unless it says so."""

from typing import Any

import pytest

from handrail.backends.schemas import WHOLE, ArgumentSchemas
from handrail.terms.action import ActionType, ToolId
from handrail.tools.registry import Tool, UpstreamId

TEXT = {"type": "string"}
PAYEE = {"type": "object", "properties": {"b": TEXT}}


def errors(schema: dict[str, Any], arguments: dict[str, Any]) -> tuple[str, ...]:
    tool = Tool(
        id=ToolId("s.x"), upstream=UpstreamId("s"), name="x", type=ActionType.MONEY,
        arguments={"type": "object", **schema},
    )  # fmt: skip
    return ArgumentSchemas().errors(tool, arguments)


OUTSIDE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an argument nobody wrote": ({"properties": {"a": TEXT}}, {"a": "x", "refund_to": "y"}),
    "any argument of a tool without": ({}, {"a": "x"}),
    "below an object": ({"properties": {"a": {"type": "object", "properties": {"b": TEXT}}}}, {"a": {"b": "", "c": 1}}),
    "in a list of objects": (
        {"properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": TEXT}}}}},
        {"a": [{"b": "x"}, {"b": "x", "c": 1}]},
    ),
    "behind a reference": (
        {"$defs": {"payee": PAYEE}, "properties": {"a": {"$ref": "#/$defs/payee"}}},
        {"a": {"b": "x", "c": 1}},
    ),
    "beside composed ones": (
        {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]}, {"a": "x", "b": "x", "c": "x"},
    ),
    "an object in one of several": (
        {"properties": {"a": {"anyOf": [{"type": "object", "properties": {"b": TEXT}}, {"type": "null"}]}}},
        {"a": {"b": "x", "c": 1}},
    ),
    "a form that was asked for": ({"properties": {"a": {"type": "string", "format": "email"}}}, {"a": "nobody"}),
}  # fmt: skip


@pytest.mark.promise("ACD-9")
@pytest.mark.parametrize("name", OUTSIDE)
def test_what_the_schema_does_not_name_is_refused(name: str) -> None:
    schema, arguments = OUTSIDE[name]
    assert errors(schema, arguments)


FITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "composed": ({"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]}, {"a": "x", "b": "x"}),
    "one of several": (
        {"properties": {"a": {"anyOf": [{"type": "object", "properties": {"b": TEXT}}, {"type": "null"}]}}},
        {"a": {"b": "x"}},
    ),
    "said to be open": ({"properties": {"a": TEXT}, "additionalProperties": True}, {"a": "x", "more": 1}),
    "said to hold texts": ({"additionalProperties": TEXT}, {"more": "x"}),
    "by pattern": ({"patternProperties": {"^x-": TEXT}}, {"x-1": "x"}),
    "an object of any form below": ({"properties": {"a": {"type": "object"}}}, {"a": {"anything": 1}}),
    "behind a reference": (
        {"$defs": {"payee": PAYEE}, "properties": {"a": {"$ref": "#/$defs/payee"}}},
        {"a": {"b": "x"}},
    ),
    "its form": ({"properties": {"a": {"type": "string", "format": "email"}}}, {"a": "jo@example.com"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_what_the_schema_names_fits(name: str) -> None:
    schema, arguments = FITS[name]
    assert errors(schema, arguments) == ()


def test_an_open_object_is_still_checked_where_it_is_described() -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "additionalProperties": True}
    assert errors(schema, {"a": "x"}) == ("a",)


def test_a_schema_that_does_not_compile_refuses_every_call() -> None:
    assert errors({"properties": {"a": {"pattern": "("}}}, {"a": "x"}) == (WHOLE,)
