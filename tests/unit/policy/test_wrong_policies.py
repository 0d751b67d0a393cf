"""Wrong policies: each is refused at load, or holds at run time; none lets the action through."""

import pytest
from fakes.actions import DIGITS, RULES, SHOP, TOOLS, parsed, prepared, shop

from handrail.policy.action import ActionInput, Agreed, Fact, Past, Vouched
from handrail.policy.action_rules import ActionRules
from handrail.policy.check_rules import Ground, check_rules, check_tools
from handrail.policy.decide_action import decide_action
from handrail.policy.written import WrittenError, lines_of, rules_of, tools_of
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict

RULE = "rules: [{{ id: r, deny: because, tools: [refund]{} }}]"


def when(condition: str, more: str = "") -> str:
    return RULE.format(f", when: [{{ {condition} }}]{more}")


CHANGE = "rules: [{{ id: r, change: because, tools: [refund], to: {{ {} }} }}]"

WRONG: dict[str, tuple[str, str]] = {
    # -------------------------------------------------------------------------------------------------- misspelt
    "a misspelt key of a rule": ("rules: [{ id: r, deny: because, tols: [refund] }]", "tols"),
    "a misspelt part of the file": ("rule: []", "'rule'"),
    "a misspelt verdict": ("rules: [{ id: r, denny: because, tools: [refund] }]", "exactly one of"),
    "a misspelt tool": ("rules: [{ id: r, deny: because, tools: [refnd] }]", "no tool 'refnd'"),
    "a misspelt argument": (when("argument: amont, above: 5"), "no argument 'amont'"),
    "a misspelt argument below a list": (when("argument: iban.*, is: x"), "no argument 'iban.*'"),
    "a misspelt fact of an object": (when("fact: order.statu, is: delivered"), "order.statu"),
    "a misspelt role": (when("fact: ordr.status, is: delivered"), "ordr.status"),
    "a misspelt comparison": (when("argument: amount, abve: 5"), "exactly one of"),
    "a misspelt subject": (when("arg: amount, above: 5"), "exactly one of"),
    "a misspelt kind of finding": (when("finding: { is: INJECTON }"), "INJECTON"),
    "a misspelt answer of the customer": (when("agreed: { is: confrmed }"), "confrmed"),
    "a misspelt origin": (when("origin: iban, is: untrustd"), "untrustd"),
    "a misspelt value of an argument": (when("argument: reason, is: damagd"), "damagd"),
    "a misspelt value of what was said": (when("fact: said.amount, is: noboby"), "noboby"),
    "a misspelt count of the register": (when("past: custmer.refunds.day, above: 3"), "custmer.refunds.day"),
    "a misspelt other side": (when("argument: order_id, is: { fct: order.id }"), "the other side"),
    "a misspelt fact on the other side": (when("argument: order_id, is: { fact: order.idd }"), "order.idd"),
    "a misspelt group": ("groups: { all: [refund] }\nrules: [{ id: r, deny: x, tools: al }]", "no group 'al'"),
    "a misspelt tool in it": ("groups: { all: [refnd] }\nrules: [{ id: r, deny: x, tools: all }]", "no tool 'refnd'"),
    "a misspelt type of action": ("rules: [{ id: r, deny: because, types: [mony] }]", "mony"),
    "a misspelt use case": (RULE.format(", use_cases: [shopp]"), "no use case 'shopp'"),
    "a misspelt route": ("rules: [{ id: r, hold: because, tools: [refund], route: lead }]", "route"),
    "a misspelt role of a route": ("routes: [{ id: leads, roles: [aprover] }]", "no role"),
    "who vouches misspelt": (when("fact: order.status, is: open, vouched: verifed"), "vouched"),
    # ----------------------------------------------------------------------------------------------------- types
    "text where a number is due": (when("argument: amount, above: '5'"), "not text"),
    "a number where text is due": (when("argument: reason, is: 5"), "not number"),
    "text where a truth value is due": (when("argument: express, is: 'true'"), "not text"),
    "a number where a truth value is due": (when("untrusted: { is: 1 }"), "true or false"),
    "one value where a list is due": (when("argument: reason, in: late"), "list"),
    "an empty list": (when("argument: reason, in: []"), "list"),
    "an order of text": (when("argument: reason, above: late"), "no order"),
    "a word for exists": (when("argument: iban, exists: 'yes'"), "true or false"),
    "a count that is text": (when("past: customer.refunds.day, above: three"), "whole number"),
    "a fact of another type": (when("fact: order.status, is: 5"), "not number"),
    "a truth fact compared with text": (when("fact: buyer.vip, is: 'true'"), "not text"),
    "an amount in major units against one in minor ones": (
        when("argument: amount, above: { fact: order.total }"), "compare `amount`"),
    "an amount against a count": (
        when("amount: { above: { past: customer.refund.day }, currency: EUR }"), "another unit"),
    "a change to a value of another type": (CHANGE.format("express: 'yes'"), "not text"),
    "a change to what is no choice": (CHANGE.format("reason: whim"), "no value of reason"),
    "a change of the amount that was counted": (CHANGE.format("amount: 5"), "cannot be changed"),
    "a change of a misspelt argument": (CHANGE.format("expres: false"), "no argument 'expres'"),
    "two sides of different types": (when("argument: express, is: { argument: amount }"), "cannot be compared"),
    "a set that is no set": (when("argument: reason, in: { argument: amount }"), "cannot be compared"),
    "a minute after midnight": (when("minute: { above: 1440 }"), "between"),
    "a weekday too many": (when("weekday: { is: 7 }"), "between"),
    "a condition that is text": (RULE.format(", when: [amount]"), "mapping"),
    "a rule that is text": ("rules: [deny]", "mapping"),
    "a reason that is no text": ("rules: [{ id: r, deny: true, tools: [refund] }]", "reason"),
    "an empty reason": ("rules: [{ id: r, deny: ' ', tools: [refund] }]", "reason"),
    "nothing to compare with": (when("argument: amount, is: null"), "nothing to compare"),
    # ------------------------------------------------------------------------------------------ unit and currency
    "an amount in decimal units": (when("amount: { above: 50.5, currency: EUR }"), "minor units"),
    "an amount as text": (when("amount: { above: '50', currency: EUR }"), "number"),
    "an amount without currency": (when("amount: { above: 5000 }"), "currency"),
    "an amount in no currency": (when("amount: { above: 5000, currency: EURO }"), "ISO 4217"),
    "an amount in another currency": (when("amount: { above: 5000, currency: USD }"), "moves EUR"),
    "an amount of a tool that moves none": (
        "rules: [{ id: r, deny: because, tools: [change_address], when: [{ amount: { above: 5, currency: EUR } }] }]",
        "does not say where its amount stands",
    ),
    "a currency beside no amount": (when("argument: amount, above: 5, currency: EUR"), "belongs to `amount`"),
    "a price of the record in decimal units": (when("fact: order.total, above: 50.5"), "minor units"),
    "a limit in another currency": (
        "limits: [{ id: l, at_most: 10, per: customer, within: day, currency: USD, tools: [refund] }]", "moves EUR",
    ),
    "a limit in no currency": (
        "limits: [{ id: l, at_most: 10, per: customer, within: day, currency: EU, tools: [refund] }]", "ISO 4217",
    ),
    "a limit of decimal units": (
        "limits: [{ id: l, at_most: 10.5, per: customer, within: day, tools: [refund] }]", "int",
    ),
    "a negative limit": ("limits: [{ id: l, at_most: -1, per: customer, within: day, tools: [refund] }]", "from 0"),
    # ----------------------------------------------------------------------------------------------------- scope
    "tools and types that exclude each other": (
        "rules: [{ id: r, deny: because, tools: [refund], types: [contact] }]", "nothing in common",
    ),
    "a finding's absence as a condition": (when("finding: { is-not: CARD }"), "unless"),
    "the origin of what is not traced": (when("origin: reason, is: untrusted"), "does not trace"),
    "ownership of what names no object": (when("own: iban, is: false"), "names no object"),
    "a change of what does not exist": (
        "rules: [{ id: r, change: cap it, tools: [refund], to: { amont: 5 } }]", "no argument 'amont'",
    ),
    "a change of whose order it is": (
        "rules: [{ id: r, change: another, tools: [refund], to: { order_id: x } }]", "cannot be changed",
    ),
    "a change without a value": ("rules: [{ id: r, change: cap it, tools: [refund] }]", "needs `to`"),
    "a route of a denial": (
        "rules: [{ id: r, deny: because, tools: [refund], route: leads }]\nroutes: [{ id: leads, roles: [approver] }]",
        "belongs to `hold`",
    ),
    "a count by an object where there is none": (
        "limits: [{ id: l, at_most: 1, per: object, within: ever, tools: [change_address] }]", "no object",
    ),
    "a limit that allows when it is over": (
        "limits: [{ id: l, at_most: 1, per: customer, within: day, over: allow, tools: [refund] }]", "hold or deny",
    ),
    # --------------------------------------------------------------------------- unreachable and contradicting
    "an empty interval": (
        RULE.format(", when: [{ argument: amount, above: 100 }, { argument: amount, below: 50 }]"), "never match",
    ),
    "an interval that touches without meeting": (
        RULE.format(", when: [{ argument: amount, above: 100 }, { argument: amount, at-most: 100 }]"), "never match",
    ),
    "beyond what the schema admits": (when("argument: amount, above: 5000"), "never match"),
    "two values at once": (
        RULE.format(", when: [{ argument: reason, is: late }, { argument: reason, is: damaged }]"), "never match",
    ),
    "a value and not that value": (
        RULE.format(", when: [{ fact: order.status, is: open }, { fact: order.status, is-not: open }]"), "never match",
    ),
    "there and missing": (
        RULE.format(", when: [{ argument: iban, exists: false }, { argument: iban, is: X }]"), "never match",
    ),
    "every item at most and one above": (
        RULE.format(", when: [{ fact: order.items, in: [a] }, { fact: order.items, not-in: [a, b] }]"), "never match",
    ),
    "equal to the other side and not": (
        RULE.format(
            ", when: [{ argument: order_id, is: { fact: customer.id } },"
            " { argument: order_id, is-not: { fact: customer.id } }]"
        ),
        "never match",
    ),
    "an exception as wide as the rule": (
        RULE.format(
            ", when: [{ argument: amount, above: 100 }], unless: [{ argument: amount, at-least: 50 }]"
        ),
        "never match",
    ),
    "all values of an enumeration taken away": (
        RULE.format(", when: [{ argument: reason, not-in: [damaged, late, unwanted] }]"), "never match",
    ),
    # ------------------------------------------------------------------------------------------------ precedence
    "an allowance that a denial covers": (
        ("rules:\n"
        "  - { id: a, allow: small, tools: [refund], when: [{ argument: amount, below: 10 }] }\n"
        "  - { id: b, deny: none, tools: [refund], when: [{ argument: amount, below: 50 }] }"),
        "never matters",
    ),
    "an allowance that a hold covers": (
        ("rules:\n"
        "  - { id: a, allow: small, tools: [refund], when: [{ argument: amount, below: 10 }] }\n"
        "  - { id: b, hold: all, types: [money] }"),
        "never matters",
    ),
    "a hold that a denial covers": (
        ("rules:\n"
        "  - { id: a, hold: late, tools: [refund], when: [{ argument: reason, is: late }] }\n"
        "  - { id: b, deny: never, tools: [refund] }"),
        "never matters",
    ),
    "the same rule twice": (
        ("rules:\n"
        "  - { id: a, deny: late, tools: [refund], when: [{ argument: reason, is: late }] }\n"
        "  - { id: b, deny: late, tools: [refund], when: [{ argument: reason, is: late }] }"),
        "never matters",
    ),
    "an id twice": (
        "rules: [{ id: r, deny: a, tools: [refund] }, { id: r, deny: b, tools: [send_note] }]", "used twice",
    ),
    "two verdicts in one rule": ("rules: [{ id: r, deny: a, allow: b, tools: [refund] }]", "exactly one of"),
    "a limit that a longer one makes pointless": (
        ("limits:\n"
        "  - { id: a, at_most: 500, per: customer, within: day, currency: EUR, tools: [refund] }\n"
        "  - { id: b, at_most: 100, per: customer, within: month, currency: EUR, tools: [refund] }"),
        "never binds",
    ),
    # ---------------------------------------------------------------------------------------------------- quorum
    "a route that asks nobody": ("routes: [{ id: leads, roles: [] }]", "nobody"),
    "more people than have the role": ("routes: [{ id: two, roles: [compliance], persons: 2 }]", "nobody could settle"),
    "only the owner has the role": ("routes: [{ id: own, roles: [owner] }]", "nobody could settle"),
    "three persons": ("routes: [{ id: three, roles: [approver], persons: 3 }]", "1 or 2"),
    "an amount that nobody on the route may decide": (
        ("rules: [{ id: r, hold: big, tools: [refund], route: small,"
        " when: [{ amount: { above: 10000, currency: EUR } }] }]\n"
        "routes: [{ id: small, roles: [approver], up_to: 5000, currency: EUR }]"),
        "nobody on the route",
    ),
    "a band in another currency": (
        ("rules: [{ id: r, hold: big, tools: [refund], route: small,"
        " when: [{ amount: { above: 100, currency: EUR } }] }]\n"
        "routes: [{ id: small, roles: [approver], up_to: 5000, currency: USD }]"),
        "decides in USD",
    ),
    "a step after the end": (
        "routes: [{ id: leads, roles: [approver], decide_within_s: 60, steps: [{ after_s: 90, roles: [admin] }] }]",
        "steps",
    ),
    "a default that is neither": ("routes: [{ id: leads, roles: [approver], otherwise: allow }]", "otherwise"),
    "a shift that ends before it starts": (
        "routes: [{ id: leads, roles: [approver], shifts: [{ weekdays: [0], start: 900, end: 600 }] }]", "shift",
    ),
    # ------------------------------------------------------------------------------------------------------- CEL
    "CEL where none is installed": (RULE.format(", cel: 'amount > 5'"), "no CEL"),
    "a CEL rule without a test": (RULE.format(", cel: 'amount > 5'"), "needs a case"),
    "a CEL rule that is too long": (RULE.format(f", cel: '{'1 == 1 && ' * 300}true'"), "longer"),
    # ---------------------------------------------------------------------------------------------------- doubts
    "a doubt that weighs nothing": ("rules: [{ id: r, doubt: odd, weight: -1, tools: [refund] }]", "weight"),
    "doubts that never hold": ("doubts_hold_at: 0", "from 1"),
    "doubts counted in words": ("doubts_hold_at: two", "from 1"),
}  # fmt: skip

