"""Interactions: found by facts, read with a reason, judged, turned into a test; the proof is computed here."""

import re
from collections.abc import Callable

import pytest
from browser_site import Site, assert_accessible, looked_at, trouble
from house import within
from playwright.sync_api import Page, Route, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
HOSTILE = (
    'This is a complaint <img src=x onerror=alert(1)> <b hx-get="/stop" hx-trigger="load">x</b> '
    '{{ 7*7 }} "><script>alert(2)</script> javascript:alert(3) mail marta@example.com'
)


def found(page: Page, conversation: str) -> None:
    """The page of the newest interaction of a conversation, by its id."""
    page.goto(f"/interactions?conversation={conversation}")
    page.locator("td a[data-row]").first.click()
    expect(page.get_by_role("heading", name="What the detectors found")).to_be_visible()


def read(page: Page, reason: str = "ticket 4711") -> None:
    page.get_by_label("Why do you read this?").fill(reason)
    page.get_by_role("button", name="Read the conversation").click()
    expect(page.get_by_text("Recorded: you read this, and why.")).to_be_visible()


def test_the_lists_are_accessible_empty_and_filled(looked: Site, bare: Site, enter: Enter) -> None:
    looked_at(enter(bare, Role.OWNER), f"{bare.url}/interactions")
    looked_at(enter(looked, Role.STAFF), f"{looked.url}/interactions?finding=COMPLAINT&period=7d")


def test_a_conversation_before_and_after_reading_is_accessible(own: Site, enter: Enter) -> None:
    page = enter(own, Role.REVIEWER)
    found(page, "c-2")
    address = page.url
    looked_at(page, address)
    page.goto(address)
    read(page)
    looked_at(page, address)
    looked_at(page, f"{address}/test")
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{address}/test")
    page.evaluate("document.querySelector('.crumbs li:nth-last-child(2) a').textContent = 'm'.repeat(40)")
    assert_accessible(page, "a long place above it")  # it lies over no button


@pytest.mark.promise("CINT-2")
def test_an_interaction_is_found_a_finding_is_marked_wrong_and_becomes_a_test(own: Site, enter: Enter) -> None:
    page = enter(own, Role.REVIEWER)
    page.goto("/interactions")
    page.get_by_label("Finding").select_option("COMPLAINT")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("td a[data-row]")).to_have_count(1)
    assert "finding=COMPLAINT" in page.url
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What the detectors found")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.type("ticket 4711")
    page.keyboard.press("Enter")
    expect(page.get_by_text("I want my money back")).to_be_visible()
    expect(page.locator("mark.f").first).to_be_visible()
    page.keyboard.press("w")
    expect(page.get_by_text("Marked as wrong.")).to_be_visible()
    expect(page.get_by_text("0 of 1 of this kind judged right")).to_be_visible()
    page.get_by_role("link", name="Turn into a test").click()
    expect(page.get_by_text("You called this finding wrong")).to_be_visible()
    page.get_by_label("Reason to read").fill("ticket 4711")
    page.get_by_role("button", name="Draft the test").click()
    text = page.locator("#yaml").input_value()
    assert "draft: true" in text
    assert "I want my money back" in text
    assert re.search(r"finds:\s+kind: COMPLAINT\s+side: input\s+not: true", text), text
    with page.expect_download() as saved:
        page.get_by_label("Reason to read").fill("ticket 4711")
        page.get_by_role("button", name="As a file").click()
    place = own.house.root / "tests" / "from-console.yaml"
    place.parent.mkdir(exist_ok=True)
    saved.value.save_as(place)
    own.house.run("check", str(own.house.root))  # the draft is a sound file of the home
    judged = own.house.said("log", "--kind", "finding", "--json")
    assert '"word":"wrong"' in judged
    assert own.house.said("log", "--kind", "payload.read", "--json").count('"ticket 4711"') >= 3
    assert not trouble(page)


