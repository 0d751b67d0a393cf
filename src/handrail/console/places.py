"""Where each row of the table can be seen: from the first pages along the links of answers. Pure: who asks is given.

The demo's checks, the pictures of the guides and the tests that go over every page walk by this, so a new page is taken
in without a line of theirs.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from handrail.console.routes import Route, Verb

EACH = 3
"""Addresses of one row, unless told otherwise: the first that are linked to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`type`: media type without its parameters."""

    status: int
    type: str
    body: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One address that was asked. `linked`: a page leads there; else it is where every walk begins."""

    row: Route
    address: str
    answer: Answer
    linked: bool


def walk(rows: Sequence[Route], ask: Callable[[str], Answer], *, each: int = EACH) -> Iterator[Seen]:
    """Every row of GET without places in its path, and from there what is linked, at most `each` addresses of a row,
    the shortest way first."""
    looks = [row for row in rows if row.verb is Verb.GET]
    waiting = deque((row.path, False) for row in looks if "{" not in row.path)
    found = {address for address, _ in waiting}
    asked: dict[str, int] = {}
    while waiting:
        address, linked = waiting.popleft()
        row = row_of(looks, address)
        if row is None or asked.get(row.name, 0) >= each:
            continue
        asked[row.name] = asked.get(row.name, 0) + 1
        answer = ask(address)
        yield Seen(row, address, answer, linked)
        for target in links(answer.body) if answer.type == "text/html" else ():
            if target not in found:
                found.add(target)
                waiting.append((target, True))


def row_of(rows: Sequence[Route], address: str) -> Route | None:
    """The row that answers this address: one without places before one with."""
    path = address.partition("?")[0]
    fitting = [row for row in rows if _pattern(row.path).fullmatch(path)]
    return min(fitting, key=lambda row: row.path.count("{"), default=None)


def links(html: str) -> list[str]:
    """Local addresses that a page leads to, in their order, without fragments and without parts of a page."""
    reader = _Links()
    reader.feed(html)
    return reader.found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            target = (value or "").partition("#")[0]
            local = target.startswith("/") and not target.startswith("//") and "part=" not in target
            if local and ((name == "href" and tag == "a") or name == "hx-get"):
                self.found.append(target)


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{[^}]+\})", path)
    return re.compile(
        "".join(
            (".+" if piece.endswith(":path}") else "[^/]+") if piece[:1] == "{" else re.escape(piece)
            for piece in pieces
        )
    )
