"""The watch: a month of figures beside their own past, alarms that come to the open page, autonomy raised by two."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from browser_site import Site, assert_accessible, looked_at, site, trouble
from playwright.sync_api import Page, expect
from watch_site import NEW, declare, ran_for_a_month, run, series

from handrail.app import wire
from handrail.people.role import Role
from handrail.terms.ids import UseCaseId
from handrail.watch.alarm import Raise
from handrail.watch.alert import AlertKind, Raised, Severity
from handrail.watch.measure import HOUR_MS, Cell, Counts

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("watch")) as made:
        declare(made)
        ran_for_a_month(made)
        yield made


def test_each_page_is_accessible_when_full_and_when_nothing_was_counted(ran: Site, enter: Enter) -> None:
    page = enter(ran, Role.OWNER)
    looked_at(page, f"{ran.url}/watch?by=channel")
    looked_at(page, f"{ran.url}/watch/orders?channel=mail&by=language")
    looked_at(page, f"{ran.url}/watch/returns")
    expect(page.get_by_text("There is no line to draw yet.")).to_be_visible()
    expect(page.get_by_text("It still learns what is usual here.")).to_be_visible()
    expect(page.get_by_text("No intents are named.")).to_be_visible()
    looked_at(page, f"{ran.url}/watch?query=nobody")
    expect(page.get_by_text("No use case fits.")).to_be_visible()


@pytest.mark.promise("CWA-1")
def test_the_figures_are_those_of_the_command_and_what_went_wrong_stands_out_where_it_did(
    ran: Site, enter: Enter
) -> None:
    page = enter(ran, Role.AUDITOR)
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page.get_by_role("heading", level=1)).to_have_text("Watch")
    page.get_by_role("link", name="Channel").click()
    expect(page).to_have_url(re.compile("by=channel"))
    told = {one["channel"]: one for one in figures(ran, "--by", "channel")}
    for channel in ("chat", "mail"):
        row = page.locator("tr.wa-part", has_text=channel)
        for metric in ("transfer", "repeat_contact", "ungrounded", "blocked"):
            expect(row).to_contain_text(share(told[channel], metric))
    expect(page.locator("tr.wa-part", has_text="mail")).to_contain_text("1 above")
    expect(page.locator("tr.wa-part", has_text="chat")).to_contain_text("Usual")
    page.locator("tr.wa-part", has_text="mail").get_by_role("link").click()
    expect(page.locator("main .say")).to_contain_text("1 figure is above its usual range.")
    expect(page.locator("#line")).to_have_text("Repeat contact")
    expect(page.locator(".wa-now")).to_contain_text(share(told["mail"], "repeat_contact"))
    expect(page.locator(".curve circle.out")).not_to_have_count(0)
    expect(page.locator("#line ~ a")).to_have_attribute(
        "href", "/interactions?period=7d&use_case=orders&channel=mail"
    )  # fmt: skip
    page.get_by_role("link", name="Complaints").click()
    expect(page.locator("#line")).to_have_text("Complaints")
    expect(page.locator(".curve circle.out")).to_have_count(0)
    page.get_by_text("The same figures as a table").click()
    expect(page.locator(".wa-table tbody tr")).to_have_count(28)
    assert not trouble(page)


@pytest.mark.promise("CWA-4")
def test_drift_and_what_customers_come_for_stand_beside_their_past(ran: Site, enter: Enter) -> None:
    page = enter(ran, Role.OWNER)
    page.goto("/watch/orders?metric=repeat_contact&by=intent")
    expect(page.get_by_text("Evidence 30,000 of 100,000, over 21,400 cases since its past was learnt.")).to_be_visible()
    rail = page.locator(".wa-rail")
    expect(rail).to_have_attribute("aria-label", "Evidence 30,000, the alarm is at 100,000")
    at = float(rail.locator("circle").get_attribute("cx") or 0)
    limit = float(rail.locator(".lim").get_attribute("x1") or 0)
    assert 0.85 < at / limit < 0.95  # 4.48 of 5 powers of ten
    mix = page.get_by_role("region", name="What customers come for")
    expect(mix.get_by_role("listitem").first).to_contain_text("refund")
    expect(mix.get_by_role("listitem").first).to_contain_text("grew")
    expect(mix).to_contain_text("past: 20.0%")
    parts = page.get_by_role("region", name="Parts, scrolls sideways").locator("tbody tr")
    expect(parts).to_have_count(2)
    expect(parts.filter(has_text="refund")).to_contain_text("above")
    page.goto(f"/watch/orders?release={NEW}&period=30d")
    expect(page.get_by_label("Release")).to_have_value(NEW)
    expect(page.get_by_text("Parts have no past of their own")).to_be_visible()
    assert not trouble(page)


def test_what_is_shown_can_be_taken_along(ran: Site, enter: Enter) -> None:
    page = enter(ran, Role.AUDITOR)
    rows = table(page.request.get("/watch.csv?by=channel").text())
    mail = next(one for one in rows if one["channel"] == "mail" and one["figure"] == "repeat_contact")
    told = next(one for one in figures(ran, "--by", "channel") if one["channel"] == "mail")
    assert mail["count"] == str(of(told, "repeat_contact")["count"])
    assert (mail["place"], mail["cut"]) == ("above", "no")
    steps = [one for one in table(page.request.get("/watch/orders/series.csv?channel=mail").text())
             if one["figure"] == "repeat_contact"]  # fmt: skip
    assert len(steps) == 28
    assert sum(int(one["count"]) for one in steps) == int(mail["count"])


@pytest.mark.promise("CWA-4")
def test_an_alarm_and_what_was_counted_since_come_to_the_open_page(ran: Site, enter: Enter) -> None:
    page = enter(ran, Role.REVIEWER)
    page.clock.install()
    page.goto("/watch/orders?metric=blocked")
    waits = page.get_by_role("region", name="What waits")
    expect(waits).to_contain_text("Nothing waits.")
    found = Raised(
        cause="drift/orders/transfer", kind=AlertKind.DRIFT, severity=Severity.WARNING, use_case=UseCaseId("orders"),
        metric="transfer", sentence="transfer of orders is <b>worse</b>", promise="At most once.", at_ms=1,
    )  # fmt: skip

    def alarm(tx: Any) -> None:
        past = series("transfer", tx.now_ms // HOUR_MS, evidence=100_000.0)
        tx.watch.keep([msgspec.structs.replace(past, alarmed=True)])
        Raise(ids=wire.IDS, found=(found,))(tx)

    run(ran, alarm)
    page.clock.run_for(500)
    expect(waits.get_by_role("link", name="transfer of orders is <b>worse</b>")).to_be_visible()
    page.clock.run_for(500)
    expect(page.locator("main .say")).to_contain_text("The drift detector alarms: 1 figure is worse than its own past.")
    expect(page.locator("tr", has=page.get_by_role("link", name="Transfers to a human"))).to_contain_text("Alarm")
    before = page.locator(".wa-now").inner_text()

    def count(tx: Any) -> None:
        now = tx.now_ms // HOUR_MS
        tx.watch.count({Cell("orders", now, NEW, "en", "chat"): Counts({"interactions": 900, "blocked": 700})})

    run(ran, count)  # no entry in the ledger, so nobody is told: the page asks each minute
    page.clock.run_for(61_000)
    expect(page.locator(".wa-now")).not_to_have_text(before)
    expect(page.locator(".wa-now")).to_contain_text("above the usual range")
    assert not trouble(page)


@pytest.mark.promise("CWA-3")
def test_two_persons_raise_what_was_lowered_and_who_comes_late_raises_nothing(ran: Site, enter: Enter) -> None:
    owner, staff = enter(ran, Role.OWNER), enter(ran, Role.STAFF)
    owner.goto("/watch/orders")
    levels = owner.get_by_role("region", name="How far it may go")
    expect(levels).to_contain_text("Nothing is lowered")
    expect(owner.locator("#f-promote")).to_have_count(0)
    ran.house.by("cleo", "autonomy", "demote", "orders", "--reason", "odd <b>refunds</b>")
    expect(levels).to_contain_text("lowered")  # by itself
    expect(levels).to_contain_text("odd <b>refunds</b>")
    incident = ran.house.by("cleo", "incident", "open", "orders", "Refunds twice", "--severity", "S1").split()[0]
    expect(levels).to_contain_text(f"incident {incident} is open")
    expect(levels).to_contain_text("The wait began anew")  # the trigger came, and lowered nothing more
    levels.get_by_role("button", name="Raise it all the same").click()
    against = owner.get_by_role("dialog", name="Raise it although something is not met?")
    against.get_by_label(re.compile("Why")).fill("it looks fine")
    assert_accessible(owner, "the form against what is not met")
    ran.house.by(
        "cleo", "alerts", "silence", "--for", "1h", "--use-case", "returns", "--reason", "a part renews itself"
    )
    expect(against.get_by_text("It is recorded as done against what is not met.")).to_be_visible()
    owner.wait_for_timeout(700)
    expect(against.get_by_label(re.compile("Why"))).to_have_value("it looks fine")  # what is written stays
    owner.evaluate(  # at once, since the part may renew itself in between
        "() => { const form = document.querySelector('#anyway form'); form.elements.override.remove();"
        " form.requestSubmit(); }"
    )
    expect(levels.get_by_role("alert")).to_contain_text(f"not yet: incident {incident} is open")
    assert lowered(ran)["money"] == "A2"
    ran.house.by("cleo", "incident", "contain", incident)
    expect(levels).to_contain_text("all that a raise needs is met")  # by itself
    staff.goto("/watch/orders")
    expect(staff.get_by_text("Owners and compliance may raise it.")).to_be_visible()
    assert staff.locator("#f-promote").count() == 0
    owner.goto("/watch/orders")
    owner.keyboard.press("r")
    expect(owner.locator("#f-promote")).to_be_focused()
    owner.keyboard.type("the prompt was mended")
    owner.keyboard.press("Tab")
    owner.keyboard.press("Enter")
    expect(
        owner.get_by_text("Recorded. Another person, owner or compliance, must agree within 7 days.")
    ).to_be_visible()
    expect(levels).to_contain_text("You have agreed. Another person")
    expect(owner.locator("#f-promote")).to_have_count(0)
    assert lowered(ran)["money"] == "A2"
    late = enter(ran, Role.COMPLIANCE, session=ran.new_session(Role.COMPLIANCE, name="Lin Late"), scripts=False)
    late.goto("/watch/orders")
    second = enter(ran, Role.COMPLIANCE)
    second.goto("/watch/orders")
    expect(second.get_by_text(re.compile("Olu Owner agreed"))).to_be_visible()
    second.get_by_label(re.compile("Why")).fill("I looked too")
    second.get_by_role("button", name="Agree and raise").click()
    expect(second.get_by_text("Raised by one level.")).to_be_visible()
    assert lowered(ran) == {}
    expect(levels).to_contain_text("Nothing is lowered")  # by itself
    late.get_by_label(re.compile("Why")).fill("me too")
    late.get_by_role("button", name="Agree and raise").click()
    expect(late.get_by_role("alert")).to_contain_text("Nothing of yours was done. Meanwhile: Raised, Cleo Compliance")
    for page in (owner, staff, second):
        assert not trouble(page)


def figures(where: Site, *more: str) -> list[dict[str, Any]]:
    """Of the same seven days."""
    said = where.house.run("watch", "figures", "--use-case", "orders", "--days", "7", "--json", *more).stdout
    return [json.loads(line) for line in said.splitlines()]


def of(group: dict[str, Any], metric: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in group["figures"] if one["metric"] == metric)
    return found


def share(group: dict[str, Any], metric: str) -> str:
    one = of(group, metric)
    return f"{one['count'] / one['cases']:.1%}"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def lowered(where: Site) -> dict[str, str]:
    (row,) = (json.loads(line) for line in where.house.said("autonomy", "show", "orders", "--json").splitlines())
    return {kind: one["level"] for kind, one in row["lowered"].items()}
