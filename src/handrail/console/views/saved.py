"""A person's saved views, to open, rename and delete; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.console.routes import Route
from handrail.console.words import N_, Words
from handrail.people.saved import MOST
from handrail.people.saved_view import SavedView


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`address`: empty where it opens nothing any more. `page`: what it is a view of."""

    id: str
    name: str
    address: str
    page: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """`name`, `address`: of one that was not saved, to be corrected; `error` says why."""

    rows: tuple[Row, ...]
    said: str
    error: str = ""
    name: str = ""
    address: str = ""


def saved(
    mine: Sequence[SavedView], opens: Mapping[str, Route | None], words: Words, *, error: str = "", name: str = "",
    address: str = "",
) -> Saved:  # fmt: skip
    """`opens`: the page of each, None where it opens nothing for her now."""
    return Saved(
        rows=tuple(_row(one, opens.get(one.id), words) for one in mine),
        said=words(
            N_("{n} of at most {most}. Yours alone: nobody else sees them, and they open what your roles do."),
            n=words.number(len(mine)), most=words.number(MOST),
        ),
        error=error, name=name, address=address,
    )  # fmt: skip


def _row(one: SavedView, route: Route | None, words: Words) -> Row:
    if route is None:
        gone = words(N_("It opens nothing for you now: the page is gone, or your roles changed."))
        return Row(id=one.id, name=one.name, address="", page="–", said=gone)
    _, _, query = one.address.partition("?")
    return Row(id=one.id, name=one.name, address=one.address, page=words(route.title), said=query.replace("&", ", "))
