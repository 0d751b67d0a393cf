"""One row per thing that can be asked of the console: the address, who may, whether it changes something.

Starlette's routes, the navigation, the `?` sheet, the palette, the JSON API and the test of every role against every
route are made from these rows. Nobody may do what has no row; a row without roles lets nobody in. GET never changes
anything: its handler gets a journal that refuses.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.role import Role

if TYPE_CHECKING:
    from handrail.console.here import Here

EVERYONE = frozenset(Role)
"""All who are signed in, whatever their role."""
FRESH_MS = 5 * 60_000
"""How long ago somebody may have proved who she is, for what asks for that; `console.sign_in.fresh_minutes` says."""


class Verb(StrEnum):
    GET = "GET"
    POST = "POST"


class Group(StrEnum):
    """Groups of the navigation, in their order."""

    OPERATE = "operate"
    CHANGE = "change"
    IMPROVE = "improve"
    GOVERN = "govern"


GROUP_NAMES = {
    Group.OPERATE: N_("Operate"),
    Group.CHANGE: N_("Change"),
    Group.IMPROVE: N_("Improve"),
    Group.GOVERN: N_("Govern"),
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: parts of the path, of the query (GET) or of the form (POST), by name and converted to the types of
    a subclass's fields. What a subclass does not name is ignored."""


Handler = Callable[[Any, Any, "Here"], Awaitable[object]]
"""(visitor, asked, here) -> a view model, or one of `answers`. On a public route the visitor may be None."""


@dataclass(frozen=True, slots=True)
class Nav:
    """`icon`: of the symbols in `templates/parts/icons.html`. `count`: which number of the frame stands beside it."""

    group: Group
    icon: str
    order: int
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`name`: unique, `page.what`; `url(name, ...)` in templates. `title`: marked by N_. `template`: empty for what
    answers with a redirect or a file; on POST for what shows a page without going on, such as text revealed once.
    `fresh`: only for who proved lately who she is; a handler that finds out later raises `answers.NeedsFresh`.
    `public`: without signing in. `key`: pressed after G. `api`: also under /api, as JSON."""

    name: str
    path: str
    title: str
    handler: Handler
    roles: frozenset[Role] = frozenset()
    verb: Verb = Verb.GET
    asks: type[Asked] = Asked
    template: str = ""
    fresh: bool = False
    public: bool = False
    nav: Nav | None = None
    key: str = ""
    api: bool = True

    @property
    def changes(self) -> bool:
        return self.verb is not Verb.GET

    @property
    def page(self) -> str:
        """The part of the name before the first dot: what a navigation entry stands for."""
        return self.name.split(".")[0]


class Entry(StrEnum):
    """What becomes of one who knocks."""

    COME_IN = "come_in"
    SIGN_IN = "sign_in"
    DENIED = "denied"
    PROVE = "prove"  # sign in anew: too long ago for this


def entry(route: Route, visitor: Visitor | None, *, now_ms: int, fresh_ms: int = FRESH_MS) -> Entry:
    """Whether this visitor may ask this. Denies whoever no row lets in; pure."""
    if route.public:
        return Entry.COME_IN
    if visitor is None:
        return Entry.SIGN_IN
    if not visitor.roles & route.roles:
        return Entry.DENIED
    if route.fresh and not is_fresh(visitor, now_ms=now_ms, fresh_ms=fresh_ms):
        return Entry.PROVE
    return Entry.COME_IN


def is_fresh(visitor: Visitor, *, now_ms: int, fresh_ms: int = FRESH_MS) -> bool:
    return 0 <= now_ms - visitor.authenticated_at < fresh_ms


def checked(rows: Iterable[Route]) -> tuple[Route, ...]:
    """The table. Raises ValueError for rows that contradict each other: a slip of a page's author."""
    table = tuple(rows)
    names = [row.name for row in table]
    places = [f"{row.verb} {row.path}" for row in table]
    keys = [row.key for row in table if row.key]
    for what, all_ in (("name", names), ("verb and path", places), ("key", keys)):
        if len(set(all_)) < len(all_):
            raise ValueError(f"two routes have the same {what}: {sorted(all_)}")
    for row in table:
        if not row.roles and not row.public:
            raise ValueError(f"route {row.name} lets nobody in: give roles")
        if not row.path.startswith("/"):
            raise ValueError(f"route {row.name}: a path begins with /")
    return table


def shows(table: Iterable[Route], row: Route, path: str) -> str:
    """The address that shows a page anew which `row` answered when `path` was asked: of a form's answer the page that
    the form stood on; where no row of GET shows it, `/error`, which has the navigation."""
    asked = path.split("/")
    looks = [one for one in table if not one.changes and one.template and one.page == row.page]
    for one in sorted(looks, key=lambda each: -each.path.count("/")):
        pieces = one.path.split("/")
        pairs = zip(pieces, asked, strict=False)
        if len(pieces) <= len(asked) and all(piece == part or piece[:1] == "{" for piece, part in pairs):
            return "/".join(asked[: len(pieces)])
    return "/error"
