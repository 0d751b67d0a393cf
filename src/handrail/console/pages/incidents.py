"""Incidents: the list, its CSV, and the form that opens one by hand."""

import msgspec

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Key
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.views import incidents as view
from handrail.console.views.incidents import MOST, Asking, Given, IncidentList, NewIncident
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.authorise import MAY, Act
from handrail.review.incident import Incident, Scope, Severity
from handrail.review.incidents import Open
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, UseCaseId
from handrail.watch.alert import Alert


class ListAsked(Asked, frozen=True, kw_only=True):
    state: str = view.NOT_CLOSED
    severity: str = ""
    use_case: str = ""
    whose: str = ""
    before: str = ""

    @property
    def asking(self) -> Asking:
        return Asking(**msgspec.structs.asdict(self))


class NewAsked(Asked, frozen=True, kw_only=True):
    """As `views.incidents.Given`. On GET `alert`, `release` or `use_case` fill the form."""

    use_case: str = ""
    title: str = ""
    severity: Severity = Severity.S2
    owner: str = ""
    release: str = ""
    finding: str = ""
    since: str = ""
    until: str = ""
    alert: str = ""

    @property
    def given(self) -> Given:
        return Given(**{**msgspec.structs.asdict(self), "severity": self.severity.value})


async def listed(visitor: Visitor, asked: ListAsked, here: Here) -> IncidentList:
    found = await _found(asked.asking, here)
    cut = len(found) >= MOST
    return view.incidents(
        found, here.words, here.ruleset, asking=asked.asking, mine=await mail_of(visitor, here),
        may_open=bool(visitor.roles & MAY[Act.INCIDENTS]),
        left=await here.ports.incidents.listed(all_states=False, limit=MOST) if cut else None,
    )  # fmt: skip


async def as_csv(visitor: Visitor, asked: ListAsked, here: Here) -> File:
    mine = await mail_of(visitor, here)
    rows = [one for one in await _found(asked.asking, here) if view.wanted(one, asked.asking, mine)]
    return File("incidents.csv", "text/csv; charset=utf-8", view.as_csv(rows))


async def new(visitor: Visitor, asked: NewAsked, here: Here) -> NewIncident:
    alert = await _alert(asked.alert, here)
    given = asked.given if alert is None else view.from_alert(alert, here.words)
    return view.new_incident(here.words, here.ruleset, given, alert, {})


async def opened(visitor: Visitor, asked: NewAsked, here: Here) -> Go | Again:
    given, words = asked.given, here.words
    alert = await _alert(asked.alert, here)
    problems = view.problems_of(given, words)
    release = await _release(given.release.strip(), here, problems)
    if asked.finding and asked.finding not in set(Kind):
        problems["finding"] = words(N_("Choose a kind of finding of the list."))
    made = None
    if not problems:
        scope = Scope(
            release=release, finding=asked.finding, since_ms=view.local_ms(given.since, words),
            until_ms=view.local_ms(given.until, words),
        )  # fmt: skip
        change = Open(
            ids=here.ports.ids, use_case=UseCaseId(given.use_case), title=given.title, severity=asked.severity,
            scope=scope, token=visitor.token, owner=given.owner.strip(), cause=f"alert.{alert.id}" if alert else "",
        )  # fmt: skip
        try:
            made = await here.ports.journal.run(change)
        except HandrailError as problem:
            if problem.code not in (Code.REQUEST_INVALID, Code.NOT_FOUND):
                raise
            problems[""] = told_why(problem, words)
    if made is None:
        return Again(view.new_incident(words, here.ruleset, given, alert, problems), "incidents/new.html")
    return Go(f"/incidents/{made.id}", words("It is open. Its owner is {owner}.", owner=made.owner or words("nobody")))


async def mail_of(visitor: Visitor, here: Here) -> str:
    """As owners are named; empty for who is no more."""
    persons = await here.ports.people.persons()
    return next((one.mail for one in persons if one.id == visitor.person), "")


async def _found(asking: Asking, here: Here) -> list[Incident]:
    everything = asking.state in ("closed", "all")
    return await here.ports.incidents.listed(all_states=everything, limit=MOST)


async def _alert(name: str, here: Here) -> Alert | None:
    return await here.ports.watch.alert(name) if name else None


async def _release(beginning: str, here: Here, problems: dict[str, str]) -> Digest | None:
    """The one stored release that begins so; else the problem is noted."""
    if not beginning:
        return None
    found = await here.ports.incidents.releases(beginning)
    if len(found) != 1:
        problems["release"] = (
            here.words(N_("No release begins so.")) if not found
            else here.words(N_("More than one release begins so; give more of it."))
        )  # fmt: skip
        return None
    return Digest(found[0])


KEYS = (Key(name="incidents.new", keys=("n",), label=N_("Open an incident by hand")),)
ROUTES = (
    Route(
        name="incidents", path="/incidents", title=N_("Incidents"), handler=listed, asks=ListAsked, roles=EVERYONE,
        template="incidents.html", nav=Nav(Group.OPERATE, "alert", 30, "incidents"), key="n",
    ),
    Route(
        name="incidents.csv", path="/incidents.csv", title=N_("Incidents"), handler=as_csv, asks=ListAsked,
        roles=EVERYONE, api=False,
    ),
    Route(
        name="incidents.new", path="/new-incident", title=N_("Open an incident"), handler=new, asks=NewAsked,
        roles=MAY[Act.INCIDENTS], template="incidents/new.html",
    ),
    Route(
        name="incidents.open", path="/incidents", title=N_("Open an incident"), verb=Verb.POST, handler=opened,
        asks=NewAsked, roles=MAY[Act.INCIDENTS], template="incidents/new.html",
    ),
)  # fmt: skip
