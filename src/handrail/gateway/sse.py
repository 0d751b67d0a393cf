"""Server-sent events, incrementally: bytes in, whole events out, each with its own bytes.

Source: the WHATWG specification of event streams; lines may end in LF, CR LF or CR. Comments and fields other than
`event` and `data` stay in the event's bytes and are not read.
"""

import re
from typing import Final, NamedTuple

import orjson

from handrail.gateway.leaves import NOISE
from handrail.guard.turn import Channel, Piece
from handrail.terms.errors import Code, HandrailError

MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one event; `response.completed` repeats a whole answer."""

_ENDS = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_REACH: Final = 3
"""Bytes of an end, the longest, that may have come before its last one."""
_PIECES: Final = 1_024
"""That wait apart at most: small ones take more memory than what they hold."""


class Events:
    """Splits one stream into events."""

    __slots__ = ("_last", "_size", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._last = b""  # as much of what waits as an end may begin in

    @property
    def pending(self) -> bool:
        """Whether the beginning of an event waits for its rest."""
        return bool(self._waiting)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Every event that is now whole, its blank line included. Raises UPSTREAM_INVALID when one grows too large. A
        large one is put together once, however many pieces it comes in."""
        if self._waiting:
            near = self._last + chunk
            self._waiting.append(chunk)
            if _ENDS.search(near) is None:
                self._size += len(chunk)
                self._last = near[-_REACH:]
                if len(self._waiting) >= _PIECES:
                    self._waiting = [b"".join(self._waiting)]
                self._bounded()
                return []
            chunk = b"".join(self._waiting)
        if b"\r" not in chunk:
            parts = chunk.split(b"\n\n")
            rest = parts.pop()
            events = [part + b"\n\n" for part in parts]
        else:
            events = []
            at = 0
            for match in _ENDS.finditer(chunk):
                events.append(chunk[at : match.end()])
                at = match.end()
            rest = chunk[at:]
        if rest or self._waiting:
            self._waiting = [rest] if rest else []
            self._size, self._last = len(rest), rest[-_REACH:]
            self._bounded()
        return events

    def _bounded(self) -> None:
        if self._size > MAX_EVENT:
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider sent an event that is too large")


_COMMENT: Final = b":\n\n"
_BOM: Final = b"\xef\xbb\xbf"
"""May stand before the first event; who reads the stream passes over it."""


def data_of(event: bytes) -> bytes:
    """The event's data; empty for a comment or an event without data."""
    if _plain(event):
        return event[6:-2]
    lines = [line for line in event.removeprefix(_BOM).splitlines() if line.startswith(b"data:")]
    return b"\n".join(line[6:] if line.startswith(b"data: ") else line[5:] for line in lines)


def bare(event: bytes, data: bytes) -> bytes:
    """The event with nothing but its data, when it also holds an id, a comment or a field that nobody reads; `data` is
    what `data_of` gave. Without data it is an empty comment, which only keeps the connection alive."""
    if not data:
        return _COMMENT
    if _plain(event) or all(line.startswith(b"data:") for line in event.splitlines() if line):
        return event
    return b"".join([b"data: " + line + b"\n" for line in data.split(b"\n")]) + b"\n"


def _plain(event: bytes) -> bool:
    """One line of data and nothing else, as nearly every event is."""
    return event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event


def event(data: bytes, name: bytes = b"") -> bytes:
    """One event as bytes."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n" if name else b"data: " + data + b"\n\n"


class Shape(NamedTuple):
    """The bytes around the text of an event that was read in full: the next event with the same bytes around a plain
    string says the same in the same place, so it need not be parsed. Where the event also holds what is new in each
    (`_HIDING`), that stands between `middle` and `after`. Implements `guard.turn.Usual`."""

    before: bytes
    after: bytes
    seam: str  # between the texts of two events, one right behind the other
    lane: str
    channel: Channel
    middle: str = ""
    noise: re.Pattern[str] | None = None

    def read(self, raw: bytes) -> tuple[str, int] | None:
        """As `guard.turn.Usual`. The text of each event is printable ASCII without the quote and the backslash."""
        before, after = self.before, self.after
        if not raw.startswith(before):
            return None
        stop = len(raw) - len(after) if raw.endswith(after) else raw.rfind(after)
        if stop <= len(before):  # not even one is whole
            return None
        between = raw[len(before) : stop]
        if not between.isascii():
            return None
        text = between.decode()
        if self.noise is not None:
            text = self._texts(text, self.noise)
        elif '"' in text:  # several events, or a text that is not plain
            texts = text.split(self.seam)
            text = "".join(texts) if all(texts) else ""
        if not text or '"' in text or "\\" in text or not text.isprintable():
            return None
        return text, stop + len(after)

    def _texts(self, between: str, noise: re.Pattern[str]) -> str:
        """The texts of events that hold noise; empty when one is no such event."""
        texts: list[str] = []
        for each in between.split(self.seam):
            text, found, behind = each.partition(self.middle)
            if not text or not found or noise.fullmatch(behind) is None:
                return ""
            texts.append(text)
        return texts[0] if len(texts) == 1 else "".join(texts)

    def piece(self, raw: bytes) -> Piece | None:
        """One event as a piece, None when it is not of this shape."""
        read = self.read(raw)
        return Piece(raw, self.lane, self.channel, read[0], True, value=self) if read is not None else None

    def text(self, new: str) -> bytes:
        """The event with another text, and without noise."""
        return self.before + orjson.dumps(new)[1:-1] + self.middle.encode() + self.after


_HIDING: Final = (
    (re.compile(rb'(".*"obfuscation": ?")([A-Za-z0-9]*)(".*)', re.DOTALL), NOISE),
    (re.compile(rb'("\})( +)(\}\s+)'), re.compile(" {0,80}")),
)
"""What providers put behind a text to hide how long it is: its place behind the text, and what may stand there."""


def shape_of(raw: bytes, mark: bytes, text: str, lane: str, channel: Channel) -> Shape | None:
    """The shape of an event whose text stands behind `mark` (such as `"content":"`, with a space behind the colon or
    not); None unless that is certain: without a backslash each name stands as it is, and this one stands once."""
    name = mark[:-2]
    if b"\\" in raw or raw.count(name) != 1:
        return None
    at = raw.find(name) + len(name)
    at += 3 if raw.startswith(b': "', at) else 2
    written = text.encode() + b'"'
    if raw[at - 1 : at] != b'"' or not raw.startswith(written, at):
        return None
    before, after, middle, noise = raw[:at], raw[at + len(written) - 1 :], "", None
    for place, form in _HIDING:
        found = place.fullmatch(after)
        if found is not None and form.fullmatch(found[2].decode()) is not None:
            middle, after, noise = found[1].decode(), found[3], form
            break
    return Shape(before, after, (after + before).decode(), lane, channel, middle, noise)
