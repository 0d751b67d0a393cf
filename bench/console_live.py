"""The console under 100 changes a second with 50 open streams.

    .venv/bin/python bench/console_live.py [SECONDS] [CONTEXTS] [READERS]

120 seconds, 10 Chromium contexts on the list of approvals and 40 plain readers of the same stream, unless told
otherwise: two cores that also run the browser do not hold 50 contexts. A third of the contexts is cut from the network
on the way, and the console is killed once. Prints signals for each topic, lost and doubled rows, and the console's CPU
time and memory. Exit code 1 when a row was lost, doubled, or a page had to be loaded anew.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from browser_site import ARGUMENTS, CHROMIUM, filled, site
from live_load import measure
from playwright.sync_api import sync_playwright

PER_SECOND = 100


def main(seconds: float = 120, contexts: int = 10, readers: int = 40) -> int:
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as made, sync_playwright() as driver:
        filled(made)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        begun = time.monotonic()
        found = measure(
            made, browser, seconds=seconds, per_second=PER_SECOND, contexts=int(contexts), readers=int(readers)
        )
        browser.close()
    rate = found.changes / found.seconds
    print(f"{found.changes} changes in {found.seconds:.0f} s ({rate:.0f}/s) and {found.held} held actions;")
    print(f"{int(contexts)} Chromium contexts and {int(readers)} readers, {found.heard} signals heard by the readers")
    for topic, most in sorted(found.signals.items()):
        print(f"  {topic}: at most {most} signals in 0.9 s, {found.rates.get(topic, 0):.2f} a second over all")
    print(
        f"console: {found.cpu_s:.1f} s of CPU ({found.cpu_s / found.seconds:.0%} of a core), {found.pss_mb:.0f} MB PSS"
    )
    print(f"took {time.monotonic() - begun:.0f} s in all")
    for line in found.wrong:
        print(f"WRONG: {line}")
    print("no row lost or doubled, no page loaded anew" if not found.wrong else f"{len(found.wrong)} things wrong")
    return 1 if found.wrong or max(found.signals.values(), default=0) > 2 else 0


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
