"""How fast the approvals page is when many wait, and how many bytes a browser takes for it.

    .venv/bin/python bench/console_approvals.py [COUNT, default 10000]

A real server with a real agent holds two actions; the register then gets COUNT copies of them, sealed like any other.
Printed: the time from request to the whole answer over loopback (20 times each; the promise is 300 ms), first paint in
a browser with an empty cache (1 s), and the bytes of that first visit with and without fonts (150 kB without).
"""

import asyncio
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser_site import ARGUMENTS, CHROMIUM, Site, signed_in, site  # noqa: E402  # of the tests' folder
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from handrail.app import wire  # noqa: E402
from handrail.app.settings import environment, settings  # noqa: E402
from handrail.people.role import Role  # noqa: E402
from handrail.terms.action import ActionId, digest_of  # noqa: E402

CHUNK = 500
TIMES = 20
PATHS = ("/approvals", "/approvals?view=expiring", "/approvals?view=payments", "/approvals?view=all")


def held(where: Site) -> list[str]:
    where.chat("c-1", "Please refund order A-1.")
    found = []
    for amount in (4_000, 200_000):
        _, answer = where.act("till.refund", arguments={"order": "A-1", "amount": amount}, conversation="c-1")
        found.append(str(answer["action_id"]))
    return found


def copies(where: Site, ids: list[str], count: int) -> None:
    """Straight into the register: what the desk would have made, a thousand times faster."""
    given = settings(where.house.root, environment())

    async def work() -> None:
        async with wire.opened(given, environment(), checkpoints=False) as store:
            models = [await store.acts.get(ActionId(one)) for one in ids]
            for begin in range(0, count, CHUNK):
                await store.journal.run(lambda tx, at=begin: _add(tx, models, at, min(CHUNK, count - at)))

    asyncio.run(work())


def _add(tx: Any, models: list[Any], begin: int, many: int) -> None:
    for at in range(begin, begin + many):
        model = models[at % len(models)]
        request = msgspec.structs.replace(
            model.request, id=ActionId(wire.IDS.new("ac")), conversation=wire.IDS.new("cv")
        )  # each has a conversation of its own
        progress = msgspec.structs.replace(
            model.progress, action=request.id, digest=digest_of(request), decide_by=tx.now_ms + 3_600_000 + at
        )
        tx.actions.add(
            msgspec.structs.replace(model, progress=progress, request=request, business=wire.IDS.token(32), reserved=())
        )


def asked(where: Site, path: str, cookie: str) -> tuple[float, int]:
    """Seconds until the whole answer is here, and its bytes."""
    request = urllib.request.Request(f"{where.url}{path}", headers={"cookie": f"handrail={cookie}"})  # loopback
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:  # loopback
        size = len(answer.read())
    return time.perf_counter() - began, size


def painted(browser: Browser, where: Site, path: str) -> tuple[float, int, int]:
    """First contentful paint in ms with an empty cache; bytes over the wire without fonts, and of fonts."""
    page = signed_in(browser, where, Role.APPROVER)
    page.goto(path, wait_until="load")
    page.wait_for_timeout(500)
    paint, rest, fonts = page.evaluate(
        "(() => { const all = [...performance.getEntriesByType('navigation'), "
        "...performance.getEntriesByType('resource')].filter(e => !e.name.endsWith('/live'));"
        "const sum = list => list.reduce((n, e) => n + e.transferSize, 0);"
        "const font = e => e.name.includes('woff2');"
        "return [performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " sum(all.filter(e => !font(e))), sum(all.filter(font))]; })()"
    )
    page.context.close()
    return float(paint), int(rest), int(fonts)


def main(count: int) -> int:
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as where:
        ids = held(where)
        copies(where, ids, count)
        cookie = where.session(Role.APPROVER).text
        for path in (*PATHS, f"/approvals/{ids[0]}"):
            asked(where, path, cookie)
            took = [asked(where, path, cookie) for _ in range(TIMES)]
            times = sorted(one for one, _ in took)
            name = path.replace(ids[0], "ID")
            print(
                f"{name}: {count} waiting, server median {statistics.median(times) * 1e3:.0f} ms, "
                f"worst of {TIMES} {times[-1] * 1e3:.0f} ms, {took[0][1]} bytes of HTML"
            )
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for path in ("/approvals", f"/approvals/{ids[0]}"):
                paints = [painted(browser, where, path) for _ in range(3)]
                paint, rest, fonts = sorted(paints)[1]
                name = path.replace(ids[0], "ID")
                print(f"{name}: first paint {paint:.0f} ms, {rest / 1e3:.1f} kB and {fonts / 1e3:.1f} kB of fonts")
            browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
