"""Alerts: the list, one of them with its answers, and silences."""

import msgspec

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Key
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.views import alerts as view
from handrail.console.views.alerts import LEFT, MOST, AlertList, AlertView, Around, Asking
from handrail.console.views.alerts import Silencing as SilenceForm
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.authorise import MAY, Act
from handrail.terms.errors import Code, HandrailError
from handrail.watch.alarm import Acknowledge, EndSilence, Silencing
from handrail.watch.alert import LONGEST, Alert, AlertState

MEANWHILE = frozenset({Code.ALREADY_DECIDED, Code.LOST_RACE, Code.REQUEST_INVALID})
INCIDENTS_LOOKED_AT = 500


class ListAsked(Asked, frozen=True, kw_only=True):
    state: str = LEFT
    severity: str = ""
    use_case: str = ""
    before: str = ""

    @property
    def asking(self) -> Asking:
        return Asking(**msgspec.structs.asdict(self))


class ShowAsked(Asked, frozen=True, kw_only=True):
    id: str


class AnswerAsked(Asked, frozen=True, kw_only=True):
    id: str
    note: str = ""


class SilenceAsked(Asked, frozen=True, kw_only=True):
    """`lasts`: milliseconds."""

    metric: str = ""
    use_case: str = ""
    lasts: int = 2 * view.HOUR_MS
    reason: str = ""


async def listed(visitor: Visitor, asked: ListAsked, here: Here) -> AlertList:
    raised = await here.ports.watch.alerts(states=frozenset({AlertState.RAISED}), limit=MOST)
    return view.alerts(
        await _found(asked.asking, here), await here.ports.watch.silences(here.now_ms), here.words,
        await _around(here), asking=asked.asking, may_answer=bool(visitor.roles & MAY[Act.ANSWER_ALERTS]),
        unanswered=len(raised),
    )  # fmt: skip


async def as_csv(visitor: Visitor, asked: ListAsked, here: Here) -> File:
    rows = [one for one in await _found(asked.asking, here) if view.wanted(one, asked.asking)]
    names = {str(one.id): one.name for one in await here.ports.people.persons()}
    return File("alerts.csv", "text/csv; charset=utf-8", view.as_csv(rows, names))


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> AlertView:
    return await _view(visitor, await here.ports.watch.alert(asked.id), here)


async def take(visitor: Visitor, asked: AnswerAsked, here: Here) -> Go | Again:
    return await _answer(visitor, asked, here, close=False)


async def close(visitor: Visitor, asked: AnswerAsked, here: Here) -> Go | Again:
    return await _answer(visitor, asked, here, close=True)


async def silence(visitor: Visitor, asked: SilenceAsked, here: Here) -> SilenceForm:
    return _form(asked, here)


async def silenced(visitor: Visitor, asked: SilenceAsked, here: Here) -> Go | Again:
    words = here.words
    problem = "" if asked.reason.strip() else words(N_("Say why: whoever misses an alert will ask."))
    if not problem and asked.lasts not in view.LENGTHS:
        problem = words(N_("Choose how long it lasts, 30 days at most."))
    if not problem:
        change = Silencing(
            ids=here.ports.ids, use_case=asked.use_case, metric=asked.metric, for_ms=asked.lasts, reason=asked.reason,
            token=visitor.token,
        )  # fmt: skip
        try:
            made = await here.ports.journal.run(change)
        except HandrailError as refused:
            if refused.code not in (Code.REQUEST_INVALID, Code.NOT_FOUND):
                raise
            problem = told_why(refused, words)
        else:
            return Go("/alerts#silences", words(N_("Silent until {when}."), when=words.moment(made.until_ms)))
    return Again(_form(asked, here, problem), "alerts/silence.html")


async def ended(visitor: Visitor, asked: ShowAsked, here: Here) -> Go:
    words = here.words
    try:
        await here.ports.journal.run(EndSilence(ids=here.ports.ids, silence=asked.id, token=visitor.token))
    except HandrailError as problem:
        if problem.code is not Code.NOT_FOUND:
            raise
        return Go("/alerts#silences", words(N_("This silence was over already.")))
    return Go("/alerts#silences", words(N_("The silence is over; what it hid is told now.")))


