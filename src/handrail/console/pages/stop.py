"""Stop an AI: what is stopped now, and one form that stops more at once."""

from handrail.approvals.halt import LiftStop, PullStop, revoke_stopped
from handrail.approvals.lifecycle import State
from handrail.approvals.stop import StopScope
from handrail.console.answers import Again, Go
from handrail.console.here import Here
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.console.views.stop import Read, Stopping, stopping
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.authorise import MAY, Act
from handrail.terms.errors import Code, HandrailError

PATH = "/stop"
PROBLEMS = frozenset({Code.REQUEST_INVALID})


class StopAsked(Asked, frozen=True, kw_only=True):
    """`what`: chosen already, as `scope:value`, for links from other pages."""

    what: str = ""


class PullAsked(Asked, frozen=True, kw_only=True):
    """`what`: `scope:value`, or `all:`."""

    what: str = ""
    reason: str = ""


class LiftAsked(Asked, frozen=True, kw_only=True):
    id: str


async def show(visitor: Visitor, asked: StopAsked, here: Here) -> Stopping:
    return stopping(await _read(here), here.words, visitor, what=asked.what)


async def pull(visitor: Visitor, asked: PullAsked, here: Here) -> Go | Again:
    scope, _, value = asked.what.partition(":")
    try:
        if scope not in set(StopScope):
            raise HandrailError(Code.REQUEST_INVALID, here.words("Choose what to stop."))
        change = PullStop(
            ids=here.ports.ids, scope=StopScope(scope), value=value, reason=asked.reason, token=visitor.token
        )
        made, revoked = await here.ports.journal.run(change)
    except HandrailError as problem:
        if problem.code not in PROBLEMS:
            raise
        error = told_why(problem, here.words)
        view = stopping(await _read(here), here.words, visitor, what=asked.what, reason=asked.reason, error=error)
        return Again(view, "stop.html")
    revoked += await revoke_stopped(here.ports.journal, here.ports.ids)
    said = here.words.plural(
        "Stopped. {n} waiting action was revoked.", "Stopped. {n} waiting actions were revoked.", revoked
    )
    return Go(f"{PATH}#{made.id}", said)


async def lift(visitor: Visitor, asked: LiftAsked, here: Here) -> Go:
    words = here.words
    try:
        await here.ports.journal.run(LiftStop(ids=here.ports.ids, stop=asked.id, token=visitor.token))
    except HandrailError as problem:
        if problem.code is not Code.NOT_FOUND:
            raise
        return Go(PATH, words("Somebody lifted this stop before you."))
    left = len(await here.ports.acts.stops())
    if left:
        return Go(
            PATH, words.plural("Lifted. {n} other stop is in force.", "Lifted. {n} other stops are in force.", left)
        )
    return Go(PATH, words("Lifted. It runs again, under its rules."))


async def _read(here: Here) -> Read:
    return Read(
        ruleset=here.ruleset,
        stops=await here.ports.acts.stops(),
        persons=await here.ports.people.persons(),
        keys=await here.ports.people.keys(),
        waiting=(await here.ports.acts.counts()).get(State.HELD, 0),
    )


ROUTES = (
    Route(
        name="stop", path=PATH, title=N_("Stop an AI"), handler=show, asks=StopAsked, roles=EVERYONE,
        template="stop.html",
    ),
    Route(
        name="stop.pull", path=PATH, title=N_("Stop an AI"), verb=Verb.POST, handler=pull, asks=PullAsked,
        roles=MAY[Act.STOP], template="stop.html",
    ),
    Route(
        name="stop.lift", path="/stop/{id}/lift", title=N_("Lift a stop"), verb=Verb.POST, handler=lift,
        asks=LiftAsked, roles=MAY[Act.RESUME], template="stop.html",
    ),
)  # fmt: skip
