"""CPU of decisions on actions, in microseconds: `python bench/policy.py`. Best of several rounds of process_time.

A thousand rules on the same tool of which none matches; a decision that passes every step, and one that holds for many
reasons; and the whole way of a call: its conversation of 19 messages read, facts, origins and consent traced, decided,
its input encoded for the record.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from actions_home import use_case_of
from fakes.actions import RULES, SHOP, rules, shop, world

from handrail.policy.action import ActionInput, Agreed, Fact, Past, Vouched
from handrail.policy.action_rules import About, Match, Op, Rule
from handrail.policy.conditions import View
from handrail.policy.conversation import turns_of
from handrail.policy.decide_action import Prepared, decide_action, encode
from handrail.policy.replay import Asked, given_of
from handrail.policy.rule_index import Ready, RuleIndex
from handrail.policy.ruleset import Autonomy
from handrail.policy.wording import Readings
from handrail.terms.action import ToolId
from handrail.terms.decision import Verdict

REFUND = ToolId("shop.refund")
RIGHT = ActionInput(
    use_case=SHOP,
    tool=REFUND,
    arguments={"order_id": "A1", "amount": 20, "reason": "late"},
    linked=True,
    session=True,
    amount_minor=2_000,
    currency="EUR",
    own=("order_id",),
    agreed=Agreed.CONFIRMED,
    facts=(Fact("order.total", 6_000, Vouched.VERIFIED), Fact("order.status", "delivered", Vouched.VERIFIED)),
    past=(Past("customer.refunds.day", 1),),
)


def best(run: Callable[[], Any], rounds: int = 9, calls: int = 2_000) -> float:
    """Microseconds of CPU for one call."""
    figures = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            run()
        figures.append((time.process_time() - start) / calls)
    return min(figures) * 1e6


def thousand(kind: str) -> tuple[Rule, ...]:
    """Rules that concern the refund, none of which matches."""
    match: Callable[[int], Match] = {
        "by value": lambda n: Match(about=About.ARGUMENT, name="order_id", op=Op.IS, value=f"B{n}"),
        "by fact": lambda n: Match(about=About.FACT, name="order.status", op=Op.IS, value=f"status {n}"),
        "by amount": lambda n: Match(about=About.AMOUNT, op=Op.ABOVE, value=10_000 + n, currency="EUR"),
        "by count": lambda n: Match(about=About.PAST, name="customer.refunds.day", op=Op.AT_LEAST, value=2 + n),
    }[kind]
    return tuple(Rule(id=f"r{n}", then=Verdict.DENY, why="x", tools=(REFUND,), when=(match(n),)) for n in range(1_000))


def prepared(more: tuple[Rule, ...] = ()) -> Prepared:
    base = rules(RULES)
    case = use_case_of(SHOP, Autonomy.A3)
    return Prepared({SHOP: case}, {SHOP: shop()[1]}, msgspec.structs.replace(base, rules=(*base.rules, *more)))


def main() -> None:
    for kind in ("by value", "by fact", "by amount", "by count"):
        index = RuleIndex([Ready(order, rule) for order, rule in enumerate(thousand(kind))])
        print(f"1,000 rules without a match, {kind:10} {best(lambda index=index: index.possible(View(RIGHT))):6.2f} us")
    elsewhere = tuple(msgspec.structs.replace(rule, tools=(ToolId("shop.send_note"),)) for rule in thousand("by value"))
    none, many = prepared(), prepared(thousand("by value"))
    print(f"a decision that allows            {best(lambda: decide_action(RIGHT, none)):6.2f} us")
    print(f"  with 1,000 rules on the tool    {best(lambda: decide_action(RIGHT, many)):6.2f} us")
    other = prepared(elsewhere)
    print(f"  with 1,000 rules on another     {best(lambda: decide_action(RIGHT, other)):6.2f} us")
    wrong = msgspec.structs.replace(RIGHT, own=(), linked=False, untrusted=True, agreed=Agreed.NOTHING)
    print(f"a decision that holds             {best(lambda: decide_action(wrong, none)):6.2f} us")
    print(f"its input encoded                 {best(lambda: encode(RIGHT)):6.2f} us")
    the_whole_way()


def the_whole_way() -> None:
    """A refund after 20 messages, from the recorded messages to the encoded input."""
    here, ready = world(), prepared()
    messages = conversation()
    turns = turns_of(messages, here.tools)
    asked = Asked(tool="refund", arguments={"order_id": "A1001", "amount": 45.5})
    given = given_of(asked, turns, here)
    print(
        f"{len(messages)} messages to turns              {best(lambda: turns_of(messages, here.tools), 5, 200):6.1f} us"
    )
    print(f"turns to the decision's input     {best(lambda: given_of(asked, turns, here), 5, 100):6.1f} us")
    readings = Readings(here.reader)
    again = best(lambda: given_of(asked, turns, here, readings), 5, 100)
    print(f"  when its texts were read before {again:6.1f} us")
    print(f"decided and encoded               {best(lambda: (decide_action(given, ready), encode(given))):6.1f} us")


def conversation() -> list[dict[str, Any]]:
    """20 messages: talk, three reads, an offer and a yes."""
    order = {"id": "A1001", "customer": "c7", "status": "delivered", "total": 60, "note": "by the door", "items": [
        {"sku": "s1", "name": "Desk Lamp", "price": 45.5, "colour": "black"},
        {"sku": "s2", "name": "Backpack", "price": 14.5, "colour": "grey"},
    ]}  # fmt: skip
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Hi, I am jo@example.com. My desk lamp came broken."}]
    for number, (name, arguments, said) in enumerate(
        (
            ("find_customer", {"email": "jo@example.com"}, "c7"),
            ("get_customer", {"customer_id": "c7"}, {"orders": ["A1001"], "level": "gold", "vip": True}),
            ("get_order", {"order_id": "A1001"}, order),
        )
    ):
        call = {"id": f"t{number}", "function": {"name": name, "arguments": json.dumps(arguments)}}
        text = said if isinstance(said, str) else json.dumps(said)
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"t{number}", "content": text},
        ]
    for number in range(5):
        messages += [
            {
                "role": "assistant",
                "content": f"Thank you, I looked at the order. Question {number}: is the lamp with you?",
            },
            {"role": "user", "content": "Yes it is, and I would like my money back for it please."},
        ]
    offer = "I can refund 45.50 for the desk lamp of order A1001. Shall I go ahead?"
    return [*messages, {"role": "assistant", "content": offer}, {"role": "user", "content": "Yes, please go ahead."}]


if __name__ == "__main__":
    main()
