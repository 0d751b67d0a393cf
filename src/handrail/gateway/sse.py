"""Server-sent events, incrementally: bytes in, whole events out, each with its own bytes.

Source: the WHATWG specification of event streams; lines may end in LF, CR LF or CR. Comments and fields other than
`event` and `data` stay in the event's bytes and are not read.
"""

import re

from handrail.terms.errors import Code, HandrailError

MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one event; `response.completed` repeats a whole answer."""

_ENDS = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")


class Events:
    """Splits one stream into events."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Every event that is now whole, its blank line included. Raises UPSTREAM_INVALID when one grows too large."""
        data = self._rest + chunk if self._rest else chunk
        if b"\r" not in data:
            parts = data.split(b"\n\n")
            rest = parts.pop()
            events = [part + b"\n\n" for part in parts]
        else:
            events = []
            at = 0
            for match in _ENDS.finditer(data):
                events.append(data[at : match.end()])
                at = match.end()
            rest = data[at:]
        if len(rest) > MAX_EVENT:
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider sent an event that is too large")
        self._rest = rest
        return events


def data_of(event: bytes) -> bytes:
    """The event's data; empty for a comment or an event without data."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(line[6:] if line.startswith(b"data: ") else line[5:] for line in lines)


def event(data: bytes, name: bytes = b"") -> bytes:
    """One event as bytes."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n" if name else b"data: " + data + b"\n\n"