GROUND = Ground(
    tools={SHOP: shop()[1]},
    digits=DIGITS,
    holders={"approver": frozenset({"ana", "ben"}), "compliance": frozenset({"cy"}), "owner": frozenset({"olga"})},
    barred={SHOP: frozenset({"olga"})},
)


def mistakes(text: str) -> list[str]:
    try:
        return [mistake.what for mistake in check_rules(rules_of(*parsed(text), shop()[1]), GROUND)]
    except WrittenError as error:
        return [error.what]


@pytest.mark.promise("ACD-6")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_policy_is_refused_at_load_with_what_is_wrong(name: str) -> None:
    text, said = WRONG[name]
    told = mistakes(text)
    assert any(said in what for what in told), told


@pytest.mark.promise("ACD-6")
def test_the_table_of_wrong_policies_is_long_enough() -> None:
    assert len(WRONG) + len(AT_RUN_TIME) + len(WRONG_TOOLS) >= 60


def test_a_right_policy_has_no_mistake() -> None:
    assert mistakes(RULES) == []
    assert check_tools(shop()[1], {}) == []


def test_a_mistake_names_its_line() -> None:
    text = "rules:\n  - id: a\n    deny: because\n    tools: [refund]\n    when:\n      - { argument: amont, is: 5 }\n"
    tree, source = parsed(text)
    (mistake,) = check_rules(rules_of(tree, source, shop()[1]), GROUND)
    assert mistake.place == "shop.yaml: rules.a"
    assert lines_of(tree, source)[mistake.place] == "line 2"


