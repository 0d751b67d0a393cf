"""A small shop with tools and rules for tests of decisions on actions, and a reader of YAML with places."""

from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML

from handrail.detectors.assent import assent_reader
from handrail.policy.action_rules import ActionRules
from handrail.policy.decide_action import Prepared
from handrail.policy.replay import World
from handrail.policy.ruleset import Audience, Autonomy, Level, Mode, Risk, UseCase
from handrail.policy.written import Source, rules_of, tools_of
from handrail.terms.action import ActionType
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Tool, Upstream

SHOP = UseCaseId("shop")
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0}
READER = assent_reader()

TOOLS = """
upstream: { id: shop, kind: http, base_url: https://shop.example.com, trusted: true }
tools:
  find_customer:
    type: read
    fails_with: [Error]
    arguments:
      type: object
      additionalProperties: false
      required: [email]
      properties: { email: { type: string } }
    shows: [{ kind: customer, id: $self, owner: $self, identifies: true }]
  get_customer:
    type: read
    arguments:
      type: object
      additionalProperties: false
      required: [customer_id]
      properties: { customer_id: { type: string } }
    shows:
      - kind: customer
        id: $arguments.customer_id
        owner: $arguments.customer_id
        facts: { orders: "orders.*", level: { at: level, type: text }, vip: { at: vip, type: truth } }
  get_order:
    type: read
    arguments:
      type: object
      additionalProperties: false
      required: [order_id]
      properties: { order_id: { type: string } }
    quotes: [note]
    shows:
      - kind: order
        id: id
        owner: customer
        facts:
          status: { at: status, type: text }
          total: { at: total, unit: major, currency: EUR }
          items: items.*.sku
          note: { at: note, quoted: true }
        words: [items.*.name]
      - kind: item
        each: items.*
        id: sku
        facts: { price: { at: price, unit: major, currency: EUR } }
        label: name
        words: [colour, price]
  refund:
    type: money
    reversibility: none
    money: { amount: amount, unit: major, currency: EUR }
    arguments:
      type: object
      additionalProperties: false
      required: [order_id, amount]
      properties:
        order_id: { type: string }
        amount: { type: number, minimum: 0, maximum: 5000 }
        reason: { type: string, enum: [damaged, late, unwanted] }
        iban: { type: string }
        express: { type: boolean }
    objects: { order_id: order }
    names:
      order: { kind: order, argument: order_id, among: buyer.orders }
      buyer: { kind: customer, fact: order.owner }
    consequential_values: [order_id, amount, iban]
    asks: { en: [refund, money back], de: [erstatt] }
  change_address:
    type: access
    arguments:
      type: object
      additionalProperties: false
      required: [street]
      properties: { street: { type: string }, lines: { type: array, items: { type: string } } }
    consequential_values: [street]
  search_web:
    type: read
    outbound: true
    arguments:
      type: object
      additionalProperties: false
      required: [query]
      properties: { query: { type: string } }
    consequential_values: [query]
  send_note:
    type: contact
    outbound: true
    arguments:
      type: object
      additionalProperties: false
      required: [text]
      properties: { text: { type: string } }
"""

RULES = """
rules:
  - { id: may, allow: within the cap, tools: [refund] }
limits:
  - { id: per-action, at_most: 10000, per: action, within: day, currency: EUR, tools: [refund] }
routes:
  - { id: leads, roles: [approver] }
"""


def parsed(text: str) -> tuple[Any, Source]:
    """Values of a YAML text, and the place of a node as `line N`."""

    def where(node: Any) -> str:
        line = getattr(getattr(node, "lc", None), "line", None)
        return f"line {line + 1}" if line is not None else ""

    return YAML(typ="rt").load(text), Source("shop.yaml", where)


def shop() -> tuple[Upstream, tuple[Tool, ...]]:
    return tools_of(*parsed(TOOLS))


def rules(text: str) -> ActionRules:
    return rules_of(*parsed(text), shop()[1])


def use_case(autonomy: Autonomy = Autonomy.A3, mode: Mode = Mode.ENFORCE) -> UseCase:
    return UseCase(
        id=SHOP, name="Shop", purpose="help", owner="olga", deputy="dan", escalation="lead", channels=("chat",),
        audience=Audience.CUSTOMER, languages=("en",), regions=("EU",), data_classes=(), mode=mode, findings={},
        levels={kind: Level(risk=Risk.R2, autonomy=autonomy) for kind in ActionType},
    )  # fmt: skip


def prepared(
    text: str = RULES, autonomy: Autonomy = Autonomy.A3, mode: Mode = Mode.ENFORCE, cel: Any = None
) -> Prepared:
    return Prepared({SHOP: use_case(autonomy, mode)}, {SHOP: shop()[1]}, rules(text), cel)


def world(no_schema_errors: Sequence[str] = ()) -> World:
    upstream, tools = shop()
    return World(
        use_case=SHOP,
        tools={tool.name: tool for tool in tools},
        upstreams={upstream.id: upstream},
        digits=DIGITS,
        reader=READER,
        schema=lambda tool, arguments: tuple(no_schema_errors),
    )
