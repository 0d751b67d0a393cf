"""Memory that the workers of one server share: a place each, in which it publishes its latest snapshot of metrics.

The parent makes it before it forks, in a file without a name, so it lives as long as the server and outlives any
worker. A place has two halves:
a worker writes into the one that is not shown and then turns the page by a single store of eight bytes. A worker killed
in between leaves the page as it was.
"""

import mmap
import os
import struct
import tempfile

HALF = 1 << 20
"""Bytes of one snapshot at most; a larger one is not published, and the last that fitted stays."""

_HEAD = struct.Struct("@Q")  # native: one aligned store; the standard forms store byte by byte
_HEAD_SIZE = 64  # a cache line of its own
_LENGTH = (
    1 << 32
) - 1  # the upper half counts snapshots, and its lowest bit says which half of the place holds this one


class Board:
    """Places 0 to `places` - 1. Untouched memory costs nothing. `descriptor`: of the file, for a process that does not
    have this object by a fork."""

    def __init__(self, places: int, descriptor: int | None = None) -> None:
        """`descriptor`: of a board that is there already."""
        self._places = places
        self._size = _HEAD_SIZE + 2 * HALF
        self.descriptor = _file(places * self._size) if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, places * self._size)

    def write(self, place: int, snapshot: bytes) -> None:
        """Publish; only the worker of this place may."""
        if len(snapshot) > HALF:
            return
        base = place * self._size
        (head,) = _HEAD.unpack_from(self._memory, base)
        count = ((head >> 32) + 1) & _LENGTH
        start = base + _HEAD_SIZE + (count & 1) * HALF
        self._memory[start : start + len(snapshot)] = snapshot
        _HEAD.pack_into(self._memory, base, count << 32 | len(snapshot))

    def read(self, place: int) -> bytes:
        """The latest snapshot of a place, empty when there is none. Reads again when the page was turned meanwhile;
        a worker publishes once a second and on a scrape, so that ends at once."""
        base = place * self._size
        while True:
            (head,) = _HEAD.unpack_from(self._memory, base)
            start = base + _HEAD_SIZE + (head >> 32 & 1) * HALF
            found = self._memory[start : start + (head & _LENGTH)]
            if _HEAD.unpack_from(self._memory, base) == (head,):  # else the page was turned while it was read
                return found

    def all(self) -> list[bytes]:
        """Of every place."""
        return [self.read(place) for place in range(self._places)]


def _file(size: int) -> int:
    """In memory; where the system has no such file, one on disk that is deleted already."""
    if hasattr(os, "memfd_create"):
        made = os.memfd_create("handrail-board")
    else:
        with tempfile.TemporaryFile() as file:
            made = os.dup(file.fileno())
    os.ftruncate(made, size)
    return made
