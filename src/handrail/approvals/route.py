"""Who may settle a held action; pure. Denied by default, and no role passes around it: an admin is not asked.

Promise: APR-1, nobody decides on what they asked for themselves, own, or wrote the rule of. APR-2, a route decides only
within its roles, amounts, use cases and shifts. When this cannot tell (an amount in another currency than the route's
band, no person), the answer is no.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.action_rules import Route, Shift
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId, UseCaseId

APPROVERS = Route(id="approvers", roles=(Role.APPROVER.value,))
"""Where nothing is written: one approver, within an hour, else denied."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a route looks at. `amount_minor` None: no money moves, or, with `unread`, nobody can tell how much."""

    use_case: UseCaseId
    amount_minor: int | None = None
    currency: str = ""
    unread: bool = False


class Moment(msgspec.Struct, frozen=True):
    """Of the organisation's clock: Monday 0, minutes of the day. `now_ms`: the instant, in Unix ms, for shifts of
    another time zone; without it nobody is there."""

    weekday: int
    minute: int
    now_ms: int | None = None


def moment(now_ms: int, time_zone: str) -> Moment:
    """`now_ms` in Unix ms."""
    local = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(ZoneInfo(time_zone))
    return Moment(local.weekday(), local.hour * 60 + local.minute, now_ms)


def covers(route: Route, case: Case) -> bool:
    """Whether this route may settle such a case at all: its use cases and its amounts."""
    if route.use_cases and case.use_case not in route.use_cases:
        return False
    if route.up_to is None:
        return True
    if case.amount_minor is None:
        return not case.unread
    return route.currency == case.currency and case.amount_minor <= route.up_to


def route_of(routes: Iterable[Route], named: str, case: Case) -> Route | None:
    """The named route if it may settle the case, else the first that may; the built-in one when none is written. None:
    routes are written and none of them may, so the action cannot be held and is denied."""
    listed = list(routes)
    if not listed:
        return APPROVERS
    wanted = [route for route in listed if route.id == named]
    asked = [*wanted, *listed] if wanted else listed
    least = max((route.persons for route in wanted), default=1)
    found = next((route for route in asked if covers(route, case)), None)
    if found is None or found.persons >= least:
        return found
    return msgspec.structs.replace(found, persons=least)  # a rule that asks two persons is not passed with one


def next_step(route: Route, since_ms: int, step: int) -> int | None:
    """When the route's step number `step` is due, in Unix ms; None: it has no such step."""
    return since_ms + 1_000 * route.steps[step].after_s if step < len(route.steps) else None


def require_decider(
    person: Person, route: Route, case: Case, at: Moment, *, step: int, excluded: frozenset[PersonId], owners: set[str]
) -> None:
    """Raises HandrailError NOT_ALLOWED saying who could. `step`: how many escalations there were. `owners`: addresses
    of the use case's owner and whoever else owns what is decided."""
    if not person.active:
        raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
    if person.id in excluded or person.mail in owners:
        raise HandrailError(
            Code.NOT_ALLOWED, "you asked for this, own the use case or wrote the rule: another person must decide"
        )
    roles = {role.value for role in person.roles}
    escalated = {role for each in route.steps[:step] for role in each.roles}
    if not roles & (set(route.roles) | escalated):
        asked = ", ".join(sorted(set(route.roles) | escalated))
        raise HandrailError(
            Code.NOT_ALLOWED,
            "your roles may not decide this; route {route} asks: {roles}",
            parts={"route": route.id, "roles": asked},
        )
    if not covers(route, case):
        raise HandrailError(
            Code.NOT_ALLOWED,
            "route {route} may not decide this amount or use case; hand it on",
            parts={"route": route.id},
        )
    if not roles & escalated and not on_shift(route.shifts, at):
        raise HandrailError(
            Code.NOT_ALLOWED, "route {route} is not on shift now; wait, or hand it on", parts={"route": route.id}
        )


def on_shift(shifts: tuple[Shift, ...], at: Moment) -> bool:
    """Without shifts, always. A shift whose end is before its start goes over midnight and belongs to the day on which
    it starts."""
    return not shifts or any(_within(shift, at) for shift in shifts)


def _within(shift: Shift, at: Moment) -> bool:
    if shift.zone:
        if at.now_ms is None:
            return False
        try:
            at = moment(at.now_ms, shift.zone)
        except (ZoneInfoNotFoundError, ValueError):  # a machine without this zone's rules: nobody is there
            return False
    if shift.start < shift.end:
        return at.weekday in shift.weekdays and shift.start <= at.minute < shift.end
    before = (at.weekday - 1) % 7
    return (at.weekday in shift.weekdays and at.minute >= shift.start) or (
        before in shift.weekdays and at.minute < shift.end
    )
