"""One incident: its page, whom it concerns, and each of its moves."""

from collections.abc import Callable

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Does, Key
from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.console.views import incident as view
from handrail.console.views.incident import Form, IncidentView, Read, incident_view
from handrail.console.views.incident_timeline import LOOKED_AT
from handrail.console.views.incidents import affected_csv
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.people.authorise import MAY, Act
from handrail.review import incident as moves
from handrail.review.incident import Incident, IncidentState, Scope, Severity
from handrail.review.incidents import Change
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.trials.case import Trial
from handrail.trials.incidents import require_case

PROBLEMS = frozenset(
    {Code.REQUEST_INVALID, Code.NOT_ALLOWED, Code.INCIDENT_STATE, Code.NOT_FOUND, Code.LOST_RACE, Code.ALREADY_DECIDED}
)  # fmt: skip
ADDED_ONCE = frozenset({"note", "task"})
"""What a form that is sent twice has done already."""
LIST_OF_AFFECTED = MAY[Act.INCIDENTS] | MAY[Act.EXPORT]


class ShowAsked(Asked, frozen=True, kw_only=True):
    """`part`: of the page, where it asks for one alone. `affected`: `list` for the conversations too, `now` for them
    with the page itself, without scripts."""

    id: str
    part: str = ""
    affected: str = ""


class IdAsked(Asked, frozen=True, kw_only=True):
    id: str


class ChangeAsked(Asked, frozen=True, kw_only=True):
    """`version`: of the incident that the visitor saw. `number`: of a task, from 1. `own_test`: typed instead of
    chosen. `owner_seen`, `severity_seen`: as the form showed them, so that what was not touched stays as it is by now;
    None: what is given is meant."""

    id: str
    version: int = -1
    text: str = ""
    owner: str = ""
    number: int = 0
    severity: Severity | None = None
    test: str = ""
    own_test: str = ""
    no_test: str = ""
    owner_seen: str | None = None
    severity_seen: Severity | None = None


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> IncidentView:
    return await _view(visitor, asked, here)


async def affected(visitor: Visitor, asked: IdAsked, here: Here) -> File:
    one = await here.ports.incidents.get(asked.id)
    rows = await here.ports.incidents.affected(one.use_case, one.scope)
    return File(f"{one.id}-affected.csv", "text/csv; charset=utf-8", affected_csv(rows))


