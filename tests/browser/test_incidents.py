"""Incidents: opened by hand, worked on, closed with the test that would have caught it; whom one concerns."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from browser_site import Site, assert_accessible, filled, looked_at, site, trouble
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
HOSTILE = '<img src=x onerror=alert(1)>{{7*7}}"><script>alert(2)</script>'


@dataclass(frozen=True)
class Busy:
    """`plain`: open, of a time. `deep`: contained, with tasks and a note, of a finding."""

    site: Site
    plain: str
    deep: str

    def page(self, incident: str) -> str:
        return f"{self.site.url}/incidents/{incident}"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    with site(tmp_path_factory.mktemp("incidents")) as made:
        filled(made)
        plain = opened(made, "The answer named a wrong period", "--since", "2026-01-01T00:00Z", "--severity", "S3")
        deep = opened(made, f"Refunds promised twice {HOSTILE}", "--finding", "COMPLAINT", "--severity", "S1")
        made.house.by("cleo", "incident", "task", deep, f"Write to them {HOSTILE}", "--owner", "olu@house.example")
        made.house.by("cleo", "incident", "task", deep, "Mend the prompt")
        made.house.by("cleo", "incident", "task", deep, "--done", "2")
        made.house.by("cleo", "incident", "contain", deep)
        made.house.by("cleo", "incident", "note", deep, f"The prompt lost a line. {HOSTILE}")
        yield Busy(made, plain, deep)


def opened(where: Site, title: str, *words: str) -> str:
    return where.house.by("cleo", "incident", "open", "orders", title, *words).split()[0]


def test_each_page_is_accessible_when_full_and_when_empty_and_hostile_text_is_only_text(
    busy: Busy, bare: Site, enter: Enter
) -> None:
    page = enter(busy.site, Role.OWNER)
    looked_at(page, f"{busy.site.url}/incidents")
    looked_at(page, busy.page(busy.deep))
    looked_at(page, f"{busy.site.url}/new-incident")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(busy.page(busy.deep))
    page.get_by_role("button", name="List the conversations").click()
    expect(page.get_by_role("cell", name="c-2")).to_have_count(0)  # a conversation has our id, not the customer's name
    expect(page.get_by_role("region", name="Conversations it concerns")).to_be_visible()
    assert_accessible(page, "the list of conversations")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Refunds promised twice {HOSTILE}")
    expect(page.locator("main img, main script")).to_have_count(0)
    assert not trouble(page)
    empty = enter(bare, Role.OWNER)
    looked_at(empty, f"{bare.url}/incidents")
    expect(empty.get_by_text("No incident is open.")).to_be_visible()
    expect(empty.get_by_role("link", name="Open one by hand").first).to_be_visible()


@pytest.mark.promise("CIN-1")
@pytest.mark.promise("CIN-2")
def test_an_incident_is_opened_worked_on_by_keyboard_and_closed_with_the_test_that_would_have_caught_it(
    own: Site, enter: Enter
) -> None:
    page, other = enter(own, Role.OWNER), enter(own, Role.COMPLIANCE)
    other.goto("/incidents")
    expect(other.get_by_text("No incident is open.")).to_be_visible()
    page.goto("/incidents")
    page.keyboard.press("n")
    page.get_by_role("button", name="Open the incident").click()
    expect(page.get_by_text("Choose the use case that it happened in.")).to_be_visible()
    expect(page.get_by_text("Say in one sentence what went wrong")).to_be_visible()
    page.get_by_label("Use case").select_option("orders")
    page.get_by_label("What went wrong").fill("Complaints about refunds")
    page.get_by_label("Kind of finding").select_option("COMPLAINT")
    page.get_by_label("From").fill("2026-01-01T00:00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is open. Its owner is owner@house.example.")).to_be_visible()
    name = page.url.rsplit("/", 1)[1]
    expect(other.get_by_role("link", name="Complaints about refunds")).to_be_visible()  # by itself
    expect(page.locator("#affected").get_by_text("interactions", exact=True)).to_be_visible()
    shown = own.house.said("incident", "affected", name)
    number = page.locator(".kpis .kpi").first.locator("b").inner_text()
    assert shown.startswith(f"{number} interactions in 1 conversations of 1 known"), shown

    page.keyboard.press("t")
    page.keyboard.type("Write to the customer")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The task was added.")).to_be_visible()
    other.goto(f"/incidents/{name}")
    page.keyboard.press("m")  # contain
    expect(page.get_by_text("It is contained: it keeps no release back any more.")).to_be_visible()
    expect(other.get_by_text("What happened has to be written down.")).to_be_visible()  # by itself
    expect(page.get_by_text("First write down what happened: nobody has yet.")).to_be_visible()
    page.keyboard.press("w")
    page.keyboard.type("The prompt lost a line.")
    page.get_by_role("button", name="Write it down").click()
    expect(page.get_by_text("The note was written.")).to_be_visible()
    page.keyboard.press("m")  # review
    expect(page.get_by_text("First 1 task has to be done.")).to_be_visible()
    page.get_by_role("button", name=re.compile("Done.*Write to the customer")).click()
    expect(page.get_by_text("The task is done.")).to_be_visible()

    page.get_by_role("button", name="Close the incident").click()
    expect(page.get_by_role("alert")).to_contain_text("Which test would have caught it?")
    page.get_by_label("Or another test").fill("refund-once")
    page.get_by_role("button", name="Close the incident").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such case in tests/*.yaml.")
    (own.house.root / "tests").mkdir(exist_ok=True)
    case = own.house.root / "tests" / "once.yaml"
    text = f"use_case: orders\ntrials:\n  - {{id: refund-once, incident: {name}, turns: [{{say: hello}}]}}\n"
    case.write_text(text.replace(f", incident: {name}", ""))
    page.get_by_role("button", name="Close the incident").click()
    expect(page.get_by_role("alert")).to_contain_text(f"write `incident: {name}` into it")
    case.write_text(text)
    page.goto(f"/incidents/{name}")
    page.get_by_label("A case that names this incident").select_option("refund-once")
    page.get_by_role("button", name="Close the incident").click()
    expect(page.get_by_text("It is closed. No release of the use case starts without its test.")).to_be_visible()
    assert "test that would have caught it: refund-once" in own.house.said("incident", "show", name)
    case.unlink()
    page.goto(f"/incidents/{name}")
    expect(page.get_by_text("no release of this use case starts")).to_be_visible()
    page.get_by_label("Or why no test can catch it").fill("the courier was late")
    page.get_by_role("button", name="Name the test").click()
    expect(page.get_by_text("the courier was late").first).to_be_visible()
    page.goto("/incidents?state=closed")
    expect(page.get_by_role("link", name="Complaints about refunds")).to_be_visible()
    assert not trouble(page)
    assert not trouble(other)


@pytest.mark.promise("CIN-3")
def test_who_comes_second_is_told_who_changed_it_and_nothing_of_hers_is_done(busy: Busy, enter: Enter) -> None:
    name = opened(busy.site, "Two at once", "--since", "2026-01-01T00:00Z")
    page = enter(busy.site, Role.OWNER)
    page.goto(f"/incidents/{name}")
    # the form as it was read: what renews itself may take the one on the page away, at any moment
    page.evaluate(f"window.read = document.querySelector(\"form[action='/incidents/{name}/contain']\").cloneNode(true)")
    busy.site.house.by("cleo", "incident", "contain", name)
    page.evaluate("() => { document.body.append(window.read); window.read.submit(); }")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("cleo changed it meanwhile"))
    assert busy.site.house.said("incident", "show", name).count("incident.moved") == 1


@pytest.mark.promise("CIN-3")
def test_a_form_that_is_older_sets_no_owner_back_and_what_was_typed_is_shown_when_it_came_too_late(
    busy: Busy, enter: Enter
) -> None:
    made = opened(busy.site, "Changed by two at once")
    one, other = enter(busy.site, Role.OWNER), enter(busy.site, Role.COMPLIANCE)
    for page in (one, other):
        page.goto(f"/incidents/{made}")
        page.get_by_text("Change owner or severity").click()
    one.locator("#f-owner").fill("deputy@shop.example")
    one.get_by_role("button", name="Change it").click()
    expect(one.get_by_text("It was changed.")).to_be_visible()
    other.locator("#f-severity").select_option("S1")
    other.get_by_role("button", name="Change it").click()
    expect(other.get_by_text("It was changed.")).to_be_visible()
    expect(other.locator("main .dl").first).to_contain_text("deputy@shop.example")
    expect(other.locator("main .dl").first).to_contain_text("S1")
    other.locator("#f-task").fill("write to all customers")
    for move in ("contain", "note", "review", "close"):
        words = {"note": ("what happened",), "close": ("--no-test", "a drill")}.get(move, ())
        busy.site.house.by("cleo", "incident", move, made, *words)
    other.get_by_role("button", name="Add it").click()
    expect(other.get_by_role("alert")).to_contain_text("This incident is closed: open a new one.")
    expect(other.get_by_label("What you wrote")).to_contain_text("write to all customers")
    assert not trouble(one)
    assert not trouble(other)


def test_filters_and_the_open_page_stand_in_the_address_and_the_file_has_the_same_rows(
    busy: Busy, enter: Enter
) -> None:
    page = enter(busy.site, Role.OWNER)
    page.goto("/incidents")
    page.get_by_label("Severity").select_option("S3")
    page.get_by_role("button", name="Filter").click()
    assert "severity=S3" in page.url
    expect(page.locator("tr[data-row]")).to_have_count(1)
    answer = page.request.get(page.get_by_role("link", name="CSV").get_attribute("href") or "")
    rows = list(csv.DictReader(io.StringIO(answer.text())))
    assert [row["id"] for row in rows] == [busy.plain]
    page.goto("/incidents?whose=mine")
    expect(page.get_by_text("No incident fits.")).to_be_visible()
    page.goto(busy.page(busy.deep))
    answer = page.request.get(f"{busy.page(busy.deep)}/affected.csv")
    affected = list(csv.DictReader(io.StringIO(answer.text())))
    told = busy.site.house.said("incident", "affected", busy.deep)
    assert told.startswith(f"{sum(int(row['interactions']) for row in affected)} interactions in {len(affected)} ")
    assert not trouble(page)


def test_who_may_not_change_incidents_sees_them_and_no_form(busy: Busy, enter: Enter) -> None:
    page = enter(busy.site, Role.AUDITOR)
    page.goto("/incidents")
    expect(page.get_by_role("link", name="Open one by hand")).to_have_count(0)
    page.goto(busy.page(busy.deep))
    expect(page.locator("main form")).to_have_count(0)
    page.goto("/new-incident")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for you to open")
    page.goto("/incidents/ic_nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not here")


def test_german_and_without_scripts(busy: Busy, enter: Enter) -> None:
    page = enter(busy.site, Role.OWNER, language="de-DE", scripts=False)
    page.goto(busy.page(busy.deep))
    expect(page.get_by_role("heading", name="Wen es betrifft")).to_be_visible()
    page.get_by_role("link", name="Zählen").click()
    expect(page.get_by_text("bekannte Kunden")).to_be_visible()
    expect(page.get_by_text("Eingedämmt").first).to_be_visible()
