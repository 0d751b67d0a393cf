"""Users and keys in a browser: each change for real, what is shown once, who may not, hostile names."""

import re
from collections.abc import Callable

import pytest
from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} \u202egpj"


@pytest.mark.promise("GOV-1")
def test_the_lists_are_accessible_for_who_changes_and_who_only_looks(looked: Site, bare: Site, enter: Enter) -> None:
    looked_at(enter(looked, Role.ADMIN), f"{looked.url}/people?show=keys")
    looked_at(enter(looked, Role.ADMIN), f"{looked.url}/people")
    looked_at(enter(bare, Role.AUDITOR), f"{bare.url}/people?query=nobody-at-all")


def test_one_person_in_full_is_accessible(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.ADMIN)
    page.goto("/people")
    page.get_by_role("link", name="Ada Admin").click()
    looked_at(page, page.url)


@pytest.mark.promise("GOV-1", "GOV-2")
def test_a_person_is_added_by_keyboard_her_link_lets_her_in_once_and_stands_in_no_address(
    own: Site, enter: Enter
) -> None:
    admin = enter(own, Role.ADMIN)
    admin.goto("/people")
    admin.keyboard.press("n")
    admin.get_by_label("E-mail", exact=True).fill("nina@house.example")
    admin.keyboard.press("Tab")
    admin.keyboard.type(HOSTILE)
    admin.keyboard.press("Tab")
    admin.keyboard.press("Tab")
    admin.keyboard.press("Space")
    admin.keyboard.press("Enter")
    link = admin.get_by_label("Link", exact=True)
    expect(link).to_be_visible()
    secret = link.input_value()
    code = secret.split("code=")[1]
    assert code not in admin.url
    assert "no-store" in str(admin.request.get(own.url + "/people").headers["cache-control"])
    admin.get_by_role("link", name="I have it").click()
    expect(admin.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(admin.get_by_text("Invited")).to_be_visible()
    assert code not in admin.content()
    listed = own.house.said("person", "list")
    assert "approver" in next(line for line in listed.splitlines() if "onerror" in line)
    came = enter(own, Role.STAFF)
    came.context.clear_cookies()
    came.goto(secret.replace(re.sub(r"/sign-in.*", "", secret), own.url))
    expect(came.locator("input[type=password]").first).to_be_visible()
    assert not trouble(admin)


def test_a_slip_in_the_form_is_said_beside_it_and_keeps_what_was_typed(own: Site, enter: Enter) -> None:
    page = enter(own, Role.ADMIN)
    page.goto("/people")
    page.get_by_label("E-mail", exact=True).fill("no-domain@x")
    page.get_by_label("Name", exact=True).fill("Nina")
    page.get_by_label("Auditor").check()
    page.get_by_label("Owner").check()
    page.get_by_role("button", name="Add this person").click()
    expect(page.get_by_role("alert")).to_contain_text("auditor cannot also be")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Nina")
    expect(page.get_by_label("Owner")).to_be_checked()
    assert "Nina" not in own.house.said("person", "list")


@pytest.mark.promise("GOV-20")
@pytest.mark.promise("GOV-1")
def test_roles_change_a_person_is_disabled_and_neither_oneself_nor_the_last_admin(own: Site, enter: Enter) -> None:
    admin, watching = enter(own, Role.ADMIN), enter(own, Role.ENGINEER)
    watching.goto("/people")
    admin.goto("/people")
    admin.get_by_role("link", name="ann", exact=True).click()
    admin.get_by_label("Reviewer").check()
    admin.get_by_role("button", name="Change the roles").click()
    expect(admin.get_by_text("The roles are changed.")).to_be_visible()
    ann = next(line for line in own.house.said("person", "list").splitlines() if "  ann  " in line)
    assert "approver,reviewer" in ann
    expect(watching.locator("tr", has_text="ann@house.example")).to_contain_text("Reviewer")  # by itself
    admin.get_by_role("button", name="Disable").click()
    expect(admin.get_by_role("dialog", name="Disable ann?")).to_contain_text("nobody can take that back")
    assert "(disabled)" not in own.house.said("person", "list"), "one press alone disables nobody"
    admin.get_by_role("button", name="Disable for good").click()
    expect(admin.get_by_text("Disabled. Sessions and tokens of this person open nothing now.")).to_be_visible()
    assert "(disabled)" in next(line for line in own.house.said("person", "list").splitlines() if "  ann  " in line)
    admin.goto("/people")
    admin.get_by_role("link", name="Ada Admin").click()
    admin.get_by_label("Owner").check()
    admin.get_by_role("button", name="Change the roles").click()
    expect(admin.get_by_role("alert")).to_contain_text("nobody gives a role to themselves")
    admin.goto("/people")
    admin.get_by_role("link", name="Root").click()
    admin.get_by_role("button", name="Disable").click()
    admin.get_by_role("button", name="Disable for good").click()
    admin.goto("/people")
    admin.get_by_role("link", name="Ada Admin").click()
    admin.get_by_role("button", name="Disable").click()
    admin.get_by_role("button", name="Disable for good").click()
    expect(admin.get_by_role("alert")).to_contain_text("one active admin must remain")
    assert not trouble(admin)


def test_an_ended_session_opens_nothing(own: Site, enter: Enter) -> None:
    admin, owner = enter(own, Role.ADMIN), enter(own, Role.OWNER)
    owner.goto("/")
    admin.goto("/people")
    admin.get_by_role("link", name="Olu Owner").click()
    admin.get_by_role("button", name="End all").click()
    expect(admin.get_by_text("1 session is over.")).to_be_visible()
    expect(admin.get_by_text("Signed in nowhere.")).to_be_visible()
    owner.goto("/")
    expect(owner).to_have_url(re.compile("/sign-in"))


@pytest.mark.promise("GOV-20")
@pytest.mark.promise("GOV-2")
def test_a_key_is_made_shown_once_works_is_rotated_and_revoked(own: Site, enter: Enter) -> None:
    page = enter(own, Role.ENGINEER)
    page.goto("/people?show=keys")
    page.get_by_label("Agent", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Make it").click()
    key = page.get_by_label("Key", exact=True).input_value()
    assert re.fullmatch(r"hr_[a-z2-7]{16}_[A-Za-z0-9_-]{43}", key)
    assert key not in page.url
    page.get_by_role("link", name="I have it").click()
    expect(page.locator("tr", has_text="onerror").first).to_contain_text("Good until")
    assert key.split("_", 2)[2] not in page.content()
    own.key, old = key, own.key
    own.chat("c-9", "Hello?")
    page.locator("tr", has_text="onerror").get_by_role("button", name="Rotate").click()
    page.get_by_role("button", name="Make the new key").click()
    newer = page.get_by_label("Key", exact=True).input_value()
    assert newer != key
    page.get_by_role("link", name="I have it").click()
    row = page.locator("tr", has_text=newer.split("_")[1])
    row.get_by_role("button", name="Revoke").click()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live-people'))")
    page.wait_for_timeout(500)  # the list renews itself below, and closes nothing that is being read
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("Revoked. No process takes it from now on.")).to_be_visible()
    assert "revoked" in next(
        line for line in own.house.said("key", "list").splitlines() if line.startswith(newer.split("_")[1])
    )
    page.goto("/people?show=keys")
    page.get_by_label("Days until it ends").evaluate("one => one.type = 'text'")
    page.get_by_label("Days until it ends").fill("soon")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("days are a number")
    own.key = old
    assert not trouble(page)


def test_who_may_not_change_sees_no_form_and_is_refused(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.AUDITOR)
    page.goto("/people")
    expect(page.get_by_role("button", name="Add this person")).to_have_count(0)
    page.get_by_role("link", name="bob").click()
    expect(page.get_by_text("Only an admin changes persons.")).to_be_visible()
    expect(page.get_by_role("button", name="Disable")).to_have_count(0)
    staff = enter(looked, Role.STAFF)
    assert staff.goto("/people").status == 403  # type: ignore[union-attr]  # it answered


def test_without_scripts_a_person_is_added_and_in_german(own: Site, enter: Enter) -> None:
    page = enter(own, Role.ADMIN, scripts=False, language="de-DE", width=390)
    page.goto("/people")
    page.get_by_label("E-Mail", exact=True).fill("greta@house.example")
    page.get_by_label("Name", exact=True).fill("Greta")
    page.locator("input[value=auditor]").check()
    page.get_by_role("button", name="Hinzufügen").click()
    expect(page.get_by_role("heading", name="Einmal-Link für Greta")).to_be_visible()
