"""An alert: one per cause, told to the use case's owner, escalated while nobody answers; pure.

raised -> acknowledged -> closed. What happens again while one is open is counted in it, and after a time told again, so
that an alert that somebody once took, or that nobody answered, swallows nothing for good. Nothing is ever lost to a
silence: the alert is kept and shown, only its notices are left out, and every silence has an end, at which what nobody
answered is told.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

ESCALATE_MS = 30 * 60_000
"""Without an answer for so long, the next one is told."""
MOST_ESCALATIONS = 2
"""The deputy, then the escalation address of the use case."""
LONGEST_SILENCE_MS = 30 * 86_400_000
AGAIN_MS = 24 * 3_600_000
"""What happens again is told again so long after it was told or answered last."""
TRIGGER_AGAIN_MS = 3_600_000
"""The same of a trigger that is not critical. A critical one is told again as soon as its alert was acknowledged."""
LONGEST = 4_000
"""Characters of a note or a reason."""


class AlertState(StrEnum):
    """In the ledger for good."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class AlertKind(StrEnum):
    """In the ledger for good."""

    DRIFT = "drift"  # a rate is worse than its own past
    TRIGGER = "trigger"  # a legal threat, a complaint, a person in need
    NEW = "new"  # an action, a language or a model that was never seen
    RELEASE = "release"
    AUTONOMY = "autonomy"  # levels were lowered


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found. `cause`: names it for good, so that it is told once. `promise`: how often this alert comes
    without a reason. `example`: an id to look at."""

    cause: str
    kind: AlertKind
    severity: Severity
    use_case: UseCaseId
    metric: str
    sentence: str
    promise: str
    example: str = ""
    at_ms: int
    count: int = 1


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`first`: as it was raised, the last time that it was told. `count`, `latest_ms`, `latest`: with everything since
    it was opened. `owner`: who is told now. `step`: escalations so far. `due_at`: of the next telling; None: nobody is
    told by time alone. `told_ms`: when somebody was told last. `silent`: a silence keeps it from being told until
    `due_at`. `by`, `note`: of the acknowledgement."""

    id: str
    first: Raised
    state: AlertState = AlertState.RAISED
    version: int = 0
    owner: str = ""
    step: int = 0
    due_at: int | None = None
    told_ms: int = 0
    count: int = 1
    latest_ms: int = 0
    latest: str = ""
    silent: bool = False
    by: str = ""
    note: str = ""
    acknowledged_at: int | None = None
    closed_at: int | None = None


