"""Slips of the hand and of the line: keys that are held, two clicks, Enter in the wrong place, parts that cannot renew
themselves, a stream that is cut."""

from collections.abc import Callable

import pytest
from browser_site import Site, trouble
from playwright.sync_api import Page, Request, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
HOLD = """([key, times]) => { for (let at = 0; at < times; at++) document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, repeat: at > 0 })); }"""
CLICKS = """selector => { const seen = []; for (const each of document.querySelectorAll(selector))
  each.addEventListener("click", (event) => { seen.push(1); event.preventDefault(); }); window.clicks = seen; }"""


def asked(page: Page, what: str) -> list[str]:
    """Requests from now on whose method and path hold `what`."""
    found: list[str] = []

    def note(request: Request) -> None:
        told = f"{request.method} {request.url}"
        if what in told:
            found.append(told)

    page.on("request", note)
    return found


def opened(page: Page, conversation: str) -> None:
    page.goto(f"/interactions?conversation={conversation}")
    page.locator("td a[data-row]").first.click()
    expect(page.get_by_role("heading", name="What the detectors found")).to_be_visible()


@pytest.mark.promise("CRV-2")
def test_a_held_key_is_one_word_and_a_key_after_g_that_leads_nowhere_is_none(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.REVIEWER)
    opened(page, "c-2")
    page.evaluate(CLICKS, "[data-act='interactions.wrong']")
    page.evaluate(HOLD, ["w", 8])
    assert page.evaluate("window.clicks.length") == 1
    page.evaluate(CLICKS, "[data-act='interactions.right']")
    assert "c" not in page.evaluate("JSON.parse(document.getElementById('keys').dataset.go).map(([key]) => key)")
    page.keyboard.press("g")
    page.keyboard.press("c")
    assert page.evaluate("window.clicks.length") == 0
    page.keyboard.press("c")
    assert page.evaluate("window.clicks.length") == 1
    assert not trouble(page)


@pytest.mark.promise("CRV-2")
def test_a_second_click_on_its_way_sends_nothing(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.REVIEWER)
    opened(page, "c-2")
    page.evaluate(
        "() => { window.went = 0; window.addEventListener('submit', (event) => {"
        " if (!event.defaultPrevented) window.went += 1; event.preventDefault(); }); }"
    )
    button = page.locator("[value=wrong]").first
    for _ in range(3):
        button.click()
    assert page.evaluate("window.went") == 1


@pytest.mark.promise("CRV-1")
def test_the_answer_to_a_form_and_an_error_renew_themselves_and_a_refusal_is_not_asked_again(
    looked: Site, enter: Enter
) -> None:
    page = enter(looked, Role.REVIEWER)
    opened(page, "c-2")
    page.get_by_label("Why do you read this?").fill("because Marta asked me")
    page.get_by_role("button", name="Read the conversation").click()
    expect(page.locator("#e-read")).to_be_visible()
    for address in (None, "/nowhere"):
        if address is not None:
            page.goto(address)
        with page.expect_response(lambda answer: "part=nav" in answer.url) as renewed:
            page.evaluate("document.body.dispatchEvent(new CustomEvent('live-approvals'))")
        assert renewed.value.status == 200, renewed.value.url
    page.goto("/interactions")
    page.route("**/interactions?part=rows", lambda route: route.fulfill(status=404, body=""))
    rows = asked(page, "part=rows")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live-interactions'))")
    page.wait_for_timeout(4_500)
    assert len(rows) == 1


@pytest.mark.promise("CRV-14")
def test_what_a_page_says_of_time_renews_itself_each_minute(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.APPROVER)
    page.clock.install()
    page.goto("/approvals")
    path = page.locator("[data-row] a").first.get_attribute("href")
    for address, part in (("/approvals", "list"), (str(path), "state")):
        page.goto(address)
        parts = asked(page, f"part={part}")
        page.clock.run_for(50_000)
        assert parts == []
        with page.expect_response(lambda answer, part=part: f"part={part}" in answer.url):  # type: ignore[misc]  # bound at once
            page.clock.run_for(20_000)
    assert not trouble(page)


def test_a_stream_that_is_cut_is_told_in_words_and_the_palette_says_which_is_chosen(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/")
    expect(page.locator("[data-live-state='on']")).to_have_text("Live")  # its stream is open
    page.evaluate("state('off')")
    expect(page.locator("[data-live-state]")).to_have_text("Not live")
    expect(page.locator("#announce")).to_have_text("Not live")
    page.keyboard.press("Control+k")
    text = page.get_by_role("combobox", name="Search or jump to")
    for _ in range(2):
        text.press("ArrowDown")
        chosen = text.get_attribute("aria-activedescendant")
        expect(page.locator(f"#{chosen}")).to_have_attribute("aria-selected", "true")
