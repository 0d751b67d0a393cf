"""One table of keys: what `app.js` handles, what the badges show, what the `?` sheet lists, what the tests press.

A key acts on the page's element that carries its name (`data-act="approvals.approve"`, written by `act(...)` in a
template), so a badge without a handler cannot be written. Single keys stop in text fields and can be switched off;
`Ctrl` combinations work there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from handrail.console.words import N_


class Does(StrEnum):
    """press: click the element. focus: put the cursor into it. The others are known to `app.js` by name."""

    PRESS = "press"
    FOCUS = "focus"
    SHEET = "sheet"
    PALETTE = "palette"
    CLOSE = "close"
    NEXT = "next"
    PREVIOUS = "previous"
    OPEN = "open"
    SELECT = "select"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`name`: unique, `page.what`; `global.what` works everywhere. `keys`: as the browser names them, each alone doing
    the same; `Control+Enter` for a combination. `label`: marked by N_."""

    name: str
    keys: tuple[str, ...]
    label: str
    does: Does = Does.PRESS

    @property
    def page(self) -> str:
        return self.name.split(".")[0]

    @property
    def single(self) -> bool:
        """Whether it can be switched off: it is no combination."""
        return not any(key.startswith("Control+") for key in self.keys)


GLOBAL = (
    Key(name="global.sheet", keys=("?",), label=N_("All keys"), does=Does.SHEET),
    Key(name="global.palette", keys=("Control+k",), label=N_("Search or jump to"), does=Does.PALETTE),
    Key(name="global.filter", keys=("/",), label=N_("Filter this list"), does=Does.FOCUS),
    Key(name="global.close", keys=("Escape",), label=N_("Close"), does=Does.CLOSE),
    Key(name="list.next", keys=("j",), label=N_("Next row"), does=Does.NEXT),
    Key(name="list.previous", keys=("k",), label=N_("Row before"), does=Does.PREVIOUS),
    Key(name="list.open", keys=("Enter",), label=N_("Open the row"), does=Does.OPEN),
    Key(name="list.select", keys=("x",), label=N_("Select the row"), does=Does.SELECT),
)
EVERYWHERE = frozenset({"global", "list"})
SHOWN = {"Escape": "Esc", "Enter": "↵", "ArrowUp": "↑", "ArrowDown": "↓"}


def checked(rows: Iterable[Key]) -> tuple[Key, ...]:
    """The table. Raises ValueError when two keys of one page collide, or one of a page with one that works everywhere;
    Escape, `?` and the palette belong to all."""
    table = tuple(rows)
    seen: dict[tuple[str, str], str] = {}
    everywhere = {key for row in table if row.page in EVERYWHERE for key in row.keys}
    for row in table:
        if row.name in {other.name for other in table if other is not row}:
            raise ValueError(f"two keys have the name {row.name}")
        for key in row.keys:
            if (row.page, key) in seen or (row.page not in EVERYWHERE and key in everywhere):
                raise ValueError(f"{row.name}: the key {key} is taken")
            if key == "g" or "Alt+" in key:
                raise ValueError(f"{row.name}: {key} is kept for going to pages, or for the browser")
            seen[row.page, key] = row.name
    return table


def shown(key: str) -> str:
    """As a badge shows it."""
    return " ".join(SHOWN.get(part, part.upper() if len(part) == 1 else part) for part in _parts(key))


def _parts(key: str) -> list[str]:
    return ["Ctrl", *key.removeprefix("Control+").split("+")] if key.startswith("Control+") else [key]
