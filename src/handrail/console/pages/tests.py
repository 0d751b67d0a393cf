"""Tests and probes: what runs showed, per use case and one by one. Tests run where the cases are: by the command."""

from handrail.console.answers import File
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route
from handrail.console.views.tests import RunDetail, Tests, as_csv, listing, run_detail, wanted
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.terms.ids import UseCaseId
from handrail.trials.store import Run

MOST = 300
"""Runs that are read: probes may make thousands."""
INCIDENTS = 200


class ListAsked(Asked, frozen=True, kw_only=True):
    """`cut`: one of `views.tests.CUTS`."""

    use_case: str = ""
    cut: str = ""
    page: int = 1


class ShowAsked(Asked, frozen=True, kw_only=True):
    id: str


async def list_(visitor: Visitor, asked: ListAsked, here: Here) -> Tests:
    runs = await _runs(asked, here)
    return listing(
        runs, await here.ports.incidents.listed(all_states=True, limit=INCIDENTS), here.ports.in_force.current,
        here.words, use_case=asked.use_case, cut=asked.cut, page=max(asked.page, 1), cut_off=len(runs) == MOST,
    )  # fmt: skip


async def as_file(visitor: Visitor, asked: ListAsked, here: Here) -> File:
    return File("tests.csv", "text/csv; charset=utf-8", as_csv(wanted(await _runs(asked, here), asked.cut)))


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> RunDetail:
    run = await here.ports.released.run(asked.id)
    snapshot = here.ports.in_force.current
    return run_detail(run, snapshot, snapshot.ruleset.currency if snapshot else "", here.words)


async def _runs(asked: ListAsked, here: Here) -> list[Run]:
    use_case = UseCaseId(asked.use_case) if asked.use_case else None
    return await here.ports.released.runs(use_case, None, limit=MOST)


ROUTES = (
    Route(
        name="tests", path="/tests", title=N_("Tests"), handler=list_, asks=ListAsked, roles=EVERYONE,
        template="tests.html", nav=Nav(Group.CHANGE, "flask", 20), key="t",
    ),
    Route(
        name="tests.csv", path="/tests.csv", title=N_("Tests as a table"), handler=as_file, asks=ListAsked,
        roles=EVERYONE, api=False,
    ),
    Route(
        name="tests.show", path="/tests/{id}", title=N_("Run of tests"), handler=show, asks=ShowAsked, roles=EVERYONE,
        template="tests/show.html",
    ),
)  # fmt: skip
