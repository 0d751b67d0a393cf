"""Stopping an AI, and lifting the stop by another person."""

from collections.abc import Callable

from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]


def test_the_page_is_accessible_with_and_without_a_stop(looked: Site, bare: Site, enter: Enter) -> None:
    looked_at(enter(bare, Role.OWNER), f"{bare.url}/stop")
    looked_at(enter(looked, Role.AUDITOR), f"{looked.url}/stop")


def test_one_person_stops_by_keyboard_alone_and_another_lifts_it(own: Site, enter: Enter) -> None:
    owner, compliance = enter(own, Role.OWNER), enter(own, Role.COMPLIANCE)
    compliance.goto("/stop")
    expect(compliance.get_by_text("Everything runs under its rules.")).to_be_visible()
    owner.goto("/")
    owner.keyboard.press("Control+k")  # the button is one Tab away at best; its name leads there too
    owner.get_by_role("combobox", name="Search or jump to").fill("stop")
    owner.keyboard.press("Enter")
    expect(owner).to_have_url(f"{own.url}/stop")
    owner.get_by_label("What").select_option("all:")
    owner.get_by_label("Reason").fill("Refunds doubled <img src=x onerror=alert(1)>")
    owner.keyboard.press("Enter")
    expect(
        owner.get_by_text("waiting actions were revoked").or_(owner.get_by_text("waiting action was"))
    ).to_be_visible()
    expect(owner.get_by_text("You pulled it, so another person lifts it.")).to_be_visible()
    assert "all" in own.house.said("stop", "--list")
    expect(compliance.get_by_text("Refunds doubled <img src=x onerror=alert(1)>")).to_be_visible()  # by itself
    compliance.get_by_role("button", name="Let it run again").click()
    expect(compliance.get_by_text("Lifted. It runs again, under its rules.")).to_be_visible()
    assert own.house.said("stop", "--list").strip() == ""
    assert not trouble(owner)
    assert not trouble(compliance)


def test_a_stop_without_what_it_stops_or_of_nothing_that_exists_is_shown_again(own: Site, enter: Enter) -> None:
    page = enter(own, Role.STAFF)
    page.goto("/stop?what=tool:shop.nothing")
    page.evaluate("document.querySelector('#what').removeAttribute('required')")
    page.get_by_label("Reason").fill("to see")
    page.get_by_role("button", name="Stop it now").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose what to stop.")
    expect(page.get_by_label("Reason")).to_have_value("to see")
    assert own.house.said("stop", "--list").strip() == ""


def test_an_auditor_may_look_and_not_stop(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.AUDITOR)
    page.goto("/stop")
    expect(page.get_by_text("Your roles cannot stop an AI.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop it now")).to_have_count(0)
