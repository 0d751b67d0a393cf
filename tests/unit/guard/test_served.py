"""What is kept of the head of a provider's answer: what says how a model is served, and nothing that names anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.guard.served import INFORMATIVE, LONGEST, served_with


@pytest.mark.promise("TRI-13")
def test_informative_headers_are_kept_in_one_order_and_no_other() -> None:
    head = [
        ("x-ms-region", "West Europe"), ("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("openai-version", "2020-10-01"),
        ("x-request-id", "req_0123"), ("openai-organization", "acme"), ("set-cookie", "a=b"), ("server", "uvicorn"),
        ("openai-processing-ms", "321"), ("x-ratelimit-remaining-tokens", "9"), ("cf-ray", "8f1"),
        ("anthropic-organization-id", "org_1"), ("server", "second"),
    ]  # fmt: skip
    assert served_with(head) == "openai-version=2020-10-01; server=uvicorn; x-ms-region=West Europe"
    assert served_with(reversed(head)) == "openai-version=2020-10-01; server=second; x-ms-region=West Europe"
    assert served_with([]) == ""


@pytest.mark.promise("TRI-13")
@pytest.mark.parametrize(
    "value",
    [
        "3f2a91bc3f2a91bc", "123e4567-e89b-12d3-a456-426614174000", "sk_live_51H8aBcDeFgHiJkLmNoPqRsT",
        "4111111111111111",
        "ann@house.example", "x" * (LONGEST + 1), "", "a\nb", "ü", "1767225600",
    ],
)  # fmt: skip
def test_a_value_that_looks_like_an_id_or_is_no_name_is_left_out(value: str) -> None:
    assert served_with([("server", value)]) == ""


@given(st.lists(st.tuples(st.sampled_from([*INFORMATIVE, "x-request-id"]), st.text(max_size=200))))
def test_what_is_kept_is_bounded_whatever_comes(head: list[tuple[str, str]]) -> None:
    assert len(served_with(head)) <= sum(len(name) + LONGEST + 3 for name in INFORMATIVE)
