"""Actions that your own process carries out: decided by handrail, under a permit that is good once.

Ask for a permit, redeem it, do exactly its arguments, report. A redeem whose answer is lost counts as not given: then
nothing is done here, and since no report comes, a person is asked. Who cannot tell what became of the effect does not
report either.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from handrail_client.asking import Action, Status, body_of, looking, refused, understood, value_of
from handrail_client.exchange import Exchange, Reply, Request, answered
from handrail_client.talk import Talk

PATH = "/api/v1/decisions"
LOOK_S = 2.0
"""Waiting for a person, the same call is made this often: only it brings the permit."""


@dataclass(frozen=True, slots=True)
class Permit:
    """`arguments`: exactly these, which the rules may have changed. `expires_at`: Unix seconds."""

    action_id: str
    token: str
    arguments: dict[str, Any]
    audience: str
    expires_at: int


def permitting(
    action: str, arguments: Mapping[str, Any], talk: Talk, facts: Mapping[str, Any] | None, wait_s: float, attempts: int
) -> Exchange[Permit | Action]:
    """A permit, or the action that has none (yet). Raises Refused or Unreachable."""
    data = body_of(action, arguments, talk, facts)
    while True:
        decided = _decided((yield from answered(Request("POST", PATH, data), attempts)))
        if isinstance(decided, Permit) or decided.status != Status.HELD or wait_s <= 0:
            return decided
        part_s = min(wait_s, LOOK_S)
        wait_s -= part_s
        yield from looking(decided.id, part_s, attempts)


def redeeming(permit: Permit, attempts: int) -> Exchange[bool]:
    """Whether the effect may be done now, once. Raises Unreachable: then it may not."""
    body = {"permit": permit.token, "audience": permit.audience, "arguments": permit.arguments}
    request = Request("POST", _path(permit, "redeem"), json.dumps(body, allow_nan=False).encode())
    reply = yield from answered(request, attempts)
    return reply.status == 200 and value_of(reply).get("status") == Status.CLAIMED


def reporting(permit: Permit, status: str, result: Any, code: str, attempts: int) -> Exchange[Action]:
    """`status`: done, or failed for certainly without effect. Raises Refused or Unreachable."""
    body = {"status": status, "result": result, "code": code}
    request = Request("POST", _path(permit, "outcome"), json.dumps(body, allow_nan=False).encode())
    return understood((yield from answered(request, attempts)))


def _path(permit: Permit, what: str) -> str:
    return f"{PATH}/{quote(permit.action_id, safe='')}/{what}"


def _decided(reply: Reply) -> Permit | Action:
    value = value_of(reply)
    if reply.status == 200 and "permit" in value:
        return Permit(
            value["action_id"], value["permit"], value["arguments"], value["audience"], value["expires_at"]
        )  # fmt: skip
    if reply.status not in (200, 202):
        raise refused(reply)
    return understood(reply)
