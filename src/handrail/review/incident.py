"""An incident: what went wrong for customers, who sees to it, and what keeps it from coming again; pure.

open -> contained -> reviewed -> closed. It is contained when it hurts nobody any more, reviewed when its notes say what
happened, closed when nothing of it is left to do and a test is named that would have caught it, or a reason why no test
can. Its timeline is the ledger's.
"""

from enum import StrEnum

import msgspec

from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId

LONGEST = 4_000
"""Characters of a note. It names no customer."""


class IncidentState(StrEnum):
    """In the ledger for good."""

    OPEN = "open"
    CONTAINED = "contained"
    REVIEWED = "reviewed"
    CLOSED = "closed"


class Severity(StrEnum):
    """In the ledger for good. S1: customers are harmed now."""

    S1 = "S1"
    S2 = "S2"
    S3 = "S3"


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose interactions it is about: all that is given must hold. Times in Unix ms, `until` exclusive."""

    release: Digest | None = None
    finding: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    text: str
    owner: str = ""
    done_at: int | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    at_ms: int
    by: str
    text: str


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`cause`: the rule or alert that opened it; empty: a person did. `test`: what would have caught it. `no_test`: why
    no test can."""

    id: str
    use_case: UseCaseId
    title: str
    severity: Severity
    owner: str
    opened_at: int
    state: IncidentState = IncidentState.OPEN
    version: int = 0
    cause: str = ""
    scope: Scope = Scope()
    tasks: tuple[Task, ...] = ()
    notes: tuple[Note, ...] = ()
    test: str = ""
    no_test: str = ""
    contained_at: int | None = None
    reviewed_at: int | None = None
    closed_at: int | None = None


def contained(before: Incident, *, now: int) -> Incident:
    """It hurts nobody any more. Raises HandrailError INCIDENT_STATE."""
    _require(before, IncidentState.OPEN, move="be contained")
    return _moved(before, state=IncidentState.CONTAINED, contained_at=now)


def reviewed(before: Incident, *, now: int) -> Incident:
    """Its notes say what happened. Raises HandrailError INCIDENT_STATE without one."""
    _require(before, IncidentState.CONTAINED, move="be reviewed")
    if not before.notes:
        raise HandrailError(
            Code.INCIDENT_STATE, "nobody has written down what happened yet: handrail incident note ID TEXT, then again"
        )
    return _moved(before, state=IncidentState.REVIEWED, reviewed_at=now)


def closed(before: Incident, *, test: str = "", no_test: str = "", now: int) -> Incident:
    """Raises HandrailError INCIDENT_STATE with an open task, or without a test and without a reason for none."""
    _require(before, IncidentState.REVIEWED, move="be closed")
    left = [task.text for task in before.tasks if task.done_at is None]
    if left:
        raise HandrailError(
            Code.INCIDENT_STATE,
            "{n} of its tasks are not done, the first: {first}",
            parts={"n": len(left), "first": left[0]},
        )
    if bool(test.strip()) == bool(no_test.strip()):
        raise HandrailError(
            Code.INCIDENT_STATE,
            "which test would have caught it? Give --test with its name, or --no-test with the reason why none can",
        )
    return _moved(before, state=IncidentState.CLOSED, test=test.strip(), no_test=no_test.strip(), closed_at=now)


def retested(before: Incident, *, test: str = "", no_test: str = "") -> Incident:
    """Another test of a closed one, or another reason why none can. Raises HandrailError INCIDENT_STATE."""
    _require(before, IncidentState.CLOSED, move="be given another test")
    if bool(test.strip()) == bool(no_test.strip()):
        raise HandrailError(Code.INCIDENT_STATE, "give --test with its name, or --no-test with the reason why none can")
    return _moved(before, test=test.strip(), no_test=no_test.strip())


