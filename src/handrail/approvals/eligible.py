"""Whether a person may settle a row of the queue, and why not; pure. The command asks again in its own transaction
(`settle.decider`), by the same rules: this only tells her before she tries. When it cannot tell, the answer is no."""

from enum import StrEnum

import msgspec

from handrail.approvals.facts import unread
from handrail.approvals.lifecycle import State
from handrail.approvals.route import APPROVERS, Case, Moment, covers, on_shift
from handrail.approvals.store import Queued, Stored
from handrail.people.person import Person
from handrail.policy.action_rules import Route
from handrail.terms.ids import UseCaseId


class WhyNot(StrEnum):
    """In the order in which they are looked for."""

    OVER = "over"  # it does not wait any more
    DISABLED = "disabled"
    EXCLUDED = "excluded"  # she asked for it, owns the use case or wrote the rule
    APPROVED = "approved"  # she has said yes already; another person must
    ROLES = "roles"
    BEYOND = "beyond"  # the route may not decide this amount or use case
    SHIFT = "shift"
    HANDED = "handed"  # to another person, who alone decides for a while


def route_asked(row: Queued) -> Route:
    return row.asks or APPROVERS


def roles_asked(row: Queued) -> frozenset[str]:
    """Roles that may settle it now, escalations among them."""
    route = route_asked(row)
    return frozenset(route.roles) | {role for step in route.steps[: row.step] for role in step.roles}


def why_not(row: Queued, person: Person | None, owners: frozenset[str], at: Moment) -> WhyNot | None:
    """None: she may. `owners`: addresses of who owns the use case. A call of unknown outcome is settled whatever the
    hour."""
    if row.state not in (State.HELD, State.UNKNOWN):
        return WhyNot.OVER
    if row.state is State.HELD and row.decide_by is not None and at.now_ms is not None and at.now_ms >= row.decide_by:
        return WhyNot.OVER
    if person is None or not person.active:
        return WhyNot.DISABLED
    if person.id in row.excluded or person.mail in owners:
        return WhyNot.EXCLUDED
    if row.state is State.HELD and person.id in row.approved:
        return WhyNot.APPROVED
    route, roles = route_asked(row), {role.value for role in person.roles}
    if not roles & roles_asked(row):
        return WhyNot.ROLES
    if not covers(route, _case(row)):
        return WhyNot.BEYOND
    escalated = {role for step in route.steps[: row.step] for role in step.roles}
    if row.state is State.HELD and not roles & escalated and not on_shift(route.shifts, at):
        return WhyNot.SHIFT
    return WhyNot.HANDED if only(row, at.now_ms) not in ("", person.id) else None


def only(row: Queued, now_ms: int | None) -> str:
    """Who alone may decide it now; empty: whoever the route asks."""
    handed = row.handed_until is not None and now_ms is not None and now_ms < row.handed_until
    return row.handed_to if handed and row.state is State.HELD else ""


def may_pass_on(row: Queued, person: Person | None) -> bool:
    """To another route: whoever the route asks, whatever the hour and the amount. Not who is excluded."""
    wide = msgspec.structs.replace(
        row, asks=msgspec.structs.replace(route_asked(row), up_to=None, use_cases=(), shifts=())
    )
    return why_not(wide, person, frozenset(), Moment(0, 0)) in (None, WhyNot.APPROVED) and row.state is State.HELD


def batch_of(row: Queued) -> int:
    """How many like it its route lets one person decide together; 0: it is decided by itself. The whole answer needs
    the call (`batch.in_batch`)."""
    route = route_asked(row)
    if row.unread or route.batch < 2:
        return 0
    if row.amount_minor is None:
        return route.batch
    within = route.batch_up_to is not None and route.currency == row.currency and row.amount_minor <= route.batch_up_to
    return route.batch if within else 0


def _case(row: Queued) -> Case:
    return Case(
        use_case=UseCaseId(row.use_case), amount_minor=row.amount_minor, currency=row.currency, unread=row.unread
    )


def row_of(stored: Stored) -> Queued:
    """The row that the queue has of it."""
    progress, facts = stored.progress, stored.about.facts
    return Queued(
        action=progress.action, state=progress.state, use_case=stored.about.use_case, tool=facts.tool,
        agent=facts.agent, amount_minor=facts.amount_minor, currency=facts.currency,
        reasons=tuple(dict.fromkeys([reason.code for reason in facts.reasons])), route=progress.route,
        needs=progress.needs, given=len(progress.approvals), created_at=progress.created_at,
        decide_by=progress.decide_by, type=facts.type, digest=progress.digest, asks=stored.about.route,
        step=progress.step, approved=tuple([one.person for one in progress.approvals]), excluded=progress.excluded,
        settled_by=progress.settled_by, settled_at=progress.settled_at, unread=unread(facts),
        handed_to=progress.handed_to, handed_until=progress.handed_until,
    )  # fmt: skip
