"""Reading what waits asks why, where the home says so: the form, one time for each case and session, JSON, commands."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from browser_site import Site, looked_at, site, trouble
from house import within
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Every case asks."""
    with site(tmp_path_factory.mktemp("asking")) as made:
        made.chat("c-2", "Nobody calls me back about order A-2.")
        path = made.house.root / "handrail.yaml"
        path.write_text(path.read_text() + "\nreading:\n  case_reason: all\n")
        made.house.by("root", "publish")
        yield made


def refund(where: Site, order: str) -> str:
    _, answer = where.act("till.refund", arguments={"order": order, "amount": 90_000}, conversation="c-2")
    return str(answer["action_id"])


def looks(where: Site, action: str) -> list[str]:
    """Reasons of the looks at a case, as the ledger has them."""
    lines = where.house.said("log", "--kind", "payload.read", "--about", action, "--json").splitlines()
    return [json.loads(line)["facts"]["reason"] for line in lines if line.startswith("{")]


def asked(where: Site, path: str, name: str) -> tuple[int, str]:
    """GET as JSON, under somebody's personal token."""
    token = where.house.staff[name]
    request = urllib.request.Request(f"{where.url}{path}", headers={"authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.mark.promise("CAP-6")
@pytest.mark.parametrize("scripts", [True, False])
def test_a_case_shows_nothing_before_a_typed_reason_and_asks_once_in_a_session(
    asking: Site, enter: Enter, scripts: bool
) -> None:
    action = refund(asking, "A-7" if scripts else "A-8")
    page = enter(asking, Role.APPROVER, scripts=scripts)
    within(20, lambda: "Why do you read this?" in (page.goto(f"/approvals/{action}") and page.content()))
    assert "calls me back" not in page.content()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert looks(asking, action) == []
    page.goto(f"/approvals/{action}?read_reason=ticket+1")  # a link is not what she typed
    assert "calls me back" not in page.content()
    page.get_by_label("Why do you read this?").fill("Marta asked me")
    page.get_by_role("button", name="Read the case").click()
    expect(page.get_by_text("give a reference with a number")).to_be_visible()
    assert looks(asking, action) == []
    page.get_by_label("Why do you read this?").fill("ticket 4711")
    page.get_by_role("button", name="Read the case").click()
    expect(page.get_by_text("calls me back")).to_be_visible()
    page.goto(f"/approvals/{action}")
    expect(page.get_by_text("calls me back")).to_be_visible()
    assert set(looks(asking, action)) == {"ticket 4711"}
    if scripts:
        page.keyboard.press("a")
        expect(page.get_by_role("dialog")).to_be_visible()
    anew = enter(asking, session=asking.new_session(Role.APPROVER), scripts=scripts)
    anew.goto(f"/approvals/{action}")
    expect(anew.get_by_label("Why do you read this?")).to_be_visible()
    assert not trouble(page)


def test_several_are_read_for_one_typed_reason(asking: Site, enter: Enter) -> None:
    one, two = refund(asking, "B-1"), refund(asking, "B-2")
    page = enter(asking, session=asking.new_session(Role.APPROVER))
    address = f"/approvals-together?id={one}&id={two}"
    looked_at(page, f"{asking.url}{address}")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(address)
    page.get_by_label("Why do you read this?").fill("audit 12")
    page.get_by_role("button", name="Read the case").click()
    expect(page.get_by_text("B-1")).to_be_visible()
    assert set(looks(asking, one) + looks(asking, two)) == {"audit 12"}


def test_the_form_is_accessible(asking: Site, enter: Enter) -> None:
    action = refund(asking, "D-1")
    page = enter(asking, session=asking.new_session(Role.APPROVER))
    page.goto(f"/approvals/{action}")
    expect(page.get_by_label("Why do you read this?")).to_be_visible()
    looked_at(page, f"{asking.url}/approvals/{action}")


def test_json_and_commands_take_the_reason_as_a_parameter(asking: Site) -> None:
    action = refund(asking, "C-1")
    status, said = asked(asking, f"/api/approvals/{action}", "ann")
    assert (status, json.loads(said)["error"]["code"]) == (422, "person.reason_needed")
    assert "calls me back" not in said
    status, said = asked(asking, f"/api/approvals/{action}?read_reason=ticket%204712", "ann")
    assert (status, "calls me back" in said) == (200, True)
    assert "the ruleset asks why" in asking.house.run(
        "approvals", "show", action, "--token", asking.house.staff["bob"], code=None
    ).stderr  # fmt: skip
    assert "C-1" in asking.house.by("bob", "approvals", "show", action, "--reason", "ticket 4713")
    assert sorted(looks(asking, action)) == ["ticket 4712", "ticket 4713"]
