"""Use cases, tools and providers, settings in a browser: read from what is in force and the record."""

import re
from collections.abc import Callable, Iterator

import pytest
from browser_site import Site, looked_at, site, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)> {{7*7}}"
RECEIVER = """
notices:
  receivers:
    desk: { kind: webhook, url: "https://hooks.house.example/x", secret_env: HOOK_SECRET }
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A use case, a tool and a prompt that call themselves like an attack."""
    with site(tmp_path_factory.mktemp("hostile"), published=False) as made:
        case = made.house.root / "use-cases" / "orders.yaml"
        case.write_text(re.sub(r"^name: .*$", f"name: '{HOSTILE}'", case.read_text(), count=1, flags=re.MULTILINE))
        tools = made.house.root / "tools" / "till.yaml"
        tools.write_text(tools.read_text().replace("title: Pay money back", f"title: '{HOSTILE}'"))
        made.house.by("root", "publish")
        made.key = made.house.agent()
        yield made


@pytest.mark.promise("GOV-3", "GOV-4", "GOV-5")
@pytest.mark.parametrize("path", ["/use_cases", "/use_cases/orders", "/tools", "/tools/till.refund", "/settings"])
def test_each_page_is_accessible_with_data(looked: Site, enter: Enter, path: str) -> None:
    looked_at(enter(looked, Role.OWNER), looked.url + path)


@pytest.mark.parametrize("path", ["/use_cases?query=nothing-like-this", "/tools/till.note"])
def test_each_empty_state_is_accessible(bare: Site, enter: Enter, path: str) -> None:
    looked_at(enter(bare, Role.AUDITOR), bare.url + path)


@pytest.mark.promise("GOV-3")
def test_a_use_case_says_what_it_is_how_far_it_goes_and_what_waits(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/use_cases")
    expect(page.locator("tr", has_text="Orders")).to_contain_text("2 approvals wait")
    page.get_by_role("link", name="Orders").click()
    for text in (
        "owner@house.example", "High risk", "At most €1,000.00 per action; above it, a person decides. (per-action)",
        "Pay money back", "handrail policy explain till.refund", "mock / scripted-1", "365 days", "shop-agent",
        "Today: ",
    ):  # fmt: skip
        expect(page.get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("link", name="Stop this use case")).to_have_attribute(
        "href", "/stop?what=use-case%3Aorders"
    )
    page.get_by_role("link", name="Stop this use case").click()
    expect(page.get_by_label("What")).to_have_value("use-case:orders")


@pytest.mark.promise("GOV-3")
def test_a_lowered_level_is_told_beside_the_declared_one_by_itself(own: Site, enter: Enter) -> None:
    page = enter(own, Role.OWNER)
    page.goto("/use_cases/orders")
    expect(page.locator("tr", has_text="Moves money").first).to_contain_text("Acts within limits")
    own.house.by("cleo", "autonomy", "demote", "orders", "--action-type", "money", "--reason", "to see")
    row = page.locator("tr", has_text="Moves money").first
    expect(row).to_contain_text("Acts with approval")  # by itself
    expect(row).to_contain_text("declared: Acts within limits; lowered")
    assert not trouble(page)


@pytest.mark.promise("GOV-4")
def test_tools_tell_how_often_they_were_called_held_and_failed_and_providers_answer(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.ENGINEER)
    page.goto("/tools")
    cells = page.locator("tr", has_text="till.refund").first.locator("td")
    expect(cells.nth(3)).to_have_text("2")
    expect(cells.nth(4)).to_have_text("2")
    provider = page.locator("tr", has_text="scripted-1").first
    expect(provider).to_contain_text("Answers")
    page.get_by_role("link", name="Pay money back").click()
    expect(page.locator("#late").locator("xpath=../..").get_by_text("Held for a person")).to_have_count(2)
    expect(page.get_by_role("link", name="Stop this tool")).to_have_attribute("href", "/stop?what=tool%3Atill.refund")


@pytest.mark.promise("GOV-5")
def test_settings_show_what_is_in_force_by_whom_and_the_home_changes_it(own: Site, enter: Enter) -> None:
    page = enter(own, Role.ENGINEER)
    page.goto("/settings")
    expect(page.get_by_text("Nobody is told outside the console.")).to_be_visible()
    expect(page.get_by_text("No backup is recorded: handrail backup.")).to_be_visible()
    before = page.locator("code.uc-digest").inner_text()
    path = own.house.root / "handrail.yaml"
    path.write_text(path.read_text() + RECEIVER)
    own.house.env["HOOK_SECRET"] = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
    own.house.by("root", "publish")
    expect(page.locator("code.uc-digest")).not_to_have_text(before)  # by itself
    expect(page.locator("tr", has_text="in force")).to_contain_text("Root")
    expect(page.locator("tr", has_text="desk")).to_contain_text("webhook, signed")
    assert "hooks.house.example" not in page.content()
    assert page.request.post(own.url + "/settings").status == 405


@pytest.mark.promise("GOV-5")
def test_doctor_is_asked_from_the_page_and_says_how_to_mend(own: Site, enter: Enter) -> None:
    page = enter(own, Role.ADMIN)
    page.goto("/settings")
    expect(page.get_by_text("Nobody has asked doctor yet.")).to_be_visible()
    page.set_default_timeout(40_000)
    page.get_by_role("link", name="Look now").click()
    expect(page.get_by_text("and there is no witness")).to_be_visible()
    expect(page.get_by_text("handrail doctor looked")).to_be_visible()
    owner = enter(own, Role.OWNER)
    assert owner.goto("/settings/doctor").status == 403  # type: ignore[union-attr]  # it answered
    owner.goto("/settings")
    expect(owner.get_by_text("and there is no witness")).to_be_visible()
    assert enter(own, Role.STAFF).goto("/settings").status == 403  # type: ignore[union-attr]  # it answered


def test_hostile_names_are_shown_as_they_are_written_and_do_nothing(hostile: Site, enter: Enter) -> None:
    page = enter(hostile, Role.OWNER)
    for path in ("/use_cases", "/use_cases/orders", "/tools", "/tools/till.refund", "/settings"):
        page.goto(path)
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.locator("main img, #main img").count() == 0
    assert not trouble(page)
    assert page.goto("/use_cases/%3Cimg%20src=x%3E").status == 404  # type: ignore[union-attr]  # it answered
    assert page.goto("/tools/..%2f..").status == 404  # type: ignore[union-attr]  # it answered


def test_in_german_on_a_phone_without_scripts(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER, width=390, language="de-DE", scripts=False)
    page.goto("/use_cases/orders")
    expect(page.get_by_role("heading", name="Wie weit er gehen darf")).to_be_visible()
    expect(page.get_by_text("Höchstens 1.000,00 € je Aktion; darüber entscheidet ein Mensch.")).to_be_visible()
    page.goto("/tools")
    expect(page.get_by_role("heading", name="Modellanbieter")).to_be_visible()
