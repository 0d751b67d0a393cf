"""One approval: read it, approve, deny, edit, hand over, settle, undo."""

from collections.abc import Awaitable

from handrail.approvals.eligible import row_of
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Approve, Deny, HandOn, HandTo, Settle, settled
from handrail.approvals.store import Queued, Stored
from handrail.approvals.view import CaseView
from handrail.console.answers import Again, Go
from handrail.console.here import Here
from handrail.console.pages.approvals import QueueAsked, read_queue
from handrail.console.read_before import reason_for, wants_reason
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Handler, Route, Verb
from handrail.console.views import approval as view
from handrail.console.views.approval import ApprovalView, Last, gone_meanwhile, last_of
from handrail.console.views.approvals import STATES, address, called, listed, queue
from handrail.console.views.arguments_form import Field, arguments_of, fields_of
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.erase import reference
from handrail.people.authorise import MAY, Act
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.terms.action import ActionId, ToolId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId

PAST = 100
DECIDERS = EVERYONE - {Role.AUDITOR}
"""Any role may be asked by a route; an auditor only looks."""
TOLD = frozenset({
    Code.ALREADY_DECIDED, Code.LOST_RACE, Code.NOT_ALLOWED, Code.REQUEST_INVALID, Code.ARGUMENTS_INVALID, Code.ALREADY,
    Code.TOOL_UNREGISTERED,
})  # fmt: skip
"""What is told on the page itself, with everything that was typed."""
FASTER = frozenset({Code.ALREADY_DECIDED, Code.LOST_RACE})


class ShowAsked(QueueAsked, frozen=True, kw_only=True):
    """`last`: the visitor's last own decision. `part`: what renews itself; only then nothing of the customer is read.
    `seen`: the digest that the page shows. `read_reason`: why a program reads it, where the ruleset asks."""

    id: str
    last: str = ""
    part: str = ""
    seen: str = ""
    read_reason: str = ""


class ReadAsked(ShowAsked, frozen=True, kw_only=True):
    """`reason`: a reference such as `ticket 4711`."""

    reason: str = ""


class DecideAsked(ShowAsked, frozen=True, kw_only=True):
    """`digest`: of the call that was seen."""

    digest: str = ""
    reason: str = ""


class EditAsked(DecideAsked, frozen=True, kw_only=True):
    """`name`, `value`: of each argument, in the same order."""

    name: tuple[str, ...] = ()
    value: tuple[str, ...] = ()


class HandOnAsked(DecideAsked, frozen=True, kw_only=True):
    """`person`: to whom; empty: to the people of `route`."""

    route: str = ""
    person: str = ""


class SettleAsked(DecideAsked, frozen=True, kw_only=True):
    """`found`: `done` or `failed`."""

    found: str = ""


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> ApprovalView:
    return await _view(visitor, asked, here, seen=asked.seen)


async def read(visitor: Visitor, asked: ReadAsked, here: Here) -> Go | Again:
    """Why she reads it, recorded; the page then shows the case to her, in this session for a while."""
    try:
        reason = reference(asked.reason.strip())
    except HandrailError as problem:
        made = await _view(visitor, asked, here, read_error=told_why(problem, here.words))
        return Again(made, "approval.html")
    await here.ports.cases.look(ActionId(asked.id), token=visitor.token, most_past=0, reason=reason)
    return Go(_back(asked), here.words(N_("Recorded: you read this, and why.")))


async def approve(visitor: Visitor, asked: DecideAsked, here: Here) -> Go | Again:
    _, row = await _row(asked.id, here)
    here.require_fresh(visitor, amount_of(row, here))
    change = Approve(
        ids=here.ports.ids, action=ActionId(asked.id), digest=Digest(asked.digest), token=visitor.token,
        comment=asked.reason,
    )  # fmt: skip
    return await _decided(visitor, asked, here, settled(here.ports.journal, change))


