"""Approvals: the queue in saved views, as a page and as CSV."""

from collections.abc import Sequence

from handrail.approvals.lifecycle import ENDED, State
from handrail.approvals.store import Queued
from handrail.console.answers import File
from handrail.console.here import Here
from handrail.console.keys import Does, Key
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route
from handrail.console.spreadsheet import sheet
from handrail.console.views import approvals as view
from handrail.console.views.approvals import OPEN, PAGE, SOON_MS, VIEWS, Asking, Queue
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.person import Person
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError

CHUNK = 200
SCANNED = 2_000
"""Rows that are looked through for a page; what lies behind is told as left out."""
CSV_ROWS = 10_000
DUE = 2_000
"""Of what expires within the hour the soonest."""
UNDER_WAY = frozenset({State.HELD, State.UNKNOWN, State.APPROVED, State.CLAIMED})


class QueueAsked(Asked, frozen=True, kw_only=True):
    """`view`: one of `views.approvals.VIEWS`. `text`: filter. `after`: the row before the page."""

    view: str = "mine"
    text: str = ""
    after: str = ""

    @property
    def asking(self) -> Asking:
        return Asking(view=self.view if self.view in VIEWS else "mine", text=self.text[:80], after=self.after[:40])


async def show(visitor: Visitor, asked: QueueAsked, here: Here) -> Queue:
    read, person = await read_queue(visitor, asked.asking, here)
    return view.queue(read, asked.asking, here.words, person=person)


async def read_queue(
    visitor: Visitor, asking: Asking, here: Here, *, listed: bool = True
) -> tuple[view.Read, Person | None]:
    """One page of what is asked for, and who asks. `listed` False: without the rows, for a part that shows none."""
    persons = {person.id: person for person in await here.ports.people.persons()}
    person = persons.get(visitor.person)
    rows: Sequence[Queued] = ()
    behind, counts = "", {}
    if listed:
        rows, behind = await _rows(asking, person, here, most=PAGE)
        counts = await here.ports.acts.counts()
    return view.Read(rows=rows, behind=behind, counts=counts, ruleset=here.ruleset, persons=persons), person


async def _rows(asking: Asking, person: Person | None, here: Here, *, most: int) -> tuple[Sequence[Queued], str]:
    """At most `most`, in the view's order, and the last one that was looked at where more are behind it."""
    acts = here.ports.acts
    if asking.view == "expiring":
        return await _expiring(asking, person, here, most=most)
    states = {"decided": ENDED, "all": UNDER_WAY}.get(asking.view, OPEN)
    newest = asking.view == "decided"
    after = ActionId(asking.after) if asking.after else None
    found = []
    for _ in range(max(1, max(SCANNED, most) // CHUNK)):
        chunk = await acts.queued(states, limit=CHUNK, after=after, newest=newest)
        found += [row for row in chunk if view.wanted(row, asking, person, here.ruleset, here.words)]
        if len(found) > most:
            return found[:most], found[most - 1].action
        if len(chunk) < CHUNK:
            return found, ""
        after = chunk[-1].action
    return found, after or ""


async def _expiring(asking: Asking, person: Person | None, here: Here, *, most: int) -> tuple[Sequence[Queued], str]:
    """The most urgent first; behind a row come those that are due after it, also when it was decided meanwhile."""
    soon = await here.ports.acts.queued(frozenset({State.HELD}), limit=DUE, due_before=here.now_ms + SOON_MS)
    begin = await _due(asking.after, here) if asking.after else None
    found = [
        row for row in sorted(soon, key=_urgent)
        if (begin is None or _urgent(row) > begin) and view.wanted(row, asking, person, here.ruleset, here.words)
    ]  # fmt: skip
    if len(found) > most:
        return found[:most], found[most - 1].action
    return found, ""


def _urgent(row: Queued) -> tuple[int, str]:
    return row.decide_by or 0, row.action


async def _due(action: str, here: Here) -> tuple[int, str] | None:
    """Where a row stood in that order; None for one that is not known: then the list begins anew."""
    try:
        progress = (await here.ports.acts.get(ActionId(action))).progress
    except HandrailError as problem:
        if problem.code is not Code.NOT_FOUND:
            raise
        return None
    return progress.decide_by or 0, progress.action


async def as_csv(visitor: Visitor, asked: QueueAsked, here: Here) -> File:
    persons = {person.id: person for person in await here.ports.people.persons()}
    rows, behind = await _rows(asked.asking, persons.get(visitor.person), here, most=CSV_ROWS)
    heads = (
        "id", "state", "use_case", "tool", "agent", "amount_minor", "currency", "route", "approved", "needed",
        "came_in", "decide_by", "decided_by", "decided_at",
    )  # fmt: skip
    cells: list[tuple[object, ...]] = [
        (row.action, row.state.value, row.use_case, row.tool, row.agent,
         "" if row.amount_minor is None else row.amount_minor, row.currency, row.route, row.given, row.needs,
         here.words.iso(row.created_at), _iso(row.decide_by, here),
         view.name_of(row.settled_by, persons) if row.settled_by else "", _iso(row.settled_at, here))
        for row in rows
    ]  # fmt: skip
    if behind:
        cells.append((f"the first {len(rows)} only, up to {behind}: narrow the filter for the rest",))
    return File("approvals.csv", "text/csv; charset=utf-8", sheet(heads, cells))


def _iso(at_ms: int | None, here: Here) -> str:
    return "" if at_ms is None else here.words.iso(at_ms)


ROUTES = (
    Route(
        name="approvals", path="/approvals", title=N_("Approvals"), handler=show, asks=QueueAsked, roles=EVERYONE,
        template="approvals.html", nav=Nav(Group.OPERATE, "pause", 20, "approvals"), key="a",
    ),
    Route(
        name="approvals.csv", path="/approvals.csv", title=N_("Approvals as CSV"), handler=as_csv, asks=QueueAsked,
        roles=EVERYONE, api=False,
    ),
)  # fmt: skip
KEYS = (
    Key(name="approvals.approve", keys=("a",), label=N_("Approve")),
    Key(name="approvals.deny", keys=("d",), label=N_("Deny")),
    Key(name="approvals.edit", keys=("e",), label=N_("Edit the arguments")),
    Key(name="approvals.hand_on", keys=("h",), label=N_("Hand over")),
    Key(name="approvals.undo", keys=("z",), label=N_("Take back your last decision")),
    Key(name="approvals.reason", keys=("r",), label=N_("Write a reason"), does=Does.FOCUS),
)
