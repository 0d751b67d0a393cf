"""Releases: the list, one release with its evidence, and every move that a person makes."""

import asyncio
from collections.abc import Callable
from typing import Any

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Key
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.views.releases import Releases, as_csv, releases, wanted
from handrail.console.views.releases_detail import MOST_HARM, Detail, Example, Read, detail
from handrail.console.views.releases_moves import WHY
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.read import Query
from handrail.people.authorise import MAY, Act
from handrail.releases import desk
from handrail.releases.as_seen import AsSeen
from handrail.releases.curve import Drawing
from handrail.releases.lifecycle import OVER, Rollout, State
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId

REFUSED = frozenset({Code.NOT_ALLOWED, Code.RELEASE_STATE, Code.LOST_RACE, Code.ALREADY, Code.REQUEST_INVALID})
"""What is told on the page itself, with what happened meanwhile."""
LEAST = 8
"""Characters of a digest that name a release in an address."""
RUNS, INCIDENTS = 6, 200


class ListAsked(Asked, frozen=True, kw_only=True):
    """`cut`: one of `views.releases.CUTS`."""

    use_case: str = ""
    cut: str = ""
    page: int = 1


class ShowAsked(Asked, frozen=True, kw_only=True):
    """`id`: a digest, or its beginning."""

    id: str


class MoveAsked(Asked, frozen=True, kw_only=True):
    """`seen`: the version of the rollout that stood on the page; every move but holding and rolling back is refused
    when it is another by now. `role`: of a sign-off. `reason`, `finish`: of a rollback."""

    id: str
    seen: int = -1
    role: str = ""
    reason: str = ""
    finish: str = ""


async def list_(visitor: Visitor, asked: ListAsked, here: Here) -> Releases:
    ports = here.ports
    rollouts = await ports.units.rollouts()
    canaries = [one for one in rollouts if one.state is State.CANARY]
    found = await asyncio.gather(*(ports.moving.drawing(one) for one in canaries))
    drawings = {str(one.release): drawing for one, drawing in zip(canaries, found, strict=True)}
    return releases(
        rollouts, ports.in_force.current, drawings, await _names(here), here.words, use_case=asked.use_case,
        cut=asked.cut, page=max(asked.page, 1),
    )  # fmt: skip


async def as_file(visitor: Visitor, asked: ListAsked, here: Here) -> File:
    rollouts = wanted(await here.ports.units.rollouts(), use_case=asked.use_case, cut=asked.cut)
    return File("releases.csv", "text/csv; charset=utf-8", as_csv(rollouts, await _names(here)))


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> Detail:
    return detail(await _read(asked.id, here), visitor, here.words)


