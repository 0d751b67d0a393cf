"""One incident: where it stands and what comes next, whom it concerns, its tasks and notes, the test that would have
caught it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.console.views.happened import shortened
from handrail.console.views.incident_timeline import MOST, Step, last_by, steps_of
from handrail.console.views.incidents import SEVERITIES, STATES, severity_text
from handrail.console.words import N_, Words
from handrail.ledger.commitment import RecordedFacts
from handrail.policy.ruleset import Ruleset
from handrail.review.incident import Incident, IncidentState, Scope, Severity
from handrail.review.incidents import Affected, Concerned
from handrail.trials.case import Trial
from handrail.trials.incidents import OWN_SUITE

LISTED = 100
"""Conversations that the page lists; the file has all."""
BEFORE_MS = 86_400_000
"""The timeline begins so long before the incident was opened, or where its scope begins."""
MEANS = {
    IncidentState.OPEN: N_("It may still hurt customers. While it does, no release of its use case goes on."),
    IncidentState.CONTAINED: N_("It hurts nobody any more. What happened has to be written down."),
    IncidentState.REVIEWED: N_(
        "What happened is written down. Its tasks and the test that would have caught it are left."
    ),
    IncidentState.CLOSED: N_("It is over."),
}
MOVES = {
    IncidentState.OPEN: (
        "contain", N_("It is contained"), N_("It hurts nobody any more, so it keeps no release back."),
    ),
    IncidentState.CONTAINED: ("review", N_("It is reviewed"), N_("The notes say what happened and why.")),
    IncidentState.REVIEWED: (
        "close", N_("Close it"), N_("Nothing of it is left to do, and a test catches it next time."),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `entries`: newest first; `cut`: older ones were left out. `concerned`: None when it was not
    asked for; `affected` likewise. `cases`: None: the tests were not read. `people`: names by id."""

    incident: Incident
    ruleset: Ruleset
    people: Mapping[str, str]
    addresses: Sequence[str]
    entries: Sequence[RecordedFacts] = ()
    cut: bool = False
    concerned: Concerned | None = None
    affected: Sequence[Affected] | None = None
    cases: Sequence[Trial] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """As a form that failed was sent. `which`: its route's last word; empty: none failed."""

    which: str = ""
    problem: str = ""
    text: str = ""
    owner: str = ""
    test: str = ""
    own_test: str = ""
    no_test: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Of the rail. `mark`: done, now or empty."""

    name: str
    at_ms: int | None
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What comes next. `why_not`: what is missing first; empty: nothing."""

    name: str
    label: str
    means: str
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    number: int
    text: str
    owner: str
    done_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    at_ms: int
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedRow:
    conversation: str
    first: str
    interactions: str
    first_ms: int
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Whom it concerns. `scope`: what is looked for; empty: nothing to look for. `counted`: name and number. `rows`:
    None: not asked for."""

    scope: tuple[tuple[str, str], ...]
    release: str
    counted: tuple[tuple[str, str], ...] | None
    first_ms: int | None
    latest_ms: int | None
    nobody: bool
    rows: tuple[AffectedRow, ...] | None
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What closing needs. `needs`: text and whether it is there. `cases`: (id, text) of those that may be chosen.
    `missing`: what is wrong with the test of a closed one; empty: nothing. `command`: drafts a case."""

    needs: tuple[tuple[str, bool], ...]
    cases: tuple[tuple[str, str], ...]
    command: str
    test: str
    no_test: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    id: str
    title: str
    whole: str
    version: int
    tone: str
    icon: str
    state: str
    means: str
    closed: bool
    rail: tuple[Post, ...]
    severity: str
    severity_value: str
    severity_tone: str
    severities: tuple[tuple[str, str], ...]
    use_case: str
    owner: str
    addresses: tuple[str, ...]
    opened_at: int
    opened_by: str
    alert: str
    may_change: bool
    may_list: bool
    move: Move | None
    tasks: tuple[TaskRow, ...]
    tasks_said: str
    notes: tuple[NoteRow, ...]
    steps: tuple[Step, ...]
    cut: str
    demotions: tuple[Step, ...]
    concern: Concern
    closing: Closing
    form: Form
    announce: str


