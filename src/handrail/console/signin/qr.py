"""A QR code as the path of an SVG, drawn by the server: no script, no picture from elsewhere, nothing kept. Pure.

Source: ISO/IEC 18004 by the `segno` library; level M, which a phone reads from a screen also where a reflection hides
some of it, and the quiet zone of four modules that the standard asks for.
"""

from dataclasses import dataclass, field

import segno

QUIET = 4
MOST = 1_000
"""Characters; an address of an app has about 150."""


@dataclass(frozen=True, slots=True)
class Qr:
    """`size`: of the square's side in modules, the quiet zone included. `path`: for `d` of a `path`, dark modules. It
    says what the text says, so it is as secret as that."""

    size: int
    path: str = field(repr=False)


def drawn(text: str) -> Qr | None:
    """None for what is too long to be read from a screen: the page then shows the key alone."""
    if len(text) > MOST:
        return None
    try:
        rows = [bytes(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix]
    except segno.DataOverflowError:
        return None
    steps = [
        f"M{at + QUIET} {line + QUIET}h{length}v1h-{length}z"
        for line, row in enumerate(rows)
        for at, length in _runs(row)
    ]
    return Qr(len(rows) + 2 * QUIET, "".join(steps))


def _runs(row: bytes) -> list[tuple[int, int]]:
    """Where dark modules begin, and how many follow."""
    found, at = [], 0
    while at < len(row):
        length = 0
        while at + length < len(row) and row[at + length]:
            length += 1
        if length:
            found.append((at, length))
        at += length or 1
    return found
