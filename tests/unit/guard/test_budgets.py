"""Budgets: exact in one process, bounded across several, never forgotten."""

import asyncio

import pytest
from tests.fakes.gateway import use_case
from tests.fakes.guard import HandClock, MemorySpending

from handrail.guard.budgets import Budgets
from handrail.policy.ruleset import Budget
from handrail.terms.errors import Code, HandrailError

ZONE = "Europe/Berlin"


def admitted(budgets: Budgets, case, times: int) -> int:
    count = 0
    for _ in range(times):
        try:
            budgets.admit(case, ZONE)
        except HandrailError:
            continue
        count += 1
    return count


def test_requests_per_minute_are_exact_and_begin_again_with_the_minute() -> None:
    clock = HandClock()
    budgets, case = Budgets(clock), use_case(budget=Budget(requests_per_minute=3))
    assert admitted(budgets, case, 5) == 3
    with pytest.raises(HandrailError) as refused:
        budgets.admit(case, ZONE)
    assert refused.value.code is Code.BUDGET_REQUESTS
    assert refused.value.retry_after_s is not None
    clock.pass_s(refused.value.retry_after_s - 1)
    assert admitted(budgets, case, 1) == 0
    clock.pass_s(1)
    assert admitted(budgets, case, 5) == 3


def test_a_day_ends_at_midnight_of_the_organisation() -> None:
    clock = HandClock(1_790_000_000_000)  # 2026-09-21T14:13:20Z, 16:13:20 in Berlin
    budgets, case = Budgets(clock), use_case(budget=Budget(requests=1))
    assert admitted(budgets, case, 2) == 1
    clock.pass_s(7 * 3600 + 46 * 60 + 39)
    assert admitted(budgets, case, 1) == 0
    clock.pass_s(1)
    assert admitted(budgets, case, 2) == 1


@pytest.mark.parametrize(
    ("limit", "code"), [(Budget(tokens=100), Code.BUDGET_TOKENS), (Budget(cost_minor=1), Code.BUDGET_COST)]
)
def test_tokens_and_cost_are_refused_once_they_are_used_up(limit: Budget, code: Code) -> None:
    budgets, case = Budgets(HandClock()), use_case(budget=limit)
    budgets.admit(case, ZONE)
    budgets.spend(case.id, tokens=100, cost_micro_minor=1_000_000)
    with pytest.raises(HandrailError) as refused:
        budgets.admit(case, ZONE)
    assert refused.value.code is code


def test_two_processes_pass_a_limit_by_at_most_one_exchange() -> None:
    clock, spending = HandClock(), MemorySpending()
    case = use_case(budget=Budget(requests=10))
    here, there = Budgets(clock), Budgets(clock)
    assert (admitted(here, case, 4), admitted(there, case, 4)) == (4, 4)
    asyncio.run(here.exchange(spending))
    asyncio.run(there.exchange(spending))
    asyncio.run(here.exchange(spending))
    assert (admitted(here, case, 9), admitted(there, case, 9)) == (2, 2)


def test_a_failed_exchange_forgets_nothing() -> None:
    class Away(MemorySpending):
        async def exchange(self, **given):
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "storage is away")

    budgets, case = Budgets(HandClock()), use_case(budget=Budget(requests=5))
    assert admitted(budgets, case, 3) == 3
    with pytest.raises(HandrailError):
        asyncio.run(budgets.exchange(Away()))
    assert admitted(budgets, case, 9) == 2
    spending = MemorySpending()
    asyncio.run(budgets.exchange(spending))
    assert [spent.requests for spent in spending.totals.values()] == [5]
