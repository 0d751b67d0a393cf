"""Names at the MCP door: legal, stable, and never the same for two."""

import re

from hypothesis import given
from hypothesis import strategies as st

from handrail.terms.action import ToolId
from handrail.tools.door_names import (
    CANCEL,
    LONGEST,
    STATUS,
    prompt_name,
    prompt_of,
    resource_of,
    resource_uri,
    tool_names,
)
from handrail.tools.registry import UpstreamId

UPSTREAMS = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,70}", fullmatch=True)
TOOLS = st.builds(lambda upstream, name: ToolId(f"{upstream}.{name}"), UPSTREAMS, NAMES)


def test_a_name_is_upstream_and_tool() -> None:
    assert tool_names([ToolId("shop.refund")]) == {"shop__refund": "shop.refund"}


def test_two_tools_that_would_have_one_name_have_two() -> None:
    names = tool_names([ToolId("a__b.c"), ToolId("a.b__c")])
    assert list(names.values()) == ["a__b.c", "a.b__c"]
    assert "a__b__c" not in names  # it would lead to whichever was listed first


def test_no_tool_takes_the_name_of_another_over() -> None:
    old = ToolId("desk." + "a" * 70)
    (name,) = tool_names([old])
    posing = ToolId(f"desk.{name.removeprefix('desk__')}")
    for tools in ([old, posing], [posing, old]):
        assert tool_names(tools)[name] == old


@given(st.lists(TOOLS, unique=True, max_size=12))
def test_names_are_legal_and_lead_back_to_each_tool(tools: list[ToolId]) -> None:
    names = tool_names(tools)
    assert sorted(names.values()) == sorted(tools)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) and len(name) <= LONGEST for name in names)
    assert not {STATUS, CANCEL} & names.keys()
    assert tool_names(tools[::-1]) == names


@given(UPSTREAMS, st.text(min_size=1, max_size=30), st.sampled_from(["file:///a+b", "shop://x/{y}", "a.b:c"]))
def test_prompts_and_resources_lead_back_to_their_server(upstream: str, prompt: str, uri: str) -> None:
    assert prompt_of(prompt_name(UpstreamId(upstream), prompt)) == (upstream, prompt)
    assert resource_of(resource_uri(UpstreamId(upstream), uri)) == (upstream, uri)


def test_what_names_no_server_leads_to_none() -> None:
    assert resource_of("file:///a")[0] == ""
    assert prompt_of("greet")[0] == ""
