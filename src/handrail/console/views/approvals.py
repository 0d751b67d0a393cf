"""The queue: what waits for a person, in saved views; pure. Nothing personal stands in it, and not which is a drill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from handrail.approvals.eligible import WhyNot, batch_of, why_not
from handrail.approvals.lifecycle import ENDED, State
from handrail.approvals.route import moment
from handrail.approvals.store import Queued
from handrail.console.words import N_, Words
from handrail.people.person import Person
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ToolId
from handrail.terms.ids import PersonId, UseCaseId

PAGE = 50
"""Rows of one page."""
SOON_MS = 60 * 60_000
URGENT_MS = 15 * 60_000
OPEN = frozenset({State.HELD, State.UNKNOWN})
VIEWS = {
    "mine": N_("For me"), "expiring": N_("Expiring"), "payments": N_("Payments"), "decided": N_("Decided"),
    "all": N_("All"),
}  # fmt: skip
STATES = {
    State.HELD: ("hold", "pause", N_("Waiting")),
    State.DRAFTED: ("", "edit", N_("Drafted")),
    State.APPROVED: ("allow", "clock", N_("Approved, not sent yet")),
    State.CLAIMED: ("canary", "canary", N_("Being carried out")),
    State.DONE: ("allow", "check", N_("Done")),
    State.FAILED: ("deny", "x", N_("Failed, no effect")),
    State.UNKNOWN: ("deny", "alert", N_("Outcome unknown")),
    State.DENIED: ("deny", "x", N_("Denied")),
    State.EXPIRED: ("", "clock", N_("Nobody decided in time")),
    State.LAPSED: ("", "clock", N_("Approved, not carried out")),
    State.REVOKED: ("deny", "stop", N_("Revoked by a stop")),
    State.CANCELLED: ("", "undo", N_("Taken back")),
    State.UNREACHABLE: ("", "x", N_("Cannot be carried out")),
}
EMPTY = {
    "mine": (N_("Nothing waits for you."), N_("What an agent may not do alone, and you may decide, will wait here.")),
    "expiring": (N_("Nothing expires within the hour."), N_("What nobody decides in time is denied.")),
    "payments": (N_("No payment waits."), N_("Actions that move money and wait for a person stand here.")),
    "decided": (N_("Nothing was decided yet."), N_("Each decision stands here with who made it and what came of it.")),
    "all": (N_("Nothing waits for a person."), N_("What an agent may not do alone will wait here.")),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Which part of the queue, as the address says it. `after`: id of the row before the page. `text`: filter."""

    view: str = "mine"
    text: str = ""
    after: str = ""

    def query(self, **more: str) -> dict[str, str]:
        """For addresses: what is not the usual."""
        given = {"view": "" if self.view == "mine" else self.view, "text": self.text, "after": self.after, **more}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`due`: until when it waits, or when it was decided. `pick`: may be one of a batch."""

    id: str
    path: str
    title: str
    said: str
    tone: str
    icon: str
    status: str
    due: str
    urgent: bool
    current: bool
    pick: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """`later`, `first`: addresses of the next and the first page; empty: there is none. `left_out`: what the page does
    not show. `announce`: for screen readers."""

    view: str
    views: tuple[tuple[str, str, bool], ...]
    text: str
    rows: tuple[Row, ...]
    said: str
    empty: tuple[str, str]
    empty_next: tuple[str, str]
    left_out: str
    first: str
    later: str
    announce: str
    csv: str
    newest: str
    picks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `behind`: the last one that was looked at, where more are behind it; empty: these are all.
    `counts`: of all states."""

    rows: Sequence[Queued]
    behind: str
    counts: Mapping[State, int]
    ruleset: Ruleset
    persons: Mapping[PersonId, Person]


def wanted(row: Queued, asking: Asking, person: Person | None, ruleset: Ruleset, words: Words) -> bool:
    """Whether the row belongs to what is asked for."""
    if asking.text and asking.text.casefold() not in _searched(row, ruleset):
        return False
    if asking.view == "mine":
        return reason_not(row, person, ruleset, words.now_ms) is None
    if asking.view == "expiring":
        return row.decide_by is not None and words.now_ms < row.decide_by <= words.now_ms + SOON_MS
    return row.amount_minor is not None or row.unread if asking.view == "payments" else True


def reason_not(row: Queued, person: Person | None, ruleset: Ruleset, now_ms: int) -> WhyNot | None:
    """Why she may not settle it; None: she may."""
    case = ruleset.use_cases.get(UseCaseId(row.use_case))
    owners = frozenset({case.owner.lower(), case.deputy.lower()}) if case is not None else frozenset[str]()
    return why_not(row, person, owners, moment(now_ms, ruleset.time_zone))


def _searched(row: Queued, ruleset: Ruleset) -> str:
    case = ruleset.use_cases.get(UseCaseId(row.use_case))
    parts = (
        row.action,
        row.tool,
        called(row.tool, ruleset),
        row.use_case,
        case.name if case else "",
        row.agent,
        row.route,
    )
    return "\n".join(parts).casefold()


def called(tool: str, ruleset: Ruleset) -> str:
    """What the tool does, as its owner titled it."""
    known = ruleset.tools.get(ToolId(tool))
    return known.title if known is not None and known.title else tool


