"""What slips through unescaped cannot act; one stream for all tabs; a cut connection and a restart are got over; the
gateway does not fall with the console."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from acting_house import ActingHouse
from browser_site import Site, signed_in, site, trouble
from house import within
from playwright.sync_api import Browser, Page, expect

from handrail.people.role import Role

Enter = Callable[..., Page]
SLIPS = (
    '<div hx-post="/stop" hx-trigger="load"></div>',
    '<div hx-get="/" hx-trigger="load" hx-nonce="guessed"></div>',
    '<img src="x" onerror="window.ran = 1">',
    "<script>window.ran = 1</script>",
    '<a id="slip" href="javascript:window.ran = 1">press</a>',
    '<iframe srcdoc="&lt;script&gt;parent.ran = 1&lt;/script&gt;"></iframe>',
    '<form id="away" action="https://evil.example/"><button>send</button></form>',
    '<base href="https://evil.example/">',
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    '<p style="position:fixed;inset:0">cover</p>',
)


@pytest.mark.promise("CON-4")
@pytest.mark.parametrize("slip", SLIPS)
def test_markup_that_slipped_into_a_page_does_nothing(looked: Site, enter: Enter, slip: str) -> None:
    """As if a template had forgotten to escape: the answer of a part is replaced on its way to the browser."""
    page = enter(looked, Role.OWNER)
    page.goto("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.on(
        "requestfailed", lambda gone: asked.remove(f"{gone.method} {gone.url}") if "csp" in str(gone.failure) else 0
    )
    page.route("**/?part=today", lambda route: route.fulfill(body=f"<ol>{slip}</ol>", content_type="text/html"))
    with page.expect_response("**/?part=today"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('live-approvals'))")
    page.wait_for_function("[...document.querySelectorAll('.pad ol')].some(each => !each.classList.contains('tl'))")
    for name in ("#slip", "#away button"):
        if page.locator(name).count():
            page.locator(name).click(no_wait_after=True)
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert not [one for one in asked if one.startswith("POST") or "evil.example" in one], asked
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.pad ol').lastElementChild || document.body).position")
        != "fixed"
    )


@pytest.mark.promise("CON-6")
def test_two_tabs_of_a_browser_hold_one_stream_and_both_renew_themselves(own: Site, browser: Browser) -> None:
    first = signed_in(browser, own, Role.OWNER)
    streams: list[str] = []
    first.context.on("request", lambda request: streams.append(request.url) if "/live?" in request.url else None)
    first.goto("/")
    second = first.context.new_page()
    second.goto("/")
    own.chat("c-20", "Please refund order A-20.")
    own.act("till.refund", arguments={"order": "A-20", "amount": 200_020}, conversation="c-20")
    for page in (first, second):
        expect(page.get_by_label("Needs a person").get_by_role("link").first.locator("b")).to_have_text("3")
    assert len(streams) == 1
    first.close()
    own.chat("c-21", "Please refund order A-21.")
    own.act("till.refund", arguments={"order": "A-21", "amount": 200_021}, conversation="c-21")
    expect(second.get_by_label("Needs a person").get_by_role("link").first.locator("b")).to_have_text("4")
    second.context.close()


@pytest.mark.promise("CON-6")
def test_a_page_hears_what_it_missed_after_its_connection_was_cut(own: Site, enter: Enter) -> None:
    page = enter(own, Role.OWNER)
    page.goto("/")
    tile = page.get_by_label("Needs a person").get_by_role("link").first.locator("b")
    expect(tile).to_have_text("2")
    page.wait_for_timeout(700)
    page.context.set_offline(True)
    own.chat("c-30", "Please refund order A-30.")
    own.act("till.refund", arguments={"order": "A-30", "amount": 200_030}, conversation="c-30")
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    expect(tile).to_have_text("3", timeout=15_000)
    assert not [one for one in trouble(page) if not one.startswith("htmx: htmx:error: Failed to fetch")]


def test_the_gateway_serves_on_when_the_consoles_address_is_taken(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("taken")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        house = ActingHouse(folder / "home", "http://127.0.0.1:1")
        path = house.root / "handrail.yaml"
        path.write_text(
            path.read_text().replace("console: { serve: false }", f"console: {{ listen: 127.0.0.1:{port} }}")
        )
        house.publish()
        with house.serving() as server:
            assert server.get("/readyz")[0] == 200


def test_a_killed_console_comes_back_and_its_pages_with_it(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> None:
    with site(tmp_path_factory.mktemp("killed")) as made:
        page = signed_in(browser, made, Role.OWNER)
        page.goto("/")
        port = int(made.url.rsplit(":", 1)[1])
        _kill_who_listens(made.server.process.pid, port)
        within(20, lambda: _listens(port))
        made.chat("c-1", "Please refund order A-1.")
        made.act("till.refund", arguments={"order": "A-1", "amount": 200_000}, conversation="c-1")
        tile = page.get_by_label("Needs a person").get_by_role("link").first.locator("b")
        expect(tile).to_have_text("1", timeout=20_000)
        assert made.server.get("/readyz")[0] == 200
        page.context.close()


def _kill_who_listens(parent: int, port: int) -> None:
    """The child that holds the console's socket, found by its inode."""
    import os  # beside its only use
    import signal

    hex_port = f":{port:04X}"
    inode = next(
        line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(hex_port) and line.split()[3] == "0A"
    )  # fmt: skip
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        for held in Path(f"/proc/{child}/fd").iterdir():
            if held.is_symlink() and os.readlink(held) == f"socket:[{inode}]":
                os.kill(int(child), signal.SIGKILL)
                return
    raise AssertionError("nobody holds the console's socket")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
