"""How far an action has come, and the legal moves; pure.

    held -> approved -> claimed -> done | failed | unknown
    approved -> unknown (in a backup that was restored)
    held -> denied | expired | revoked | cancelled        approved -> lapsed | revoked | cancelled | unreachable
    unknown -> done | failed (a person settles it)

Every move takes what is stored and the time of its own transaction, and gives what shall be stored, `version` one
higher; the store swaps it only against the version it came from. Promises: ACT-1, at most one claim is ever made of an
action, so at most one call leaves; ACT-2, never after a denial, a lapse or a stop; ACT-3, only with the arguments whose
digest was approved. A claim whose holder died is taken over to ask for the outcome, never to call again.
"""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId


class State(StrEnum):
    """In the ledger for good."""

    HELD = "held"
    DRAFTED = "drafted"  # A1: a draft that a person carries out elsewhere
    APPROVED = "approved"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"  # certainly without effect
    UNKNOWN = "unknown"  # nobody can tell; a person is asked
    DENIED = "denied"
    EXPIRED = "expired"  # nobody decided in time
    LAPSED = "lapsed"  # approved, not executed in time
    REVOKED = "revoked"  # by a stop
    CANCELLED = "cancelled"  # by the agent that asked
    UNREACHABLE = "unreachable"  # the process that owns the target is gone


ENDED = frozenset(
    {
        State.DRAFTED, State.DONE, State.FAILED, State.DENIED, State.EXPIRED, State.LAPSED, State.REVOKED,
        State.CANCELLED, State.UNREACHABLE,
    }
)  # fmt: skip
"""Nothing follows. `unknown` is not among them: a person still owes an answer."""


class Otherwise(StrEnum):
    """What happens when nobody decides in time. handover: denied, and the case goes to a person."""

    DENY = "deny"
    HANDOVER = "handover"


