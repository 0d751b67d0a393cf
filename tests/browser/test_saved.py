"""Views saved by a name: above their list, in the palette, renamed, deleted; a person's own, also without scripts."""

from collections.abc import Callable

import pytest
from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]


def save(page: Page, name: str) -> None:
    page.get_by_text("Save this view").click()
    page.get_by_label("Name of the view").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"Saved as {name}.")).to_be_visible()


@pytest.mark.promise("CSV-3")
def test_a_view_is_saved_found_above_its_list_and_in_the_palette_renamed_and_deleted(own: Site, enter: Enter) -> None:
    page, other = enter(own, Role.OWNER), enter(own, Role.COMPLIANCE)
    page.goto("/interactions?finding=COMPLAINT&period=7d")
    save(page, "<b>Complaints</b> {name}")
    assert page.url.endswith("/interactions?finding=COMPLAINT&period=7d")
    expect(page.get_by_role("group", name="Saved views").get_by_role("link", name="Complaints")).to_have_attribute(
        "aria-current", "page"
    )
    page.goto("/alerts")
    page.keyboard.press("Control+k")
    page.keyboard.type("complaints")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{own.url}/interactions?finding=COMPLAINT&period=7d")
    page.get_by_role("link", name="Saved views", exact=True).click()
    page.get_by_label("New name of").fill("Complaints")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text("It is called Complaints now.")).to_be_visible()
    other.goto("/interactions?finding=COMPLAINT&period=7d")
    expect(other.get_by_text("Save this view")).to_be_visible()
    assert "Complaints</a>" not in other.content()
    page.get_by_role("button", name="Delete Complaints").click()
    expect(page.get_by_text("No view is saved yet.")).to_be_visible()
    assert not trouble(page)


def test_without_scripts_it_is_saved_too_and_a_name_that_is_taken_keeps_what_was_typed(own: Site, enter: Enter) -> None:
    page = enter(own, Role.OWNER, scripts=False)
    for view in ("payments", "all"):
        page.goto(f"/approvals?view={view}")
        page.get_by_text("Save this view").click()
        page.get_by_label("Name of the view").fill("Payments")
        page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("you have a saved view of this name")).to_be_visible()
    expect(page.get_by_label("Name of the view")).to_have_value("Payments")
    page.get_by_label("Name of the view").fill("Payments 2")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as Payments 2.")).to_be_visible()


def test_the_page_and_the_bar_are_accessible(own: Site, bare: Site, enter: Enter) -> None:
    page = enter(own, Role.OWNER)
    page.goto("/interactions?finding=COMPLAINT")
    save(page, "A" * 60)
    looked_at(page, f"{own.url}/saved")
    looked_at(page, f"{own.url}/interactions?finding=COMPLAINT")
    looked_at(enter(bare, Role.AUDITOR), f"{bare.url}/saved")