async def _answer(visitor: Visitor, asked: AnswerAsked, here: Here, *, close: bool) -> Go | Again:
    words = here.words
    change = Acknowledge(ids=here.ports.ids, alert=asked.id, token=visitor.token, note=asked.note.strip(), close=close)
    try:
        await here.ports.journal.run(change)
    except HandrailError as problem:
        if problem.code not in MEANWHILE:
            raise
        one = await here.ports.watch.alert(asked.id)
        if problem.code is Code.REQUEST_INVALID:
            why = words(N_("A note has at most {n} characters."), n=words.number(LONGEST))
        else:
            why = view.answered_meanwhile(one, words, await _around(here))
        return Again(await _view(visitor, one, here, problem=why, typed=asked.note), "alerts/show.html")
    if close:
        return Go("/alerts", words(N_("It is closed; the same cause is told anew.")))
    return Go(f"/alerts/{asked.id}", words(N_("You have it: it escalates no further.")))


async def _view(visitor: Visitor, one: Alert, here: Here, *, problem: str = "", typed: str = "") -> AlertView:
    known = await here.ports.incidents.listed(all_states=True, limit=INCIDENTS_LOOKED_AT)
    incident = next((each.id for each in known if each.cause == f"alert.{one.id}"), "")
    return view.alert_view(
        one, here.words, await _around(here), incident=incident, problem=problem, typed=typed,
        may_answer=bool(visitor.roles & MAY[Act.ANSWER_ALERTS]), may_open=bool(visitor.roles & MAY[Act.INCIDENTS]),
    )  # fmt: skip


async def _found(asking: Asking, here: Here) -> list[Alert]:
    states = {LEFT: frozenset(AlertState) - {AlertState.CLOSED}, "all": frozenset(AlertState)}
    known = states.get(asking.state)
    if known is None:
        known = frozenset({AlertState(asking.state)}) if asking.state in set(AlertState) else states["all"]
    return await here.ports.watch.alerts(states=known, limit=MOST)


async def _around(here: Here) -> Around:
    return Around(ruleset=here.ruleset, persons=await here.ports.people.persons())


def _form(asked: SilenceAsked, here: Here, problem: str = "") -> SilenceForm:
    return view.silencing(
        here.words, here.ruleset, metric=asked.metric, use_case=asked.use_case, lasts=str(asked.lasts),
        reason=asked.reason, problem=problem,
    )  # fmt: skip


KEYS = (
    Key(name="alerts.take", keys=("a",), label=N_("Take the alert")),
    Key(name="alerts.close", keys=("c",), label=N_("Close the alert, after a question")),
    Key(name="alerts.silence", keys=("s",), label=N_("Silence")),
)
ROUTES = (
    Route(
        name="alerts", path="/alerts", title=N_("Alerts"), handler=listed, asks=ListAsked, roles=EVERYONE,
        template="alerts.html", nav=Nav(Group.OPERATE, "bell", 40, "alerts"), key="e",
    ),
    Route(
        name="alerts.csv", path="/alerts.csv", title=N_("Alerts"), handler=as_csv, asks=ListAsked, roles=EVERYONE,
        api=False,
    ),
    Route(
        name="alerts.show", path="/alerts/{id}", title=N_("Alert"), handler=show, asks=ShowAsked, roles=EVERYONE,
        template="alerts/show.html",
    ),
    Route(
        name="alerts.take", path="/alerts/{id}/take", title=N_("Take the alert"), verb=Verb.POST, handler=take,
        asks=AnswerAsked, roles=MAY[Act.ANSWER_ALERTS], template="alerts/show.html",
    ),
    Route(
        name="alerts.close", path="/alerts/{id}/close", title=N_("Close the alert"), verb=Verb.POST, handler=close,
        asks=AnswerAsked, roles=MAY[Act.ANSWER_ALERTS], template="alerts/show.html",
    ),
    Route(
        name="alerts.silence", path="/alert-silences", title=N_("Silence"), handler=silence, asks=SilenceAsked,
        roles=MAY[Act.ANSWER_ALERTS], template="alerts/silence.html",
    ),
    Route(
        name="alerts.silenced", path="/alert-silences", title=N_("Silence"), verb=Verb.POST, handler=silenced,
        asks=SilenceAsked, roles=MAY[Act.ANSWER_ALERTS], template="alerts/silence.html",
    ),
    Route(
        name="alerts.unsilence", path="/alert-silences/{id}/end", title=N_("End a silence"), verb=Verb.POST,
        handler=ended, asks=ShowAsked, roles=MAY[Act.ANSWER_ALERTS],
    ),
)  # fmt: skip
