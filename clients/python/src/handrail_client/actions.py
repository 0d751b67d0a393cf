"""Ask handrail for actions: it decides, waits for a person where it must, and calls the target once.

A lost answer is asked for by sending the same call again: by the tool's business key it is the same action, so nothing
happens twice. That holds inside one conversation; a call that names none gets one of its own here, before it is sent.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from handrail_client.errors import Refused
from handrail_client.exchange import AsyncTransport, Exchange, Reply, Request, Transport, answered, run, run_async
from handrail_client.talk import Talk, current
from handrail_client.transport import Address, AsyncHttpTransport, HttpTransport

PATH = "/api/v1/actions"
LOOK_S = 20.0
"""The longest wait of one request; longer ones are asked in parts, since proxies cut long silences."""
TIMEOUT_S = 40.0
"""For one answer, beyond the wait that was asked for; a target may take 30 seconds by default."""


class Status(StrEnum):
    """How far an action is. Compare with these: a later server may answer with one that is not listed."""

    HELD = "held"
    APPROVED = "approved"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"
    DRAFTED = "drafted"
    DONE = "done"
    DENIED = "denied"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    CANCELLED = "cancelled"


NEXT: Mapping[str, str] = {
    Status.HELD: "It waits for a person. Say so; do not try it in other words or in parts. The same call tells how far "
    "it is.",
    Status.APPROVED: "A person agreed and it is about to run. The same call tells how it ended.",
    Status.CLAIMED: "It is running. The same call tells how it ended.",
    Status.UNKNOWN: "It is not known whether it happened; a person finds out. Do not try it again in another way.",
    Status.DRAFTED: "A person got it as a draft and decides about it elsewhere. Do not try it again.",
}
NEVER = "It did not happen. Do not try it in other words or in parts."


@dataclass(frozen=True, slots=True)
class Action:
    """`status`: see Status. `message`: what the customer may be told, in their language. `retry_after`: seconds until
    it is worth asking again, None when it is over. `result`: what the target answered, once it is done."""

    id: str
    status: str
    message: str = ""
    retry_after: int | None = None
    result: Any = None

    @property
    def done(self) -> bool:
        return self.status == Status.DONE

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.retry_after is None

    def told(self) -> Any:
        """For a model: the target's result when it is done, else NotDone."""
        return self.result if self.done else NotDone(self)


class NotDone(dict[str, Any]):
    """What a model is told of an action that has not happened (yet): `status`, `message` for the customer, `next` for
    itself, `action_id`, and `retry_after` while it may still happen."""

    def __init__(self, action: Action) -> None:
        super().__init__(
            status=action.status, message=action.message, next=NEXT.get(action.status, NEVER), action_id=action.id
        )
        if action.retry_after is not None:
            self["retry_after"] = action.retry_after
        self.action = action

    def __str__(self) -> str:
        """JSON: some frameworks give the model what str() says."""
        return json.dumps(self, ensure_ascii=False)


def asking(
    action: str, arguments: Mapping[str, Any], talk: Talk, facts: Mapping[str, Any] | None, wait_s: float, attempts: int
) -> Exchange[Action]:
    """The exchange of one call. Raises Refused or Unreachable."""
    body = {
        "action": action,
        "arguments": arguments,
        "conversation": talk.id or f"call-{uuid.uuid4().hex}",
        "customer": talk.customer,
        "facts": {**talk.facts, **(facts or {})} or None,
        "language": talk.language,
    }
    data = json.dumps({name: value for name, value in body.items() if value is not None}, allow_nan=False).encode()
    first_s = min(wait_s, LOOK_S)
    reply = yield from answered(Request("POST", f"{PATH}{_wait(first_s)}", data, first_s), attempts)
    return (yield from _waited(understood(reply), wait_s - first_s, attempts))