async def deny(visitor: Visitor, asked: DecideAsked, here: Here) -> Go | Again:
    if not asked.reason.strip():
        return await _again(
            visitor, asked, here, here.words(N_("Say why you deny it; the agent's owner reads it.")), "deny"
        )
    change = Deny(ids=here.ports.ids, action=ActionId(asked.id), token=visitor.token, comment=asked.reason)
    return await _decided(visitor, asked, here, settled(here.ports.journal, change))


async def edit(visitor: Visitor, asked: EditAsked, here: Here) -> Go | Again:
    stored, row = await _row(asked.id, here)
    tool = here.ruleset.tools.get(ToolId(row.tool))
    if tool is None or stored.request is None:
        raise HandrailError(Code.NOT_FOUND, "its tool or its customer is gone")
    fields = fields_of(tool, stored.request.arguments, row.currency)
    values, written = arguments_of(fields, dict(zip(asked.name, asked.value, strict=False)), stored.request.arguments)
    if any(one.wrong for one in written):
        said = here.words(N_("Correct the marked arguments; nothing was changed."))
        return await _again(visitor, asked, here, said, "edit", written)
    if not asked.reason.strip():
        return await _again(visitor, asked, here, here.words(N_("Say why you change it.")), "edit", written)
    here.require_fresh(visitor, amount_of(row, here))
    work = here.ports.cases.edit(
        ActionId(asked.id), values, digest=Digest(asked.digest), token=visitor.token, comment=asked.reason
    )
    try:
        await work
    except HandrailError as problem:
        if problem.code not in TOLD:
            raise
        return await _refused(visitor, asked, here, problem, "edit", written)
    said = here.words(N_("Changed. Its approvals start anew, and another person decides about your change."))
    return Go(_back(asked), said)


async def hand_on(visitor: Visitor, asked: HandOnAsked, here: Here) -> Go | Again:
    change: HandOn | HandTo = HandOn(
        ids=here.ports.ids, action=ActionId(asked.id), route=asked.route, token=visitor.token, comment=asked.reason
    )
    if asked.person:
        change = HandTo(
            ids=here.ports.ids, action=ActionId(asked.id), to=asked.person, token=visitor.token, comment=asked.reason
        )
    try:
        moved: Stored = await here.ports.journal.run(change)
    except HandrailError as problem:
        if problem.code not in TOLD | {Code.NOT_FOUND}:
            raise
        return await _refused(visitor, asked, here, problem, "hand-on")
    said = here.words(N_("Handed over to {route}. Its time to decide stays the same."), route=asked.route)
    if asked.person:
        names = {one.id: one.name for one in await here.ports.people.persons()}
        said = here.words(
            N_("Handed over to {name}, who alone decides until {when}."),
            name=names.get(PersonId(moved.progress.handed_to), ""),
            when=here.words.moment(moved.progress.handed_until),
        )  # fmt: skip
    return Go(await _next(visitor, asked, here), said)


async def settle(visitor: Visitor, asked: SettleAsked, here: Here) -> Go | Again:
    if asked.found not in ("done", "failed"):
        return await _again(visitor, asked, here, here.words(N_("Say what you found out.")), "settle")
    _, row = await _row(asked.id, here)
    here.require_fresh(visitor, amount_of(row, here))
    change = Settle(
        ids=here.ports.ids, action=ActionId(asked.id), done=asked.found == "done", token=visitor.token,
        comment=asked.reason,
    )  # fmt: skip
    return await _decided(visitor, asked, here, here.ports.journal.run(change))


async def undo(visitor: Visitor, asked: DecideAsked, here: Here) -> Go | Again:
    """Of an approved one that has not left: it never will. Of a done one: the undoing action, decided like any."""
    before, row = await _row(asked.id, here)
    here.require_fresh(visitor, amount_of(row, here))
    try:
        made = await here.ports.cases.undo(ActionId(asked.id), token=visitor.token)
    except HandrailError as problem:
        if problem.code not in TOLD:
            raise
        return await _refused(visitor, asked, here, problem)
    if made.progress.action == before.progress.action:
        return Go(_back(asked), here.words(N_("Taken back. It will not be sent.")))
    waits = made.progress.state is State.HELD
    said = N_("To undo it, another action waits for a person.") if waits else N_("It is being undone.")
    return Go(address(made.progress.action, asked.asking), here.words(said))