@pytest.mark.promise("CINT-3")
def test_words_are_read_with_a_recorded_reason_and_a_hidden_value_is_shown_once(own: Site, enter: Enter) -> None:
    page = enter(own, Role.COMPLIANCE)
    found(page, "c-1")
    expect(page.get_by_text("Where is my order")).to_have_count(0)
    page.get_by_label("Why do you read this?").fill("Marta asked me <b>")
    page.get_by_role("button", name="Read the conversation").click()
    expect(page.get_by_role("alert")).to_be_visible()  # no reference
    assert "payload.read" not in own.house.said("log", "--kind", "payload.read")
    read(page)
    expect(page.get_by_text("Where is my order")).to_be_visible()
    assert "marta@example.com" not in page.content()
    expect(page.locator("mark.redact").first).to_have_text("e-mail address")
    page.get_by_role("button", name="Show one, with reason").click()
    page.get_by_label("Reason", exact=True).fill("ticket 4712")
    page.get_by_role("button", name="Show it once").click()
    expect(page.get_by_text("marta@example.com")).to_be_visible()
    page.goto(page.url.removesuffix("/reveal"))
    assert "marta@example.com" not in page.content()
    told = own.house.said("log", "--kind", "payload.read", "--json")
    assert told.count('"unmasked":true') == 1
    assert "ticket 4712" in told
    assert not trouble(page)


def test_who_may_not_read_sees_facts_alone_whatever_another_read(own: Site, enter: Enter) -> None:
    reader, staff = enter(own, Role.OWNER), enter(own, Role.STAFF)
    found(reader, "c-2")
    read(reader)
    staff.goto(reader.url.split("#")[0])
    expect(staff.get_by_text("Your roles do not read what was said")).to_be_visible()
    assert "money back" not in staff.content()
    assert staff.get_by_role("button", name="Right").count() == 0


def test_hostile_words_stay_words(own: Site, enter: Enter) -> None:
    own.chat("c-9", HOSTILE)
    page = enter(own, Role.OWNER)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    found(page, "c-9")
    read(page)
    expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    expect(page.get_by_text("{{ 7*7 }}")).to_be_visible()
    assert page.locator(".msg a").count() == 0
    page.get_by_role("link", name="Make a test").first.click()
    page.get_by_label("Reason to read").fill("ticket 1")
    page.get_by_role("button", name="Draft the test").click()
    assert "<script>alert(2)</script>" in page.locator("#yaml").input_value()
    assert not trouble(page)


@pytest.mark.promise("CINT-4")
def test_the_proof_is_computed_here_and_a_tampered_one_is_not_proven(own: Site, enter: Enter) -> None:
    page = enter(own, Role.AUDITOR)
    within(20, lambda: bool(own.house.said("log-key")))
    found(page, "c-1")
    state = page.locator("[data-proof-state]")
    page.get_by_role("button", name="Check again").click()
    expect(state).to_have_text("Proven")
    honest: dict[str, bytes] = {}

    def spoil(how: Callable[[bytes], bytes]) -> Callable[[Route], None]:
        def handle(route: Route) -> None:
            answer = route.fetch()
            honest["file"] = answer.body()
            route.fulfill(response=answer, body=how(answer.body()))

        return handle

    def facts(data: bytes) -> bytes:
        import base64

        head, line, rest = data.split(b"\n", 2)
        extra = base64.b64decode(line.removeprefix(b"extra ")).replace(b"answered", b"refused.")
        return b"\n".join([head, b"extra " + base64.b64encode(extra), rest])

    def signature(data: bytes) -> bytes:
        return data[:-8] + (b"AAAA" if data[-8:-4] != b"AAAA" else b"BBBB") + data[-4:]

    def path(data: bytes) -> bytes:
        return re.sub(rb"(index \d+\n)(.)", lambda f: f[1] + (b"A" if f[2] != b"A" else b"B"), data, count=1)

    def log(data: bytes) -> bytes:
        """Of another log, as its first line says."""
        return re.sub(rb"(\n\n)([^\n]+)(\n\d+\n)", rb"\1another.example/log\3", data, count=1)

    for how in (facts, signature, path, log):
        page.route("**/proof", spoil(how))
        page.get_by_role("button", name="Check again").click()
        expect(state, how.__name__).to_have_text("Not proven")
        assert how(honest["file"]) != honest["file"]
        page.unroute("**/proof")
        page.get_by_role("button", name="Check again").click()
        expect(state).to_have_text("Proven")
    assert not trouble(page)


