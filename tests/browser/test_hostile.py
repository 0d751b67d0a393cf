"""The corpus of hostile texts on every page of the table, in a real browser, for each role that may open it."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser_site import Site, signed_in, site, trouble
from fakes.hostile_texts import CORPUS, MARK
from hostile_site import PER_TURN, Taken, overrun
from playwright.sync_api import Browser, Page

from handrail.app.demo.visit import Visitor
from handrail.console.page_files import routes
from handrail.console.places import Seen, walk
from handrail.people.role import Role

ROWS = routes()
EVERY = -(-len(CORPUS) // PER_TURN)
"""Addresses of a row for one role: as many as there are messages, so that each text is seen."""
ACTIVE = """() => {
  const found = [];
  const own = document.querySelector('[hx-nonce]')?.getAttribute('hx-nonce');
  for (const each of document.querySelectorAll('*')) {
    const name = each.tagName.toLowerCase();
    if (['iframe', 'object', 'embed', 'base', 'portal', 'math', 'marquee', 'plaintext', 'foreignobject', 'animate',
         'set', 'style', 'video', 'audio', 'xmp', 'hx-partial'].includes(name)) found.push('<' + name + '>');
    if (name === 'script' && !each.src.startsWith(location.origin + '/static/')) found.push('a script of nobody');
    if (name === 'meta' && each.httpEquiv) found.push('<meta http-equiv>');
    for (const one of each.attributes) {
      const value = one.value.replace(/[\\u0000-\\u0020]/g, '').toLowerCase();
      const active = /^on|^style$|^data-canary$|^srcdoc$|^data-hx|^x-|^ng-|^v-on|^sse-/.test(one.name);
      if (active) found.push(name + ' ' + one.name);
      if (one.name.startsWith('hx-') && each.getAttribute('hx-nonce') !== own) found.push(name + ' ' + one.name);
      if (['href', 'src', 'action', 'formaction', 'xlink:href', 'hx-get', 'hx-post'].includes(one.name)) {
        const local = /^[/#?]/.test(value) && !/^[/][/\\\\]/.test(value);
        if (!local && value !== '') found.push(name + ' ' + one.name + '=' + one.value.slice(0, 60));
      }
    }
  }
  return found;
}"""
CANARY = "window.canary = (number) => { console.error('CANARY ' + number + ' ran'); return 1; }"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Taken]]:
    with site(tmp_path_factory.mktemp("hostile")) as made:
        yield made, overrun(made)


def places_of(made: Site, role: Role, each: int = 2) -> list[Seen]:
    """Every row of the table that this role finds, at `each` addresses."""
    visitor = Visitor(made.url.removeprefix("http://"))
    visitor.cookies["handrail"] = made.session(role).text
    try:
        return [one for one in walk(ROWS, visitor.ask, each=each) if role in one.row.roles]
    finally:
        visitor.close()


def test_the_corpus_is_large_and_every_place_took_some_of_it(hostile: tuple[Site, Taken]) -> None:
    assert len(CORPUS) >= 200
    assert len({one.text for one in CORPUS}) == len(CORPUS)
    assert not hostile[1].refused_all, hostile[1].offered


@pytest.mark.promise("CSF-1")
@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_no_page_runs_follows_or_asks_what_a_text_says(
    hostile: tuple[Site, Taken], browser: Browser, role: Role
) -> None:
    made, _ = hostile
    page = signed_in(browser, made, role)
    page.add_init_script(CANARY)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(f"{one.method} {one.url}"))
    shown: set[str] = set()
    marks = {one.mark for one in CORPUS}
    wrong: list[str] = []
    opened = 0
    for one in places_of(made, role, EVERY if role is Role.OWNER else 2):
        if one.answer.type != "text/html":
            continue
        opened += 1
        answer = page.goto(one.address, wait_until="load")
        assert answer is not None
        wrong += [f"{one.address}: {what}" for what in page.evaluate(ACTIVE)]
        if answer.status >= 500:
            wrong.append(f"{one.address}: {answer.status}")
        shown |= marks & set(MARK.findall(page.evaluate("document.body.textContent")))
    page.wait_for_timeout(300)
    wrong += [one for one in asked if "canary" in one.split("?")[0] or not one.startswith("GET ")]
    page.context.close()
    assert not wrong, "\n".join(sorted(set(wrong))[:40])
    assert not trouble(page), "\n".join(trouble(page)[:20])
    assert opened >= 3
    print(f"{role.value}: {opened} addresses, {len(shown)} of {len(CORPUS)} payloads seen as text")
    if role is Role.OWNER:
        assert len(shown) >= 200, f"only {len(shown)} of the texts were on any page: the test sees too little"


@pytest.mark.promise("CSF-2")
def test_no_cell_of_a_csv_begins_like_a_formula_and_no_text_breaks_its_row(hostile: tuple[Site, Taken]) -> None:
    made, _ = hostile
    files = [one for one in places_of(made, Role.OWNER) if one.answer.type == "text/csv"]
    assert files
    assert {one.row.name for one in files if "{" not in one.row.path} == {
        row.name for row in ROWS if row.name.endswith(".csv") and "{" not in row.path and Role.OWNER in row.roles
    }
    for one in files:
        assert one.answer.status == 200, one.address
        rows = list(csv.reader(io.StringIO(one.answer.body, newline="")))
        assert len({len(row) for row in rows}) <= 1, one.address
        formulas = [cell for row in rows for cell in row if is_formula(cell)]
        assert not formulas, f"{one.address}: {formulas[:5]}"


def is_formula(cell: str) -> bool:
    """A spreadsheet takes it for one; a plain number is none."""
    if cell.lstrip("-").replace(".", "", 1).isdigit():
        return False
    return cell.lstrip(" \u00a0")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def test_the_canary_is_seen_when_it_runs(hostile: tuple[Site, Taken], enter: Callable[..., Page]) -> None:
    """The test above can fail: markup put into the page is found by what looks for it."""
    made, _ = hostile
    page = enter(made, Role.OWNER)
    page.add_init_script(CANARY)
    page.goto("/")
    page.evaluate("""() => { const box = document.createElement('p'); box.setAttribute('data-canary', '1');
        box.setAttribute('hx-get', '/canary-1'); document.body.append(box); canary(1); }""")
    found: Any = page.evaluate(ACTIVE)
    assert "p data-canary" in found
    assert "p hx-get" in found
    assert any("CANARY 1 ran" in one for one in trouble(page))
