"""The demo's agent: the model's tool calls go through the door for actions, and nowhere else.

A scene is one conversation with one customer. The model, which follows its script, asks for tools; each call is asked
of handrail; what is held is decided at the desk; what came of it is told to the model as the tool's result.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from handrail.app.demo import client
from handrail.app.demo.acts import Act, Scene
from handrail.app.demo.approver import Desk
from handrail.app.demo.client import Bot, Json
from handrail.app.demo.script import Talk, Tool

UPSTREAM = "shop"
MAX_STEPS = 8
END_S = 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of one call. `held`: it waited; `approved`: a yes was given; `names`: of rules, limits and reasons."""

    action: str
    tool: str
    status: str
    held: bool = False
    approved: bool = False
    marked: bool = True
    names: str = ""


@dataclass(slots=True)
class Agent:
    """`key`: an API key with the scopes chat, act and facts: who speaks here has signed in, and the contact centre's
    own software vouches for it."""

    host: str
    key: str
    use_case: str
    tools: tuple[Tool, ...]
    desk: Desk
    say: Say
    pause: Callable[[], Awaitable[None]]
    came: list[Came] = field(default_factory=list)

    async def play(self, scene: Scene, conversation: str) -> list[str]:
        """What was not as expected."""
        self.say(f"{scene.title}: {scene.customer} writes")
        self.say(f"  {scene.says!r}")
        talk = Talk(use_case=self.use_case, language="en", turns=(), customer=scene.customer, conversation=conversation)
        bot = Bot(self.host, self.key, talk)
        new: list[Json] = [{"role": "user", "content": scene.says}]
        came: list[Came] = []
        for _ in range(MAX_STEPS):
            answer = await asyncio.to_thread(bot.ask, new, self.tools, self.use_case)
            if answer.status != 200:
                return [f"{scene.title}: the model's answer was {answer.status}"]
            if not answer.calls:
                break
            new = []
            for call in answer.calls:
                one, told = await self._call(call, scene, conversation)
                came.append(one)
                new.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(told)})
                await self.pause()
        self.came += came
        return [f"{scene.title}: {why}" for why in unexpected(scene.acts, came)]

    async def _call(self, call: Json, scene: Scene, conversation: str) -> tuple[Came, Json]:
        name = call["function"]["name"]
        arguments = json.loads(call["function"]["arguments"])
        asked = {
            "action": f"{UPSTREAM}.{name}",
            "arguments": arguments,
            "conversation": conversation,
            "customer": scene.customer,
            "facts": {"customer.id": scene.customer},
        }
        shown = f"  {name} {', '.join(str(value) for value in arguments.values())}"
        answer = await asyncio.to_thread(client.act, self.host, self.key, asked)
        if "action_id" not in answer:
            self.say(f"{shown}: refused, {answer}")
            return Came(action="", tool=name, status="refused"), answer
        action, status = answer["action_id"], answer["status"]
        why, names = await self.desk.reasons(action)
        if status != "held":
            self.say(f"{shown}: {'done at once' if status == 'done' else f'{status.upper()}, {why}'}{_receipt(answer)}")
            return Came(action=action, tool=name, status=status, names=names), told(answer)
        self.say(f"{shown}: held, {why}")
        decided = await self.desk.decide(action)
        answer = await asyncio.to_thread(client.outcome, self.host, self.key, action, END_S)
        verb = "says yes" if decided.approved else "says NO"
        self.say(f"    {decided.approver} {verb} ({decided.why}): {answer['status']}{_receipt(answer)}")
        return (
            Came(
                action=action, tool=name, status=answer["status"], held=True, approved=decided.approved,
                marked=decided.marked, names=names,
            ),
            told(answer),
        )  # fmt: skip


def told(answer: Json) -> Json:
    """What the model is told."""
    if answer["status"] == "done":
        result: Any = answer.get("result")
        return result if isinstance(result, dict) else {"result": result}
    return {"status": answer["status"], "message": answer.get("message", "")}


def _receipt(answer: Json) -> str:
    result = answer.get("result")
    return f", receipt {result['receipt']}" if isinstance(result, dict) and "receipt" in result else ""


def unexpected(acts: tuple[Act, ...], came: list[Came]) -> list[str]:
    """Pure. Where a person at the terminal decided, what came of it is theirs."""
    if [act.tool for act in acts] != [one.tool for one in came]:
        return [f"the agent was to ask for {[act.tool for act in acts]} and asked for {[one.tool for one in came]}"]
    wrong = []
    for act, one in zip(acts, came, strict=True):
        ends = act.ends if one.marked else "done" if one.approved else "denied"
        if one.status != ends:
            wrong.append(f"{act.tool} was to end as {ends} and is {one.status or 'refused'} ({one.names})")
        if one.held is not act.person:
            wrong.append(f"{act.tool} was {'' if act.person else 'not '}to wait for a person ({one.names})")
        if act.because and act.because not in one.names.split():
            wrong.append(f"{act.tool} was to be stopped by {act.because} and not by {one.names!r}")
    return wrong