def looking(action_id: str, wait_s: float, attempts: int) -> Exchange[Action]:
    """How far it is, after at most `wait_s`. Raises Refused or Unreachable."""
    first_s = min(wait_s, LOOK_S)
    path = f"{PATH}/{quote(action_id, safe='')}{_wait(first_s)}"
    reply = yield from answered(Request("GET", path, waits_s=first_s), attempts)
    return (yield from _waited(understood(reply), wait_s - first_s, attempts))


def cancelling(action_id: str, attempts: int) -> Exchange[Action]:
    """Raises Refused, for one with code `action.decided` or the like when it no longer waits, or Unreachable."""
    return understood((yield from answered(Request("DELETE", f"{PATH}/{quote(action_id, safe='')}"), attempts)))


def understood(reply: Reply) -> Action:
    """Raises Refused."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        value = {}
    if reply.status not in (200, 202) or not isinstance(value, dict) or "action_id" not in value:
        error = (value.get("error") if isinstance(value, dict) else None) or {}
        code, message = str(error.get("code", "")), str(error.get("message", "no answer of handrail's"))
        raise Refused(reply.status, code, message)
    return Action(
        value["action_id"], value["status"], value.get("message", ""), value.get("retry_after"), value.get("result")
    )


def _waited(action: Action, left_s: float, attempts: int) -> Exchange[Action]:
    while left_s > 0 and not action.over and action.status != Status.UNKNOWN:
        part_s = min(left_s, LOOK_S)
        left_s -= part_s
        action = yield from looking(action.id, part_s, attempts)
    return action


def _wait(seconds: float) -> str:
    return f"?wait={seconds:g}" if seconds > 0 else ""


def _talk(conversation: str | None, customer: str | None, language: str | None) -> Talk:
    """What is named wins over the `conversation(...)` around the call."""
    around = current()
    if conversation is not None and conversation != around.id:
        around = Talk()
    named = (conversation or around.id, customer or around.customer, language or around.language)
    return Talk(*named, around.facts)


class Actions:
    """`api_key` needs the scope `act`. `timeout_s`: for one answer, beyond what `wait_s` asks for. `attempts`: how
    often a lost answer is asked for."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        attempts: int = 4,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or HttpTransport(Address(base_url, api_key))
        self._timeout_s = timeout_s
        self._attempts = attempts

    def ask(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Action:
        """Ask for an action by its full name, such as `shop.refund`. Held is an answer, not an error. Waits at most
        `wait_s` seconds for its end. Raises Refused (not registered, wrong key, ...) or Unreachable."""
        talk = _talk(conversation, customer, language)
        return self._run(asking(action, arguments, talk, facts, wait_s, self._attempts))

    def look(self, action_id: str, *, wait_s: float = 0.0) -> Action:
        """How far it is, at its end or after `wait_s` seconds. Raises Refused or Unreachable."""
        return self._run(looking(action_id, wait_s, self._attempts))

    def cancel(self, action_id: str) -> Action:
        """Take back what still waits. Raises Refused when it no longer does, or Unreachable."""
        return self._run(cancelling(action_id, self._attempts))

    def _run(self, exchange: Exchange[Action]) -> Action:
        return run(exchange, self._transport, self._timeout_s)


class AsyncActions:
    """The same, awaited. Cancelling a call stops the waiting, never the action: `cancel` takes that back."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        attempts: int = 4,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._transport = transport or AsyncHttpTransport(Address(base_url, api_key))
        self._timeout_s = timeout_s
        self._attempts = attempts

    async def ask(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Action:
        """As `Actions.ask`."""
        talk = _talk(conversation, customer, language)
        return await self._run(asking(action, arguments, talk, facts, wait_s, self._attempts))

    async def look(self, action_id: str, *, wait_s: float = 0.0) -> Action:
        """As `Actions.look`."""
        return await self._run(looking(action_id, wait_s, self._attempts))

    async def cancel(self, action_id: str) -> Action:
        """As `Actions.cancel`."""
        return await self._run(cancelling(action_id, self._attempts))

    async def _run(self, exchange: Exchange[Action]) -> Action:
        return await run_async(exchange, self._transport, self._timeout_s)
