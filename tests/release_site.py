"""A site whose use case has a ramp, with a canary that customers really meet: for tests of the pages of releases."""

import contextlib
import json
import random
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from browser_site import Site, site
from house import post, within

from handrail.releases.assign import point
from handrail.releases.lifecycle import Rollout

RAMP = """
ramp:
  stages:
    - {share: 0.3}
    - {share: 0.5, least_minutes: 30}
  maturity_minutes: 0.03
  planned_units: 5000
  sign_offs: [owner, compliance]
  metrics:
    complaint: {reference: 0.05}
    transfer: {reference: 0.1}
    csat_low: {}
"""
PROMPT = "You answer for the shop.\nWhen you refund, say the amount and when it arrives.\n{}\nNever promise a refund.\n"
WAS = "Explain the reason in two or three sentences and name the term that applies."
NOW = "Explain the reason in one short sentence, and offer a colleague."
GREEN = '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>'
RED = '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'


class Ramped:
    """`site`: of the console. `release`: the draft's digest."""

    def __init__(self, made: Site) -> None:
        self.site, self.house = made, made.house
        file = self.house.root / "use-cases" / "orders.yaml"
        (self.house.root / "prompts").mkdir(exist_ok=True)
        (self.house.root / "prompts" / "orders.md").write_text(PROMPT.format(WAS))
        text = file.read_text().replace("prompt: client\n", "prompt: {mode: managed, file: orders.md}\n")
        file.write_text(text + RAMP)
        self.house.by("root", "publish", str(self.house.root))
        self.key = self.house.agent()
        root = ("--token", self.house.staff["root"])
        self.events = self.house.run("key", "create", "--scope", "events", *root).stdout.strip().splitlines()[-1]
        self.release = ""

    def draft(self, text: str = NOW) -> str:
        said = self.house.said(
            "release", "new", "--use-case", "orders", "--prompt", "-", "--token", self.house.staff["root"],
            stdin=PROMPT.format(text),
        )  # fmt: skip
        self.release = said.split()[0]
        return self.release

    def test(self, results: str = GREEN) -> None:
        file = self.house.root / "results.xml"
        file.write_text(results)
        words = ("release", "test", self.release, "--junit", str(file), "--token", self.house.staff["root"])
        self.house.said(*words, code=0 if results == GREEN else 1)

    def rollout(self) -> Rollout:
        with sqlite3.connect(self.house.data / "handrail.db") as db:
            ((body,),) = db.execute("SELECT body FROM rollout WHERE release = ?", (self.release,))
        return msgspec.json.decode(body, type=Rollout)

    def converse(self, many: int) -> list[str]:
        """Conversations of their own; their ids."""
        found: list[str] = []
        lines = [threading.Thread(target=self._one, args=(many // 4, found), daemon=True) for _ in range(4)]
        for line in lines:
            line.start()
        for line in lines:
            line.join()
        return found

    def _one(self, many: int, found: list[str]) -> None:
        body = json.dumps({"model": "orders", "messages": [{"role": "user", "content": "Where is my order?"}]}).encode()
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        for _ in range(many):
            asked = urllib.request.Request(f"{self.site.server.url}/chat/completions", body, headers)
            with urllib.request.urlopen(asked, timeout=20) as answer:
                answer.read()
                found.append(answer.headers["x-handrail-conversation"])

    def outcomes(self, names: list[str], bad: float, seed: int = 1) -> None:
        """Complaints of so many of the canary's customers, and of a twentieth of the others."""
        draw, rollout = random.Random(seed), self.rollout()
        events: list[dict[str, Any]] = []
        for name in names:
            rate = bad if point(rollout.salt, name) < 0.3 else 0.05
            if draw.random() < rate:
                events.append({"type": "complaint", "conversation": name, "id": f"c-{name}", "source": "crm"})
        base = self.site.server.url.removesuffix("/v1")
        if events:
            status, _, _ = post(f"{base}/api/v1/events", self.events, events)
            assert status in (200, 202)

    def folded(self) -> int:
        with sqlite3.connect(self.house.data / "handrail.db") as db:
            ((many,),) = db.execute("SELECT count(*) FROM unit WHERE folded > 0 AND release = ?", (self.release,))
        return int(many)


@contextlib.contextmanager
def ramped(folder: Path) -> Iterator[Ramped]:
    with site(folder, published=False) as made:
        yield Ramped(made)


__all__ = ["GREEN", "NOW", "RED", "Ramped", "ramped", "within"]
