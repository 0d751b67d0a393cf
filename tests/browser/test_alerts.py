"""Alerts: raised by a real threat of court, taken, closed, silenced; an incident opened from one."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser_site import Site, assert_accessible, looked_at, site, trouble
from house import within
from playwright.sync_api import Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
THREAT = "My solicitor will take you to court over this order."
UNHAPPY = "This is a complaint, I am very unhappy about this."


def state_of(where: Site, metric: str) -> str:
    return str(of(where, metric).get("state", "raised"))


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A threat of court and a complaint, each told by an alert. Tests of this file take and close them in their order
    only where they say so."""
    with site(tmp_path_factory.mktemp("alerts")) as made:
        made.chat("c-1", THREAT)
        made.chat("c-2", UNHAPPY)
        within(30, lambda: len(alerts(made)) >= 2)
        yield made


def alerts(where: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in where.house.said("alerts", "list", "--all", "--json").splitlines()]


def of(where: Site, metric: str) -> dict[str, Any]:
    return next(one for one in alerts(where) if one["first"]["metric"] == metric)


def test_each_page_is_accessible_when_full_and_when_empty(raised: Site, bare: Site, enter: Enter) -> None:
    page = enter(raised, Role.OWNER)
    looked_at(page, f"{raised.url}/alerts")
    looked_at(page, f"{raised.url}/alerts/{of(raised, 'LEGAL')['id']}")
    looked_at(page, f"{raised.url}/alert-silences?metric=LEGAL")
    empty = enter(bare, Role.OWNER)
    looked_at(empty, f"{bare.url}/alerts")
    expect(empty.get_by_text("No alert is here.")).to_be_visible()
    expect(empty.get_by_text("Nothing is silenced.")).to_be_visible()


@pytest.mark.promise("CAL-1")
def test_a_threat_of_court_comes_by_itself_says_who_is_told_next_and_is_taken_and_closed_by_keyboard(
    raised: Site, enter: Enter
) -> None:
    page, other = enter(raised, Role.STAFF), enter(raised, Role.OWNER)
    name = of(raised, "LEGAL")["id"]
    page.goto("/alerts?severity=critical")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    row = page.locator("tr[data-row]").first
    expect(row).to_contain_text("Told by rule at every such finding")
    expect(row).to_contain_text("owner@house.example")
    expect(row).to_contain_text("Told to deputy@house.example in")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("In orders a customer speaks of lawyers or courts.")
    other.goto(f"/alerts/{name}")
    page.get_by_label("What you know of it").first.fill("legal has it <b>now</b>")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("a")
    expect(page.get_by_text("You have it: it escalates no further.")).to_be_visible()
    expect(other.get_by_text("Sol Staff has it; it escalates no further.")).to_be_visible()  # by itself
    expect(page.get_by_text("legal has it <b>now</b>").first).to_be_visible()
    assert (of(raised, "LEGAL")["state"], of(raised, "LEGAL")["note"]) == ("acknowledged", "legal has it <b>now</b>")
    other.keyboard.press("a")  # her page was made before
    expect(other.get_by_role("alert")).to_contain_text("Sol Staff took it")
    raised.chat("c-9", THREAT)  # a new conversation: counted, and told again
    within(20, lambda: state_of(raised, "LEGAL") == "raised")
    expect(page.get_by_text("Unanswered.")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_accessible(page, "the question before closing")
    assert state_of(raised, "LEGAL") == "raised"  # the key alone closes nothing
    page.get_by_role("dialog").get_by_role("button", name="Close the alert").click()
    expect(page.get_by_text("It is closed; the same cause is told anew.")).to_be_visible()
    assert state_of(raised, "LEGAL") == "closed"
    assert not trouble(page)
    assert not trouble(other)


@pytest.mark.promise("CAL-2")
def test_a_silence_says_what_it_leaves_out_has_an_end_and_a_reason_and_is_ended(raised: Site, enter: Enter) -> None:
    page = enter(raised, Role.OWNER)
    page.goto("/alerts")
    page.keyboard.press("s")
    expect(page.get_by_text("are silenced only by the name of their metric")).to_be_visible()
    page.evaluate("document.querySelector('#f-reason').removeAttribute('required')")
    page.get_by_role("button", name="Silence").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.get_by_label("Use case").select_option("orders")
    page.get_by_label("For how long").select_option(str(7 * 86_400_000))
    page.get_by_label("Why").fill("load test <script>alert(1)</script>")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Silent until")).to_be_visible()
    expect(page.get_by_text("load test <script>alert(1)</script>")).to_be_visible()
    assert "silence of orders until" in raised.house.run("alerts", "list").stderr
    page.get_by_role("button", name=re.compile("End it now.*Orders")).click()
    expect(page.get_by_text("The silence is over; what it hid is told now.")).to_be_visible()
    expect(page.get_by_text("Nothing is silenced.")).to_be_visible()
    assert "silence of" not in raised.house.run("alerts", "list").stderr
    page.goto("/alert-silences")
    page.evaluate("document.querySelector('#f-lasts').options[0].value = String(31 * 86400000)")
    page.get_by_label("For how long").select_option(index=0)
    page.get_by_label("Why").fill("longer than may be")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("30 days at most")
    assert not trouble(page)


@pytest.mark.promise("CAL-3")
def test_an_incident_opened_from_an_alert_knows_whom_it_concerns_and_is_opened_once(raised: Site, enter: Enter) -> None:
    page = enter(raised, Role.OWNER)
    name = of(raised, "COMPLAINT")["id"]
    page.goto(f"/alerts/{name}")
    page.get_by_role("link", name="Open an incident").click()
    expect(page.get_by_label("What went wrong")).to_have_value("In orders a customer complains.")
    page.get_by_role("button", name="Open the incident").click()
    expect(page.locator("#affected").get_by_text("known customers")).to_be_visible()
    assert page.locator(".kpis b").first.inner_text() != "0"
    first = page.url
    page.goto(f"/new-incident?alert={name}")
    page.get_by_role("button", name="Open the incident").click()
    expect(page).to_have_url(first)
    page.goto(f"/alerts/{name}")
    expect(page.get_by_role("link", name="Open an incident")).to_have_count(0)
    expect(page.get_by_role("link", name=first.rsplit("/", 1)[1])).to_be_visible()
    assert not trouble(page)


def test_an_auditor_looks_and_answers_nothing(raised: Site, enter: Enter) -> None:
    page = enter(raised, Role.AUDITOR)
    page.goto(f"/alerts/{of(raised, 'COMPLAINT')['id']}")
    expect(page.get_by_text("Your roles cannot answer alerts.")).to_be_visible()
    expect(page.locator("main form")).to_have_count(0)
    page.goto("/alert-silences")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for you to open")
