"""The same agent on the OpenAI Agents SDK, with plain functions as tools; the SDK runs them in threads.

`HANDRAIL_URL` and `HANDRAIL_KEY` (scopes chat, act, facts) name the server; the words are ORDER and CUSTOMER.
"""

import asyncio
import os
import sys
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from handrail_client import Actions, action, conversation

URL, KEY = os.environ["HANDRAIL_URL"], os.environ["HANDRAIL_KEY"]
USE_CASE = "order-care"
rail = Actions(URL, KEY)
set_tracing_disabled(True)  # else the SDK sends traces of the run to a service outside


@function_tool
@action("shop.get_order", via=rail)
def get_order(order: str) -> dict[str, Any]:
    """Read an order: what was paid for it and what was paid back."""


@function_tool
@action("shop.refund", via=rail)
def refund(order: str, amount: float) -> dict[str, Any]:
    """Pay money back on an order.

    Args:
        order: Its number.
        amount: In euros.
    """


model = OpenAIChatCompletionsModel(USE_CASE, AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY))
agent = Agent(
    name="care", model=model, tools=[get_order, refund], instructions="You help customers of an outdoor shop."
)


async def main(order: str, customer: str) -> None:
    with conversation(f"openai-agents-{order}", customer=customer, facts={"customer.id": customer}) as talk:
        config = RunConfig(model_settings=ModelSettings(extra_headers=talk.headers))
        first = await Runner.run(agent, f"Please refund 89 euros for order {order}.", run_config=config)
        print("agent:", first.final_output, flush=True)
        ended = rail.ask("shop.refund", {"order": order, "amount": 89.0}, wait_s=60)  # the same call: it waits
        print("handrail:", ended.status, flush=True)
        more = [*first.to_input_list(), {"role": "user", "content": f"Has {order} been paid back?"}]
        second = await Runner.run(agent, more, run_config=config)
        print("agent:", second.final_output, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
