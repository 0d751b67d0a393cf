"""One mistake is told once: tools that no use case lists."""

from fakes.actions import DIGITS, SHOP, rules, shop

from handrail.policy.check_rules import Ground, check_rules


def test_a_tool_that_no_use_case_lists_is_told_once_for_each_rule() -> None:
    written = rules("rules: [{ id: r, deny: no, tools: [refund], when: [{ argument: amount, above: 1 }] }]")
    (wrong,) = check_rules(written, Ground(tools={SHOP: ()}, digits=DIGITS))
    assert wrong.what == "there is no tool 'shop.refund'"
    nothing = rules("rules: [{ id: r, deny: no, tools: [refund], types: [read] }]")
    (apart,) = check_rules(nothing, Ground(tools={SHOP: shop()[1]}, digits=DIGITS))
    assert apart.what.startswith("it concerns no tool")