ASKED = ActionInput(
    use_case=SHOP,
    tool=ToolId("shop.refund"),
    arguments={"order_id": "A1", "amount": 20},
    linked=True,
    session=True,
    amount_minor=2000,
    currency="EUR",
    own=("order_id",),
    agreed=Agreed.CONFIRMED,
    facts=(Fact("order.status", 5, Vouched.VERIFIED), Fact("order.items", [1, 2], Vouched.VERIFIED)),
    past=(Past("customer.refunds.day", 1),),
)

AT_RUN_TIME = {
    "a fact of another type than the rule expects": "fact: order.status, is: delivered",
    "a list of another type than the rule expects": "fact: order.items, in: [a, b]",
    "an order of text and number": "fact: order.status, above: '5'",
    "an amount in another currency than the rule's": "amount: { above: 1, currency: USD }",
    "a list where one value is due": "fact: order.items, above: 'a'",
}


def forced(text: str) -> ActionRules:
    return rules_of(*parsed(text), shop()[1])


@pytest.mark.promise("ACD-6")
@pytest.mark.parametrize("name", AT_RUN_TIME)
def test_what_no_check_at_load_can_see_holds_at_run_time(name: str) -> None:
    text = when(AT_RUN_TIME[name]) + "\n" + RULES[RULES.index("limits") :]
    decision = decide_action(ASKED, prepared(text))
    assert decision.verdict is Verdict.HOLD
    assert any(reason.code == "rule.error" for reason in decision.reasons)


WRONG_TOOLS = {
    "a role of a kind that no read shows": ("order: { kind: order,", "order: { kind: ordr,", "ordr"),
    "a role by an argument that is not there": (
        "argument: order_id, among",
        "argument: order, among",
        "argument 'order'",
    ),
    "candidates in a fact that is not there": ("among: buyer.orders", "among: buyer.order", "buyer.order"),
    "an object that is not there": ("{ order_id: order }", "{ order: order }", "argument 'order'"),
    "a traced value that is not there": ("[order_id, amount, iban]", "[order_id, amount, ibn]", "ibn"),
}


@pytest.mark.promise("ACD-6")
@pytest.mark.parametrize("name", WRONG_TOOLS)
def test_a_wrong_registration_is_refused_at_load(name: str) -> None:
    right, wrong, said = WRONG_TOOLS[name]
    assert right in TOOLS
    _, tools = tools_of(*parsed(TOOLS.replace(right, wrong)))
    assert any(said in mistake.what for mistake in check_tools(tools, {}))
