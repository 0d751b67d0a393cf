"""Tools and rules, mutilated: a home either says what is wrong with it, or compiles to what can be stored."""

import msgspec
import pytest
from fakes.home import ENGINES
from fakes.shop_home import CASES, RULES, SHOP, TOOLS, shop_home
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.draft_tools import draft
from handrail.home.problem import HomeInvalid
from handrail.policy.ruleset import Ruleset, canonical

VALUES = [
    "", "null", "true", "0", "-1", "1.5", "1e400", "text", "[]", "{}", "[[]]", "{a: b}", "[null]", "$key", "'{'",
    "$arguments.x", "'*'", "a.b.c", "'../x'", "EUR", "deny", "2026-01-01", "9999999999999999999999", "{fact: x}",
    "[refund_order]", "order", "!tag x", "&a 1", "*a", "\u202e", "é",
]  # fmt: skip


@st.composite
def mutilated(draw: st.DrawFn) -> dict[str, str]:
    """One to three lines of one file changed: dropped, doubled, indented, or with another value or key."""
    name = draw(st.sampled_from([TOOLS, RULES, CASES]))
    lines = SHOP[name].split("\n")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        match draw(st.integers(0, 5)):
            case 0:
                del lines[at]
                lines = lines or [""]
            case 1:
                lines.insert(at, line)
            case 2:
                lines[at] = " " * draw(st.integers(1, 4)) + line
            case 3:
                head, colon, _ = line.partition(":")
                lines[at] = f"{head}{colon} {draw(st.sampled_from(VALUES))}"
            case 4:
                words = line.split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(VALUES))
                lines[at] = " ".join(words)
            case _:
                cut = draw(st.integers(0, len(line)))
                lines[at] = line[:cut] + draw(st.sampled_from(["", "x", ":", ",", "}", "]", "#"])) + line[cut + 1 :]
    return {name: "\n".join(lines)}


@pytest.mark.promise("HAC-1")
@settings(max_examples=40, deadline=None)
@given(mutilated())
def test_a_mutilated_policy_is_told_or_can_be_stored(texts: dict[str, str]) -> None:
    told = check(shop_home(texts), ENGINES)
    assert all(one.line > 0 and one.message for one in told)
    try:
        made = compile_home(shop_home(texts), ENGINES).ruleset
    except HomeInvalid:
        return
    assert not told
    assert msgspec.json.decode(canonical(made), type=Ruleset) == made


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | st.sampled_from(["object", "#/a", "string"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["openapi", "paths", "/a", "get", "post", "parameters", "name", "in", "schema", "$ref", "requestBody",
             "content", "application/json", "type", "properties", "items", "tools", "inputSchema", "annotations",
             "readOnlyHint", "result", "servers", "url", "required", "operationId"]
        ),
        inner, max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.promise("HAC-3")
@settings(max_examples=200, deadline=None)
@given(
    JSON | st.fixed_dictionaries({"openapi": st.just("3.1.0"), "paths": JSON}) | st.fixed_dictionaries({"tools": JSON})
)
def test_any_document_is_drafted_or_refused(document: object) -> None:
    try:
        made = draft(document, upstream="any")
    except ValueError:
        return
    assert made.tools > 0
    assert "upstream:" in made.text
