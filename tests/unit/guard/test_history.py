"""What rules may ask of the past: which names count which actions, in which periods."""

from datetime import datetime

from fakes.actions import rules, shop

from handrail.guard.history import counts_of, names_in, past_of
from handrail.policy.action_rules import Per

_, TOOLS = shop()
BY_NAME = {tool.name: tool for tool in TOOLS}
NOW = datetime(2026, 3, 1, 0, 30)


def counts(*names: str, tool: str = "refund") -> dict[str, tuple[str, ...] | None]:
    """Name to its periods when this tool counts, None when it is read only."""
    made = counts_of(names, BY_NAME[tool], NOW, lambda name, per: (f"{name}|{per.value}",))
    return {one.name: one.periods if one.counts else None for one in made}


def test_names_come_from_both_sides_of_a_condition_and_from_exceptions() -> None:
    read = rules(
        "rules:\n"
        "  - { id: a, deny: twice, tools: [refund], when: [{ past: object.refund, at-least: 1 }] }\n"
        "  - { id: b, hold: often, tools: [refund], unless: [{ past: customer.money.day, at-most: 3 }] }\n"
        "routes: [{ id: leads, roles: [approver] }]\n"
    )
    assert names_in(read) == ("customer.money.day", "object.refund")


def test_a_tool_counts_under_its_own_name_and_its_type_alone() -> None:
    assert counts("object.refund", "agent.money", "fleet.contact", "customer.change_address") == {
        "object.refund": ("ever",), "agent.money": ("ever",), "fleet.contact": None, "customer.change_address": None,
    }  # fmt: skip


def test_windows_are_calendar_periods_or_roll_over_midnight_and_the_end_of_a_month() -> None:
    found = counts("customer.refund.day", "customer.refund.month", "customer.refund.hours", "customer.refund.days")
    assert found["customer.refund.day"] == ("2026-03-01",)
    assert found["customer.refund.month"] == ("2026-03",)
    hours, days = found["customer.refund.hours"], found["customer.refund.days"]
    assert hours is not None
    assert days is not None
    assert (hours[0], hours[1], hours[-1], len(hours)) == ("2026-03-01T00", "2026-02-28T23", "2026-02-28T01", 24)
    assert (days[0], days[1], days[-1], len(days)) == ("2026-03-01", "2026-02-28", "2026-01-31", 30)


def test_what_is_no_name_is_missing_and_the_sum_is_over_its_periods() -> None:
    assert counts("planet.refund.day", "customer.refund.year", "action.refund") == {}
    made = counts_of(("customer.refund.days",), BY_NAME["refund"], NOW, lambda name, per: (name,))
    used = {"2026-03-01": 1, "2026-02-28": 2, "2026-01-30": 9}
    assert past_of(made, lambda scope, period: used.get(period, 0))[0].value == 3
    assert Per.ACTION.value == "action"
