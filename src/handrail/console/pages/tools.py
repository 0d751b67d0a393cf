"""Tools and providers: what stands in the ruleset in force, and what the record says of late."""

from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route
from handrail.console.views.tools import DAY_MS, MOST, MOVES, WEEK_MS, Tools, ToolShow, ToolsRead, tool_show, tools
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.terms.action import ToolId
from handrail.terms.errors import Code, HandrailError


class ToolAsked(Asked, frozen=True, kw_only=True):
    tool: str


async def listed(visitor: Visitor, asked: Asked, here: Here) -> Tools:
    return tools(await _read(here, providers=True), here.words)


async def show(visitor: Visitor, asked: ToolAsked, here: Here) -> ToolShow:
    read = await _read(here, providers=False)
    tool = read.snapshot.ruleset.tools.get(ToolId(asked.tool))
    if tool is None:
        raise HandrailError(Code.NOT_FOUND, "no tool of this id is published; it may have left the home")
    return tool_show(read, tool, here.words)


async def _read(here: Here, *, providers: bool) -> ToolsRead:
    current = here.ports.in_force.current
    if current is None:
        raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet: handrail publish")
    week = here.now_ms - WEEK_MS
    ended = [entry for kind in MOVES[1:] for entry in await _latest(here, kind, week)]
    published = await _latest(here, EntryKind.RULESET_PUBLISHED, None, limit=1)
    return ToolsRead(
        snapshot=current,
        decided=await _latest(here, MOVES[0], week),
        ended=sorted(ended, key=lambda one: -one.at_ms),
        spoken=await _latest(here, EntryKind.INTERACTION_CLOSED, here.now_ms - DAY_MS) if providers else (),
        changed=await _latest(here, EntryKind.PROBE_CHANGED, week, limit=20) if providers else (),
        published_at=published[0].at_ms if published else None,
    )


async def _latest(here: Here, kind: EntryKind, since_ms: int | None, *, limit: int = MOST) -> list[RecordedFacts]:
    found = await here.ports.reader.latest(Listing(kinds=(kind,), since_ms=since_ms, limit=limit))
    return [read_facts(facts) for _, facts in found]


ROUTES = (
    Route(
        name="tools", path="/tools", title=N_("Tools and providers"), handler=listed, roles=EVERYONE,
        template="tools.html", nav=Nav(Group.GOVERN, "tool", 20),
    ),
    Route(
        name="tools.show", path="/tools/{tool}", title=N_("Tool"), handler=show, roles=EVERYONE, asks=ToolAsked,
        template="tools/show.html",
    ),
)  # fmt: skip
