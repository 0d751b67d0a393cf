"""The register: every use case, and one in full. Signing and controls come with governance; their place is kept."""

from handrail.approvals.lifecycle import State
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route
from handrail.console.views.use_cases import ListRead, Register, register
from handrail.console.views.use_cases_show import ShowRead, UseCaseShow, use_case_show
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.guard.ports import Spent
from handrail.in_force.snapshot import Snapshot
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertState
from handrail.watch.measure import HOUR_MS

WEEK_H = 7 * 24
MOST_CELLS = 20_000
"""The newest ones."""
WAITING = 5_000
"""Held actions that are told apart by use case."""
READS_PROMPTS = frozenset({Role.OWNER, Role.ENGINEER, Role.COMPLIANCE, Role.AUDITOR, Role.ADMIN})
HELD, RAISED = frozenset({State.HELD}), frozenset({AlertState.RAISED})


class ListAsked(Asked, frozen=True, kw_only=True):
    """`query`: a part of the name, the id or the owner. `sort`: of `views.use_cases.SORTS`."""

    query: str = ""
    sort: str = "name"
    page: int = 1


class ShowAsked(Asked, frozen=True, kw_only=True):
    use_case: str


async def listed(visitor: Visitor, asked: ListAsked, here: Here) -> Register:
    ports = here.ports
    read = ListRead(
        snapshot=_snapshot(here),
        waiting=await ports.acts.queue(HELD, limit=WAITING),
        incidents=await ports.incidents.listed(all_states=False, limit=500),
        alerts=await ports.watch.alerts(states=RAISED, limit=500),
    )
    return register(read, here.words, query=asked.query, sort=asked.sort, page=asked.page)


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> UseCaseShow:
    ports, snapshot = here.ports, _snapshot(here)
    case = snapshot.ruleset.use_cases.get(UseCaseId(asked.use_case))
    if case is None:
        raise HandrailError(Code.NOT_FOUND, "no use case of this id is published; it may have left the home")
    hour = here.now_ms // HOUR_MS + 1
    day = here.words.iso_day()
    waiting = await ports.acts.queue(HELD, limit=WAITING)
    read = ShowRead(
        snapshot=snapshot,
        case=case,
        measured=await ports.watch.counted([case.id], hour - WEEK_H, hour, limit=MOST_CELLS),
        series=await ports.watch.series_of([case.id]),
        incidents=await ports.incidents.listed(all_states=False, limit=500),
        alerts=await ports.watch.alerts(states=RAISED, limit=500),
        rollouts=await ports.units.rollouts(),
        demotions=await ports.autonomy.all(),
        keys=await ports.people.keys(),
        spent=(await ports.looks.spent(day)).get(case.id, Spent()),
        held=sum(line.use_case == case.id for line in waiting),
    )
    return use_case_show(read, here.words, prompt=bool(visitor.roles & READS_PROMPTS))


def _snapshot(here: Here) -> Snapshot:
    current = here.ports.in_force.current
    if current is None:
        raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet: handrail publish")
    return current


ROUTES = (
    Route(
        name="use_cases", path="/use_cases", title=N_("Use cases"), handler=listed, roles=EVERYONE, asks=ListAsked,
        template="use_cases.html", nav=Nav(Group.GOVERN, "book", 10), key="u",
    ),
    Route(
        name="use_cases.show", path="/use_cases/{use_case}", title=N_("Use case"), handler=show, roles=EVERYONE,
        asks=ShowAsked, template="use_cases/show.html",
    ),
)  # fmt: skip
