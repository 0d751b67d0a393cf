# ruff: noqa: E501  a table reads best with one row on a line
"""Every kind of mistake in tools and rules: refused at load, at its place, with what would mend it.

Each row changes the starter's tools and rules, switched on. `¤` stands where the mistake is expected (it is taken out
before reading). Nothing of a home with one of these can be published.
"""

from typing import NamedTuple

import pytest
from fakes.home import ENGINES
from fakes.shop_home import CASES, RULES, SHOP, TOOLS, UC, shop_home

from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.mistake import Mistake
from handrail.home.problem import HomeInvalid

MARK = "¤"


class Row(NamedTuple):
    """`old` is replaced by `new` in `file` (old empty: `new` is put at the end)."""

    code: str
    file: str
    old: str
    new: str
    says: str


LAST = "  - id: large\n"
"""Before the last rule."""


def rule(body: str) -> tuple[str, str]:
    """One more rule on refunds, before the last one."""
    return LAST, f"  - id: extra\n    {body}\n    tools: [refund_order]\n{LAST}"


def when(condition: str) -> tuple[str, str]:
    """One more rule on refunds with this condition."""
    return LAST, f"  - id: extra\n    deny: because\n    tools: [refund_order]\n    when: [{condition}]\n{LAST}"


ROWS = [
    # --- tools: form
    Row("field.unknown", TOOLS, "    title: Refund", "    ¤titel: Refund", '"titel" does not exist in tools.refund_order; did you mean "title"?'),
    Row("field.unknown", TOOLS, "  trusted: true", "  ¤trustd: true", 'did you mean "trusted"?'),
    Row("field.missing", TOOLS, "  kind: http                    # or mcp (streamable HTTP), mcp-stdio\n", "", '"kind" is missing in upstream'),
    Row("value.choice", TOOLS, "  kind: http ", "  kind: ¤htpp ", 'did you mean "http"?'),
    Row("value.choice", TOOLS, "    type: money", "    type: ¤mony", 'did you mean "money"?'),
    Row("value.form", TOOLS, "  refund_order:", "  ¤refund.order:", "without a dot"),
    Row("value.type", TOOLS, "business_key: [order_id, amount]", "business_key: ¤order_id", "expected a list"),
    Row("value.form", TOOLS, "method: POST", "method: ¤post", "in capitals"),
    Row("value.form", TOOLS, 'path: "/orders/{order_id}/refunds"', "path: ¤orders", "a path that begins with /"),
    Row("secret.inline", TOOLS, "env: SHOP_API_KEY", "env: SHOP_API_KEY, ¤token: abc", "secrets never stand in the home"),
    Row("value.type", TOOLS, "    title: Refund", "    permits: ¤always\n    title: Refund", '"permits" cannot be "always"; expected true or false'),
    Row("field.unknown", TOOLS, "    title: Refund", "    ¤permit: true\n    title: Refund", 'did you mean "permits"?'),
    Row("value.range", TOOLS, "    title: Refund", "    report_within_s: ¤3601\n    title: Refund", "a whole number from 1 to 3600"),
    Row("tool.permits", TOOLS, "    title: Refund", "    report_within_s: ¤30\n    title: Refund", "permits: true, or this deleted"),
    Row("yaml.alias", TOOLS, "required: [order_id, amount]", "required: ¤&r [order_id, amount]\n      minProperties: *r", "aliases"),
    # --- tools: targets
    Row("upstream.address", TOOLS, "https://shop.example.com/api", "¤shop.example.com", "base_url is not an address"),
    Row("upstream.address", TOOLS, "https://shop.example.com/api", "¤http://shop.example.com", "in clear; expected https://"),
    Row("upstream.address", TOOLS, "https://shop.example.com/api", "¤https://10.1.2.3/api", "expected private_network: true"),
    Row("upstream.address", TOOLS, "https://shop.example.com/api", "¤http://169.254.169.254/latest", "is never called"),
    Row("upstream.credential", TOOLS, "{env: SHOP_API_KEY}", "¤{env: SHOP_API_KEY, file: key}", "expected env: NAME_OF_THE_VARIABLE, or file: PATH"),
    Row("upstream.ca_file", TOOLS, "  trusted: true", "  ca_file: ¤ca.pem\n  trusted: true", 'there is no file "ca.pem"'),
    # --- tools: schemas
    Row("schema.keyword", TOOLS, "      required: [order_id, amount]", "      ¤requird: [order_id, amount]", 'did you mean "required"?'),
    Row("schema.wrong", TOOLS, "amount: {type: number,", "amount: {type: ¤numbr,", 'did you mean "number"?'),
    Row("schema.wrong", TOOLS, "required: [order_id, amount]", "required: [order_id, ¤amout]", 'did you mean "amount"?'),
    Row("schema.wrong", TOOLS, "minimum: 0.01, maximum: 5000", "minimum: ¤6000, maximum: 5000", "no value is at least"),
    Row("schema.wrong", TOOLS, "email: {type: string}", "email: {type: string, pattern: ¤'(?=a)b'}", "without look-around"),
    Row("schema.wrong", TOOLS, "email: {type: string}", "email: ¤text", "this is not a schema"),
    Row("schema.wrong", TOOLS, "email: {type: string}", "email: {$ref: ¤'#/$defs/mail'}", "a reference inside this schema"),
    Row("schema.wrong", TOOLS, "reason: {type: string, enum: [damaged, late, unwanted]}", "reason: {type: string, enum: ¤[]}", "a list that is not empty"),
    # --- tools: money, unit, currency
    Row("tool.currency", TOOLS, "unit: major, currency: EUR}\n    business", "unit: major, currency: ¤EURO}\n    business", 'the currency "EURO" is unknown; expected an ISO 4217 code, such as EUR; did you mean "EUR"?'),
    Row("tool.currency", TOOLS, "unit: major, currency: EUR}\n    business", "unit: major, currency: ¤eur}\n    business", 'did you mean "EUR"?'),
    Row("tool.currency", TOOLS, "money: {amount: amount, unit: major, currency: EUR}", "money: ¤{amount: amount, unit: major}", "expected currency: CODE, or currency_at: PATH"),
    Row("tool.currency", TOOLS, "money: {amount: amount, unit: major, currency: EUR}", "money: ¤{amount: amount, unit: major, currency: EUR, currency_at: reason}", "the amount has one currency"),
    Row("tool.argument", TOOLS, "money: {amount: amount,", "money: {amount: ¤amont,", 'no argument "amont"; did you mean "amount"?'),
    Row("tool.money", TOOLS, "amount: {type: number, minimum: 0.01, maximum: 5000}", "amount: {type: boolean}", 'the argument "amount" is no integer or number or string'),
    Row("tool.unit", TOOLS, "money: {amount: amount, unit: major,", "money: {amount: amount, unit: ¤minor,", "have decimal places, and minor units have none"),
    Row("tool.unit", TOOLS, "total: {at: total, unit: major, currency: EUR}", "total: ¤{at: total, unit: major}", 'the amount "total" needs its unit and its currency'),
    Row("tool.currency", TOOLS, "total: {at: total, unit: major, currency: EUR}", "total: {at: total, unit: major, currency: ¤EUX}", "ISO 4217"),
    # --- tools: undo, outcome, keys, paths
    Row("tool.undo", TOOLS, "    business_key", "    reversibility: ¤window\n    undo_within_s: 60\n    business_key", "it is window, and no call takes it back"),
    Row("tool.call", TOOLS, "    business_key", "    reversibility: free\n    undo: {tool: ¤cancel_refund, arguments: {}}\n    business_key", 'there is no tool "cancel_refund"'),
    Row("tool.call", TOOLS, "{tool: get_refund,", "{tool: ¤get_refnd,", 'did you mean "get_refund"?'),
    Row("tool.call", TOOLS, "arguments: {key: $key}}", "arguments: {¤ky: $key, key: $key}}", 'no argument "ky"; did you mean "key"?'),
    Row("tool.call", TOOLS, "arguments: {key: $key}}", "arguments: ¤{}}", 'needs the argument "key"'),
    Row("tool.reference", TOOLS, "{key: $key}}", "{key: ¤$keys}}", 'did you mean "$key"?'),
    Row("tool.argument", TOOLS, "{key: $key}}", "{key: ¤$arguments.ordr_id}}", "has no argument"),
    Row("tool.undo", TOOLS, "    business_key", "    undo: ¤{tool: get_refund, arguments: {key: $key}}\n    business_key", "it cannot be taken back, and has an undo"),
    Row("tool.undo", TOOLS, "    business_key", "    undo_within_s: ¤60\n    business_key", "a window and its length belong together"),
    Row("tool.call", TOOLS, "call: {tool: get_refund, arguments: {key: $key}}", "call: {tool: ¤refund_order, arguments: {order_id: a, amount: 1}}", "is no read, and outcome only asks"),
    Row("tool.key", TOOLS, "{place: header, name: idempotency-key}", "{place: ¤meta, name: key}", "expected header or argument"),
    Row("tool.key", TOOLS, "{place: header, name: idempotency-key}", "{place: argument, name: ¤reason}", "the agent could send"),
    Row("tool.argument", TOOLS, '"/orders/{order_id}/refunds"', '¤"/orders/{id}/refunds"', 'has no argument "id"'),
    Row("tool.http", TOOLS, '"/orders/{order_id}/refunds"', '¤"/orders/{reason}/refunds"', "which may be left out"),
    Row("tool.wrong", TOOLS, "business_key: [order_id, amount]", "business_key: [order_id, ¤amont]", 'did you mean "amount"?'),
    Row("tool.wrong", TOOLS, "objects: {order_id: order}", "objects: {¤ordr_id: order}", 'did you mean "order_id"?'),
    Row("tool.wrong", TOOLS, "names: {order: {kind: order,", "names: {order: {kind: ¤ordr,", "no response shows"),
    Row("tool.wrong", TOOLS, "shows: [order]", "shows: [¤ordr]", "`objects` holds no 'ordr'"),
    Row("language.unknown", TOOLS, "asks: {en: [refund, money back],", "asks: {¤english: [refund],", "expected an ISO 639-1 code"),
    Row("tool.manifest", TOOLS, "    title: Refund an order", f"    title: Refund an order\n    manifest: ¤{'a' * 64}", "only an MCP server announces tools"),
    # --- use cases
    Row("tool.unknown", UC, "refund_order]", "¤refund_ordr]", 'there is no tool "refund_ordr"; did you mean "refund_order"?'),
    Row("tool.level", UC, "  money: {risk: R3, autonomy: A3}\n  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}\nmodel:\n  route: [openai/gpt-4.1]\nmode: enforce\ntools: [get_customer, get_order, refund", "  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}\nmodel:\n  route: [openai/gpt-4.1]\nmode: enforce\ntools: [get_customer, get_order, ¤refund", "no level for it, so every call would be refused"),
    # --- rules: form
    Row("field.unknown", RULES, "    tools: [refund_order]\n    when: [{fact: order.status, exists: false}]", "    ¤tols: [refund_order]\n    when: [{fact: order.status, exists: false}]", 'did you mean "tools"?'),
    Row("field.unknown", RULES, "is-not: delivered", "¤is_not: delivered", 'did you mean "is-not"?'),
    Row("field.unknown", RULES, "rules:\n", "¤rule: []\nrules:\n", 'did you mean "rules"?'),
    Row("value.form", RULES, "id: large", "id: ¤Large", "lower-case letters"),
    Row("value.choice", RULES, "roles: [approver]", "roles: [¤aprover]", 'did you mean "approver"?'),
    Row("value.few", RULES, "roles: [approver]", "roles: ¤[]", '"roles" needs at least 1'),
    Row("value.choice", RULES, "within: day", "within: ¤dy", 'did you mean "day"?'),
    Row("value.choice", RULES, "over: hold, tools: [refund_order]}\n  - {id: once", "over: ¤allow, tools: [refund_order]}\n  - {id: once", "one of hold, deny"),
    Row("value.type", RULES, "at_most: 10000", "at_most: ¤100.5", "whole minor units or calls"),
    Row("value.range", RULES, "at_most: 10000", "at_most: ¤-1", "from 0"),
    Row("value.type", RULES, "{fact: order.status, exists: false}", "{fact: order.status, exists: ¤maybe}", "true or false"),
    Row("value.range", RULES, "decide_within_s: 3600", "persons: ¤3\n    decide_within_s: 3600", "from 1 to 2"),
    Row("value.choice", RULES, "otherwise: handover", "otherwise: ¤allow", "one of deny, handover"),
    Row("rule.wrong", RULES, "    deny: only a delivered", "    hold: because\n    deny: only a delivered", "exactly one of allow, change, hold, deny, doubt"),
    Row("rule.wrong", RULES, *when("{¤argument: amount, fact: order.status, is: 5}"), "exactly one of"),
    Row("rule.wrong", RULES, *when("¤{argument: amount}"), "compares with exactly one of"),
    Row("rule.wrong", RULES, *when("{argument: order_id, ¤is: {fct: order.id}}"), "the other side is"),
    # --- rules: names
    Row("rule.wrong", RULES, "tools: [refund_order]\n    when: [{amount", "tools: [¤refund_ordr]\n    when: [{amount", "there is no tool 'refund_ordr'; did you mean \"refund_order\"?"),
    Row("rule.wrong", RULES, *when("{argument: ¤amont, above: 5}"), 'no argument \'amont\'; did you mean "amount"?'),
    Row("rule.wrong", RULES, *when("{fact: ¤order.statu, is: delivered}"), 'did you mean "order.status"?'),
    Row("rule.wrong", RULES, *when("{fact: ¤ordr.status, is: delivered}"), 'did you mean "order.status"?'),
    Row("rule.wrong", RULES, *when("{past: ¤custmer.refunds.day, above: 3}"), "no count of the register"),
    Row("rule.past", RULES, *when("{past: ¤customer.refunds.day, above: 3}"), 'nothing is counted as "refunds"; expected the name of a tool'),
    Row("rule.past", RULES, *when("{past: ¤object.refund_ordr, above: 0}"), 'did you mean "refund_order"?'),
    Row("rule.wrong", RULES, *when("{finding: {is: ¤INJECTON}}"), "INJECTON"),
    Row("rule.wrong", RULES, *when("{agreed: {is: ¤confrmed}}"), "is none of"),
    Row("rule.wrong", RULES, *when("{origin: ¤reason, is: untrusted}"), "does not trace"),
    Row("rule.wrong", RULES, *when("{argument: reason, is: ¤damagd}"), "no value of reason"),
    Row("rule.wrong", RULES, "    route: leads", "    route: ¤lead", "there is no route 'lead'; did you mean \"leads\"?"),
    Row("tool.unknown", RULES, "rules:\n", "groups: {refunds: [¤refund]}\nrules:\n", 'there is no tool "refund"'),
    Row("rule.wrong", RULES, "tools: [refund_order]\n    when: [{amount", "tools: ¤refunds\n    when: [{amount", "there is no group 'refunds' of tools"),
    Row("rule.wrong", RULES, "    route: leads", "    use_cases: [¤chatt]\n    route: leads", "no use case 'chatt' with tools; did you mean \"chat\"?"),
    # --- rules: types, units, currencies
    Row("rule.wrong", RULES, *when("{argument: ¤amount, above: '5'}"), "not text"),
    Row("rule.wrong", RULES, *when("{argument: ¤reason, is: 5}"), "not number"),
    Row("rule.wrong", RULES, *when("{argument: reason, ¤above: late}"), "has no order"),
    Row("rule.wrong", RULES, *when("{fact: ¤order.status, is: 5}"), "not number"),
    Row("rule.wrong", RULES, *when("{fact: ¤order.total, above: 50.5}"), "whole number, in minor units"),
    Row("rule.wrong", RULES, *when("{¤amount: {above: 50.5, currency: EUR}}"), "in minor units"),
    Row("rule.wrong", RULES, *when("{¤amount: {above: 5000}}"), "an ISO 4217 code"),
    Row("rule.wrong", RULES, "above: 5000, currency: EUR", "above: 5000, currency: USD", "moves EUR, not USD"),
    Row("rule.wrong", RULES, *when("{argument: ¤amount, above: 5, currency: EUR}"), "belongs to `amount`"),
    Row("rule.wrong", RULES, *when("{¤minute: {above: 1440}}"), "between"),
    Row("limit.wrong", RULES, "at_most: 10000, currency: EUR", "at_most: 10000, currency: USD", "moves EUR, not USD"),
    Row("limit.reach", RULES, "at_most: 10000, currency: EUR", "at_most: ¤0, currency: EUR", "no call can stay below it: the schema begins at 1"),
    Row("limit.wrong", RULES, "per: customer, within: day, over: hold, tools: [refund_order]", "per: object, within: day, over: hold, tools: [get_customer]", "does not say where its amount stands"),
    # --- rules: scope, reach, contradiction, precedence
    Row("rule.wrong", RULES, *rule("types: [contact]\n    deny: because"), "nothing in common"),
    Row("rule.wrong", RULES, *when("{argument: amount, ¤above: 6000}"), "it can never match"),
    Row("rule.wrong", RULES, *when("{argument: amount, above: 100}, {argument: amount, ¤below: 50}"), "it can never match"),
    Row("rule.wrong", RULES, *when("{fact: order.status, is: open}, {fact: order.status, ¤is-not: open}"), "it can never match"),
    Row("rule.wrong", RULES, *when("{argument: reason, ¤is: late}, {argument: reason, is: damaged}"), "it can never match"),
    Row("rule.wrong", RULES, LAST, f"  - id: every\n    deny: never\n    tools: [refund_order]\n{LAST}", "it never matters: 'every' decides wherever it matches"),
    Row("rule.wrong", RULES, "  - id: only-delivered", "  - id: order-read-first", "used twice"),
    Row("rule.wrong", RULES, *rule("change: cap it"), "`change` needs `to`"),
    Row("rule.wrong", RULES, *rule("change: another order\n    to: {¤order_id: x}"), "cannot be changed by a rule"),
    Row("rule.wrong", RULES, *rule("deny: because\n    ¤route: leads"), "`route` belongs to `hold`"),
    Row("rule.wrong", RULES, "    roles: [approver]", "    roles: [approver]\n    up_to: 4000\n    currency: EUR", "nobody on the route"),
    Row("rule.route", RULES, "    roles: [approver]", "    roles: [approver]\n    use_cases: [other]", "does not serve the use case"),
    Row("rule.wrong", RULES, *rule("deny: because\n    ¤cel: amount > 5000"), "this installation evaluates no CEL"),
    Row("route.wrong", RULES, "    decide_within_s: 3600", "    steps: [{after_s: 7200, roles: [compliance]}]\n    decide_within_s: 3600", "come before `decide_within_s` ends"),
    Row("route.wrong", RULES, "    decide_within_s: 3600", "    shifts: [{weekdays: [0], start: 600, end: 540}]\n    decide_within_s: 3600", "start before end"),
    # --- cases
    Row("case.wrong", CASES, "    expect: hold", "    expect: ¤allow", "allow was expected and hold came out"),
    Row("case.wrong", CASES, "    expect: deny\n    rules: [only-delivered]", "    expect: ¤deny\n    rules: [only-deliverd]", "no such rule: only-deliverd"),
    Row("case.wrong", CASES, "    expect: deny\n    rules: [only-delivered]", "    expect: ¤deny\n    rules: [large]", "did not match: large"),
    Row("value.choice", CASES, "    expect: hold", "    expect: ¤hld", 'did you mean "hold"?'),
    Row("field.unknown", CASES, "    arguments: {order_id: A1, amount: 80}", "    ¤argument: {order_id: A1, amount: 80}", 'did you mean "arguments"?'),
]  # fmt: skip


