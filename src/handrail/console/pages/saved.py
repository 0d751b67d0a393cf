"""Saved views: a person's own bookmarks of pages with their filters: add, rename, delete."""

from handrail.console.answers import Again, Go
from handrail.console.here import Here
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.console.saved import kept, page_of
from handrail.console.views.saved import Saved, saved
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.saved import RemoveView, RenameView, SaveView
from handrail.terms.errors import Code, HandrailError

TOLD = frozenset({Code.REQUEST_INVALID, Code.ALREADY, Code.NOT_ALLOWED, Code.NOT_FOUND, Code.LOST_RACE})


class AddAsked(Asked, frozen=True, kw_only=True):
    """`address`: of a page of ours, with its query."""

    name: str = ""
    address: str = ""


class RenameAsked(Asked, frozen=True, kw_only=True):
    id: str
    name: str = ""


class RemoveAsked(Asked, frozen=True, kw_only=True):
    id: str


async def show(visitor: Visitor, asked: Asked, here: Here) -> Saved:
    return await _view(visitor, here)


async def add(visitor: Visitor, asked: AddAsked, here: Here) -> Go | Again:
    """Back to the page that was saved."""
    try:
        address = kept(asked.address, here.rows, visitor.roles)
        command = SaveView(ids=here.ports.ids, name=asked.name, address=address, token=visitor.token)
        made = await here.ports.journal.run(command)
    except HandrailError as problem:
        return await _refused(visitor, here, problem, name=asked.name, address=asked.address)
    return Go(made.address, here.words(N_("Saved as {name}."), name=made.name))


async def rename(visitor: Visitor, asked: RenameAsked, here: Here) -> Go | Again:
    try:
        made = await here.ports.journal.run(RenameView(view=asked.id, name=asked.name, token=visitor.token))
    except HandrailError as problem:
        return await _refused(visitor, here, problem)
    return Go("/saved", here.words(N_("It is called {name} now."), name=made.name))


async def remove(visitor: Visitor, asked: RemoveAsked, here: Here) -> Go | Again:
    try:
        gone = await here.ports.journal.run(RemoveView(view=asked.id, token=visitor.token))
    except HandrailError as problem:
        return await _refused(visitor, here, problem)
    return Go("/saved", here.words(N_("{name} is deleted. The page itself stays as it was."), name=gone.name))


async def _refused(visitor: Visitor, here: Here, problem: HandrailError, *, name: str = "", address: str = "") -> Again:
    if problem.code not in TOLD:
        raise problem
    if address and page_of(address, here.rows, visitor.roles) is None:
        address = ""
    error = told_why(problem, here.words)
    return Again(await _view(visitor, here, error=error, name=name, address=address), "saved.html")


async def _view(visitor: Visitor, here: Here, *, error: str = "", name: str = "", address: str = "") -> Saved:
    mine = await here.ports.people.views(visitor.person)
    opens = {one.id: page_of(one.address, here.rows, visitor.roles) for one in mine}
    return saved(mine, opens, here.words, error=error, name=name, address=address)


ROUTES = (
    Route(
        name="saved", path="/saved", title=N_("Saved views"), handler=show, roles=EVERYONE, template="saved.html"
    ),
    Route(
        name="saved.add", path="/saved", title=N_("Saved views"), verb=Verb.POST, handler=add, asks=AddAsked,
        roles=EVERYONE, template="saved.html",
    ),
    Route(
        name="saved.rename", path="/saved/{id}/rename", title=N_("Saved views"), verb=Verb.POST, handler=rename,
        asks=RenameAsked, roles=EVERYONE, template="saved.html",
    ),
    Route(
        name="saved.remove", path="/saved/{id}/delete", title=N_("Saved views"), verb=Verb.POST, handler=remove,
        asks=RemoveAsked, roles=EVERYONE, template="saved.html",
    ),
)  # fmt: skip
