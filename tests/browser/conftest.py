"""One browser for the run; a filled site for tests that only look; a site of its own for tests that change things."""

from collections.abc import Callable, Iterator

import pytest
from browser_site import ARGUMENTS, CHROMIUM, Site, filled, signed_in, site
from playwright.sync_api import Browser, Page, sync_playwright

from handrail.people.role import Role


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Filled, shared by all tests that change nothing."""
    with site(tmp_path_factory.mktemp("looked")) as made:
        filled(made)
        yield made


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Published and nothing else, for empty states; shared by all tests that change nothing."""
    with site(tmp_path_factory.mktemp("bare")) as made:
        yield made


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Filled, for a test that changes things."""
    with site(tmp_path_factory.mktemp("own")) as made:
        filled(made)
        yield made


@pytest.fixture
def enter(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`enter(site, Role.OWNER, width=390)`: a browser of its own with a session, closed at the end."""
    pages: list[Page] = []

    def enter(where: Site, *roles: Role, **more: object) -> Page:
        pages.append(signed_in(browser, where, *roles, **more))  # type: ignore[arg-type]  # as signed_in takes them
        return pages[-1]

    yield enter
    for page in pages:
        page.context.close()
