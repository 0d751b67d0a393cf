"""The watch: what already runs, beside its own past; one use case in full, and raising its autonomy.

Up to 20,000 cells are added up for one page, which takes a second or two: beside the event loop, so that nobody waits.
"""

import asyncio
from collections.abc import Sequence

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Does, Key
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.views import watch as listing
from handrail.console.views import watch_levels, watch_show
from handrail.console.views.watch import Watch
from handrail.console.views.watch_rates import MOST_CELLS, PERIOD, Window, window
from handrail.console.views.watch_show import WatchShow
from handrail.console.views.watch_words import CUTS
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.governance.demote import Demotion
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.people.authorise import MAY, Act
from handrail.policy.ruleset import UseCase
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertState
from handrail.watch.measure import Cell, Counts

RAISED = frozenset({AlertState.RAISED})
NOT_CLOSED = frozenset(AlertState) - {AlertState.CLOSED}
MOST_ALERTS = 500
MOVES = tuple(kind for kind in EntryKind if kind.value in watch_levels.MOVES)
MOVES_LOOKED_AT = 200
REFUSED = frozenset({Code.NOT_ALLOWED, Code.NOT_FOUND, Code.REQUEST_INVALID, Code.LOST_RACE})
"""What is told on the page itself, with what happened meanwhile."""


class ListAsked(Asked, frozen=True, kw_only=True):
    """`period`: of `views.watch_rates.PERIODS`. `by`: of `views.watch_words.CUTS`. `query`: a part of a name."""

    period: str = PERIOD
    by: str = ""
    query: str = ""
    page: int = 1

    @property
    def asking(self) -> listing.Asking:
        by = self.by if self.by in CUTS else ""
        return listing.Asking(period=self.period, by=by, query=self.query[:200], page=max(self.page, 1))


class ShowAsked(Asked, frozen=True, kw_only=True):
    """`metric`: whose chart is drawn. `by`: what it is cut by. The rest: the part that is shown."""

    use_case: str
    period: str = PERIOD
    metric: str = ""
    by: str = "channel"
    release: str = ""
    language: str = ""
    channel: str = ""

    @property
    def asking(self) -> watch_show.Asking:
        return watch_show.Asking(
            use_case=self.use_case, period=self.period, metric=self.metric, by=self.by, release=self.release,
            language=self.language, channel=self.channel,
        )  # fmt: skip


class PromoteAsked(Asked, frozen=True, kw_only=True):
    """`types`: of action, none: all that are lowered. `override`: `yes`: although something is not met. `seen`: the
    version of the levels that stood on the page."""

    use_case: str
    types: tuple[str, ...] = ()
    reason: str = ""
    override: str = ""
    seen: int = -1


async def listed(visitor: Visitor, asked: ListAsked, here: Here) -> Watch:
    ports, asking = here.ports, asked.asking
    when = window(asking.period, here.now_ms)
    alerts = await ports.watch.alerts(states=RAISED, limit=MOST_ALERTS)
    cases, many = listing.chosen(here.ruleset, alerts, asking)
    read = listing.Read(
        ruleset=here.ruleset, cases=cases, all=many, cells=await _cells([one.id for one in cases], when, here),
        series=await ports.watch.series_of([one.id for one in cases]), alerts=alerts,
    )  # fmt: skip
    return await asyncio.to_thread(listing.watch, read, here.words, when, asking=asking)


async def as_csv(visitor: Visitor, asked: ListAsked, here: Here) -> File:
    """Of the use cases of this page."""
    asking = asked.asking
    when = window(asking.period, here.now_ms)
    alerts = await here.ports.watch.alerts(states=RAISED, limit=MOST_ALERTS)
    names = [one.id for one in listing.chosen(here.ruleset, alerts, asking)[0]]
    cells, series = await _cells(names, when, here), await here.ports.watch.series_of(names)
    data = await asyncio.to_thread(listing.as_csv, cells, when, asking.by, here.ruleset.costs, series)
    return File("watch.csv", "text/csv; charset=utf-8", data)


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> WatchShow:
    return await _view(visitor, asked.asking, here)


async def series(visitor: Visitor, asked: ShowAsked, here: Here) -> File:
    when = window(asked.period, here.now_ms)
    read = await _read(_case(asked.use_case, here), when, here)
    data = await asyncio.to_thread(watch_show.as_csv, read, when, asking=asked.asking)
    return File(f"watch-{asked.use_case}.csv", "text/csv; charset=utf-8", data)


async def promote(visitor: Visitor, asked: PromoteAsked, here: Here) -> Go | Again:
    """The same command as `handrail autonomy promote`, on what this page showed."""
    words, case = here.words, _case(asked.use_case, here)
    try:
        types = watch_levels.known_types(asked.types)
    except ValueError:
        raise HandrailError(Code.REQUEST_INVALID, "there is no such type of action") from None
    try:
        done = await here.ports.levels.promote(
            case.id, types=types, reason=asked.reason, override=asked.override == "yes", token=visitor.token,
            seen=asked.seen,
        )  # fmt: skip
    except HandrailError as problem:
        if problem.code not in REFUSED:
            raise
        return await _refused(visitor, asked, here, problem)
    said = words(N_("Recorded. Another person, owner or compliance, must agree within 7 days."))
    if done.moves:
        said = words(N_("Raised by one level. It holds everywhere within a second."))
    return Go(f"/watch/{case.id}", said)


