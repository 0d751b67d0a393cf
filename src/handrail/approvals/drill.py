"""Seeded wrong requests, and how many of them a person catches; pure.

A drill is a held action that looks like any other, with one deliberate wrong thing in it. It can be decided, never
executed (`approvals.lifecycle.claim` refuses it, and the first decision ends it). Who approves it missed it; who denies
it, or changes the very value that is wrong, caught it. What nobody decided in time says nothing about a person.
"""

import math
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from handrail.terms.action import ActionId, ToolId
from handrail.terms.ids import PersonId, UseCaseId

Z = 1.959963984540054
"""Of 95 %, two-sided."""
FEW = 10
"""Below so many cases a rate says next to nothing; it is shown with that remark."""
NO_CASES = "no cases"


class Wrong(StrEnum):
    """What is wrong with a drill. In the ledger for good."""

    ABOVE_RECORD = "amount.above_record"  # more than the record shows was paid
    ABOVE_ASKED = "amount.above_asked"  # more than the customer asked for
    NOT_OWN = "object.not_own"  # somebody else's order or account
    NOT_THEIRS = "value.not_theirs"  # an address or payee that neither customer nor record knows
    SECOND_TIME = "second_time"  # it was done already
    UNTRUSTED = "value.untrusted"  # a payee or address that only a mail or a page names


SAID: dict[Wrong, str] = {
    Wrong.ABOVE_RECORD: "the amount is above what the record shows",
    Wrong.ABOVE_ASKED: "the amount is above what the customer asked for",
    Wrong.NOT_OWN: "it concerns an object that is not this customer's",
    Wrong.NOT_THEIRS: "a value that neither the customer nor the record knows",
    Wrong.SECOND_TIME: "it was done before",
    Wrong.UNTRUSTED: "a value that only content of outsiders names",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What shall be made. Empty `use_case` and `route`: any. `seed`: makes the same drill of the same registry and
    queue. `by`: who started it, who never decides it; empty: the schedule of the ruleset. `run`: those that were
    started together."""

    run: str
    seed: str
    use_case: UseCaseId | None = None
    route: str = ""
    by: PersonId | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was made of it; nothing of a customer. `path`: the argument that is wrong; empty: the whole call is.
    `why_not`: why none could be made, when none could."""

    use_case: UseCaseId | None = None
    tool: ToolId | None = None
    route: str = ""
    wrong: Wrong | None = None
    path: str = ""
    why_not: str = ""


class DrillState(StrEnum):
    PLANNED = "planned"
    MADE = "made"
    SKIPPED = "skipped"


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the register. `open`: its action still waits. `caught` None: nobody decided it, or not yet. `person` "":
    forgotten on request. Times in Unix ms."""

    id: str
    due_at: int
    plan: Plan
    state: DrillState = DrillState.PLANNED
    action: ActionId | None = None
    made: Made | None = None
    made_at: int | None = None
    decided_at: int | None = None
    person: str | None = None
    caught: bool | None = None
    open: bool = False


class Told(msgspec.Struct, frozen=True):
    """What the person learns right after the decision."""

    caught: bool
    wrong: Wrong
    path: str = ""

    def sentence(self) -> str:
        """For the person who decided."""
        where = f" ({self.path})" if self.path else ""
        verdict = "you caught it" if self.caught else "you missed it"
        return f"this was a drill: {SAID[self.wrong]}{where}; {verdict}. Nothing is executed."


class Rate(msgspec.Struct, frozen=True):
    """`low`, `high`: the 95 % interval of the share caught. None: no cases, which is never a pass."""

    caught: int
    cases: int
    low: float | None = None
    high: float | None = None

    @property
    def few(self) -> bool:
        return self.cases < FEW


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the results. `person` "": forgotten; None: over all persons. `undecided`: expired, revoked, cancelled
    or still waiting, so of no person."""

    person: str | None
    route: str
    rate: Rate
    undecided: int = 0


def rate(caught: int, cases: int) -> Rate:
    """The interval of E. B. Wilson (J. Am. Stat. Assoc. 22, 1927, 209-212): with p = k/n,
    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). It keeps near its level for small n and at 0 and 1,
    where p -+ z sqrt(p(1-p)/n) does not (Brown, Cai, DasGupta, Statistical Science 16, 2001, 101-133)."""
    if not 0 <= caught <= cases:
        raise ValueError("of n cases 0 to n are caught")
    if cases == 0:
        return Rate(0, 0)
    share, square = caught / cases, Z * Z / cases
    middle = share + square / 2
    half = Z * math.sqrt(share * (1 - share) / cases + square / (4 * cases))
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return Rate(caught, cases, 0.0 if caught == 0 else low, 1.0 if caught == cases else high)


def results(drills: Iterable[Drill]) -> list[Row]:
    """By person and route, then each route over all persons; sorted. A route with drills that nobody decided has its
    row too: no cases."""
    decided: dict[tuple[str, str], list[bool]] = {}
    undecided: dict[str, int] = {}
    for drill in drills:
        if drill.state is not DrillState.MADE or drill.made is None:
            continue
        route = drill.made.route
        undecided.setdefault(route, 0)
        if drill.caught is None:
            undecided[route] += 1
        else:
            decided.setdefault((drill.person or "", route), []).append(drill.caught)
    rows = [
        Row(person=person, route=route, rate=rate(sum(all_caught), len(all_caught)))
        for (person, route), all_caught in sorted(decided.items())
    ]
    for route, left in sorted(undecided.items()):
        of_route = [one for (_, where), listed in decided.items() if where == route for one in listed]
        rows.append(Row(person=None, route=route, rate=rate(sum(of_route), len(of_route)), undecided=left))
    return rows


def share_text(found: Rate) -> str:
    """`3 of 4 caught, 95 % interval 30 % to 95 %; too few to judge`, or `no cases`."""
    if found.low is None or found.high is None:
        return NO_CASES
    remark = "; too few to judge" if found.few else ""
    return (
        f"{found.caught} of {found.cases} caught ({found.caught / found.cases:.0%}), "
        f"95 % interval {found.low:.0%} to {found.high:.0%}{remark}"
    )