def titled(row: Queued, words: Words, ruleset: Ruleset) -> str:
    """`Pay money back, €2,000.00`."""
    name = called(row.tool, ruleset)
    if row.amount_minor is None:
        return name
    return words(N_("{what}, {amount}"), what=name, amount=words.money(row.amount_minor, row.currency))


def address(action: str, asking: Asking, **more: str) -> str:
    """Of one case, within the view that she came from."""
    query = urlencode(asking.query(**more))
    return f"/approvals/{action}?{query}" if query else f"/approvals/{action}"


def listed(asking: Asking, **more: str) -> str:
    query = urlencode(asking.query(**more))
    return f"/approvals?{query}" if query else "/approvals"


def queue(read: Read, asking: Asking, words: Words, *, person: Person | None, current: str = "") -> Queue:
    """`current`: id of the open case."""
    waiting = read.counts.get(State.HELD, 0)
    rows = tuple(_row(row, asking, words, read, person, current) for row in read.rows)
    later = listed(asking, after=read.behind) if read.behind else ""
    shown = len(rows)
    return Queue(
        view=asking.view,
        views=tuple(
            (words(label), listed(Asking(view=name, text=asking.text)), name == asking.view)
            for name, label in VIEWS.items()
        ),
        text=asking.text, rows=rows,
        said=_said(read, words),
        empty=_empty(asking, words, cut=bool(read.behind)),
        empty_next=(later, words(N_("Look further"))) if later
        else (listed(Asking(view="all")), words(N_("Show all that waits")))
        if waiting and asking.view != "all" else ("", ""),
        left_out=words.plural("The first {n} is shown.", "The first {n} are shown.", shown)
        if read.behind and not asking.after else "",
        first=listed(Asking(view=asking.view, text=asking.text)) if asking.after else "", later=later,
        announce=words.plural("{n} approval waits", "{n} approvals wait", waiting),
        csv="/approvals.csv?" + urlencode({"view": asking.view, "text": asking.text}),
        newest=max((row.action for row in read.rows), default=""),
        picks=any(row.pick for row in rows),
    )  # fmt: skip


def _said(read: Read, words: Words) -> str:
    held, unknown = read.counts.get(State.HELD, 0), read.counts.get(State.UNKNOWN, 0)
    parts = [
        words.plural("{n} action waits for a person.", "{n} actions wait for a person.", held)
        if held else words(N_("Nothing waits for a person."))
    ]  # fmt: skip
    if unknown:
        parts.append(
            words.plural(
                "Of {n} action nobody can tell whether it took effect.",
                "Of {n} actions nobody can tell whether they took effect.", unknown,
            )
        )  # fmt: skip
    return " ".join(parts)


def _empty(asking: Asking, words: Words, *, cut: bool) -> tuple[str, str]:
    if cut:
        return words(N_("Nothing fits so far.")), words(
            N_("Very many wait, and only some of them were looked through. What fits may be further on.")
        )
    if asking.text:
        return words(N_("Nothing fits this filter.")), words(
            N_("It looks at tools, use cases, agents, routes and ids.")
        )
    title, why = EMPTY.get(asking.view, EMPTY["all"])
    return words(title), words(why)


def _row(row: Queued, asking: Asking, words: Words, read: Read, person: Person | None, current: str) -> Row:
    case = read.ruleset.use_cases.get(UseCaseId(row.use_case))
    tone, icon, status = stated(row, words)
    mine = reason_not(row, person, read.ruleset, words.now_ms) is None
    urgent = row.state is State.HELD and row.decide_by is not None and row.decide_by - words.now_ms <= URGENT_MS
    return Row(
        id=row.action, path=address(row.action, asking), title=titled(row, words, read.ruleset),
        said=" · ".join(part for part in (case.name if case else row.use_case, row.agent) if part),
        tone=tone, icon=icon, status=status, due=_due(row, words, read.persons), urgent=urgent,
        current=row.action == current, pick=mine and row.state is State.HELD and batch_of(row) > 1,
    )  # fmt: skip


def stated(row: Queued, words: Words) -> tuple[str, str, str]:
    """Tone, icon and words of where it is."""
    tone, icon, label = STATES[row.state]
    if row.state is State.HELD and row.needs > 1:
        return tone, icon, words(N_("{n} of {all} approved"), n=words.number(row.given), all=words.number(row.needs))
    return tone, icon, words(label)


def _due(row: Queued, words: Words, persons: Mapping[PersonId, Person]) -> str:
    if row.state is State.HELD and row.decide_by is not None:
        if row.decide_by <= words.now_ms:
            return words(N_("expired"))
        return words(N_("came {ago}, expires {when}"), ago=words.ago(row.created_at), when=words.ago(row.decide_by))
    if row.state in ENDED and row.settled_by and row.settled_at is not None:
        by = name_of(row.settled_by, persons)
        return words(N_("{name}, {when}"), name=by, when=words.moment(row.settled_at))
    return words.moment(row.created_at)


def name_of(person: str, persons: Mapping[PersonId, Person]) -> str:
    """Her name; her id when she was erased."""
    known = persons.get(PersonId(person))
    return known.name if known is not None else person
