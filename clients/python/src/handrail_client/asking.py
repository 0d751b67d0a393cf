"""What a call of an action asks and gets, as exchanges; `actions` does them.

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
from handrail_client.exchange import Exchange, Reply, Request, answered
from handrail_client.talk import Talk

PATH = "/api/v1/actions"
LOOK_S = 20.0
"""The longest wait of one request; longer ones are asked in parts, since proxies cut long silences."""


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
MEND = (
    "It did not happen. `why` says what stands in the way: mend that and ask again, or tell the customer. Do not try "
    "it in other words or in parts."
)


@dataclass(frozen=True, slots=True)
class Action:
    """`status`: see Status. `message`: what the customer may be told, in their language. `retry_after`: seconds until
    it is worth asking again, None when it is over. `result`: what the target answered, once it is done. `why`: for
    the agent, what it can mend of a call that was not allowed."""

    id: str
    status: str
    message: str = ""
    retry_after: int | None = None
    result: Any = None
    why: tuple[str, ...] = ()

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
    itself, `action_id`, `retry_after` while it may still happen, and `why` when it can mend something."""

    def __init__(self, action: Action) -> None:
        over = MEND if action.why else NEVER
        super().__init__(
            status=action.status, message=action.message, next=NEXT.get(action.status, over), action_id=action.id
        )
        if action.why:
            self["why"] = list(action.why)
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
    data = body_of(action, arguments, talk, facts)
    first_s = min(wait_s, LOOK_S)
    reply = yield from answered(Request("POST", f"{PATH}{_wait(first_s)}", data, first_s), attempts)
    return (yield from _waited(understood(reply), wait_s - first_s, attempts))


def body_of(action: str, arguments: Mapping[str, Any], talk: Talk, facts: Mapping[str, Any] | None) -> bytes:
    body = {
        "action": action,
        "arguments": arguments,
        "conversation": talk.id or f"call-{uuid.uuid4().hex}",
        "customer": talk.customer,
        "facts": {**talk.facts, **(facts or {})} or None,
        "language": talk.language,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}, allow_nan=False).encode()


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
    value = value_of(reply)
    if reply.status not in (200, 202) or "action_id" not in value:
        raise refused(reply)
    return Action(
        value["action_id"], value["status"], value.get("message", ""), value.get("retry_after"), value.get("result"),
        tuple(map(str, value.get("why", ()))),
    )  # fmt: skip


def value_of(reply: Reply) -> dict[str, Any]:
    """The body, empty when it is no JSON object."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def refused(reply: Reply) -> Refused:
    error = value_of(reply).get("error") or {}
    return Refused(reply.status, str(error.get("code", "")), str(error.get("message", "no answer of handrail's")))


def _waited(action: Action, left_s: float, attempts: int) -> Exchange[Action]:
    while left_s > 0 and not action.over and action.status != Status.UNKNOWN:
        part_s = min(left_s, LOOK_S)
        left_s -= part_s
        action = yield from looking(action.id, part_s, attempts)
    return action


def _wait(seconds: float) -> str:
    return f"?wait={seconds:g}" if seconds > 0 else ""