async def _decided(visitor: Visitor, asked: DecideAsked, here: Here, work: Awaitable[Stored]) -> Go | Again:
    """On to the next one, so that the hand stays on the keys."""
    try:
        stored = await work
    except HandrailError as problem:
        if problem.code not in TOLD:
            raise
        own = await _own_word(visitor, asked, here) if problem.code in FASTER else ""
        if own:  # sent twice, or decided in another window: nobody was faster than she
            return Go(await _next(visitor, asked, here), own)
        return await _refused(visitor, asked, here, problem)
    return Go(await _next(visitor, asked, here), _told(stored, here))


async def _own_word(visitor: Visitor, asked: DecideAsked, here: Here) -> str:
    """What became of it by her own decision before; empty: it was not hers."""
    progress = (await here.ports.acts.get(ActionId(asked.id))).progress
    if progress.state is State.HELD or progress.settled_by != visitor.person:
        return ""
    return here.words(N_("You have decided this already: {state}."), state=here.words(STATES[progress.state][2]))


def _told(stored: Stored, here: Here) -> str:
    words, progress = here.words, stored.progress
    if stored.drilled is not None:
        return f"{words(N_('Decided.'))} {stored.drilled.sentence()}"
    facts = stored.about.facts
    what = called(facts.tool, here.ruleset)
    if facts.amount_minor is not None:
        what = f"{what} {words.money(facts.amount_minor, facts.currency)}"
    if progress.state is State.HELD:
        left = progress.needs - len(progress.approvals)
        return words.plural(
            "Approved: {what}. {n} more person must approve it.", "Approved: {what}. {n} more people must approve it.",
            left, what=what,
        )  # fmt: skip
    if progress.state is State.APPROVED:
        return words(N_("Approved: {what}."), what=what)
    return f"{what}: {words(STATES[progress.state][2])}."


async def _refused(
    visitor: Visitor, asked: DecideAsked, here: Here, problem: HandrailError, opened: str = "",
    written: tuple[Field, ...] | None = None,
) -> Again:  # fmt: skip
    """Why not, on the page as it is now, with what was typed."""
    made = await _view(visitor, asked, here, seen=asked.digest)
    if problem.code in FASTER and (made.now.by or made.now.stale):
        error = gone_meanwhile(made.now, here.words)
        opened = ""
    else:
        error = made.now.why_not or told_why(problem, here.words)
    return await _again(visitor, asked, here, error, opened, written)


async def _again(
    visitor: Visitor, asked: DecideAsked, here: Here, error: str, opened: str = "",
    written: tuple[Field, ...] | None = None,
) -> Again:  # fmt: skip
    made = await _view(visitor, asked, here, error=error, reason=asked.reason, opened=opened, written=written)
    return Again(made, "approval.html")


async def _view(
    visitor: Visitor, asked: ShowAsked, here: Here, *, seen: str = "", error: str = "", reason: str = "",
    opened: str = "", written: tuple[Field, ...] | None = None, read_error: str = "",
) -> ApprovalView:  # fmt: skip
    asking, action = asked.asking, ActionId(asked.id)
    case, not_shown, asks = None, "", bool(asked.part) and not seen
    if not asked.part:
        try:
            stored, case = await _look(visitor, asked, here)
        except HandrailError as problem:
            if problem.code is not Code.NOT_ALLOWED and not (wants_reason(problem) and not here.by_program):
                raise
            stored = await here.ports.acts.get(action)
            asks = wants_reason(problem)
            not_shown = here.words(N_("Your roles do not open the call and the conversation of this case."))
    else:
        stored = await here.ports.acts.get(action)
    read, person = await read_queue(visitor, asking, here, listed=asked.part in ("", "list"))
    made = queue(read, asking, here.words, person=person, current=asked.id)
    row = row_of(stored)
    return view.approval(
        stored, row, case, made, here.words, asking=asking, ruleset=here.ruleset, persons=read.persons, person=person,
        seen=seen, not_shown=not_shown, last=await _last(asked, here, person), error=error, reason=reason,
        opened=opened, written=written, asks=asks, read_error=read_error,
    )  # fmt: skip