async def _refused(visitor: Visitor, asked: PromoteAsked, here: Here, problem: HandrailError) -> Again:
    """The page as it is by now, and why not; when somebody or something was faster, who and when."""
    words, asking = here.words, watch_show.Asking(use_case=asked.use_case)
    view = await _view(visitor, asking, here)
    told = told_why(problem, words)
    if problem.code is Code.REQUEST_INVALID:
        told = words(N_("Say why, in 1 to 500 characters, and name no customer: the ledger keeps it."))
    elif view.levels.seen != asked.seen and view.levels.moves:
        latest = view.levels.moves[0]
        told = words(
            N_("Nothing of yours was done. Meanwhile: {title}, {by}, {when}."), title=latest.title, by=latest.by,
            when=words.moment(latest.at_ms),
        )  # fmt: skip
    return Again(await _view(visitor, asking, here, problem=told, reason=asked.reason), "watch/show.html")


async def _view(
    visitor: Visitor, asking: watch_show.Asking, here: Here, *, problem: str = "", reason: str = ""
) -> WatchShow:
    case, ports = _case(asking.use_case, here), here.ports
    when = window(asking.period, here.now_ms)
    lowered = {one.use_case: one for one in await ports.autonomy.all()}
    demotion = lowered.get(case.id) or Demotion(use_case=case.id)
    levels = watch_levels.levels(
        watch_levels.Read(
            case=case, demotion=demotion, bars=await ports.levels.bars(case, demotion),
            moves=await _moves(case, here),
            names={str(one.id): one.name for one in await ports.people.persons()}, reason=reason, problem=problem,
        ),
        visitor, here.words,
    )  # fmt: skip
    read = await _read(case, when, here)
    return await asyncio.to_thread(watch_show.watch_show, read, levels, here.words, when, asking=asking)


async def _read(case: UseCase, when: Window, here: Here) -> watch_show.Read:
    ports = here.ports
    return watch_show.Read(
        case=case, currency=here.ruleset.currency, costs=here.ruleset.costs, cells=await _cells([case.id], when, here),
        series=await ports.watch.series_of([case.id]), opened=await ports.openings.of(case.id),
        alerts=await ports.watch.alerts(states=NOT_CLOSED, limit=MOST_ALERTS),
        incidents=await ports.incidents.listed(all_states=False, limit=MOST_ALERTS),
    )  # fmt: skip


async def _cells(use_cases: Sequence[UseCaseId], when: Window, here: Here) -> list[tuple[Cell, Counts]]:
    return await here.ports.watch.counted(use_cases, when.since, when.until, limit=MOST_CELLS)


async def _moves(case: UseCase, here: Here) -> list[RecordedFacts]:
    """Of the newest entries about levels, those of this use case."""
    found = await here.ports.reader.latest(Listing(kinds=MOVES, limit=MOVES_LOOKED_AT))
    entries = (read_facts(facts) for _, facts in found)
    return [one for one in entries if one.use_case == case.id][: watch_levels.MOST_MOVES]


def _case(name: str, here: Here) -> UseCase:
    """Raises HandrailError NOT_FOUND."""
    found = here.ruleset.use_cases.get(UseCaseId(name))
    if found is None:
        raise HandrailError(Code.NOT_FOUND, "no use case of this id is published; it may have left the home")
    return found


KEYS = (Key(name="watch.raise", keys=("r",), label=N_("Say why autonomy may rise"), does=Does.FOCUS),)
ROUTES = (
    Route(
        name="watch", path="/watch", title=N_("Watch"), handler=listed, asks=ListAsked, roles=EVERYONE,
        template="watch.html", nav=Nav(Group.OPERATE, "wave", 45), key="w",
    ),
    Route(
        name="watch.csv", path="/watch.csv", title=N_("Watch"), handler=as_csv, asks=ListAsked, roles=EVERYONE,
        api=False,
    ),
    Route(
        name="watch.show", path="/watch/{use_case}", title=N_("Watch"), handler=show, asks=ShowAsked, roles=EVERYONE,
        template="watch/show.html",
    ),
    Route(
        name="watch.series", path="/watch/{use_case}/series.csv", title=N_("Watch"), handler=series, asks=ShowAsked,
        roles=EVERYONE, api=False,
    ),
    Route(
        name="watch.promote", path="/watch/{use_case}/promote", title=N_("Raise autonomy"), verb=Verb.POST,
        handler=promote, asks=PromoteAsked, roles=MAY[Act.PROMOTE], fresh=True, template="watch/show.html", api=False,
    ),
)  # fmt: skip
