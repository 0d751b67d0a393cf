"""Lists for a spreadsheet: comma-separated, UTF-8 (RFC 4180). Pure.

Promise: CON-14. What stands in a list comes from customers, models and callers, and a spreadsheet takes what begins
like a formula for one: such a text begins with an apostrophe here, which a spreadsheet hides. Numbers stay numbers.
Source: OWASP, CSV injection.
"""

import csv
import io
from collections.abc import Iterable, Sequence

STEERS = frozenset("=+-@＝＋－＠﹢﹣﹦﹫")
"""Also in full and small width, which some spreadsheets read as the same."""
_FIRST = frozenset("\t\r\n\0")


def plain(cell: object) -> str | int | float:
    """As it is written into a cell."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    text = str(cell)
    steers = text[:1] in _FIRST or text.lstrip(" \t\r\n\0\v\f\u00a0\u200b\u2060\ufeff")[:1] in STEERS
    return f"'{text}" if text and steers else text


def sheet(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """`heads`: ours. Every cell below them is `plain`."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(heads)
    out.writerows([plain(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