def failing(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body="")


@pytest.mark.promise("CRV-11")
def test_a_reason_with_a_mistake_stays_where_it_was_typed(own: Site, enter: Enter) -> None:
    page = enter(own, Role.REVIEWER)
    found(page, "c-1")
    page.get_by_label("Why do you read this?").fill("because Marta called")
    page.get_by_role("button", name="Read the conversation").click()
    expect(page.locator("#e-read")).to_be_visible()
    expect(page.get_by_label("Why do you read this?")).to_have_value("because Marta called")
    read(page)
    page.get_by_role("button", name="Show one, with reason").click()
    page.get_by_label("Reason", exact=True).fill("because Marta called again")
    page.get_by_role("button", name="Show it once").click()
    expect(page.get_by_role("dialog", name="Show one hidden value")).to_be_visible()
    expect(page.locator("#e-why")).to_be_visible()
    expect(page.get_by_label("Reason", exact=True)).to_have_value("because Marta called again")
    assert "marta@example.com" not in page.content()
    page.get_by_label("Reason", exact=True).fill("ticket 4712")
    page.get_by_role("button", name="Show it once").click()
    expect(page.get_by_text("marta@example.com")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_text("marta@example.com")).to_be_hidden()  # shown once, and not on paper
    assert "marta@example.com" not in page.title()
    assert not trouble(page)


@pytest.mark.promise("CRV-12")
def test_on_a_phone_a_page_leads_back_to_its_list(own: Site, enter: Enter) -> None:
    page = enter(own, Role.REVIEWER, width=390)
    found(page, "c-1")
    page.get_by_label("Breadcrumb").get_by_role("link", name="Interactions").click()
    expect(page.get_by_role("heading", name="Interactions", level=1)).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


@pytest.mark.promise("CRV-9")
def test_where_nothing_could_be_checked_nothing_is_called_proven_and_nothing_false(own: Site, enter: Enter) -> None:
    page = enter(own, Role.AUDITOR)
    found(page, "c-1")
    state, again = page.locator("[data-proof-state]"), page.get_by_role("button", name="Check again")
    again.click()
    expect(state).to_have_text("Proven")
    expect(page.locator("[data-proof-facts]")).to_contain_text('"use_case": "orders"')
    for status, said in ((500, "could not be fetched"), (404, "There is no proof yet")):
        page.route("**/proof", failing(status))
        again.click()
        expect(page.locator("[data-proof-said]")).to_contain_text(said)
        expect(state).to_have_text("Not checked")
        expect(page.locator("[data-proof-leaf]")).to_have_text("–")
        page.unroute("**/proof")
    page.goto("/ledger?kind=ruleset")
    page.locator("a[data-row]").first.click()
    expect(state).to_have_text("Proven")
    page.locator("[data-facts-shown]").evaluate(
        "each => { each.textContent = each.textContent.replace(/pe_/, 'px_').replace(/operator/, 'another'); }"
    )
    again.click()
    expect(state).to_have_text("Not proven")
    expect(page.locator("[data-proof-said]")).to_contain_text("other facts than this page shows")
    assert not trouble(page)
    page.context.clear_cookies()  # her session is over: what comes is the page to sign in
    again.click()
    expect(page.locator("[data-proof-said]")).to_contain_text("could not be fetched")
    expect(state).to_have_text("Not checked")