async def task(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    owner = asked.owner.strip()
    return await _change(
        visitor, asked, here, "task", lambda one, _, __: moves.tasked(one, asked.text, owner=owner),
        said=asked.text.strip(), done=here.words(N_("The task was added.")),
    )  # fmt: skip


async def done(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    return await _change(
        visitor, asked, here, "done", lambda one, _, now: moves.task_done(one, asked.number, now=now),
        said=f"task {asked.number} is done", done=here.words(N_("The task is done.")),
    )  # fmt: skip


async def note(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    return await _change(
        visitor, asked, here, "note", lambda one, by, now: moves.noted(one, asked.text, by=by.id, now=now),
        said=asked.text.strip(), done=here.words(N_("The note was written.")),
    )  # fmt: skip


async def contain(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    return await _change(
        visitor, asked, here, "contain", lambda one, _, now: moves.contained(one, now=now),
        done=here.words(N_("It is contained: it keeps no release back any more.")),
    )  # fmt: skip


async def review(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    return await _change(
        visitor, asked, here, "review", lambda one, _, now: moves.reviewed(one, now=now),
        done=here.words(N_("It is reviewed.")),
    )  # fmt: skip


async def change(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    return await _change(
        visitor, asked, here, "change", lambda one, _, __: _changed(one, asked),
        done=here.words(N_("It was changed.")),
    )  # fmt: skip


def _changed(one: Incident, asked: ChangeAsked) -> Incident:
    owner, severity = asked.owner.strip(), asked.severity
    if asked.owner_seen is None:  # a program: what it leaves out stays
        return moves.changed(one, severity=severity, owner=owner or None)
    return moves.changed_as_seen(
        one, owner=(asked.owner_seen, owner),
        severity=(asked.severity_seen or one.severity, severity or one.severity),
    )  # fmt: skip


async def close(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    test, cases = asked.own_test.strip() or asked.test.strip(), await here.ports.home_tests.cases()

    def move(one: Incident, _: Actor, now: int) -> Incident:
        after = moves.closed(one, test=test, no_test=asked.no_test, now=now)
        if test:
            require_case(cases, one, test)
        return after

    return await _change(
        visitor, asked, here, "close", move, test=test, cases=cases,
        done=here.words(N_("It is closed. No release of the use case starts without its test.")) if test
        else here.words(N_("It is closed.")),
    )  # fmt: skip


async def retest(visitor: Visitor, asked: ChangeAsked, here: Here) -> Go | Again:
    test, cases = asked.own_test.strip() or asked.test.strip(), await here.ports.home_tests.cases()

    def move(one: Incident, _: Actor, __: int) -> Incident:
        after = moves.retested(one, test=test, no_test=asked.no_test)
        if test:
            require_case(cases, one, test)
        return after

    return await _change(
        visitor, asked, here, "retest", move, test=test, cases=cases, said=f"its test is {test or 'none'}",
        done=here.words(N_("Another test was named.")),
    )  # fmt: skip


async def _change(
    visitor: Visitor, asked: ChangeAsked, here: Here, which: str, move: Callable[[Incident, Actor, int], Incident], *,
    done: str, said: str = "", test: str = "", cases: tuple[Trial, ...] = (),
) -> Go | Again:  # fmt: skip
    command = Change(ids=here.ports.ids, incident=asked.id, token=visitor.token, move=move, said=said)
    try:
        await here.ports.journal.run(command)
    except HandrailError as problem:
        if problem.code not in PROBLEMS:
            raise
        if problem.code is Code.ALREADY_DECIDED and which in ADDED_ONCE:
            return Go(f"/incidents/{asked.id}", done)
        told = problem
    else:
        return Go(f"/incidents/{asked.id}", done)
    one = await here.ports.incidents.get(asked.id)
    people = await _people(here)
    entries, _ = await _entries(one, here)
    words = here.words
    why = [
        view.meanwhile(asked.version, one, entries, people, words) if asked.version >= 0 else "",
        view.why_not(one, which, words)
        or view.problem_of_test(cases, one, test, words)
        or _asks_for_test(which, one, asked, here)
        or told.message,
    ]
    form = Form(
        which=which, problem=" ".join(filter(None, why)), text=asked.text, owner=asked.owner, test=asked.test,
        own_test=asked.own_test, no_test=asked.no_test, severity=asked.severity.value if asked.severity else "",
    )  # fmt: skip
    return Again(await _view(visitor, ShowAsked(id=asked.id), here, form=form), "incident.html")


def _asks_for_test(which: str, one: Incident, asked: ChangeAsked, here: Here) -> str:
    if which == "task" and one.state is IncidentState.CLOSED:
        return here.words(N_("This incident is closed: open a new one."))
    if which in ("task", "note") and not 0 < len(asked.text.strip()) <= moves.LONGEST:
        return here.words(N_("Write at least one word, and at most {n} characters."), n=moves.LONGEST)
    test, no_test = asked.own_test.strip() or asked.test.strip(), asked.no_test.strip()
    if which in ("close", "retest") and bool(test) == bool(no_test):
        return here.words(N_("Which test would have caught it? Name one, or say why none can; not both."))
    return ""


async def _view(visitor: Visitor, asked: ShowAsked, here: Here, *, form: Form | None = None) -> IncidentView:
    """What a part needs is read for it alone: the count of whom it concerns goes through all interactions."""
    ports = here.ports
    one = await ports.incidents.get(asked.id)
    entries, cut = await _entries(one, here) if asked.part in ("", "timeline") else ([], False)
    concerned = rows = None
    counts = asked.part == "affected" or (asked.part == "" and asked.affected == "now")
    if counts and one.scope != Scope():
        concerned = await ports.incidents.concerned(one.use_case, one.scope)
        if asked.affected:
            rows = await ports.incidents.affected(one.use_case, one.scope, limit=view.LISTED)
    persons = await ports.people.persons()
    read = Read(
        incident=one, ruleset=here.ruleset, people={one.id: one.name for one in persons},
        addresses=[one.mail for one in persons if one.active], entries=entries, cut=cut, concerned=concerned,
        affected=rows, cases=await ports.home_tests.cases() if asked.part in ("", "test") else None,
    )  # fmt: skip
    return incident_view(
        read, here.words, may_change=bool(visitor.roles & MAY[Act.INCIDENTS]),
        may_list=bool(visitor.roles & LIST_OF_AFFECTED), form=form,
    )  # fmt: skip


async def _entries(one: Incident, here: Here) -> tuple[list[RecordedFacts], bool]:
    since = min(one.opened_at - view.BEFORE_MS, one.scope.since_ms or one.opened_at)
    until = (one.closed_at or here.now_ms) + 1_000
    rows, cut = await here.ports.incidents.history(one.id, one.use_case, since, until, limit=LOOKED_AT)
    return [read_facts(data) for data in rows], cut


async def _people(here: Here) -> dict[str, str]:
    return {one.id: one.name for one in await here.ports.people.persons()}


def _move(name: str, title: str, handler: Callable[..., object]) -> Route:
    return Route(
        name=f"incidents.{name}", path=f"/incidents/{{id}}/{name}", title=title, verb=Verb.POST, handler=handler,  # type: ignore[arg-type]  # each is a handler
        asks=ChangeAsked, roles=MAY[Act.INCIDENTS], template="incident.html",
    )  # fmt: skip


KEYS = (
    Key(name="incidents.task", keys=("t",), label=N_("Write a task"), does=Does.FOCUS),
    Key(name="incidents.note", keys=("w",), label=N_("Write a note"), does=Does.FOCUS),
    Key(name="incidents.move", keys=("m",), label=N_("What comes next")),
)
ROUTES = (
    Route(
        name="incidents.show", path="/incidents/{id}", title=N_("Incident"), handler=show, asks=ShowAsked,
        roles=EVERYONE, template="incident.html",
    ),
    Route(
        name="incidents.affected", path="/incidents/{id}/affected.csv", title=N_("Whom it concerns"), handler=affected,
        asks=IdAsked, roles=LIST_OF_AFFECTED, api=False,
    ),
    _move("task", N_("Write a task"), task),
    _move("done", N_("A task is done"), done),
    _move("note", N_("Write a note"), note),
    _move("contain", N_("It is contained"), contain),
    _move("review", N_("It is reviewed"), review),
    _move("change", N_("Owner and severity"), change),
    _move("close", N_("Close it"), close),
    _move("retest", N_("Name another test"), retest),
)  # fmt: skip
