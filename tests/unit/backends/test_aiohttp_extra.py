"""aiohttp is an extra: nothing imports it until it is chosen, and its absence is explained."""

import subprocess
import sys

BUILD = """
import sys
{before}
from handrail.backends.upstream.clients import own_http, with_aiohttp
assert sys.modules.get("aiohttp") is None, "aiohttp was imported although nobody chose it"
own_http(egress=None, secret=lambda provider: "")
try:
    with_aiohttp(egress=None, secret=lambda provider: "")
except Exception as error:
    print(type(error).__name__, error)
else:
    print("chosen", sys.modules["aiohttp"] is not None)
"""


def run(before: str) -> str:
    command = [sys.executable, "-c", BUILD.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def test_aiohttp_is_imported_only_when_it_is_chosen() -> None:
    assert run("") == "chosen True\n"


def test_its_absence_says_what_to_install() -> None:
    said = run('sys.modules["aiohttp"] = None')
    assert said.startswith("HandrailError home.invalid")
    assert "pip install 'handrail[aiohttp]'" in said