@pytest.mark.promise("CRV-10")
def test_a_check_of_the_whole_ledger_tells_its_end_and_asks_no_further(own: Site, enter: Enter) -> None:
    page = enter(own, Role.AUDITOR)
    page.goto("/ledger")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#checking").get_by_text("are what was signed")).to_be_visible(timeout=20_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=check" in request.url else None)
    page.wait_for_timeout(2_500)
    assert asked == []


def test_an_id_of_anything_leads_to_its_page(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.AUDITOR)
    page.goto("/interactions")
    ident = page.locator("td .mono").first.inner_text()
    page.keyboard.press("Control+k")
    page.locator("#palette-text").fill(ident)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/interactions/{ident}$"))
    page.goto("/search?text=c-2")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A conversation with")
    page.goto("/search?text=nothing-of-this-name")
    expect(page.get_by_text("Nothing is recorded under this.")).to_be_visible()
    expect(page.get_by_text("an order number, a name or an e-mail address finds nothing")).to_be_visible()
    page.goto("/interactions")
    page.get_by_label("Or everything of one customer:").fill("somebody else")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_text("Nothing is recorded of this customer, or it was erased.")).to_be_visible()
    expect(page.get_by_text("Nothing fits these facts.")).to_be_visible()
    looked_at(page, f"{looked.url}/search?text=%3Cscript%3Ealert(1)%3C/script%3E")


def test_the_csv_holds_what_the_filter_finds(looked: Site, enter: Enter) -> None:
    page = enter(looked, Role.OWNER)
    page.goto("/interactions?finding=COMPLAINT")
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()
    lines = saved.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert "COMPLAINT" in lines[1]


def test_the_ledger_is_accessible_checked_and_says_who_read_what(own: Site, enter: Enter) -> None:
    reader, auditor, staff = enter(own, Role.OWNER), enter(own, Role.AUDITOR), enter(own, Role.STAFF)
    found(reader, "c-2")
    read(reader, "case 77")
    looked_at(auditor, f"{own.url}/ledger?kind=payload")
    auditor.goto("/ledger?kind=payload")
    row = auditor.locator("tr", has_text="case 77").first
    expect(row).to_contain_text("Olu Owner")
    auditor.get_by_role("button", name="Check now").click()
    expect(auditor.get_by_text("entries are what was signed")).to_be_visible(timeout=15_000)
    auditor.goto("/ledger?kind=payload")
    auditor.locator("td a[data-row]").first.click()
    expect(auditor.locator("[data-proof-state]")).to_have_text("Proven")
    staff.goto("/ledger?kind=payload")
    assert "case 77" not in staff.content()
    assert not trouble(auditor)


@pytest.mark.promise("CINT-11")
def test_staff_flag_a_mistake_by_one_key_and_a_search_finds_it(own: Site, enter: Enter) -> None:
    page, auditor = enter(own, Role.STAFF), enter(own, Role.AUDITOR)
    found(page, "c-2")
    page.keyboard.press("f")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("What is wrong?")).to_be_focused()
    page.get_by_label("What is wrong?").select_option("person")
    page.get_by_label("Reference").fill("ticket 4711")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Flagged. It counts for the release that answered.")).to_be_visible()
    expect(page.get_by_text("A person should have taken over (ticket 4711)")).to_be_visible()
    auditor.goto("/interactions?flagged=yes")
    expect(auditor.locator("td a[data-row]")).to_have_count(1)
    auditor.locator("td a[data-row]").first.click()
    expect(auditor.get_by_text("A person should have taken over")).to_be_visible()
    expect(auditor.get_by_role("button", name="Flag a mistake")).to_have_count(0)
    looked_at(page, page.url)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(page.url)
    page.get_by_role("button", name="Take my flag back").click()
    expect(page.get_by_text("Nobody has flagged a mistake here.")).to_be_visible()
    told = own.house.said("log", "--kind", "flag", "--json")
    assert '"mistake":"person"' in told
    assert not trouble(page)
