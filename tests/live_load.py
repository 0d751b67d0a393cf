"""A console under many changes and many open pages: what `bench/console_live.py` measures and the suite does in short.

Changes are real: entries recorded in the home's database by a process of their own kind (this one), held actions by the
gateway. Pages are Chromium contexts; what a machine cannot hold as contexts are plain readers of the same stream.
"""

import asyncio
import contextlib
import http.client
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from browser_site import Site, signed_in
from house import within
from playwright.sync_api import Browser, Page

from handrail.app import wire
from handrail.app.settings import environment, settings
from handrail.approvals.lifecycle import State
from handrail.ledger.entry import Entry, EntryKind, InteractionFacts
from handrail.people.role import Role
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome
from handrail.terms.ids import EntryId, InteractionId, UseCaseId

ORDERS = UseCaseId("orders")
HELD_EVERY_S = 3.0
SETTLE_S = 6.0
OF_ONE = 15
"""Streams of one person; the console opens no more than 20."""
ROWS = "() => [...document.querySelectorAll('[data-row]')].map(each => each.id.replace('row-', '')).filter(Boolean)"


@dataclass(slots=True)
class Figures:
    """`signals`: topic to the most that one reader heard in any 0.9 seconds; `rates`: topic to signals a second over
    all that one reader heard, which a late packet does not change. `cpu_s`: of the console's process. `pss_mb`: at its
    highest."""

    changes: int = 0
    seconds: float = 0.0
    held: int = 0
    signals: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    heard: int = 0
    cpu_s: float = 0.0
    pss_mb: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Changes(threading.Thread):
    """So many entries a second for so long."""

    def __init__(self, made: Site, per_second: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._made, self._per_second, self._seconds = made, per_second, seconds
        self.done = 0
        self.took = 0.0

    def run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        given = settings(self._made.house.root, environment())
        async with wire.opened(given, environment(), checkpoints=False) as store:
            thread = await store.threads.open(
                use_case=ORDERS, key_id="k1", conversation=None, customer=None, history=[b"hello"], new_from=0
            )
            begun = time.monotonic()
            while time.monotonic() - begun < self._seconds:
                due = int((time.monotonic() - begun) * self._per_second)
                await asyncio.gather(*(store.journal.record(_entry(thread)) for _ in range(due - self.done)))
                self.done = max(due, self.done)
                await asyncio.sleep(0.02)
            self.took = time.monotonic() - begun


def _entry(thread: object) -> Entry:
    interaction = InteractionId(wire.IDS.new("in"))
    facts = InteractionFacts(
        interaction=interaction, conversation=thread.conversation, use_case=ORDERS, key="k1", language="en",  # type: ignore[attr-defined]  # as the store opened it
        outcome=Outcome.ANSWERED,
    )  # fmt: skip
    return Entry(
        id=EntryId(wire.IDS.new("en")), kind=EntryKind.INTERACTION_CLOSED, at_ms=wire.CLOCK.now_ms(),
        actor=Actor(ActorKind.KEY, "k1"), use_case=ORDERS, conversation=thread.conversation, interaction=interaction,  # type: ignore[attr-defined]  # likewise
        subject=thread.subject.id, facts=facts, payload=b'{"messages":["hello"]}',  # type: ignore[attr-defined]  # likewise
    )  # fmt: skip


class Reader(threading.Thread):
    """One stream as a browser reads it: begins again after a cut, from the last id. `heard`: (instant, topic, row)."""

    def __init__(self, made: Site, cookie: str, until: float) -> None:
        super().__init__(daemon=True)
        self._host, self._cookie, self._until = made.url.removeprefix("http://"), cookie, until
        self.heard: list[tuple[float, str, int]] = []
        self.last = ""
        self.begun = 0

    def run(self) -> None:
        while time.monotonic() < self._until:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._listen()
            time.sleep(0.5)

    def _listen(self) -> None:
        line = http.client.HTTPConnection(self._host, timeout=20)
        headers = {"cookie": f"handrail={self._cookie}"} | ({"last-event-id": self.last} if self.last else {})
        line.request("GET", "/live", headers=headers)
        answer = line.getresponse()
        self.begun += answer.status == 200
        name, topic = "", ""
        try:
            while time.monotonic() < self._until and (text := answer.readline()):
                name, _, value = text.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.last = value
                elif name == "event":
                    topic = value
                elif name == "" and topic:
                    self.heard.append((time.monotonic(), topic, int(self.last)))
                    topic = ""
        finally:
            line.close()


def most_in_a_second(heard: list[tuple[float, str, int]]) -> dict[str, int]:
    """Topic to the most signals in any 0.9 seconds: two a second, half a second apart, with room for a late packet."""
    by_topic: dict[str, list[float]] = defaultdict(list)
    for at, topic, _ in heard:
        by_topic[topic].append(at)
    return {
        topic: max(sum(1 for one in times if at <= one < at + 0.9) for at in times) for topic, times in by_topic.items()
    }


def rate(heard: list[tuple[float, str, int]]) -> dict[str, float]:
    """Topic to signals a second, from its first to its last; of topics with four and more."""
    by_topic: dict[str, list[float]] = defaultdict(list)
    for at, topic, _ in heard:
        by_topic[topic].append(at)
    return {
        topic: (len(times) - 1) / max(times[-1] - times[0], 0.001)
        for topic, times in by_topic.items()
        if len(times) >= 4
    }


def measure(
    made: Site, browser: Browser, *, seconds: float, per_second: int, contexts: int, readers: int, cut: bool = True,
) -> Figures:  # fmt: skip
    """Open the pages, make the changes, cut a third of the connections and kill the console once on the way; then
    compare every page's rows with the database."""
    found = Figures()
    cookies = [made.new_session(Role.AUDITOR, name=f"Reader {at}").text for at in range(1 + readers // OF_ONE)]
    persons = [made.new_session(Role.APPROVER, name=f"Approver {at}") for at in range(1 + contexts // OF_ONE)]
    pages = [signed_in(browser, made, session=persons[at // OF_ONE]) for at in range(contexts)]
    for page in pages:
        page.goto("/approvals?view=all")
        page.evaluate("window.same = true")
    until = time.monotonic() + seconds + SETTLE_S
    streams = [Reader(made, cookies[at // OF_ONE], until) for at in range(readers)]
    for stream in streams:
        stream.start()
    port = int(made.url.rsplit(":", 1)[1])
    changes = Changes(made, per_second, seconds)
    before = cpu_of(console_of(made, port) or 0)
    spent = 0.0
    changes.start()
    begun, next_held = time.monotonic(), 0.0
    was_cut = was_back = killed = not cut
    while changes.is_alive():
        at = time.monotonic() - begun
        if at >= next_held:
            next_held += HELD_EVERY_S if seconds > 30 else 1.0
            found.held += _held(made, found.held)
        if not was_cut and at > seconds * 0.2:
            was_cut = True
            for page in pages[::3]:
                page.context.set_offline(True)
        if not was_back and at > seconds * 0.4:
            was_back = True
            for page in pages[::3]:
                page.context.set_offline(False)
        if not killed and at > seconds * 0.6:
            killed = True
            pid = console_of(made, port)
            assert pid is not None, "nobody holds the console's socket"
            spent += cpu_of(pid) - before
            before = 0.0
            os.kill(pid, signal.SIGKILL)
        now = console_of(made, port)
        with contextlib.suppress(OSError):
            found.pss_mb = max(found.pss_mb, pss_of(now) if now is not None else 0.0)
        pages[0].wait_for_timeout(250)
    within(60, lambda: console_of(made, port) is not None)
    found.cpu_s = spent + cpu_of(console_of(made, port) or 0) - before
    found.changes, found.seconds = changes.done, changes.took
    wanted = held_ids(made)
    for page in pages:
        found.wrong += _compared(page, wanted)
        page.context.close()
    for stream in streams:
        stream.join(SETTLE_S + 30)
        found.heard += len(stream.heard)
        for topic, most in most_in_a_second(stream.heard).items():
            found.signals[topic] = max(found.signals.get(topic, 0), most)
        for topic, each in rate(stream.heard).items():
            found.rates[topic] = max(found.rates.get(topic, 0), each)
        rows = [row for _, _, row in stream.heard]
        if rows != sorted(rows):
            found.wrong.append("a stream went back")
        if cut and stream.begun < 2:
            found.wrong.append("a stream did not come again after the restart")
    last = {max((row for _, topic, row in one.heard if topic == "approvals"), default=0) for one in streams}
    if len(last) > 1:
        found.wrong.append(f"the readers ended at different rows: {sorted(last)}")
    return found


def _held(made: Site, number: int) -> int:
    arguments = {"order": f"L-{number}", "amount": 150_000 + number}
    return int(made.act("till.refund", arguments=arguments, conversation="c-2")[0] < 400)


def _compared(page: Page, wanted: set[str]) -> list[str]:
    """Until the page shows what the database has, without a reload; what differs in the end."""
    deadline = time.monotonic() + 20
    while True:
        rows = page.evaluate(ROWS)
        shown = set(rows)
        if (shown == wanted and len(rows) == len(shown)) or time.monotonic() > deadline:
            break
        page.wait_for_timeout(300)
    wrong = []
    if shown != wanted:
        wrong.append(f"a page shows {len(shown)} of {len(wanted)} rows, {len(shown - wanted)} of them not there")
    if len(rows) != len(shown):
        wrong.append(f"a page shows {len(rows) - len(shown)} rows twice")
    if page.evaluate("window.same") is not True:
        wrong.append("a page was loaded anew")
    return wrong


def held_ids(made: Site) -> set[str]:
    given = settings(made.house.root, environment())

    async def work() -> set[str]:
        async with wire.opened(given, environment(), checkpoints=False) as store:
            rows = await store.acts.queued(frozenset({State.HELD}), limit=200)
            return {str(row.action) for row in rows}

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work()).result()


def console_of(made: Site, port: int) -> int | None:
    """The child that holds the console's socket; None while there is none."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = [line[9] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"]
    pids = list(_children(made.server.process.pid)) if inodes else []
    return next((pid for pid in pids if _holds(pid, f"socket:[{inodes[0]}]")), None)


def _children(parent: int) -> Iterator[int]:
    yield from map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


def _holds(pid: int, name: str) -> bool:
    with contextlib.suppress(OSError):
        return any(os.readlink(one) == name for one in Path(f"/proc/{pid}/fd").iterdir())
    return False


def cpu_of(pid: int) -> float:
    """Seconds in all, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_of(pid: int) -> float:
    """MB."""
    line = next(one for one in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if one.startswith("Pss:"))
    return int(line.split()[1]) / 1024
