"""`make screenshots`: plays the demo, signs in, and takes every page of the table, light and dark, into
docs/screenshots.

    .venv/bin/python scripts/screenshots.py [FOLDER]

Nothing is listed by hand: the pages are the rows that answer with HTML, at the first address that a link of the demo's
data leads to, by the first role that may (the owner where it may). NAME-light.png and NAME-dark.png are 1440 wide,
NAME-phone.png 390. Needs Chromium (apt-get install chromium) and the development set.
"""

import base64
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from handrail.app.demo.visit import CHOOSE
from handrail.console.page_files import routes
from handrail.console.places import Answer, Seen, walk
from handrail.people.role import Role

ROOT = Path(__file__).parent.parent
PHONE = ("overview", "approvals", "approvals.show", "interactions.show")
"""Rows that are taken at the width of a phone too."""
WIDE, NARROW, HIGH, LONGEST = 1440, 390, 900, 1_600
STAYS_S = "900"
QUANTISE = """async (data) => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + data)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext('2d');
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, image.width, image.height).data, count = new Map();
  for (let at = 0; at < pixels.length; at += 4) {
    const colour = (pixels[at] >> 2) << 12 | (pixels[at + 1] >> 2) << 6 | pixels[at + 2] >> 2;
    const found = count.get(colour);
    if (found) found[0] += 1; else count.set(colour, [1, pixels[at], pixels[at + 1], pixels[at + 2]]);
  }
  const most = [...count.entries()].sort((a, b) => b[1][0] - a[1][0]).slice(0, 256).map(([, seen]) => seen.slice(1));
  const place = new Map(), out = new Uint8Array(image.width * image.height);
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const colour = (r >> 2) << 12 | (g >> 2) << 6 | b >> 2;
    let to = place.get(colour);
    if (to === undefined) {
      let least = Infinity;
      most.forEach(([x, y, z], index) => {
        const far = (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2;
        if (far < least) { least = far; to = index; }
      });
      place.set(colour, to);
    }
    out[at / 4] = to;
  }
  let text = '';
  for (let at = 0; at < out.length; at += 32768) text += String.fromCharCode(...out.subarray(at, at + 32768));
  return { width: image.width, height: image.height, colours: most, bytes: btoa(text) };
}"""


def main(folder: Path) -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is absent: apt-get install chromium", file=sys.stderr)
        return 1
    with _demo() as url, sync_playwright() as driver:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        squeeze = browser.new_page()
        taken = 0
        for seen, context in _pages(browser, url):
            for name, picture in _pictures(context, seen):
                (folder / f"{name}.png").write_bytes(_small(squeeze, picture))
                taken += 1
        browser.close()
    size = sum(one.stat().st_size for one in folder.glob("*.png"))
    print(f"{taken} pictures, {size / 1e6:.1f} MB, in {folder}")
    return 0


@contextmanager
def _demo() -> Iterator[str]:
    """The console's address of a demo that was played to its end and keeps serving."""
    with tempfile.TemporaryDirectory() as work:
        command = ["env", f"DEMO_SECONDS={STAYS_S}", sys.executable, "-m", "handrail.cli.main", "demo"]
        with subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url, said = "", []
            for line in process.stdout:
                said.append(line)
                if CHOOSE in line and not url:
                    url = next(word for word in line.split() if word.startswith("http")).removesuffix(CHOOSE)
                if line.startswith("it keeps serving"):
                    break
            else:
                raise SystemExit("the demo did not come to its end:\n" + "".join(said[-30:]))
            try:
                yield url
            finally:
                process.terminate()
                process.wait(60)


def _pages(browser: Browser, url: str) -> Iterator[tuple[Seen, BrowserContext]]:
    """Each row once, by the first role that may; who may most comes first, so that links are found."""
    done: set[str] = set()
    for role in (Role.OWNER, *(one for one in Role if one is not Role.OWNER)):
        context = browser.new_context(base_url=url, reduced_motion="reduce", locale="en-GB")
        page = context.new_page()
        page.goto(CHOOSE)
        page.get_by_role("button", name=role.value).first.click()
        page.wait_for_url(f"{url}/")
        page.close()
        for seen in walk(routes(), lambda address, context=context: _ask(context, address), each=1):
            html = seen.answer.type == "text/html" and seen.answer.status == 200
            if html and seen.row.name not in done and not seen.row.public:
                done.add(seen.row.name)
                yield seen, context
        context.close()


def _ask(context: BrowserContext, address: str) -> Answer:
    answer = context.request.get(address, max_redirects=0)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return Answer(answer.status, kind, answer.text() if kind == "text/html" else "")


def _pictures(context: BrowserContext, seen: Seen) -> Iterator[tuple[str, bytes]]:
    page = context.new_page()
    sizes = [("light", WIDE), ("dark", WIDE), *([("phone", NARROW)] if seen.row.name in PHONE else [])]
    for name, width in sizes:
        page.set_viewport_size({"width": width, "height": HIGH})
        page.emulate_media(color_scheme="dark" if name == "dark" else "light")
        page.goto(seen.address)
        page.evaluate("document.fonts.ready")
        long = min(LONGEST, int(page.evaluate("document.documentElement.scrollHeight")))
        page.set_viewport_size({"width": width, "height": max(HIGH, long)})
        yield f"{seen.row.name}-{name}", page.screenshot()
    page.close()


def _small(page: Page, picture: bytes) -> bytes:
    """The same with 256 colours: a third of the size."""
    found = page.evaluate(QUANTISE, base64.b64encode(picture).decode())
    width, height, data = found["width"], found["height"], base64.b64decode(found["bytes"])
    rows = b"".join(b"\0" + data[at : at + width] for at in range(0, width * height, width))
    palette = b"".join(bytes(colour) for colour in found["colours"])
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"))
