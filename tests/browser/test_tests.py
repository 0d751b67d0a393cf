"""Tests and probes in a real browser: real runs of a real server, and what is shown where none ran."""

from collections.abc import Callable

import pytest
from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
CASES = """\
use_case: orders
trials:
  - id: greets
    why: to see
    turns: [{say: Hello, expect: [{outcome: answered}]}]
  - id: names-the-teapot
    why: to see
    turns: [{say: Hello, expect: [{contains: teapot}, {contains: see to it, not: true}]}]
"""


@pytest.mark.promise("CON-REL-7")
def test_runs_are_listed_as_they_happen_and_each_failed_expectation_is_said_in_plain_words(
    own: Site, enter: Enter
) -> None:
    page = enter(own, Role.ENGINEER)
    page.goto("/tests")
    expect(page.get_by_text("Its cases were never run.")).to_be_visible()
    expect(page.get_by_text("Nothing asks what is live while nobody tests.")).to_be_visible()
    (own.house.root / "tests").mkdir(exist_ok=True)
    (own.house.root / "tests" / "orders.yaml").write_text(CASES)
    url = ("--url", own.server.url.removesuffix("/v1"), "--token", own.house.staff["root"])
    own.house.said("trial", "run", *url, code=1)
    expect(page.get_by_role("link", name="1 passed, 1 failed")).to_be_visible()  # by itself
    own.house.run("trial", "run", "--attacks", *url, code=None)
    expect(page.get_by_text("4 of 4 withstood").first).to_be_visible()
    expect(page.get_by_text("A latest run failed")).to_have_count(0)
    page.get_by_role("link", name="1 passed, 1 failed").click()
    expect(page.get_by_text("The answer lacked words that it must have.")).to_be_visible()
    expect(page.get_by_text("The answer had words that must not come out.")).to_be_visible()
    expect(page.get_by_text("handrail trial run names-the-teapot --release")).to_be_visible()
    assert "I will see to it" not in page.inner_text("main"), "answers are kept nowhere"
    assert not trouble(page)
    looked_at(page, page.url)
    looked_at(page, f"{own.url}/tests")
    page.goto("/tests?cut=red")
    expect(page.get_by_role("row").filter(has_text="names-the-teapot")).to_have_count(1)
    looked_at(page, f"{own.url}/tests?cut=red")
    assert page.request.get(f"{own.url}/tests.csv").text().count("\n") == 3


@pytest.mark.promise("CON-REL-7")
def test_where_nothing_ran_the_page_says_what_to_type(bare: Site, enter: Enter) -> None:
    page = enter(bare, Role.AUDITOR)
    page.goto("/tests")
    expect(page.get_by_text("handrail trial run --use-case orders")).to_be_visible()
    looked_at(page, f"{bare.url}/tests")
    page.goto("/tests?cut=probe")
    expect(page.get_by_text("No run fits this filter.")).to_be_visible()
    assert (page.goto("/tests/tr_nothing") or pytest.fail("no answer")).status == 404