def mistakes(row: Row) -> tuple[list[Mistake], tuple[int, int] | None]:
    text = SHOP[row.file]
    assert row.old in text, f"the starter has no {row.old!r}"
    text = text.replace(row.old, row.new, 1) if row.old else text + row.new
    wanted = None
    if MARK in text:
        before = text[: text.index(MARK)]
        wanted = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    with pytest.raises(HomeInvalid) as caught:
        compile_home(shop_home({row.file: text.replace(MARK, "")}), ENGINES)
    return list(caught.value.mistakes), wanted


@pytest.mark.promise("HAC-1")
@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{number}" for number, row in enumerate(ROWS)])
def test_a_wrong_policy_is_refused_at_its_place(row: Row) -> None:
    found, wanted = mistakes(row)
    told = [one for one in found if one.code == row.code and row.says in str(one) and one.file == row.file]
    assert told, [str(one) for one in found]
    if wanted is not None:
        assert wanted in {(one.line, one.column) for one in told}, [str(one) for one in told]


def test_the_table_has_more_than_sixty_wrong_policies() -> None:
    assert len({(row.file, row.new) for row in ROWS}) >= 100


def test_a_right_policy_has_no_mistake() -> None:
    assert check(shop_home(), ENGINES) == []
    assert compile_home(shop_home(), ENGINES).ruleset.actions.rules


def test_a_shift_in_a_time_zone_that_is_none_is_a_mistake() -> None:
    text = SHOP[RULES] + "\n"
    shift = "    shifts: [{ weekdays: [0], start: 0, end: 600, zone: Europe/Berln }]"
    wrong = check(shop_home({RULES: text.replace("    roles: [approver]\n", f"    roles: [approver]\n{shift}\n", 1)}))
    assert [one.code for one in wrong] == ["route.zone"]
    assert "Europe/Berlin" in wrong[0].hint