def incident_view(
    read: Read, words: Words, *, may_change: bool, may_list: bool, form: Form | None = None
) -> IncidentView:
    """`may_list`: the visitor may have the list of all that it concerns."""
    one = read.incident
    tone, icon, state = STATES[one.state]
    steps = steps_of(read.entries, read.people, words)
    left = sum(task.done_at is None for task in one.tasks)
    case = read.ruleset.use_cases.get(one.use_case)
    kind, _, about = one.cause.partition(".")
    return IncidentView(
        id=one.id, title=shortened(one.title), whole=one.title if shortened(one.title) != one.title else "",
        version=one.version, tone=tone, icon=icon, state=words(state),
        means=words(MEANS[one.state]), closed=one.state is IncidentState.CLOSED, rail=_rail(one, words),
        severity=severity_text(one.severity, words), severity_value=one.severity.value,
        severity_tone=SEVERITIES[one.severity][0],
        severities=tuple((each.value, severity_text(each, words)) for each in Severity),
        use_case=case.name if case is not None else one.use_case, owner=one.owner,
        addresses=tuple(read.addresses), opened_at=one.opened_at, opened_by=_opened_by(one, kind, words),
        alert=about if kind == "alert" else "", may_change=may_change, may_list=may_list, move=_move(one, words),
        tasks=tuple(
            TaskRow(number=number, text=task.text, owner=task.owner, done_at=task.done_at)
            for number, task in enumerate(one.tasks, 1)
        ),
        tasks_said=words.plural("{n} left", "{n} left", left) if left else "",
        notes=tuple(
            NoteRow(at_ms=note.at_ms, by=read.people.get(note.by, note.by), text=note.text)
            for note in reversed(one.notes)
        ),
        steps=steps[:MOST], cut=_cut(one, read.cut or len(steps) > MOST, words),
        demotions=tuple(
            step for step in steps if step.kind.startswith("autonomy.") and step.at_ms >= one.opened_at
        ),
        concern=_concern(read, words), closing=_closing(one, read.cases, words), form=form or Form(),
        announce=words(N_("The incident is now: {state}"), state=words(state)),
    )  # fmt: skip


def why_not(one: Incident, move: str, words: Words) -> str:
    """What keeps an incident from a move, in the visitor's words; empty: nothing that stands here."""
    expected = next((state for state, (name, _, _) in MOVES.items() if name == move), None)
    if expected is not None and one.state is not expected:
        return words(N_("It is {state} now, so this cannot be said of it."), state=words(STATES[one.state][2]))
    if move == "review" and not one.notes:
        return words(N_("First write down what happened: nobody has yet."))
    left = sum(task.done_at is None for task in one.tasks)
    if move == "close" and left:
        return words.plural("First {n} task has to be done.", "First {n} tasks have to be done.", left)
    return ""


def meanwhile(before_version: int, one: Incident, entries: Sequence[RecordedFacts], people: Mapping[str, str],
              words: Words) -> str:  # fmt: skip
    """That somebody changed it since the visitor's page was made; empty: nobody did."""
    if before_version == one.version:
        return ""
    last = last_by(steps_of(entries, people, words))
    if last is None:
        return words(N_("Somebody changed it meanwhile."))
    return words(N_("{who} changed it meanwhile, {when}."), who=last.by, when=words.ago(last.at_ms))


def problem_of_test(cases: Sequence[Trial], one: Incident, test: str, words: Words) -> str:
    """Why this test cannot close the incident, as `trials.incidents.require_case` decides; empty: it can."""
    if not test or OWN_SUITE in test:
        return ""
    found = [case for case in cases if test in (case.id, case.case) and case.use_case == one.use_case]
    if not found:
        return words(N_("There is no such case in tests/*.yaml. A test of your own suite is written as file::name."))
    if any(case.draft for case in found):
        return words(N_("This case is a draft still: read it, write what must come, and take `draft` out."))
    if any(case.incident != one.id for case in found):
        return words(N_("This case does not say what it is for: write `incident: {id}` into it."), id=one.id)
    return ""


