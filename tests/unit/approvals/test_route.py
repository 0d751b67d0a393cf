"""Who may settle a held action: by role, amount, use case and shift, and never who is too near to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.approvals.route import (
    APPROVERS,
    Case,
    Moment,
    covers,
    moment,
    next_step,
    on_shift,
    require_decider,
    route_of,
)
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.action_rules import Route, Shift, Step
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId, UseCaseId

SHOP = UseCaseId("shop")
NOON = Moment(0, 720)
LOW = Route(id="low", roles=("approver",), up_to=10_000, currency="EUR")
HIGH = Route(id="high", roles=("compliance",), persons=2, up_to=1_000_000, currency="EUR")


def person(*roles: Role, name: str = "pe_a", **more: Any) -> Person:
    return Person(
        id=PersonId(name), mail=f"{name}@shop.example", name=name, roles=frozenset(roles), created_at=0, **more
    )


def case(amount: int | None = 4_000, currency: str = "EUR") -> Case:
    return Case(use_case=SHOP, amount_minor=amount, currency=currency)


def decide(who: Person, route: Route = LOW, of: Case | None = None, at: Moment = NOON, **more: Any) -> None:
    values: dict[str, Any] = {"step": 0, "excluded": frozenset(), "owners": set(), **more}
    require_decider(who, route, of or case(), at, **values)


def refused(*args: Any, **more: Any) -> str:
    with pytest.raises(HandrailError) as error:
        decide(*args, **more)
    assert error.value.code is Code.NOT_ALLOWED
    return error.value.message


@pytest.mark.promise("APR-2")
def test_an_amount_that_nobody_could_read_is_settled_by_a_route_without_a_bound_alone() -> None:
    unread, free = Case(use_case=SHOP, unread=True), Route(id="free", roles=("approver",))
    assert "amount" in refused(person(Role.APPROVER), of=unread)
    decide(person(Role.APPROVER), free, unread)
    assert route_of((LOW, HIGH), "low", unread) is None
    assert route_of((LOW, free), "low", unread) == free
    assert covers(LOW, Case(use_case=SHOP))  # no money moves


@pytest.mark.promise("APR-2")
def test_a_route_asks_its_roles_and_an_admin_passes_around_none() -> None:
    decide(person(Role.APPROVER))
    for roles in ((Role.ADMIN,), (Role.ADMIN, Role.OWNER, Role.ENGINEER), (Role.STAFF,), ()):
        assert "approver" in refused(person(*roles))


@pytest.mark.promise("APR-1")
def test_who_asked_owns_or_wrote_it_never_decides_whatever_the_roles() -> None:
    every = person(*(set(Role) - {Role.AUDITOR}))
    refused(every, excluded=frozenset({every.id}))
    refused(every, owners={every.mail})
    refused(person(Role.APPROVER, disabled_at=1))


@pytest.mark.promise("APR-2")
def test_the_amount_of_a_route_ends_at_its_last_cent_and_counts_in_its_currency() -> None:
    decide(person(Role.APPROVER), of=case(10_000))
    decide(person(Role.APPROVER), of=case(None))
    assert "hand it on" in refused(person(Role.APPROVER), of=case(10_001))
    refused(person(Role.APPROVER), of=case(10, "USD"))
    assert covers(LOW, case(10_000))
    assert not covers(Route(id="x", roles=("approver",), use_cases=(UseCaseId("other"),)), case())


def test_an_escalation_asks_more_roles_at_any_hour_and_takes_none_away() -> None:
    night = Route(
        id="n", roles=("approver",), shifts=(Shift((0,), 480, 1_020),),
        steps=(Step(600, ("owner",)), Step(1_200, ("compliance",))),
    )  # fmt: skip
    late = Moment(0, 1_020)
    refused(person(Role.OWNER), night, at=late)
    decide(person(Role.OWNER), night, at=late, step=1)
    assert "shift" in refused(person(Role.APPROVER), night, at=late, step=1)
    refused(person(Role.COMPLIANCE), night, at=late, step=1)
    decide(person(Role.COMPLIANCE), night, at=late, step=2)
    assert [next_step(night, 1_000, step) for step in range(3)] == [601_000, 1_201_000, None]


def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    late = (Shift((4,), 1_320, 360),)  # Friday 22:00 to Saturday 06:00
    inside = [Moment(4, 1_320), Moment(4, 1_439), Moment(5, 0), Moment(5, 359)]
    outside = [Moment(4, 1_319), Moment(5, 360), Moment(5, 1_320), Moment(4, 100)]
    assert all(on_shift(late, at) for at in inside)
    assert not any(on_shift(late, at) for at in outside)
    assert on_shift((), NOON)


def test_the_hour_is_the_organisations() -> None:
    summer = 1_782_900_000_000  # 2026-07-01T10:00:00Z, a Wednesday
    assert moment(summer, "Europe/Berlin") == Moment(2, 720, summer)
    assert moment(summer, "UTC") == Moment(2, 600, summer)


@pytest.mark.promise("APR-2")
def test_a_case_goes_to_the_named_route_else_to_the_first_that_may_else_to_none() -> None:
    assert route_of((), "", case()) == APPROVERS
    assert route_of((LOW, HIGH), "low", case()) == LOW
    assert route_of((LOW, HIGH), "low", case(20_000)) == HIGH
    assert route_of((LOW, HIGH), "high", case()) == HIGH
    assert route_of((LOW, HIGH), "", case(2_000_000)) is None
    assert route_of((LOW, HIGH), "", case(4_000, "USD")) is None


amounts = st.one_of(st.none(), st.sampled_from([0, 1, 9_999, 10_000, 10_001, 999_999, 1_000_000, 1_000_001]))


@given(amount=amounts, currency=st.sampled_from(["EUR", "USD"]), named=st.sampled_from(["", "low", "high", "gone"]))
def test_the_route_of_a_case_may_always_decide_it_and_asks_no_fewer_than_was_named(
    amount: int | None, currency: str, named: str
) -> None:
    of = case(amount, currency)
    found = route_of((LOW, HIGH), named, of)
    if found is None:
        assert not covers(LOW, of)
        assert not covers(HIGH, of)
        return
    assert covers(found, of)
    assert found.persons >= {"low": 1, "high": 2}.get(named, 1)


def test_a_shift_has_its_own_time_zone_when_it_says_so() -> None:
    night = Shift(weekdays=(0, 1, 2, 3, 4, 5, 6), start=540, end=1_020, zone="Asia/Tokyo")
    nine_in_tokyo = 1_795_219_200_000  # 2026-11-21T00:00:00Z
    assert moment(nine_in_tokyo, "Asia/Tokyo").minute == 540
    assert on_shift((night,), moment(nine_in_tokyo, "Europe/Berlin"))
    assert not on_shift((night,), moment(nine_in_tokyo - 60_000, "Europe/Berlin"))
    assert not on_shift((night,), Moment(5, 600))  # without the instant nobody can tell
    unknown = Shift(weekdays=(0, 1, 2, 3, 4, 5, 6), start=0, end=1_440, zone="Nowhere/Land")
    assert not on_shift((unknown,), moment(nine_in_tokyo, "UTC"))