async def _look(visitor: Visitor, asked: ShowAsked, here: Here) -> tuple[Stored, CaseView]:
    """With the reason that she gave, where the ruleset asks for one. Raises as `Cases.look` does."""
    action, look = ActionId(asked.id), here.ports.cases.look
    try:
        return await look(action, token=visitor.token, most_past=PAST)
    except HandrailError as problem:
        reason = await reason_for(visitor, action, asked.read_reason, here) if wants_reason(problem) else ""
        if not reason:
            raise
    return await look(action, token=visitor.token, most_past=PAST, reason=reason)


async def _last(asked: ShowAsked, here: Here, person: Person | None) -> Last | None:
    if not asked.last or asked.last == asked.id or asked.part:
        return None
    try:
        stored = await here.ports.acts.get(ActionId(asked.last[:60]))
    except HandrailError as problem:
        if problem.code is not Code.NOT_FOUND:
            raise
        return None
    return last_of(stored, here.words, person=person, ruleset=here.ruleset, asking=asked.asking)


async def _next(visitor: Visitor, asked: ShowAsked, here: Here) -> str:
    """The next one that waits in the same view; the list when none does."""
    asking = asked.asking
    if asking.view == "decided":
        return _back(asked)
    read, _ = await read_queue(visitor, asking, here)
    others = [row.action for row in read.rows if row.action != asked.id and row.state in (State.HELD, State.UNKNOWN)]
    behind = [action for action in others if action > asked.id or asking.view == "expiring"] or others
    if not behind:
        return listed(asking)
    return address(behind[0], asking, last=asked.id)


def _back(asked: ShowAsked) -> str:
    return address(asked.id, asked.asking)


async def _row(action: str, here: Here) -> tuple[Stored, Queued]:
    stored = await here.ports.acts.get(ActionId(action))
    return stored, row_of(stored)


def amount_of(row: Queued, here: Here) -> int | None:
    """As `Here.require_fresh` takes it: nothing that moves no money asks for a fresh proof; what nobody could read, or
    is in another currency, may be any amount."""
    if row.amount_minor is None:
        return None if row.unread else 0
    return row.amount_minor if row.currency == here.ruleset.currency else None


def _change(name: str, title: str, handler: Handler, asks: type[ShowAsked], roles: frozenset[Role] = DECIDERS) -> Route:
    return Route(
        name=f"approvals.{name}", path=f"/approvals/{{id}}/{name.replace('_', '-')}", title=title, verb=Verb.POST,
        handler=handler, asks=asks, roles=roles, template="approval.html",
    )  # fmt: skip


ROUTES = (
    Route(
        name="approvals.show", path="/approvals/{id}", title=N_("Approval"), handler=show, asks=ShowAsked,
        roles=EVERYONE, template="approval.html",
    ),
    _change("read", N_("Approval"), read, ReadAsked),
    _change("approve", N_("Approve"), approve, DecideAsked),
    _change("deny", N_("Deny"), deny, DecideAsked),
    _change("edit", N_("Edit the arguments"), edit, EditAsked),
    _change("hand_on", N_("Hand over"), hand_on, HandOnAsked),
    _change("settle", N_("Say what became of it"), settle, SettleAsked),
    _change("undo", N_("Undo"), undo, DecideAsked, MAY[Act.UNDO]),
)  # fmt: skip
