"""An agent on PydanticAI. It holds no key of the shop: both tools are actions of handrail, and so is the model's door.

`HANDRAIL_URL` and `HANDRAIL_KEY` (scopes chat, act, facts) name the server; the words are ORDER and CUSTOMER.
"""

import asyncio
import os
import sys
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from handrail_client import AsyncActions, action, conversation

URL, KEY = os.environ["HANDRAIL_URL"], os.environ["HANDRAIL_KEY"]
USE_CASE = "order-care"
rail = AsyncActions(URL, KEY)


@action("shop.get_order", via=rail)
async def get_order(order: str) -> dict[str, Any]:
    """Read an order: what was paid for it and what was paid back."""


@action("shop.refund", via=rail)
async def refund(order: str, amount: float) -> dict[str, Any]:
    """Pay money back on an order. `amount`: in euros."""


model = OpenAIChatModel(USE_CASE, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY))
agent = Agent(model, tools=[get_order, refund], instructions="You help customers of an outdoor shop.")


async def main(order: str, customer: str) -> None:
    with conversation(f"pydantic-ai-{order}", customer=customer, facts={"customer.id": customer}) as talk:
        settings = OpenAIChatModelSettings(extra_headers=talk.headers)
        first = await agent.run(f"Please refund 89 euros for order {order}.", model_settings=settings)
        print("agent:", first.output, flush=True)
        ended = await rail.ask("shop.refund", {"order": order, "amount": 89.0}, wait_s=60)  # the same call: it waits
        print("handrail:", ended.status, flush=True)
        history = first.all_messages()
        second = await agent.run(f"Has {order} been paid back?", message_history=history, model_settings=settings)
        print("agent:", second.output, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