async def sign(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        move = desk.Sign(ids=here.ports.ids, release=release, role=asked.role, token=visitor.token)
        return AsSeen(release=release, version=asked.seen, command=move)

    return await _moved(visitor, asked, here, made, N_("Signed off."))


async def start(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    ports = here.ports
    rollout = await _rollout(asked.id, here)
    command = desk.Start(ids=ports.ids, release=rollout.release, token=visitor.token, bars=ports.moving.bars)
    try:
        after = await ports.moving.start(command)
    except HandrailError as problem:
        return await _refused(visitor, asked, here, problem)
    said = here.words(N_("The canary began at {share}."), share=here.words.percent(after.share, 0))
    return Go(f"/releases/{after.release}", said)


async def advance(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        ports = here.ports
        move = desk.Advance(
            ids=ports.ids, release=release, token=visitor.token, bars=ports.moving.bars, beside=ports.moving.beside
        )
        return AsSeen(release=release, version=asked.seen, command=move)

    return await _moved(visitor, asked, here, made, N_("It goes on at the next step."))


async def freeze(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        return desk.Freeze(ids=here.ports.ids, release=release, token=visitor.token)

    return await _moved(visitor, asked, here, made, N_("Held. It stands still at its first step."))


async def thaw(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        ports = here.ports
        move = desk.Thaw(ids=ports.ids, release=release, token=visitor.token, beside=ports.moving.beside)
        return AsSeen(release=release, version=asked.seen, command=move)

    return await _moved(visitor, asked, here, made, N_("It goes on."))


async def promote(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        ports = here.ports
        move = desk.Promote(
            ids=ports.ids, release=release, token=visitor.token, bars=ports.moving.bars, beside=ports.moving.beside
        )
        return AsSeen(release=release, version=asked.seen, command=move)

    return await _moved(visitor, asked, here, made, N_("It is live for everyone."))


async def roll_back(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    """Whatever happened since the page was read: it is never too late for the way back."""

    def made(release: Digest) -> Callable[[Any], Rollout]:
        ports = here.ports
        if asked.reason not in WHY:
            raise HandrailError(Code.REQUEST_INVALID, here.words(N_("Choose why it is rolled back.")))
        return desk.RollBack(
            ids=ports.ids, release=release, safety=asked.finish != "yes", token=visitor.token, why=WHY[asked.reason],
            beside=ports.moving.beside,
        )  # fmt: skip

    return await _moved(visitor, asked, here, made, N_("Rolled back. What was live before answers again."))


async def retire(visitor: Visitor, asked: MoveAsked, here: Here) -> Go | Again:
    def made(release: Digest) -> Callable[[Any], Rollout]:
        move = desk.Retire(ids=here.ports.ids, release=release, token=visitor.token)
        return AsSeen(release=release, version=asked.seen, command=move)

    return await _moved(visitor, asked, here, made, N_("Given up."))


async def _moved(
    visitor: Visitor, asked: MoveAsked, here: Here, made: Callable[[Digest], Callable[[Any], Rollout]], said: str
) -> Go | Again:
    rollout = await _rollout(asked.id, here)
    try:
        await here.ports.journal.run(made(rollout.release))
    except HandrailError as problem:
        return await _refused(visitor, asked, here, problem)
    return Go(f"/releases/{rollout.release}", here.words(said))


async def _refused(visitor: Visitor, asked: MoveAsked, here: Here, problem: HandrailError) -> Again:
    """The page as it is by now, and why not; when somebody was faster, who and when."""
    if problem.code not in REFUSED:
        raise problem
    view = detail(await _read(asked.id, here), visitor, here.words)
    told = told_why(problem, here.words)
    if asked.seen >= 0 and asked.seen != view.version and view.moments:
        latest = view.moments[0]
        told += (" " if told.endswith(".") else ". ") + here.words(
            N_("Meanwhile: {title}, by {name}, {when}."), title=latest.title, name=latest.by,
            when=here.words.moment(latest.at_ms),
        )  # fmt: skip
    return Again(detail(await _read(asked.id, here), visitor, here.words, problem=told), "releases/show.html")


async def _rollout(name: str, here: Here) -> Rollout:
    """By the beginning of its digest. Raises HandrailError NOT_FOUND."""
    found = await _named(name, here)
    if found is None:
        raise HandrailError(Code.NOT_FOUND, "no ramp knows this release, so it cannot be moved")
    return found


async def _named(name: str, here: Here) -> Rollout | None:
    if len(name) < LEAST:
        return None
    found = [one for one in await here.ports.units.rollouts() if one.release.startswith(name)]
    return found[0] if len(found) == 1 else None


async def _digest(name: str, here: Here) -> Digest:
    """Of a release that no ramp knows. Raises HandrailError NOT_FOUND."""
    known = await here.ports.incidents.releases(name) if len(name) >= LEAST else []
    if len(known) != 1:
        raise HandrailError(Code.NOT_FOUND, "there is no such release; the list names them all")
    return Digest(known[0])


async def _read(name: str, here: Here) -> Read:
    ports, snapshot = here.ports, here.ports.in_force.current
    rollout = await _named(name, here)
    digest = rollout.release if rollout is not None else await _digest(name, here)
    release, author = await ports.released.release(digest)
    live = snapshot.live.get(UseCaseId(release.use_case)) if snapshot else None
    against = None if live is None or live.digest == digest else live.digest
    if rollout is not None and rollout.control is not None and rollout.control != digest:
        against = rollout.control
    started = rollout is not None and rollout.ramp is not None
    drawing = await ports.moving.drawing(rollout) if rollout is not None and started else None
    over = rollout is None or rollout.state in OVER or rollout.state is State.LIVE
    return Read(
        digest=digest, release=release, first_author=author, snapshot=snapshot, rollout=rollout,
        against=None if against is None else (await ports.released.release(against))[0],
        against_digest=against or "", drawing=drawing,
        counts=await _counts(rollout, drawing, here),
        examples=await _examples(drawing, here), runs=await ports.released.runs(None, digest, limit=RUNS),
        entries=await ports.moving.moves(digest), names=await _names(here),
        barred="" if rollout is None or over else await ports.moving.barred(rollout),
        incident=await _incident(rollout, here),
    )  # fmt: skip


async def _incident(rollout: Rollout | None, here: Here) -> str:
    """Of a release that was rolled back, looked for among the newest."""
    if rollout is None or rollout.state is not State.ROLLED_BACK:
        return ""
    newest = await here.ports.incidents.listed(all_states=True, limit=INCIDENTS)
    return next((one.id for one in newest if one.scope.release == rollout.release), "")


async def _counts(rollout: Rollout | None, drawing: Drawing | None, here: Here) -> list[tuple[int, str, int, int]]:
    """From what is folded already; a pilot's units are folded by nobody, and are few."""
    if rollout is None or rollout.ramp is None or drawing is None or not drawing.complete:
        return []
    if any(stage.pilot for stage in rollout.ramp.stages):
        return await here.ports.units.counts(rollout)
    control = drawing.units - drawing.canaries
    return [(1, "canary", drawing.canaries, drawing.canaries), (1, "control", control, control)]


async def _examples(drawing: Drawing | None, here: Here) -> list[Example]:
    """An interaction of each of the newest units that were harmed; its text is read on its own page."""
    found = []
    for one in drawing.harmed[:MOST_HARM] if drawing is not None else ():
        conversation = one.conversations[-1]
        page = await here.ports.reader.find(Query(conversation=conversation, limit=1))
        interaction = page.found[0].interaction if page.found else ""
        found.append(
            Example(
                unit=one.unit, metrics=one.metrics, interaction=interaction, conversation=conversation, at_ms=one.at_ms
            )
        )
    return found


async def _names(here: Here) -> dict[str, str]:
    return {str(one.id): one.name for one in await here.ports.people.persons()}


KEYS = (
    Key(name="releases.go", keys=("n",), label=N_("Start, or go to the next step")),
    Key(name="releases.promote", keys=("p",), label=N_("Make it live")),
    Key(name="releases.rollback", keys=("b",), label=N_("Roll back")),
)


def _post(name: str, act: Act, title: str, handler: Any) -> Route:
    return Route(
        name=f"releases.{name}", path=f"/releases/{{id}}/{name}", title=title, verb=Verb.POST, handler=handler,
        asks=MoveAsked, roles=MAY[act], template="releases/show.html",
    )  # fmt: skip


ROUTES = (
    Route(
        name="releases", path="/releases", title=N_("Releases"), handler=list_, asks=ListAsked, roles=EVERYONE,
        template="releases.html", nav=Nav(Group.CHANGE, "canary", 10), key="r",
    ),
    Route(
        name="releases.csv", path="/releases.csv", title=N_("Releases as a table"), handler=as_file, asks=ListAsked,
        roles=EVERYONE, api=False,
    ),
    Route(
        name="releases.show", path="/releases/{id}", title=N_("Release"), handler=show, asks=ShowAsked,
        roles=EVERYONE, template="releases/show.html",
    ),
    _post("sign", Act.SIGN_OFF, N_("Sign off"), sign),
    _post("start", Act.RELEASE, N_("Start the canary"), start),
    _post("advance", Act.RELEASE, N_("Next step"), advance),
    _post("freeze", Act.ROLL_BACK, N_("Hold the ramp"), freeze),
    _post("thaw", Act.RELEASE, N_("Let it go on"), thaw),
    _post("promote", Act.RELEASE, N_("Make it live for everyone"), promote),
    _post("rollback", Act.ROLL_BACK, N_("Roll back"), roll_back),
    _post("retire", Act.PUBLISH, N_("Give up this draft"), retire),
)  # fmt: skip
