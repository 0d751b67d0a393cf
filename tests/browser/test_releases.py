"""Releases in a real browser over a real server: a bad one goes back while its page is open, and each button does what
it says."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from browser_site import Site, looked_at, trouble
from playwright.sync_api import Page, expect
from release_site import RED, Ramped, ramped, within

from handrail.people.role import Role
from handrail.releases.lifecycle import State

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ramped]:
    """One site for the module; each test drafts a release of its own."""
    with ramped(tmp_path_factory.mktemp("ramped")) as made:
        yield made


def begin(ramp: Ramped, text: str, *, canary: bool = False) -> None:
    """A draft with green tests; as a canary, signed and started by commands."""
    ramp.draft(text)
    ramp.test()
    if canary:
        tokens = {role: ramp.site.session(role) for role in (Role.OWNER, Role.COMPLIANCE)}
        for role, session in tokens.items():
            ramp.house.run("release", "sign", ramp.release, "--as", role.value, "--token", session.text)
        ramp.house.run("release", "start", ramp.release, "--token", tokens[Role.OWNER].text)


def settled(ramp: Ramped, more_than: int) -> bool:
    """It was decided, or more was counted since."""
    return ramp.rollout().state is not State.CANARY or ramp.folded() > more_than


def end(ramp: Ramped) -> None:
    """Leave nothing that keeps the next one from starting."""
    if ramp.rollout().state is State.CANARY:
        ramp.house.by("root", "release", "rollback", ramp.release, "--finish")


def dialog(page: Page, name: str) -> Any:
    return page.locator(f"#d-{name}")


@pytest.mark.promise("CON-REL-1")
def test_a_bad_release_goes_back_while_its_page_is_open_and_the_page_says_so(ramp: Ramped, enter: Enter) -> None:
    begin(ramp, "Be short, and offer a colleague at once.", canary=True)
    page = enter(ramp.site, Role.STAFF)
    page.goto(f"/releases/{ramp.release}")
    expect(page.get_by_text("It runs, and no unit is complete yet.")).to_be_visible()
    page.evaluate("window.stays = true")
    deadline, seed = time.monotonic() + 60, 1
    while ramp.rollout().state is State.CANARY and time.monotonic() < deadline:
        ramp.outcomes(ramp.converse(80), 0.7, seed)
        seed += 1
        many = len(ramp.converse(4)) + ramp.folded()  # go on once what was reported is counted
        within(8, partial(settled, ramp, many))
    assert ramp.rollout().state is State.ROLLED_BACK
    page.locator("main .badge").filter(has_text="Rolled back").first.wait_for(timeout=2_000)
    expect(page.get_by_text("Nobody had to act.")).to_be_visible()
    assert page.evaluate("window.stays") is True, "the page was loaded anew"
    expect(page.locator("#announce")).to_contain_text("Rolled back")
    row = page.get_by_role("row").filter(has_text="Complaints").filter(has_text="limit")
    expect(row.first).to_contain_text("Worse")
    expect(page.get_by_role("img", name="Evidence that")).to_be_visible()
    assert page.locator("svg .ev").count() == 1, "where it was decided is marked"
    expect(page.get_by_role("heading", name="Examples of harm")).to_be_visible()
    assert str(ramp.rollout().reached.sentence) in page.inner_text("main")  # type: ignore[union-attr]  # it was decided
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    assert not trouble(page)
    looked_at(page, f"{ramp.site.url}/releases/{ramp.release}")
    page.goto("/releases?cut=back")
    expect(page.get_by_role("row").filter(has_text=ramp.release[:8])).to_contain_text("Worse")
    for incident in ramp.house.said("incident", "list").split():
        if incident.startswith(("in_", "INC-")):
            ramp.house.by("cleo", "incident", "contain", incident)


@pytest.mark.promise("CON-REL-2")
def test_two_people_sign_and_one_starts_it_by_keyboard_and_never_its_author(ramp: Ramped, enter: Enter) -> None:
    begin(ramp, "Signed one.")
    owner, compliance, both = (
        enter(ramp.site, *roles) for roles in ((Role.OWNER,), (Role.COMPLIANCE,), (Role.OWNER, Role.COMPLIANCE))
    )
    owner.goto(f"/releases/{ramp.release}")
    expect(owner.get_by_role("button", name="Start the canary")).to_have_count(0)
    owner.get_by_role("button", name="Sign for Owner").click()
    expect(owner.get_by_text("Signed off.", exact=True).first).to_be_visible()
    expect(owner.get_by_role("button", name="Sign for")).to_have_count(0)
    compliance.goto(f"/releases/{ramp.release[:8]}")
    compliance.get_by_role("button", name="Sign for Compliance").click()
    expect(compliance.get_by_text("Your roles cannot do this; open to: Owner, Approver.").first).to_be_visible()
    assert ramp.rollout().state is State.SIGNED_OFF
    owner.locator(".badge").filter(has_text="Signed off").first.wait_for(timeout=2_000)  # by itself
    owner.keyboard.press("n")
    expect(dialog(owner, "start")).to_contain_text("New customers get it from now on")
    owner.keyboard.press("Tab")
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("The canary began at 30%.")).to_be_visible()
    assert ramp.rollout().state is State.CANARY
    both.goto(f"/releases/{ramp.release}")
    expect(both.get_by_role("button", name="Next step")).to_be_visible()
    assert not trouble(owner)
    end(ramp)


@pytest.mark.promise("CON-REL-3")
def test_hold_let_go_on_next_step_and_two_who_press_at_once_move_it_once(ramp: Ramped, enter: Enter) -> None:
    begin(ramp, "Moved one.", canary=True)
    one, other = enter(ramp.site, Role.OWNER), enter(ramp.site, Role.APPROVER)
    for page in (one, other):
        page.goto(f"/releases/{ramp.release}")
    one.get_by_role("button", name="Hold the ramp").click()
    expect(one.get_by_text("It stands still: frozen by a person.")).to_be_visible()
    assert ramp.rollout().frozen
    one.get_by_role("button", name="Let it go on").click()
    expect(one.get_by_text("It goes on.", exact=True)).to_be_visible()
    other.goto(f"/releases/{ramp.release}")
    other.context.route("**/live*", lambda route: route.abort())
    other.keyboard.press("n")  # what is seen here is of now; the first of both is faster
    one.keyboard.press("n")
    dialog(one, "advance").get_by_role("button", name="Next step").click()
    expect(one.get_by_text("It goes on at the next step.")).to_be_visible()
    dialog(other, "advance").get_by_role("button", name="Next step").click()
    expect(other.get_by_role("alert")).to_contain_text("Meanwhile: Canary raised to 50%, by Olu Owner")
    assert ramp.rollout().stage == 1
    end(ramp)


@pytest.mark.promise("CON-REL-20")
@pytest.mark.promise("CON-REL-3")
def test_a_dialog_carries_what_the_page_says_when_it_is_opened_and_not_what_it_said_when_it_was_loaded(
    ramp: Ramped, enter: Enter
) -> None:
    begin(ramp, "Looked at for long.", canary=True)
    page = enter(ramp.site, Role.OWNER)
    page.goto(f"/releases/{ramp.release}")
    expect(page.locator("#now-next")).to_have_text("From 30% to 50% of new conversations.")
    ramp.house.by("root", "release", "freeze", ramp.release)
    expect(page.locator(".say").first).to_contain_text("It stands still: frozen by a person.")
    ramp.house.run("release", "thaw", ramp.release, "--token", ramp.site.session(Role.OWNER).text)
    expect(page.get_by_role("button", name="Next step")).to_be_visible()
    page.keyboard.press("n")
    expect(dialog(page, "advance")).to_contain_text("From 30% to 50%")
    dialog(page, "advance").get_by_role("button", name="Next step").click()
    expect(page.get_by_text("It goes on at the next step.")).to_be_visible()
    page.keyboard.press("p")
    expect(dialog(page, "promote")).to_contain_text("Nothing is counted yet, so nothing says how it does.")
    many = len(ramp.converse(20)) // 2
    page.keyboard.press("Escape")
    within(20, partial(settled, ramp, many))
    expect(page.locator("#now-evidence")).to_contain_text("Its evidence so far: Too early")
    page.keyboard.press("p")
    expect(dialog(page, "promote")).to_contain_text("Its evidence so far: Too early")
    assert not trouble(page)
    end(ramp)


@pytest.mark.promise("CON-REL-4")
def test_a_person_rolls_back_with_a_reason_of_ours_and_says_what_becomes_of_conversations(
    ramp: Ramped, enter: Enter
) -> None:
    begin(ramp, "Taken back.", canary=True)
    page = enter(ramp.site, Role.STAFF)
    page.goto(f"/releases/{ramp.release}")
    page.keyboard.press("b")
    expect(dialog(page, "rollback")).to_contain_text("leave it at their next turn")
    dialog(page, "rollback").get_by_role("button", name="Roll back").click()
    assert ramp.rollout().state is State.CANARY, "a reason is needed"
    page.get_by_label("Why").select_option("figures")
    page.get_by_text("may end on it").click()
    looked = page.locator("#d-rollback")
    looked.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back. What was live before answers again.")).to_be_visible()
    assert ramp.rollout().state is State.ROLLED_BACK
    assert ramp.rollout().safety is False
    expect(page.locator(".tl")).to_contain_text("Figures look wrong")
    assert not trouble(page)


@pytest.mark.promise("CON-REL-3")
def test_one_is_made_live_and_taken_back_and_a_draft_is_given_up(ramp: Ramped, enter: Enter) -> None:
    before = ramp.house.said("release", "list", "--json")
    begin(ramp, "Promoted one.", canary=True)
    page = enter(ramp.site, Role.OWNER)
    page.goto(f"/releases/{ramp.release}")
    page.keyboard.press("p")
    expect(dialog(page, "promote")).to_contain_text("Every new conversation gets it")
    dialog(page, "promote").get_by_role("button", name="Make it live for everyone").click()
    expect(page.get_by_text("It is live for everyone.")).to_be_visible()
    assert ramp.rollout().state is State.LIVE
    page.keyboard.press("b")
    page.get_by_label("Why").select_option("plan")
    page.get_by_text("may end on it").click()
    dialog(page, "rollback").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back. What was live before answers again.")).to_be_visible()
    ramp.draft("Given up.")
    ramp.test(RED)
    page.goto(f"/releases/{ramp.release}")
    expect(
        page.get_by_text("Its cases were not run.").or_(page.get_by_text("1 passed, 1 failed")).first
    ).to_be_visible()
    expect(page.get_by_text(f"handrail trial run --release {ramp.release[:8]}")).to_be_visible()
    page.get_by_role("button", name="Give up this draft").click()
    dialog(page, "retire").get_by_role("button", name="Give up this draft").click()
    expect(page.get_by_text("Given up.").first).to_be_visible()
    assert ramp.rollout().state is State.RETIRED
    assert ramp.release not in before


@pytest.mark.promise("CON-REL-5")
def test_planted_words_of_a_prompt_and_markup_in_it_are_only_text(ramp: Ramped, enter: Enter) -> None:
    hostile = "<img src=x onerror=alert(1)> {{ 7 * 7 }} <b hx-get='/stop' hx-trigger='load'>"
    begin(ramp, hostile)
    page = enter(ramp.site, Role.AUDITOR)
    page.goto(f"/releases/{ramp.release}")
    expect(page.get_by_text("<img src=x onerror=alert(1)> {{ 7 * 7 }}")).to_be_visible()
    assert "ref-" not in page.inner_text(".diff"), "a planted word stands on the page"
    expect(page.get_by_role("button", name="Sign for")).to_have_count(0)
    expect(page.get_by_text("Your roles cannot do this").first).to_be_visible()
    assert not trouble(page)
    looked_at(page, f"{ramp.site.url}/releases/{ramp.release}")
    looked_at(page, f"{ramp.site.url}/releases")


@pytest.mark.promise("CON-REL-6")
def test_a_list_says_what_will_come_where_nothing_is_and_filters_stand_in_the_address(
    bare: Site, ramp: Ramped, enter: Enter
) -> None:
    page = enter(bare, Role.OWNER)
    page.goto("/releases")
    expect(page.get_by_text("Changes go live at once.")).to_be_visible()
    looked_at(page, f"{bare.url}/releases")
    page.goto("/releases?cut=canary")
    expect(page.get_by_text("No release fits this filter.")).to_be_visible()
    page.goto("/releases")
    page.locator("main section header a").first.click()
    expect(page.get_by_text("It answers every conversation.")).to_be_visible()
    looked_at(page, page.url)
    assert (page.goto("/releases/00000000") or pytest.fail("no answer")).status == 404
    other = enter(ramp.site, Role.AUDITOR)
    other.goto("/releases")
    other.get_by_label("Use case").select_option("orders")
    other.get_by_role("button", name="Show").click()
    assert "use_case=orders" in other.url
    answer = other.request.get(f"{ramp.site.url}/releases.csv?use_case=orders")
    assert answer.text().startswith("release,use_case,state")
