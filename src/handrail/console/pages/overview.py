"""The first page: what needs a person, how each use case stands, what the net did today."""

from dataclasses import replace

from handrail.approvals.lifecycle import State
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route
from handrail.console.views.happened import KINDS
from handrail.console.views.overview import MOST_OPEN, MOST_TOLD, Overview, Read, looked_at, overview
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import read_facts
from handrail.ledger.read import Listing
from handrail.terms.errors import Code, HandrailError
from handrail.watch.alert import AlertState
from handrail.watch.measure import HOUR_MS

WEEK_H = 7 * 24
MOST_CELLS = 40_000
"""The newest ones: some tenth of a second."""


class OverviewAsked(Asked, frozen=True, kw_only=True):
    """`view`: which use cases."""

    view: str = "all"


async def show(visitor: Visitor, asked: OverviewAsked, here: Here) -> Overview:
    ports = here.ports
    snapshot = ports.in_force.current
    if snapshot is None:
        raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet: handrail publish")
    hour = here.now_ms // HOUR_MS + 1
    entries = await ports.reader.latest(Listing(kinds=KINDS, since_ms=here.words.today_ms(), limit=MOST_TOLD))
    names = [str(one) for one in snapshot.ruleset.use_cases]
    read = Read(
        snapshot=snapshot,
        states=await ports.acts.counts(),
        oldest=await ports.acts.queue(frozenset({State.HELD}), limit=200),
        incidents=await ports.incidents.listed(all_states=False, limit=MOST_OPEN + 1),
        alerts=await ports.watch.alerts(states=frozenset({AlertState.RAISED}), limit=MOST_OPEN + 1),
        rollouts=await ports.units.rollouts(),
        measured=(),
        series=(),
        entries=[read_facts(facts) for _, facts in entries],
        day=await ports.watch.summed(names, hour - 24, hour),
    )
    mine = next((one.mail for one in await ports.people.persons() if one.id == visitor.person), "")
    looked = [str(one.id) for one in looked_at(read, here.words, view=asked.view, mine=mine)]
    read = replace(
        read,
        measured=await ports.watch.counted(looked, hour - WEEK_H, hour, limit=MOST_CELLS),
        series=await ports.watch.series_of(looked),
    )
    return overview(read, here.words, name=visitor.name, view=asked.view, mine=mine)


ROUTES = (
    Route(
        name="overview", path="/", title=N_("Overview"), handler=show, roles=EVERYONE, asks=OverviewAsked,
        template="overview.html", nav=Nav(Group.OPERATE, "grid", 10), key="o",
    ),
)  # fmt: skip
