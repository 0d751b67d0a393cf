"""Every page of the table as it is printed, in forced colours and from right to left: tried on each, by no list."""

from collections.abc import Iterator

import pytest
from browser_site import Site, signed_in, trouble
from playwright.sync_api import Browser, Page, Route

from handrail.app.demo.visit import Visitor
from handrail.console.page_files import routes
from handrail.console.places import walk
from handrail.people.role import Role

INVISIBLE = """() => [...document.querySelectorAll('.badge, .btn, .count, .chip')].filter(each => {
  const style = getComputedStyle(each);
  return each.getClientRects().length && style.borderStyle === 'none' && style.outlineStyle === 'none';
}).map(each => each.className).slice(0, 3)"""


@pytest.fixture
def addresses(looked: Site) -> list[str]:
    visitor = Visitor(looked.url.removeprefix("http://"))
    visitor.cookies["handrail"] = looked.session(*Role).text
    found = [
        one.address for one in walk(routes(), visitor.ask, each=1)
        if one.answer.type == "text/html" and one.answer.status == 200
    ]  # fmt: skip
    visitor.close()
    assert len(found) >= 3
    return found


@pytest.fixture
def page(looked: Site, browser: Browser) -> Iterator[Page]:
    made = signed_in(browser, looked, *Role)
    yield made
    assert not trouble(made), trouble(made)
    made.context.close()


@pytest.mark.promise("CSF-8")
def test_every_page_prints_without_its_frame_and_within_the_paper(page: Page, addresses: list[str]) -> None:
    page.set_viewport_size({"width": 794, "height": 1123})
    page.emulate_media(media="print", color_scheme="dark")
    wrong = []
    for address in addresses:
        page.goto(address)
        shown = page.evaluate("[...document.querySelectorAll('.side, .top')].some(e => e.getClientRects().length > 0)")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if shown or wide > 794:
            wrong.append(f"{address}: {'its frame is printed' if shown else ''} {wide} wide")
    assert not wrong, "\n".join(wrong)


@pytest.mark.promise("CSF-8")
def test_in_forced_colours_every_button_and_badge_has_an_edge(page: Page, addresses: list[str]) -> None:
    page.emulate_media(forced_colors="active")
    wrong = []
    for address in addresses:
        page.goto(address)
        found = page.evaluate(INVISIBLE)
        wrong += [f"{address}: {found}"] if found else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.promise("CSF-8")
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_stands_from_right_to_left(page: Page, addresses: list[str], width: int) -> None:
    """A language that is written so, made up: the server's answer with another direction."""

    def turned(route: Route) -> None:
        if route.request.resource_type != "document":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('lang="en" dir="ltr"', 'lang="ar" dir="rtl"', 1))

    page.set_viewport_size({"width": width, "height": 900})
    page.route("**/*", turned)
    wrong = []
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.dir") == "rtl"
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{address} is {wide} wide at {width}")
        if width == 1440:
            side, main = (page.locator(name).first.bounding_box() for name in (".side", "main"))
            if side is None or main is None or side["x"] < main["x"]:
                wrong.append(f"{address}: the navigation is not on the right")
    assert not wrong, "\n".join(wrong)