class Silence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Empty `use_case` or `metric`: any."""

    id: str
    use_case: str = ""
    metric: str = ""
    until_ms: int
    reason: str
    by: str


def covers(silence: Silence, raised: Raised, now: int) -> bool:
    """Until its end, exclusive. What is critical is silenced only by the name of its metric: a silence of a whole use
    case, for a load test say, does not keep a threat of court from its owner."""
    if silence.use_case not in ("", raised.use_case) or now >= silence.until_ms:
        return False
    if silence.metric:
        return silence.metric == raised.metric
    return raised.severity is not Severity.CRITICAL


def silent_until(silences: Sequence[Silence], raised: Raised, now: int) -> int | None:
    """When the last of those that cover it ends; None: none does."""
    return max((one.until_ms for one in silences if covers(one, raised, now)), default=None)


def silence(name: str, *, use_case: str, metric: str, until_ms: int, reason: str, by: str, now: int) -> Silence:
    """Raises HandrailError REQUEST_INVALID without an end that is ahead, and near enough, or without a reason."""
    if not now < until_ms <= now + LONGEST_SILENCE_MS:
        raise HandrailError(Code.REQUEST_INVALID, "a silence ends between now and 30 days from now; give --for 2h")
    if not reason.strip() or len(reason) > LONGEST:
        raise HandrailError(
            Code.REQUEST_INVALID,
            "a silence says why, in 1 to {most} characters; give --reason",
            parts={"most": LONGEST},
        )
    return Silence(id=name, use_case=use_case, metric=metric, until_ms=until_ms, reason=reason.strip(), by=by)


def opened(name: str, raised: Raised, *, owner: str, silent_until: int | None, now: int) -> Alert:
    """A new alert. `silent_until`: it is told then, if nobody has answered it; None: it is told now."""
    silent = silent_until is not None
    return Alert(
        id=name, first=raised, owner=owner, due_at=silent_until if silent else now + ESCALATE_MS,
        told_ms=0 if silent else now, count=raised.count, latest_ms=raised.at_ms, latest=raised.example, silent=silent,
    )  # fmt: skip


def again(before: Alert, raised: Raised) -> Alert:
    """The same cause once more while it is open: counted."""
    return _moved(
        before, count=before.count + raised.count, latest_ms=max(before.latest_ms, raised.at_ms),
        latest=raised.example or before.latest,
    )  # fmt: skip


def to_be_told_again(before: Alert, raised: Raised, now: int) -> bool:
    """Whether what happens once more is told, not only counted: when somebody took the alert, or nobody answered the
    last escalation, and enough time has passed since."""
    if before.state is AlertState.RAISED:
        return before.due_at is None and now >= before.told_ms + AGAIN_MS
    since = max(before.told_ms, before.acknowledged_at or 0)
    if raised.kind is not AlertKind.TRIGGER:
        return now >= since + AGAIN_MS
    return raised.severity is Severity.CRITICAL or now >= since + TRIGGER_AGAIN_MS


def raised_again(before: Alert, raised: Raised, *, owner: str, silent_until: int | None, now: int) -> Alert:
    """It waits for an answer as if it were new, and keeps its count."""
    counted = again(before, raised)
    new = opened(before.id, raised, owner=owner, silent_until=silent_until, now=now)
    return msgspec.structs.replace(
        new, version=counted.version, count=counted.count, latest_ms=counted.latest_ms, latest=counted.latest
    )


def acknowledged(before: Alert, *, by: str, note: str, now: int) -> Alert:
    """Somebody has it. Raises HandrailError ALREADY_DECIDED."""
    if before.state is not AlertState.RAISED:
        raise HandrailError(Code.ALREADY_DECIDED, "this alert is {state} already", parts={"state": before.state.value})
    return _moved(
        before, state=AlertState.ACKNOWLEDGED, by=by, note=_note(note), acknowledged_at=now, due_at=None, silent=False
    )


def closed(before: Alert, *, by: str, note: str, now: int) -> Alert:
    """Its cause may be told anew. Raises HandrailError ALREADY_DECIDED."""
    if before.state is AlertState.CLOSED:
        raise HandrailError(Code.ALREADY_DECIDED, "this alert is closed already")
    return _moved(
        before, state=AlertState.CLOSED, by=before.by or by, note=_note(note) or before.note, closed_at=now, due_at=None
    )


def escalated(before: Alert, *, to: str, now: int) -> Alert:
    """Nobody answered: the next one is told. Raises HandrailError LOST_RACE when that is not due."""
    if before.state is not AlertState.RAISED or before.due_at is None or now < before.due_at:
        raise HandrailError(Code.LOST_RACE, "this alert is not due to be escalated")
    step = before.step + 1
    due_at = now + ESCALATE_MS if step < MOST_ESCALATIONS else None
    return _moved(before, step=step, owner=to or before.owner, due_at=due_at, told_ms=now)


def unsilenced(before: Alert, *, silent_until: int | None, now: int) -> Alert:
    """Its silence is over: told now, or at the end of another one that covers it. Raises HandrailError LOST_RACE when
    that is not due."""
    if before.state is not AlertState.RAISED or before.due_at is None or now < before.due_at:
        raise HandrailError(Code.LOST_RACE, "this alert is not due to be told")
    if silent_until is not None:
        return _moved(before, due_at=silent_until)
    return _moved(before, silent=False, due_at=now + ESCALATE_MS, told_ms=now)


def due_now(before: Alert, *, now: int) -> Alert:
    """Of one that a silence keeps from being told: it is looked at again at once."""
    return _moved(before, due_at=now)


def _note(text: str) -> str:
    if len(text) > LONGEST:
        raise HandrailError(Code.REQUEST_INVALID, "a note has at most {most} characters", parts={"most": LONGEST})
    return text


def _moved(before: Alert, **changes: object) -> Alert:
    return msgspec.structs.replace(before, version=before.version + 1, **changes)
