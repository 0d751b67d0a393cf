"""One case, in the order in which a person decides: what and to whom, until when, why it waits, how far it reaches,
whether it can be undone, what was before, what speaks for it, what was said, who decides. Pure.

A drill is shown like any other hold until it is over. Without its content (`case` None) a row of the register alone is
told: where it is, who decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from handrail.approvals.eligible import WhyNot, batch_of, may_pass_on, only, roles_asked, route_asked
from handrail.approvals.lifecycle import Approval, Otherwise, State
from handrail.approvals.route import Case as RouteCase
from handrail.approvals.route import covers
from handrail.approvals.store import Queued, Stored
from handrail.approvals.view import CaseView
from handrail.console.views.approval_facts import Check, Fact, Why, checks_of, facts_of, more_of, why_of
from handrail.console.views.approvals import (
    OPEN,
    STATES,
    Asking,
    Queue,
    called,
    listed,
    name_of,
    reason_not,
    stated,
)  # fmt: skip
from handrail.console.views.arguments_form import Field, fields_of
from handrail.console.views.frame import ROLE_NAMES
from handrail.console.words import N_, Words
from handrail.people.authorise import MAY, Act
from handrail.people.person import Person
from handrail.policy.action_rules import Route
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ActionType, ToolId
from handrail.terms.ids import PersonId, UseCaseId
from handrail.tools.registry import Tool

WHY_NOT = {
    WhyNot.DISABLED: N_("You were disabled; ask an admin."),
    WhyNot.EXCLUDED: N_(
        "You asked for this, own the use case, made its key or wrote the rule: another person decides."
    ),
    WhyNot.APPROVED: N_("You have approved this. A second person decides now."),
    WhyNot.ROLES: N_("Your roles do not decide this; its route asks: {roles}."),
    WhyNot.BEYOND: N_("Route {route} may not decide this amount or use case. Hand it over to one that may."),
    WhyNot.SHIFT: N_("Route {route} is not on shift now. Wait, or hand it over."),
    WhyNot.HANDED: N_("It was handed to {name}, who alone decides until {when}. Hand it over, or wait."),
}
OTHERWISE = {
    Otherwise.DENY: N_("It is denied"), Otherwise.HANDOVER: N_("It is denied, and the case goes to a person"),
}  # fmt: skip
SPEAKERS = {"user": N_("Customer"), "assistant": N_("Agent"), "tool": N_("Tool"), "system": N_("Instructions")}
RISKS = {"R0": N_("None"), "R1": N_("Low"), "R2": N_("Medium"), "R3": N_("High"), "R4": N_("Highest")}
LAST_SAID = 8
LONGEST = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    tone: str
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """`tone`: `ok` has approved, `wait` is asked, empty: is excluded."""

    initials: str
    name: str
    said: str
    note: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Where it is at this instant; told again whenever something moved. `changed`: not what this page shows any more:
    `by` says who did what and when. `stale`: its arguments were edited since. `why_not`: why this visitor cannot
    decide; empty: she can. `left`: until when."""

    waits: bool
    tone: str
    icon: str
    status: str
    left: str
    urgent: bool
    why_not: str
    may: bool
    may_hand_on: bool
    may_settle: bool
    undo: str
    by: str
    stale: bool
    people_title: str
    people: tuple[Signer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The visitor's last own decision, where it can still be taken back."""

    said: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of the case only a recorded look gives. `digest`: what a yes is bound to."""

    to_whom: str
    pairs: tuple[tuple[str, str], ...]
    why: tuple[Why, ...]
    facts: tuple[Fact, ...]
    arguments: tuple[tuple[str, str], ...]
    edits: tuple[str, ...]
    checks: tuple[Check, ...]
    more: tuple[Check, ...]
    said: tuple[Said, ...]
    said_more: str
    conversation: str
    undoes: str
    was_drill: bool
    digest: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """`title`: what, with the amount. `amount`: as the button names it, empty: no money moves. `not_shown`: why the
    content is not. `asks`: she has to say first why she reads it; `read_error`: of what she typed. `error`: of what was
    tried; `reason`: as it was typed. `open`: the dialog that is to be open."""

    id: str
    crumb: str
    crumbs: tuple[tuple[str, str], ...]
    title: str
    what: str
    amount: str
    queue: Queue
    now: Now
    shown: Shown | None
    not_shown: str = ""
    asks: bool = False
    read_error: str = ""
    routes: tuple[tuple[str, str], ...] = ()
    colleagues: tuple[tuple[str, str], ...] = ()
    alike: str = ""
    last: Last | None = None
    fields: dict[str, str] = field(default_factory=dict)
    error: str = ""
    reason: str = ""
    open: str = ""


def approval(
    stored: Stored, row: Queued, case: CaseView | None, queued: Queue, words: Words, *, asking: Asking,
    ruleset: Ruleset, persons: Mapping[PersonId, Person], person: Person | None, seen: str = "", not_shown: str = "",
    last: Last | None = None, error: str = "", reason: str = "", opened: str = "",
    written: tuple[Field, ...] | None = None, asks: bool = False, read_error: str = "",
) -> ApprovalView:  # fmt: skip
    """`seen`: the digest that the page shows, where it was shown before. `written`: the fields of an edit with
    mistakes. `asks`: a reason to read it is still to be given, so it cannot be decided either."""
    name = called(row.tool, ruleset)
    amount = words.money(row.amount_minor, row.currency) if row.amount_minor is not None else ""
    now = now_of(stored, row, words, ruleset=ruleset, persons=persons, person=person, seen=seen)
    if asks and (now.may or now.may_settle):
        unread = words(N_("Nobody decides what she has not read: say first why you read it."))
        now = replace(now, may=False, may_settle=False, why_not=unread)
    return ApprovalView(
        id=row.action, crumb=row.action, crumbs=((words(N_("Approvals")), listed(asking)),),
        title=f"{name} {amount}".strip(), what=name, amount=amount, queue=queued,
        now=now,
        shown=None if case is None else _shown(case, row, words, ruleset, persons, written), not_shown=not_shown,
        asks=asks, read_error=read_error,
        routes=_routes(row, ruleset, words),
        colleagues=_colleagues(row, persons, person, ruleset, words), last=last,
        alike=row.action if batch_of(row) > 1 else "", fields=asking.query(), error=error, reason=reason, open=opened,
    )  # fmt: skip


def now_of(
    stored: Stored, row: Queued, words: Words, *, ruleset: Ruleset, persons: Mapping[PersonId, Person],
    person: Person | None, seen: str = "",
) -> Now:  # fmt: skip
    """Pure; of the register alone."""
    no = reason_not(row, person, ruleset, words.now_ms)
    waits = row.state is State.HELD and no is not WhyNot.OVER
    tone, icon, status = stated(row, words)
    left, urgent = _left(row, words)
    return Now(
        waits=waits, tone=tone, icon=icon, status=status, left=left, urgent=urgent,
        why_not=_why_not(no, row, words, persons) if row.state in OPEN else "",
        may=no is None and row.state is State.HELD,
        may_hand_on=waits and may_pass_on(row, person), may_settle=no is None and row.state is State.UNKNOWN,
        undo=_undo(stored, person, ruleset, words), by=_by(row, words, persons),
        stale=bool(seen) and seen != row.digest, people_title=_people_title(row, words),
        people=tuple(_people(stored, row, words, ruleset, persons, person)),
    )  # fmt: skip


def _left(row: Queued, words: Words) -> tuple[str, bool]:
    if row.state is not State.HELD or row.decide_by is None:
        return "", False
    left = row.decide_by - words.now_ms
    if left <= 0:
        return words(N_("Its time is over")), True
    return words(N_("{time} left"), time=words.lasting(left)), left <= 15 * 60_000


def _why_not(no: WhyNot | None, row: Queued, words: Words, persons: Mapping[PersonId, Person]) -> str:
    if no is None:
        return ""
    if no is WhyNot.OVER:
        return words(N_("Its time is over; it will be told here what became of it."))
    return words(
        WHY_NOT[no], roles=_roles(roles_asked(row), words), route=row.route or route_asked(row).id,
        name=name_of(row.handed_to, persons), when=words.moment(row.handed_until),
    )  # fmt: skip


def _roles(roles: Sequence[str] | frozenset[str], words: Words) -> str:
    return ", ".join(words(ROLE_NAMES.get(role, role)) for role in sorted(roles))


def _by(row: Queued, words: Words, persons: Mapping[PersonId, Person]) -> str:
    """Who decided it and when; empty while it waits."""
    if row.state is State.HELD or not row.settled_by or row.settled_at is None:
        return "" if row.state is State.HELD else words(STATES[row.state][2])
    name, when = name_of(row.settled_by, persons), words.moment(row.settled_at)
    said = {
        State.DENIED: N_("{name} denied this, {when}."), State.CANCELLED: N_("{name} took this back, {when}."),
    }.get(row.state, N_("{name} approved this, {when}."))  # fmt: skip
    if row.state is not State.APPROVED and said.startswith("{name} approved"):
        return words(
            N_("{name} decided this, {when}: {state}."), name=name, when=when, state=words(STATES[row.state][2])
        )
    return words(said, name=name, when=when)


def _undo(stored: Stored, person: Person | None, ruleset: Ruleset, words: Words) -> str:
    """What the button says; empty: there is nothing that this visitor could undo now."""
    progress = stored.progress
    if person is None or not person.roles & MAY[Act.UNDO] or progress.drill:
        return ""
    if progress.state is State.APPROVED and progress.not_before > words.now_ms:
        return words(N_("Take it back"))
    tool = ruleset.tools.get(ToolId(stored.about.facts.tool))
    if progress.state is not State.DONE or tool is None or tool.undo is None or progress.undone_by:
        return ""
    since = progress.ended_at or progress.created_at
    if tool.undo_within_s is not None and words.now_ms >= since + 1_000 * tool.undo_within_s:
        return ""
    return words(N_("Undo it"))


def undo_of(stored: Stored, person: Person | None, ruleset: Ruleset, words: Words) -> str:
    """As the detail of that case would offer it."""
    return _undo(stored, person, ruleset, words)


def _people_title(row: Queued, words: Words) -> str:
    return words.plural("{n} person decides", "{n} people decide", max(1, row.needs))


def _people(
    stored: Stored, row: Queued, words: Words, ruleset: Ruleset, persons: Mapping[PersonId, Person],
    person: Person | None,
) -> list[Signer]:  # fmt: skip
    found = [_approved(given, words, persons) for given in stored.progress.approvals]
    if row.state is State.HELD:
        missing = max(0, row.needs - row.given)
        alone = only(row, words.now_ms)
        if alone and (person is None or alone != person.id):
            missing -= 1
            found.append(
                Signer(
                    initials=_initials(name_of(alone, persons)), name=name_of(alone, persons), tone="wait",
                    said=words(N_("Decides alone until {when}"), when=words.moment(row.handed_until)),
                    note=words(N_("It was handed over to this person; afterwards the route decides again.")),
                )
            )  # fmt: skip
        may = reason_not(row, person, ruleset, words.now_ms) is None
        asked = _roles(roles_asked(row), words)
        note = words(N_("Route {route}"), route=row.route or route_asked(row).id)
        for at in range(missing):
            you = may and at == 0
            found.append(
                Signer(
                    initials=_initials(person.name) if you and person is not None else "?",
                    name=words(N_("You")) if you else words(N_("One of: {roles}"), roles=asked),
                    said=words(N_("Decision needed")), note=note, tone="wait",
                )
            )  # fmt: skip
    elif row.settled_by and row.settled_by not in row.approved:
        found.append(
            Signer(
                initials=_initials(name_of(row.settled_by, persons)), name=name_of(row.settled_by, persons),
                said=_by(row, words, persons), note="", tone="",
            )
        )  # fmt: skip
    out = [name_of(one, persons) for one in sorted(row.excluded)]
    if out and row.state is State.HELD:
        found.append(
            Signer(
                initials="–", name=words(N_("Not open to {names}"), names=", ".join(out)), said="", tone="out",
                note=words(N_("They asked for it, own the use case, made its key or wrote the rule.")),
            )
        )  # fmt: skip
    return found


def _approved(given: Approval, words: Words, persons: Mapping[PersonId, Person]) -> Signer:
    name = name_of(given.person, persons)
    known = persons.get(given.person)
    return Signer(
        initials=_initials(name), name=name, said=words(N_("Approved {when}"), when=words.moment(given.at_ms)),
        note=_roles([role.value for role in known.roles], words) if known is not None else "", tone="ok",
    )  # fmt: skip


def _initials(name: str) -> str:
    return "".join(part[0] for part in name.split()[:2]).upper() or "?"


def _shown(
    case: CaseView, row: Queued, words: Words, ruleset: Ruleset, persons: Mapping[PersonId, Person],
    written: tuple[Field, ...] | None,
) -> Shown:  # fmt: skip
    tool = ruleset.tools.get(ToolId(case.tool))
    arguments = case.arguments or {}
    fields = written
    if fields is None:
        fields = fields_of(tool, arguments, case.currency) if tool is not None and case.arguments is not None else ()
    said = case.said[-LAST_SAID:]
    return Shown(
        to_whom=_to_whom(case, words), pairs=tuple(_pairs(case, row, words, ruleset)), why=why_of(case, words),
        facts=facts_of(case, words), arguments=_arguments(case, tool, words),
        edits=tuple(
            words(N_("{name} changed it, {when}; before that: {before}"), name=case.names.get(one.by, one.by),
                  when=words.moment(one.at_ms), before=plain(one.before) if one.before else "–")
            for one in case.edits
        ),
        checks=checks_of(case, words), more=more_of(case, words),
        said=tuple(
            Said(
                tone={"assistant": "ai", "tool": "hu"}.get(one.role, ""),
                by=words(SPEAKERS.get(one.role, N_("Note"))), text=cut(one.text, LONGEST),
            )
            for one in said
        ),
        said_more=words.plural("{n} earlier message", "{n} earlier messages", len(case.said) - len(said))
        if len(case.said) > len(said) else "",
        conversation=case.conversation or "", undoes=case.undoes, was_drill=case.was_drill, digest=case.digest,
        fields=fields,
    )  # fmt: skip


def _to_whom(case: CaseView, words: Words) -> str:
    things = [f"{path} {plain(value)}" for path, values in case.blast.objects.items() for value in values]
    if not things:
        things = [f"{one.path} {plain(one.value)}" for one in case.values]
    who = words(N_("no customer is named"))
    if case.customer:
        who = words(N_("for customer {customer}"), customer=cut(case.customer, 80))
    return ", ".join([*(cut(thing, 80) for thing in things), who])


def _arguments(case: CaseView, tool: Tool | None, words: Words) -> tuple[tuple[str, str], ...]:
    """As they are sent; an amount in minor units also as money."""
    found = []
    for name, value in (case.arguments or {}).items():
        text = plain(value)
        if tool is not None and tool.money is not None and tool.money.amount == name and case.amount_minor is not None:
            money = words.money(case.amount_minor, case.currency)
            text = words(N_("{value} ({money})"), value=text, money=money)
        found.append((name, text))
    return tuple(found)


def _pairs(case: CaseView, row: Queued, words: Words, ruleset: Ruleset) -> list[tuple[str, str]]:
    use_case = ruleset.use_cases.get(UseCaseId(case.use_case))
    level = (
        use_case.levels.get(ActionType(case.type)) if use_case is not None and case.type in set(ActionType) else None
    )
    asked = case.agent or words(N_("an agent without a name"))
    if case.undoes:
        asked = words(N_("a person, to take back {action}"), action=case.undoes)
    found = [
        (words(N_("Asked by")), asked),
        (words(N_("Use case")), use_case.name if use_case is not None else case.use_case),
    ]
    if level is not None:
        risk = words(RISKS[level.risk.value])
        found.append((words(N_("Risk, autonomy")), f"{risk}, {level.autonomy.value}"))
    if case.state is State.HELD:
        found.append((words(N_("If nobody decides")), words(OTHERWISE[case.otherwise])))
        for step in case.ahead:
            found.append((words(N_("From {when} also"), when=words.moment(step.at_ms)), _roles(step.roles, words)))
    found.append((words(N_("Came in")), words.moment(row.created_at)))
    return found


def _routes(row: Queued, ruleset: Ruleset, words: Words) -> tuple[tuple[str, str], ...]:
    """Other routes that may decide it."""
    case = RouteCase(
        use_case=UseCaseId(row.use_case), amount_minor=row.amount_minor, currency=row.currency, unread=row.unread
    )
    return tuple(
        (route.id, _routed(route, words)) for route in ruleset.actions.routes
        if route.id != row.route and covers(route, case)
    )  # fmt: skip


def _colleagues(
    row: Queued, persons: Mapping[PersonId, Person], person: Person | None, ruleset: Ruleset, words: Words
) -> tuple[tuple[str, str], ...]:
    """Persons who may decide it now, without the visitor, by name."""
    free = msgspec.structs.replace(row, handed_to="", handed_until=None)
    may = [
        one for one in persons.values()
        if (person is None or one.id != person.id) and one.id != only(row, words.now_ms)
        and reason_not(free, one, ruleset, words.now_ms) is None
    ]  # fmt: skip
    return tuple((one.id, one.name) for one in sorted(may, key=lambda each: each.name.casefold()))


def _routed(route: Route, words: Words) -> str:
    return words.plural(
        "{route}: {n} of {roles}", "{route}: {n} of {roles}", route.persons, route=route.id,
        roles=_roles(route.roles, words),
    )  # fmt: skip


def last_of(stored: Stored, words: Words, *, person: Person | None, ruleset: Ruleset, asking: Asking) -> Last | None:
    """The bar that Z presses; None: nothing of it can be taken back, or it was somebody else's."""
    progress = stored.progress
    mine = person is not None and (progress.settled_by == person.id)
    if not mine or not _undo(stored, person, ruleset, words):
        return None
    amount = stored.about.facts.amount_minor
    what = called(stored.about.facts.tool, ruleset)
    if amount is not None:
        what = f"{what} {words.money(amount, stored.about.facts.currency)}"
    said = words(N_("You approved: {what}."), what=what)
    return Last(said=said, path=f"/approvals/{progress.action}/undo")


def gone_meanwhile(now: Now, words: Words) -> str:
    """What is told when somebody else was faster."""
    if now.stale:
        return words(N_("The arguments were changed while you looked. Read them again; your reason is kept below."))
    return words(N_("{by} That was while you looked; nothing of yours was sent, and your reason is kept."), by=now.by)


def plain(value: object) -> str:
    """A value as text, cut."""
    return cut(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 400)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
