"""Which rows of the queue a page holds: none is lost and none comes twice, and what was not looked through is told."""

import asyncio
from collections.abc import Sequence

import pytest
from fakes.console import visitor
from unit.approvals.test_eligible import NOW, person, row

from handrail.approvals import lifecycle
from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import Otherwise, State
from handrail.approvals.store import Queued, Stored
from handrail.console.here import Here
from handrail.console.pages import approvals as pages
from handrail.console.pages.approvals import QueueAsked, as_csv, show
from handrail.console.ports import Ports
from handrail.console.views.approvals import PAGE, Queue
from handrail.console.words import Languages
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.action_rules import Route
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ActionId, ToolId
from handrail.terms.ids import Digest, SubjectId, UseCaseId

ANN = person(Role.APPROVER)
WORDS = Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW)
RULES = Ruleset(organisation="House", time_zone="UTC", currency="EUR", providers={}, use_cases={}, tools={})
OTHERS = Route(id="others", roles=("compliance",))


class Waiting:
    """`approvals.store.ActionReader`: rows in memory, as both engines order and cut them."""

    def __init__(self, rows: Sequence[Queued]) -> None:
        self.rows = list(rows)

    async def queued(
        self, states: frozenset[State], *, limit: int, after: ActionId | None = None, newest: bool = False,
        due_before: int | None = None,
    ) -> list[Queued]:  # fmt: skip
        found = [one for one in self.rows if one.state in states]
        if due_before is not None:
            soon = [one for one in found if one.decide_by is not None and one.decide_by <= due_before]
            return sorted(soon, key=lambda one: (one.decide_by or 0, one.action))[:limit]
        found.sort(key=lambda one: one.action, reverse=newest)
        if after is not None:
            found = [one for one in found if (one.action < after if newest else one.action > after)]
        return found[:limit]

    async def counts(self) -> dict[State, int]:
        return {State.HELD: len(self.rows)}

    async def get(self, action: ActionId) -> Stored:
        one = next(one for one in self.rows if one.action == action)
        progress = lifecycle.held(
            action, one.digest, now=NOW, needs=1, route=one.route, decide_by=one.decide_by or 0,
            otherwise=Otherwise.DENY, excluded=frozenset(),
        )  # fmt: skip
        about = About(use_case=UseCaseId(one.use_case), facts=ActionFacts(action=action, tool=ToolId(one.tool)))
        return Stored(progress=progress, about=about, subject=SubjectId("su_1"), request=None, business=b"")


class Staff:
    async def persons(self) -> list[Person]:
        return [ANN]


def here(acts: Waiting) -> Here:
    nothing = dict.fromkeys(Ports.__dataclass_fields__)
    snapshot = Snapshot(epoch=1, ruleset=RULES, ruleset_digest=Digest("r"), live={}, keys={})
    given = {**nothing, "acts": acts, "people": Staff(), "in_force": InForce(snapshot)}
    return Here(ports=Ports(**given), words=WORDS, now_ms=NOW, path="/")  # type: ignore[arg-type]  # what is not asked for is absent


def held(at: int, **more: object) -> Queued:
    return row(action=ActionId(f"ac_{at:05}"), decide_by=NOW + 60_000 + (at * 7_919) % 3_000_000, **more)


def walked(acts: Waiting, view: str) -> tuple[list[str], list[Queue]]:
    """Every page, by its own link to the next."""
    found: list[str] = []
    made: list[Queue] = []
    after = ""
    while True:
        made.append(asyncio.run(show(visitor(Role.APPROVER), QueueAsked(view=view, after=after), here(acts))))
        found += [one.id for one in made[-1].rows]
        assert len(made) < 60, "a page leads to itself"
        if not made[-1].later:
            return found, made
        after = made[-1].later.partition("after=")[2].partition("&")[0]


@pytest.mark.promise("CRV-5")
@pytest.mark.parametrize("view", ["mine", "expiring", "all"])
def test_the_pages_of_a_view_hold_every_row_once(view: str) -> None:
    acts = Waiting([held(at) for at in range(3 * PAGE + 7)])
    found, made = walked(acts, view)
    assert sorted(found) == sorted(one.action for one in acts.rows)
    assert len(set(found)) == len(found)
    assert len(made) == 4


@pytest.mark.promise("CRV-5")
def test_what_is_hers_behind_thousands_of_others_is_reached_and_until_then_not_denied() -> None:
    others = [held(at, asks=OTHERS, route="others") for at in range(pages.SCANNED + 500)]
    acts = Waiting([*others, held(9_000)])
    found, made = walked(acts, "mine")
    assert found == ["ac_09000"]
    assert made[0].rows == ()
    assert made[0].empty[0] == "Nothing fits so far."
    assert made[0].empty_next == (made[0].later, "Look further")


@pytest.mark.promise("CRV-5")
def test_a_csv_that_was_cut_says_so_in_its_last_line() -> None:
    acts = Waiting([held(at) for at in range(pages.CSV_ROWS + 1)])
    told = asyncio.run(as_csv(visitor(Role.APPROVER), QueueAsked(view="all"), here(acts))).data.decode().splitlines()
    assert len(told) == pages.CSV_ROWS + 2
    assert "the first 10000 only" in told[-1]
    acts = Waiting([held(1)])
    told = asyncio.run(as_csv(visitor(Role.APPROVER), QueueAsked(view="all"), here(acts))).data.decode().splitlines()
    assert len(told) == 2
