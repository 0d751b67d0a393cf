"""What stands around every page, in a real browser over a real server."""

from collections.abc import Callable

import pytest
from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]


def test_the_overview_is_accessible_in_both_themes_and_reflows(looked: Site, enter: Enter) -> None:
    looked_at(enter(looked, Role.OWNER), f"{looked.url}/")


def test_the_empty_overview_is_too(bare: Site, enter: Enter) -> None:
    page = enter(bare, Role.AUDITOR)
    looked_at(page, f"{bare.url}/")
    expect(page.get_by_text("No agent asked to act.")).to_be_visible()


def test_the_overview_says_what_waits(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Olu")
    expect(page.get_by_label("Needs a person")).to_contain_text("Waiting")


@pytest.mark.promise("CON-8")
def test_the_palette_and_the_sheet_open_by_key_and_not_from_a_text_field(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="All keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Search or jump to")
    expect(search).to_be_focused()
    search.press_sequentially("overv?")
    expect(search).to_have_value("overv?")
    expect(page.get_by_role("dialog", name="All keys")).to_be_hidden()
    search.press("Backspace")
    search.press("Enter")
    expect(page).to_have_url(f"{looked.url}/")
    assert not trouble(page), trouble(page)


def test_single_keys_can_be_switched_off_and_stay_off(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/")
    page.get_by_text("OO", exact=True).click()
    page.get_by_role("button", name="Single keys").click()
    page.reload()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="All keys")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()


def test_the_theme_and_the_language_stay_chosen(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/")
    page.get_by_role("button", name="Switch between light and dark").first.click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_text("OO", exact=True).click()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("link", name="Übersicht")).to_be_visible()


@pytest.mark.promise("CON-6")
def test_a_page_hears_of_a_change_and_renews_its_part_without_a_reload(own: Site, enter: Enter) -> None:
    page = enter(own, Role.OWNER)
    page.goto("/")
    page.evaluate("window.same = true")
    tile = page.get_by_label("Needs a person").get_by_role("link").first
    before = int(tile.locator("b").inner_text())
    own.chat("c-9", "Please refund order A-9.")
    own.act("till.refund", arguments={"order": "A-9", "amount": 200_001}, conversation="c-9")
    expect(tile.locator("b")).to_have_text(str(before + 1), timeout=10_000)
    assert page.evaluate("window.same") is True
    assert not trouble(page), trouble(page)


def test_an_unknown_address_says_what_to_do(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.STAFF)
    assert page.goto("/nowhere").status == 404  # type: ignore[union-attr]  # it answers
    expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
    looked_at(page, f"{looked.url}/nowhere")
