"""What the console tells a person about deciding agrees with what the command would do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.approvals.eligible import WhyNot, batch_of, may_pass_on, why_not
from handrail.approvals.lifecycle import State
from handrail.approvals.route import Case, Moment, require_decider
from handrail.approvals.store import Queued
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.action_rules import Route, Shift, Step
from handrail.terms.action import ActionId
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Digest, PersonId, UseCaseId

NOW = 1_790_000_000_000
AT = Moment(0, 600, NOW)


def row(**more: object) -> Queued:
    usual = {
        "action": ActionId("ac_1"), "state": State.HELD, "use_case": "orders", "tool": "till.refund", "agent": "a",
        "amount_minor": 5_000, "currency": "EUR", "reasons": (), "route": "leads", "needs": 1, "given": 0,
        "created_at": NOW - 1, "decide_by": NOW + 1, "type": "money", "digest": Digest("d"),
        "asks": Route(id="leads", roles=("approver",)), "step": 0, "approved": (), "excluded": frozenset(),
        "settled_by": "", "settled_at": None, "unread": False,
    }  # fmt: skip
    return Queued(**{**usual, **more})  # type: ignore[arg-type]  # of the right types


def person(*roles: Role, **more: object) -> Person:
    usual = {"id": PersonId("pe_1"), "mail": "a@x.example", "name": "A", "roles": frozenset(roles), "created_at": 1}
    return Person(**{**usual, **more})  # type: ignore[arg-type]


ROUTES = st.builds(
    Route,
    id=st.just("leads"),
    roles=st.sampled_from([("approver",), ("owner",), ("approver", "owner")]),
    up_to=st.sampled_from([None, 4_999, 5_000]),
    currency=st.sampled_from(["EUR", "USD"]),
    use_cases=st.sampled_from([(), (UseCaseId("orders"),), (UseCaseId("other"),)]),
    shifts=st.sampled_from([(), (Shift((0,), 540, 660),), (Shift((1,), 0, 1_439),)]),
    steps=st.sampled_from([(), (Step(60, ("compliance",)),)]),
)


@pytest.mark.promise("CAP-4")
@given(
    ROUTES, st.frozensets(st.sampled_from(list(Role))), st.sampled_from([0, 1]), st.booleans(), st.booleans(),
    st.booleans(), st.sampled_from([None, 5_000]), st.booleans(),
)  # fmt: skip
def test_the_answer_is_the_commands(
    route: Route, roles: frozenset[Role], step: int, out: bool, owns: bool, gone: bool, amount: int | None, unread: bool
) -> None:
    who = person(*roles, disabled_at=1 if gone else None)
    held = row(
        asks=route, step=step, excluded=frozenset({who.id}) if out else frozenset(), amount_minor=amount,
        unread=unread and amount is None,
    )  # fmt: skip
    owners = {who.mail} if owns else set()
    try:
        require_decider(
            who, route, Case(use_case=UseCaseId("orders"), amount_minor=amount, currency="EUR", unread=held.unread), AT,
            step=step, excluded=held.excluded, owners=owners,
        )  # fmt: skip
        may = True
    except HandrailError:
        may = False
    assert (why_not(held, who, frozenset(owners), AT) is None) is may


def test_who_has_approved_waits_for_another_and_an_ended_one_for_nobody() -> None:
    who = person(Role.APPROVER)
    assert why_not(row(approved=(who.id,)), who, frozenset(), AT) is WhyNot.APPROVED
    assert why_not(row(decide_by=NOW), who, frozenset(), AT) is WhyNot.OVER
    assert why_not(row(state=State.DENIED), who, frozenset(), AT) is WhyNot.OVER
    assert why_not(row(), None, frozenset(), AT) is WhyNot.DISABLED


@pytest.mark.promise("CAP-5")
def test_what_was_handed_to_one_person_is_hers_alone_until_its_time_and_then_the_routes() -> None:
    her, him = person(Role.APPROVER), person(Role.APPROVER, id=PersonId("pe_2"))
    handed = row(handed_to=her.id, handed_until=NOW + 1)
    assert why_not(handed, her, frozenset(), AT) is None
    assert why_not(handed, him, frozenset(), AT) is WhyNot.HANDED
    assert why_not(row(handed_to=her.id, handed_until=NOW), him, frozenset(), AT) is None
    assert may_pass_on(handed, him)  # a colleague can take it back to a route


def test_a_case_beyond_a_routes_amount_can_be_passed_on_by_its_people_alone() -> None:
    small = msgspec.structs.replace(row(), asks=Route(id="leads", roles=("approver",), up_to=1, currency="EUR"))
    assert may_pass_on(small, person(Role.APPROVER))
    assert not may_pass_on(small, person(Role.OWNER))
    assert not may_pass_on(
        msgspec.structs.replace(small, excluded=frozenset({PersonId("pe_1")})), person(Role.APPROVER)
    )


def test_money_goes_one_by_one_unless_the_route_names_an_amount() -> None:
    assert batch_of(row()) == 0
    assert batch_of(row(amount_minor=None)) == 5
    assert batch_of(row(amount_minor=None, unread=True)) == 0
    named = Route(id="leads", roles=("approver",), batch_up_to=5_000, currency="EUR")
    assert batch_of(row(asks=named)) == 5
    assert batch_of(row(asks=named, amount_minor=5_001)) == 0
