"""What the demo leaves for whoever opens the console: refunds that wait for a person, asked for as its agent asks."""

import asyncio

from handrail.app.demo import client
from handrail.app.demo.acts import Waiting
from handrail.app.demo.client import Bot
from handrail.app.demo.script import Talk


async def left(host: str, key: str, use_case: str, waiting: tuple[Waiting, ...], play: int) -> list[str]:
    """What was not as expected: each is asked for and held. `play`: how often this home was played."""
    return [
        wrong
        for number, one in enumerate(waiting, 1)
        for wrong in await asyncio.to_thread(_ask, host, key, use_case, one, f"wait-{play}-{number}")
    ]


def _ask(host: str, key: str, use_case: str, one: Waiting, conversation: str) -> list[str]:
    talk = Talk(use_case=use_case, language="en", turns=(), customer=one.customer, conversation=conversation)
    answer = Bot(host, key, talk).ask([{"role": "user", "content": one.says}], (), use_case)
    if answer.status != 200:
        return [f"{one.order}: the model's answer was {answer.status}"]
    asked = {"conversation": conversation, "customer": one.customer, "facts": {"customer.id": one.customer}}
    arguments: dict[str, object] = {"order": one.order}
    client.act(host, key, {"action": "shop.get_order", "arguments": arguments, **asked})
    came = client.act(host, key, {"action": "shop.refund", "arguments": {**arguments, "amount": one.amount}, **asked})
    if came.get("status") != "held":
        return [f"{one.order}: the refund was to wait for a person and is {came.get('status', came)}"]
    return []