def _rail(one: Incident, words: Words) -> tuple[Post, ...]:
    times = {
        IncidentState.OPEN: one.opened_at, IncidentState.CONTAINED: one.contained_at,
        IncidentState.REVIEWED: one.reviewed_at, IncidentState.CLOSED: one.closed_at,
    }  # fmt: skip
    order = list(times)
    here = order.index(one.state)
    return tuple(
        Post(
            name=words(STATES[state][2]), at_ms=times[state],
            mark="done" if at < here or one.state is IncidentState.CLOSED else ("now" if at == here else ""),
        )
        for at, state in enumerate(order)
    )  # fmt: skip


def _opened_by(one: Incident, kind: str, words: Words) -> str:
    if kind == "release":
        return words(N_("by itself, beside a rollback for safety"))
    return words(N_("from an alert")) if kind == "alert" else words(N_("by a person"))


def _move(one: Incident, words: Words) -> Move | None:
    if one.state not in MOVES:
        return None
    name, label, means = MOVES[one.state]
    return Move(name=name, label=words(label), means=words(means), why_not=why_not(one, name, words))


def _cut(one: Incident, cut: bool, words: Words) -> str:
    if not cut:
        return ""
    return words(N_("Older entries are left out; all of them: handrail incident show {id}"), id=one.id)


def _concern(read: Read, words: Words) -> Concern:
    scope, counted = read.incident.scope, read.concerned
    rows = None
    if read.affected is not None:
        rows = tuple(
            AffectedRow(
                conversation=row.conversation, first=row.first, interactions=words.number(row.interactions),
                first_ms=row.first_ms,
                customer=words(N_("erased")) if row.erased else (row.subject if row.person else words(N_("not known"))),
            )
            for row in read.affected[:LISTED]
        )  # fmt: skip
    left = counted.conversations - len(rows) if counted is not None and rows is not None else 0
    return Concern(
        scope=_scope(scope, words), release=scope.release or "",
        counted=None if counted is None else (
            (words(N_("interactions")), words.number(counted.interactions)),
            (words(N_("conversations")), words.number(counted.conversations)),
            (words(N_("known customers")), words.number(counted.customers)),
            (words(N_("conversations without a customer's id")), words.number(counted.unknown)),
            (words(N_("erased since")), words.number(counted.erased)),
        ),
        first_ms=counted.first_ms if counted else None, latest_ms=counted.latest_ms if counted else None,
        nobody=counted is not None and not counted.interactions, rows=rows,
        left_out=words.plural(
            "{n} more conversation stands in the CSV.", "{n} more conversations stand in the CSV.", left
        ) if left > 0 else "",
    )  # fmt: skip


def _scope(scope: Scope, words: Words) -> tuple[tuple[str, str], ...]:
    pairs = [
        (words(N_("Release")), scope.release[:12] if scope.release else ""),
        (words(N_("Finding")), scope.finding),
        (words(N_("From")), words.moment(scope.since_ms) if scope.since_ms is not None else ""),
        (words(N_("Until")), words.moment(scope.until_ms) if scope.until_ms is not None else ""),
    ]
    return tuple((name, text) for name, text in pairs if text)


def _closing(one: Incident, cases: Sequence[Trial] | None, words: Words) -> Closing:
    known = cases or ()
    own = sorted({
        (case.case or case.id, case.why or case.case or case.id)
        for case in known
        if case.use_case == one.use_case and case.incident == one.id and not case.draft
    })  # fmt: skip
    missing = ""
    if one.state is IncidentState.CLOSED and one.test and cases is not None:
        missing = problem_of_test(known, one, one.test, words)
    left = any(task.done_at is None for task in one.tasks)
    reached = list(IncidentState).index(one.state)
    return Closing(
        needs=(
            (words(N_("It is contained")), reached >= 1), (words(N_("Notes say what happened")), bool(one.notes)),
            (words(N_("It is reviewed")), reached >= 2), (words(N_("Every task is done")), not left),
        ),
        cases=tuple(own), command=f"handrail trial import --from-incident {one.id}", test=one.test,
        no_test=one.no_test, missing=missing,
    )  # fmt: skip
