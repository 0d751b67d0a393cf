"""What stands around every page: navigation with its numbers, the palette, the keys, who is signed in. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from handrail.console.keys import Key, shown
from handrail.console.role_names import ROLE_NAMES as ROLE_NAMES
from handrail.console.routes import GROUP_NAMES, Group, Nav, Route, Verb
from handrail.console.saved import kept, page_of
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.people.saved_view import SavedView
from handrail.terms.errors import HandrailError


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits for a person, in the whole house. None: it could not be read."""

    approvals: int | None = None
    incidents: int | None = None
    alerts: int | None = None


@dataclass(frozen=True, slots=True)
class NavItem:
    name: str
    path: str
    title: str
    icon: str
    here: bool
    count: str
    tone: str


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class SheetKey:
    """`keys`: each as its badge shows it."""

    keys: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    keys: tuple[SheetKey, ...]


@dataclass(frozen=True, slots=True)
class SavedItem:
    name: str
    path: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`palette`: (label, address) of what can be jumped to. `table`: the keys for `app.js`. `go`: second key to
    address. `languages`: code to name. `saved`: her views of this page; `may_save`: it can be saved as it is."""

    organisation: str
    version: str
    groups: tuple[NavGroup, ...]
    palette: tuple[tuple[str, str], ...]
    sheets: tuple[Sheet, ...]
    table: tuple[tuple[str, tuple[str, ...], str], ...]
    go: tuple[tuple[str, str], ...]
    initials: str
    name: str
    roles: str
    languages: tuple[tuple[str, str], ...]
    saved: tuple[SavedItem, ...] = ()
    may_save: bool = False


JUMPS = ("stop",)
TONES = {"approvals": "hold", "incidents": "deny", "alerts": "hold"}
PAGE_NAMES = {"global": N_("Everywhere"), "list": N_("In lists")}


def frame(
    routes: Iterable[Route],
    keys: Iterable[Key],
    route: Route,
    visitor: Visitor | None,
    counts: Counts,
    words: Words,
    *,
    organisation: str,
    version: str,
    languages: Mapping[str, str],
    views: Sequence[SavedView] = (),
    address: str = "",
) -> Frame:
    """Only what this visitor may ask for is in it. `views`: that she saved. `address`: of the page, empty for a part of
    one."""
    table = list(routes)
    opens = [(one, row) for one in views if visitor and (row := page_of(one.address, table, visitor.roles)) is not None]
    mine = [
        row for row in table
        if row.verb is Verb.GET and row.nav is not None and visitor is not None and visitor.roles & row.roles
    ]  # fmt: skip
    mine.sort(key=lambda row: (list(Group).index(_nav(row).group), _nav(row).order))
    here = [key for key in keys if key.page in (route.page, *PAGE_NAMES)]
    return Frame(
        organisation=organisation,
        version=version,
        groups=tuple(_groups(mine, route, counts, words)),
        palette=(
            *((words(row.title), row.path) for row in [*mine, *_besides(table, visitor)]),
            *((words(N_("View: {name}"), name=one.name), one.address) for one, _ in opens),
        ),
        sheets=tuple(_sheets(mine, here, route, words)),
        table=tuple((key.name, key.keys, key.does.value) for key in here),
        go=tuple((row.key, row.path) for row in mine if row.key),
        initials="".join(part[0] for part in visitor.name.split()[:2]).upper() if visitor else "",
        name=visitor.name if visitor else "",
        roles=", ".join(words(ROLE_NAMES[role.value]) for role in sorted(visitor.roles)) if visitor else "",
        languages=tuple(languages.items()),
        saved=tuple(
            SavedItem(one.name, one.address, one.address == address) for one, row in opens if row.name == route.name
        ) if route.nav is not None else (),
        may_save=route.nav is not None and "?" in address and all(one.address != address for one in views)
        and _savable(address, table, visitor),
    )  # fmt: skip


def _besides(routes: Iterable[Route], visitor: Visitor | None) -> list[Route]:
    """What the palette leads to besides the navigation."""
    return [
        row for row in routes if row.name in JUMPS and visitor is not None and visitor.roles & row.roles
    ]  # fmt: skip


def _savable(address: str, table: Sequence[Route], visitor: Visitor | None) -> bool:
    try:
        return visitor is not None and "?" in kept(address, table, visitor.roles)
    except HandrailError:
        return False


def _nav(row: Route) -> Nav:
    assert row.nav is not None
    return row.nav


def _groups(mine: list[Route], route: Route, counts: Counts, words: Words) -> list[NavGroup]:
    found = []
    for group in Group:
        items = tuple(
            NavItem(
                name=row.name, path=row.path, title=words(row.title), icon=_nav(row).icon, here=row.page == route.page,
                count=_count(counts, _nav(row).count, words), tone=TONES.get(_nav(row).count, ""),
            )
            for row in mine if _nav(row).group is group
        )  # fmt: skip
        if items:
            found.append(NavGroup(words(GROUP_NAMES[group]), items))
    return found


def _count(counts: Counts, name: str, words: Words) -> str:
    value = getattr(counts, name) if name else None
    return words.number(value) if value else ""


def _sheets(mine: list[Route], keys: list[Key], route: Route, words: Words) -> list[Sheet]:
    pages = list(dict.fromkeys(key.page for key in keys))
    sheets = [
        Sheet(
            words(PAGE_NAMES[page]) if page in PAGE_NAMES else words(route.title),
            tuple(
                SheetKey(tuple(shown(each) for each in key.keys), words(key.label)) for key in keys if key.page == page
            ),
        )
        for page in sorted(pages, key=lambda name: name in PAGE_NAMES)
    ]
    go = tuple(SheetKey(("G", row.key.upper()), words(row.title)) for row in mine if row.key)
    return [*sheets, Sheet(words(N_("Go to a page")), go)] if go else sheets
