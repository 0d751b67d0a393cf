"""Signals that something changed, and never what: each open page hears a topic's name and asks again for its own parts,
so that who may see what is decided in one place.

The ledger's growth is looked at twice a second while anybody listens; a look says at most one signal per topic, and a
stream says nothing for `GAP_S` after it said something, so no page hears more than two a second of one topic, also when
it begins between two looks. A signal's id is the ledger's row: a stream that broke goes on from the
last one it heard, and a restarted console knows from the ledger what was missed. A browser opens one stream (`app.js`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from handrail.console.here import READING
from handrail.console.ports import Tail
from handrail.ledger.entry import EntryKind
from handrail.terms.errors import HandrailError

log = logging.getLogger("handrail.console")
EVERY_S = 0.5
GAP_S = 0.75
"""More than half a second: a second holds no third signal, also when one of them came half a second late."""
COMMENT_S = 15.0
MOST_STREAMS, MOST_OF_ONE = 2_000, 20
"""Of all, and of one person: a browser needs one."""
LOOK_AGAIN_S = 15.0
"""How often a stream asks whether its session is still good; at once when something about people changed."""
MOST_MISSED = 10_000
"""Rows of the ledger: who missed more hears of every topic, and nothing is counted."""
TOPICS: Mapping[str, tuple[str, ...]] = {
    "approvals": ("action", "drill", "stop"),
    "interactions": ("interaction", "payload", "subject", "finding", "flag"),
    "releases": ("release", "probe", "trial"),
    "incidents": ("incident",),
    "alerts": ("alert", "baseline"),
    "outcomes": ("outcome",),
    "stops": ("stop",),
    "in_force": ("ruleset", "release", "stop", "key", "autonomy"),
    "people": ("person", "token", "key", "session", "factor"),
    "ledger": ("log_key", "sealing_key", "backup", "server", "retention", "legal_hold"),
    "notices": ("notice",),
}
"""Topic to the areas of entry kinds (what stands before the dot) that it is about."""


def topics_of(kind: str) -> tuple[str, ...]:
    """Topics of a kind of entry; none for that somebody read: pages that record reading would renew each other."""
    if kind in READING:
        return ()
    area = kind.split(".")[0]
    return tuple(topic for topic, areas in TOPICS.items() if area in areas)


Still = Callable[[], Awaitable[bool]]
"""Whether the session that a stream belongs to is good. Raises HandrailError JOURNAL_UNAVAILABLE."""
TOPICS_OF = {kind.value: topics_of(kind.value) for kind in EntryKind}


@dataclass(slots=True)
class _Hub:
    row: int = -1
    last: dict[str, int] = field(default_factory=dict)  # topic to the last row that was about it
    streams: int = 0
    of: Counter[str] = field(default_factory=Counter)  # person to her streams


class Live:
    """`run` looks; `stream` is what one browser hears. When the database does not answer, streams stay open and hear
    comments only; after it answers again they hear what they missed."""

    def __init__(self, tail: Tail, *, gap_s: float = GAP_S) -> None:
        self._tail = tail
        self._gap_s = gap_s
        self._hub = _Hub()
        self._news = asyncio.Event()
        self._ended = False

    def end(self) -> None:
        """Every stream ends now; browsers come again."""
        self._ended = True
        self._news.set()

    def is_full(self, who: str) -> bool:
        """Whether no more streams are opened, of all or for this person."""
        return self._hub.streams >= MOST_STREAMS or self._hub.of[who] >= MOST_OF_ONE

    @property
    def streams(self) -> int:
        return self._hub.streams

    async def run(self) -> None:
        """Look again and again until cancelled."""
        answered = True
        while True:
            try:
                if self._hub.streams or self._hub.row < 0:
                    await self.look()
                answered = True
            except HandrailError as error:
                if answered:
                    log.warning("console.live_unanswered", extra={"code": error.code.value})
                answered = False
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """One look. Raises HandrailError JOURNAL_UNAVAILABLE."""
        hub = self._hub
        if hub.row < 0:
            hub.row = await self._tail.newest()
            return
        kinds = await self._tail.kinds_after(hub.row)
        if not kinds:
            return
        for kind, row in kinds.items():
            for topic in TOPICS_OF.get(kind, ()):
                hub.last[topic] = max(row, hub.last.get(topic, 0))
        hub.row = max(kinds.values())
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def now(self) -> int:
        """The row up to which a page that is read after this knows everything; its stream goes on from there. 0 when
        the database does not answer: then the page hears of everything once."""
        try:
            if self._hub.row < 0 or not self._hub.streams:
                await self.look()
        except HandrailError:
            return 0
        return max(self._hub.row, 0)

    async def stream(self, heard: int | None, *, who: str = "", still: Still | None = None) -> AsyncIterator[bytes]:
        """Server-sent events. `heard`: the row of the last signal that this browser got, None: it begins now. It ends
        when `still` says that the session of `who` is over; while the database does not answer it stays open."""
        self._hub.streams += 1
        self._hub.of[who] += 1
        try:
            seen, missed = await self._begin(heard)
            yield f"retry: 1000\nid: {max(seen, 0)}\ndata:\n\n{missed}".encode()
            if missed:
                await asyncio.sleep(self._gap_s)
            clock = asyncio.get_running_loop().time
            looked = clock()
            while not self._ended:
                news = self._news
                told, seen = self._after(seen)
                if any("event: people" in each for each in told) or clock() - looked >= LOOK_AGAIN_S:
                    looked = clock()
                    if not await _is_good(still):
                        return
                if told:
                    yield "".join(told).encode()
                    await asyncio.sleep(self._gap_s)
                    continue
                try:
                    await asyncio.wait_for(news.wait(), COMMENT_S)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._hub.streams -= 1
            self._hub.of[who] -= 1
            if not self._hub.of[who]:
                del self._hub.of[who]

    async def _begin(self, heard: int | None) -> tuple[int, str]:
        """The row from which it goes on, and the signals for one who missed too much to be told what."""
        if self._hub.row < 0:
            await self.look()
        elif self._hub.streams == 1:
            await self.look()  # nobody listened, so nobody looked
        if heard is None or heard > self._hub.row:
            return self._hub.row, ""
        if self._hub.row - heard > MOST_MISSED:
            return self._hub.row, "".join(_signal(self._hub.row, topic) for topic in TOPICS)
        for kind, row in (await self._tail.kinds_after(heard)).items():
            for topic in TOPICS_OF.get(kind, ()):
                self._hub.last[topic] = max(row, self._hub.last.get(topic, 0))
        return heard, ""

    def _after(self, seen: int) -> tuple[list[str], int]:
        """In the order of their rows, so that the last id says that all before it were told."""
        new = sorted((row, topic) for topic, row in self._hub.last.items() if row > seen)
        return [_signal(row, topic) for row, topic in new], new[-1][0] if new else seen


def _signal(row: int, topic: str) -> str:
    return f"id: {row}\nevent: {topic}\ndata: {row}\n\n"


async def _is_good(still: Still | None) -> bool:
    try:
        return still is None or await still()
    except HandrailError:
        return True
