"""An alert: one per cause, told to the use case's owner, escalated while nobody answers; pure.

raised -> acknowledged -> closed. What happens again while one is open is counted in it and told nobody again. Nothing
is ever lost to a silence: the alert is kept and shown, only its notices are left out, and every silence has an end.
"""

from enum import StrEnum

import msgspec

from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

ESCALATE_MS = 30 * 60_000
"""Without an answer for so long, the next one is told."""
MOST_ESCALATIONS = 2
"""The deputy, then the escalation address of the use case."""
LONGEST_SILENCE_MS = 30 * 86_400_000


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
    """`first`: as it was raised. `count`, `latest_ms`, `latest`: with everything since. `owner`: who is told now.
    `step`: escalations so far. `silent`: it was raised under a silence. `by`, `note`: of the acknowledgement."""

    id: str
    first: Raised
    state: AlertState = AlertState.RAISED
    version: int = 0
    owner: str = ""
    step: int = 0
    due_at: int | None = None
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
    """Until its end, exclusive."""
    return (
        now < silence.until_ms and silence.use_case in ("", raised.use_case) and silence.metric in ("", raised.metric)
    )


def silence(name: str, *, use_case: str, metric: str, until_ms: int, reason: str, by: str, now: int) -> Silence:
    """Raises HandrailError REQUEST_INVALID without an end that is ahead, and near enough, or without a reason."""
    if not now < until_ms <= now + LONGEST_SILENCE_MS:
        raise HandrailError(Code.REQUEST_INVALID, "a silence ends between now and 30 days from now; give --for 2h")
    if not reason.strip():
        raise HandrailError(Code.REQUEST_INVALID, "a silence says why; give --reason")
    return Silence(id=name, use_case=use_case, metric=metric, until_ms=until_ms, reason=reason.strip(), by=by)


def opened(name: str, raised: Raised, *, owner: str, silent: bool) -> Alert:
    """A new alert; a silent one escalates to nobody."""
    return Alert(
        id=name, first=raised, owner=owner, due_at=None if silent else raised.at_ms + ESCALATE_MS, count=raised.count,
        latest_ms=raised.at_ms, latest=raised.example, silent=silent,
    )  # fmt: skip


def again(before: Alert, raised: Raised) -> Alert:
    """The same cause once more while it is open: counted, told nobody."""
    return _moved(
        before, count=before.count + raised.count, latest_ms=max(before.latest_ms, raised.at_ms),
        latest=raised.example or before.latest,
    )  # fmt: skip


def acknowledged(before: Alert, *, by: str, note: str, now: int) -> Alert:
    """Somebody has it. Raises HandrailError ALREADY_DECIDED."""
    if before.state is not AlertState.RAISED:
        raise HandrailError(Code.ALREADY_DECIDED, f"this alert is {before.state.value} already")
    return _moved(before, state=AlertState.ACKNOWLEDGED, by=by, note=note, acknowledged_at=now, due_at=None)


def closed(before: Alert, *, by: str, note: str, now: int) -> Alert:
    """Its cause may be told anew. Raises HandrailError ALREADY_DECIDED."""
    if before.state is AlertState.CLOSED:
        raise HandrailError(Code.ALREADY_DECIDED, "this alert is closed already")
    return _moved(
        before, state=AlertState.CLOSED, by=before.by or by, note=note or before.note, closed_at=now, due_at=None
    )


def escalated(before: Alert, *, to: str, now: int) -> Alert:
    """Nobody answered: the next one is told. Raises HandrailError LOST_RACE when that is not due."""
    if before.state is not AlertState.RAISED or before.due_at is None or now < before.due_at:
        raise HandrailError(Code.LOST_RACE, "this alert is not due to be escalated")
    step = before.step + 1
    return _moved(before, step=step, owner=to, due_at=now + ESCALATE_MS if step < MOST_ESCALATIONS else None)


def _moved(before: Alert, **changes: object) -> Alert:
    return msgspec.structs.replace(before, version=before.version + 1, **changes)