class Approval(msgspec.Struct, frozen=True):
    """One person's yes, bound to exactly one digest."""

    person: PersonId
    at_ms: int
    digest: Digest


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """The newest permit of an action; older ones are void (`approvals.permit`). `key`: id of the API key that may
    redeem it. `at`, `until`: Unix ms of the database."""

    id: str
    key: str
    audience: str
    at: int
    until: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`needs`: approvals still to reach `approved`, all of different persons. `excluded`: who may not decide (the
    requester, the owner of the use case, the author of the rule). `lease_owner`: the process that executes or
    reconciles. `step`: of the route's escalations.
    `drill`: a seeded bad request: it can be decided, never executed. `settled_by`, `settled_at`: the person whose word
    ended the waiting. `ended_at`: when the outcome was recorded. `report_within_ms`: above 0, its caller executes it,
    never handrail, under a permit, and reports within so long. `slot`: while claimed it counts among the calls in
    flight to its target. `until`: it makes no sense later, whoever approves it (an undo's window). Times in Unix ms of
    the database. `undone_by`: the action that took its effect back; the same call may be asked for anew then.
    `handed_to`: until `handed_until` this person alone decides, afterwards the route's people again."""

    action: ActionId
    state: State
    digest: Digest
    revision: int = 0
    version: int = 0
    created_at: int
    needs: int = 0
    approvals: tuple[Approval, ...] = ()
    excluded: frozenset[PersonId] = frozenset()
    route: str = ""
    step: int = 0
    escalate_at: int | None = None
    decide_by: int | None = None
    otherwise: Otherwise = Otherwise.DENY
    not_before: int = 0
    execute_by: int | None = None
    execute_within_ms: int = 15 * 60_000
    cool_off_ms: int = 0
    lease_owner: str = ""
    lease_until: int = 0
    drill: bool = False
    settled_by: str = ""
    settled_at: int | None = None
    ended_at: int | None = None
    report_within_ms: int = 0
    permit: Issued | None = None
    slot: bool = False
    until: int | None = None
    undone_by: str = ""
    handed_to: str = ""
    handed_until: int | None = None


def held(
    action: ActionId,
    digest: Digest,
    *,
    now: int,
    needs: int,
    route: str,
    decide_by: int,
    otherwise: Otherwise,
    excluded: frozenset[PersonId],
    escalate_at: int | None = None,
    execute_within_ms: int = 15 * 60_000,
    cool_off_ms: int = 0,
    drill: bool = False,
    report_within_ms: int = 0,
) -> Progress:
    """A new hold. Raises ValueError when nobody would be needed, or the time is over already: a caller's mistake."""
    if needs < 1 or decide_by <= now:
        raise ValueError("a hold needs at least one person and time to decide")
    return Progress(
        action=action, state=State.HELD, digest=digest, created_at=now, needs=needs, route=route, decide_by=decide_by,
        otherwise=otherwise, excluded=excluded, escalate_at=escalate_at, execute_within_ms=execute_within_ms,
        cool_off_ms=cool_off_ms, drill=drill, report_within_ms=report_within_ms,
    )  # fmt: skip


def allowed(
    action: ActionId,
    digest: Digest,
    *,
    now: int,
    execute_within_ms: int,
    cool_off_ms: int = 0,
    report_within_ms: int = 0,
) -> Progress:
    """Approved by the ruleset alone."""
    return Progress(
        action=action, state=State.APPROVED, digest=digest, created_at=now, not_before=now + cool_off_ms,
        execute_by=now + cool_off_ms + execute_within_ms, execute_within_ms=execute_within_ms, cool_off_ms=cool_off_ms,
        report_within_ms=report_within_ms,
    )  # fmt: skip


def approve(before: Progress, person: PersonId, digest: Digest, *, now: int) -> Progress:
    """One more yes. `digest`: of what the person saw; another one means that the arguments were edited meanwhile.
    Raises HandrailError ALREADY_DECIDED, NOT_ALLOWED (excluded, or has approved already) or LOST_RACE (other
    arguments)."""
    require_waiting(before, now)
    if person in before.excluded:
        raise HandrailError(
            Code.NOT_ALLOWED, "you asked for this, own the use case or wrote the rule: another person must decide"
        )
    if any(given.person == person for given in before.approvals):
        raise HandrailError(Code.NOT_ALLOWED, "you have approved this already; a second person must")
    require_not_another(before, person, now)
    if digest != before.digest:
        raise HandrailError(Code.LOST_RACE, "the arguments have changed since you looked; read them again")
    approvals = (*before.approvals, Approval(person, now, digest))
    if len(approvals) < before.needs:
        return _moved(before, approvals=approvals, handed_to="", handed_until=None)
    not_before = now + before.cool_off_ms
    return _moved(
        before,
        state=State.APPROVED,
        approvals=approvals,
        not_before=not_before,
        execute_by=earlier(not_before + before.execute_within_ms, before.until),
        settled_by=person,
        settled_at=now,
    )


def earlier(at: int, until: int | None) -> int:
    """Of a time and an end, which there may not be."""
    return at if until is None else min(at, until)


def until(new: Progress, at: int | None) -> Progress:
    """A new action that makes no sense from `at` on: neither decided nor executed then."""
    if at is None:
        return new
    decide_by = None if new.decide_by is None else min(new.decide_by, at)
    execute_by = None if new.execute_by is None else min(new.execute_by, at)
    return msgspec.structs.replace(new, until=at, decide_by=decide_by, execute_by=execute_by)


def put_off(before: Progress, until: int) -> Progress:
    """Its target is busy: it is looked at again then. Nothing else changes. Raises ALREADY_DECIDED."""
    if before.state is not State.APPROVED:
        raise HandrailError(Code.ALREADY_DECIDED, f"{_standing(before)}; it cannot be executed")
    return _moved(before, not_before=max(before.not_before, until))


def take_back(before: Progress, person: PersonId, *, now: int) -> Progress:
    """By a person, before the claim, while its cool-off runs. Raises ALREADY_DECIDED."""
    return msgspec.structs.replace(_ended(before, State.CANCELLED), settled_by=person, settled_at=now)


def deny(before: Progress, person: PersonId, *, now: int) -> Progress:
    """Raises HandrailError ALREADY_DECIDED or NOT_ALLOWED (excluded)."""
    require_waiting(before, now)
    if person in before.excluded:
        raise HandrailError(Code.NOT_ALLOWED, "you may not decide this; another person must")
    return _moved(before, state=State.DENIED, settled_by=person, settled_at=now)


def end_drill(before: Progress, person: PersonId, state: State, *, now: int) -> Progress:
    """The first decision on a drill ends it, with `state` LAPSED (it was approved, and is never executed) or DENIED.
    Raises ValueError for what is no drill: a caller's mistake."""
    if not before.drill or state not in (State.LAPSED, State.DENIED):
        raise ValueError("only a drill ends like this")
    return _moved(before, state=state, settled_by=person, settled_at=now)


def edit(before: Progress, digest: Digest, *, now: int) -> Progress:
    """Other arguments: a new revision without any approval; its decision starts anew. Raises ALREADY_DECIDED."""
    require_waiting(before, now)
    return _moved(before, digest=digest, revision=before.revision + 1, approvals=(), handed_to="", handed_until=None)


def escalate(before: Progress, *, now: int, next_at: int | None) -> Progress:
    """The next step of the route. Raises LOST_RACE when it is not due."""
    if before.state is not State.HELD or before.escalate_at is None or now < before.escalate_at:
        raise HandrailError(Code.LOST_RACE, "no escalation is due")
    return _moved(before, step=before.step + 1, escalate_at=next_at)


def hand_on(before: Progress, route: str, *, now: int, needs: int, escalate_at: int | None = None) -> Progress:
    """To another route, with the approvals given so far; it never needs fewer. Its time to decide stays. Raises
    ALREADY_DECIDED."""
    require_waiting(before, now)
    needs = max(needs, before.needs, len(before.approvals) + 1)
    return _moved(before, route=route, needs=needs, step=0, escalate_at=escalate_at, handed_to="", handed_until=None)


def hand_to(before: Progress, person: PersonId, *, now: int, within_ms: int) -> Progress:
    """To one person of its route, alone for so long, and never longer than there is to decide. Whether her roles may is
    the caller's to check. Raises ALREADY_DECIDED or NOT_ALLOWED: she is excluded, or has approved it."""
    require_waiting(before, now)
    if person in before.excluded:
        raise HandrailError(
            Code.NOT_ALLOWED, "this person asked for it, owns the use case or wrote the rule: choose another"
        )
    if any(given.person == person for given in before.approvals):
        raise HandrailError(Code.NOT_ALLOWED, "this person has approved it already; choose another")
    until = now + within_ms if before.decide_by is None else min(now + within_ms, before.decide_by)
    return _moved(before, handed_to=person, handed_until=until)


def only(before: Progress, now: int) -> str:
    """Who alone may decide now; empty: whoever the route asks."""
    handed = before.handed_until is not None and now < before.handed_until
    return before.handed_to if handed and before.state is State.HELD else ""


def require_not_another(before: Progress, person: PersonId, now: int) -> None:
    """Raises HandrailError NOT_ALLOWED while it was handed to another person."""
    if only(before, now) not in ("", person):
        raise HandrailError(
            Code.NOT_ALLOWED,
            "this was handed to another person, who alone decides until {when} UTC; hand it on, or wait",
            parts={"when": _at(before.handed_until or now)},
        )


def expire(before: Progress, *, now: int) -> Progress:
    """Time is over: nobody decided, or nobody executed. Raises LOST_RACE when it is not."""
    if before.state is State.HELD and before.decide_by is not None and now >= before.decide_by:
        return _moved(before, state=State.EXPIRED)
    if before.state is State.APPROVED and before.execute_by is not None and now >= before.execute_by:
        return _moved(before, state=State.LAPSED)
    raise HandrailError(Code.LOST_RACE, "its time is not over")


def revoke(before: Progress) -> Progress:
    """By a stop, before the claim. Raises ALREADY_DECIDED."""
    return _ended(before, State.REVOKED)


def cancel(before: Progress) -> Progress:
    """By the agent that asked, before the claim. Raises ALREADY_DECIDED."""
    return _ended(before, State.CANCELLED)


def unreachable(before: Progress) -> Progress:
    """Nobody is left who could call the target. Raises ALREADY_DECIDED."""
    return _ended(before, State.UNREACHABLE)


def claim(before: Progress, owner: str, digest: Digest, *, now: int, lease_ms: int, permit: bool = False) -> Progress:
    """The single right to execute. `digest`: of the arguments about to be sent. `permit`: by its caller, who shows one.
    Raises HandrailError ALREADY_DECIDED (not approved, or claimed by another), NOT_ALLOWED (a drill, or who executes is
    the other of handrail and the caller) or LOST_RACE (other arguments, too early, too late)."""
    if before.drill:
        raise HandrailError(Code.NOT_ALLOWED, "a drill is never executed")
    if permit is not (before.report_within_ms > 0):
        who = "handrail executes this action" if permit else "its caller executes this action, under a permit"
        raise HandrailError(Code.NOT_ALLOWED, who)
    if before.state is not State.APPROVED:
        raise HandrailError(Code.ALREADY_DECIDED, f"{_standing(before)}; it cannot be executed")
    if digest != before.digest:
        raise HandrailError(Code.LOST_RACE, "these are not the arguments that were approved")
    if now < before.not_before:
        raise HandrailError(Code.LOST_RACE, "its cool-off is not over")
    if before.execute_by is not None and now >= before.execute_by:
        raise HandrailError(Code.LOST_RACE, "the time to execute it is over")
    return _moved(before, state=State.CLAIMED, lease_owner=owner, lease_until=now + lease_ms)


def renew(before: Progress, owner: str, *, now: int, lease_ms: int) -> Progress:
    """Raises LOST_RACE when the lease went to another."""
    _must_hold(before, owner)
    return _moved(before, lease_until=now + lease_ms)


def take_over(before: Progress, owner: str, *, now: int, lease_ms: int) -> Progress:
    """The right to ask for the outcome of a claim whose holder went silent. Raises LOST_RACE while its lease runs,
    NOT_ALLOWED for what its caller executes: no target is asked about that."""
    if before.report_within_ms:
        raise HandrailError(Code.NOT_ALLOWED, "its caller executes this action, and reports")
    if before.state is not State.CLAIMED or now < before.lease_until:
        raise HandrailError(Code.LOST_RACE, "its lease still runs")
    return _moved(before, lease_owner=owner, lease_until=now + lease_ms)


def finish(before: Progress, owner: str, state: State, *, now: int | None = None) -> Progress:
    """`state`: DONE, FAILED or UNKNOWN. Raises LOST_RACE when the lease went to another."""
    if state not in (State.DONE, State.FAILED, State.UNKNOWN):
        raise ValueError(f"{state.value} is no outcome")
    _must_hold(before, owner)
    return _moved(before, state=state, lease_owner="", lease_until=0, ended_at=now)


def settle(before: Progress, state: State, person: PersonId, *, now: int) -> Progress:
    """A person has found out what nobody could tell: DONE or FAILED. Raises ALREADY_DECIDED."""
    if state not in (State.DONE, State.FAILED):
        raise ValueError(f"{state.value} is no outcome")
    if before.state is not State.UNKNOWN:
        raise HandrailError(Code.ALREADY_DECIDED, f"{_standing(before)}; nothing is open")
    return _moved(before, state=state, settled_by=person, settled_at=now)


def doubtful(before: Progress, *, now: int) -> Progress:
    """A backup says approved: what became of it since, nobody can tell. Raises ALREADY_DECIDED."""
    if before.state is not State.APPROVED:
        raise HandrailError(Code.ALREADY_DECIDED, f"{_standing(before)}; nothing is in doubt")
    return _moved(before, state=State.UNKNOWN, ended_at=now)


def undone(before: Progress, by: ActionId) -> Progress:
    """Its effect is taken back. Raises ALREADY_DECIDED for what was not done."""
    if before.state is not State.DONE:
        raise HandrailError(Code.ALREADY_DECIDED, f"{_standing(before)}; only what was done is undone")
    return _moved(before, undone_by=by)


def _decided_already(before: Progress) -> HandrailError:
    """With who decided and when, for a person."""
    state = before.state.value
    if not before.settled_by or before.settled_at is None:
        return HandrailError(Code.ALREADY_DECIDED, "this action is {state} already", parts={"state": state})
    return HandrailError(
        Code.ALREADY_DECIDED,
        "this action is {state} (decided by {by} at {when} UTC) already",
        parts={"state": state, "by": before.settled_by, "when": _at(before.settled_at)},
    )


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _standing(before: Progress) -> str:
    """Where it is, with who decided and when."""
    words = f"this action is {before.state.value}"
    if not before.settled_by or before.settled_at is None:
        return words
    return f"{words} (decided by {before.settled_by} at {_at(before.settled_at)} UTC)"


def require_waiting(before: Progress, now: int) -> None:
    """Raises HandrailError ALREADY_DECIDED, saying who decided and when."""
    if before.state is not State.HELD:
        raise _decided_already(before)
    if before.decide_by is not None and now >= before.decide_by:
        raise HandrailError(Code.ALREADY_DECIDED, "the time to decide is over")


def _must_hold(before: Progress, owner: str) -> None:
    if before.state is not State.CLAIMED or before.lease_owner != owner:
        raise HandrailError(Code.LOST_RACE, "another process has taken this claim over")


def _ended(before: Progress, state: State) -> Progress:
    if before.state not in (State.HELD, State.APPROVED):
        raise _decided_already(before)
    return _moved(before, state=state)


def _moved(before: Progress, **fields: object) -> Progress:
    return msgspec.structs.replace(before, version=before.version + 1, **fields)
