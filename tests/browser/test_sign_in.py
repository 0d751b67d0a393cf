"""Signing in by a browser to a console of its own process: the printed link, two factors, a passkey of the browser's
own virtual authenticator, and what the pages look like to one who cannot see them."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from browser_site import assert_accessible, free_port, trouble, watched
from house import HANDRAIL, within
from playwright.sync_api import Browser, Page

PASSWORD = "blue lamp over the river"


@dataclass
class Alone:
    """`said`: what the process printed, so far."""

    url: str
    said: Path

    @property
    def link(self) -> str:
        found = within(40, lambda: re.search(r"opens this once: (\S+)", self.said.read_text()))
        return str(found[1])


@contextmanager
def alone(folder: Path) -> Iterator[Alone]:
    """`handrail console` on a new home, reached as localhost."""
    home, port = folder / "home", free_port()
    env = {**os.environ, "HANDRAIL_HOME": str(home)}
    subprocess.run([*HANDRAIL, "init", str(home)], check=True, capture_output=True, env=env)
    file = home / "handrail.yaml"
    url = f"http://localhost:{port}"
    console = f"console: {{ listen: 127.0.0.1:{port}, public_url: {url} }}"
    file.write_text(re.sub(r"(?m)^console:.*$", "", file.read_text()) + f"\n{console}\n")
    said = folder / "said"
    with said.open("w") as out:
        process = subprocess.Popen([*HANDRAIL, "console"], stdout=out, stderr=subprocess.STDOUT, env=env, cwd=home)
    try:
        yield Alone(url, said)
    finally:
        process.terminate()
        process.wait(20)


def opened(browser: Browser, where: Alone, **more: object) -> Page:
    context = browser.new_context(base_url=where.url, locale="en-GB", **more)  # type: ignore[arg-type]  # as Playwright takes them
    context.set_default_timeout(10_000)
    return watched(context)


def with_authenticator(page: Page) -> None:
    """The browser's own virtual authenticator, which knows its person."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def no_trouble(page: Page) -> None:
    found = [each for each in trouble(page) if not each.startswith("foreign: http://localhost")]
    assert found == []


def accessible(page: Page, where: str) -> None:
    """In both themes, wide and narrow, and no sideways scroll at 320, without loading it again."""
    for width in (1440, 390):
        for theme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # light or dark
            assert_accessible(page, f"{where} at {width}, {theme}")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, where
    page.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.promise("SGN-11")
def test_from_the_printed_link_to_a_passkey_in_a_real_browser(browser: Browser, tmp_path: Path) -> None:
    with alone(tmp_path) as where:
        page = opened(browser, where)
        with_authenticator(page)
        page.goto(where.link)
        accessible(page, "link")
        page.get_by_label("Your name").fill("Pat Lee")
        page.get_by_label("Your e-mail address").fill("pat@example.com")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Show the key for my app").click()
        accessible(page, "set-up")
        secret = page.locator("code.key").inner_text().replace(" ", "")
        drawn = page.get_by_role("img", name="QR code of the key below").bounding_box()
        assert drawn is not None
        assert drawn["width"] == drawn["height"] >= 150
        page.get_by_label("Code of your app").fill(pyotp.TOTP(secret).now())
        page.keyboard.press("Enter")
        page.wait_for_url("**/account")
        accessible(page, "account")
        page.get_by_label("Name of the new passkey").fill("Laptop")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("Laptop").wait_for()
        page.get_by_role("button", name="Make new recovery codes").click()
        assert page.locator("ul.codes li").count() == 10
        accessible(page, "recovery")
        page.goto("/account")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in").click()
        accessible(page, "sign-in")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{where.url}/")
        page.goto("/account")
        assert page.get_by_text("Pat Lee").count() > 0
        no_trouble(page)
        page.context.close()


def test_a_password_signs_in_without_scripts_and_a_wrong_one_says_so(browser: Browser, tmp_path: Path) -> None:
    with alone(tmp_path) as where:
        page = opened(browser, where, java_script_enabled=False)
        page.goto(where.link)
        page.get_by_label("Your name").fill("Pat Lee")
        page.get_by_label("Your e-mail address").fill("pat@example.com")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Show the key for my app").click()
        secret = page.locator("code.key").inner_text().replace(" ", "")
        page.get_by_label("Code of your app").fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/account")
        other = opened(browser, where, java_script_enabled=False)
        other.goto("/account")
        other.get_by_label("E-mail address").fill("pat@example.com")
        other.get_by_label("Password").fill("wrong")
        other.get_by_role("button", name="Sign in", exact=True).click()
        assert "do not belong together" in other.get_by_role("alert").first.inner_text()
        other.get_by_label("Password").fill(PASSWORD)
        other.get_by_role("button", name="Sign in", exact=True).click()
        other.wait_for_url("**/sign-in/second")
        for each in (page, other):
            each.context.close()