def tasked(before: Incident, text: str, *, owner: str = "") -> Incident:
    """One more task. Raises HandrailError INCIDENT_STATE, REQUEST_INVALID, or ALREADY_DECIDED where the same waits
    already: a form that is sent twice adds one."""
    _require_not_closed(before)
    made = Task(text=_text(text), owner=owner)
    if made in before.tasks:
        raise HandrailError(Code.ALREADY_DECIDED, "this task is there already")
    return _moved(before, tasks=(*before.tasks, made))


def task_done(before: Incident, number: int, *, now: int) -> Incident:
    """`number`: from 1. Raises HandrailError NOT_FOUND, ALREADY_DECIDED or INCIDENT_STATE."""
    _require_not_closed(before)
    if not 1 <= number <= len(before.tasks):
        raise HandrailError(
            Code.NOT_FOUND,
            "it has {all} tasks, none with the number {number}",
            parts={"all": len(before.tasks), "number": number},
        )
    task = before.tasks[number - 1]
    if task.done_at is not None:
        raise HandrailError(Code.ALREADY_DECIDED, "this task is done already")
    done = msgspec.structs.replace(task, done_at=now)
    return _moved(before, tasks=(*before.tasks[: number - 1], done, *before.tasks[number:]))


def noted(before: Incident, text: str, *, by: str, now: int) -> Incident:
    """Notes are added to a closed one too: what is learnt late is still learnt. Raises REQUEST_INVALID, or
    ALREADY_DECIDED where it is the latest note already: a form that is sent twice writes one."""
    latest = before.notes[-1] if before.notes else None
    if latest is not None and (latest.by, latest.text) == (by, text.strip()):
        raise HandrailError(Code.ALREADY_DECIDED, "this note is written already")
    return _moved(before, notes=(*before.notes, Note(at_ms=now, by=by, text=_text(text))))


def changed(before: Incident, *, severity: Severity | None = None, owner: str | None = None) -> Incident:
    """Raises HandrailError INCIDENT_STATE when it is closed."""
    _require_not_closed(before)
    return _moved(before, severity=severity or before.severity, owner=before.owner if owner is None else owner)


def changed_as_seen(before: Incident, *, owner: tuple[str, str], severity: tuple[Severity, Severity]) -> Incident:
    """By a form: of each, what it showed and what is meant now. What was not touched stays as it is by now, so that a
    form that is older sets nothing back. Raises LOST_RACE where the same was changed meanwhile to something else,
    REQUEST_INVALID without an owner or where nothing is different, INCIDENT_STATE when it is closed."""
    _require_not_closed(before)
    if not owner[1]:
        raise HandrailError(Code.REQUEST_INVALID, "say who sees to it: an incident is always somebody's")
    for (shown, meant), now in ((owner, before.owner), (severity, before.severity)):
        if meant != shown != now != meant:
            raise HandrailError(Code.LOST_RACE, "look at it as it is now; nothing of yours was saved")
    new_owner = owner[1] if owner[0] != owner[1] else before.owner
    new_severity = severity[1] if severity[0] is not severity[1] else before.severity
    if (new_owner, new_severity) == (before.owner, before.severity):
        raise HandrailError(Code.REQUEST_INVALID, "nothing of it is different from what it is")
    return _moved(before, severity=new_severity, owner=new_owner)


def _text(text: str) -> str:
    if not text.strip() or len(text) > LONGEST:
        raise HandrailError(Code.REQUEST_INVALID, "write 1 to {most} characters", parts={"most": LONGEST})
    return text.strip()


def _require(before: Incident, state: IncidentState, *, move: str) -> None:
    if before.state is not state:
        raise HandrailError(
            Code.INCIDENT_STATE,
            "an incident that is {state} cannot {move}; expected {wanted}",
            parts={"state": before.state.value, "move": move, "wanted": state.value},
        )


def _require_not_closed(before: Incident) -> None:
    if before.state is IncidentState.CLOSED:
        raise HandrailError(Code.INCIDENT_STATE, "this incident is closed; open a new one")


def _moved(before: Incident, **changes: object) -> Incident:
    return msgspec.structs.replace(before, version=before.version + 1, **changes)
